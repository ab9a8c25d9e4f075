internal import CHost
internal import Glibc

/// A file that a run writes once: its report, or the device tree.
///
/// It is opened before the machine starts, so that a path that cannot be written is known then; one that was made and
/// never written is removed again.
package struct OutputFile: ~Copyable {
  /// As it was given.
  package let path: String
  private let descriptor: OwnedDescriptor
  private let name: MadeName
  private var isLeftover: Bool

  /// Opens or makes the file, which is the caller's alone as long as the value lives. An existing one keeps its content
  /// until ``write(_:within:)``.
  ///
  /// - Throws: where the host opens no such file for writing, or another process has it locked.
  package init(path: String) throws(OutputFileError) {
    var isNew = false
    let opened = try Self.open(path, isNew: &isNew)
    self.path = path
    // It stays without waiting: the reader of a pipe may stop.
    name = MadeName(path, descriptor: opened.rawValue)
    descriptor = opened
    isLeftover = isNew
  }

  deinit {
    if isLeftover { name.remove() }
    chost_disk_unlock(descriptor.rawValue)
  }

  /// Opens or makes a file for writing, and leaves its content.
  ///
  /// A regular file is locked until the descriptor is closed, as disks are: another machine's output or disk is
  /// refused. Devices and pipes are for any number of writers; a terminal that is the console has a lock of its own.
  ///
  /// - Parameter isNew: becomes whether the file was made.
  package static func open(_ path: String, isNew: inout Bool) throws(OutputFileError) -> OwnedDescriptor {
    // A pipe that nobody reads is an error and not a place to wait.
    let flags = O_WRONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK
    // SAFETY: the path holds for the calls.
    let new = unsafe path.withHostPath { unsafe Glibc.open($0, flags | O_CREAT | O_EXCL, 0o666) }
    // Only an existing file is worth a second try; any other reason is the one to tell.
    var number = new
    var isMade = new >= 0
    if new < 0, chost_errno() == EEXIST {
      number = unsafe path.withHostPath { unsafe Glibc.open($0, flags, 0) }
      // A link that leads nowhere is there and is not: the file has to be made.
      if number < 0, chost_errno() == ENOENT {
        number = unsafe path.withHostPath { unsafe Glibc.open($0, flags | O_CREAT, 0o666) }
        isMade = number >= 0
      }
    }
    guard number >= 0 else { throw OutputFileError(file: path, errno: chost_errno()) }
    let descriptor = OwnedDescriptor(owning: number)
    try lock(number, path)
    isNew = isMade
    return descriptor
  }

  private static func lock(_ descriptor: Int32, _ path: String) throws(OutputFileError) {
    var kind = chost_file_regular
    var size: UInt64 = 0
    // SAFETY: the variables hold for the call.
    guard unsafe chost_file_status(descriptor, &kind, &size) == 0, kind == chost_file_regular else { return }
    // A file system without locks leaves people to look after it.
    if chost_disk_lock(descriptor, false) == -EAGAIN { throw OutputFileError(inUse: path) }
  }

  /// Replaces the file's content. A new file of which only a part can be written goes again.
  ///
  /// - Parameters:
  ///   - bytes: the new content, all of it.
  ///   - limit: how long the reader of a pipe or a terminal is waited for; nil is for ever.
  /// - Throws: where the host failed to write, or the time is over.
  package consuming func write(_ bytes: [UInt8], within limit: Duration? = nil) throws(OutputFileError) {
    // A pipe or a terminal cannot be cut, and needs not.
    _ = ftruncate(descriptor.rawValue, 0)
    let deadline = limit.map { HostClock.monotonic + $0.nanoseconds }
    if let errno = writeAll(bytes, to: descriptor.rawValue, by: deadline) {
      throw OutputFileError(file: path, errno: errno)
    }
    isLeftover = false
  }

  /// Checks that ``init(path:)`` would find a file that it can write, and leaves everything as it is.
  ///
  /// - Throws: what ``init(path:)`` would throw.
  package static func check(path: String) throws(OutputFileError) {
    var status = stat()
    // SAFETY: path and structure hold for the calls.
    let isThere = unsafe path.withHostPath { unsafe stat($0, &status) } == 0
    switch isThere ? status.st_mode & S_IFMT : S_IFREG {
    case S_IFREG: _ = try OutputFile(path: path)
    case S_IFDIR: throw OutputFileError(file: path, errno: EISDIR)
    default:
      // Not opened: the reader of a pipe would see its end.
      guard unsafe path.withHostPath({ unsafe access($0, W_OK) }) == 0 else {
        throw OutputFileError(file: path, errno: chost_errno())
      }
    }
  }
}

/// Writes bytes until none is left.
///
/// - Parameter deadline: until when a descriptor with O_NONBLOCK is waited for, in nanoseconds of the monotonic clock;
///   nil is for ever.
/// - Returns: why that did not work, or nil: EAGAIN where the reader took too long.
package func writeAll(_ bytes: [UInt8], to descriptor: Int32, by deadline: UInt64? = nil) -> Int32? {
  var rest = bytes[...]
  while !rest.isEmpty {
    // SAFETY: the buffer holds for the call and its size goes along.
    let count = unsafe rest.withUnsafeBytes { unsafe write(descriptor, $0.baseAddress, $0.count) }
    if count > 0 {
      rest = rest.dropFirst(count)
      continue
    }
    let error = chost_errno()
    if error == EINTR { continue }
    guard error == EAGAIN else { return error }
    if let deadline, HostClock.monotonic >= deadline { return EAGAIN }
    // A terminal may be writable and have no room for a line feed, which becomes two characters.
    if chost_wait(descriptor, Int16(POLLOUT), 20) { chost_pause(1) }
  }
  return nil
}

/// Something that cannot be written.
package struct OutputFileError: Error, Equatable, Sendable, CustomStringConvertible {
  /// The file as it was given, or the stream's name.
  package let target: String
  /// The reason.
  package let errno: Int32
  /// What to do about it.
  package let advice: String

  /// - Parameters:
  ///   - path: of the file, as it was given.
  ///   - errno: what opening or writing it ended with.
  package init(file path: String, errno: Int32) {
    target = "'\(path)'"
    self.errno = errno
    advice =
      switch errno {
      case ENXIO: "start the pipe's reader first"
      case EAGAIN: "its reader takes nothing; start one that reads"
      case EPIPE: "keep its reader open"
      default:
        ErrorNumber.advice(errno, otherwise: "name a file in a folder that exists and that you may write to")
      }
  }

  /// A file that another machine, of this process or of another, writes or has for a disk.
  package init(inUse path: String) {
    target = "'\(path)'"
    errno = EBUSY
    advice = "name another file, or end the other one first"
  }

  /// - Parameters:
  ///   - name: what people call it, such as "standard output".
  ///   - errno: what writing to it ended with.
  package init(stream name: String, errno: Int32) {
    target = name
    self.errno = errno
    advice = ErrorNumber.advice(errno, otherwise: "keep its reader open, or lead it to a file with room")
  }

  /// Whether it is only that nobody reads.
  package var isForWantOfReader: Bool { errno == EAGAIN }

  /// What it ends a process with.
  package var exitStatus: Int32 { kind.rawValue }

  /// What kind of failure it is.
  package var kind: FailureKind { [EMFILE, ENFILE, ENOMEM].contains(errno) ? .hostFailure : .cannotCreate }

  package var description: String {
    let reason = errno == EBUSY ? "another Apus writes it, or has it for a disk" : errorText(errno)
    return "cannot write \(target): \(reason); \(advice)"
  }
}
