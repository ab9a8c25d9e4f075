/// Where a line stands in the nesting of tests: how many `# ` are before it, and in which column it begins.
struct TAPPosition: Equatable {
  /// How many times `# ` stands before it: kselftest's runner puts one before each line of an inner test.
  var hashes = 0
  /// The column, from 0, in which the line begins: a tab counts as four.
  var column = 0

  /// Whether a test there can have one at another position in it.
  func isOutside(_ other: TAPPosition) -> Bool {
    hashes < other.hashes || hashes == other.hashes && column < other.column
  }
}

/// The parts of a line that means something.
struct TAPLine {
  /// Where it stands.
  var position = TAPPosition()
  /// Of a line that begins with `# `, where that is.
  var comment: TAPPosition?
  /// Where what it says begins.
  var start: Int

  /// Skips spaces, tabs and `# `.
  init(_ line: Span<UInt8>, at start: Int, before end: Int) {
    self.start = start
    while self.start < end {
      switch line[self.start] {
      case 0x20: position.column += 1
      case 0x09: position.column += 4
      case UInt8(ascii: "#"):
        guard self.start + 1 < end, line[self.start + 1] == 0x20 else { return }
        comment = position
        position.hashes += 1
        position.column += 2
        self.start += 1
      default: return
      }
      self.start += 1
    }
  }

  /// A version line's parts.
  struct Version {
    /// Where its first letter is.
    var start: Int
    /// Whether it is KTAP's.
    var isKTAP: Bool
    /// The version that it names.
    var number: Int
  }

  /// The version that stands at the end of a line, whatever is before it.
  static func version(_ line: Span<UInt8>, from start: Int, before end: Int) -> Version? {
    guard end - start >= 13, PrintkStamp.isDigit(line[end - 1]) else { return nil }
    var digits = end - 1
    while digits > start, end - digits < 3, PrintkStamp.isDigit(line[digits - 1]) { digits -= 1 }
    let words: StaticString = "TAP version "
    let first = digits - words.utf8CodeUnitCount
    guard first >= start, begins(line, at: first, before: end, with: words) else { return nil }
    var number = 0
    for index in digits..<end { number = number * 10 + Int(line[index] - 0x30) }
    if first > start, line[first - 1] == UInt8(ascii: "K") {
      return Version(start: first - 1, isKTAP: true, number: number)
    }
    return Version(start: first, isKTAP: false, number: number)
  }

  /// Whether words stand there.
  static func begins(_ line: Span<UInt8>, at start: Int, before end: Int, with words: StaticString) -> Bool {
    guard end - start >= words.utf8CodeUnitCount else { return false }
    for offset in 0..<words.utf8CodeUnitCount {
      // SAFETY: a text of ASCII has a pointer to as many bytes as it says.
      let letter = unsafe words.utf8Start[offset]
      guard line[start + offset] == letter else { return false }
    }
    return true
  }

  /// So large that all results together, each standing for as many tests, can be counted.
  static let maximumNumber = 1 << 32

  /// The number that begins there, and where it ends; nil where there is none. One that is too large is as large as
  /// can be.
  static func number(_ line: Span<UInt8>, at start: Int, before end: Int) -> (value: Int, end: Int)? {
    var index = start
    var value = 0
    while index < end, PrintkStamp.isDigit(line[index]) {
      value = min(value * 10 + Int(line[index] - 0x30), maximumNumber)
      index += 1
    }
    return index > start ? (value, index) : nil
  }

  /// The text of a range; bytes that are no UTF-8 are replaced.
  static func text(_ line: Span<UInt8>, _ range: Range<Int>) -> String {
    let piece = line.extracting(range)
    // SAFETY: the buffer holds for the call.
    return unsafe piece.withUnsafeBufferPointer { unsafe String(decoding: $0, as: UTF8.self) }
  }

  /// The range without spaces and tabs at its ends.
  static func trimmed(_ line: Span<UInt8>, _ range: Range<Int>) -> Range<Int> {
    var start = range.lowerBound
    var end = range.upperBound
    while start < end, line[start] == 0x20 || line[start] == 0x09 { start += 1 }
    while end > start, line[end - 1] == 0x20 || line[end - 1] == 0x09 { end -= 1 }
    return start..<end
  }
}

/// What stands behind `#` in a result line or a plan.
enum TAPDirective {
  case skip, todo, expectedFailure, timeout, error

  /// The directive whose word begins there, in letters of either case; TAP takes any word that begins with SKIP.
  init?(_ line: Span<UInt8>, at start: Int, before end: Int) {
    var stop = start
    while stop < end, (line[stop] | 0x20) &- 0x61 < 26 { stop += 1 }
    func isWord(_ word: StaticString, orMore: Bool = false) -> Bool {
      guard stop - start == word.utf8CodeUnitCount || orMore && stop - start > word.utf8CodeUnitCount else {
        return false
      }
      for offset in 0..<word.utf8CodeUnitCount {
        // SAFETY: a text of ASCII has a pointer to as many bytes as it says.
        let letter = unsafe word.utf8Start[offset]
        guard line[start + offset] | 0x20 == letter else { return false }
      }
      return true
    }
    if isWord("skip", orMore: true) {
      self = .skip
    } else if isWord("todo") {
      self = .todo
    } else if isWord("xfail") {
      self = .expectedFailure
    } else if isWord("timeout") {
      self = .timeout
    } else if isWord("error") {
      self = .error
    } else {
      return nil
    }
  }

  /// What a result line with this directive comes to.
  func outcome(isOK: Bool) -> TestOutcome {
    switch self {
    case .skip: .skipped
    case .todo: isOK ? .passed : .expectedFailure
    case .expectedFailure: .expectedFailure
    case .timeout: .timedOut
    case .error: .error
    }
  }
}

/// A result line's parts.
struct TAPResultLine {
  /// Whether it says `ok`.
  var isOK: Bool
  /// The number, or nil where it has none.
  var number: Int?
  /// Where the description stands.
  var name: Range<Int>
  /// The directive, if there is one.
  var directive: TAPDirective?
  /// What stands behind the directive, or behind a `#` without one.
  var text: Range<Int>?

  /// Reads a line that begins with `ok` or `not ok`.
  ///
  /// - Parameter isNumbered: whether a line without a number is none, unless it says nothing else at all.
  init?(_ line: Span<UInt8>, at start: Int, before end: Int, isNumbered: Bool) {
    var index: Int
    if TAPLine.begins(line, at: start, before: end, with: "ok") {
      (isOK, index) = (true, start + 2)
    } else if TAPLine.begins(line, at: start, before: end, with: "not ok") {
      (isOK, index) = (false, start + 6)
    } else {
      return nil
    }
    name = index..<index
    if index < end {
      guard line[index] == 0x20 else { return nil }
      index += 1
      if let found = TAPLine.number(line, at: index, before: end),
        found.end == end || line[found.end] == 0x20 || line[found.end] == 0x09
      {
        number = found.value
        index = found.end
      } else if isNumbered {
        return nil
      } else {
        index -= 1
      }
    } else if isNumbered {
      return nil
    }
    readDescription(line, index, end)
  }

  private mutating func readDescription(_ line: Span<UInt8>, _ start: Int, _ end: Int) {
    var stop = end
    var index = start
    var first: Int?
    while index < end {
      if line[index] == UInt8(ascii: "#"), index > 0, line[index - 1] == 0x20 || line[index - 1] == 0x09 {
        var word = index + 1
        while word < end, line[word] == 0x20 { word += 1 }
        if let found = TAPDirective(line, at: word, before: end) {
          directive = found
          stop = index
          while word < end, line[word] != 0x20, line[word] != UInt8(ascii: ":") { word += 1 }
          if word < end { word += 1 }
          text = TAPLine.trimmed(line, word..<end)
          break
        }
        if first == nil, word > index + 1 || word == end { first = index }
      }
      index += 1
    }
    if directive == nil, let first {
      stop = first
      text = TAPLine.trimmed(line, first + 1..<end)
    }
    name = TAPLine.trimmed(line, start..<stop)
    if !name.isEmpty, line[name.lowerBound] == UInt8(ascii: "-"),
      name.count == 1 || line[name.lowerBound + 1] == 0x20
    {
      name = TAPLine.trimmed(line, name.lowerBound + 1..<stop)
    }
  }
}
