/// A value in a document, for whoever decodes it.
struct StateNode: Decoder {
  let document: StateDocument
  /// Where the value begins.
  let start: Int
  /// Where what it is in ends.
  let end: Int
  /// How many values it is in.
  let depth: Int

  var codingPath: [any CodingKey] { [] }
  var userInfo: [CodingUserInfoKey: Any] { [:] }

  /// The names of a structure's members.
  ///
  /// - Throws: `DecodingError` where it is no structure.
  func memberNames() throws -> [String] {
    guard try document.tag(start, end) == .object else { throw mismatch([String: Any].self, "a structure") }
    let content = try content()
    var names: [String] = []
    var index = content.lowerBound
    while index < content.upperBound {
      let (name, value) = try document.member(index, content.upperBound)
      names.append(name)
      index = try document.skip(value, content.upperBound)
    }
    return names
  }

  /// The document's one value.
  init(document: StateDocument) {
    self.init(document: document, start: document.start, end: document.bytes.count, depth: 0)
  }

  init(document: StateDocument, start: Int, end: Int, depth: Int) {
    self.document = document
    self.start = start
    self.end = end
    self.depth = depth
  }

  /// A value in this one's.
  func inner(_ start: Int, _ end: Int) -> StateNode {
    StateNode(document: document, start: start, end: end, depth: depth + 1)
  }

  func mismatch(_ type: Any.Type, _ wanted: String) -> DecodingError {
    .typeMismatch(type, .init(codingPath: [], debugDescription: "byte \(start): \(wanted) is wanted"))
  }

  /// Where an array or object begins behind its length, and where it ends.
  private func content() throws -> Range<Int> {
    var index = start + 1
    let length = try document.word(&index, end)
    guard length <= end - index else { throw document.corrupted("longer than what there is", at: start) }
    return index..<index + length
  }

  func container<Key: CodingKey>(keyedBy type: Key.Type) throws -> KeyedDecodingContainer<Key> {
    guard try document.tag(start, end) == .object else { throw mismatch([String: Any].self, "a structure") }
    return KeyedDecodingContainer(KeyedStateDecoding(node: self, content: try content()))
  }

  func unkeyedContainer() throws -> any UnkeyedDecodingContainer {
    switch try document.tag(start, end) {
    case .array:
      let content = try content()
      var index = content.lowerBound
      let count = try document.word(&index, content.upperBound)
      // Each has a byte at least.
      guard count <= content.upperBound - index else { throw document.corrupted("more than there are", at: start) }
      return StateElementsDecoding(node: self, count: count, index: index, end: content.upperBound)
    case .integers: return try StateIntegersDecoding(node: self)
    default: throw mismatch([Any].self, "a list")
    }
  }

  func singleValueContainer() -> any SingleValueDecodingContainer { SingleStateDecoding(node: self) }
}

private struct SingleStateDecoding: SingleValueDecodingContainer {
  let node: StateNode
  var codingPath: [any CodingKey] { [] }

  // What is missing here is so when it is decoded.
  func decodeNil() -> Bool { (try? node.document.isNull(node.start, node.end)) ?? false }

  func decode<Value: Decodable>(_ type: Value.Type) throws -> Value {
    try node.document.value(type, node.inner(node.start, node.end))
  }
}

/// Where the last member was found that was asked for: the next one is mostly the one behind it.
private final class StateCursor {
  var member: Int

  init(_ member: Int) {
    self.member = member
  }
}

private struct KeyedStateDecoding<Key: CodingKey>: KeyedDecodingContainerProtocol {
  let node: StateNode
  let content: Range<Int>
  let cursor: StateCursor

  init(node: StateNode, content: Range<Int>) {
    self.node = node
    self.content = content
    cursor = StateCursor(content.lowerBound)
  }

  var codingPath: [any CodingKey] { [] }

  var allKeys: [Key] {
    var keys: [Key] = []
    var index = content.lowerBound
    while index < content.upperBound, let (name, value) = try? member(index) {
      if let key = Key(stringValue: name) { keys.append(key) }
      guard let next = try? node.document.skip(value, content.upperBound) else { break }
      index = next
    }
    return keys
  }

  private func member(_ start: Int) throws -> (name: String, value: Int) {
    try node.document.member(start, content.upperBound)
  }

  /// Where a member's value begins; nil where it isn't there.
  private func find(_ wanted: String) throws -> Int? {
    let first = cursor.member
    var index = first
    while index < content.upperBound {
      let (name, value) = try member(index)
      if name == wanted {
        cursor.member = index
        return value
      }
      index = try node.document.skip(value, content.upperBound)
    }
    index = content.lowerBound
    while index < first {
      let (name, value) = try member(index)
      if name == wanted {
        cursor.member = index
        return value
      }
      index = try node.document.skip(value, content.upperBound)
    }
    return nil
  }

  private func inner(_ key: some CodingKey) throws -> StateNode {
    guard let value = try find(key.stringValue) else {
      let context = DecodingError.Context(codingPath: [], debugDescription: "byte \(node.start): it is missing")
      throw DecodingError.keyNotFound(key, context)
    }
    return node.inner(value, content.upperBound)
  }

  func contains(_ key: Key) -> Bool { (try? find(key.stringValue)) ?? nil != nil }

  func decodeNil(forKey key: Key) throws -> Bool {
    let inner = try inner(key)
    return try node.document.isNull(inner.start, inner.end)
  }

  func decode<Value: Decodable>(_ type: Value.Type, forKey key: Key) throws -> Value {
    try node.document.value(type, inner(key))
  }

  func nestedContainer<Nested: CodingKey>(
    keyedBy type: Nested.Type,
    forKey key: Key
  ) throws -> KeyedDecodingContainer<Nested> {
    try inner(key).container(keyedBy: type)
  }

  func nestedUnkeyedContainer(forKey key: Key) throws -> any UnkeyedDecodingContainer {
    try inner(key).unkeyedContainer()
  }

  func superDecoder() throws -> any Decoder { try inner(StateSuperKey()) }

  func superDecoder(forKey key: Key) throws -> any Decoder { try inner(key) }
}

private struct StateElementsDecoding: UnkeyedDecodingContainer {
  let node: StateNode
  let elements: Int
  private(set) var currentIndex = 0
  private var index: Int
  private let end: Int

  init(node: StateNode, count: Int, index: Int, end: Int) {
    self.node = node
    elements = count
    self.index = index
    self.end = end
  }

  var codingPath: [any CodingKey] { [] }
  var count: Int? { elements }
  var isAtEnd: Bool { currentIndex >= elements }

  /// The next element, and where the one behind it begins.
  private func next(_ type: Any.Type) throws -> (node: StateNode, following: Int) {
    guard !isAtEnd else {
      let context = DecodingError.Context(codingPath: [], debugDescription: "byte \(node.start): no more elements")
      throw DecodingError.valueNotFound(type, context)
    }
    return (node.inner(index, end), try node.document.skip(index, end))
  }

  private mutating func take<Value>(_ type: Any.Type, _ read: (StateNode) throws -> Value) throws -> Value {
    let (inner, following) = try next(type)
    let value = try read(inner)
    currentIndex += 1
    index = following
    return value
  }

  mutating func decodeNil() throws -> Bool {
    let (inner, following) = try next(Never.self)
    guard try node.document.isNull(inner.start, inner.end) else { return false }
    currentIndex += 1
    index = following
    return true
  }

  mutating func decode<Value: Decodable>(_ type: Value.Type) throws -> Value {
    try take(type) { try $0.document.value(type, $0) }
  }

  mutating func nestedContainer<Nested: CodingKey>(
    keyedBy type: Nested.Type
  ) throws -> KeyedDecodingContainer<Nested> {
    try take(type) { try $0.container(keyedBy: type) }
  }

  mutating func nestedUnkeyedContainer() throws -> any UnkeyedDecodingContainer {
    try take([Any].self) { try $0.unkeyedContainer() }
  }

  mutating func superDecoder() throws -> any Decoder { try take(Never.self) { $0 } }
}

/// The elements of a list of integers, one after the other: for what is no array itself.
private struct StateIntegersDecoding: UnkeyedDecodingContainer {
  let node: StateNode
  private let size: Int
  private let isSigned: Bool
  private let bytes: Range<Int>
  private(set) var currentIndex = 0

  init(node: StateNode) throws {
    self.node = node
    (size, isSigned, bytes) = try node.document.integers(node.start + 1, node.end)
  }

  var codingPath: [any CodingKey] { [] }
  var count: Int? { bytes.count / size }
  var isAtEnd: Bool { currentIndex >= bytes.count / size }

  mutating func decodeNil() -> Bool { false }

  mutating func decode<Value: Decodable>(_ type: Value.Type) throws -> Value {
    guard !isAtEnd else {
      let context = DecodingError.Context(codingPath: [], debugDescription: "byte \(node.start): no more elements")
      throw DecodingError.valueNotFound(type, context)
    }
    var bits: UInt64 = 0
    let start = bytes.lowerBound + currentIndex * size
    for byte in 0..<size { bits |= UInt64(node.document.bytes[start + byte]) << UInt64(8 * byte) }
    let empty = UInt64(64 - 8 * size)
    let number = Int64(bitPattern: bits << empty) >> Int64(empty)
    // Read as what was written as one value.
    let value = try StateCoding.encode(isSigned ? StateInteger.signed(number) : .unsigned(bits))
    let document = try StateDocument(value)
    let result = try document.value(type, StateNode(document: document))
    currentIndex += 1
    return result
  }

  mutating func nestedContainer<Nested: CodingKey>(
    keyedBy type: Nested.Type
  ) throws -> KeyedDecodingContainer<Nested> {
    throw node.mismatch(type, "a structure")
  }

  mutating func nestedUnkeyedContainer() throws -> any UnkeyedDecodingContainer {
    throw node.mismatch([Any].self, "a list")
  }

  mutating func superDecoder() throws -> any Decoder { throw node.mismatch(Never.self, "a structure") }
}

private enum StateInteger: Encodable {
  case signed(Int64)
  case unsigned(UInt64)

  func encode(to encoder: any Encoder) throws {
    var container = encoder.singleValueContainer()
    switch self {
    case .signed(let number): try container.encode(number)
    case .unsigned(let number): try container.encode(number)
    }
  }
}
