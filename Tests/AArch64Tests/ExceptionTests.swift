import AArch64
import Testing

@Suite struct ExceptionEntryTests {
  @Test(
    arguments: [
      // From EL1h, EL1t, EL0t and AArch32.
      (0x5, 0x200), (0x4, 0x0), (0x0, 0x400), (0x10, 0x600),
    ] as [(UInt64, UInt64)]
  )
  func theVectorIsThatOfWhereItWasTaken(mode: UInt64, offset: UInt64) {
    let entry = ExceptionEntry(counter: 0x1234, state: mode, control: 0, vectors: 0xFFFF_8000_0001_0800)

    #expect(entry.counter == 0xFFFF_8000_0001_0800 + offset)
    #expect(entry.link == 0x1234 && entry.savedState == mode)
  }

  @Test func allExceptionsAreMaskedAndTheFlagsStay() {
    let state = ProcessorState.flags | 1 << 20 | 1 << 21

    let entry = ExceptionEntry(counter: 0, state: state, control: 1 << 23 | 1 << 44, vectors: 0)
    let withPAN = ExceptionEntry(counter: 0, state: 0, control: 0, vectors: 0)

    #expect(entry.state == ProcessorState.flags | ProcessorState.masks | ProcessorState.ssbs | 5)
    #expect(withPAN.state == ProcessorState.masks | ProcessorState.pan | 5)
  }
}

@Suite struct MaskedStepTests {
  private let nop: UInt32 = 0xD503_201F

  @Test func interruptsAreMaskedForTheStepAndAsBeforeAfterIt() throws {
    let step = try #require(MaskedStep(counter: 0x1000, state: 0x8000_0005, instruction: nop))

    let after = step.finish(counter: 0x1004, state: 0x4000_00C5, link: 0x77, savedState: 0x3C5, vectors: 0x8000)

    #expect(step.state == 0x8000_00C5)
    #expect(after == .init(state: 0x4000_0005, savedState: 0x3C5))
  }

  @Test func interruptsThatWereMaskedStayMasked() throws {
    let step = try #require(MaskedStep(counter: 0x1000, state: 0x85, instruction: nop))

    let after = step.finish(counter: 0x1004, state: 0xC5, link: 0, savedState: 0, vectors: 0x8000)

    #expect(after.state == 0x85)
  }

  @Test(arguments: [0x1000, 0x1004] as [UInt64])
  func anExceptionThatTheInstructionTakesSavesTheStateAsItWas(link: UInt64) throws {
    let step = try #require(MaskedStep(counter: 0x1000, state: 0x0, instruction: 0xD400_0001))

    let after = step.finish(counter: 0x8400, state: 0x3C5, link: link, savedState: 0xC0, vectors: 0x8000)

    #expect(after == .init(state: 0x3C5, savedState: 0))
  }

  @Test(
    arguments: [
      // MSR DAIFSet, #2; MSR DAIFClr, #2; MRS X0, DAIF; MSR DAIF, X0; MSR SPSR_EL1, X0; ERET; ERETAA; ERETAB.
      0xD503_42DF, 0xD503_42FF, 0xD53B_4220, 0xD51B_4220, 0xD518_4000, 0xD69F_03E0, 0xD69F_0BFF, 0xD69F_0FFF,
    ] as [UInt32]
  )
  func instructionsThatTheMasksMatterToAreSteppedAsTheyAre(instruction: UInt32) {
    #expect(MaskedStep(counter: 0, state: 5, instruction: instruction) == nil)
  }

  @Test func whatCannotBeReadAndAArch32AreSteppedAsTheyAre() {
    #expect(MaskedStep(counter: 0, state: 5, instruction: nil) == nil)
    #expect(MaskedStep(counter: 0, state: 0x10, instruction: nop) == nil)
  }
}
