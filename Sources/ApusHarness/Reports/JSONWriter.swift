/// Writes a report as JSON, which ``JSONReader`` reads: Documentation/TestReport.schema.json describes it.
public enum JSONWriter {
  /// The version of the form: a reader refuses one that it does not know.
  public static let version = 1

  /// The text of the file, in UTF-8.
  ///
  /// - Parameter report: what to write.
  public static func write(_ report: TestReport) -> [UInt8] {
    var text = JSONText()
    text.object { text in
      text.member("apusTestReport", version)
      text.member("status", Int(report.verdict.exitStatus))
      text.member("verdict", report.verdict.text)
      text.member("failOn", report.failOn.rawValue)
      if let duration = report.duration { text.member("duration", duration) }
      text.member("totals") { write(report.totals, &$0) }
      if let shard = report.shard { text.member("shard") { write(shard, &$0) } }
      if !report.failures.isEmpty { text.member("failures", report.failures) }
      text.member("runs") { text in text.array(report.runs) { write($0, &$1) } }
    }
    return text.bytes + [0x0A]
  }

  private static func write(_ totals: TestTotals, _ text: inout JSONText) {
    text.object { text in
      for outcome in TestOutcome.allCases { text.member(outcome.rawValue, totals[outcome]) }
    }
  }

  private static func write(_ record: ShardRecord, _ text: inout JSONText) {
    text.object { text in
      text.member("index", record.shard.index)
      text.member("count", record.shard.count)
      text.member("fingerprint", record.fingerprint)
      text.member("total", record.total)
      text.member("items", record.items)
    }
  }

  private static func write(_ run: TestRun, _ text: inout JSONText) {
    text.object { text in
      text.member("name", run.name)
      if let end = run.end {
        text.member("end") { text in
          text.object { text in
            text.member("name", end.name)
            text.member("status", Int(end.status))
            text.member("message", end.message)
          }
        }
      }
      if let duration = run.duration { text.member("duration", duration) }
      text.member("attempts", run.attempts)
      text.member("results") { text in text.array(run.results) { write($0, &$1) } }
      if !run.problems.isEmpty { text.member("problems") { text in text.array(run.problems) { write($0, &$1) } } }
      if !run.findings.isEmpty { text.member("findings") { text in text.array(run.findings) { write($0, &$1) } } }
      if !run.console.isEmpty { text.member("console", run.console) }
    }
  }

  private static func write(_ result: TestResult, _ text: inout JSONText) {
    text.object { text in
      text.member("name", result.name)
      text.member("outcome", result.outcome.rawValue)
      if let number = result.number { text.member("number", number) }
      if let why = result.text { text.member("text", why) }
      if let duration = result.duration { text.member("duration", duration) }
      if result.count != 1 { text.member("count", result.count) }
      if !result.diagnostics.isEmpty { text.member("diagnostics", result.diagnostics) }
      if !result.subtests.isEmpty { text.member("subtests") { text in text.array(result.subtests) { write($0, &$1) } } }
    }
  }

  private static func write(_ problem: TAPProblem, _ text: inout JSONText) {
    text.object { text in
      text.member("kind", problem.kind.rawValue)
      text.member("line", problem.line)
      text.member("message", problem.message)
      text.member("isFailure") { $0.write(problem.isFailure) }
    }
  }

  private static func write(_ finding: KernelLogFinding, _ text: inout JSONText) {
    text.object { text in
      text.member("kind", finding.kind.rawValue)
      text.member("line", finding.line)
      text.member("text", finding.text)
      if !finding.following.isEmpty { text.member("following", finding.following) }
    }
  }
}

/// JSON as it is written: in one line, but for a line to each run and test.
struct JSONText {
  private(set) var bytes: [UInt8] = []
  private var needsComma = false

  mutating func object(_ body: (inout JSONText) -> Void) {
    bytes.append(UInt8(ascii: "{"))
    needsComma = false
    body(&self)
    bytes.append(UInt8(ascii: "}"))
    needsComma = true
  }

  mutating func array<Element>(_ elements: [Element], _ body: (Element, inout JSONText) -> Void) {
    bytes.append(UInt8(ascii: "["))
    for (place, element) in elements.enumerated() {
      bytes += (place == 0 ? "\n" : ",\n").utf8
      needsComma = false
      body(element, &self)
    }
    bytes.append(UInt8(ascii: "]"))
    needsComma = true
  }

  mutating func member(_ key: String, _ body: (inout JSONText) -> Void) {
    if needsComma { bytes.append(UInt8(ascii: ",")) }
    write(key)
    bytes.append(UInt8(ascii: ":"))
    body(&self)
    needsComma = true
  }

  mutating func member(_ key: String, _ text: String) {
    member(key) { $0.write(text) }
  }

  mutating func member(_ key: String, _ number: some FixedWidthInteger) {
    member(key) { $0.bytes += String(number).utf8 }
  }

  mutating func member(_ key: String, _ texts: [String]) {
    member(key) { text in text.array(texts) { $1.write($0) } }
  }

  mutating func write(_ value: Bool) {
    bytes += (value ? "true" : "false").utf8
  }

  /// A string; what a terminal acts upon stands as an escape.
  mutating func write(_ text: String) {
    bytes.append(UInt8(ascii: "\""))
    for scalar in text.unicodeScalars {
      switch scalar {
      case "\"", "\\":
        bytes.append(UInt8(ascii: "\\"))
        bytes.append(UInt8(scalar.value))
      case "\n": bytes += "\\n".utf8
      case "\t": bytes += "\\t".utf8
      case "\u{0}"..<"\u{20}", "\u{7F}"..<"\u{A0}", "\u{2028}", "\u{2029}", "\u{202A}"..."\u{202E}",
        "\u{2066}"..."\u{2069}":
        let digits = String(scalar.value, radix: 16)
        bytes += ("\\u" + String(repeating: "0", count: 4 - digits.utf8.count) + digits).utf8
      default: bytes += String(scalar).utf8
      }
    }
    bytes.append(UInt8(ascii: "\""))
  }
}
