internal import CLinux
internal import Glibc
import GuestMemory
import KVM

/// A file that is read whole, once.
public enum InputFile {
  /// The most bytes that are read.
  public static let limit = 256 << 20

  /// The file's bytes; `-` is standard input.
  ///
  /// - Throws: also for a file of more than ``limit`` bytes.
  public static func read(_ path: String) throws(InputFileError) -> [UInt8] {
    // SAFETY: the path holds for the call.
    let number = path == "-" ? dup(0) : unsafe open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY)
    guard number >= 0 else { throw InputFileError(path: path, errno: clinux_errno()) }
    let descriptor = OwnedDescriptor(owning: number)
    var bytes: [UInt8] = []
    var piece = [UInt8](repeating: 0, count: 64 << 10)
    while bytes.count < limit {
      // SAFETY: the buffer holds for the call and its size goes along.
      let count = unsafe piece.withUnsafeMutableBytes {
        unsafe Glibc.read(descriptor.rawValue, $0.baseAddress, $0.count)
      }
      if count == 0 { return bytes }
      if count > 0 {
        bytes += piece[..<count]
      } else if clinux_errno() != EINTR {
        throw InputFileError(path: path, errno: clinux_errno())
      }
    }
    throw InputFileError(path: path, errno: EFBIG)
  }
}

/// A file that cannot be read.
public struct InputFileError: Error, Equatable, Sendable, CustomStringConvertible {
  /// As it was given.
  public let path: String
  /// The reason.
  public let errno: Int32

  public var description: String {
    "'\(path)' cannot be read: \(errorText(errno)); name a file that exists and that you may read"
  }
}
