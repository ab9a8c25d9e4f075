import GuestABI
import GuestMemory
import Host
import Logging

/// A run's place among Gunyah's machines, and its boot's guest there. On the device thread alone.
final class GunyahMembership {
  let place: GunyahHost.Place
  private var guest: GunyahGuest?

  init(_ place: GunyahHost.Place) { self.place = place }

  /// Makes the boot that is assembled now one of the hypervisor's machines, before its vCPUs run; ``leave()`` follows.
  ///
  /// - Parameters:
  ///   - ram: the machine's RAM, whose slot KVM has.
  ///   - memory: all of the machine's memory, also what is added later.
  ///   - board: where the machine has what.
  ///   - configuration: the machine's.
  ///   - mailbox: of the machine's device thread.
  ///   - logger: hears of the machines that it makes, and what they print.
  /// - Throws: ``HostError`` where the hypervisor has no thread yet and the host gives none.
  func join(
    _ ram: borrowing PrivateRAM,
    _ memory: GuestMemoryMap,
    _ board: Board,
    _ configuration: Configuration,
    _ mailbox: Mailbox,
    _ logger: Logger
  ) throws(HostError) -> GunyahGuest {
    let firstSlot = Board.MemorySlot.firstOfPieces
    let inspected = ram.inspected()
    let guest = GunyahGuest(
      place.vmid,
      name: configuration.name,
      memory: MappedMemory(
        inspected,
        slot: Board.MemorySlot.ram,
        slots: firstSlot..<firstSlot + Board.MemorySlot.pieceCount,
        other: memory
      ),
      vcpus: DeviceThreadVCPUs(mailbox),
      kvmPath: configuration.kvmPath,
      fail: { mailbox.give(Outcome(.hostFailure, $0)) },
      tell: { logger.notice("\($0)") },
      record: place.host.recorder.map { GunyahRecorder.Machine(recorder: $0, name: configuration.name) }
    )
    let reserved = board.regions.map(\.range).filter { $0.start != ram.range.start }
    guest.take(place.host.ends(of: guest))
    try place.host.manager.join(guest, inspected, reserved: reserved)
    self.guest = guest
    return guest
  }

  /// The boot's vCPUs have ended, or have never begun: nothing of it is left among the others. What it has borrowed
  /// goes back.
  ///
  /// - Returns: what the machine did; nil where it has left already, or never joined.
  @discardableResult
  func leave() -> Report.Gunyah? { guest.take().map { Report.Gunyah($0, place.host.manager.leave($0)) } }
}
