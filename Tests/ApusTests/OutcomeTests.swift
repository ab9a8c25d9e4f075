import Testing

@testable import Apus

private let fault = GuestFault(
  reason: "reads 4 bytes at 0x10",
  cpu: 3,
  registers: [
    .init(name: "PC", value: 0x4008_0000), .init(name: "SP_EL1", value: 0), .init(name: "ESR", value: .max),
    .init(name: "FAR", value: nil), .init(name: "X0", value: 0xAB),
  ]
)

/// Every end with the status and the name that scripts rely on.
private let ends: [(end: Outcome.End, status: Int32, name: String)] = [
  (.poweredOff, 0, "powered-off"), (.stopped, 0, "stopped"), (.badInput, 65, "bad-input"),
  (.inputNotFound, 66, "input-not-found"), (.hostFailure, 71, "host-failure"), (.cannotCreate, 73, "cannot-create"),
  (.reset, 80, "reset"), (.panicked, 81, "panicked"), (.guestFault(fault), 82, "guest-fault"),
  (.timedOut, 124, "timed-out"), (.interrupted(signal: 1), 129, "interrupted"),
]

@Suite struct OutcomeTests {
  @Test(arguments: ends.indices)
  func everyEndHasItsDocumentedStatusAndName(index: Int) {
    #expect(ends[index].end.exitStatus == ends[index].status)
    #expect(ends[index].end.name == ends[index].name)
  }

  @Test(arguments: [(1, 129), (2, 130), (15, 143)] as [(Int32, Int32)])
  func aSignalIsToldAsAShellTellsIt(signal: Int32, status: Int32) {
    #expect(Outcome.End.interrupted(signal: signal).exitStatus == status)
  }

  @Test func noTwoFailuresShareAStatus() {
    let failures = ends.filter { $0.status != 0 }.map(\.status)

    #expect(Set(failures).count == failures.count)
    #expect(Set(ends.map(\.name)).count == ends.count)
    // 64 is bad usage; 1 and 2, 126 and 127 mean other things to shells.
    #expect(Set(failures).isDisjoint(with: [1, 2, 64, 125, 126, 127, 128]))
  }

  @Test func mistakesOfAConfigurationHaveTheStatusOfTheSameOutcome() {
    #expect(ConfigurationError.Kind.usage.rawValue == 64)
    #expect(ConfigurationError.Kind.badInput.rawValue == Outcome.End.badInput.exitStatus)
    #expect(ConfigurationError.Kind.inputNotFound.rawValue == Outcome.End.inputNotFound.exitStatus)
    #expect(ConfigurationError.Kind.hostFailure.rawValue == Outcome.End.hostFailure.exitStatus)
    #expect(ConfigurationError.Kind.cannotCreate.rawValue == Outcome.End.cannotCreate.exitStatus)
  }

  @Test func aFaultIsShownWithFourRegistersInARow() {
    #expect(
      fault.lines == [
        "vCPU 3 reads 4 bytes at 0x10",
        "    PC 0000000040080000 SP_EL1 0000000000000000    ESR ffffffffffffffff    FAR        (not set)",
        "    X0 00000000000000ab",
      ]
    )
  }

  @Test func aFaultWithoutRegistersIsShownInOneLine() {
    #expect(GuestFault(reason: "stops", cpu: 0, registers: []).lines == ["vCPU 0 stops"])
  }

  @Test func aGuestThatPowersOffHasItsOwnStatusAndNoOtherEndHas() {
    var off = Outcome(.poweredOff, "")
    var panicked = Outcome(.panicked, "")
    #expect(off.exitStatus == 0)

    off.guestStatus = 82
    panicked.guestStatus = 0

    #expect(off.exitStatus == 82)
    #expect(panicked.exitStatus == 81)
  }
}
