/// One message: the header word and at most ``SCMIMessage/maximumPayload`` bytes of payload, held in place.
///
/// A message is a plain value without references: a device copies a request out of guest memory into one of these,
/// and everything that looks at the request looks at that copy.
public struct SCMIMessage: Sendable {
  /// In bytes, status word included. Linux 6.12's virtio transport (`VIRTIO_SCMI_MAX_MSG_SIZE`) offers as much.
  public static let maximumPayload = 128
  /// In bytes, header included.
  public static let maximumSize = 4 + maximumPayload

  /// The first word.
  public var header: MessageHeader
  @usableFromInline
  var words: InlineArray<32, UInt32>
  @usableFromInline
  var length: Int

  /// Written out, since it is eight stores then, where the array's repeating initializer is a call and a loop.
  @inlinable
  @inline(__always)
  static var zeros: InlineArray<32, UInt32> {
    [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]
  }

  /// Length of the payload in bytes, 0 to ``SCMIMessage/maximumPayload``.
  @inlinable
  public var count: Int { length }

  @inlinable
  public init(header: MessageHeader) {
    self.header = header
    words = SCMIMessage.zeros
    length = 0
  }

  /// A message with a payload of words, for tests and tools.
  ///
  /// - Precondition: at most 32 words.
  public init(header: MessageHeader, payload: [UInt32]) {
    self.init(header: header)
    for word in payload { append(word) }
  }

  /// Why bytes are no message.
  public enum DecodingError: Error, Sendable {
    /// Shorter than a header.
    case truncated
    /// More payload than ``SCMIMessage/maximumPayload``. The header could be read.
    case oversized(MessageHeader)
  }

  /// Reads the little-endian bytes of a header and its payload.
  ///
  /// - Throws: ``DecodingError``, where there is no whole header, or more payload than a message has.
  @inlinable
  public init(bytes: Span<UInt8>) throws(DecodingError) {
    guard bytes.count >= 4 else { throw .truncated }
    // Not through another initializer: that would be a copy of the whole message.
    header = MessageHeader(rawValue: SCMIMessage.word(bytes, at: 0))
    words = SCMIMessage.zeros
    length = 0
    let payload = bytes.count - 4
    guard payload <= SCMIMessage.maximumPayload else { throw .oversized(header) }
    var offset = 0
    while offset + 4 <= payload {
      words[offset >> 2] = SCMIMessage.word(bytes, at: 4 + offset)
      offset += 4
    }
    while offset < payload {
      words[offset >> 2] |= UInt32(bytes[4 + offset]) << (8 * UInt32(offset & 3))
      offset += 1
    }
    setCount(payload)
  }

  /// - Throws: ``DecodingError``, where there is no whole header, or more payload than a message has.
  @inlinable
  public init(bytes: [UInt8]) throws(DecodingError) {
    try self.init(bytes: bytes.span)
  }

  @inlinable
  static func word(_ bytes: Span<UInt8>, at offset: Int) -> UInt32 {
    UInt32(bytes[offset]) | UInt32(bytes[offset + 1]) << 8
      | UInt32(bytes[offset + 2]) << 16 | UInt32(bytes[offset + 3]) << 24
  }

  /// Header and payload, in bytes.
  @inlinable
  public var size: Int { 4 + count }

  /// Writes the message and never beyond the end of `bytes`: what does not fit is cut off.
  ///
  /// - Returns: how many bytes were written.
  @inlinable
  public func write(to bytes: inout MutableSpan<UInt8>) -> Int {
    let end = min(size, bytes.count)
    // SAFETY: the closure writes to 0..<end, which lies within the span, and does not let the pointer out.
    unsafe bytes.withUnsafeMutableBytes { unsafe copy(to: $0, end: end) }
    return end
  }

  /// - Precondition: `end` ≤ ``size``, and `destination` has as many bytes.
  @usableFromInline
  func copy(to destination: UnsafeMutableRawBufferPointer, end: Int) {
    precondition(end <= size && end <= destination.count, "a message is written within its buffer")
    guard end >= 4 else {
      // SAFETY: end ≤ the destination's size.
      return unsafe copy(header.rawValue, to: destination, from: 0, end: end)
    }
    // SAFETY: 4 ≤ end ≤ the destination's size.
    unsafe destination.storeBytes(of: header.rawValue.littleEndian, toByteOffset: 0, as: UInt32.self)
    var index = 0
    while 4 * index + 8 <= end {
      // SAFETY: 4 × index + 8 ≤ end ≤ the destination's size.
      unsafe destination.storeBytes(of: words[index].littleEndian, toByteOffset: 4 * index + 4, as: UInt32.self)
      index += 1
    }
    guard 4 * index + 4 < end else { return }
    // SAFETY: end ≤ the destination's size.
    unsafe copy(words[index], to: destination, from: 4 * index + 4, end: end)
  }

  /// The first bytes of a word that does not fit.
  private func copy(_ word: UInt32, to destination: UnsafeMutableRawBufferPointer, from offset: Int, end: Int) {
    for index in offset..<end {
      let byte = UInt8(truncatingIfNeeded: word >> (8 * UInt32(index - offset)))
      // SAFETY: index < end ≤ the destination's size.
      unsafe destination.storeBytes(of: byte, toByteOffset: index, as: UInt8.self)
    }
  }

  /// The message as bytes, for tests, transcripts and tools.
  public var bytes: [UInt8] {
    var result: [UInt8] = []
    result.reserveCapacity(size)
    for shift in stride(from: UInt32(0), to: 32, by: 8) {
      result.append(UInt8(truncatingIfNeeded: header.rawValue >> shift))
    }
    for offset in 0..<count {
      result.append(UInt8(truncatingIfNeeded: words[offset >> 2] >> (8 * UInt32(offset & 3))))
    }
    return result
  }

  /// The payload's words; a last one that is incomplete is filled up with zeros.
  public var payload: [UInt32] {
    var result: [UInt32] = []
    for index in 0..<(count + 3) / 4 { result.append(words[index]) }
    return result
  }

  /// The payload's word `index`.
  ///
  /// - Precondition: `index` is in 0..<32. Words behind ``count`` are zero.
  @inlinable
  public subscript(word index: Int) -> UInt32 {
    get { words[index] }
    set { words[index] = newValue }
  }

  /// Two words, low one first, as one number.
  @inlinable
  public subscript(pair index: Int) -> UInt64 {
    UInt64(words[index]) | UInt64(words[index + 1]) << 32
  }

  /// The first word of a reply.
  @inlinable
  public var status: SCMIStatus {
    get { SCMIStatus(rawValue: Int32(bitPattern: words[0])) }
    set { words[0] = UInt32(bitPattern: newValue.rawValue) }
  }

  /// Makes the payload longer (with what the words held) or shorter. The words behind the end become zero.
  ///
  /// - Precondition: 0 to ``SCMIMessage/maximumPayload`` bytes.
  @inlinable
  public mutating func resize(to bytes: Int) {
    let previous = count
    setCount(bytes)
    var index = (bytes + 3) >> 2
    while index < (previous + 3) >> 2 {
      words[index] = 0
      index += 1
    }
  }

  @usableFromInline
  mutating func setCount(_ bytes: Int) {
    precondition(bytes >= 0 && bytes <= SCMIMessage.maximumPayload, "a payload has 0 to 128 bytes")
    length = bytes
  }
}

// MARK: - Writing a reply

extension SCMIMessage {
  /// Payload bytes that are still free.
  var room: Int { SCMIMessage.maximumPayload - count }

  /// - Precondition: there is room and the payload's length is a multiple of four.
  @inline(__always)
  mutating func append(_ word: UInt32) {
    words[count >> 2] = word
    length += 4
  }

  @inline(__always)
  mutating func append(_ value: UInt64) {
    append(UInt32(truncatingIfNeeded: value))
    append(UInt32(truncatingIfNeeded: value >> 32))
  }

  mutating func append(_ value: Int64) {
    append(UInt64(bitPattern: value))
  }

  /// Appends a name as a field of `size` bytes (16 or 64): cut to size − 1 bytes, filled up with zeros.
  mutating func append(name: String, size: Int) {
    let base = count
    for _ in 0..<size / 4 { append(UInt32(0)) }
    var offset = base
    for byte in name.utf8.prefix(size - 1) {
      words[offset >> 2] |= UInt32(byte) << (8 * UInt32(offset & 3))
      offset += 1
    }
  }

  /// Writes fields over those that begin at a byte of the payload.
  ///
  /// - Precondition: as many bytes are there, and the place is a multiple of four.
  mutating func replace(_ fields: some MessageFields, at place: Int) {
    let end = count
    setCount(place)
    append(fields)
    precondition(count <= end, "fields are written over others")
    setCount(end)
  }

  /// An empty reply to `request`: the same header, room for the status.
  @inline(__always)
  init(replyTo request: SCMIMessage) {
    header = request.header
    words = SCMIMessage.zeros
    length = 4
  }
}

extension SCMIMessage: Equatable {
  public static func == (left: SCMIMessage, right: SCMIMessage) -> Bool {
    guard left.header == right.header, left.count == right.count else { return false }
    for index in 0..<32 where left.words[index] != right.words[index] { return false }
    return true
  }
}
