internal import CHost
internal import Glibc

// RAM that begins as a file's bytes, which are read where they are touched: what a snapshot is restored into.

extension PrivateRAM {
  /// Bytes that are put over those of the mapped file.
  package struct Overlay: Sendable {
    /// The file they are read from; `nil` for zeroes.
    package var descriptor: Int32?
    /// Where they are in the memory and in the file, from the beginning of either.
    package var bytes: Range<UInt64>

    package init(descriptor: Int32?, bytes: Range<UInt64>) {
      self.descriptor = descriptor
      self.bytes = bytes
    }
  }

  /// Maps a file's bytes: those that nobody writes are shared with whoever maps the file, and take none of this
  /// process's memory. The file is not changed, and has to stay as it is.
  ///
  /// - Parameters:
  ///   - range: not empty; start and size are multiples of ``pageSize``. The file is as long at least.
  ///   - descriptor: of the file, open for reading. It may be closed afterwards.
  ///   - overlays: what is put over it. It takes memory.
  /// - Throws: ``GuestMemoryError/hostRefused(attempt:size:errno:)``, with EIO for a file that is too short.
  package init(
    range: GuestRange,
    mapping descriptor: Int32,
    overlays: [Overlay] = []
  ) throws(GuestMemoryError) {
    precondition(range.size > 0, "RAM is not empty")
    precondition(
      range.start.rawValue % Self.pageSize == 0 && range.size % Self.pageSize == 0,
      "RAM starts and ends at a page"
    )
    let mapping = try MemoryMapping(privateOf: range.size, file: descriptor)
    for overlay in overlays { try Self.put(overlay, into: mapping) }
    self.init(range: range, taking: mapping)
  }

  private static func put(_ overlay: Overlay, into mapping: MemoryMapping) throws(GuestMemoryError) {
    precondition(overlay.bytes.upperBound <= UInt64(mapping.size), "what is put over memory lies in it")
    let offset = Int(overlay.bytes.lowerBound)
    let count = overlay.bytes.count
    guard let descriptor = overlay.descriptor else { return mapping.zero(offset, count: count) }
    // SAFETY: the bytes lie in the mapping, which nobody else knows yet.
    let read = unsafe chost_read_at(descriptor, mapping.base + offset, count, overlay.bytes.lowerBound)
    guard read == Int64(count) else {
      let errno = read < 0 ? chost_errno() : EIO
      throw .hostRefused(attempt: "pread of a file", size: UInt64(count), errno: errno)
    }
  }

  /// Whether the mapped file was cut while it was in use: what it no longer has reads as zero.
  package var isLost: Bool { mapping.isLost }

  /// The pages that are the mapped file's no longer, even where this process hasn't any: bit N % 64 of word N / 64 is
  /// page N's. `nil` where no file is mapped.
  package var pagesWithoutFile: [UInt64]? { mapping.replacedPages }
}
