/// The hypercalls of Gunyah that Apus answers; the raw value is the call's number.
///
/// Gunyah Hypervisor API, each call's "Hypercall" line. Those that are not here answer
/// ``GunyahError/unimplemented``: what makes and binds objects is the resource manager's alone.
public enum Hypercall: UInt16, CaseIterable, Sendable {
  /// What the hypervisor is and has.
  case identify = 0x00
  /// Sets flags of a doorbell.
  case doorbellSend = 0x12
  /// Reads and clears flags of a doorbell.
  case doorbellReceive = 0x13
  /// Puts a doorbell back to what it was when it was made.
  case doorbellReset = 0x14
  /// Sets a doorbell's masks.
  case doorbellMask = 0x15
  /// Puts a message into a queue.
  case messageQueueSend = 0x1B
  /// Takes a message from a queue.
  case messageQueueReceive = 0x1C
  /// Drops a queue's messages.
  case messageQueueFlush = 0x1D
  /// Sets when a queue's sender is interrupted.
  case messageQueueConfigureSend = 0x1F
  /// Sets when a queue's receiver is interrupted.
  case messageQueueConfigureReceive = 0x20
  /// Lets a vCPU of another machine run.
  case vcpuRun = 0x65

  /// How many results the call has in x1 and the registers behind it.
  public var outputCount: Int {
    switch self {
    case .identify: 3
    case .doorbellSend, .doorbellReceive, .messageQueueSend: 1
    case .messageQueueReceive: 2
    case .vcpuRun: 4
    case .doorbellReset, .doorbellMask, .messageQueueFlush, .messageQueueConfigureSend, .messageQueueConfigureReceive:
      0
    }
  }
}

/// What a guest asks for by the number that stands in x0 at an HVC or SMC with the immediate 0.
///
/// SMC Calling Convention (ARM DEN 0028), section 2; Gunyah's own calls are in the owner of vendor-specific hypervisor
/// services, apart from the others by bits 15:14 of the number.
public enum CallNumber: Equatable, Sendable {
  /// A hypercall of Gunyah.
  case hypercall(Hypercall)
  /// The UID of the services: which hypervisor this is (SMCCC, section 6.2).
  case serviceUID
  /// The revision of the services.
  case serviceRevision

  /// The first number of Gunyah's hypercalls: fast, 64 bit, the owner's.
  public static let firstHypercall: UInt32 = 0xC600_8000
  /// How many numbers Gunyah's hypercalls have.
  public static let hypercallCount: UInt32 = 0x4000
  /// The first number of the general services: fast, 32 bit, the owner's.
  public static let firstService: UInt32 = 0x8600_FF00
  /// The first number of the owner's fast calls of 32 bit, ``ownerCount`` in all.
  public static let firstOfOwner32: UInt32 = 0x8600_0000
  /// The first number of the owner's fast calls of 64 bit, ``ownerCount`` in all.
  public static let firstOfOwner64: UInt32 = 0xC600_0000
  /// How many numbers the owner has of either kind, with the hint of SVE and without.
  public static let ownerCount: UInt32 = 0x2_0000
  /// The hint of a caller that has no SVE state to lose (SMCCC, section 2.6): bit 16 of the number, which says nothing
  /// of what is asked for.
  public static let noSVEStateHint: UInt32 = 1 << 16

  /// The call with the number `x0`, of which the low 32 bits count, or nil where nothing answers it but
  /// ``GunyahError/unimplemented``.
  @inlinable
  public init?(x0: UInt64) {
    let number = UInt32(truncatingIfNeeded: x0) & ~CallNumber.noSVEStateHint
    switch number {
    case CallNumber.firstHypercall..<CallNumber.firstHypercall + CallNumber.hypercallCount:
      guard let call = Hypercall(rawValue: UInt16(number - CallNumber.firstHypercall)) else { return nil }
      self = .hypercall(call)
    case CallNumber.firstService + 1: self = .serviceUID
    case CallNumber.firstService + 3: self = .serviceRevision
    default: return nil
    }
  }
}
