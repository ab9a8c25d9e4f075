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

  /// KVM's bits of the features that they have, without that of waiting for CPU_ON.
  var features: UInt32
  /// How often a second the counters count.
  var counterFrequency: UInt64
  /// CNTVCT_EL0, which stood.
  var virtualCounter: UInt64
  /// CNTPCT_EL0, where KVM tells it.
  var physicalCounter: UInt64?
  /// The host's wall clock, in nanoseconds since 1970.
  var wallTime: UInt64
  /// In the order of their numbers.
  var processors: [VCPUState]
  /// The interrupt controller.
  var interrupts: InterruptControllerState
}

/// The registers in ``VCPUState/registers``, one after the other.
struct SavedRegisters: Sequence, IteratorProtocol {
  /// One of them.
  struct Register {
    let id: RegisterID
    let bytes: ArraySlice<UInt8>

    /// Its value, where it has 64 bits or fewer.
    var value: UInt64? {
      guard bytes.count <= 8 else { return nil }
      var value: UInt64 = 0
      for (index, byte) in bytes.enumerated() { value |= UInt64(byte) << UInt64(8 * index) }
      return value
    }

    /// Whether all of its bits are 0.
    var isZero: Bool { bytes.allSatisfy { $0 == 0 } }
  }

  private var rest: ArraySlice<UInt8>

  init(_ bytes: [UInt8]) {
    rest = bytes[...]
  }

  /// Whether the bytes end in the middle of a register.
  private(set) var isCut = false

  mutating func next() -> Register? {
    guard !rest.isEmpty else { return nil }
    guard rest.count > 8 else {
      isCut = true
      return nil
    }
    var number: UInt64 = 0
    for (index, byte) in rest.prefix(8).enumerated() { number |= UInt64(byte) << UInt64(8 * index) }
    let id = RegisterID(rawValue: number)
    rest = rest.dropFirst(8)
    guard rest.count >= id.size else {
      isCut = true
      return nil
    }
    defer { rest = rest.dropFirst(id.size) }
    return Register(id: id, bytes: rest.prefix(id.size))
  }
}

extension CopiedMemory {
  /// All of it that is not zero.
  var pages: MemoryPages {
    // SAFETY: the number is an address for as long as the boot lasts, in which it is used.
    .shared(base: unsafe UInt(bitPattern: hostAddress), descriptor: descriptor)
  }
}
