internal import Machine

/// Calls of the firmware and accesses to memory that may go wrong: an exception ends them, and the guest goes on.
public struct Guarded: Sendable {
  public enum Operation: Sendable {
    case hvc, smc
    case load(bytes: UInt64), store(bytes: UInt64), loadPair, storePair
    /// Adds 1 by exclusive accesses; gives what was there.
    case increment
    /// Calls code that returns at once.
    case call
    /// The first argument is an address, the second a number of bytes, the third has the byte eight times.
    case fill
    /// As ``fill``; gives how many bytes are others.
    case verify
    /// To the first argument, from the second, the third's number of bytes.
    case copy

    fileprivate var number: UInt64 {
      let operation =
        switch self {
        case .hvc: MACHINE_GUARDED_HVC
        case .smc: MACHINE_GUARDED_SMC
        case .load(1): MACHINE_GUARDED_LOAD8
        case .load(2): MACHINE_GUARDED_LOAD16
        case .load(4): MACHINE_GUARDED_LOAD32
        case .load: MACHINE_GUARDED_LOAD64
        case .store(1): MACHINE_GUARDED_STORE8
        case .store(2): MACHINE_GUARDED_STORE16
        case .store(4): MACHINE_GUARDED_STORE32
        case .store: MACHINE_GUARDED_STORE64
        case .loadPair: MACHINE_GUARDED_LOAD_PAIR
        case .storePair: MACHINE_GUARDED_STORE_PAIR
        case .increment: MACHINE_GUARDED_INCREMENT
        case .call: MACHINE_GUARDED_CALL
        case .fill: MACHINE_GUARDED_FILL
        case .verify: MACHINE_GUARDED_VERIFY
        case .copy: MACHINE_GUARDED_COPY
        }
      return UInt64(operation)
    }
  }

  /// Registers of the translation of addresses.
  public struct Regime: Sendable {
    public var ttbr0, ttbr1, tcr, mair, sctlr: UInt64

    public init(ttbr0: UInt64, ttbr1: UInt64, tcr: UInt64, mair: UInt64, sctlr: UInt64) {
      self.ttbr0 = ttbr0
      self.ttbr1 = ttbr1
      self.tcr = tcr
      self.mair = mair
      self.sctlr = sctlr
    }
  }

  /// x0 to x4 after it; of an access, what it gave is in x0.
  public let registers: (UInt64, UInt64, UInt64, UInt64, UInt64)
  /// The syndrome and the address of the exception that ended it, or `nil`.
  public let abort: (syndrome: UInt64, address: UInt64)?

  /// Does it, by this translation or by the guest's own, with interrupts masked.
  public init(
    _ operation: Operation,
    _ x0: UInt64,
    _ x1: UInt64 = 0,
    _ x2: UInt64 = 0,
    _ x3: UInt64 = 0,
    _ x4: UInt64 = 0,
    regime: Regime? = nil
  ) {
    var work = machine_guarded_work()
    work.operation = operation.number
    work.x0 = x0
    work.x1 = x1
    work.x2 = x2
    work.x3 = x3
    work.x4 = x4
    if let regime {
      work.ttbr0 = regime.ttbr0
      work.ttbr1 = regime.ttbr1
      work.tcr = regime.tcr
      work.mair = regime.mair
      work.sctlr = regime.sctlr
      work.has_regime = 1
    }
    // SAFETY: the call borrows `work` alone. What the operation does to memory is what the caller has asked for.
    unsafe machine_guarded(&work)
    registers = (work.x0, work.x1, work.x2, work.x3, work.x4)
    abort = work.failed == 0 ? nil : (work.esr, work.far)
  }
}

/// Memory that is the guest's to use as it likes, and zero at first.
public enum Scratch {
  public static var address: UInt { UInt(machine_scratch_address()) }
  public static var size: UInt { UInt(MACHINE_SCRATCH_SIZE) }
}
