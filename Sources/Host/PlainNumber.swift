extension FixedWidthInteger {
  /// Reads digits, and a minus sign before them at most. What ``init(_:)`` takes besides, such as `+22`, is rather a
  /// slip.
  package init?(plain text: some StringProtocol) {
    guard text.utf8.first != UInt8(ascii: "+") else { return nil }
    self.init(text)
  }
}
