/// A report for a person: what failed with its last words, then a line of totals.
public enum TextSummary {
  /// How many failed tests are shown; more are counted.
  public static let maximumFailures = 50
  /// How many lines of diagnostics are shown of each.
  public static let maximumLines = 12

  /// A line, and what it tells.
  public struct Line: Sendable, Equatable {
    /// What kind of line it is.
    public let mark: Mark
    /// The line; what a guest said stands in it as it said it.
    public let text: String
  }

  /// Kinds of lines.
  public enum Mark: Sendable {
    /// Something passed.
    case good
    /// Something did not.
    case bad
    /// Nothing ran.
    case skipped
    /// More about the line above.
    case detail
    /// What a test or a kernel wrote.
    case quoted
  }

  /// The lines of the summary.
  ///
  /// - Parameter report: what to tell.
  public static func lines(_ report: TestReport) -> [String] { markedLines(report).map(\.text) }

  /// The lines of the summary with what each tells.
  ///
  /// - Parameter report: what to tell.
  public static func markedLines(_ report: TestReport) -> [Line] {
    var page = Page(failOn: report.failOn)
    for run in report.runs { page.add(run) }
    if page.omitted > 0 { page.add(.detail, "\(page.omitted) more failures are not shown") }
    page.lines += report.failures.map { Line(mark: .bad, text: "FAIL \($0)") }
    let runs = "\(report.runs.count) \(report.runs.count == 1 ? "run" : "runs")"
    let verdict = report.verdict
    let mark: Mark = verdict == .passed ? .good : verdict == .nothingRan ? .skipped : .bad
    let text = "\(verdict.text): \(text(report.totals)) in \(runs)\(time(report.duration))"
    return page.lines + [Line(mark: mark, text: text)]
  }

  private static func text(_ totals: TestTotals) -> String {
    let parts = TestOutcome.allCases.filter { totals[$0] > 0 }.map { "\(totals[$0]) \($0.rawValue)" }
    return parts.isEmpty ? "no tests" : parts.joined(separator: ", ")
  }

  private static func time(_ duration: UInt64?) -> String {
    duration.map { ", \(JUnitWriter.seconds($0)) s" } ?? ""
  }

  private struct Page {
    let failOn: KernelLogLimit
    var lines: [Line] = []
    var shown = 0
    var omitted = 0

    init(failOn: KernelLogLimit) {
      self.failOn = failOn
    }

    mutating func add(_ mark: Mark, _ text: String) {
      lines.append(Line(mark: mark, text: "     \(text)"))
    }

    mutating func quote(_ quoted: some Sequence<String>) {
      lines += quoted.map { Line(mark: .quoted, text: "       | \($0)") }
    }

    mutating func add(_ run: TestRun) {
      let verdict = run.verdict(failOn: failOn)
      let isSkipped = verdict == .passed && run.totals.ran == 0
      let mark: (Mark, String) = verdict != .passed ? (.bad, "FAIL") : isSkipped ? (.skipped, "skip") : (.good, "ok  ")
      // That a test failed is what the numbers say.
      let why = verdict == .passed || verdict == .failed ? "" : "\(verdict.text), "
      let again = run.attempts > 1 ? ", at attempt \(run.attempts)" : ""
      let totals = verdict == .nothingRan ? "no tests" : text(run.totals)
      let whole = "\(mark.1) \(run.name): \(why)\(totals)\(time(run.duration))\(again)"
      lines.append(Line(mark: mark.0, text: whole))
      if verdict == .passed { return }
      for failure in failures(run.results, parents: []) { add(failure.result, failure.path, of: run) }
      for problem in run.problems.filter(\.isFailure).prefix(10) { add(.detail, "\(problem)") }
      var hasPanic = false
      for finding in run.findings where failOn.verdict(finding.kind) != nil {
        hasPanic = hasPanic || finding.kind == .panic
        add(.detail, "\(finding.kind.rawValue): \(finding.text)")
        quote(finding.following.prefix(maximumLines))
      }
      if let end = run.end, end.status != 0, !hasPanic {
        // A test that was broken off has told why.
        if !run.results.contains(where: wasBrokenOff) { add(.detail, "machine: \(end.name): \(end.message)") }
        quote(run.console.suffix(maximumLines))
      }
      if run.totals.all == 0, run.end?.status ?? 0 == 0, !hasPanic {
        add(.detail, "no line with 'KTAP version' or 'TAP version' came, with which tests begin")
      }
    }

    private mutating func add(_ result: TestResult, _ path: [String], of run: TestRun) {
      guard shown < maximumFailures else {
        omitted += 1
        return
      }
      shown += 1
      // A program's run has its name, perhaps behind its machine's.
      let isRun = path.first.map { run.name == $0 || run.name.hasSuffix("/\($0)") } ?? false
      let names = isRun ? Array(path.dropFirst()) : path
      // That it never reported is what the outcome says.
      let text = result.outcome == .missing ? "" : result.text ?? ""
      let parts = [result.outcome.rawValue, names.joined(separator: " > "), text]
      add(.detail, parts.filter { !$0.isEmpty }.joined(separator: ": "))
      quote(result.diagnostics.suffix(maximumLines))
    }

    /// The tests that failed by themselves: without subtests that did, or with more to tell than that.
    private func failures(
      _ results: [TestResult],
      parents: [String]
    ) -> [(path: [String], result: TestResult)] {
      var found: [(path: [String], result: TestResult)] = []
      for result in results {
        let path = parents + [result.name]
        let inner = failures(result.subtests, parents: path)
        found += inner
        if result.outcome.isFailure, inner.isEmpty || wasBrokenOff(result) { found.append((path, result)) }
      }
      return found
    }

    /// Whether a test did not come to its end, and somebody said why.
    private func wasBrokenOff(_ result: TestResult) -> Bool {
      (result.outcome == .error || result.outcome == .timedOut) && result.text != nil
    }
  }
}
