import GuestMemory
import Host
import KVM
import Snapshot
import Virtio

/// A vCPU as it stood between two instructions.
struct VCPUState: VersionedState {
  static var kind: String { "vcpu" }
  static var version: UInt32 { 1 }

  /// KVM's number of what it does: ``MultiprocessorState``.
  var multiprocessorState: UInt32
  /// Whether an SError is pending, and its syndrome where it has one.
  var hasSError: Bool
  var serrorSyndrome: UInt64?
  /// Whether an external abort is pending.
  var isExternalAbortPending: Bool
  /// ``VirtualCPU/savedRegisters()``.
  var registers: [UInt8]

  /// - Throws: ``KVMError``.
  init(_ vcpu: borrowing VirtualCPU) throws(KVMError) {
    multiprocessorState = try vcpu.multiprocessorState().rawValue
    let events = try vcpu.events()
    hasSError = events.serror != nil
    serrorSyndrome = events.serror?.syndrome
    isExternalAbortPending = events.isExternalAbortPending
    registers = try vcpu.savedRegisters()
  }

  var events: VirtualCPUEvents {
    var events = VirtualCPUEvents()
    if hasSError { events.serror = VirtualCPUEvents.SError(syndrome: serrorSyndrome) }
    events.isExternalAbortPending = isExternalAbortPending
    return events
  }
}

/// All vCPUs, what they share, and the interrupt controller.
struct ProcessorsState: VersionedState {
  static var kind: String { "processors" }
  static var version: UInt32 { 1 }

  /// The version of ``Contract`` by which it was promised.
  var contract: Int
  /// KVM's bits of the features that they have, without that of waiting for CPU_ON.
  var features: UInt32
  /// How often a second the counters count.
  var counterFrequency: UInt64
  /// CNTVCT_EL0, which stood.
  var virtualCounter: UInt64
  /// The host's wall clock, in nanoseconds since 1970.
  var wallTime: UInt64
  /// In the order of their numbers.
  var processors: [VCPUState]
  /// The interrupt controller.
  var interrupts: InterruptControllerState
}

extension MemoryRegion {
  /// A region of the guest's with the file that bears its name.
  init(_ name: String, _ range: GuestRange) {
    self.init(name: name, file: "\(name).memory", start: range.start.rawValue, size: range.size)
  }
}

extension CopiedMemory {
  /// All of it that is not zero.
  var pages: MemoryPages {
    // SAFETY: the number is an address for as long as the boot lasts, in which it is used.
    .shared(base: unsafe UInt(bitPattern: hostAddress), descriptor: descriptor)
  }
}
