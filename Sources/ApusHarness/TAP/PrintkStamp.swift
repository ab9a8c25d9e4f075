/// The time stamp that a kernel's log has before each line: `[   12.345678] `, perhaps with a level before it (`<6>`)
/// and a caller's identifier behind it (`[    T1] `).
enum PrintkStamp {
  /// Where what stands behind a stamp begins, or nil where no stamp begins at that index.
  static func end(_ line: Span<UInt8>, at start: Int, before end: Int) -> Int? {
    var index = start
    guard index < end else { return nil }
    if line[index] == UInt8(ascii: "<") {
      index += 1
      while index < end, isDigit(line[index]) { index += 1 }
      guard index < end, line[index] == UInt8(ascii: ">") else { return nil }
      index += 1
    }
    guard index < end, line[index] == UInt8(ascii: "[") else { return nil }
    index += 1
    while index < end, line[index] == 0x20 { index += 1 }
    let seconds = index
    while index < end, isDigit(line[index]) { index += 1 }
    guard index > seconds, index + 7 < end, line[index] == UInt8(ascii: ".") else {
      return isEmptyBehind(line, index, end)
    }
    index += 1
    let fraction = index
    while index < end, isDigit(line[index]) { index += 1 }
    guard index - fraction == 6, index < end, line[index] == UInt8(ascii: "]") else { return nil }
    index = caller(line, index + 1, end)
    return index < end && line[index] == 0x20 ? index + 1 : index
  }

  /// A line that is a stamp alone, whose space was trimmed, says nothing.
  private static func isEmptyBehind(_ line: Span<UInt8>, _ index: Int, _ end: Int) -> Int? {
    guard index + 8 == end, line[index] == UInt8(ascii: "."), line[end - 1] == UInt8(ascii: "]") else { return nil }
    return end
  }

  private static func caller(_ line: Span<UInt8>, _ start: Int, _ end: Int) -> Int {
    var index = start
    guard index < end, line[index] == UInt8(ascii: "[") else { return start }
    index += 1
    while index < end, line[index] == 0x20 { index += 1 }
    guard index < end, line[index] == UInt8(ascii: "T") || line[index] == UInt8(ascii: "C") else { return start }
    index += 1
    while index < end, isDigit(line[index]) { index += 1 }
    return index < end && line[index] == UInt8(ascii: "]") ? index + 1 : start
  }

  static func isDigit(_ byte: UInt8) -> Bool { byte &- 0x30 < 10 }
}

/// What stands before a document's version line and is no time stamp: other lines of the document may have it, too.
struct LinePrefix {
  private var pattern: [UInt8] = []

  init() {}

  init(_ line: Span<UInt8>, _ range: Range<Int>) {
    for index in range { pattern.append(line[index]) }
  }

  /// Where the line goes on behind the prefix, or where it began if it has none.
  ///
  /// Numbers may differ, also in how long they are; all else has to be the same.
  func end(_ line: Span<UInt8>, at start: Int, before end: Int) -> Int {
    guard !pattern.isEmpty else { return start }
    var index = start
    var place = 0
    while place < pattern.count {
      let number = Self.number(pattern.span, at: place, before: pattern.count)
      if number > place {
        let other = Self.number(line, at: index, before: end)
        guard other > index else { return start }
        place = number
        index = other
      } else {
        guard index < end, line[index] == pattern[place] else { return start }
        place += 1
        index += 1
      }
    }
    return index
  }

  /// The end of spaces and digits up to the last digit.
  private static func number(_ bytes: Span<UInt8>, at start: Int, before end: Int) -> Int {
    var index = start
    var last = start
    while index < end, bytes[index] == 0x20 || PrintkStamp.isDigit(bytes[index]) {
      index += 1
      if bytes[index - 1] != 0x20 { last = index }
    }
    return last
  }
}
