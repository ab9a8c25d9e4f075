internal import CGuestMemory
public import GuestMemory

/// The buffers of one request, checked: first what the device reads, then what it writes.
///
/// The storage is allocated once, for as many buffers as the longest chain may have, and used for one request after
/// the other; where a buffer lies in several pieces of the device's memory it grows, and stays so. Framing means
/// nothing (virtio 1.3, 2.7.4.1): a header may be split over buffers, so everything here works on bytes. Each byte is
/// read once, into a copy. For the device thread only.
@safe
public struct DescriptorChain: ~Copyable {
  /// The index of the first descriptor, by which the request is given back.
  public internal(set) var head: UInt16 = 0
  /// What is left to read, in bytes.
  public private(set) var readableBytes = 0
  /// What is left to write, in bytes.
  public private(set) var writableBytes = 0

  private var storage: UnsafeMutablePointer<DMASegment>
  /// The most buffers.
  private let capacity: Int
  /// How many segments this chain may have: the capacity, and one more for each piece beyond a buffer's first.
  private var limit: Int
  /// How many there is room for.
  private var room: Int
  private var firstReadable = 0
  private var readableEnd = 0
  private var firstWritable = 0
  private var count = 0

  /// The most segments of a chain, unless it has more buffers: what `preadv` takes (IOV_MAX, 1024), and some room for
  /// what a back-end puts before them.
  public static var segmentMaximum: Int { 1020 }

  /// - Parameter capacity: the most buffers that a chain may have.
  public init(capacity: Int) {
    precondition(capacity > 0, "a chain has room for a buffer")
    self.capacity = capacity
    limit = capacity
    room = capacity
    // SAFETY: freed in deinit and when it grows only; elements are trivial and are read only below `count`.
    unsafe storage = .allocate(capacity: capacity)
  }

  deinit {
    // SAFETY: allocated in init, and segments handed out are not kept beyond the request.
    unsafe storage.deallocate()
  }

  mutating func begin(head: UInt16) {
    self.head = head
    readableBytes = 0
    writableBytes = 0
    firstReadable = 0
    readableEnd = 0
    firstWritable = 0
    count = 0
    limit = capacity
  }

  /// `false`: there is no room for another buffer.
  @unsafe
  mutating func append(_ segment: DMASegment, isWritable: Bool) -> Bool {
    guard count < limit else { return false }
    // SAFETY: below the limit, for which there is room.
    unsafe storage[count] = segment
    count += 1
    if isWritable {
      unsafe writableBytes += segment.count
    } else {
      unsafe readableBytes += segment.count
      readableEnd = count
      firstWritable = count
    }
    return true
  }

  /// Appends a further piece of the buffer that was appended last. `false`: there are too many pieces.
  @unsafe
  mutating func appendPiece(_ piece: DMASegment, isWritable: Bool) -> Bool {
    // SAFETY: the buffer has a first piece.
    if unsafe storage[count - 1].base + storage[count - 1].count == piece.base {
      unsafe storage[count - 1].count += piece.count
      if isWritable { unsafe writableBytes += piece.count } else { unsafe readableBytes += piece.count }
      return true
    }
    let most = max(capacity, Self.segmentMaximum)
    guard count < most else { return false }
    limit = min(limit + 1, most)
    if limit > room { grow() }
    return unsafe append(piece, isWritable: isWritable)
  }

  private mutating func grow() {
    room = max(2 * room, limit)
    // SAFETY: as many elements as are in use are copied, and they are trivial; segments handed out are those of earlier
    // requests, which are over.
    let grown = UnsafeMutablePointer<DMASegment>.allocate(capacity: room)
    unsafe grown.update(from: storage, count: count)
    unsafe storage.deallocate()
    unsafe storage = grown
  }

  /// Buffers, those in several pieces once for each.
  var segmentCount: Int { count }

  /// The buffers to read, for `pwritev`. Valid for this request.
  @unsafe
  public var readableSegments: UnsafeMutableBufferPointer<DMASegment> {
    // SAFETY: the buffers from the first to the end of those to read are below `count`.
    unsafe UnsafeMutableBufferPointer(start: storage + firstReadable, count: readableEnd - firstReadable)
  }

  /// The buffers to write, for `preadv`. Valid for this request.
  @unsafe
  public var writableSegments: UnsafeMutableBufferPointer<DMASegment> {
    // SAFETY: the buffers from the first to write on are below `count`.
    unsafe UnsafeMutableBufferPointer(start: storage + firstWritable, count: count - firstWritable)
  }

  /// Copies the next `destination.count` readable bytes out and passes them by.
  ///
  /// - Returns: `false` where fewer are left; then nothing is passed by, and `destination` holds nothing of use.
  public mutating func takeReadable(into destination: UnsafeMutableRawBufferPointer) -> Bool {
    guard destination.count <= readableBytes else { return false }
    guard let start = destination.baseAddress else { return true }
    // SAFETY: there are bytes, so there is a segment; its bytes are in the window.
    if unsafe destination.count <= storage[firstReadable].count {
      unsafe guest_copy(start, storage[firstReadable].base, destination.count)
      dropReadable(destination.count)
      return true
    }
    var done = 0
    while done < destination.count {
      // SAFETY: there are bytes left, so there is a segment; its bytes are in the window.
      let piece = unsafe min(storage[firstReadable].count, destination.count - done)
      unsafe guest_copy(start + done, storage[firstReadable].base, piece)
      dropReadable(piece)
      done += piece
    }
    return true
  }

  /// Copies the next readable value out and passes it by. `Value` is trivial, and every pattern of bytes is one.
  @inlinable
  public mutating func takeReadable<Value: FixedWidthInteger & BitwiseCopyable>(as type: Value.Type) -> Value? {
    var value: Value = 0
    // SAFETY: an integer's bytes may be anything.
    let done = unsafe withUnsafeMutableBytes(of: &value) { unsafe takeReadable(into: $0) }
    return done ? Value(littleEndian: value) : nil
  }

  /// Passes `bytes` readable bytes by.
  ///
  /// - Precondition: there are that many.
  public mutating func skipReadable(_ bytes: Int) {
    precondition(bytes <= readableBytes, "only what is there can be skipped")
    var left = bytes
    while left > 0 {
      // SAFETY: there are bytes left, so there is a segment.
      let piece = unsafe min(storage[firstReadable].count, left)
      dropReadable(piece)
      left -= piece
    }
  }

  private mutating func dropReadable(_ bytes: Int) {
    // SAFETY: the caller found a segment with at least so many bytes.
    unsafe storage[firstReadable].base += bytes
    unsafe storage[firstReadable].count -= bytes
    readableBytes -= bytes
    if unsafe storage[firstReadable].count == 0 { firstReadable += 1 }
  }

  /// Takes the last writable byte off the chain and gives its place, for a status that follows the data.
  ///
  /// - Returns: `nil` where there is none.
  @unsafe
  public mutating func takeLastWritableByte() -> UnsafeMutableRawPointer? {
    guard writableBytes > 0 else { return nil }
    // SAFETY: a chain has no empty buffers, so the last one holds the last byte.
    unsafe storage[count - 1].count -= 1
    writableBytes -= 1
    let place = unsafe storage[count - 1].base + storage[count - 1].count
    if unsafe storage[count - 1].count == 0 { count -= 1 }
    return unsafe place
  }

  /// Copies as much of `source` as there is room for to the next writable bytes, and passes them by.
  ///
  /// - Returns: how many bytes were written.
  public mutating func write(_ source: UnsafeRawBufferPointer) -> Int {
    guard let bytes = source.baseAddress else { return 0 }
    let total = min(source.count, writableBytes)
    var done = 0
    while done < total {
      // SAFETY: there is room left, so there is a segment; its bytes are in the window.
      let piece = unsafe min(storage[firstWritable].count, total - done)
      unsafe guest_copy(storage[firstWritable].base, bytes + done, piece)
      skipInFirstWritable(piece)
      done += piece
    }
    return total
  }

  private mutating func skipInFirstWritable(_ bytes: Int) {
    // SAFETY: the caller found a segment with at least so many bytes.
    unsafe storage[firstWritable].base += bytes
    unsafe storage[firstWritable].count -= bytes
    writableBytes -= bytes
    if unsafe storage[firstWritable].count == 0 { firstWritable += 1 }
  }
}
