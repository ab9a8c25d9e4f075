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

  init(
    machine: SharedMachine,
    bus: consuming Bus,
    ram: consuming PrivateRAM,
    hotplugRegions: [Board.HotplugRegion],
    earlyVectors: consuming EarlyVectors,
    unmapped: UnmappedAccesses,
    mailbox: Mailbox,
    debugger: DebuggedMachine?,
    events: MachineEvents
  ) {
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
