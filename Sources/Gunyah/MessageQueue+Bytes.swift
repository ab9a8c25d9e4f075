/// For who has messages as arrays: the resource manager, and tests.
extension MessageQueue {
  /// Puts `message` behind the others.
  ///
  /// - Throws: ``GunyahError/messageQueueFull``, ``GunyahError/argumentSize``.
  public mutating func send(_ message: some Collection<UInt8>, push: Bool = false) throws(GunyahError) -> Sent {
    // SAFETY: the place is as long as the message.
    try unsafe send(size: UInt64(message.count), push: push) { place in
      unsafe place.copyBytes(from: message)
    }
  }

  /// Takes the message that waits longest, with what that comes to.
  ///
  /// - Throws: ``GunyahError/messageQueueEmpty``.
  public mutating func receive() throws(GunyahError) -> (message: [UInt8], received: Received) {
    var message: [UInt8] = []
    // SAFETY: the bytes are copied during the call.
    let received = try unsafe receive(capacity: .max) { place in
      message = unsafe Array(place)
    }
    return (message, received)
  }
}
