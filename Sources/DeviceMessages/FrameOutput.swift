internal import CHost
internal import Glibc

/// Frames on their way out: what the socket has no room for stays here.
@safe
final class FrameOutput {
  // SAFETY: allocated in init, released in deinit; `start` and `end` are never beyond the capacity. Pages that were
  // never used take no memory.
  private let buffer: UnsafeMutableRawPointer
  private let capacity: Int
  private var start = 0
  private var end = 0

  /// - Parameter capacity: in bytes.
  init(capacity: Int) {
    self.capacity = capacity
    unsafe buffer = .allocate(byteCount: capacity, alignment: 64)
  }

  deinit {
    unsafe buffer.deallocate()
  }

  var isEmpty: Bool { start == end }

  /// How many bytes wait.
  var count: Int { end - start }

  /// Room for so many bytes, which wait to be sent from now on: for the caller to fill at once. `nil`: there is none.
  @unsafe
  func append(_ count: Int) -> UnsafeMutableRawPointer? {
    if end + count > capacity, start > 0 {
      // SAFETY: both inside the buffer.
      unsafe buffer.copyMemory(from: buffer + start, byteCount: end - start)
      (start, end) = (0, end - start)
    }
    guard end + count <= capacity else { return nil }
    end += count
    // SAFETY: inside the buffer.
    return unsafe buffer + end - count
  }

  /// Appends a frame whose header says how long its body is.
  ///
  /// - Throws: ``MessageFault/full``.
  func append(_ header: FrameHeader, _ body: [UInt8] = []) throws(MessageFault) {
    var header = header
    header.length = UInt32(body.count)
    guard let place = unsafe append(MessageWire.headerSize + body.count) else { throw .full }
    // SAFETY: there is room for both.
    unsafe header.store(at: place)
    unsafe body.withUnsafeBytes { bytes in
      guard let base = bytes.baseAddress else { return }
      unsafe (place + MessageWire.headerSize).copyMemory(from: base, byteCount: bytes.count)
    }
  }

  /// Sends what there is room for.
  ///
  /// - Returns: whether all of it has gone.
  /// - Throws: ``MessageFault/gone``.
  func flush(_ descriptor: Int32) throws(MessageFault) -> Bool {
    while start < end {
      // SAFETY: inside the buffer.
      let sent = unsafe chost_peer_send(descriptor, buffer + start, end - start)
      if sent == -Int64(EAGAIN) { return false }
      guard sent >= 0 else { throw .gone }
      start += Int(sent)
    }
    (start, end) = (0, 0)
    return true
  }
}

extension FrameHeader {
  /// Writes the header.
  @unsafe
  func store(at place: UnsafeMutableRawPointer) {
    let words = words
    // SAFETY: the caller has room for sixteen bytes.
    unsafe place.storeBytes(of: words.0.littleEndian, as: UInt64.self)
    unsafe (place + 8).storeBytes(of: words.1.littleEndian, as: UInt64.self)
  }
}

/// Numbers in a frame's body.
extension [UInt8] {
  mutating func append<Value: FixedWidthInteger>(number: Value) {
    for index in 0..<MemoryLayout<Value>.size { append(UInt8(truncatingIfNeeded: number >> Value(8 * index))) }
  }
}

/// Reads a frame's body from its beginning.
struct BodyReader {
  private let bytes: [UInt8]
  private var position = 0

  init(_ bytes: [UInt8]) {
    self.bytes = bytes
  }

  /// What was not read yet.
  var rest: [UInt8] { Array(bytes[position...]) }

  /// - Throws: ``MessageFault/badCount`` where there are no such bytes.
  mutating func number<Value: FixedWidthInteger>(_ type: Value.Type) throws(MessageFault) -> Value {
    let size = MemoryLayout<Value>.size
    guard bytes.count - position >= size else { throw .badCount }
    var value: UInt64 = 0
    for index in 0..<size { value |= UInt64(bytes[position + index]) << UInt64(8 * index) }
    position += size
    return Value(truncatingIfNeeded: value)
  }

  /// - Throws: ``MessageFault/badCount`` where there are not as many.
  mutating func take(_ count: Int) throws(MessageFault) -> [UInt8] {
    guard bytes.count - position >= count else { throw .badCount }
    position += count
    return Array(bytes[position - count..<position])
  }

  /// - Throws: ``MessageFault/badCount`` where something is left.
  func end() throws(MessageFault) {
    guard position == bytes.count else { throw .badCount }
  }
}
