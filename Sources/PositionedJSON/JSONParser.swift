/// A strict reader of JSON (RFC 8259): no comments, no trailing commas, no key twice, nothing behind the value.
public struct JSONParser {
  /// Deeper nesting is refused: the reader calls itself for each level.
  public static let maximumDepth = 128

  /// A longer text is refused, in bytes, unless the caller takes more.
  public static let maximumSize = 4 << 20

  /// How many bytes were looked at so far, each time one was.
  private(set) var steps = 0

  private let bytes: [UInt8]
  private var index = 0
  private var line = 1
  private var lineStart = 0
  private var depth = 0

  private let maximumDepth: Int

  private init(_ bytes: [UInt8], maximumDepth: Int) {
    self.bytes = bytes
    self.maximumDepth = maximumDepth
  }

  /// Reads one value.
  ///
  /// - Parameters:
  ///   - bytes: UTF-8.
  ///   - maximumDepth: deeper nesting is refused; at most ``maximumDepth``.
  ///   - maximumSize: a longer text is refused, in bytes.
  /// - Throws: the first mistake.
  public static func parse(
    _ bytes: [UInt8],
    maximumDepth: Int = JSONParser.maximumDepth,
    maximumSize: Int = JSONParser.maximumSize
  ) throws(JSONError) -> JSONValue {
    var steps = 0
    return try parse(bytes, maximumDepth: maximumDepth, maximumSize: maximumSize, steps: &steps)
  }

  /// The same, and tells how much work it was.
  static func parse(
    _ bytes: [UInt8],
    maximumDepth: Int = JSONParser.maximumDepth,
    maximumSize: Int = JSONParser.maximumSize,
    steps: inout Int
  ) throws(JSONError) -> JSONValue {
    var parser = JSONParser(bytes, maximumDepth: min(maximumDepth, Self.maximumDepth))
    guard bytes.count <= maximumSize else {
      throw parser.error("the text has \(bytes.count) bytes; at most \(maximumSize) are read")
    }
    defer { steps = parser.steps }
    parser.skipSpace()
    let value = try parser.value()
    parser.skipSpace()
    guard parser.index == bytes.count else { throw parser.error("expected the end of the text") }
    return value
  }

  /// Reads a text, of whose UTF-8 at most ``maximumSize`` bytes are read.
  ///
  /// - Throws: the first mistake.
  public static func parse(_ text: String) throws(JSONError) -> JSONValue {
    try parse(Array(text.utf8))
  }

  private var position: JSONPosition { JSONPosition(line: line, column: index - lineStart + 1) }

  private func error(_ message: String) -> JSONError { JSONError(position: position, message: message) }

  private var next: UInt8? { index < bytes.count ? bytes[index] : nil }

  private mutating func skipSpace() {
    while let byte = next {
      steps += 1
      switch byte {
      case 0x0A:
        index += 1
        line += 1
        lineStart = index
      case 0x20, 0x09, 0x0D: index += 1
      default: return
      }
    }
  }

  private mutating func value() throws(JSONError) -> JSONValue {
    let start = position
    steps += 1
    switch next {
    case UInt8(ascii: "{"): return JSONValue(try object(), at: start)
    case UInt8(ascii: "["): return JSONValue(try array(), at: start)
    case UInt8(ascii: "\""): return JSONValue(.string(try string()), at: start)
    case UInt8(ascii: "t"): return JSONValue(try word("true", .boolean(true)), at: start)
    case UInt8(ascii: "f"): return JSONValue(try word("false", .boolean(false)), at: start)
    case UInt8(ascii: "n"): return JSONValue(try word("null", .null), at: start)
    case let byte? where byte == UInt8(ascii: "-") || (0x30...0x39).contains(byte):
      return JSONValue(try number(), at: start)
    case UInt8(ascii: "]"), UInt8(ascii: "}"): throw error("expected a value behind the comma or colon")
    default: throw error("expected a value, found \(found)")
    }
  }

  /// What stands here, for messages.
  private var found: String {
    switch next {
    case nil: "the end of the text"
    case UInt8(ascii: "/"): "a comment, which JSON does not have"
    case UInt8(ascii: "'"): "a single quotation mark"
    case 0xEF where bytes[index...].starts(with: [0xEF, 0xBB, 0xBF]): "a byte order mark"
    case let byte? where (0x21..<0x7F).contains(byte): "\"\(Character(Unicode.Scalar(byte)))\""
    case let byte?: "the byte \(byte)"
    }
  }

  private mutating func word(_ text: String, _ content: JSONValue.Content) throws(JSONError) -> JSONValue.Content {
    guard bytes[index...].starts(with: text.utf8) else { throw error("expected \(text)") }
    index += text.utf8.count
    return content
  }

  private mutating func enter() throws(JSONError) {
    depth += 1
    guard depth <= maximumDepth else { throw error("nested more than \(maximumDepth) deep") }
    index += 1
    skipSpace()
  }

  private mutating func leave() {
    depth -= 1
    index += 1
  }

  private mutating func object() throws(JSONError) -> JSONValue.Content {
    try enter()
    var members: [JSONValue.Member] = []
    // Of many keys only: a first set costs what a short text does.
    var keys: Set<String> = []
    if next == UInt8(ascii: "}") {
      leave()
      return .object([])
    }
    while true {
      guard next == UInt8(ascii: "\"") else {
        if next == UInt8(ascii: "}") { throw error("expected a key behind the comma") }
        throw error("expected a key in double quotation marks, found \(found)")
      }
      let start = position
      let key = try string()
      if members.count == Self.fewKeys { keys = Set(members.map(\.key)) }
      let isNew = members.count < Self.fewKeys ? !members.contains { $0.key == key } : keys.insert(key).inserted
      guard isNew else {
        throw JSONError(position: start, message: "the key \"\(key)\" is there twice")
      }
      skipSpace()
      guard next == UInt8(ascii: ":") else { throw error("expected a colon behind the key") }
      index += 1
      skipSpace()
      members.append(JSONValue.Member(key: key, position: start, value: try value()))
      skipSpace()
      if next == UInt8(ascii: "}") { break }
      guard next == UInt8(ascii: ",") else { throw error("expected a comma or a closing brace, found \(found)") }
      index += 1
      skipSpace()
    }
    leave()
    return .object(members)
  }

  /// Up to so many keys are compared with each other one by one.
  private static let fewKeys = 24

  private mutating func array() throws(JSONError) -> JSONValue.Content {
    try enter()
    var elements: [JSONValue] = []
    if next == UInt8(ascii: "]") {
      leave()
      return .array([])
    }
    while true {
      elements.append(try value())
      skipSpace()
      if next == UInt8(ascii: "]") { break }
      guard next == UInt8(ascii: ",") else { throw error("expected a comma or a closing bracket, found \(found)") }
      index += 1
      skipSpace()
    }
    leave()
    return .array(elements)
  }

  private mutating func digits() throws(JSONError) {
    guard let first = next, (0x30...0x39).contains(first) else { throw error("expected a digit") }
    while let byte = next, (0x30...0x39).contains(byte) {
      index += 1
      steps += 1
    }
  }

  private mutating func number() throws(JSONError) -> JSONValue.Content {
    let start = index
    if next == UInt8(ascii: "-") { index += 1 }
    let whole = index
    try digits()
    if bytes[whole] == 0x30 && index > whole + 1 { throw error("a number does not begin with 0") }
    if bytes[whole] == 0x30, next == UInt8(ascii: "x") || next == UInt8(ascii: "X") {
      throw error("expected a decimal number: JSON has no others")
    }
    if next == UInt8(ascii: ".") {
      index += 1
      try digits()
    }
    if next == UInt8(ascii: "e") || next == UInt8(ascii: "E") {
      index += 1
      if next == UInt8(ascii: "+") || next == UInt8(ascii: "-") { index += 1 }
      try digits()
    }
    return .number(String(decoding: bytes[start..<index], as: UTF8.self))
  }

  private mutating func string() throws(JSONError) -> String {
    index += 1
    // Nearly every string stands there as it is.
    var end = index
    while end < bytes.count, bytes[end] >= 0x20, bytes[end] != UInt8(ascii: "\""), bytes[end] != UInt8(ascii: "\\") {
      end += 1
    }
    if end < bytes.count, bytes[end] == UInt8(ascii: "\"") {
      steps += end - index + 1
      guard let text = String(validating: bytes[index..<end], as: UTF8.self) else {
        index = end
        throw error("the string is not UTF-8")
      }
      index = end + 1
      return text
    }
    var result: [UInt8] = []
    while true {
      guard let byte = next else { throw error("the string has no end") }
      steps += 1
      switch byte {
      case UInt8(ascii: "\""):
        guard let text = String(validating: result, as: UTF8.self) else { throw error("the string is not UTF-8") }
        index += 1
        return text
      case UInt8(ascii: "\\"):
        index += 1
        try escape(&result)
      case 0..<0x20: throw error("a control character in a string")
      default:
        result.append(byte)
        index += 1
      }
    }
  }

  private mutating func escape(_ result: inout [UInt8]) throws(JSONError) {
    guard let byte = next else { throw error("the string has no end") }
    index += 1
    switch byte {
    case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): result.append(byte)
    case UInt8(ascii: "b"): result.append(0x08)
    case UInt8(ascii: "f"): result.append(0x0C)
    case UInt8(ascii: "n"): result.append(0x0A)
    case UInt8(ascii: "r"): result.append(0x0D)
    case UInt8(ascii: "t"): result.append(0x09)
    case UInt8(ascii: "u"):
      var code = try codeUnit()
      if (0xD800..<0xDC00).contains(code) {
        guard bytes[index...].starts(with: [0x5C, 0x75]) else { throw error("half of a surrogate pair") }
        index += 2
        let low = try codeUnit()
        guard (0xDC00..<0xE000).contains(low) else { throw error("half of a surrogate pair") }
        code = 0x10000 + (code - 0xD800) << 10 + (low - 0xDC00)
      }
      guard let scalar = Unicode.Scalar(code) else { throw error("half of a surrogate pair") }
      result += Array(String(Character(scalar)).utf8)
    default:
      index -= 1
      throw error("an unknown escape")
    }
  }

  private mutating func codeUnit() throws(JSONError) -> UInt32 {
    var code: UInt32 = 0
    for _ in 0..<4 {
      guard let byte = next, let digit = Character(Unicode.Scalar(byte)).hexDigitValue else {
        throw error("expected four hexadecimal digits")
      }
      code = code << 4 | UInt32(digit)
      index += 1
    }
    return code
  }
}
