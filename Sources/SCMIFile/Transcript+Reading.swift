internal import PositionedJSON
public import SCMI

/// Why a line is no line of a transcript.
public struct TranscriptError: Error, Sendable, CustomStringConvertible {
  /// From 1.
  public var line: Int
  /// What is wrong, for people.
  public var message: String
  /// What stands before the line.
  public var before: [TranscriptRecord]

  public var description: String { "line \(line): \(message)" }
}

extension TranscriptRecord {
  /// Reads a transcript: one JSON object per line, empty lines are skipped.
  ///
  /// What a record says is taken from its raw bytes; names, fields and status are for other readers.
  ///
  /// - Throws: the first line that is no record, why, and the records before it.
  public static func records(lines text: String) throws(TranscriptError) -> [TranscriptRecord] {
    let (records, mistake) = JSONLines.read(Array(text.utf8)) { value throws(JSONLines.Mistake) in try record(value) }
    if let mistake { throw TranscriptError(line: mistake.line, message: mistake.message, before: records) }
    return records
  }

  private static func record(_ value: JSONValue) throws(JSONLines.Mistake) -> TranscriptRecord {
    typealias Mistake = JSONLines.Mistake
    guard let word = value["kind"]?.string else { throw Mistake("expected a kind") }
    if value["agent"] == nil, value["vmid"] != nil {
      throw Mistake("it is a transcript's of Gunyah; give the file to 'apus gunyah decode'")
    }
    guard let kind = Kind(rawValue: word) else {
      throw Mistake("expected one of the kinds \(Kind.allCases.map(\.rawValue).joined(separator: ", "))")
    }
    guard let sequence = value["sequence"]?.integer(UInt64.self), let time = value["time"]?.integer(UInt64.self),
      let agent = value["agent"]?.integer(Int.self), agent > 0
    else { throw Mistake("expected sequence, time and agent") }
    guard let bytes = value["raw"]?.string.flatMap({ HexadecimalBytes.bytes($0, allowsSpaces: true) }),
      let message = try? SCMIMessage(bytes: bytes)
    else { throw Mistake("expected a message's bytes in raw") }
    var record = TranscriptRecord(
      sequence: sequence,
      time: time,
      agent: agent - 1,
      agentName: value["agentName"]?.string ?? "agent \(agent)",
      kind: kind,
      message: message
    )
    record.events = value["events"]?.boolean
    if kind == .reset && record.events == nil { throw Mistake("expected events of a reset, true or false") }
    record.latency = value["latency"]?.integer(UInt64.self)
    record.decision = value["decision"]?.string
    record.rule = value["rule"]?.string
    return record
  }
}

/// A transcript for people, one line to each record, and one where records are missing.
public struct TranscriptLines: Sendable {
  private var gaps = LineGaps()

  public init() {}

  /// The lines of the records that come next.
  public mutating func lines(_ records: [TranscriptRecord]) -> [String] {
    records.flatMap { record in
      gaps.pass(record.sequence)
      return [gaps.note(), record.text].compactMap(\.self)
    }
  }
}

/// A session as a picture: one column per agent, time from top to bottom.
public enum SessionPicture {
  /// The picture as one text.
  ///
  /// - Parameters:
  ///   - records: of one session, in order.
  ///   - width: of one agent's column, in characters.
  public static func text(_ records: [TranscriptRecord], width: Int = 56) -> String {
    lines(records, width: width).map { $0 + "\n" }.joined()
  }

  /// The same, line by line.
  public static func lines(_ records: [TranscriptRecord], width: Int = 56) -> [String] {
    var agents: [(place: Int, name: String)] = []
    for record in records where !agents.contains(where: { $0.place == record.agent }) {
      agents.append((record.agent, record.agentName))
    }
    agents.sort { $0.place < $1.place }
    var lines = [pad("time", 16) + agents.map { pad($0.name, width) }.joined()]
    var gaps = LineGaps()
    for record in records {
      gaps.pass(record.sequence)
      if let note = gaps.note() { lines.append(pad("", 16) + note) }
      let column = agents.firstIndex { $0.place == record.agent } ?? 0
      var line = pad(JSONText.seconds(record.time), 16)
      for _ in 0..<column { line += pad("|", width) }
      lines.append(line + "| " + arrow(record.kind) + " " + content(record))
    }
    return lines.map { $0.trimmed }
  }

  private static func arrow(_ kind: TranscriptRecord.Kind) -> String {
    switch kind {
    case .request: "-->"
    case .reply: "<--"
    case .delayedResponse: "<=="
    case .notification: "<~~"
    case .unsolicited: "<??"
    case .withheld: "x--"
    case .malformed: "--x"
    case .reset, .control: "***"
    }
  }

  private static func content(_ record: TranscriptRecord) -> String {
    switch record.kind {
    case .malformed, .reset, .control: "\(record.kind.rawValue) \(record.decision ?? "")"
    default:
      MessageDecoder.text(record.message, isRequest: record.kind == .request)
        + (record.rule.map { " [\($0)]" } ?? "")
    }
  }

  private static func pad(_ text: String, _ width: Int) -> String {
    let missing = width - text.count
    return missing > 0 ? text + String(repeating: " ", count: missing) : String(text.prefix(width - 1)) + " "
  }
}

extension String {
  /// Without blanks at the end.
  fileprivate var trimmed: String {
    var result = self
    while result.hasSuffix(" ") { result.removeLast() }
    return result
  }
}
