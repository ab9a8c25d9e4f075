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

  /// The socket's path.
  package let path: String
  /// By which name clients find the machine; nil where it could not be registered.
  package let name: String?
  private var socket: ListeningSocket?
  /// The link by which a socket is registered that is elsewhere.
  private var link: MadeName?

  /// How many clients may wait to be taken.
  private static let backlog: Int32 = 64

  /// Listens, for this user alone. A socket at the place that nobody listens on any more is replaced.
  ///
  /// - Parameters:
  ///   - place: where.
  ///   - machine: the machine's name, by which it is registered: with a number behind it where another has it.
  ///   - folder: where machines are registered, which is elsewhere for tests alone.
  /// - Throws: why there is no listening, with what to do about it.
  package init(_ place: Place, machine: String, folder: String = ControlDirectory.place) throws(ListeningError) {
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
    socket = try ListeningSocket(path: path, backlog: Self.backlog, isPrivate: true)
    switch place {
    case .registered: name = entry
    case .path(let path):
      link = entry.flatMap { directory?.link($0, to: path) }
      name = link == nil ? nil : entry
    }
    _ = lock
  }

  var rawValue: Int32 { socket?.rawValue ?? -1 }

  /// Takes the socket and its names away.
  package func close() {
    link?.remove()
    link = nil
    socket = nil
  }

  deinit { close() }
}
