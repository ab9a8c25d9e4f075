internal import CLinux
internal import Glibc
import GuestMemory
import KVM

/// A file that a run writes once: its report, or the device tree.
///
/// It is opened before the machine starts, so that a path that cannot be written is known then; one that was made and
/// never written is removed again.
public struct OutputFile: ~Copyable {
  /// As it was given.
  public let path: String
  private let descriptor: OwnedDescriptor
  private var isLeftover: Bool

  /// Opens or makes the file. An existing one keeps its content until ``write(_:)``.
  public init(path: String) throws(OutputFileError) {
    let flags = O_WRONLY | O_CLOEXEC | O_NOCTTY
    // SAFETY: the path holds for the calls.
    let made = unsafe open(path, flags | O_CREAT | O_EXCL, 0o666)
    let number = made >= 0 ? made : unsafe open(path, flags)
    guard number >= 0 else { throw OutputFileError(path: path, errno: clinux_errno()) }
    self.path = path
    descriptor = OwnedDescriptor(owning: number)
    isLeftover = made >= 0
  }

  deinit {
    // SAFETY: the path holds for the call.
    if isLeftover { _ = unsafe unlink(path) }
  }

  /// Replaces the file's content.
  public consuming func write(_ bytes: [UInt8]) throws(OutputFileError) {
    isLeftover = false
    // A pipe or a terminal cannot be cut, and needs not.
    _ = ftruncate(descriptor.rawValue, 0)
    var rest = bytes[...]
    while !rest.isEmpty {
      // SAFETY: the buffer holds for the call and its size goes along.
      let count = unsafe rest.withUnsafeBytes { unsafe Glibc.write(descriptor.rawValue, $0.baseAddress, $0.count) }
      if count > 0 {
        rest = rest.dropFirst(count)
      } else if clinux_errno() != EINTR {
        throw OutputFileError(path: path, errno: clinux_errno())
      }
    }
  }
}

/// A file that cannot be written.
public struct OutputFileError: Error, Equatable, Sendable, CustomStringConvertible {
  /// As it was given.
  public let path: String
  /// The reason.
  public let errno: Int32

  public var description: String {
    "cannot write '\(path)': \(errorText(errno)); name a file in a folder that exists and that you may write to"
  }
}
