public import PositionedJSON

/// Reads the reports that ``JSONWriter`` writes. Members that are not known are passed over.
public enum JSONReader {
  /// A longer file is refused, in bytes.
  public static let maximumSize = 256 << 20

  /// Reads a report.
  ///
  /// - Parameter bytes: the text of the file, in UTF-8.
  /// - Throws: the first mistake, with its place.
  public static func read(_ bytes: [UInt8]) throws(JSONError) -> TestReport {
    let value = try JSONParser.parse(bytes, maximumSize: maximumSize)
    guard let version = value["apusTestReport"] else {
      throw JSONError(position: value.position, message: "this is no report of apus test: apusTestReport is missing")
    }
    guard version.integer(Int.self) == JSONWriter.version else {
      throw JSONError(
        position: version.position,
        message: "the report has version \(version.summary); \(JSONWriter.version) is known"
      )
    }
    var report = TestReport()
    if let name = try value.optional("failOn", "a string", \.string) {
      guard let limit = KernelLogLimit(rawValue: name) else { throw unknown(value, "failOn") }
      report.failOn = limit
    }
    report.duration = try value.duration()
    report.failures = try value.texts("failures")
    if let shard = value["shard"] { report.shard = try readShard(shard) }
    report.runs = try value.list("runs") { run throws(JSONError) in try readRun(run) }
    return report
  }

  static func unknown(_ value: JSONValue, _ key: String) -> JSONError {
    let member = value[key] ?? value
    return JSONError(position: member.position, message: "\(key): \(member.summary) is not known")
  }

  private static func readShard(_ value: JSONValue) throws(JSONError) -> ShardRecord {
    let index = try value.integer("index")
    let count = try value.integer("count")
    let shard: Shard
    do {
      shard = try Shard(index, of: count)
    } catch {
      throw JSONError(position: value.position, message: "shard: \(error.description)")
    }
    return ShardRecord(
      shard: shard,
      fingerprint: try value.text("fingerprint"),
      items: try value.texts("items"),
      total: try value.integer("total")
    )
  }

  private static func readRun(_ value: JSONValue) throws(JSONError) -> TestRun {
    var run = TestRun(name: try value.text("name"))
    if let end = value["end"] {
      guard let status = Int32(exactly: try end.integer("status")), (0...255).contains(status) else {
        throw unknown(end, "status")
      }
      run.end = MachineEnd(name: try end.text("name"), status: status, message: try end.text("message"))
    }
    run.duration = try value.duration()
    run.attempts = try value.integer("attempts", or: 1)
    run.results = try value.list("results") { result throws(JSONError) in try readResult(result) }
    run.problems = try value.list("problems") { problem throws(JSONError) in
      guard let kind = TAPProblem.Kind(rawValue: try problem.text("kind")) else { throw unknown(problem, "kind") }
      return TAPProblem(
        kind,
        line: try problem.integer("line", or: 0),
        message: try problem.text("message"),
        isFailure: try problem.required("isFailure", "true or false", \.boolean)
      )
    }
    run.findings = try value.list("findings") { finding throws(JSONError) in
      guard let kind = KernelLogFinding.Kind(rawValue: try finding.text("kind")) else { throw unknown(finding, "kind") }
      return KernelLogFinding(
        kind,
        line: try finding.integer("line", or: 0),
        text: try finding.text("text"),
        following: try finding.texts("following")
      )
    }
    run.console = try value.texts("console")
    return run
  }

  private static func readResult(_ value: JSONValue) throws(JSONError) -> TestResult {
    guard let outcome = TestOutcome(rawValue: try value.text("outcome")) else { throw unknown(value, "outcome") }
    return TestResult(
      name: try value.text("name"),
      number: try value.optional("number", "a whole number") { $0.integer(Int.self) },
      outcome: outcome,
      text: try value.optional("text", "a string", \.string),
      diagnostics: try value.texts("diagnostics"),
      duration: try value.duration(),
      subtests: try value.list("subtests") { subtest throws(JSONError) in try readResult(subtest) },
      count: try value.integer("count", or: 1)
    )
  }
}

extension JSONValue {
  fileprivate func optional<Value>(
    _ key: String,
    _ kind: String,
    _ read: (JSONValue) -> Value?
  ) throws(JSONError) -> Value? {
    guard let member = self[key] else { return nil }
    guard let value = read(member) else {
      throw JSONError(position: member.position, message: "\(key): expected \(kind), found \(member.summary)")
    }
    return value
  }

  fileprivate func required<Value>(
    _ key: String,
    _ kind: String,
    _ read: (JSONValue) -> Value?
  ) throws(JSONError) -> Value {
    guard let value = try optional(key, kind, read) else {
      throw JSONError(position: position, message: "\(key) is missing")
    }
    return value
  }

  fileprivate func text(_ key: String) throws(JSONError) -> String {
    try required(key, "a string", \.string)
  }

  /// A count, a number of a line or an index: from 0, and no more than a sum of them can be.
  fileprivate func integer(_ key: String, or absent: Int? = nil) throws(JSONError) -> Int {
    if let absent, self[key] == nil { return absent }
    return try required(key, "a whole number") { value in
      value.integer(Int.self).flatMap { (0...TAPLine.maximumNumber).contains($0) ? $0 : nil }
    }
  }

  fileprivate func duration() throws(JSONError) -> UInt64? {
    try optional("duration", "nanoseconds") { $0.integer(UInt64.self) }
  }

  fileprivate func texts(_ key: String) throws(JSONError) -> [String] {
    try list(key) { value throws(JSONError) in
      guard let text = value.string else {
        throw JSONError(position: value.position, message: "\(key): expected a string, found \(value.summary)")
      }
      return text
    }
  }

  fileprivate func list<Element>(
    _ key: String,
    _ read: (JSONValue) throws(JSONError) -> Element
  ) throws(JSONError) -> [Element] {
    guard let elements = try optional(key, "an array", \.array) else { return [] }
    var result: [Element] = []
    result.reserveCapacity(elements.count)
    for element in elements { result.append(try read(element)) }
    return result
  }
}
