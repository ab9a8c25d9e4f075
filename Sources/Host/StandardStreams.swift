internal import CHost
internal import Glibc
internal import Synchronization

/// The process's standard streams, for command lines over this library.
public enum StandardStreams {
  /// What waits for standard error while a machine runs.
  private static let errors = Mutex<LineQueue?>(nil)

  /// Makes sure that no other file gets the number of a standard stream that is closed. To be called first of all.
  ///
  /// Writing to a stream that was closed then fails, as it would have.
  public static func reserve() {
    chost_standard_descriptors_reserve()
    // A reader that goes away is an error of the write, which is reported, and not the end of the process.
    _ = signal(SIGPIPE, SIG_IGN)
    // So is a file that may not grow (`ulimit -f`).
    _ = signal(SIGXFSZ, SIG_IGN)
  }

  /// Has nobody wait for the reader of standard error any more: from now on what finds no room is dropped and counted,
  /// and how much it was is said as soon as there is room. To be called before a machine runs, whose threads log.
  package static func stopWaitingForErrors() {
    errors.withLock { errors in
      guard errors == nil else { return }
      errors = newErrorQueue()
    }
  }

  /// Writes text to standard error, as far as that works: there is nobody to tell otherwise. From any thread.
  package static func writeError(_ text: String) {
    let queue = errors.withLock { $0 }
    guard let queue else {
      _ = writeAll(Array(text.utf8), to: STDERR_FILENO)
      return
    }
    queue.append(Array(text.utf8))
  }

  /// Has standard error lead to nowhere from now on, unless it is a file: nobody waits for its end then. What was
  /// written before is waited for, for a tenth of a second at most.
  package static func leaveErrors() {
    finishErrors(within: .milliseconds(100))
    errors.withLock { errors in
      chost_standard_error_leave()
      // The former one has a description of its own.
      if errors != nil { errors = newErrorQueue() }
    }
  }

  private static func newErrorQueue() -> LineQueue {
    LineQueue(
      Outlet(standardStream: STDERR_FILENO),
      loss: { count in Array("apus: \(count) lines were dropped here: nobody read standard error\n".utf8) }
    )
  }

  /// Waits until what was written to standard error has been taken, for at most so long. After
  /// ``stopWaitingForErrors()``; before it there is nothing to wait for.
  package static func finishErrors(within limit: Duration) {
    guard let queue = errors.withLock({ $0 }), !queue.isEmpty else { return }
    queue.finish(by: HostClock.monotonic + limit.nanoseconds)
  }

  /// Whether standard error is a terminal.
  package static var errorsAreOnTerminal: Bool { isatty(STDERR_FILENO) == 1 }

  /// Whether nobody will read standard error any more.
  package static var errorsHaveHungUp: Bool { chost_channel_has_hung_up(STDERR_FILENO) }

  /// Brings back the settings of a terminal that a machine has changed, for a process that ends without it.
  package static func restoreTerminal() {
    chost_terminal_restore()
  }

  /// Writes bytes to standard output, and waits until they are taken.
  ///
  /// - Returns: false where its reader has gone, as `head` does when it has enough: that is no mistake, and whoever
  ///   would write for ever ends.
  /// - Throws: where the host failed to write; what was written until then stays written.
  @discardableResult
  package static func writeOutput(_ bytes: [UInt8]) throws(OutputFileError) -> Bool {
    switch writeAll(bytes, to: STDOUT_FILENO) {
    case nil: return true
    case EPIPE: return false
    case let errno?: throw OutputFileError(stream: "standard output", errno: errno)
    }
  }

  /// Whether a path is a name of a standard stream, such as /dev/stdout or a link to it: who opens it has what the
  /// stream of the process leads to at that moment.
  package static func isNamed(by path: String) -> Bool {
    guard let own = HostPath.resolved("/proc/self") else { return false }
    var path = path
    // As many links as the kernel follows.
    for _ in 0..<40 {
      let name = path.lastIndex(of: "/").map { path[path.index(after: $0)...] } ?? path[...]
      guard let folder = HostPath.resolved("\(path.dropLast(name.count))./") else { return false }
      let isOwn = folder == "\(own)/fd" || folder.hasPrefix("\(own)/task/") && folder.hasSuffix("/fd")
      if isOwn { return ["0", "1", "2"].contains(name) }
      guard let target = HostPath.linkTarget("\(folder)/\(name)") else { return false }
      path = target.hasPrefix("/") ? target : "\(folder)/\(target)"
    }
    return false
  }
}
