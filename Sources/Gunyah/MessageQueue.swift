/// A queue of messages from one machine to another one, or to the resource manager.
///
/// Gunyah Hypervisor API, "Message Queue". Where the hypervisor's source forgets an error (a bad size, a copy that
/// failed), this keeps to the document: the error is told, and nothing has moved. All memory is taken at the start.
/// Interrupts are edges, as the resource manager binds them.
///
/// One thread at a time: whoever shares it holds a lock, under which the copying is done.
@safe
public struct MessageQueue: ~Copyable, @unchecked Sendable {
  // SAFETY: @unchecked: the storage is this value's alone, of which there is no copy. It has `depth` places of `stride`
  // bytes, and an index is always below `depth`.

  /// The least and the most messages that a queue can have room for.
  public static var depths: ClosedRange<Int> { 1...255 }
  /// The least and the most bytes that a queue's longest message can have.
  public static var sizes: ClosedRange<Int> { 1...1023 }

  /// How many messages there is room for.
  public let depth: Int
  /// How many bytes a message can have.
  public let maximumSize: Int
  /// How many messages wait.
  public private(set) var count = 0
  /// The sender is interrupted when a receive makes the count equal this: in 0..<depth.
  public private(set) var notFullThreshold: Int
  /// The receiver is interrupted when a send makes the count equal this: in 1…depth.
  public private(set) var notEmptyThreshold = 1

  private let storage: UnsafeMutableRawBufferPointer
  /// The place of the message that waits longest.
  private var first = 0

  /// In front of each message: how long it is.
  private static var headerSize: Int { 8 }
  private var stride: Int { Self.headerSize + (maximumSize + 7) & ~7 }

  /// An empty queue with the thresholds that a new one has.
  ///
  /// - Parameters:
  ///   - depth: in messages, one of ``depths``.
  ///   - maximumSize: of a message, in bytes, one of ``sizes``.
  public init(depth: Int = 8, maximumSize: Int = 240) {
    precondition(Self.depths ~= depth, "a queue has room for 1 to 255 messages")
    precondition(Self.sizes ~= maximumSize, "a message's size is 1 to 1,023 bytes")
    self.depth = depth
    self.maximumSize = maximumSize
    notFullThreshold = depth - 1
    let stride = Self.headerSize + (maximumSize + 7) & ~7
    unsafe storage = .allocate(byteCount: depth * stride, alignment: 16)
    // SAFETY: so many bytes were allocated.
    unsafe storage.initializeMemory(as: UInt8.self, repeating: 0)
  }

  deinit {
    // SAFETY: allocated by the initializer, and nobody keeps a pointer into it beyond a call.
    unsafe storage.deallocate()
  }

  /// Which sides are to be interrupted.
  public struct Interrupts: OptionSet, Hashable, Sendable {
    public let rawValue: UInt8

    public init(rawValue: UInt8) {
      self.rawValue = rawValue
    }

    /// An edge for the sender: there is room.
    public static let sender = Interrupts(rawValue: 1)
    /// An edge for the receiver: there are messages.
    public static let receiver = Interrupts(rawValue: 2)
  }

  /// What a send comes to.
  public struct Sent: Equatable, Sendable {
    /// Whether there is room for another message.
    public var isNotFull: Bool
    /// Who is to be interrupted by it.
    public var interrupts: Interrupts

    public init(isNotFull: Bool, interrupts: Interrupts) {
      self.isNotFull = isNotFull
      self.interrupts = interrupts
    }
  }

  /// What a receive comes to.
  public struct Received: Equatable, Sendable {
    /// How many bytes the message had.
    public var size: Int
    /// Whether there are more messages.
    public var isNotEmpty: Bool
    /// Who is to be interrupted by it.
    public var interrupts: Interrupts

    public init(size: Int, isNotEmpty: Bool, interrupts: Interrupts) {
      self.size = size
      self.isNotEmpty = isNotEmpty
      self.interrupts = interrupts
    }
  }

  /// Puts a message behind the others.
  ///
  /// - Parameters:
  ///   - size: of the message, in bytes.
  ///   - push: whether the receiver is interrupted, however many messages wait.
  ///   - copy: gets the message's place, of `size` bytes, for the duration of the call, and fills all of it.
  /// - Throws: in this order, ``GunyahError/messageQueueFull``, ``GunyahError/argumentSize``, what `copy` throws. The
  ///   queue is as before then.
  public mutating func send(
    size: UInt64,
    push: Bool,
    copy: (UnsafeMutableRawBufferPointer) throws(GunyahError) -> Void
  ) throws(GunyahError) -> Sent {
    guard count < depth else { throw .messageQueueFull }
    guard size > 0, size <= UInt64(maximumSize) else { throw .argumentSize }
    let last = first + count < depth ? first + count : first + count - depth
    let start = last * stride
    let message = start + Self.headerSize..<start + Self.headerSize + Int(size)
    // SAFETY: one of the places, whose message is not longer than the longest; the header is aligned.
    try unsafe copy(UnsafeMutableRawBufferPointer(rebasing: storage[message]))
    unsafe storage.storeBytes(of: size, toByteOffset: start, as: UInt64.self)
    count += 1
    return Sent(isNotFull: count < depth, interrupts: push || count == notEmptyThreshold ? .receiver : [])
  }

  /// Takes the message that waits longest.
  ///
  /// - Parameters:
  ///   - capacity: how many bytes there is room for.
  ///   - copy: gets the whole message for the duration of the call.
  /// - Throws: in this order, ``GunyahError/messageQueueEmpty``, ``GunyahError/addressOverflow`` where the message has
  ///   more bytes than there is room for, what `copy` throws. The message stays then.
  public mutating func receive(
    capacity: UInt64,
    copy: (UnsafeRawBufferPointer) throws(GunyahError) -> Void
  ) throws(GunyahError) -> Received {
    guard count > 0 else { throw .messageQueueEmpty }
    let start = first * stride
    // SAFETY: one of the places, which has a message since the count is not 0.
    let size = unsafe Int(storage.load(fromByteOffset: start, as: UInt64.self))
    guard capacity >= UInt64(size) else { throw .addressOverflow }
    let message = start + Self.headerSize..<start + Self.headerSize + size
    try unsafe copy(UnsafeRawBufferPointer(rebasing: storage[message]))
    first = first + 1 < depth ? first + 1 : 0
    count -= 1
    return Received(
      size: size,
      isNotEmpty: count > 0,
      interrupts: count == notFullThreshold ? .sender : []
    )
  }

  /// Drops all messages. The sender hears of it if there were any.
  public mutating func flush() -> Interrupts {
    let hadMessages = count > 0
    (first, count) = (0, 0)
    return hadMessages ? .sender : []
  }

  /// The sender is another one from now on: its threshold is that of a new queue.
  public mutating func resetSender() { notFullThreshold = depth - 1 }

  /// The receiver is another one from now on: nothing waits for it, and its threshold is that of a new queue.
  ///
  /// - Returns: as ``flush()``.
  public mutating func resetReceiver() -> Interrupts {
    notEmptyThreshold = 1
    return flush()
  }

  /// What a threshold or a delay is where it is to stay as it is; the sizes of a register's value are both in use.
  private static func isUnchanged(_ value: UInt64) -> Bool { value == .max || value == UInt64(UInt32.max) }

  /// Sets when the sender is interrupted; at once where so few messages wait already.
  ///
  /// - Parameters:
  ///   - threshold: in messages; −1 keeps the one that there is.
  ///   - delay: −1.
  /// - Throws: in this order, ``GunyahError/argumentInvalid`` for a threshold that is not below the depth,
  ///   ``GunyahError/unimplemented`` for a delay. Nothing has changed then.
  public mutating func configureSender(threshold: UInt64, delay: UInt64) throws(GunyahError) -> Interrupts {
    let isKept = Self.isUnchanged(threshold)
    guard isKept || threshold < UInt64(depth) else { throw .argumentInvalid }
    guard Self.isUnchanged(delay) else { throw .unimplemented }
    if !isKept { notFullThreshold = Int(threshold) }
    return count <= notFullThreshold ? .sender : []
  }

  /// Sets when the receiver is interrupted; at once where so many messages wait already.
  ///
  /// - Parameters:
  ///   - threshold: in messages; −1 keeps the one that there is, −2 is the depth and interrupts nobody now.
  ///   - delay: −1.
  /// - Throws: in this order, ``GunyahError/argumentInvalid`` for a threshold of 0 or beyond the depth,
  ///   ``GunyahError/unimplemented`` for a delay. Nothing has changed then.
  public mutating func configureReceiver(threshold: UInt64, delay: UInt64) throws(GunyahError) -> Interrupts {
    let isKept = Self.isUnchanged(threshold)
    let isDepth = threshold == .max - 1 || threshold == UInt64(UInt32.max) - 1
    guard isKept || isDepth || threshold > 0 && threshold <= UInt64(depth) else { throw .argumentInvalid }
    guard Self.isUnchanged(delay) else { throw .unimplemented }
    if isDepth {
      notEmptyThreshold = depth
      return []
    }
    if !isKept { notEmptyThreshold = Int(threshold) }
    return count >= notEmptyThreshold ? .receiver : []
  }
}
