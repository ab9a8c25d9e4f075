internal import PositionedJSON
public import SCMI

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
    if let events { text += ",\"events\":\(events)" }
    text += ",\"raw\":\"" + HexadecimalBytes.text(message.bytes) + "\""
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

  private var decodedStatus: SCMIStatus? {
    switch kind {
    case .reply, .delayedResponse, .unsolicited, .withheld: message.count >= 4 ? message.status : nil
    default: nil
    }
  }

  private var fields: [MessageDecoder.Field] {
    MessageDecoder.fields(message, isRequest: kind == .request)
  }
}
