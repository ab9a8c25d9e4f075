internal import CHost
package import Host

/// Guest memory of another process, of which this one has a file: what a vhost-user front-end shows its back-end.
///
/// The other process may shorten the file at any time. What is missing then when it is touched reads as zero from there
/// on, and the memory is lost (``isLost``): this process goes on. A device reaches it through a ``DMASpace``
/// (``DMASpace/add(_:at:permissions:)``). All members may be used from any thread.
public final class ForeignMemory: Sendable {
  /// In bytes.
  public let size: UInt64
  /// By which two parts of one file are known as such, whatever descriptors they came by.
  package let file: FileIdentity?
  /// Where in the file it begins, in bytes.
  public let offset: UInt64

  let memory: DMAWindow.Memory

  /// Maps a part of a file. The descriptor stays the caller's and may be closed afterwards.
  ///
  /// - Parameters:
  ///   - descriptor: of a file in memory, or another regular file, open for reading and writing.
  ///   - offset: in bytes, a multiple of ``PrivateRAM/pageSize``.
  ///   - size: in bytes, not 0.
  /// - Throws: ``ForeignMemoryError``.
  public init(descriptor: Int32, offset: UInt64, size: UInt64) throws(ForeignMemoryError) {
    var kind = chost_file_regular
    var length: UInt64 = 0
    // SAFETY: the variables hold for the call.
    guard unsafe chost_file_status(descriptor, &kind, &length) == 0 else { throw .refused(errno: chost_errno()) }
    guard kind == chost_file_regular else { throw .notAFile }
    let (end, overflows) = offset.addingReportingOverflow(size)
    guard size > 0, !overflows, end <= length else { throw .short(size: length, needed: overflows ? .max : end) }
    // SAFETY: a new mapping at an address of the kernel's choice touches nothing that exists; its end was checked to be
    // a file's place, which a signed number holds.
    guard let base = unsafe chost_foreign_map(descriptor, offset, Int(size)) else {
      throw .refused(errno: chost_errno())
    }
    // SAFETY: the mapping was just made with this size and nobody else knows it.
    memory = unsafe DMAWindow.Memory(
      mapping: MemoryMapping(base: base, size: Int(size), isForeign: true),
      descriptor: nil
    )
    self.size = size
    self.offset = offset
    file = FileIdentity(descriptor: descriptor)
  }

  /// Whether the file lacked something that was touched: what was read there was zero, and what was written is nowhere.
  public var isLost: Bool {
    // SAFETY: the mapping lives as long as the value.
    unsafe chost_foreign_is_lost(memory.mapping.base)
  }

  /// How often any such memory of this process was lost: cheap to look at, and as it was where none has been.
  public static var losses: UInt64 { chost_foreign_losses() }
}

/// Why a part of another process's file can't be guest memory. The description goes on after the file.
public enum ForeignMemoryError: Error, Equatable, Sendable, CustomStringConvertible {
  /// It is a device, a pipe or the like.
  case notAFile
  /// The file ends before the part does; both in bytes.
  case short(size: UInt64, needed: UInt64)
  /// The host can't map it.
  case refused(errno: Int32)

  public var description: String {
    switch self {
    case .notAFile: "is no regular file and no memfd"
    case .short(let size, let needed): "has \(size) bytes and should have \(needed)"
    case .refused(let errno): "cannot be mapped: \(errorText(errno))"
    }
  }
}

extension DMASpace {
  /// Lets the device see another process's memory from now on. The space keeps it.
  ///
  /// - Parameters:
  ///   - start: where in the space, a multiple of ``PrivateRAM/pageSize``; all of it lies below 2⁶⁴, where no other
  ///     piece is.
  ///   - permissions: not empty.
  public func add(_ foreign: ForeignMemory, at start: GuestAddress, permissions: DMAPermissions = .readWrite) {
    precondition(extent == .open, "another process shows its guest's RAM")
    add(foreign.memory, GuestRange(at: start.rawValue, size: foreign.size), permissions)
  }
}
