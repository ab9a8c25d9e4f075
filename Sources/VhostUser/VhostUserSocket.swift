internal import CHost
internal import Glibc
internal import Host

/// One end of a connection: whole messages out of what arrives, and whole messages into it.
///
/// Nothing here blocks but the calls with a deadline. One thread at a time.
public final class VhostUserSocket: @unchecked Sendable {
  // SAFETY: @unchecked: its user calls it from one thread at a time.

  private let descriptor: OwnedDescriptor
  /// Of the message that is arriving: header and payload, as far as they are here.
  private var arrived: [UInt8] = []
  private var arrivedDescriptors: [VhostUserDescriptor] = []
  /// What of an earlier message the socket had no room for.
  private var waiting: [UInt8] = []

  /// Takes ownership of a connected stream socket.
  public init(owning number: Int32) {
    descriptor = OwnedDescriptor(owning: number)
  }

  /// What to watch.
  public var rawValue: Int32 { descriptor.rawValue }

  /// Whether the first bytes of a message are here and the rest is not.
  public var isAmidMessage: Bool { !arrived.isEmpty }

  /// Ends the connection for both sides; who waits for a message waits no longer. From any thread.
  func shutDown() {
    _ = shutdown(descriptor.rawValue, Int32(SHUT_RDWR))
  }

  /// The two ends of a new connection.
  ///
  /// - Throws: ``VhostUserError/host(_:)``.
  public static func pair() throws(VhostUserError) -> (VhostUserSocket, VhostUserSocket) {
    var (first, second): (Int32, Int32) = (-1, -1)
    // SAFETY: the numbers hold for the call.
    let error = unsafe chost_stream_pair(&first, &second)
    guard error == 0 else { throw .host("cannot make a pair of sockets: \(errorText(-error))") }
    return (VhostUserSocket(owning: first), VhostUserSocket(owning: second))
  }

  /// The next whole message, where one is here.
  ///
  /// - Returns: nil: not all of one has arrived.
  /// - Throws: ``VhostUserError/disconnected`` at the end, and ``VhostUserError/malformed(_:)`` for a header that can't
  ///   be one; after either the connection is of no use.
  public func receive() throws(VhostUserError) -> VhostUserMessage? {
    while true {
      var needed = VhostUserWire.headerSize
      if arrived.count >= needed { needed += Int(try size(ofHeader: arrived)) }
      if arrived.count >= VhostUserWire.headerSize, arrived.count == needed { return takeMessage() }
      guard try fill(upTo: needed) else { return nil }
    }
  }

  /// The length of the payload, of a header that may be one.
  private func size(ofHeader header: [UInt8]) throws(VhostUserError) -> UInt32 {
    guard let flags = header.number(at: 4, as: UInt32.self), let size = header.number(at: 8, as: UInt32.self) else {
      preconditionFailure("the header is here")
    }
    guard flags & VhostUserWire.versionMask == VhostUserWire.version else {
      throw .malformed("a message of version \(flags & VhostUserWire.versionMask)")
    }
    guard size <= VhostUserWire.payloadLimit else { throw .malformed("a message of \(size) bytes") }
    return size
  }

  private func takeMessage() -> VhostUserMessage {
    let message = VhostUserMessage(
      request: arrived.number(at: 0, as: UInt32.self) ?? 0,
      flags: arrived.number(at: 4, as: UInt32.self) ?? 0,
      payload: Array(arrived[VhostUserWire.headerSize...]),
      descriptors: arrivedDescriptors
    )
    arrived.removeAll(keepingCapacity: true)
    arrivedDescriptors = []
    return message
  }

  /// - Returns: whether there is more than before.
  private func fill(upTo needed: Int) throws(VhostUserError) -> Bool {
    var numbers = [Int32](repeating: -1, count: Int(CHOST_MESSAGE_DESCRIPTORS))
    var count: Int32 = 0
    var chunk = [UInt8](repeating: 0, count: needed - arrived.count)
    // SAFETY: the arrays hold for the call; their sizes are what the call takes them to be.
    let received = unsafe chost_message_receive(descriptor.rawValue, &chunk, chunk.count, &numbers, &count)
    let came = numbers[..<Int(count)].map { VhostUserDescriptor(owning: $0) }
    if received == -Int64(EAGAIN) { return false }
    guard received > 0 else { throw .disconnected }
    guard arrivedDescriptors.count + came.count <= Int(CHOST_MESSAGE_DESCRIPTORS) else {
      throw .malformed("more descriptors than a message has")
    }
    arrivedDescriptors += came
    arrived += chunk[..<Int(received)]
    return true
  }

  /// Sends a message without waiting. What the socket has no room for is sent with the next call of ``flush()``.
  ///
  /// - Throws: ``VhostUserError/disconnected``; ``VhostUserError/timedOut(_:)`` where the other side has not taken what
  ///   it was sent before.
  public func send(_ message: VhostUserMessage) throws(VhostUserError) {
    guard try flush() else { throw .timedOut("what it was sent") }
    let bytes = message.bytes
    let numbers = message.descriptors.map(\.rawValue)
    // SAFETY: the arrays hold for the call and their sizes go along.
    let sent = withExtendedLifetime(message) {
      unsafe chost_message_send(descriptor.rawValue, bytes, bytes.count, numbers, Int32(numbers.count))
    }
    if sent == -Int64(EAGAIN) { throw .timedOut("what it was sent") }
    guard sent >= 0 else { throw .disconnected }
    waiting = Array(bytes[Int(sent)...])
  }

  /// Sends what is left of an earlier message.
  ///
  /// - Returns: whether all of it is gone.
  /// - Throws: ``VhostUserError/disconnected``.
  public func flush() throws(VhostUserError) -> Bool {
    while !waiting.isEmpty {
      // SAFETY: the array holds for the call and its size goes along.
      let sent = unsafe chost_message_send(descriptor.rawValue, waiting, waiting.count, nil, 0)
      if sent == -Int64(EAGAIN) { return false }
      guard sent >= 0 else { throw .disconnected }
      waiting.removeFirst(Int(sent))
    }
    return true
  }

  // MARK: With a deadline

  /// Sends all of a message.
  ///
  /// - Parameter deadline: in nanoseconds of the monotonic clock.
  /// - Throws: ``VhostUserError``.
  func send(_ message: VhostUserMessage, by deadline: UInt64) throws(VhostUserError) {
    while true {
      do throws(VhostUserError) {
        try send(message)
        break
      } catch .timedOut(let what) {
        try wait(for: Int16(POLLOUT), by: deadline, what)
      }
    }
    while try !flush() { try wait(for: Int16(POLLOUT), by: deadline, "what it was sent") }
  }

  /// Waits for a whole message.
  ///
  /// - Parameters:
  ///   - what: what it is to be, for an error.
  ///   - deadline: in nanoseconds of the monotonic clock.
  /// - Throws: ``VhostUserError``.
  func receive(_ what: String, by deadline: UInt64) throws(VhostUserError) -> VhostUserMessage {
    while true {
      if let message = try receive() { return message }
      try wait(for: Int16(POLLIN), by: deadline, what)
    }
  }

  private func wait(for events: Int16, by deadline: UInt64, _ what: String) throws(VhostUserError) {
    let now = HostClock.monotonic
    guard now < deadline else { throw .timedOut(what) }
    // Rounded up, so that no time is spent in asking again and again.
    let milliseconds = (deadline - now + 999_999) / 1_000_000
    _ = chost_wait(descriptor.rawValue, events, Int32(clamping: milliseconds))
  }
}
