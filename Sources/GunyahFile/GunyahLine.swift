public import Gunyah
internal import PositionedJSON

/// One line of a transcript of Gunyah's machines, as it stands in a file.
public struct GunyahLine: Equatable, Sendable {
  /// Counted from 0 without a gap, unless lines were lost.
  public var sequence: UInt64
  /// The machine's name; one that another machine has made is `OWNER/VMID`. At most ``nameLimit`` bytes.
  public var name: String
  /// What happened to it when.
  public var record: GunyahRecord

  /// How many bytes a machine's name has at most.
  public static let nameLimit = 200

  /// A line of these parts.
  public init(sequence: UInt64, name: String, record: GunyahRecord) {
    self.sequence = sequence
    self.name = name
    self.record = record
  }

  /// The line as JSON, without the line's end.
  ///
  /// Registers are texts, `0x` and hexadecimal digits; the message of a send or a receive, and a message's payload, are
  /// hexadecimal digits. Names, errors and fields are for whoever reads it: numbers and bytes say the same.
  public var json: String {
    var text = "{\"sequence\":\(sequence),\"time\":\(record.time),\"machine\":" + JSONText.quoted(name)
    text += ",\"vmid\":\(record.machine)"
    if let vcpu = record.vcpu { text += ",\"vcpu\":\(vcpu)" }
    switch record.content {
    case .call(let call): text += call.json
    case .message(let message): text += message.json
    }
    return text + "}"
  }
}

extension GunyahRecord.Call {
  fileprivate var json: String {
    var text = ",\"kind\":\"call\",\"number\":" + JSONText.register(number)
    if let name = call?.name { text += ",\"name\":\"\(name)\"" }
    text += ",\"arguments\":" + Self.list(arguments) + ",\"result\":"
    text += JSONText.register(UInt64(bitPattern: result))
    if let error { text += ",\"error\":\"\(error.name)\"" }
    text += ",\"outputs\":" + Self.list(outputs)
    if let peer { text += ",\"peer\":\(peer)" }
    if let bytes { text += ",\"bytes\":\"" + HexadecimalBytes.text(bytes) + "\"" }
    return text
  }

  private static func list(_ values: [UInt64]) -> String {
    "[" + values.map(JSONText.register).joined(separator: ",") + "]"
  }
}

extension GunyahRecord.Message {
  /// What the resource manager takes it for.
  var rpc: RPCMessage {
    let kind: RPCMessageKind =
      switch kind {
      case .request: .request
      case .reply: .reply
      case .notification: .notification
      }
    return RPCMessage(kind: kind, sequence: sequence, id: MessageID(rawValue: identifier), payload: payload)
  }

  /// A reply's first word, or nil.
  var status: UInt32? {
    guard kind == .reply, payload.count >= 4 else { return nil }
    return payload.prefix(4).reversed().reduce(0) { $0 << 8 | UInt32($1) }
  }

  fileprivate var json: String {
    var text = ",\"kind\":\"\(kind.word)\",\"direction\":\"\(direction.word)\""
    text += ",\"id\":" + JSONText.register(UInt64(identifier))
    if let name = rpc.id.name { text += ",\"name\":\"\(name)\"" }
    text += ",\"token\":\(sequence)"
    if let error = status.flatMap({ RMError(rawValue: $0) }) { text += ",\"error\":\"\(error.name)\"" }
    return text + ",\"fields\":" + RPCField.json(rpc.fields) + ",\"raw\":\"" + HexadecimalBytes.text(payload) + "\""
  }
}

extension GunyahRecord.Message.Kind {
  /// How JSON has it.
  var word: String {
    switch self {
    case .request: "request"
    case .reply: "reply"
    case .notification: "notification"
    }
  }
}

extension GunyahRecord.Message.Direction {
  /// How JSON has it.
  var word: String {
    switch self {
    case .toManager: "to-manager"
    case .fromManager: "from-manager"
    }
  }
}

extension RPCField {
  fileprivate static func json(_ fields: [RPCField]) -> String {
    "{" + fields.map { JSONText.quoted($0.name) + ":" + $0.value.json }.joined(separator: ",") + "}"
  }
}

extension RPCField.Value {
  fileprivate var json: String {
    switch self {
    case .number(let number): "\(number)"
    case .list(let entries): "[" + entries.map(RPCField.json).joined(separator: ",") + "]"
    case .bytes(let bytes): "\"" + HexadecimalBytes.text(bytes) + "\""
    }
  }
}
