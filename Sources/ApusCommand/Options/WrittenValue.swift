import Apus

/// A value that people write on a command line.
///
/// Reading what `description` writes gives the same value again.
protocol WrittenValue: LosslessStringConvertible, Equatable, Sendable {
  /// What such a text looks like, with examples: the second half of a message about one that does not.
  static var form: String { get }
}

extension Configuration.UUID: WrittenValue {
  static var form: String {
    "give 32 hexadecimal digits in groups of 8, 4, 4, 4 and 12, such as 123e4567-e89b-42d3-a456-426614174000"
  }
}

extension String {
  /// Splits off the digits, and what follows them.
  ///
  /// - Returns: nil where the text does not start with a digit, or is not all ASCII: other scripts have letters that
  ///   pass for a unit.
  func leadingDigits() -> (digits: Substring, rest: Substring)? {
    guard utf8.allSatisfy({ $0 < 0x80 }) else { return nil }
    // By bytes, which of a text that is all ASCII are the characters.
    let end = utf8.firstIndex { !(UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) } ?? utf8.endIndex
    return end == utf8.startIndex ? nil : (self[..<end], self[end...])
  }
}
