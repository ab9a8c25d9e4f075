package import CHost
internal import Glibc

/// A program that this process has started, with a socket as its descriptor ``descriptor`` and what it writes led here.
///
/// A program that ends when its socket is closed outlives no end of this process, not even SIGKILL: the kernel closes
/// it.
package final class ChildProgram: @unchecked Sendable {
  // SAFETY: @unchecked: one thread at a time.

  /// The number that the program's socket has there.
  package static var descriptor: Int32 { Int32(CHOST_PROGRAM_DESCRIPTOR) }

  /// All of the environment that the program gets: what its caller has in it, such as credentials, is no business of a
  /// program that faces a guest.
  private static let environment = ["PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C.UTF-8"]

  /// Why a program does not start.
  package struct CannotStart: Error, Equatable {
    /// As it was given.
    package let path: String
    /// What the host said.
    package let errno: Int32
  }

  /// Its number (PID).
  package let process: Int32
  /// Becomes readable when the process ends.
  package let end: OwnedDescriptor
  /// What it writes.
  package let output: OwnedDescriptor
  /// Our end of its socket, until it is taken.
  private var socket: OwnedDescriptor?
  private var isRunning = true

  /// Where a program is.
  ///
  /// - Parameter folders: where to look, separated by colons.
  /// - Returns: nil: in none of them.
  package static func find(_ name: String, in folders: String) -> String? {
    for folder in folders.split(separator: ":") {
      let path = "\(folder)/\(name)"
      // SAFETY: the path holds for the call.
      if unsafe path.withHostPath({ unsafe access($0, X_OK) }) == 0 { return path }
    }
    return nil
  }

  /// PATH, or what stands for it where there is none.
  package static var searchPath: String {
    // SAFETY: the environment is not changed while machines start.
    unsafe getenv("PATH").map { unsafe HostPath.text(UnsafeRawBufferPointer(start: $0, count: strlen($0))) }
      ?? "/usr/local/bin:/usr/bin:/bin"
  }

  /// TMPDIR, or what stands for it where there is none.
  package static var temporaryFolder: String {
    // SAFETY: the environment is not changed while machines start.
    unsafe getenv("TMPDIR").map { unsafe HostPath.text(UnsafeRawBufferPointer(start: $0, count: strlen($0))) } ?? "/tmp"
  }

  /// Starts a process.
  ///
  /// - Parameter arguments: the program's, the first of which is its name.
  /// - Throws: ``CannotStart``.
  package convenience init(_ path: String, _ arguments: [String]) throws(CannotStart) {
    try self.init(path, arguments, listens: false)
  }

  /// The same for a program that wants a socket that listens, and takes a connection from it: the one that there is.
  ///
  /// - Throws: ``CannotStart``.
  package convenience init(listener path: String, _ arguments: [String]) throws(CannotStart) {
    try self.init(path, arguments, listens: true)
  }

  private init(_ path: String, _ arguments: [String], listens: Bool) throws(CannotStart) {
    var (ours, theirs, end, start): (Int32, Int32, Int32, Int32) = (-1, -1, -1, -1)
    // SAFETY: the folder and the numbers hold for the calls.
    var error =
      listens
      ? unsafe Self.temporaryFolder.withHostPath { unsafe chost_listening_pair($0, &theirs, &ours) }
      : unsafe chost_stream_pair(&ours, &theirs)
    guard error == 0 else { throw CannotStart(path: path, errno: -error) }
    let socket = OwnedDescriptor(owning: ours)
    let other = OwnedDescriptor(owning: theirs)
    error = unsafe chost_pipe(&end, &start)
    guard error == 0 else { throw CannotStart(path: path, errno: -error) }
    let output = OwnedDescriptor(owning: end)
    let input = OwnedDescriptor(owning: start)
    // SAFETY: each holds for the call, and ends with a zero.
    let block = arguments.flatMap { argument in
      unsafe argument.withHostPath { unsafe Array(UnsafeBufferPointer(start: $0, count: strlen($0) + 1)) }
    }
    let environment = Self.environment.flatMap { Array($0.utf8CString) }
    // SAFETY: the strings hold for the call and their sizes go along.
    let process = unsafe path.withHostPath { path in
      unsafe chost_program_start(
        path,
        block,
        block.count,
        environment,
        environment.count,
        other.rawValue,
        input.rawValue
      )
    }
    guard process > 0 else { throw CannotStart(path: path, errno: -process) }
    let watch = chost_process_watch(process)
    guard watch >= 0 else {
      chost_process_kill(process)
      throw CannotStart(path: path, errno: -watch)
    }
    self.process = process
    self.end = OwnedDescriptor(owning: watch)
    self.output = output
    self.socket = consume socket
  }

  deinit {
    if isRunning { chost_process_kill(process) }
  }

  /// Gives our end of its socket away.
  ///
  /// - Precondition: nobody has taken it.
  package func takeSocket() -> OwnedDescriptor {
    guard let socket = socket.take() else { preconditionFailure("a program's socket is taken once") }
    return socket
  }

  /// Waits until it has ended, for a while.
  package func waitForEnd(milliseconds: Int32) {
    _ = chost_wait(end.rawValue, Int16(POLLIN), milliseconds)
  }

  /// Ends the process, whatever it does, and waits until it has ended.
  package func killAndWait() {
    guard isRunning else { return }
    isRunning = false
    chost_process_kill(process)
  }

  /// Ends the process if it still runs; ``end`` tells when it has.
  package func kill() {
    chost_watched_process_kill(end.rawValue)
  }

  /// How the process ended, once it has.
  package func takeEnd() -> chost_process_end? {
    var end = chost_process_end()
    // SAFETY: the structure holds for the call.
    guard unsafe chost_process_ended(process, &end) == 1 else { return nil }
    isRunning = false
    return end
  }

  /// What it has written since the last call, or a part of it.
  package func takeOutput() -> [UInt8] {
    var bytes: [UInt8] = []
    var chunk = [UInt8](repeating: 0, count: 4096)
    for _ in 0..<64 {
      // SAFETY: the array holds for the call and its size goes along.
      let count = unsafe Int(chost_pipe_read(output.rawValue, &chunk, chunk.count))
      guard count > 0 else { break }
      bytes += chunk[..<count]
    }
    return bytes
  }
}
