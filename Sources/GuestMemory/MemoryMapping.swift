internal import CHost
internal import Synchronization

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
  /// Of a private mapping of a file: the pages where the file isn't mapped any more, a bit for each. Otherwise `nil`.
  private let replaced: Mutex<[UInt64]?>

  /// Takes a mapping over: of `chost_foreign_map` where it is foreign.
  @unsafe
  init(base: UnsafeMutableRawPointer, size: Int, isForeign: Bool = false) {
    unsafe self.base = base
    self.size = size
    self.isForeign = isForeign
    replaced = Mutex(nil)
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
    replaced = Mutex(nil)
    keepOutOfDumps()
  }

  /// Maps a file's bytes privately: they are read where they are touched, and copied where they are written.
  init(privateOf size: UInt64, file descriptor: Int32) throws(GuestMemoryError) {
    // SAFETY: a new mapping at an address of the kernel's choice touches nothing that exists.
    guard let base = unsafe chost_foreign_map_private(descriptor, 0, Int(size)) else {
      throw .hostRefused(attempt: "mmap of a file", size: size, errno: chost_errno())
    }
    unsafe self.base = base
    self.size = Int(size)
    isForeign = true
    replaced = Mutex([UInt64](repeating: 0, count: (Int(size) / chost_page_size() + 63) / 64))
    keepOutOfDumps()
  }

  /// The pages where the file isn't mapped any more; `nil` where there never was one.
  var replacedPages: [UInt64]? { replaced.withLock { $0 } }

  /// Whether the file was found to be shorter than the mapping.
  var isLost: Bool {
    // SAFETY: the address is compared and not followed.
    isForeign && (unsafe chost_foreign_is_lost(base))
  }

  /// Makes bytes zero. Whole pages go back to the host, so that zeroing touches no memory.
  func zero(_ offset: Int, count: Int) {
    let page = chost_page_size()
    let firstPage = (offset + page - 1) / page
    // Bytes within one page have none whole.
    let pages = firstPage..<max(firstPage, (offset + count) / page)
    // SAFETY: the caller's bytes lie in the mapping, which is private.
    let start = unsafe base + offset
    guard replacedPages != nil else { return unsafe chost_zero_private(start, count) }
    // To give a file's page back is to have the file's bytes again. Few pages are not worth a mapping of their own.
    guard pages.count >= Self.worthReplacing else {
      // SAFETY: as above.
      unsafe UnsafeMutableRawBufferPointer(start: start, count: count).initializeMemory(as: UInt8.self, repeating: 0)
      return
    }
    replaced.withLock { replaced in
      // SAFETY: as above, for each; the pages lie in the bytes.
      let first = unsafe base + pages.lowerBound * page
      let end = unsafe base + pages.upperBound * page
      unsafe UnsafeMutableRawBufferPointer(start: start, count: first - start)
        .initializeMemory(as: UInt8.self, repeating: 0)
      unsafe UnsafeMutableRawBufferPointer(start: end, count: start + count - end)
        .initializeMemory(as: UInt8.self, repeating: 0)
      // SAFETY: as above.
      if unsafe chost_replace_by_zeroes(first, pages.count * page) == 0 {
        for index in pages { replaced?[index / 64] |= 1 << UInt64(index % 64) }
      } else {
        unsafe UnsafeMutableRawBufferPointer(start: first, count: pages.count * page)
          .initializeMemory(as: UInt8.self, repeating: 0)
      }
    }
  }

  private static let worthReplacing = 16

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
