/// What was encoded so far.
final class StateEncoding {
  /// A container that elements or members still come to.
  private struct Open {
    /// Where its value began.
    let slot: Int
    let isArray: Bool
    var count: UInt32
  }

  private var body: [UInt8] = []
  private var names: [String] = []
  private var numbers: [String: Int] = [:]
  /// For each name the one that came behind it last: mostly it does so again.
  private var followers: [Int] = []
  private var lastName = -1
  private var open: [Open] = []
  private var failure: EncodingError?

  fileprivate var position: Int { body.count }
  fileprivate var depth: Int { open.count }

  init() {
    body.reserveCapacity(4096)
  }

  /// - Throws: what could not be told where it happened.
  func finish() throws -> [UInt8] {
    close(to: 0)
    if let failure { throw failure }
    var bytes = StateCoding.magic
    bytes.reserveCapacity(body.count + 16 * names.count + 16)
    Self.append(UInt64(names.count), to: &bytes)
    for name in names {
      Self.append(UInt64(name.utf8.count), to: &bytes)
      bytes += name.utf8
    }
    return bytes + body
  }

  // MARK: Values

  /// Writes a value: what is frequent without its own encoding.
  func put<Value: Encodable>(_ value: Value, path: @autoclosure () -> [any CodingKey]) throws {
    // SAFETY: in each line the value is of the type that it is taken for.
    if Value.self == UInt32.self { return put(UInt64(unsafe unsafeBitCast(value, to: UInt32.self))) }
    if Value.self == UInt64.self { return put(unsafe unsafeBitCast(value, to: UInt64.self)) }
    if Value.self == Bool.self { return put(unsafe unsafeBitCast(value, to: Bool.self) ? .yes : .no) }
    if Value.self == Int.self { return put(signed: Int64(unsafe unsafeBitCast(value, to: Int.self))) }
    if Value.self == String.self { return put(unsafe unsafeBitCast(value, to: String.self)) }
    if Value.self == [UInt8].self { return put(integers: unsafe unsafeBitCast(value, to: [UInt8].self)) }
    // SAFETY: as above.
    if Value.self == [UInt64].self { return put(integers: unsafe unsafeBitCast(value, to: [UInt64].self)) }
    if Value.self == [UInt32].self { return put(integers: unsafe unsafeBitCast(value, to: [UInt32].self)) }
    if Value.self == UInt8.self { return put(UInt64(unsafe unsafeBitCast(value, to: UInt8.self))) }
    if Value.self == UInt16.self { return put(UInt64(unsafe unsafeBitCast(value, to: UInt16.self))) }
    if Value.self == Int64.self { return put(signed: unsafe unsafeBitCast(value, to: Int64.self)) }
    if Value.self == Int32.self { return put(signed: Int64(unsafe unsafeBitCast(value, to: Int32.self))) }
    if Value.self == UInt.self { return put(UInt64(unsafe unsafeBitCast(value, to: UInt.self))) }
    // SAFETY: as above.
    if Value.self == Int16.self { return put(signed: Int64(unsafe unsafeBitCast(value, to: Int16.self))) }
    if Value.self == Int8.self { return put(signed: Int64(unsafe unsafeBitCast(value, to: Int8.self))) }
    if Value.self == Double.self { return put(unsafe unsafeBitCast(value, to: Double.self)) }
    if Value.self == [UInt16].self { return put(integers: unsafe unsafeBitCast(value, to: [UInt16].self)) }
    if Value.self == [Int64].self { return put(integers: unsafe unsafeBitCast(value, to: [Int64].self)) }
    if Value.self == [Int].self { return put(integers: unsafe unsafeBitCast(value, to: [Int].self)) }
    guard open.count < StateCoding.maximumDepth else {
      throw EncodingError.invalidValue(value, .init(codingPath: path(), debugDescription: "nested too deep"))
    }
    let slot = body.count
    let depth = open.count
    try value.encode(to: StateEncoder(coding: self, slot: slot, depth: depth, codingPath: path()))
    // What encodes nothing is a structure without fields.
    if body.count == slot { begin(isArray: false) }
    close(to: depth)
  }

  fileprivate func put(_ tag: StateCoding.Tag) { body.append(tag.rawValue) }

  private func put(_ number: UInt64) {
    if number < StateCoding.smallLimit {
      body.append(StateCoding.smallBase + UInt8(truncatingIfNeeded: number))
    } else {
      put(.unsigned)
      Self.append(number, to: &body)
    }
  }

  private func put(signed number: Int64) {
    if number >= 0 { return put(UInt64(number)) }
    put(.negative)
    Self.append(UInt64(bitPattern: ~number), to: &body)
  }

  private func put(_ number: Double) {
    put(.real)
    for shift in stride(from: 0, to: 64, by: 8) {
      body.append(UInt8(truncatingIfNeeded: number.bitPattern >> UInt64(shift)))
    }
  }

  private func put(_ text: String) {
    put(.text)
    Self.append(UInt64(text.utf8.count), to: &body)
    body += text.utf8
  }

  private func put<Integer: FixedWidthInteger>(integers: [Integer]) {
    put(.integers)
    let size = UInt8(truncatingIfNeeded: MemoryLayout<Integer>.size.trailingZeroBitCount)
    body.append(size | (Integer.isSigned ? 8 : 0))
    Self.append(UInt64(integers.count), to: &body)
    #if _endian(little)
      // SAFETY: integers are nothing but bytes, which are appended before the buffer goes.
      unsafe integers.withUnsafeBytes { unsafe body.append(contentsOf: $0) }
    #else
      #error("the bytes have to be turned round")
    #endif
  }

  private static func append(_ number: UInt64, to bytes: inout [UInt8]) {
    var rest = number
    while rest >= 0x80 {
      bytes.append(UInt8(truncatingIfNeeded: rest) | 0x80)
      rest >>= 7
    }
    bytes.append(UInt8(truncatingIfNeeded: rest))
  }

  // MARK: Containers

  /// Begins an array or an object where the next value belongs.
  fileprivate func begin(isArray: Bool) {
    open.append(Open(slot: body.count, isArray: isArray, count: 0))
    put(isArray ? .array : .object)
    for _ in 0..<(isArray ? 8 : 4) { body.append(0) }
  }

  /// Ends containers until there are so many.
  fileprivate func close(to depth: Int) {
    while open.count > depth {
      let ended = open.removeLast()
      let length = UInt32(truncatingIfNeeded: body.count - ended.slot - 5)
      if body.count - ended.slot > Int(UInt32.max) { fail("too large") }
      set(length, at: ended.slot + 1)
      if ended.isArray { set(ended.count, at: ended.slot + 5) }
    }
  }

  private func set(_ number: UInt32, at index: Int) {
    for byte in 0..<4 { body[index + byte] = UInt8(truncatingIfNeeded: number >> UInt32(8 * byte)) }
  }

  /// Begins a container for the value at a slot, or goes on with the one that was begun there.
  fileprivate func container(slot: Int, depth: Int, isArray: Bool) {
    if body.count == slot && open.count == depth {
      begin(isArray: isArray)
    } else if open.count > depth, open[depth].slot == slot, open[depth].isArray == isArray {
      close(to: depth + 1)
    } else {
      fail("a value has a second container")
    }
  }

  /// Makes a container the innermost one, for its next member or element.
  fileprivate func resume(slot: Int, depth: Int) {
    guard open.count > depth, open[depth].slot == slot else {
      return fail("a container was ended before its last value")
    }
    close(to: depth + 1)
    if open[depth].isArray { open[depth].count += 1 }
  }

  fileprivate func count(depth: Int) -> Int { open.count > depth ? Int(open[depth].count) : 0 }

  fileprivate func name(_ name: String) {
    if lastName >= 0, followers[lastName] >= 0, names[followers[lastName]] == name {
      lastName = followers[lastName]
    } else {
      let number = numbers[name] ?? names.count
      if number == names.count {
        numbers[name] = number
        names.append(name)
        followers.append(-1)
      }
      if lastName >= 0 { followers[lastName] = number }
      lastName = number
    }
    Self.append(UInt64(lastName), to: &body)
  }

  fileprivate func fail(_ reason: String) {
    if failure == nil { failure = .invalidValue(reason, .init(codingPath: [], debugDescription: reason)) }
  }
}

private struct StateEncoder: Encoder {
  let coding: StateEncoding
  /// Where the value begins.
  let slot: Int
  /// How many containers it is in.
  let depth: Int
  let codingPath: [any CodingKey]
  var userInfo: [CodingUserInfoKey: Any] { [:] }

  func container<Key: CodingKey>(keyedBy type: Key.Type) -> KeyedEncodingContainer<Key> {
    coding.container(slot: slot, depth: depth, isArray: false)
    return KeyedEncodingContainer(KeyedStateEncoding(coding: coding, slot: slot, depth: depth, codingPath: codingPath))
  }

  func unkeyedContainer() -> any UnkeyedEncodingContainer {
    coding.container(slot: slot, depth: depth, isArray: true)
    return StateElementsEncoding(coding: coding, slot: slot, depth: depth, codingPath: codingPath)
  }

  func singleValueContainer() -> any SingleValueEncodingContainer { SingleStateEncoding(encoder: self) }
}

private struct SingleStateEncoding: SingleValueEncodingContainer {
  let encoder: StateEncoder
  var codingPath: [any CodingKey] { encoder.codingPath }

  private func check() {
    if encoder.coding.position != encoder.slot { encoder.coding.fail("a value has a second one") }
  }

  func encodeNil() {
    check()
    encoder.coding.put(.null)
  }

  func encode(_ value: some Encodable) throws {
    check()
    try encoder.coding.put(value, path: codingPath)
  }
}

private struct KeyedStateEncoding<Key: CodingKey>: KeyedEncodingContainerProtocol {
  let coding: StateEncoding
  let slot: Int
  let depth: Int
  let codingPath: [any CodingKey]

  private func begin(_ key: some CodingKey) {
    coding.resume(slot: slot, depth: depth)
    coding.name(key.stringValue)
  }

  func encodeNil(forKey key: Key) {
    begin(key)
    coding.put(.null)
  }

  func encode(_ value: some Encodable, forKey key: Key) throws {
    begin(key)
    try coding.put(value, path: codingPath + [key])
  }

  func nestedContainer<Nested: CodingKey>(
    keyedBy type: Nested.Type,
    forKey key: Key
  ) -> KeyedEncodingContainer<Nested> {
    begin(key)
    return nested(codingPath + [key]).container(keyedBy: type)
  }

  func nestedUnkeyedContainer(forKey key: Key) -> any UnkeyedEncodingContainer {
    begin(key)
    return nested(codingPath + [key]).unkeyedContainer()
  }

  func superEncoder() -> any Encoder { superEncoder(StateSuperKey()) }

  func superEncoder(forKey key: Key) -> any Encoder { superEncoder(key) }

  private func superEncoder(_ key: some CodingKey) -> any Encoder {
    begin(key)
    return nested(codingPath + [key])
  }

  private func nested(_ path: [any CodingKey]) -> StateEncoder {
    StateEncoder(coding: coding, slot: coding.position, depth: coding.depth, codingPath: path)
  }
}

private struct StateElementsEncoding: UnkeyedEncodingContainer {
  let coding: StateEncoding
  let slot: Int
  let depth: Int
  let codingPath: [any CodingKey]

  var count: Int { coding.count(depth: depth) }

  func encodeNil() {
    coding.resume(slot: slot, depth: depth)
    coding.put(.null)
  }

  func encode(_ value: some Encodable) throws {
    coding.resume(slot: slot, depth: depth)
    try coding.put(value, path: codingPath)
  }

  func nestedContainer<Nested: CodingKey>(keyedBy type: Nested.Type) -> KeyedEncodingContainer<Nested> {
    nested().container(keyedBy: type)
  }

  func nestedUnkeyedContainer() -> any UnkeyedEncodingContainer { nested().unkeyedContainer() }

  func superEncoder() -> any Encoder { nested() }

  private func nested() -> StateEncoder {
    coding.resume(slot: slot, depth: depth)
    return StateEncoder(coding: coding, slot: coding.position, depth: coding.depth, codingPath: codingPath)
  }
}

/// The name under which a class keeps what its superclass encodes.
struct StateSuperKey: CodingKey {
  var stringValue: String { "super" }
  var intValue: Int? { nil }

  init() {}
  init?(stringValue: String) { nil }
  init?(intValue: Int) { nil }
}
