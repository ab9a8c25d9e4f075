/// A report for a person: what failed with its last words, then a line of totals.
public enum TextSummary {
  /// How many failed tests are shown; more are counted.
  public static let maximumFailures = 50
  /// How many lines of diagnostics are shown of each.
  public static let maximumLines = 12

  /// The lines of the summary.
  ///
  /// - Parameter report: what to tell.
  public static func lines(_ report: TestReport) -> [String] {
    var lines: [String] = []
    var omitted = 0
    var shown = 0
    for run in report.runs {
      let verdict = run.verdict(failOn: report.failOn)
      let again = run.attempts > 1 ? ", at attempt \(run.attempts)" : ""
      let time = run.duration.map { ", \(JUnitWriter.seconds($0)) s" } ?? ""
      let mark = verdict == .passed ? run.totals.ran == 0 ? "skip" : "ok  " : "FAIL"
      lines.append("\(mark) \(run.name): \(text(run.totals))\(time)\(again)")
      if verdict == .passed { continue }
      for failure in failures(run.results, parents: []) {
        guard shown < maximumFailures else {
          omitted += 1
          continue
        }
        shown += 1
        lines.append("     \(failure.result.outcome.rawValue): \(failure.path.joined(separator: " > "))")
        lines += failure.result.diagnostics.suffix(maximumLines).map { "       | \($0)" }
      }
      lines += run.problems.filter(\.isFailure).prefix(10).map { "     \($0)" }
      for finding in run.findings where limitTells(report.failOn, finding.kind) {
        lines.append("     \(finding.kind.rawValue): \(finding.text)")
        lines += finding.following.prefix(maximumLines).map { "       | \($0)" }
      }
      if let end = run.end, end.status != 0 {
        lines.append("     machine: \(end.name): \(end.message)")
        lines += run.console.suffix(maximumLines).map { "       | \($0)" }
      }
      if run.totals.all == 0 { lines.append("     no test ran") }
    }
    if omitted > 0 { lines.append("     \(omitted) more failures are not shown") }
    lines += report.failures.map { "FAIL \($0)" }
    let runs = "\(report.runs.count) \(report.runs.count == 1 ? "run" : "runs")"
    lines.append("\(report.verdict.text): \(text(report.totals)) in \(runs)")
    return lines
  }

  private static func limitTells(_ limit: KernelLogLimit, _ kind: KernelLogFinding.Kind) -> Bool {
    limit.verdict(kind) != nil
  }

  private static func text(_ totals: TestTotals) -> String {
    let parts = TestOutcome.allCases.filter { totals[$0] > 0 }.map { "\(totals[$0]) \($0.rawValue)" }
    return parts.isEmpty ? "no tests" : parts.joined(separator: ", ")
  }

  private static func failures(
    _ results: [TestResult],
    parents: [String]
  ) -> [(path: [String], result: TestResult)] {
    var found: [(path: [String], result: TestResult)] = []
    for result in results {
      let path = parents + [result.name]
      let inner = failures(result.subtests, parents: path)
      found += inner
      if result.outcome.isFailure, inner.isEmpty { found.append((path, result)) }
    }
    return found
  }
}
