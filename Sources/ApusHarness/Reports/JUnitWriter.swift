/// Writes a report as JUnit XML, as GitHub's, GitLab's and Jenkins' readers take it: a suite to each run, a case to
/// each test without subtests.
///
/// The parents of a test are its case's `classname`, joined by dots; nested suites are read by few. A parent that
/// failed although none of its subtests did is a case, too. What failed with the run itself (a panic, a timeout, a plan
/// that was not kept) is a case of its own, `(machine)` or `(report)`.
public enum JUnitWriter {
  /// How many bytes of a run's console stand in the report, the last ones.
  public static let maximumConsole = 64 << 10

  /// The text of the file, in UTF-8.
  ///
  /// - Parameter report: what to write.
  public static func write(_ report: TestReport) -> [UInt8] {
    let limit = report.failOn
    var suites: [UInt8] = []
    var sum = Counts()
    for run in report.runs {
      var writer = SuiteWriter(run, limit)
      writer.writeAll()
      suites += writer.suite
      sum += writer.counts
    }
    if !report.failures.isEmpty {
      var writer = SuiteWriter(TestRun(name: "report"), limit)
      for failure in report.failures { writer.write(fault: failure, name: "(report)", kind: "error", lines: []) }
      writer.end()
      suites += writer.suite
      sum += writer.counts
    }
    var result = Array("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites name=\"apus test\"".utf8)
    result += Array(" tests=\"\(sum.tests)\" failures=\"\(sum.failures)\" errors=\"\(sum.errors)\"".utf8)
    result += Array(" time=\"\(seconds(report.duration ?? 0))\">\n".utf8)
    return result + suites + Array("</testsuites>\n".utf8)
  }

  struct Counts {
    var tests = 0
    var failures = 0
    var errors = 0
    var skipped = 0

    static func += (sum: inout Counts, other: Counts) {
      sum.tests += other.tests
      sum.failures += other.failures
      sum.errors += other.errors
      sum.skipped += other.skipped
    }
  }

  /// Seconds with three digits behind the point.
  package static func seconds(_ nanoseconds: UInt64) -> String {
    let milliseconds = nanoseconds / 1_000_000
    let rest = String(milliseconds % 1000)
    return "\(milliseconds / 1000)." + String(repeating: "0", count: 3 - rest.utf8.count) + rest
  }

  /// A text as it may stand in an attribute or an element: what XML 1.0 has no way to write stands as U+FFFD.
  static func escaped(_ text: String, isAttribute: Bool) -> [UInt8] {
    var result: [UInt8] = []
    result.reserveCapacity(text.utf8.count)
    for scalar in text.unicodeScalars {
      switch scalar {
      case "&": result += "&amp;".utf8
      case "<": result += "&lt;".utf8
      // Behind two brackets it would be the end of a section that nobody began.
      case ">": result += "&gt;".utf8
      case "\"": result += (isAttribute ? "&quot;" : "\"").utf8
      case "\t", "\n", "\r":
        if isAttribute || scalar == "\r" {
          result += "&#\(scalar.value);".utf8
        } else {
          result.append(UInt8(scalar.value))
        }
      case "\u{0}"..<"\u{20}", "\u{7F}"..."\u{84}", "\u{86}"..."\u{9F}", "\u{FFFE}", "\u{FFFF}":
        result += "\u{FFFD}".utf8
      default: result += String(scalar).utf8
      }
    }
    return result
  }
}

/// One run's suite.
private struct SuiteWriter {
  private(set) var suite: [UInt8] = []
  private(set) var counts = JUnitWriter.Counts()

  private let run: TestRun
  private let limit: KernelLogLimit
  private var cases: [UInt8] = []

  init(_ run: TestRun, _ limit: KernelLogLimit) {
    self.run = run
    self.limit = limit
  }

  mutating func writeAll() {
    for result in run.results { write(result, parents: run.name) }
    for problem in run.problems where problem.isFailure {
      write(fault: problem.message, name: "(report)", kind: "failure", lines: [])
    }
    for finding in run.findings where limit.verdict(finding.kind) != nil {
      write(fault: finding.text, name: "(kernel: \(finding.kind.rawValue))", kind: "error", lines: finding.following)
    }
    if let end = run.end, end.status != 0 {
      write(fault: "\(end.name): \(end.message)", name: "(machine)", kind: "error", lines: [])
    }
    if run.totals.all == 0 { write(fault: "no test ran", name: "(report)", kind: "error", lines: []) }
    end()
  }

  mutating func end() {
    let failures = "failures=\"\(counts.failures)\" errors=\"\(counts.errors)\" skipped=\"\(counts.skipped)\""
    put("  <testsuite name=\"", run.name, isAttribute: true)
    suite += "\" tests=\"\(counts.tests)\" \(failures) time=\"\(JUnitWriter.seconds(run.duration ?? 0))\">\n".utf8
    suite += "    <properties>\n".utf8
    property("attempts", "\(run.attempts)")
    if let end = run.end { property("machine", end.name) }
    suite += "    </properties>\n".utf8
    suite += cases
    if !run.console.isEmpty {
      let console = run.console.joined(separator: "\n")
      suite += "    <system-out>".utf8
      let kept = String(decoding: console.utf8.suffix(JUnitWriter.maximumConsole), as: UTF8.self)
      suite += JUnitWriter.escaped(kept, isAttribute: false)
      suite += "</system-out>\n".utf8
    }
    suite += "  </testsuite>\n".utf8
  }

  private mutating func property(_ name: String, _ value: String) {
    put("      <property name=\"\(name)\" value=\"", value, isAttribute: true)
    suite += "\"/>\n".utf8
  }

  private mutating func put(_ markup: String, _ text: String, isAttribute: Bool) {
    suite += markup.utf8
    suite += JUnitWriter.escaped(text, isAttribute: isAttribute)
  }

  mutating func write(fault message: String, name: String, kind: String, lines: [String]) {
    counts.tests += 1
    if kind == "error" { counts.errors += 1 } else { counts.failures += 1 }
    begin(name, parents: run.name, duration: nil)
    element(kind, type: kind, message: message, lines: lines)
    cases += "    </testcase>\n".utf8
  }

  private mutating func begin(_ name: String, parents: String, duration: UInt64?) {
    cases += "    <testcase classname=\"".utf8
    cases += JUnitWriter.escaped(parents, isAttribute: true)
    cases += "\" name=\"".utf8
    cases += JUnitWriter.escaped(name, isAttribute: true)
    cases += "\" time=\"\(JUnitWriter.seconds(duration ?? 0))\"".utf8
    cases += ">\n".utf8
  }

  private mutating func element(_ name: String, type: String, message: String, lines: [String]) {
    cases += "      <\(name) type=\"\(type)\" message=\"".utf8
    cases += JUnitWriter.escaped(message, isAttribute: true)
    cases += "\">".utf8
    cases += JUnitWriter.escaped(lines.joined(separator: "\n"), isAttribute: false)
    cases += "</\(name)>\n".utf8
  }

  /// Writes a test, or its subtests.
  private mutating func write(_ result: TestResult, parents: String) {
    let inner = parents + "." + result.name
    for subtest in result.subtests { write(subtest, parents: inner) }
    let isOwn = result.outcome.isFailure && !result.subtests.contains { $0.outcome.isFailure }
    guard result.subtests.isEmpty || isOwn else { return }
    counts.tests += 1
    begin(result.name, parents: parents, duration: result.duration)
    let text = result.text ?? ""
    switch result.outcome {
    case .passed: break
    case .skipped, .expectedFailure:
      counts.skipped += 1
      element("skipped", type: result.outcome.rawValue, message: text, lines: result.diagnostics)
    case .failed:
      counts.failures += 1
      element("failure", type: "failed", message: text.isEmpty ? "failed" : text, lines: result.diagnostics)
    case .timedOut, .error, .missing:
      counts.errors += 1
      let message = text.isEmpty ? result.outcome.rawValue : text
      element("error", type: result.outcome.rawValue, message: message, lines: result.diagnostics)
    }
    cases += "    </testcase>\n".utf8
  }
}
