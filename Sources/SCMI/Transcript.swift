/// One line of a transcript.
public struct TranscriptRecord: Sendable {
  public enum Kind: String, CaseIterable, Sendable {
    case request
    case reply
    case delayedResponse
    case notification
    /// A message on the event channel that is none of these.
    case unsolicited
    /// A reply that is not sent, or not yet.
    case withheld
    /// Bytes that were no message.
    case malformed
    /// The agent was reset.
    case reset
    /// The owner changed permissions, or samples were skipped.
    case control
  }

  /// From 0, without gaps.
  public var sequence: UInt64
  /// Nanoseconds of the platform's clock.
  public var time: UInt64
  /// The agent's place in the definition.
  public var agent: Int
  public var agentName: String
  public var kind: Kind
  public var message: Message
  /// Nanoseconds since the request, for what answers one.
  public var latency: UInt64?
  /// Why the platform decided as it did.
  public var decision: String?
  /// The misbehaviour rule that applied.
  public var rule: String?
}

extension Platform {
  /// What was recorded since the last call, in order. Empty where ``isRecording`` is off.
  public mutating func takeTranscript() -> [TranscriptRecord] {
    defer { transcript.removeAll() }
    return transcript
  }

  mutating func record(
    _ kind: TranscriptRecord.Kind,
    agent: Int,
    _ message: Message,
    _ decision: String? = nil,
    latency: UInt64? = nil,
    rule: String? = nil
  ) {
    guard isRecording else { return }
    var reasons = decision.map { [$0] } ?? []
    // A reply carries the reasons for it; what it sets off on the way does not.
    if [.reply, .withheld, .reset, .control].contains(kind) {
      reasons += explanations
      explanations.removeAll()
    }
    transcript.append(
      TranscriptRecord(
        sequence: transcriptSequence,
        time: now,
        agent: agent,
        agentName: agents[agent].definition.name,
        kind: kind,
        message: message,
        latency: latency,
        decision: reasons.isEmpty ? nil : reasons.joined(separator: "; "),
        rule: rule
      )
    )
    transcriptSequence += 1
  }

  mutating func recordControl(_ agent: Int) {
    record(.control, agent: agent, Message(header: MessageHeader(rawValue: 0)))
  }
}

// MARK: - Text

extension TranscriptRecord {
  /// The record as one line of JSON, without the line's end. Raw bytes are in `raw`, hexadecimal.
  public var json: String {
    var text = "{\"sequence\":\(sequence),\"time\":\(time),\"agent\":\(agent + 1),\"agentName\":"
    text += JSONText.quoted(agentName) + ",\"kind\":\"\(kind.rawValue)\""
    if kind != .malformed && kind != .reset && kind != .control {
      let header = message.header
      text += ",\"protocol\":\(header.protocolIdentifier),\"message\":\(header.message)"
      text += ",\"name\":" + JSONText.quoted(MessageCatalogue.name(header))
      text += ",\"type\":\(header.type.rawValue),\"token\":\(header.token)"
      if let status = decodedStatus { text += ",\"status\":" + JSONText.quoted(status.description) }
      text += ",\"fields\":{"
      text += fields.map { JSONText.quoted($0.name) + ":" + $0.json }.joined(separator: ",")
      text += "}"
    }
    if kind == .reset { text += ",\"events\":\(decision?.hasPrefix("with events") ?? false)" }
    text += ",\"raw\":\"" + JSONText.hexadecimal(message.bytes) + "\""
    if let latency { text += ",\"latency\":\(latency)" }
    if let decision { text += ",\"decision\":" + JSONText.quoted(decision) }
    if let rule { text += ",\"rule\":" + JSONText.quoted(rule) }
    return text + "}"
  }

  /// The record as one line for people.
  public var text: String {
    var line = JSONText.seconds(time) + "  \(agentName)  "
    switch kind {
    case .malformed: return line + "malformed: \(decision ?? "")"
    case .reset: return line + "reset, \(decision ?? "")"
    case .control where decision.flatMap({ SkippedSamples($0) }) != nil: return line + (decision ?? "")
    case .control: return line + "permissions: \(decision ?? "unchanged")"
    case .request: line += "-> "
    case .withheld: line += "(<-) "
    default: line += "<- "
    }
    line += MessageDecoder.text(message, isRequest: kind == .request)
    if let latency, latency > 0 { line += "  after \(latency) ns" }
    if let decision { line += "  [\(decision)]" }
    if let rule { line += "  [rule \(rule)]" }
    return line
  }

  private var decodedStatus: Status? {
    switch kind {
    case .reply, .delayedResponse, .unsolicited, .withheld: message.count >= 4 ? message.status : nil
    default: nil
    }
  }

  private var fields: [MessageDecoder.Field] {
    MessageDecoder.fields(message, isRequest: kind == .request)
  }
}

/// Small pieces of JSON and numbers as text.
enum JSONText {
  static func quoted(_ text: String) -> String {
    var result = "\""
    for scalar in text.unicodeScalars {
      switch scalar {
      case "\"": result += "\\\""
      case "\\": result += "\\\\"
      case "\n": result += "\\n"
      case let other where other.value < 0x20:
        let digits = String(other.value, radix: 16)
        result += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
      default: result.unicodeScalars.append(scalar)
      }
    }
    return result + "\""
  }

  static func hexadecimal(_ bytes: [UInt8]) -> String {
    let digits = Array("0123456789abcdef".utf8)
    var result: [UInt8] = []
    result.reserveCapacity(2 * bytes.count)
    for byte in bytes {
      result.append(digits[Int(byte >> 4)])
      result.append(digits[Int(byte & 0xF)])
    }
    return String(decoding: result, as: UTF8.self)
  }

  /// The bytes of hexadecimal digits, or `nil` where it is something else.
  static func bytes(hexadecimal text: some StringProtocol) -> [UInt8]? {
    var result: [UInt8] = []
    var high: UInt8?
    for character in text.utf8 {
      let digit: UInt8
      switch character {
      case 0x30...0x39: digit = character - 0x30
      case 0x41...0x46: digit = character - 0x41 + 10
      case 0x61...0x66: digit = character - 0x61 + 10
      case 0x20, 0x0A, 0x09, 0x0D: continue
      default: return nil
      }
      if let first = high {
        result.append(first << 4 | digit)
        high = nil
      } else {
        high = digit
      }
    }
    return high == nil ? result : nil
  }

  /// Nanoseconds as seconds with nine places.
  static func seconds(_ time: UInt64) -> String {
    let fraction = String(time % 1_000_000_000)
    return "\(time / 1_000_000_000)." + String(repeating: "0", count: 9 - fraction.count) + fraction
  }
}
