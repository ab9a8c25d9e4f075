import GuestABI
import GuestMemory
import Host
import Virtio

/// By which a guest knows that it is not the only one that goes on from where it was: 16 random bytes in memory that it
/// reads, and an interrupt when there are others (Microsoft's VMGenID, as the device tree has it). Linux 6.10 and later
/// then mixes them into its pool of random numbers, so that copies of a machine draw different ones.
///
/// On the device thread.
struct GenerationID {
  /// In bytes.
  static let size = 16

  private let machine: RunningMachine
  private let line: MachineLevelInterrupt

  /// Draws the first one.
  init(_ machine: RunningMachine) {
    self.machine = machine
    line = MachineLevelInterrupt(
      machine.machine,
      sharedPeripheralInterrupt: MemoryMap.SharedInterrupt.generationID
    )
    write(HostRandom.bytes(count: Self.size))
  }

  /// What the guest reads.
  var bytes: [UInt8] { machine.earlyVectors.read(at: MemoryMap.generationID.start, count: Self.size) }

  private func write(_ bytes: [UInt8]) { machine.earlyVectors.write(bytes, at: MemoryMap.generationID.start) }

  /// Draws another one, and interrupts the guest: behind the state of the interrupt controller, before a vCPU runs.
  func change() {
    write(HostRandom.bytes(count: Self.size))
    // An edge is a level that comes and goes.
    line.set(true)
    line.set(false)
  }

  /// Goes on with the identifier of a machine of which this one is no copy.
  ///
  /// - Throws: ``DeviceStateError`` for what is none.
  func restore(_ saved: GenerationIDState) throws(DeviceStateError) {
    guard saved.bytes.count == Self.size else { throw .invalid(device: "vmgenid", field: "bytes") }
    write(saved.bytes)
  }
}

/// A machine's generation identifier.
struct GenerationIDState: VersionedState, Equatable {
  static let kind = "vmgenid"
  static let version: UInt32 = 1

  var bytes: [UInt8]
}
