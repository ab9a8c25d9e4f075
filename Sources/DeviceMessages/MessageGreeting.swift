internal import CHost
internal import Glibc
package import Host
package import Virtio

/// Why no device could be had of another process.
package struct MessageConnectionError: Error, CustomStringConvertible {
  /// Whose fault it is, for an exit status.
  package let kind: FailureKind
  package let description: String

  init(_ kind: FailureKind, _ description: String) {
    self.kind = kind
    self.description = description
  }
}

extension MessagePeer {
  /// Connects to a device's process and waits for its greeting. Before a machine runs: nothing else waits meanwhile.
  ///
  /// - Parameters:
  ///   - path: of its socket.
  ///   - type: what the device has to be.
  ///   - limit: how long it may take.
  /// - Throws: why there is none, with what to do about it.
  package static func greeted(
    path: String,
    type: VirtioDeviceIdentifier,
    within limit: Duration = .nanoseconds(MessageWire.deadline)
  ) throws(MessageConnectionError) -> (peer: MessagePeer, hello: MessageHello) {
    let deadline = HostClock.monotonic + limit.nanoseconds
    let milliseconds = Int32(clamping: limit.nanoseconds / 1_000_000)
    // SAFETY: the path holds for the call.
    let number = unsafe path.withHostPath { unsafe chost_socket_connect($0, milliseconds) }
    guard number >= 0 else { throw MessageConnectionError(path: path, errno: -number) }
    let peer = MessagePeer(OwnedDescriptor(owning: number), room: MessageWire.controlLimit)
    do throws(MessageFault) {
      return (peer, try peer.takeGreeting(type, by: deadline))
    } catch {
      throw MessageConnectionError(
        .hostFailure,
        "'\(path)' is no socket of such a device's process: \(error); look at what listens there"
      )
    }
  }

  /// Waits for the other side's greeting.
  ///
  /// - Parameter deadline: in nanoseconds of the monotonic clock.
  /// - Throws: ``MessageFault``.
  func takeGreeting(_ type: VirtioDeviceIdentifier, by deadline: UInt64) throws(MessageFault) -> MessageHello {
    let greeting = Greeting()
    while true {
      if let hello = greeting.hello {
        try hello.check(type)
        return hello
      }
      let now = HostClock.monotonic
      guard now < deadline else { throw .silent("hello") }
      chost_wait_for_peer(rawValue, false, -1, Int32(clamping: (deadline - now) / 1_000_000 + 1))
      _ = try receive(into: greeting)
    }
  }
}

extension MessageConnectionError {
  fileprivate init(path: String, errno: Int32) {
    let (kind, advice): (FailureKind, String) =
      switch errno {
      case ENOENT, ECONNREFUSED: (.inputNotFound, "start the device's process first")
      case ENAMETOOLONG: (.usage, "a socket's path has at most \(HostPath.socketLimit) bytes; name a shorter one")
      case EAGAIN: (.hostFailure, "too many others wait for it; it serves one machine at a time")
      case EPROTOTYPE: (.usage, "it is a socket of another kind")
      default:
        (.inputNotFound, ErrorNumber.advice(errno, otherwise: "name the socket that the device's process listens on"))
      }
    self.init(kind, "cannot connect to '\(path)': \(errorText(errno)); \(advice)")
  }
}

/// Takes the first frame, and no other.
private final class Greeting: FrameTaker {
  var hello: MessageHello?

  func takeData(_ header: FrameHeader, prefix: UInt64, count: Int) throws(MessageFault) {
    throw .unexpected(header.kind)
  }

  func takeBytes(_ bytes: UnsafeRawBufferPointer) throws(MessageFault) { throw .badCount }

  func takeFrame(_ header: FrameHeader, _ body: [UInt8]) throws(MessageFault) {
    guard header.kind == .hello, hello == nil else { throw .unexpected(header.kind) }
    hello = try MessageHello(body: body)
  }
}
