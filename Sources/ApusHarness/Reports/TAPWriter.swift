/// Writes a report as TAP 14: a test to each run, whose subtests are its tests.
public enum TAPWriter {
  /// The text of the file, in UTF-8.
  ///
  /// - Parameter report: what to write.
  public static func write(_ report: TestReport) -> [UInt8] {
    let limit = report.failOn
    var text: [UInt8] = Array("TAP version 14\n1..\(report.runs.count + report.failures.count)\n".utf8)
    for (number, run) in report.runs.enumerated() {
      let verdict = run.verdict(failOn: limit)
      let isSkipped = verdict == .passed && run.totals.ran == 0
      text += "# Subtest: \(escaped(run.name))\n".utf8
      put(run.results, indent: 4, into: &text)
      for problem in run.problems where problem.isFailure { comment(problem.description, indent: 0, into: &text) }
      for finding in run.findings where limit.verdict(finding.kind) != nil {
        comment(finding.text, indent: 0, into: &text)
      }
      let isOK = verdict == .passed
      text += "\(isOK ? "ok" : "not ok") \(number + 1) - \(escaped(run.name))\(isSkipped ? " # SKIP" : "")\n".utf8
      if !isOK { block(["verdict: \(verdict.text)"], indent: 2, into: &text) }
    }
    for (number, failure) in report.failures.enumerated() {
      text += "not ok \(report.runs.count + number + 1) - \(escaped(failure))\n".utf8
    }
    return text
  }

  private static func put(_ results: [TestResult], indent: Int, into text: inout [UInt8]) {
    let space = String(repeating: " ", count: indent)
    let count = results.reduce(0) { $0 + $1.count }
    text += "\(space)1..\(count)\(count == 0 ? " # SKIP no tests" : "")\n".utf8
    var number = 0
    for result in results {
      number += 1
      if !result.subtests.isEmpty {
        text += "\(space)# Subtest: \(escaped(result.name))\n".utf8
        put(result.subtests, indent: indent + 4, into: &text)
      }
      // Of a row of tests that never reported one line stands for all, and the plan says how many there are.
      text += "\(space)\(line(result, number))\n".utf8
      number += result.count - 1
      if !result.diagnostics.isEmpty {
        block(["log: |"] + result.diagnostics.map { "  " + $0 }, indent: indent + 2, into: &text)
      }
    }
  }

  private static func line(_ result: TestResult, _ number: Int) -> String {
    let name = escaped(result.name)
    let why = result.text.map { " " + escaped($0) } ?? ""
    switch result.outcome {
    case .passed: return "ok \(number) - \(name)"
    case .skipped: return "ok \(number) - \(name) # SKIP\(why)"
    case .expectedFailure: return "not ok \(number) - \(name) # TODO\(why)"
    case .failed, .timedOut, .error, .missing:
      let kind = result.outcome == .failed ? "" : " (\(result.outcome.rawValue))"
      return "not ok \(number) - \(name)\(kind)"
    }
  }

  private static func comment(_ words: String, indent: Int, into text: inout [UInt8]) {
    text += (String(repeating: " ", count: indent) + "# " + plain(words) + "\n").utf8
  }

  private static func block(_ lines: [String], indent: Int, into text: inout [UInt8]) {
    let space = String(repeating: " ", count: indent)
    for line in ["---"] + lines + ["..."] { text += (space + plain(line) + "\n").utf8 }
  }

  /// A description: `#` and `\` stand behind a `\`.
  private static func escaped(_ name: String) -> String {
    var result = String.UnicodeScalarView()
    for scalar in plain(name).unicodeScalars {
      if scalar == "#" || scalar == "\\" { result.append("\\") }
      result.append(scalar)
    }
    return String(result)
  }

  /// In one line, without control characters.
  private static func plain(_ text: String) -> String {
    var result = String.UnicodeScalarView()
    for scalar in text.unicodeScalars {
      result.append(scalar.value < 0x20 && scalar != "\t" || (0x7F..<0xA0).contains(scalar.value) ? "\u{FFFD}" : scalar)
    }
    return String(result)
  }
}
