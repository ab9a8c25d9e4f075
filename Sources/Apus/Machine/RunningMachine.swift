import GuestMemory
internal import Synchronization

/// What the threads of a machine share while it runs.
final class RunningMachine: Sendable {
  let machine: SharedMachine
  let bus: Bus
  let ram: PrivateRAM
  private let earlyVectors: EarlyVectors
  let unmapped: UnmappedAccesses
  let mailbox: Mailbox
  let events: MachineEvents
  /// Whether vCPUs are to end, and where they wait while somebody holds them.
  let isStopping = Atomic(false)
  let hold = VCPUHold()
  /// All memory of the guest, for whoever looks into it.
  let memory: GuestMemoryMap
  /// Who takes what breakpoints and steps come to, where a debugger may connect.
  let debugger: DebuggedMachine?

  init(
    machine: SharedMachine,
    bus: consuming Bus,
    ram: consuming PrivateRAM,
    earlyVectors: consuming EarlyVectors,
    unmapped: UnmappedAccesses,
    mailbox: Mailbox,
    windows: [InspectedMemory],
    debugger: DebuggedMachine?,
    events: MachineEvents
  ) {
    memory = GuestMemoryMap([ram.inspected(), earlyVectors.inspected()] + windows)
    self.debugger = debugger
    self.machine = machine
    self.bus = bus
    self.ram = ram
    self.earlyVectors = earlyVectors
    self.unmapped = unmapped
    self.mailbox = mailbox
    self.events = events
  }
}
