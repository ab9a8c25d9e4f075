import GuestABI
import GuestMemory
internal import Synchronization

/// What the threads of a machine share while it runs.
final class RunningMachine: Sendable {
  let machine: SharedMachine
  let bus: Bus
  let ram: PrivateRAM
  /// Where memory may be plugged.
  let hotplugRegions: [Board.HotplugRegion]
  let earlyVectors: EarlyVectors
  let unmapped: UnmappedAccesses
  let mailbox: Mailbox
  let events: MachineEvents
  /// Whether vCPUs are to end, and where they wait while somebody holds them.
  let isStopping = Atomic(false)
  let hold = VCPUHold()
  /// Who takes what breakpoints and steps come to, where a debugger may connect.
  let debugger: DebuggedMachine?
  /// The machine as Gunyah's guest, where the guest finds that.
  let gunyah: GunyahGuest?

  init(
    machine: SharedMachine,
    bus: consuming Bus,
    ram: consuming PrivateRAM,
    hotplugRegions: [Board.HotplugRegion],
    earlyVectors: consuming EarlyVectors,
    unmapped: UnmappedAccesses,
    mailbox: Mailbox,
    debugger: DebuggedMachine?,
    gunyah: GunyahGuest?,
    events: MachineEvents
  ) {
    self.gunyah = gunyah
    self.debugger = debugger
    self.machine = machine
    self.bus = bus
    self.ram = ram
    self.hotplugRegions = hotplugRegions
    self.earlyVectors = earlyVectors
    self.unmapped = unmapped
    self.mailbox = mailbox
    self.events = events
  }

  /// ``gunyah`` for a call, which counts no references. It is there as long as the machine.
  var uncountedGunyah: Unmanaged<GunyahGuest>? {
    // SAFETY: whoever asks holds the machine while it uses the reference.
    unsafe gunyah.map { unsafe Unmanaged.passUnretained($0) }
  }

  /// What an address is where a guest found nothing, for people.
  func nothing(at address: UInt64, else other: String) -> String {
    for region in hotplugRegions where region.range.contains(GuestAddress(address), count: 1) {
      return "which is unplugged hot-plug memory of region '\(region.name)'"
    }
    return other
  }

  /// Where code may be while a guest's MMU is off.
  func mayExecute(at address: UInt64) -> Bool {
    ram.range.contains(GuestAddress(address), count: 4)
      || hotplugRegions.contains { $0.range.contains(GuestAddress(address), count: 4) }
  }
}
