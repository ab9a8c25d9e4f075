internal import CGuestMemory

/// One run of a device's window as this process sees it, checked and ready for `preadv` or `pwritev`.
///
/// It has the layout of the C library's `struct iovec`. Who gets one must not keep it beyond the request for which it
/// was made, and must never look at the same bytes twice: the guest changes them at will.
@unsafe
@frozen
public struct DMASegment {
  /// The address of the first byte in this process.
  public var base: UnsafeMutableRawPointer
  /// In bytes; never 0 in a chain.
  public var count: Int

  @inlinable
  public init(base: UnsafeMutableRawPointer, count: Int) {
    // SAFETY: two values are stored; who uses them vouches for what they say.
    unsafe self.base = unsafe base
    unsafe self.count = count
  }
}

extension UnsafeMutableBufferPointer<DMASegment> {
  /// Copies the first bytes of a packet, each read once.
  ///
  /// - Parameter count: of bytes, no more than the segments have.
  @unsafe
  package func copyStart(to destination: UnsafeMutableRawPointer, count: Int) {
    var done = 0
    for index in indices where done < count {
      // SAFETY: the index is one of the buffer's.
      let segment = unsafe self[index]
      let piece = unsafe Swift.min(segment.count, count - done)
      // SAFETY: the piece is in the segment, and the destination has room for `count` bytes.
      unsafe guest_copy(destination + done, segment.base, piece)
      done += piece
    }
  }
}
