internal import CHost

extension PrivateRAM {
  /// Maps memory whose pages come from a file as they are touched. What is written stays this mapping's.
  ///
  /// - Parameters:
  ///   - range: not empty; start and size are multiples of ``pageSize``.
  ///   - descriptor: of the file, whose byte N is the memory's. It may be closed afterwards; the file has to stay as it
  ///     is as long as the memory is there.
  /// - Throws: ``GuestMemoryError/hostRefused(attempt:size:errno:)``.
  public init(range: GuestRange, mapping descriptor: Int32) throws(GuestMemoryError) {
    // SAFETY: a new mapping at an address of the kernel's choice touches nothing that exists.
    guard let base = unsafe chost_map_private_file(descriptor, Int(range.size)) else {
      throw .hostRefused(attempt: "mmap of a snapshot's file", size: range.size, errno: chost_errno())
    }
    // SAFETY: the mapping was just made with this size and nobody else knows it.
    self.init(range: range, mapping: unsafe MemoryMapping(base: base, size: Int(range.size)))
  }
}
