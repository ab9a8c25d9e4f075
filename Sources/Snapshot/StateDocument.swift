/// Bytes of coded states, and the names of fields in them.
final class StateDocument {
  let bytes: [UInt8]
  private(set) var names: [String] = []
  /// Where the value begins.
  private(set) var start = 0

  /// - Throws: `DecodingError` for what does not begin as it should, or has something behind its value.
  init(_ bytes: [UInt8]) throws {
    self.bytes = bytes
    guard bytes.starts(with: StateCoding.magic) else { throw corrupted("not in the form of version 1", at: 0) }
    var index = StateCoding.magic.count
    // Each name has a byte at least: more cannot be there.
    let count = try length(&index, bytes.count)
    names.reserveCapacity(count)
    for _ in 0..<count { names.append(try text(&index, bytes.count)) }
    start = index
    guard try skip(start, bytes.count) == bytes.count else { throw corrupted("more than one value", at: start) }
  }

  /// What is wrong, and where.
  func corrupted(_ reason: String, at index: Int) -> DecodingError {
    .dataCorrupted(.init(codingPath: [], debugDescription: "byte \(index): \(reason)"))
  }

  // MARK: Pieces

  /// A number of one byte for each seven bits, before `end`; the index goes behind it.
  func number(_ index: inout Int, _ end: Int) throws -> UInt64 {
    var number: UInt64 = 0
    var shift: UInt64 = 0
    while index < end {
      let byte = bytes[index]
      index += 1
      // The tenth byte has one bit left.
      guard shift < 63 || byte <= 1 else { throw corrupted("a number is too large", at: index - 1) }
      number |= UInt64(byte & 0x7F) << shift
      if byte < 0x80 { return number }
      shift += 7
    }
    throw corrupted("it ends in a number", at: index)
  }

  /// A length or count of what has a byte or more each, and follows before `end`.
  func length(_ index: inout Int, _ end: Int) throws -> Int {
    let number = try number(&index, end)
    guard number <= UInt64(end - index) else { throw corrupted("longer than what there is", at: index) }
    return Int(number)
  }

  /// Four bytes, the lowest first.
  func word(_ index: inout Int, _ end: Int) throws -> Int {
    guard end - index >= 4 else { throw corrupted("it ends in a length", at: index) }
    var word = 0
    for byte in 0..<4 { word |= Int(bytes[index + byte]) << (8 * byte) }
    index += 4
    return word
  }

  private func text(_ index: inout Int, _ end: Int) throws -> String {
    let count = try length(&index, end)
    guard let text = String(validating: bytes[index..<index + count], as: UTF8.self) else {
      throw corrupted("a text is not UTF-8", at: index)
    }
    index += count
    return text
  }

  /// The tag of the value at `index`; nil for a small number.
  func tag(_ index: Int, _ end: Int) throws -> StateCoding.Tag? {
    guard index < end else { throw corrupted("a value is missing", at: index) }
    let byte = bytes[index]
    if byte >= StateCoding.smallBase { return nil }
    guard let tag = StateCoding.Tag(rawValue: byte) else { throw corrupted("a value of no known kind", at: index) }
    return tag
  }

  /// The index behind the value.
  func skip(_ start: Int, _ end: Int) throws -> Int {
    guard let tag = try tag(start, end) else { return start + 1 }
    var index = start + 1
    switch tag {
    case .null, .no, .yes: return index
    case .unsigned, .negative: _ = try number(&index, end)
    case .real: index += 8
    case .text: index += try length(&index, end)
    case .integers: index = try integers(index, end).bytes.upperBound
    case .array, .object: index += try word(&index, end)
    }
    guard index <= end else { throw corrupted("longer than what there is", at: start) }
    return index
  }

  /// Integers of one type, whose description begins at `start`.
  func integers(_ start: Int, _ end: Int) throws -> (size: Int, isSigned: Bool, bytes: Range<Int>) {
    guard start < end else { throw corrupted("it ends in a list", at: start) }
    let kind = bytes[start]
    guard kind & 7 <= 3, kind < 16 else { throw corrupted("integers of no known type", at: start) }
    var index = start + 1
    let count = try length(&index, end)
    let size = 1 << Int(kind & 7)
    guard count <= (end - index) / size else { throw corrupted("longer than what there is", at: start) }
    return (size, kind & 8 != 0, index..<index + count * size)
  }

  /// The name of a structure's member, and where its value begins.
  func member(_ start: Int, _ end: Int) throws -> (name: String, value: Int) {
    var index = start
    let number = try number(&index, end)
    guard number < UInt64(names.count) else { throw corrupted("a field without a name", at: start) }
    return (names[Int(number)], index)
  }

  // MARK: Values

  func isNull(_ index: Int, _ end: Int) throws -> Bool { try tag(index, end) == .null }

  /// An integer in two's complement, and whether it is negative.
  private func integer(_ node: StateNode) throws -> (bits: UInt64, isNegative: Bool) {
    var index = node.start + 1
    switch try tag(node.start, node.end) {
    case nil: return (UInt64(bytes[node.start] - StateCoding.smallBase), false)
    case .unsigned: return (try number(&index, node.end), false)
    case .negative:
      let bits = ~(try number(&index, node.end))
      guard bits >> 63 == 1 else { throw corrupted("a number is too small", at: node.start) }
      return (bits, true)
    default: throw node.mismatch(UInt64.self, "a number")
    }
  }

  private func integer<Integer: FixedWidthInteger>(_ type: Integer.Type, _ node: StateNode) throws -> Integer {
    let (bits, isNegative) = try integer(node)
    let number = isNegative ? Integer(exactly: Int64(bitPattern: bits)) : Integer(exactly: bits)
    guard let number else { throw corrupted("a number that does not fit", at: node.start) }
    return number
  }

  private func integers<Integer: FixedWidthInteger>(_ type: Integer.Type, _ node: StateNode) throws -> [Integer] {
    guard try tag(node.start, node.end) == .integers else { throw node.mismatch([Integer].self, "a list of integers") }
    let (size, isSigned, range) = try integers(node.start + 1, node.end)
    guard size == MemoryLayout<Integer>.size, isSigned == Integer.isSigned else {
      throw node.mismatch([Integer].self, "a list of such integers")
    }
    let count = range.count / size
    // SAFETY: as many bytes as so many integers have are copied into what was made for them; any bytes are integers.
    return unsafe [Integer](unsafeUninitializedCapacity: count) { buffer, filled in
      unsafe bytes.withUnsafeBytes { all in
        unsafe UnsafeMutableRawBufferPointer(buffer).copyMemory(from: UnsafeRawBufferPointer(rebasing: all[range]))
      }
      filled = count
    }
  }

  private func real(_ node: StateNode) throws -> Double {
    guard try tag(node.start, node.end) == .real else { throw node.mismatch(Double.self, "a number with fractions") }
    guard node.end - node.start > 8 else { throw corrupted("it ends in a number", at: node.start) }
    var bits: UInt64 = 0
    for byte in 0..<8 { bits |= UInt64(bytes[node.start + 1 + byte]) << UInt64(8 * byte) }
    return Double(bitPattern: bits)
  }

  private func text(_ node: StateNode) throws -> String {
    guard try tag(node.start, node.end) == .text else { throw node.mismatch(String.self, "a text") }
    var index = node.start + 1
    return try text(&index, node.end)
  }

  private func boolean(_ node: StateNode) throws -> Bool {
    switch try tag(node.start, node.end) {
    case .yes: true
    case .no: false
    default: throw node.mismatch(Bool.self, "yes or no")
    }
  }

  /// Reads a value: what is frequent without its own decoding.
  func value<Value: Decodable>(_ type: Value.Type, _ node: StateNode) throws -> Value {
    // SAFETY: in each line what was read is of the type that it becomes.
    if type == UInt32.self { return unsafe unsafeBitCast(try integer(UInt32.self, node), to: type) }
    if type == UInt64.self { return unsafe unsafeBitCast(try integer(UInt64.self, node), to: type) }
    if type == Bool.self { return unsafe unsafeBitCast(try boolean(node), to: type) }
    if type == Int.self { return unsafe unsafeBitCast(try integer(Int.self, node), to: type) }
    if type == String.self { return unsafe unsafeBitCast(try text(node), to: type) }
    if type == [UInt8].self { return unsafe unsafeBitCast(try integers(UInt8.self, node), to: type) }
    // SAFETY: as above.
    if type == [UInt64].self { return unsafe unsafeBitCast(try integers(UInt64.self, node), to: type) }
    if type == [UInt32].self { return unsafe unsafeBitCast(try integers(UInt32.self, node), to: type) }
    if type == UInt8.self { return unsafe unsafeBitCast(try integer(UInt8.self, node), to: type) }
    if type == UInt16.self { return unsafe unsafeBitCast(try integer(UInt16.self, node), to: type) }
    if type == Int64.self { return unsafe unsafeBitCast(try integer(Int64.self, node), to: type) }
    if type == Int32.self { return unsafe unsafeBitCast(try integer(Int32.self, node), to: type) }
    if type == UInt.self { return unsafe unsafeBitCast(try integer(UInt.self, node), to: type) }
    // SAFETY: as above.
    if type == Int16.self { return unsafe unsafeBitCast(try integer(Int16.self, node), to: type) }
    if type == Int8.self { return unsafe unsafeBitCast(try integer(Int8.self, node), to: type) }
    if type == Double.self { return unsafe unsafeBitCast(try real(node), to: type) }
    if type == [UInt16].self { return unsafe unsafeBitCast(try integers(UInt16.self, node), to: type) }
    if type == [Int64].self { return unsafe unsafeBitCast(try integers(Int64.self, node), to: type) }
    if type == [Int].self { return unsafe unsafeBitCast(try integers(Int.self, node), to: type) }
    guard node.depth < 2 * StateCoding.maximumDepth else { throw corrupted("nested too deep", at: node.start) }
    return try Value(from: node)
  }
}
