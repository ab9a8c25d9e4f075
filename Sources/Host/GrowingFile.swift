internal import CHost
internal import Glibc

/// A file that somebody else appends to, read as it grows; or standard input, read as it comes.
package final class GrowingFile {
  private let path: String
  private let descriptor: OwnedDescriptor
  /// How far it was read.
  private var offset: UInt64 = 0

  /// Opens it. A path leads to a regular file; `-` is standard input.
  ///
  /// - Throws: as ``InputFile/read(_:)``.
  package init(_ path: String) throws(InputFileError) {
    self.path = path
    descriptor = try InputFile.open(path)
  }

  /// What ``read()`` found.
  package enum Piece: Equatable {
    /// The next bytes.
    case bytes([UInt8])
    /// Nothing yet.
    case nothing
    /// It has become shorter, and begins anew.
    case anew
    /// There will be no more.
    case end
  }

  /// The next bytes, without waiting for any of a regular file.
  ///
  /// - Throws: where the host can't read it.
  package func read() throws(InputFileError) -> Piece {
    var kind = chost_file_regular
    var size: UInt64 = 0
    // SAFETY: the variables hold for the call.
    let isRegular =
      unsafe chost_file_status(descriptor.rawValue, &kind, &size) == 0 && kind == chost_file_regular
    if isRegular, size < offset {
      offset = 0
      _ = lseek(descriptor.rawValue, 0, SEEK_SET)
      return .anew
    }
    var piece = [UInt8](repeating: 0, count: 64 << 10)
    // SAFETY: the buffer holds for the call and its size goes along.
    let count = unsafe piece.withUnsafeMutableBytes {
      unsafe Glibc.read(descriptor.rawValue, $0.baseAddress, $0.count)
    }
    if count == 0 { return isRegular ? .nothing : .end }
    guard count > 0 else {
      let reason = chost_errno()
      if reason == EINTR || reason == EAGAIN { return .nothing }
      throw InputFileError(path: path, reason: .cannotRead(errno: reason))
    }
    offset += UInt64(count)
    return .bytes(Array(piece[..<count]))
  }

  /// Waits until there may be more, or another descriptor can be read.
  ///
  /// - Returns: whether the other one can.
  package func wait(beside other: Int32) -> Bool {
    // A regular file can always be read, which says nothing; it is looked at ten times a second.
    if path == "-", !chost_channel_has_input(descriptor.rawValue) {
      chost_wait_for_either(other, descriptor.rawValue, -1)
    } else if path != "-" {
      _ = chost_wait(other, Int16(POLLIN), 100)
    }
    return chost_channel_has_input(other)
  }
}
