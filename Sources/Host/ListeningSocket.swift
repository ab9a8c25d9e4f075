internal import CHost
internal import Glibc

/// A stream socket on which peers may connect, with its name, which goes with it. For any thread.
package final class ListeningSocket: Sendable {
  private let descriptor: OwnedDescriptor
  /// The name of a UNIX socket.
  private let name: MadeName?

  /// Listens on a UNIX socket that is made. One at the place that nobody listens on any more is replaced.
  ///
  /// - Parameters:
  ///   - path: where, in at most 107 bytes.
  ///   - backlog: how many peers may wait to be taken.
  ///   - isPrivate: whether it is this user's alone, from the beginning; otherwise the umask decides.
  /// - Throws: why there is no listening, with what to do about it.
  package init(path: String, backlog: Int32 = 1, isPrivate: Bool) throws(ListeningError) {
    if let problem = Self.problem(ofName: path) { throw problem }
    // SAFETY: the path holds for the call.
    let number = unsafe path.withHostPath { unsafe chost_socket_listen($0, backlog, isPrivate) }
    guard number >= 0 else { throw ListeningError(path: path, errno: -number) }
    descriptor = OwnedDescriptor(owning: number)
    name = MadeName(path)
  }

  /// Listens on a TCP port of 127.0.0.1, for one peer at a time.
  ///
  /// - Parameter port: 0 is one that is free.
  /// - Throws: why there is no listening, with what to do about it.
  package init(port: UInt16) throws(ListeningError) {
    let number = chost_loopback_listen(port)
    guard number >= 0 else { throw ListeningError(port: port, errno: -number) }
    descriptor = OwnedDescriptor(owning: number)
    name = nil
  }

  deinit {
    name?.remove()
  }

  /// Looks whether there could be a socket at a path, and leaves everything as it is.
  ///
  /// - Returns: why not.
  package static func problem(path: String) -> ListeningError? {
    if let problem = problem(ofName: path) { return problem }
    // SAFETY: the path holds for the call.
    let result = unsafe path.withHostPath { unsafe chost_socket_check($0) }
    return result < 0 ? ListeningError(path: path, errno: -result) : nil
  }

  /// The kernel gives a socket without a name one that is no file's, and that every user may connect to.
  private static func problem(ofName path: String) -> ListeningError? {
    path.isEmpty ? ListeningError(.usage, "a socket's path cannot be empty; name the file that it is to be") : nil
  }

  /// The same for a port, which is had for a moment.
  ///
  /// - Returns: why not.
  package static func problem(port: UInt16) -> ListeningError? {
    do throws(ListeningError) {
      _ = try ListeningSocket(port: port)
      return nil
    } catch {
      return error
    }
  }

  /// What to watch for peers.
  package var rawValue: Int32 { descriptor.rawValue }
}

/// Why peers cannot connect, and what to do about it.
package struct ListeningError: Error, CustomStringConvertible {
  /// Whose fault it is, for an exit status.
  package let kind: FailureKind
  package let description: String

  package init(_ kind: FailureKind, _ description: String) {
    self.kind = kind
    self.description = description
  }

  fileprivate init(path: String, errno: Int32) {
    let advice =
      switch errno {
      case EADDRINUSE: "something else is there, or a machine that runs; name another path"
      case ENAMETOOLONG: "a socket's path has at most \(HostPath.socketLimit) bytes; name a shorter one"
      case ENXIO, EOPNOTSUPP: "its file system takes no sockets; name a path on another one"
      case EROFS: "the file system is read-only; name a path on another one"
      default: ErrorNumber.advice(errno, otherwise: "name a path in a folder that exists and that you may write to")
      }
    let kind = ErrorNumber.isHostFailure(errno) ? FailureKind.hostFailure : .cannotCreate
    self.init(kind, "cannot make '\(path)': \(errorText(errno)); \(advice)")
  }

  fileprivate init(port: UInt16, errno: Int32) {
    let advice =
      switch errno {
      case EADDRINUSE: "something else has it; name another port, or 0 for one that is free"
      case EACCES: "ports below 1024 are root's; name another"
      default: ErrorNumber.adviceForCall(errno, otherwise: "name another port, or a UNIX socket")
      }
    let kind = ErrorNumber.isHostFailure(errno) ? FailureKind.hostFailure : .cannotCreate
    self.init(kind, "cannot listen on port \(port) of 127.0.0.1: \(errorText(errno)); \(advice)")
  }
}
