internal import CHost
internal import Glibc
package import Host

/// Where a machine's clients connect.
package final class ControlListener: @unchecked Sendable {
  // SAFETY: @unchecked: nothing changes after its making but by ``close()``, which its owner calls once and last.

  /// Where a socket is to be.
  package enum Place: Equatable, Sendable {
    /// At this path. The machine is registered by a link where the folder of machines can be had.
    case path(String)
    /// In the folder of this user's machines.
    case registered
  }

  /// Why there is no listening.
  package struct Failure: Error, CustomStringConvertible {
    package let description: String
    /// Whose fault it is, for an exit status.
    package let kind: FailureKind

    init(path: String, errno: Int32) {
      kind = ErrorNumber.isHostFailure(errno) ? .hostFailure : .cannotCreate
      let advice =
        switch errno {
        case EADDRINUSE: "something else is there, or a machine that runs; name another path"
        case ENAMETOOLONG: "a socket's path has at most 107 bytes; name a shorter one"
        case ENXIO, EOPNOTSUPP: "its file system takes no sockets; name a path on another one"
        case EROFS: "the file system is read-only; name a path on another one"
        default: ErrorNumber.advice(errno, otherwise: "name a path in a folder that exists and that you may write to")
        }
      description = "cannot make '\(path)': \(errorText(errno)); \(advice)"
    }

    init(_ kind: FailureKind, _ description: String) {
      self.kind = kind
      self.description = description
    }
  }

  /// The socket's path.
  package let path: String
  /// By which name clients find the machine; nil where it could not be registered.
  package let name: String?
  private var descriptor: OwnedDescriptor?
  private var names: [MadeName]

  /// How many clients may wait to be taken.
  private static let backlog: Int32 = 64

  /// Listens, for this user alone. A socket at the place that nobody listens on any more is replaced.
  ///
  /// - Parameters:
  ///   - place: where.
  ///   - machine: the machine's name, by which it is registered: with a number behind it where another has it.
  ///   - folder: where machines are registered, which is elsewhere for tests alone.
  /// - Throws: why there is no listening, with what to do about it.
  package init(_ place: Place, machine: String, folder: String = ControlDirectory.place) throws(Failure) {
    let directory: ControlDirectory?
    switch place {
    case .registered: directory = try ControlDirectory.make(at: folder)
    case .path: directory = try? ControlDirectory.make(at: folder)
    }
    let lock = directory?.lock()
    let entry = directory?.freeName(for: machine)
    switch place {
    case .registered:
      guard let directory, let entry else { preconditionFailure("the folder was made, or an error told") }
      path = directory.path(of: entry)
    case .path(let given): path = given
    }
    // SAFETY: the path holds for the call.
    let number = unsafe path.withHostPath { unsafe chost_socket_listen_private($0, Self.backlog) }
    guard number >= 0 else { throw Failure(path: path, errno: -number) }
    descriptor = OwnedDescriptor(owning: number)
    names = [MadeName(path)]
    var registered: String?
    if let directory, let entry {
      if case .registered = place {
        registered = entry
      } else if let link = directory.link(entry, to: path) {
        names.append(link)
        registered = entry
      }
    }
    name = registered
    _ = lock
  }

  /// Looks whether there could be a socket at a path, and leaves everything as it is.
  ///
  /// - Returns: why not.
  package static func problem(of path: String) -> Failure? {
    // SAFETY: the path holds for the call.
    let result = unsafe path.withHostPath { unsafe chost_socket_check($0) }
    return result < 0 ? Failure(path: path, errno: -result) : nil
  }

  var rawValue: Int32 { descriptor?.rawValue ?? -1 }

  /// Takes the socket and its names away.
  package func close() {
    for name in names { name.remove() }
    names = []
    descriptor = nil
  }

  deinit { close() }
}
