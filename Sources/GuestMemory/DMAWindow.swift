internal import CHost
import Host

/// What a device may reach of the guest's memory, and nothing else.
///
/// A *confined* window is a memfd of its own, sealed against shrinking and growing and mapped once. The machine gives
/// it a KVM memory slot of its own and describes it to the guest as a `restricted-dma-pool`, so that every ring and
/// every buffer of the devices that use it lies inside. An *open* window is the whole of the guest's RAM, for kernels
/// that know no such pool; who makes one says so.
///
/// A device never gets the window: it gets a ``DMASpace``.
public struct DMAWindow: ~Copyable, Sendable {
  /// How much of the guest's memory a window is.
  public enum Extent: Equatable, Sendable {
    /// The window's own memfd and nothing else.
    case confined
    /// All of the guest's RAM.
    case open
  }

  /// The name by which the configuration and the report know it. It is part of the memfd's name, too.
  public let name: String
  /// Where the guest sees the window. Start and size are multiples of ``PrivateRAM/pageSize``.
  public let range: GuestRange
  /// Whether the window has memory of its own.
  public let extent: Extent

  let memory: Memory

  /// What the window keeps alive, and every space that shows it.
  struct Memory: Sendable {
    let mapping: MemoryMapping
    /// `nil`: memory of this process alone.
    let descriptor: MemoryDescriptor?
  }

  /// Makes a confined window of zeroed memory.
  ///
  /// - Parameters:
  ///   - name: at most 200 bytes of UTF-8.
  ///   - range: not empty; start and size are multiples of ``PrivateRAM/pageSize``.
  /// - Throws: ``GuestMemoryError/hostRefused(attempt:size:errno:)``.
  public init(name: String, range: GuestRange) throws(GuestMemoryError) {
    precondition(range.size > 0, "a window is not empty")
    precondition(
      range.start.rawValue % PrivateRAM.pageSize == 0 && range.size % PrivateRAM.pageSize == 0,
      "a window starts and ends at a page"
    )
    precondition(name.utf8.count <= 200, "a window's name fits a memfd's")
    let descriptor = try MemoryDescriptor(name: "apus-dma-\(name)", size: range.size)
    // SAFETY: a new mapping at an address of the kernel's choice touches nothing that exists.
    guard let base = unsafe chost_map_shared_huge(descriptor.rawValue, Int(range.size)) else {
      throw .hostRefused(attempt: "mmap of a memfd", size: range.size, errno: chost_errno())
    }
    // SAFETY: the mapping was just made with this size and nobody else knows it.
    memory = unsafe Memory(
      mapping: MemoryMapping(base: base, size: Int(range.size)),
      descriptor: descriptor
    )
    self.name = name
    self.range = range
    self.extent = .confined
  }

  /// Makes an open window: whoever holds a space of it reaches all of `ram`.
  public init(name: String, opening ram: borrowing PrivateRAM) {
    memory = Memory(mapping: ram.mapping, descriptor: nil)
    self.name = name
    self.range = ram.range
    self.extent = .open
  }

  /// The memfd, to be lent to another process or mapped there; `nil` for an open window. Valid as long as the value.
  public var fileDescriptor: Int32? { memory.descriptor?.rawValue }

  /// The address of the first byte in this process, for KVM's memory slot. Valid as long as the value lives.
  @unsafe
  public var hostAddress: UnsafeMutableRawPointer {
    // SAFETY: the mapping lives as long as the window, and the caller vouches for no longer use.
    unsafe memory.mapping.base
  }

  /// A space for one device that sees this window and, at first, nothing else.
  public func makeSpace() -> DMASpace {
    DMASpace(window: memory, range: range, extent: extent)
  }
}

/// Owns a sealed memfd.
final class MemoryDescriptor: Sendable {
  private let descriptor: OwnedDescriptor
  var rawValue: Int32 { descriptor.rawValue }

  init(name: String, size: UInt64) throws(GuestMemoryError) {
    var attempt: UnsafePointer<CChar>?
    // SAFETY: the name lives for the call; the text that comes back is a constant of the shim's.
    let descriptor = unsafe chost_sealed_memory(name, Int(size), &attempt)
    guard descriptor >= 0 else {
      let reason = chost_errno()
      // SAFETY: as above; the shim always sets it.
      let attempted = unsafe attempt.map { unsafe String(cString: $0) } ?? "memfd_create"
      throw .hostRefused(attempt: attempted, size: size, errno: reason)
    }
    self.descriptor = OwnedDescriptor(owning: descriptor)
  }
}
