/// One run of a device's window as this process sees it, checked and ready for `preadv` or `pwritev`.
///
/// It has the layout of the C library's `struct iovec`. Who gets one must not keep it beyond the request for which it
/// was made, and must never look at the same bytes twice: the guest changes them at will.
@unsafe
@frozen
public struct DMASegment {
  public var base: UnsafeMutableRawPointer
  /// In bytes; never 0 in a chain.
  public var count: Int

  @inlinable
  public init(base: UnsafeMutableRawPointer, count: Int) {
    unsafe self.base = unsafe base
    unsafe self.count = count
  }
}
