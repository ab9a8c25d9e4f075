/// A queue of bytes of fixed capacity. It allocates once, when it is made.
package struct ByteRing: ~Copyable {
  private var bytes: [UInt8]
  private var head = 0

  /// How many bytes wait.
  package private(set) var count = 0

  /// - Parameter capacity: a power of two, in bytes.
  package init(capacity: Int) {
    precondition(capacity.nonzeroBitCount == 1, "a ring's capacity is a power of two")
    bytes = [UInt8](repeating: 0, count: capacity)
  }

  /// A queue of these bytes, with room for so many and more.
  ///
  /// - Parameter capacity: a power of two, in bytes: what it has room for at least.
  package init(holding bytes: [UInt8], capacity: Int) {
    var room = capacity
    while room < bytes.count { room *= 2 }
    self.init(capacity: room)
    for byte in bytes { _ = append(byte) }
  }

  /// The bytes that wait, in the order in which they came.
  package var contents: [UInt8] { (0..<count).map { bytes[(head + $0) & (bytes.count - 1)] } }

  /// How many bytes fit at most.
  package var capacity: Int { bytes.count }

  /// How many more bytes fit now.
  package var space: Int { bytes.count - count }

  /// - Returns: false where the ring is full.
  package mutating func append(_ byte: UInt8) -> Bool {
    guard count < bytes.count else { return false }
    bytes[(head + count) & (bytes.count - 1)] = byte
    count += 1
    return true
  }

  /// Takes the byte that was put in first; nil where there is none.
  package mutating func removeFirst() -> UInt8? {
    guard count > 0 else { return nil }
    let byte = bytes[head]
    head = (head + 1) & (bytes.count - 1)
    count -= 1
    return byte
  }

  /// Takes up to `limit` of the oldest bytes.
  package mutating func removeFirst(limit: Int) -> [UInt8] {
    let number = min(limit, count)
    let taken = (0..<number).map { bytes[(head + $0) & (bytes.count - 1)] }
    head = (head + number) & (bytes.count - 1)
    count -= number
    return taken
  }
}
