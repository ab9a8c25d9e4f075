internal import CHost
internal import Glibc
package import Host

/// One connection to the other side: bytes in, bytes out. One thread at a time.
@safe
package final class MessagePeer {
  // SAFETY: the buffer is allocated in init and released in deinit.

  /// The most bytes of one read, and of one turn.
  private static let receiveBytes = 256 << 10

  private let descriptor: OwnedDescriptor
  private var parser = FrameParser()
  private let received: UnsafeMutableRawPointer
  private(set) var output: FrameOutput
  /// When something arrived last, in nanoseconds of the monotonic clock.
  private(set) var lastArrival = HostClock.monotonic

  /// Takes a connected stream socket, which does not block.
  ///
  /// - Parameter room: for what waits to be sent, in bytes.
  package init(_ descriptor: consuming OwnedDescriptor, room: Int) {
    self.descriptor = descriptor
    output = FrameOutput(capacity: room)
    unsafe received = .allocate(byteCount: Self.receiveBytes, alignment: 64)
  }

  deinit {
    unsafe received.deallocate()
  }

  /// Has room for so many bytes that wait to be sent. While none waits.
  func makeRoom(_ room: Int) {
    precondition(output.isEmpty, "room is made before anything is sent")
    output = FrameOutput(capacity: room)
  }

  /// What to watch.
  package var rawValue: Int32 { descriptor.rawValue }

  /// Whether the first bytes of a frame are here and the rest is not.
  package var isAmidFrame: Bool { parser.isAmidFrame }

  /// Takes what is there, and as much as one turn has at most.
  ///
  /// - Returns: whether there may be more.
  /// - Throws: ``MessageFault``, the taker's included; the connection is of no use then.
  package func receive(into taker: some FrameTaker) throws(MessageFault) -> Bool {
    // SAFETY: the buffer has so many bytes.
    let count = unsafe Int(chost_socket_receive(descriptor.rawValue, received, Self.receiveBytes))
    if count == -Int(EAGAIN) { return false }
    guard count > 0 else { throw .gone }
    lastArrival = HostClock.monotonic
    try unsafe parser.take(UnsafeRawBufferPointer(start: received, count: count), into: taker)
    return count == Self.receiveBytes
  }

  /// Sends what waits.
  ///
  /// - Returns: whether all of it has gone.
  /// - Throws: ``MessageFault/gone``.
  package func flush() throws(MessageFault) -> Bool { try output.flush(descriptor.rawValue) }

  /// How much room there is for what waits to be sent, where the other side grants so much, in bytes.
  static func room(credit: Int, queueSizes: [UInt16]) -> Int {
    let chains = queueSizes.reduce(0) { $0 + Int($1) }
    return credit + 64 * chains + 4 * MessageWire.headerSize * (credit >> 20) + (MessageWire.payloadLimit + 64 << 10)
  }

  /// Connects to a UNIX socket without waiting.
  ///
  /// - Returns: nil where nobody is there now.
  static func connect(path: String) -> OwnedDescriptor? {
    // SAFETY: the path holds for the call.
    let number = unsafe path.withHostPath { unsafe chost_socket_connect_now($0) }
    return number >= 0 ? OwnedDescriptor(owning: number) : nil
  }
}
