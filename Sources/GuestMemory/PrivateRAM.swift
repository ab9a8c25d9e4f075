internal import CHost

/// The guest's RAM: private anonymous memory of this process.
///
/// No device can name it: device models are handed DMA windows. It is reachable only by whoever owns the value, which
/// is the part of the machine that loads the kernel. The guest changes it at any time, so nothing here hands out a
/// `Span`: bytes are copied in, and loaders get an unsafe pointer for the length of one call.
///
/// Untouched pages take no memory of the host. The mapping goes when the value does, or with the last open
/// ``DMAWindow`` over it.
public struct PrivateRAM: ~Copyable, Sendable {
  /// Where the guest sees the memory. Start and size are multiples of ``pageSize``.
  public let range: GuestRange

  let mapping: MemoryMapping

  // SAFETY: the mapping lives as long as this value.
  private var base: UnsafeMutableRawPointer { unsafe mapping.base }

  /// The pages that the host is to give.
  public enum Pages: Sendable {
    /// Small ones, unless the host gives huge ones to everyone.
    case small
    /// Transparent huge pages (`MADV_HUGEPAGE`), as far as the host has them free; small ones where its kernel knows
    /// no others.
    case hugeWherePossible
    /// The same, and a host whose kernel knows none is refused.
    case huge
  }

  /// The granule of a mapping on this host, in bytes.
  public static var pageSize: UInt64 { UInt64(chost_page_size()) }

  /// Maps zeroed memory.
  ///
  /// - Parameters:
  ///   - range: not empty; start and size are multiples of ``pageSize``.
  ///   - pages: what the host is asked for. Memory for huge pages starts where one may.
  /// - Throws: ``GuestMemoryError/hostRefused(attempt:size:errno:)``, with EINVAL where the kernel has no huge pages
  ///   and nothing else will do.
  public init(range: GuestRange, pages: Pages = .small) throws(GuestMemoryError) {
    precondition(range.size > 0, "RAM is not empty")
    precondition(
      range.start.rawValue % Self.pageSize == 0 && range.size % Self.pageSize == 0,
      "RAM starts and ends at a page"
    )
    mapping = try MemoryMapping(privateOf: range.size, pages)
    self.range = range
  }

  init(range: GuestRange, taking mapping: MemoryMapping) {
    self.range = range
    self.mapping = mapping
  }

  /// The address of the first byte in this process, for KVM's memory slot.
  ///
  /// Valid as long as the value lives.
  @unsafe
  public var hostAddress: UnsafeMutableRawPointer {
    // SAFETY: the mapping lives as long as this value, and the caller vouches for no longer use.
    unsafe base
  }

  /// Copies `bytes` to `address`.
  ///
  /// - Throws: ``GuestMemoryError/outOfRange(_:count:in:)``; then nothing was written.
  public func write(_ bytes: Span<UInt8>, at address: GuestAddress) throws(GuestMemoryError) {
    // SAFETY: both buffers hold for the call; the destination has exactly as many bytes as are copied.
    try unsafe withUnsafeMutableBytes(at: address, count: UInt64(bytes.count)) { destination in
      unsafe bytes.withUnsafeBytes { source in
        unsafe destination.copyMemory(from: source)
      }
    }
  }

  /// Copies `count` bytes from `address` out.
  ///
  /// - Throws: ``GuestMemoryError/outOfRange(_:count:in:)``.
  public func read(at address: GuestAddress, count: Int) throws(GuestMemoryError) -> [UInt8] {
    // SAFETY: the buffer holds for the call and is copied before it ends.
    try unsafe withUnsafeMutableBytes(at: address, count: UInt64(count)) { unsafe [UInt8]($0) }
  }

  /// Makes the bytes of `zeroed` zero. Whole pages go back to the host, so that zeroing touches no memory.
  ///
  /// - Throws: ``GuestMemoryError/outOfRange(_:count:in:)``; then nothing was zeroed.
  public func zero(_ zeroed: GuestRange) throws(GuestMemoryError) {
    guard range.contains(zeroed.start, count: zeroed.size) else {
      throw .outOfRange(zeroed.start, count: zeroed.size, in: range)
    }
    mapping.zero(Int(zeroed.start.rawValue - range.start.rawValue), count: Int(zeroed.size))
  }

  /// Gives a loader the bytes themselves, so that a file is read or decompressed to where it belongs.
  ///
  /// - Parameters:
  ///   - address: of the first byte.
  ///   - count: in bytes; all of them lie in ``range``.
  ///   - body: must not keep the pointer. A running guest may change the bytes at any moment.
  /// - Throws: ``GuestMemoryError/outOfRange(_:count:in:)``.
  @unsafe
  public func withUnsafeMutableBytes<Result>(
    at address: GuestAddress,
    count: UInt64,
    _ body: (UnsafeMutableRawBufferPointer) -> Result
  ) throws(GuestMemoryError) -> Result {
    guard range.contains(address, count: count) else { throw .outOfRange(address, count: count, in: range) }
    let offset = Int(address.rawValue - range.start.rawValue)
    // SAFETY: the range was checked to lie in RAM, which is as large as the mapping.
    return unsafe body(UnsafeMutableRawBufferPointer(start: base + offset, count: Int(count)))
  }

  /// How much of the memory the host has given pages to, in bytes.
  ///
  /// - Throws: ``GuestMemoryError/hostRefused(attempt:size:errno:)``.
  public func residentSize() throws(GuestMemoryError) -> UInt64 {
    // SAFETY: the mapping is ours and of this size.
    let resident = unsafe chost_resident_size(base, Int(range.size))
    guard resident >= 0 else { throw .hostRefused(attempt: "mincore", size: range.size, errno: chost_errno()) }
    return UInt64(resident)
  }
}
