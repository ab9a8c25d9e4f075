internal import CHost

/// A mapping of this process, shared by those who keep it alive: unmapped with the last of them.
///
/// The owners that the rest of the machine sees (``PrivateRAM``, ``DMAWindow``) are noncopyable; this is what stands
/// behind them, so that a space or an open window never outlives the bytes that it reaches.
@safe
final class MemoryMapping: @unchecked Sendable {
  // SAFETY: @unchecked: immutable but for the guest's bytes, which are only ever reached as raw memory.

  let base: UnsafeMutableRawPointer
  /// In bytes.
  let size: Int
  /// Whether another process may shorten the file behind it.
  private let isForeign: Bool

  /// Takes a mapping over: of `chost_foreign_map` where it is foreign.
  @unsafe
  init(base: UnsafeMutableRawPointer, size: Int, isForeign: Bool = false) {
    unsafe self.base = base
    self.size = size
    self.isForeign = isForeign
    keepOutOfDumps()
  }

  /// Maps zeroed private memory.
  init(privateOf size: UInt64, _ pages: PrivateRAM.Pages) throws(GuestMemoryError) {
    let isHuge = pages != .small
    // SAFETY: a new anonymous mapping at an address of the kernel's choice touches nothing that exists.
    guard
      let base = unsafe isHuge ? chost_map_private_huge(Int(size), pages == .huge) : chost_map_private(Int(size))
    else {
      throw .hostRefused(attempt: isHuge ? "mmap of huge pages" : "mmap", size: size, errno: chost_errno())
    }
    unsafe self.base = base
    self.size = Int(size)
    isForeign = false
    keepOutOfDumps()
  }

  /// A core dump is of the monitor; the guest's memory is large, and the guest's.
  private func keepOutOfDumps() {
    // SAFETY: the mapping is ours and of this size. The kernel knows the advice since 3.4 and has no reason to refuse.
    unsafe chost_leave_out_of_dumps(base, size)
  }

  deinit {
    // SAFETY: the mapping is ours, of this size, and whoever holds a pointer into it keeps this object.
    if isForeign { unsafe chost_foreign_unmap(base, size) } else { unsafe chost_unmap(base, size) }
  }
}
