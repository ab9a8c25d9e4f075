internal import ApusControl
internal import PositionedJSON

/// Which answers a client may expect for the bytes that it sends, by JSON-RPC 2.0 and the limits of the protocol.
struct ExpectedAnswers {
  /// How often each is missing: identifiers as they came, those of a batch in their order.
  private(set) var missing: [String: Int] = [:]
  /// Whether the client has sent a line that ends its connection.
  private(set) var isRefused = false
  private var line: [UInt8] = []
  private var hasEnded = false

  private static let none = "null"

  mutating func sends(_ bytes: ArraySlice<UInt8>) {
    var rest = bytes
    while !hasEnded, !isRefused, !rest.isEmpty {
      let end = rest.firstIndex(of: 0x0A)
      line += rest[..<(end ?? rest.endIndex)]
      rest = rest[(end.map { $0 + 1 } ?? rest.endIndex)...]
      if line.count > ControlProtocol.maximumLine {
        expect(Self.none)
        isRefused = true
      } else if end != nil {
        take()
      }
    }
  }

  /// The client sends no more.
  mutating func ends() {
    if !hasEnded, !isRefused { take() }
    hasEnded = true
  }

  /// - Returns: whether it was expected.
  mutating func hears(_ message: JSONValue) -> Bool {
    let key = message.array.map { $0.map(Self.identifier).joined(separator: "\n") + "\n" } ?? Self.identifier(message)
    guard let count = missing[key] else { return false }
    missing[key] = count > 1 ? count - 1 : nil
    return true
  }

  private mutating func expect(_ key: String) { missing[key, default: 0] += 1 }

  private mutating func take() {
    defer { line = [] }
    guard !line.allSatisfy({ $0 == 0x20 || $0 == 0x09 || $0 == 0x0D }) else { return }
    guard let json = try? JSONParser.parse(line, maximumDepth: ControlProtocol.maximumDepth) else {
      return expect(Self.none)
    }
    guard let requests = json.array else {
      if let key = Self.answer(to: json) { expect(key) }
      return
    }
    guard 1...ControlProtocol.maximumBatch ~= requests.count else { return expect(Self.none) }
    let keys = requests.compactMap(Self.answer)
    if !keys.isEmpty { expect(keys.joined(separator: "\n") + "\n") }
  }

  /// The identifier that the answer has; nil for a notification, which has none (JSON-RPC 2.0, 4.1).
  private static func answer(to json: JSONValue) -> String? {
    let identifier: String?
    switch json["id"]?.content {
    case nil: identifier = nil
    case .null?: identifier = none
    case .number(let digits)? where digits.utf8.count <= 40: identifier = digits
    case .string(let text)? where text.utf8.count <= 256: identifier = "\"" + text
    default: return none
    }
    if let identifier { return identifier }
    // Only what is a request can be a notification.
    guard json["jsonrpc"]?.string == "2.0", json["method"]?.string != nil else { return none }
    return json["params"].map { $0.members != nil || $0.array != nil } ?? true ? nil : none
  }

  /// The identifier of an answer.
  private static func identifier(_ message: JSONValue) -> String {
    switch message["id"]?.content {
    case .number(let digits)?: digits
    case .string(let text)?: "\"" + text
    default: none
    }
  }
}
