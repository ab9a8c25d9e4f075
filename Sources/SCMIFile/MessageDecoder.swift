internal import PositionedJSON
public import SCMI

/// Messages as text.
///
/// The tables of the protocols name the words of a payload in order. Where a message ends within a field the field says
/// so, with the bytes that are there.
public enum MessageDecoder {
  struct Field {
    var name: String
    /// As JSON.
    var json: String
    /// For people.
    var text: String
  }

  /// A raw message (header and payload) as one line.
  ///
  /// - Parameters:
  ///   - message: as it went, whatever it is.
  ///   - isRequest: whether an agent sent it; only the payload's reading depends on it. Notifications and delayed
  ///     responses are never an agent's.
  public static func text(_ message: SCMIMessage, isRequest: Bool) -> String {
    let header = message.header
    let isRequest = isRequest && isFromAgent(header)
    var line = MessageCatalogue.name(header) + " token \(header.token)"
    switch header.type {
    case .delayedResponse: line += " delayed"
    case .reserved: line += " reserved type"
    case .command, .notification: break
    }
    if !isRequest && header.type != .notification && message.count >= 4 { line += " \(message.status)" }
    for field in fields(message, isRequest: isRequest) { line += " \(field.name)=\(field.text)" }
    return line
  }

  /// Bytes of a message in hexadecimal digits as one line; `nil` where they are none.
  public static func decoded(hexadecimal: String, isRequest: Bool) -> String? {
    guard let bytes = HexadecimalBytes.bytes(hexadecimal, allowsSpaces: true),
      let message = try? SCMIMessage(bytes: bytes)
    else {
      return nil
    }
    return text(message, isRequest: isRequest)
  }

  /// Bytes of a message in hexadecimal digits as one line, or why they are none.
  public static func text(hexadecimal: String, isRequest: Bool) -> String {
    guard let bytes = HexadecimalBytes.bytes(hexadecimal, allowsSpaces: true) else { return "not hexadecimal" }
    do {
      return text(try SCMIMessage(bytes: bytes), isRequest: isRequest)
    } catch {
      switch error {
      case .truncated: return "\(bytes.count) bytes are no header"
      case .oversized(let header): return "\(MessageCatalogue.name(header)): \(bytes.count) bytes are too many"
      }
    }
  }

  private static func isFromAgent(_ header: MessageHeader) -> Bool {
    header.type != .notification && header.type != .delayedResponse
  }

  static func fields(_ message: SCMIMessage, isRequest: Bool) -> [Field] {
    let header = message.header
    let isRequest = isRequest && isFromAgent(header)
    var word = 0
    let list =
      MessageCatalogue.fields(header, isRequest: isRequest) ?? [FieldDescription("words", .hexadecimal, isRest: true)]
    if !isRequest && header.type != .notification { word = 1 }
    let payload = Array(message.bytes.dropFirst(4))
    // A status that is cut is none.
    if word == 1 && !payload.isEmpty && payload.count < 4 { return [cut("status", payload)] }
    return read(list, message.payload, payload, from: word)
  }

  private static func cut(_ name: String, _ bytes: some Sequence<UInt8>) -> Field {
    let text = "cut after " + HexadecimalBytes.text(Array(bytes))
    return Field(name: name, json: JSONText.quoted(text), text: "(" + text + ")")
  }

  private static func read(
    _ list: [FieldDescription],
    _ words: [UInt32],
    _ bytes: [UInt8],
    from start: Int
  ) -> [Field] {
    var result: [Field] = []
    var word = start
    /// The field, or where the message ends within it what there is of it.
    func next(_ field: FieldDescription) -> Field {
      let place = 4 * word
      guard place + field.format.size > bytes.count else { return value(field, words, &word) }
      word = words.count
      return cut(field.name, bytes[place...])
    }
    for field in list {
      guard word < words.count else { return result }
      guard field.isRest else {
        result.append(next(field))
        continue
      }
      var values: [Field] = []
      while word < words.count { values.append(next(field)) }
      result.append(
        Field(
          name: field.name,
          json: "[" + values.map(\.json).joined(separator: ",") + "]",
          text: "[" + values.map(\.text).joined(separator: " ") + "]"
        )
      )
    }
    if word < words.count {
      // More than the message should have: shown, not judged.
      result += read([FieldDescription("extra", .hexadecimal, isRest: true)], words, bytes, from: word)
    }
    return result
  }

  private static func value(_ field: FieldDescription, _ words: [UInt32], _ word: inout Int) -> Field {
    let name = field.name
    let first = words[word]
    word += 1
    switch field.format {
    case .decimal: return Field(name: name, json: "\(first)", text: "\(first)")
    case .hexadecimal:
      let text = "0x" + String(first, radix: 16)
      return Field(name: name, json: "\(first)", text: text)
    case .signed:
      let text = String(Int32(bitPattern: first))
      return Field(name: name, json: text, text: text)
    case .version:
      let text = ProtocolVersion(rawValue: first).description
      return Field(name: name, json: JSONText.quoted(text), text: text)
    case .wide, .signedWide:
      let high = words[word]
      word += 1
      let whole = UInt64(first) | UInt64(high) << 32
      let text = field.format == .wide ? String(whole) : String(Int64(bitPattern: whole))
      return Field(name: name, json: text, text: text)
    case .text(let size):
      let end = word - 1 + size / 4
      let bytes = words[(word - 1)..<end].flatMap { word in
        (0..<4).map { UInt8(truncatingIfNeeded: word >> (8 * UInt32($0))) }
      }
      word = end
      let text = String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
      return Field(name: name, json: JSONText.quoted(text), text: JSONText.quoted(text))
    }
  }
}
