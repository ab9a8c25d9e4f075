import ApusHarness
import Testing

@Suite struct VerdictTests {
  private let pass = TestResult(name: "a", outcome: .passed)
  private let skip = TestResult(name: "b", outcome: .skipped)
  private let fail = TestResult(name: "c", outcome: .missing)
  private let off = MachineEnd(name: "powered-off", status: 0, message: "the guest has powered off")
  private let panicked = MachineEnd(name: "panicked", status: 81, message: "the guest has panicked")

  private func status(_ runs: TestRun..., failOn: KernelLogLimit = .panic) -> Int32 {
    TestReport(runs: runs, failOn: failOn).verdict.exitStatus
  }

  @Test func testsThatRanAndDidNotFailPass() {
    #expect(status(TestRun(name: "r", end: off, results: [pass, skip])) == 0)
  }

  @Test func aTestThatNeverReportedFails() {
    #expect(status(TestRun(name: "r", end: off, results: [pass, fail])) == 1)
  }

  @Test func nothingOrOnlySkippedTestsIsNoPass() {
    #expect(status(TestRun(name: "r", end: off)) == 2)
    #expect(status(TestRun(name: "r", end: off, results: [skip])) == 2)
    #expect(status(TestRun(name: "r", results: [pass]), TestRun(name: "s", results: [skip])) == 0)
    #expect(status(TestRun(name: "r", results: [pass]), TestRun(name: "s")) == 2)
    #expect(TestReport().verdict == .nothingRan)
  }

  @Test func aPanicIsNeverAPass() {
    let finding = KernelLogFinding(.panic, line: 1, text: "Kernel panic - not syncing: x")

    #expect(status(TestRun(name: "r", end: panicked, results: [pass])) == 81)
    #expect(status(TestRun(name: "r", end: off, results: [pass], findings: [finding])) == 81)
  }

  @Test func anOopsAndAWarningFailWhereAsked() {
    let oops = TestRun(name: "r", results: [pass], findings: [KernelLogFinding(.kasan, line: 1, text: "x")])
    let warning = TestRun(name: "r", results: [pass], findings: [KernelLogFinding(.warning, line: 1, text: "x")])

    #expect([status(oops), status(oops, failOn: .oops), status(oops, failOn: .warn)] == [0, 83, 83])
    #expect([status(warning), status(warning, failOn: .oops), status(warning, failOn: .warn)] == [0, 0, 84])
  }

  @Test func theWorstOfSeveralRunsIsTold() {
    let late = TestRun(name: "t", end: MachineEnd(name: "timed-out", status: 124, message: "x"), results: [pass])
    let host = TestRun(name: "h", end: MachineEnd(name: "host-failure", status: 71, message: "x"))
    let failed = TestRun(name: "f", end: off, results: [fail])

    #expect(status(failed, late) == 124)
    #expect(status(late, TestRun(name: "p", end: panicked)) == 81)
    #expect(status(late, host, TestRun(name: "p", end: panicked)) == 71)
  }

  @Test func aPartToWhichNoRunFellHasPassed() throws {
    let plan = try ShardPlan(["a"], count: 2)

    #expect(TestReport(shard: plan[try Shard(2, of: 2)]).verdict == .passed)
    #expect(TestReport(shard: plan[try Shard(1, of: 2)]).verdict == .nothingRan)
  }
}
