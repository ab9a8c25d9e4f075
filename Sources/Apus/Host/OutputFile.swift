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
    // A pipe that nobody reads is an error and not a place to wait.
    let flags = O_WRONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK
    // SAFETY: the path holds for the calls.
    let made = unsafe open(path, flags | O_CREAT | O_EXCL, 0o666)
    // Only an existing file is worth a second try; any other reason is the one to tell.
    let number = made < 0 && clinux_errno() == EEXIST ? unsafe open(path, flags) : made
    guard number >= 0 else { throw OutputFileError(file: path, errno: clinux_errno()) }
    self.path = path
    // It stays without waiting: the reader of a pipe may stop.
    descriptor = OwnedDescriptor(owning: number)
    isLeftover = made >= 0
  }

  deinit {
    // SAFETY: the path holds for the call.
    if isLeftover { _ = unsafe unlink(path) }
  }

  /// Replaces the file's content. A new file of which only a part can be written goes again.
  ///
  /// - Parameter limit: how long the reader of a pipe or a terminal is waited for; nil is for ever.
  public consuming func write(_ bytes: [UInt8], within limit: Duration? = nil) throws(OutputFileError) {
    // A pipe or a terminal cannot be cut, and needs not.
    _ = ftruncate(descriptor.rawValue, 0)
    let deadline = limit.map { HostClock.monotonic + $0.nanoseconds }
    if let errno = writeAll(bytes, to: descriptor.rawValue, by: deadline) {
      throw OutputFileError(file: path, errno: errno)
    }
    isLeftover = false
  }

  /// Checks that ``init(path:)`` would find a file that it can write, and leaves everything as it is.
  static func check(path: String) throws(OutputFileError) {
    // SAFETY: the path holds for the calls.
    if unsafe access(path, F_OK) == 0 {
      // Not opened: the reader of a pipe would see its end.
      var status = stat()
      guard unsafe stat(path, &status) == 0, status.st_mode & S_IFMT != S_IFDIR else {
        throw OutputFileError(file: path, errno: EISDIR)
      }
      guard unsafe access(path, W_OK) == 0 else { throw OutputFileError(file: path, errno: clinux_errno()) }
    } else {
      _ = try OutputFile(path: path)
    }
  }
}

/// Writes bytes until none is left.
///
/// - Parameter deadline: until when a descriptor with O_NONBLOCK is waited for, in nanoseconds of the monotonic clock;
///   nil is for ever.
/// - Returns: why that did not work, or nil: EAGAIN where the reader took too long.
func writeAll(_ bytes: [UInt8], to descriptor: Int32, by deadline: UInt64? = nil) -> Int32? {
  var rest = bytes[...]
  while !rest.isEmpty {
    // SAFETY: the buffer holds for the call and its size goes along.
    let count = unsafe rest.withUnsafeBytes { unsafe write(descriptor, $0.baseAddress, $0.count) }
    if count > 0 {
      rest = rest.dropFirst(count)
      continue
    }
    let error = clinux_errno()
    if error == EINTR { continue }
    guard error == EAGAIN else { return error }
    if let deadline, HostClock.monotonic >= deadline { return EAGAIN }
    // A terminal may be writable and have no room for a line feed, which becomes two characters.
    if clinux_wait(descriptor, Int16(POLLOUT), 20) { clinux_pause(1) }
  }
  return nil
}

/// Something that cannot be written.
public struct OutputFileError: Error, Equatable, Sendable, CustomStringConvertible {
  /// The file as it was given, or the stream's name.
  public let target: String
  /// The reason.
  public let errno: Int32
  /// What to do about it.
  public let advice: String

  init(file path: String, errno: Int32) {
    target = "'\(path)'"
    self.errno = errno
    advice =
      switch errno {
      case ENXIO: "start the pipe's reader first"
      case EAGAIN: "its reader takes nothing; start one that reads"
      default: "name a file in a folder that exists and that you may write to"
      }
  }

  init(stream name: String, errno: Int32) {
    target = name
    self.errno = errno
    advice = "keep its reader open, or lead it to a file with room"
  }

  public var description: String { "cannot write \(target): \(errorText(errno)); \(advice)" }
}
