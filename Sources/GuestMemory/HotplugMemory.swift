internal import CHost
import Host

/// The memory of a region that a guest plugs and unplugs in blocks.
///
/// It is a memfd of its own, which no device's ``DMASpace`` can have, sealed against shrinking and growing and mapped
/// once, whole: where a block is in this process never changes. What the guest has not touched takes no memory of the
/// host's, and ``giveBack(_:count:)`` returns what it has. All members may be used from any thread.
@safe
public final class HotplugMemory: Sendable {
  /// Where the guest sees the memory. Start and size are multiples of ``PrivateRAM/pageSize``.
  public let range: GuestRange

  private let descriptor: MemoryDescriptor
  let mapping: MemoryMapping

  /// Reserves the addresses of the whole region, which takes no memory.
  ///
  /// - Parameters:
  ///   - name: at most 200 bytes of UTF-8; part of the memfd's name.
  ///   - range: not empty; start and size are multiples of ``PrivateRAM/pageSize``.
  /// - Throws: ``GuestMemoryError/hostRefused(attempt:size:errno:)``.
  public init(name: String, range: GuestRange) throws(GuestMemoryError) {
    precondition(range.size > 0, "a region is not empty")
    precondition(
      range.start.rawValue % PrivateRAM.pageSize == 0 && range.size % PrivateRAM.pageSize == 0,
      "a region starts and ends at a page"
    )
    precondition(name.utf8.count <= 200, "a region's name fits a memfd's")
    descriptor = try MemoryDescriptor(name: "apus-memory-\(name)", size: range.size)
    // SAFETY: a new mapping at an address of the kernel's choice touches nothing that exists.
    guard let base = unsafe chost_map_shared_huge(descriptor.rawValue, Int(range.size)) else {
      throw .hostRefused(attempt: "mmap of a memfd", size: range.size, errno: chost_errno())
    }
    // SAFETY: the mapping was just made with this size and nobody else knows it.
    mapping = unsafe MemoryMapping(base: base, size: Int(range.size))
    self.range = range
  }

  /// The address of the first byte in this process, for KVM's memory slots. Valid as long as the object lives.
  @unsafe
  public var hostAddress: UnsafeMutableRawPointer {
    // SAFETY: the mapping lives as long as the object, and the caller vouches for no longer use.
    unsafe mapping.base
  }

  /// The memfd, whose byte N is the region's. Valid as long as the object lives.
  package var fileDescriptor: Int32 { descriptor.rawValue }

  /// Gives memory back to the host. It reads as zero from then on, and is taken anew where it is touched.
  ///
  /// - Parameters:
  ///   - offset: of the first byte from the region's start, a multiple of ``PrivateRAM/pageSize``.
  ///   - count: in bytes, a multiple of ``PrivateRAM/pageSize``.
  /// - Throws: ``GuestMemoryError/hostRefused(attempt:size:errno:)``.
  public func giveBack(_ offset: UInt64, count: UInt64) throws(GuestMemoryError) {
    precondition(offset <= range.size && count <= range.size - offset, "the memory lies in the region")
    guard chost_memory_give_back(descriptor.rawValue, offset, count) == 0 else {
      throw .hostRefused(attempt: "fallocate of a hole", size: count, errno: chost_errno())
    }
  }

  /// How much of the host's memory the region has, in bytes.
  ///
  /// - Throws: ``GuestMemoryError/hostRefused(attempt:size:errno:)``.
  public func residentSize() throws(GuestMemoryError) -> UInt64 {
    let size = chost_memory_allocated(descriptor.rawValue)
    guard size >= 0 else { throw .hostRefused(attempt: "fstat", size: range.size, errno: chost_errno()) }
    return UInt64(size)
  }
}
