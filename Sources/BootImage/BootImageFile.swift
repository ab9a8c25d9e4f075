internal import CHost
import Host

/// A file that something is booted from (a kernel, a bare-metal program or an initramfs), open for reading.
///
/// It is read with positioned reads only, straight to where the bytes belong, so it may be borrowed from several
/// threads at once. The descriptor is closed when the value goes.
public struct BootImageFile: ~Copyable, Sendable {
  /// The path as it was given, for messages.
  public let path: String
  /// In bytes, as it was when the file was opened; never 0.
  public let size: UInt64

  private let descriptor: OwnedDescriptor

  /// Opens a regular file.
  ///
  /// - Throws: ``BootImageError`` for a file that is missing, unreadable, not a regular file, or empty.
  public init(path: String) throws(BootImageError) {
    // SAFETY: the bytes hold for the call and end with a zero.
    let number = unsafe path.withHostPath { unsafe chost_open_for_reading($0) }
    guard number >= 0 else {
      let code = chost_errno()
      switch code {
      case ENOENT, ENOTDIR: throw BootImageError(path, .missing)
      // Linux opens no socket by its path.
      case ENXIO: throw BootImageError(path, .notARegularFile(.socket))
      default: throw BootImageError(path, .cannotOpen(errno: code))
      }
    }
    try self.init(path: path, owning: OwnedDescriptor(owning: number))
    chost_keep_open(number)
  }

  /// Makes a file of `contents`, for images that a program carries with it.
  ///
  /// - Parameters:
  ///   - name: stands in messages where a path would.
  ///   - contents: is copied to a file in memory.
  /// - Throws: ``BootImageError`` where `contents` is empty or the host has no memory for it.
  public init(name: String, contents: Span<UInt8>) throws(BootImageError) {
    // SAFETY: the name is a constant, which the call copies.
    let number = unsafe chost_open_memory_file("apus-boot-image")
    guard number >= 0 else { throw BootImageError(name, .cannotOpen(errno: chost_errno())) }
    let descriptor = OwnedDescriptor(owning: number)
    // SAFETY: the buffer holds for the call and its size is passed along.
    let written = unsafe contents.withUnsafeBytes { bytes in
      guard let base = bytes.baseAddress else { return Int32(0) }
      return unsafe chost_write_all(number, base, bytes.count)
    }
    guard written == 0 else { throw BootImageError(name, .cannotOpen(errno: chost_errno())) }
    try self.init(path: name, owning: descriptor)
  }

  private init(path: String, owning descriptor: consuming OwnedDescriptor) throws(BootImageError) {
    var kind = chost_file_regular
    var size: UInt64 = 0
    // SAFETY: both results are this call's own variables.
    guard unsafe chost_file_status(descriptor.rawValue, &kind, &size) == 0 else {
      throw BootImageError(path, .cannotOpen(errno: chost_errno()))
    }
    guard kind == chost_file_regular else { throw BootImageError(path, .notARegularFile(FileKind(kind))) }
    guard size > 0 else { throw BootImageError(path, .empty) }
    self.path = path
    self.size = size
    self.descriptor = descriptor
  }

  /// Fills `destination` with the bytes from `offset`.
  ///
  /// - Throws: ``BootImageError`` where the host cannot read, or the file has become shorter since it was opened.
  @unsafe
  func read(into destination: UnsafeMutableRawBufferPointer, at offset: UInt64) throws(BootImageError) {
    guard let base = destination.baseAddress else { return }
    // SAFETY: the caller vouches for the buffer, whose size is passed along.
    let count = unsafe chost_read_at(descriptor.rawValue, base, destination.count, offset)
    guard count >= 0 else { throw BootImageError(path, .readFailed(errno: chost_errno(), offset: offset)) }
    guard count == destination.count else { throw BootImageError(path, .shrank(size: offset + UInt64(count))) }
  }

  /// The `count` bytes from `offset`, or as many as the file has.
  func read(upTo count: Int, at offset: UInt64) throws(BootImageError) -> [UInt8] {
    guard offset < size else { return [] }
    var bytes = [UInt8](repeating: 0, count: Int(min(UInt64(count), size - offset)))
    // SAFETY: the buffer is the array's and holds for the call.
    let failure = unsafe bytes.withUnsafeMutableBytes { buffer in
      caught { () throws(BootImageError) in try unsafe read(into: buffer, at: offset) }
    }
    if let failure { throw failure }
    return bytes
  }
}

/// What `body` throws, for closures that may not.
///
/// Not a `Result`: the type's metadata has to be made at run time, for which the runtime looks through all conformances
/// of the program, before the guest's first instruction.
@inline(__always)
func caught(_ body: () throws(BootImageError) -> Void) -> BootImageError? {
  do throws(BootImageError) {
    try body()
    return nil
  } catch {
    return error
  }
}

/// What a path can lead to instead of a regular file.
public enum FileKind: String, Sendable {
  case directory
  case pipe
  case socket
  case device
}

extension FileKind {
  init(_ kind: chost_file_kind) {
    self =
      switch kind {
      case chost_file_directory: .directory
      case chost_file_pipe: .pipe
      case chost_file_socket: .socket
      default: .device
      }
  }
}
