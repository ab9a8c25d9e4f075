/// Takes a payload apart; each read behind its end is ``RMError/messageInvalid``.
struct PayloadReader {
  private var rest: ArraySlice<UInt8>

  init(_ payload: [UInt8]) { rest = payload[...] }

  mutating func take<Value: FixedWidthInteger>(_ type: Value.Type = Value.self) throws(RMError) -> Value {
    let size = MemoryLayout<Value>.size
    guard rest.count >= size else { throw .messageInvalid }
    defer { rest = rest.dropFirst(size) }
    return rest.prefix(size).reversed().reduce(0) { $0 << 8 | Value(truncatingIfNeeded: $1) }
  }

  mutating func skip(_ count: Int) throws(RMError) {
    guard rest.count >= count else { throw .messageInvalid }
    rest = rest.dropFirst(count)
  }

  /// - Throws: ``RMError/messageInvalid`` where something is left: a message is exactly as long as its contents.
  func end() throws(RMError) {
    guard rest.isEmpty else { throw .messageInvalid }
  }
}

/// Puts a payload together, little-endian.
struct PayloadWriter {
  private(set) var bytes: [UInt8] = []

  mutating func put<Value: FixedWidthInteger>(_ value: Value) {
    for index in 0..<MemoryLayout<Value>.size { bytes.append(UInt8(truncatingIfNeeded: value >> Value(8 * index))) }
  }
}
