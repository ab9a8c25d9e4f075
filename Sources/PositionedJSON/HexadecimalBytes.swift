/// Bytes as JSON texts have them: two hexadecimal digits each.
package enum HexadecimalBytes {
  /// The bytes' digits, small letters.
  package static func text(_ bytes: [UInt8]) -> String {
    let digits = Array("0123456789abcdef".utf8)
    var result: [UInt8] = []
    result.reserveCapacity(2 * bytes.count)
    for byte in bytes {
      result.append(digits[Int(byte >> 4)])
      result.append(digits[Int(byte & 0xF)])
    }
    return String(decoding: result, as: UTF8.self)
  }

  /// The bytes of digits, or `nil` where it is something else.
  ///
  /// - Parameter allowsSpaces: whether blanks, tabs and ends of lines may stand between digits.
  package static func bytes(_ text: String, allowsSpaces: Bool = false) -> [UInt8]? {
    var result: [UInt8] = []
    var high: UInt8?
    for character in text.utf8 {
      if allowsSpaces, [0x20, 0x0A, 0x09, 0x0D].contains(character) { continue }
      guard let digit = value(character) else { return nil }
      if let first = high {
        result.append(first << 4 | digit)
        high = nil
      } else {
        high = digit
      }
    }
    return high == nil ? result : nil
  }

  /// The value of a digit in UTF-8, or `nil` where it is none.
  package static func value(_ digit: UInt8) -> UInt8? {
    switch digit {
    case 0x30...0x39: digit - 0x30
    case 0x41...0x46: digit - 0x41 + 10
    case 0x61...0x66: digit - 0x61 + 10
    default: nil
    }
  }
}
