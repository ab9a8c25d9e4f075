import CHost
internal import Glibc
package import Host

/// Where a debugger connects: a UNIX socket that only this user can open, or a port of this machine alone.
package final class DebugListener: Sendable {
  private let listener: ListeningSocket
  /// Whether it is this user's alone.
  private let isPrivate: Bool
  /// What to give to gdb's `target remote`.
  package let address: String

  /// Where to listen.
  package enum Place: Equatable, Sendable {
    /// On a UNIX stream socket that is made there.
    case socket(path: String)
    /// On a TCP port of 127.0.0.1; 0 is one that is free.
    case port(UInt16)
  }

  /// Listens.
  ///
  /// - Throws: why nobody could connect.
  package init(_ place: Place) throws(ListeningError) {
    switch place {
    case .socket(let path):
      listener = try ListeningSocket(path: path, isPrivate: true)
      isPrivate = true
      address = path
    case .port(let port):
      listener = try ListeningSocket(port: port)
      isPrivate = false
      address = "127.0.0.1:\(chost_socket_port(listener.rawValue))"
    }
  }

  /// Looks whether that would do, and leaves everything as it is.
  ///
  /// - Returns: why not.
  package static func problem(_ place: Place) -> ListeningError? {
    switch place {
    case .socket(let path): ListeningSocket.problem(path: path)
    case .port(let port): ListeningSocket.problem(port: port)
    }
  }

  /// What to watch for somebody who connects.
  package var rawValue: Int32 { listener.rawValue }

  /// Takes the next one who has connected.
  ///
  /// - Returns: nil where there is none, and where it was somebody else's, who was sent away.
  package func accept() -> DebugPeer? {
    let number = chost_socket_accept(listener.rawValue)
    guard number >= 0 else { return nil }
    let peer = DebugPeer(OwnedDescriptor(owning: number))
    // The name's mode keeps others away; who got the socket in another way is looked at here.
    guard !isPrivate || chost_socket_peer_is_ours(number) else { return nil }
    chost_socket_send_at_once(number)
    return peer
  }
}

/// A debugger that is connected. On one thread at a time.
package final class DebugPeer: Sendable {
  private let descriptor: OwnedDescriptor

  init(_ descriptor: consuming OwnedDescriptor) {
    self.descriptor = descriptor
  }

  /// Waits until it has sent something or, with `wantsRoom`, takes something; or until an event is signalled.
  ///
  /// - Parameter milliseconds: at most; -1 is for ever.
  package func wait(wantsRoom: Bool, event: borrowing EventDescriptor, milliseconds: Int32 = -1) {
    chost_wait_for_peer(descriptor.rawValue, wantsRoom, event.rawValue, milliseconds)
  }

  /// What it has sent, at most so many bytes.
  ///
  /// - Returns: nil where it has gone; empty where there is nothing now.
  package func receive(atMost limit: Int) -> [UInt8]? {
    var result: Int64 = 0
    // SAFETY: the buffer is this call's own and its size goes along.
    let bytes = unsafe [UInt8](unsafeUninitializedCapacity: limit) { buffer, count in
      guard let base = buffer.baseAddress else { return }
      result = unsafe chost_channel_read(descriptor.rawValue, true, base, buffer.count)
      count = max(0, Int(result))
    }
    if result == -Int64(EAGAIN) { return [] }
    return result > 0 ? bytes : nil
  }

  /// Sends what there is room for.
  ///
  /// - Returns: how many bytes that was; nil where it has gone.
  package func send(_ bytes: ArraySlice<UInt8>) -> Int? {
    // SAFETY: the buffer holds for the call and its size goes along.
    let result = unsafe bytes.withUnsafeBytes { buffer in
      guard let base = buffer.baseAddress else { return Int64(0) }
      return unsafe chost_peer_send(descriptor.rawValue, base, buffer.count)
    }
    if result == -Int64(EAGAIN) { return 0 }
    return result >= 0 ? Int(result) : nil
  }
}
