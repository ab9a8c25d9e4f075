internal import PositionedJSON

/// Small pieces of JSON and numbers as text.
enum JSONText {
  /// A text with its quotation marks, in ASCII alone: what is none stands as its UTF-16 code units, so that no terminal
  /// acts upon it, and nobody on the way has to change it.
  static func quoted(_ text: String) -> String {
    var result = "\""
    for scalar in text.unicodeScalars {
      switch scalar {
      case "\"", "\\":
        result.unicodeScalars.append("\\")
        result.unicodeScalars.append(scalar)
      case " "..."~": result.unicodeScalars.append(scalar)
      default:
        for unit in String(scalar).utf16 {
          let digits = String(unit, radix: 16)
          result += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
        }
      }
    }
    return result + "\""
  }

  /// A register's value: JSON's numbers are rounded by many who read them.
  static func register(_ value: UInt64) -> String { "\"0x" + String(value, radix: 16) + "\"" }

  /// The number of `0x` and hexadecimal digits, or nil where it is something else.
  static func number(hexadecimal text: String) -> UInt64? {
    let digits = text.utf8.dropFirst(2)
    guard text.utf8.starts(with: [0x30, 0x78]), (1...16).contains(digits.count) else { return nil }
    var number: UInt64 = 0
    for character in digits {
      guard let digit = HexadecimalBytes.value(character) else { return nil }
      number = number << 4 | UInt64(digit)
    }
    return number
  }
}

extension String {
  /// With blanks to a width, in characters.
  func padded(to width: Int) -> String { self + String(repeating: " ", count: max(0, width - count)) }

  /// With blanks before it to a width, in characters.
  func right(in width: Int) -> String { String(repeating: " ", count: max(0, width - count)) + self }

  /// Of at most so many characters, the last of which says where more would follow.
  func cut(to width: Int) -> String { count > width ? String(prefix(max(0, width - 1))) + "…" : self }

  /// Without blanks at the end.
  var trimmed: String {
    var result = Substring(self)
    while result.last == " " { result.removeLast() }
    return String(result)
  }
}
