public import Gunyah

/// A queue whose results are values that can be compared.
public final class TestQueue {
  /// The queue itself.
  public var queue: MessageQueue
  /// What the last receive copied.
  public private(set) var message: [UInt8] = []
  /// How often a send or a receive began to copy.
  public private(set) var copies = 0

  public init(depth: Int = 8, maximumSize: Int = 240) {
    queue = MessageQueue(depth: depth, maximumSize: maximumSize)
  }

  /// Sends `size` bytes, each of them `byte`, or fails to copy them.
  public func send(
    size: UInt64,
    byte: UInt8 = 0,
    push: Bool = false,
    failing: GunyahError? = nil
  ) -> Result<MessageQueue.Sent, GunyahError> {
    // SAFETY: the place is written during the call, and as long as it says.
    Result { () throws(GunyahError) in
      try unsafe queue.send(size: size, push: push) { (place) throws(GunyahError) in
        copies += 1
        unsafe place.initializeMemory(as: UInt8.self, repeating: byte)
        if let failing { throw failing }
      }
    }
  }

  /// Receives into ``message``, or fails to copy.
  public func receive(
    capacity: UInt64 = .max,
    failing: GunyahError? = nil
  ) -> Result<MessageQueue.Received, GunyahError> {
    // SAFETY: the bytes are copied during the call.
    Result { () throws(GunyahError) in
      try unsafe queue.receive(capacity: capacity) { (place) throws(GunyahError) in
        copies += 1
        if let failing { throw failing }
        message = unsafe Array(place)
      }
    }
  }

  public func configureSender(_ threshold: UInt64, delay: UInt64 = .max) -> Result<
    MessageQueue.Interrupts, GunyahError
  > {
    Result { () throws(GunyahError) in try queue.configureSender(threshold: threshold, delay: delay) }
  }

  public func configureReceiver(_ threshold: UInt64, delay: UInt64 = .max) -> Result<
    MessageQueue.Interrupts, GunyahError
  > {
    Result { () throws(GunyahError) in try queue.configureReceiver(threshold: threshold, delay: delay) }
  }
}
