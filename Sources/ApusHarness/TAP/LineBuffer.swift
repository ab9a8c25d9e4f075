/// Finds lines in chunks of bytes, and keeps the begin of one whose end has not come yet.
///
/// A line ends at a line feed or a carriage return, so what a serial port makes of a line feed ends one and has an
/// empty one behind it. More than the limit of a line is not kept, however long it is.
struct LineBuffer {
  /// Where the next line is.
  enum Place {
    /// In the chunk, without its end.
    case inChunk(Range<Int>)
    /// In ``LineBuffer/bytes``, which the caller empties by ``LineBuffer/clear()``.
    case inBuffer
    /// Its end is not in this chunk.
    case nowhere
  }

  /// The begin of a line that is in several chunks.
  private(set) var bytes: [UInt8] = []
  /// Whether the line has control characters other than tabs.
  private(set) var hasControls = false
  /// The index of the last `[` in the line, -1 where there is none; of a line in several chunks, beyond its end.
  private(set) var lastBracket = -1
  /// How many lines were longer than the limit.
  private(set) var cutLines = 0

  private let limit: Int
  private var isUnfinished = false
  private var isCut = false

  init(limit: Int) {
    self.limit = limit
  }

  /// Goes on to the end of the next line.
  ///
  /// - Parameters:
  ///   - chunk: the bytes.
  ///   - index: where to begin; afterwards, where the next call begins.
  mutating func next(in chunk: Span<UInt8>, from index: inout Int) -> Place {
    let start = index
    var end = index
    if !isUnfinished { hasControls = false }
    var controls = false
    var bracket = -1
    while true {
      end = Self.next(in: chunk, from: end)
      guard end < chunk.count else { break }
      let byte = chunk[end]
      if byte == 0x0A || byte == 0x0D { break }
      if byte == UInt8(ascii: "[") { bracket = end - start } else if byte != 0x09 { controls = true }
      end += 1
    }
    if controls { hasControls = true }
    lastBracket = isUnfinished ? .max : bracket
    if end == chunk.count {
      index = end
      if end > start || isUnfinished { keep(chunk.extracting(start..<end)) }
      return .nowhere
    }
    index = end + 1
    if isUnfinished {
      keep(chunk.extracting(start..<end))
      return .inBuffer
    }
    guard end - start > limit else { return .inChunk(start..<end) }
    cutLines += 1
    return .inChunk(start..<start + limit)
  }

  /// The index of the next control character or `[`, eight bytes at a time.
  private static func next(in chunk: Span<UInt8>, from start: Int) -> Int {
    // SAFETY: the buffer holds for the call, and eight bytes are loaded where there are eight.
    unsafe chunk.withUnsafeBytes { bytes in
      let count = bytes.count
      let ones: UInt64 = 0x0101_0101_0101_0101
      var index = start
      while index + 8 <= count {
        let word = unsafe bytes.loadUnaligned(fromByteOffset: index, as: UInt64.self)
        let brackets = word ^ 0x5B5B_5B5B_5B5B_5B5B
        // The lowest bit that is set tells the first such byte; those above it may be wrong.
        let found = ((word &- 0x2020_2020_2020_2020) & ~word | (brackets &- ones) & ~brackets) & (ones << 7)
        if found != 0 { return index + UInt64(littleEndian: found).trailingZeroBitCount / 8 }
        index += 8
      }
      while index < count {
        let byte = unsafe bytes[index]
        if byte < 0x20 || byte == 0x5B { return index }
        index += 1
      }
      return count
    }
  }

  /// Whether a line has begun whose end has not come.
  var hasRest: Bool { isUnfinished }

  /// Takes the bytes of a line out, to be given back by ``clear(_:)``.
  mutating func take() -> [UInt8] {
    var taken: [UInt8] = []
    swap(&taken, &bytes)
    return taken
  }

  /// The line has been read; its memory is used anew.
  mutating func clear(_ taken: consuming [UInt8]) {
    bytes = taken
    bytes.removeAll(keepingCapacity: true)
    isUnfinished = false
    isCut = false
  }

  private mutating func keep(_ piece: Span<UInt8>) {
    isUnfinished = true
    let room = limit - bytes.count
    if piece.count > room, !isCut {
      isCut = true
      cutLines += 1
    }
    for index in 0..<min(room, piece.count) { bytes.append(piece[index]) }
  }
}

/// What a terminal acts upon, taken out of a line.
enum ControlBytes {
  /// The line without escape sequences (ECMA-48) and control characters other than tabs.
  static func removed(from line: Span<UInt8>) -> [UInt8] {
    var result: [UInt8] = []
    result.reserveCapacity(line.count)
    var index = 0
    while index < line.count {
      let byte = line[index]
      index += 1
      if byte >= 0x20 && byte != 0x7F || byte == 0x09 {
        result.append(byte)
      } else if byte == 0x1B, index < line.count {
        let kind = line[index]
        index += 1
        if kind == UInt8(ascii: "[") {
          // Parameters and intermediate bytes, then the final one.
          while index < line.count, line[index] < 0x40, line[index] >= 0x20 { index += 1 }
          if index < line.count, line[index] >= 0x40 { index += 1 }
        } else if kind == UInt8(ascii: "]") {
          // A text for the terminal, up to BEL or ESC \.
          while index < line.count, line[index] != 0x07, line[index] != 0x1B { index += 1 }
          if index < line.count { index += line[index] == 0x1B ? 2 : 1 }
        }
      }
    }
    return result
  }
}
