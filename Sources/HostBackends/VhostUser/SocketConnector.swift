internal import CHost
internal import Glibc
package import Host
package import VhostUser

/// A back-end that somebody else has started and that listens on a socket.
package final class SocketConnector: VhostUserConnector, @unchecked Sendable {
  // SAFETY: @unchecked: what changes is the link's thread's.

  /// How long a connection may wait to be taken, in milliseconds.
  private static let connectLimit: Int32 = 1000
  /// How long is waited for the end of a back-end whose connection this side ends, in milliseconds.
  private static let endLimit: Int32 = 1000

  package let subject: String
  private let path: String
  /// Becomes readable when the process ends that listens.
  private var end: OwnedDescriptor?

  /// - Parameter path: the socket's.
  package init(path: String, name: String) {
    subject = "\(name): the back-end at '\(path)'"
    self.path = path
  }

  package func connect(_ loop: EventLoop) throws(VhostUserError) -> VhostUserSocket {
    // SAFETY: the path holds for the call.
    let number = unsafe path.withHostPath { unsafe chost_socket_connect($0, Self.connectLimit) }
    guard number >= 0 else { throw .host("'\(path)' cannot be connected to: \(errorText(-number))\(advice(-number))") }
    let process = chost_socket_peer_process(number)
    let watch = process > 0 ? chost_process_watch(process) : -1
    end = watch >= 0 ? OwnedDescriptor(owning: watch) : nil
    return VhostUserSocket(owning: number)
  }

  private func advice(_ errno: Int32) -> String {
    switch errno {
    case ENOENT: "; start the back-end first, or name the socket that it listens on"
    case ECONNREFUSED: "; nobody listens there any longer: start the back-end anew"
    case EACCES: "; the socket is another user's: run both as the same one"
    case EAGAIN: "; it takes no further connection: end the one that it has"
    case ENAMETOOLONG: "; a socket's path has at most \(HostPath.socketLimit) bytes: name a shorter one"
    default: ""
    }
  }

  /// One that has closed the connection has given the memory back before. Any other is waited for.
  package func disconnect(_ error: VhostUserError) -> VhostUserEnd {
    guard error != .disconnected else { return VhostUserEnd(error: error, isDead: true) }
    guard let end = end.take() else { return VhostUserEnd(error: error, isDead: false) }
    return VhostUserEnd(error: error, isDead: chost_wait(end.rawValue, Int16(POLLIN), Self.endLimit))
  }
}
