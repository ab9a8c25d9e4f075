/// A place in a text.
public struct JSONPosition: Hashable, Sendable, CustomStringConvertible {
  /// From 1.
  public var line: Int
  /// From 1, in bytes of UTF-8.
  public var column: Int

  public init(line: Int, column: Int) {
    self.line = line
    self.column = column
  }

  public var description: String { "\(line):\(column)" }
}

/// A JSON value (RFC 8259) that knows where in the text it began.
public struct JSONValue: Sendable {
  /// A key of an object with what stands behind it.
  public struct Member: Sendable {
    /// Without its quotation marks, escapes undone.
    public var key: String
    /// Where the key began.
    public var position: JSONPosition
    /// What stands behind the colon.
    public var value: JSONValue
  }

  /// The six kinds of JSON.
  public enum Content: Sendable {
    case null
    /// `true` or `false`.
    case boolean(Bool)
    /// The digits as they stood there: no precision is lost before somebody asks for a type.
    case number(String)
    /// Without its quotation marks, escapes undone.
    case string(String)
    /// The elements, in the text's order.
    case array([JSONValue])
    /// In the text's order. No key is there twice.
    case object([Member])
  }

  /// What stands there, by its kind.
  public var content: Content
  /// Of the first character.
  public var position: JSONPosition

  public init(_ content: Content, at position: JSONPosition) {
    self.content = content
    self.position = position
  }

  /// What it is, for messages: "an object", "a number", …
  public var kind: String {
    switch content {
    case .null: "null"
    case .boolean: "true or false"
    case .number: "a number"
    case .string: "a string"
    case .array: "an array"
    case .object: "an object"
    }
  }

  /// What it is, for messages: numbers and short strings as they stand there, of others the kind.
  public var summary: String {
    switch content {
    case .number(let digits) where digits.utf8.count <= 40: digits
    case .string(let text) where text.utf8.count <= 40: "\"\(text)\""
    case .boolean(let value): value ? "true" : "false"
    default: kind
    }
  }

  /// A member of an object.
  public subscript(key: String) -> JSONValue? {
    guard case .object(let members) = content else { return nil }
    return members.first { $0.key == key }?.value
  }

  /// An element of an array.
  public subscript(index: Int) -> JSONValue? {
    guard case .array(let elements) = content, elements.indices.contains(index) else { return nil }
    return elements[index]
  }

  /// The text, if it is a string.
  public var string: String? {
    if case .string(let text) = content { text } else { nil }
  }

  /// Whether it is true, if it is true or false.
  public var boolean: Bool? {
    if case .boolean(let value) = content { value } else { nil }
  }

  /// The number, if it is an integer of that type, written without fraction and exponent.
  public func integer<Integer: FixedWidthInteger>(_ type: Integer.Type) -> Integer? {
    guard case .number(let digits) = content, let (isNegative, magnitude) = JSONValue.whole(digits) else { return nil }
    guard isNegative else { return Integer(exactly: magnitude) }
    return magnitude <= 1 << 63 ? Integer(exactly: Int64(truncatingIfNeeded: 0 &- magnitude)) : nil
  }

  /// Written out and for all types: the standard library's way is 2 KB of program for each.
  private static func whole(_ digits: String) -> (isNegative: Bool, magnitude: UInt64)? {
    var isNegative = false
    var magnitude: UInt64 = 0
    for digit in digits.utf8 {
      // A number has one at its beginning, or behind an exponent's letter, which is no digit.
      if digit == 0x2D {
        isNegative = true
        continue
      }
      guard (0x30...0x39).contains(digit) else { return nil }
      let (tenfold, isTooLarge) = magnitude.multipliedReportingOverflow(by: 10)
      let (sum, isStillTooLarge) = tenfold.addingReportingOverflow(UInt64(digit - 0x30))
      guard !isTooLarge, !isStillTooLarge else { return nil }
      magnitude = sum
    }
    return (isNegative, magnitude)
  }

  /// The nearest binary number, if it is a number that such a one can be near to.
  public var double: Double? {
    if case .number(let digits) = content { Double(digits) } else { nil }
  }

  /// The elements, if it is an array.
  public var array: [JSONValue]? {
    if case .array(let elements) = content { elements } else { nil }
  }

  /// Keys and values in the text's order, if it is an object.
  public var members: [Member]? {
    if case .object(let members) = content { members } else { nil }
  }

  /// Where a JSON pointer (RFC 6901) leads, or the nearest value on the way that is there.
  public func position(of pointer: String) -> JSONPosition {
    var value = self
    for part in pointer.split(separator: "/") {
      let key = JSONPointer.unescape(part)
      if let member = value[key] {
        value = member
      } else if let index = Int(key), let element = value[index] {
        value = element
      } else {
        break
      }
    }
    return value.position
  }
}

/// Keys in JSON pointers: `~` is `~0` and `/` is `~1`.
public enum JSONPointer {
  /// Writes a key as it stands in a pointer.
  public static func escape(_ key: some StringProtocol) -> String {
    var result = ""
    for character in key {
      switch character {
      case "~": result += "~0"
      case "/": result += "~1"
      default: result.append(character)
      }
    }
    return result
  }

  static func unescape(_ part: Substring) -> String {
    var result = ""
    var isEscaped = false
    for character in part {
      if isEscaped {
        result.append(character == "1" ? "/" : "~")
        isEscaped = false
      } else if character == "~" {
        isEscaped = true
      } else {
        result.append(character)
      }
    }
    return result
  }
}

/// Why a text is no JSON.
public struct JSONError: Error, Hashable, Sendable, CustomStringConvertible {
  /// Where reading stopped.
  public var position: JSONPosition
  /// What was expected or found.
  public var message: String

  public init(position: JSONPosition, message: String) {
    self.position = position
    self.message = message
  }

  public var description: String { "\(position): \(message)" }
}
