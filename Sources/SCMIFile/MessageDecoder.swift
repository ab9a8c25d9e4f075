public import SCMI

/// Messages as text.
///
/// A field list names the words of a payload in order, separated by blanks: `name` is an unsigned number, `name:x`
/// hexadecimal, `:d` signed, `:v` a version, `:q` two words as one number, `:i` two as a signed one, `:s16` and `:s64`
/// a name of so many bytes, and `:*` with one of these the rest of the payload. Where a message ends within a field the
/// field says so, with the bytes that are there.
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
    guard let bytes = JSONText.bytes(hexadecimal: hexadecimal), let message = try? SCMIMessage(bytes: bytes) else {
      return nil
    }
    return text(message, isRequest: isRequest)
  }

  /// Bytes of a message in hexadecimal digits as one line, or why they are none.
  public static func text(hexadecimal: String, isRequest: Bool) -> String {
    guard let bytes = JSONText.bytes(hexadecimal: hexadecimal) else { return "not hexadecimal" }
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
    var list = "words:*x"
    var word = 0
    if let entry = MessageCatalogue.entry(header) {
      switch header.type {
      case _ where isRequest: list = entry.request
      case .delayedResponse: list = entry.delayed
      default: list = entry.reply
      }
    }
    if !isRequest && header.type != .notification { word = 1 }
    let payload = Array(message.bytes.dropFirst(4))
    // A status that is cut is none.
    if word == 1 && !payload.isEmpty && payload.count < 4 { return [cut("status", payload)] }
    return read(list, message.payload, payload, from: word)
  }

  private static func cut(_ name: String, _ bytes: some Sequence<UInt8>) -> Field {
    let text = "cut after " + JSONText.hexadecimal(Array(bytes))
    return Field(name: name, json: JSONText.quoted(text), text: "(" + text + ")")
  }

  /// How many bytes a field of a format has.
  private static func size(_ format: Substring) -> Int {
    switch format {
    case "q", "i": 8
    case "s16": 16
    case "s64": 64
    default: 4
    }
  }

  private static func read(_ list: String, _ words: [UInt32], _ bytes: [UInt8], from start: Int) -> [Field] {
    var result: [Field] = []
    var word = start
    /// The field, or where the message ends within it what there is of it.
    func next(_ name: String, _ format: Substring) -> Field {
      let place = 4 * word
      guard place + size(format) > bytes.count else { return value(name, format, words, &word) }
      word = words.count
      return cut(name, bytes[place...])
    }
    for item in list.split(separator: " ") {
      guard word < words.count else { return result }
      let parts = item.split(separator: ":", maxSplits: 1)
      let name = String(parts[0])
      let format = parts.count > 1 ? parts[1] : ""
      if format.first == "*" {
        var values: [Field] = []
        while word < words.count { values.append(next(name, format.dropFirst())) }
        result.append(
          Field(
            name: name,
            json: "[" + values.map(\.json).joined(separator: ",") + "]",
            text: "[" + values.map(\.text).joined(separator: " ") + "]"
          )
        )
      } else {
        result.append(next(name, format))
      }
    }
    if word < words.count {
      // More than the message should have: shown, not judged.
      result += read("extra:*x", words, bytes, from: word)
    }
    return result
  }

  private static func value(_ name: String, _ format: Substring, _ words: [UInt32], _ word: inout Int) -> Field {
    let first = words[word]
    word += 1
    switch format {
    case "x":
      let text = "0x" + String(first, radix: 16)
      return Field(name: name, json: "\(first)", text: text)
    case "d":
      let text = String(Int32(bitPattern: first))
      return Field(name: name, json: text, text: text)
    case "v":
      let text = ProtocolVersion(rawValue: first).description
      return Field(name: name, json: JSONText.quoted(text), text: text)
    case "q", "i":
      let high = words[word]
      word += 1
      let whole = UInt64(first) | UInt64(high) << 32
      let text = format == "q" ? String(whole) : String(Int64(bitPattern: whole))
      return Field(name: name, json: text, text: text)
    case "s16", "s64":
      let end = word - 1 + (format == "s16" ? 4 : 16)
      let bytes = words[(word - 1)..<end].flatMap { word in
        (0..<4).map { UInt8(truncatingIfNeeded: word >> (8 * UInt32($0))) }
      }
      word = end
      let text = String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
      return Field(name: name, json: JSONText.quoted(text), text: JSONText.quoted(text))
    default: return Field(name: name, json: "\(first)", text: "\(first)")
    }
  }
}
