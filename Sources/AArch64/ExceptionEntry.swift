/// What a synchronous exception to EL1 makes of a vCPU's registers (Arm ARM, D1.3.3).
///
/// KVM gives user space a guest's own BRK where a debugger has breakpoints, and has no call that gives it back: whoever
/// took it does what the processor would have done.
public struct ExceptionEntry: Equatable, Sendable {
  /// PC: the vector's.
  public let counter: UInt64
  /// PSTATE, in SPSR's form.
  public let state: UInt64
  /// ELR_EL1: where the exception was taken.
  public let link: UInt64
  /// SPSR_EL1: PSTATE as it was.
  public let savedState: UInt64

  /// Takes an exception.
  ///
  /// - Parameters:
  ///   - counter: PC of the instruction.
  ///   - state: PSTATE in SPSR's form.
  ///   - control: SCTLR_EL1.
  ///   - vectors: VBAR_EL1.
  public init(counter: UInt64, state: UInt64, control: UInt64, vectors: UInt64) {
    link = counter
    savedState = state
    let mode = state & ProcessorState.mode
    let group: UInt64 =
      if mode & ProcessorState.is32Bit != 0 {
        0x600
      } else if mode == ProcessorState.el0 {
        0x400
      } else {
        mode & 1 == 1 ? 0x200 : 0
      }
    self.counter = vectors & ~0x7FF | group
    var entered = state & (ProcessorState.flags | ProcessorState.pan | ProcessorState.dit)
    // SCTLR_EL1.SPAN clear: PSTATE.PAN is set; SCTLR_EL1.DSSBS is what PSTATE.SSBS becomes.
    if control & 1 << 23 == 0 { entered |= ProcessorState.pan }
    if control & 1 << 44 != 0 { entered |= ProcessorState.ssbs }
    self.state = entered | ProcessorState.masks | ProcessorState.el1WithOwnStack
  }
}

/// PSTATE in the form of SPSR_ELx (Arm ARM, C5.2.18).
public enum ProcessorState {
  /// M: the exception level and the stack.
  public static let mode: UInt64 = 0x1F
  /// M[4]: AArch32.
  public static let is32Bit: UInt64 = 0x10
  /// EL0t.
  public static let el0: UInt64 = 0
  /// EL1h.
  public static let el1WithOwnStack: UInt64 = 5
  /// D, A, I and F.
  public static let masks: UInt64 = 0xF << 6
  /// I and F.
  public static let interruptMasks: UInt64 = 3 << 6
  /// SSBS: loads may pass stores that speculation has not settled.
  public static let ssbs: UInt64 = 1 << 12
  /// PAN: the kernel may not touch what programs may.
  public static let pan: UInt64 = 1 << 22
  /// DIT: instructions take the same time whatever they work on.
  public static let dit: UInt64 = 1 << 24
  /// N, Z, C and V.
  public static let flags: UInt64 = 0xF << 28

  /// Whether the stack pointer is SP_EL1: at EL1 with SPSel set.
  public static func usesStackOfEL1(_ state: UInt64) -> Bool { state & mode == el1WithOwnStack }
}
