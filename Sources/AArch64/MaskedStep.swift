/// A single step of a guest that takes no interrupt meanwhile.
///
/// Devices go on while a debugger has a machine stopped, and a step takes as long as a thousand instructions: often an
/// interrupt is waiting. The step would end in its vector, and a person would not get through a function. So they are
/// masked for the step, and what shows of it is put right afterwards. Instructions that look at the masks or change
/// them are stepped as they are.
public struct MaskedStep: Equatable, Sendable {
  /// PSTATE to step with.
  public let state: UInt64
  /// I and F as they were.
  private let masks: UInt64
  /// PC before the step.
  private let counter: UInt64

  /// Prepares a step.
  ///
  /// - Parameters:
  ///   - counter: PC.
  ///   - state: PSTATE in SPSR's form.
  ///   - instruction: at PC; nil where it cannot be read.
  /// - Returns: nil where the step is to be taken as it is.
  public init?(counter: UInt64, state: UInt64, instruction: UInt32?) {
    guard let instruction, state & ProcessorState.is32Bit == 0, !Self.dependsOnMasks(instruction) else { return nil }
    self.counter = counter
    masks = state & ProcessorState.interruptMasks
    self.state = state | ProcessorState.interruptMasks
  }

  /// The registers after the step, put right.
  public struct Result: Equatable, Sendable {
    /// PSTATE.
    public var state: UInt64
    /// SPSR_EL1.
    public var savedState: UInt64

    /// Names the two registers.
    public init(state: UInt64, savedState: UInt64) {
      self.state = state
      self.savedState = savedState
    }
  }

  /// Takes the masks back: out of PSTATE or, where the instruction took an exception, out of what that has saved.
  ///
  /// - Parameters:
  ///   - newCounter: PC after the step.
  ///   - state: PSTATE.
  ///   - link: ELR_EL1.
  ///   - savedState: SPSR_EL1.
  ///   - vectors: VBAR_EL1.
  public func finish(
    counter newCounter: UInt64,
    state: UInt64,
    link: UInt64,
    savedState: UInt64,
    vectors: UInt64
  ) -> Result {
    let base = vectors & ~0x7FF
    // A synchronous exception's entry, which has kept the address of this instruction (SVC: of the next one).
    let isException =
      newCounter >= base && newCounter - base < 0x800 && (newCounter - base) & 0x1FF == 0
      && (link == counter || link == counter &+ 4)
    if isException {
      return Result(state: state, savedState: savedState & ~ProcessorState.interruptMasks | masks)
    }
    return Result(state: state & ~ProcessorState.interruptMasks | masks, savedState: savedState)
  }

  /// Whether an instruction reads or writes PSTATE's masks, or takes PSTATE from elsewhere.
  private static func dependsOnMasks(_ instruction: UInt32) -> Bool {
    // MSR (immediate), C6.2.233: DAIFSet and DAIFClr among others.
    if instruction & 0xFFF8_F01F == 0xD500_401F { return true }
    // MRS and MSR of registers with CRn 4, C6.2.229 and C6.2.234: DAIF among others.
    if instruction & 0xFFD0_F000 == 0xD510_4000 { return true }
    // ERET, ERETAA and ERETAB, C6.2.107.
    if instruction == 0xD69F_03E0 || instruction & 0xFFFF_FBFF == 0xD69F_0BFF { return true }
    return false
  }
}
