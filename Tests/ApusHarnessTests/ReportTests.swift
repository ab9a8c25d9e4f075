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

    #expect(lines[0].hasPrefix("FAIL cpus=4,gic=3: 1 passed, 1 failed, 1 skipped"))
    #expect(lines.contains("     panic: Kernel panic - not syncing: x"))
    #expect(lines.contains("     machine: panicked: the guest has panicked"))
    #expect(
      lines.last
        == "the kernel panicked: 1 passed, 1 failed, 1 skipped, 1 expected-failure, 1 timed-out, 1 error, 5 missing in 2 runs"
    )
  }
}
