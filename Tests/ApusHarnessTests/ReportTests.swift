import ApusHarness
import PositionedJSON
import Testing

/// A report with all that one can have.
func fullReport() throws -> TestReport {
  let odd = "a<b>&\"'\u{1B}[1m ]]> \u{0}\u{FFFE} # \\ é 😀"
  let results = [
    TestResult(
      name: "suite",
      number: 1,
      outcome: .failed,
      duration: 1_234_567_890,
      subtests: [
        TestResult(name: "passes", number: 1, outcome: .passed, duration: 1),
        TestResult(name: odd, number: 2, outcome: .failed, text: odd, diagnostics: [odd, "second"]),
        TestResult(name: "skips", number: 3, outcome: .skipped, text: "why"),
      ]
    ),
    TestResult(name: "expected", outcome: .expectedFailure, text: "known"),
    TestResult(name: "slow", outcome: .timedOut), TestResult(name: "broken", outcome: .error),
    TestResult(name: "5 more tests", outcome: .missing, text: "never reported", count: 5),
  ]
  let run = TestRun(
    name: "cpus=4,gic=3",
    end: MachineEnd(name: "panicked", status: 81, message: "the guest has panicked"),
    duration: 12_000_000,
    attempts: 2,
    results: results,
    problems: [TAPProblem(.bailOut, line: 7, message: "Bail out!", isFailure: true)],
    findings: [KernelLogFinding(.panic, line: 9, text: "Kernel panic - not syncing: x", following: ["y"])],
    console: [odd, "last"]
  )
  let record = ShardRecord(
    shard: try Shard(2, of: 3),
    fingerprint: "0123456789abcdef",
    items: ["cpus=4,gic=3"],
    total: 5
  )
  return TestReport(runs: [run, TestRun(name: "empty")], shard: record, duration: 5, failOn: .oops, failures: ["x"])
}

@Suite struct ReportTests {
  private func text(_ bytes: [UInt8]) -> String { String(decoding: bytes, as: UTF8.self) }

  @Test func whatIsWrittenAsJSONIsReadAsItWas() throws {
    #expect(try JSONReader.read(JSONWriter.write(fullReport())) == fullReport())
  }

  @Test(arguments: [
    "", "{}", "[]", #"{"apusTestReport": 2}"#, #"{"apusTestReport": 1, "runs": 3}"#,
    #"{"apusTestReport": 1, "runs": [{}]}"#, #"{"apusTestReport": 1, "failOn": "x"}"#,
    #"{"apusTestReport": 1, "runs": [{"name": "a", "results": [{"name": "b", "outcome": "fine"}]}]}"#,
    #"{"apusTestReport": 1, "shard": {"index": 3, "count": 2, "fingerprint": "", "total": 0}}"#,
    #"{"apusTestReport": 1, "runs": [{"name": "a", "end": {"name": "x", "status": 999, "message": ""}}]}"#,
    #"{"apusTestReport": 1, "runs": [{"name": "a", "results": [{"name": "b", "outcome": "failed", "count": -1}]}]}"#,
  ])
  func whatIsNoReportIsRefusedWithItsPlace(text: String) {
    #expect(throws: JSONError.self) { try JSONReader.read(Array(text.utf8)) }
  }

  @Test func jUnitHasACaseToEachTestAndFault() throws {
    let text = text(JUnitWriter.write(try fullReport()))

    #expect(
      text.contains(#"<testsuite name="cpus=4,gic=3" tests="10" failures="2" errors="5" skipped="2" time="0.012">"#)
    )
    #expect(text.contains(#"<testcase classname="cpus=4,gic=3.suite" name="passes" time="0.000">"#))
    #expect(text.contains("a&lt;b&gt;&amp;\"'\u{FFFD}[1m ]]&gt; \u{FFFD}\u{FFFD}"))
    #expect(!text.contains("]]>"))
    #expect(text.contains(#"<testcase classname="empty" name="(report)""#))
  }

  @Test func whatIsWrittenAsTAPIsReadAsItWas() throws {
    var reader = TAPReader()

    reader.read(TAPWriter.write(try fullReport()))
    let output = reader.finish()

    #expect(output.results.map(\.name) == ["cpus=4,gic=3", "empty", "x"])
    #expect(output.results[0].subtests[0].subtests.map(\.outcome) == [.passed, .failed, .skipped])
    #expect(TestTotals(output.results)[.missing] == 4)
  }

  @Test func theSummaryShowsWhatFailedWithItsLastLines() throws {
    let lines = TextSummary.lines(try fullReport())

    #expect(lines[0].hasPrefix("FAIL cpus=4,gic=3: the kernel panicked, 1 passed, 1 failed, 1 skipped"))
    #expect(lines.contains("     panic: Kernel panic - not syncing: x"))
    #expect(lines.filter { $0.contains("panicked") }.count == 2)
    #expect(lines.contains("     missing: 5 more tests"))
    #expect(lines.contains("     no line with 'KTAP version' or 'TAP version' came, with which tests begin"))
    #expect(
      lines.last
        == "the kernel panicked: 1 passed, 1 failed, 1 skipped, 1 expected-failure, 1 timed-out, 1 error, 5 missing in 2 runs, 0.000 s"
    )
  }

  @Test func aTestThatWasBrokenOffIsToldOnceWithTheConsole() {
    let test = TestResult(
      name: "a.sh",
      outcome: .timedOut,
      text: "the test did not end within 5 s",
      subtests: [TestResult(name: "one", outcome: .passed), TestResult(name: "test 2", outcome: .missing, text: "x")]
    )
    let end = MachineEnd(name: "timed-out", status: 124, message: "the time was over, 5 s")
    let run = TestRun(name: "cpus=1/a.sh", end: end, results: [test], console: ["last"])

    let lines = TextSummary.lines(TestReport(runs: [run]))

    #expect(
      lines == [
        "FAIL cpus=1/a.sh: timed out, 1 passed, 1 missing", "     missing: test 2",
        "     timed-out: the test did not end within 5 s", "       | last", "timed out: 1 passed, 1 missing in 1 run",
      ]
    )
  }

  @Test(
    arguments: [
      (65, "an input cannot be used"), (71, "the host failed"), (80, "the guest ended before its tests were done"),
      (82, "guest fault"), (124, "timed out"), (130, "ended by signal 2"), (7, "the guest ended with status 7"),
    ] as [(Int32, String)]
  )
  func anEndIsToldInWords(status: Int32, words: String) {
    #expect(Verdict.machineEnded(status: status).text == words)
  }
}
