/// Takes a fuzzer's input apart. Behind the end everything is zero.
public struct ByteReader {
  private let bytes: [UInt8]
  private var position = 0

  /// - Parameter start: of `count` bytes, which are copied.
  @unsafe
  public init(_ start: UnsafePointer<UInt8>?, _ count: Int) {
    // SAFETY: the fuzzer gives as many bytes as it says.
    bytes = unsafe Array(UnsafeBufferPointer(start: start, count: count))
  }

  public init(_ bytes: [UInt8]) {
    self.bytes = bytes
  }

  public var isAtEnd: Bool { position >= bytes.count }

  public mutating func byte() -> UInt8 {
    guard position < bytes.count else { return 0 }
    defer { position += 1 }
    return bytes[position]
  }

  public mutating func number<Value: FixedWidthInteger>(_ type: Value.Type) -> Value {
    (0..<MemoryLayout<Value>.size).reduce(0) { $0 | Value(truncatingIfNeeded: byte()) << Value(8 * $1) }
  }

  public mutating func bytes(_ count: Int) -> [UInt8] {
    (0..<count).map { _ in byte() }
  }
}
