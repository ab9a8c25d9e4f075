/// One way of being wrong on purpose.
public enum Misbehaviour: Equatable, Sendable {
  /// The reply comes so many nanoseconds late.
  case late(UInt64)
  /// The request is answered with an empty buffer.
  case dropped
  /// The request is never answered and its buffer is kept.
  case never
  /// The reply comes twice: the second time on the event channel.
  case duplicated
  /// The reply is held until the agent's next one has gone, or until so many nanoseconds have passed.
  case outOfOrder(UInt64)
  /// The reply's token, plus so much.
  case wrongToken(Int16)
  /// The reply's protocol number is this one.
  case wrongProtocol(UInt8)
  /// The type bits in the reply's header, of which two count, are these.
  case wrongType(UInt8)
  /// The reply's payload is cut to so many bytes.
  case short(Int)
  /// So many bytes of 0xA5 more than there should be.
  case long(Int)
  /// The payload is noise of the same length.
  case garbage
  /// The command has no effect and gets this status.
  case status(SCMIStatus)
  /// For asynchronous commands: the delayed response overtakes the reply by so many nanoseconds.
  case delayedBeforeReply(UInt64)
  /// The delayed response comes, the reply never.
  case delayedWithoutReply
  case delayedTwice
  /// The delayed response never comes.
  case delayedNever
  /// A notification that nobody asked for, behind the reply.
  case unexpectedNotification(protocolIdentifier: UInt8, message: UInt8, payload: [UInt32])
  /// That notification so many times, `interval` nanoseconds apart.
  case notificationStorm(protocolIdentifier: UInt8, message: UInt8, payload: [UInt32], count: Int, interval: UInt64)
  /// PROTOCOL_ATTRIBUTES counts so many resources more (or fewer).
  case countLie(Int)
  /// Multi-part replies always say that so many more entries remain.
  case remainingNeverEnds(UInt16)
  /// A range-form CLOCK_DESCRIBE_RATES claims this number of returned rates.
  case rateTriplet(returned: UInt16)
  /// PROTOCOL_VERSION answers this.
  case versionLie(UInt32)
  /// Words or bytes of the message are others, whatever they mean.
  case alter([Alteration])
}

/// A change of one, two or four bytes of a message, little-endian.
public struct Alteration: Equatable, Sendable {
  /// What is done with the value.
  public enum Operation: String, CaseIterable, Sendable, Codable {
    /// The value is there instead.
    case replace
    /// The value is added; what does not fit into the width is lost.
    case add
    /// The bits of the value are turned over.
    case xor
  }

  /// In bytes from the message's start: 0 is the header, 4 the first word of the payload (of a reply, the status). A
  /// message that ends before is made longer, with zeros.
  public var offset: Int
  /// 1, 2 or 4 bytes.
  public var width: Int
  /// What is done with the value.
  public var operation: Operation
  /// Of its bits those of the width count.
  public var value: Int64

  public init(_ operation: Operation, _ value: Int64, at offset: Int, width: Int = 4) {
    self.offset = offset
    self.width = width
    self.operation = operation
    self.value = value
  }
}

/// When and how the platform misbehaves. Conditions that are `nil` always hold.
public struct MisbehaviourRule: Sendable {
  /// What is wrong.
  public enum Target: String, CaseIterable, Sendable, Codable {
    /// The answer to a request.
    case reply
    /// The second answer to an asynchronous command.
    case delayedResponse
    case notification
  }

  /// Shows up in the transcript.
  public var name: String
  /// An agent's name.
  public var agent: String?
  /// A protocol's number.
  public var protocolIdentifier: UInt8?
  /// A command's number, or with another ``target`` the notification's.
  public var message: UInt8?
  /// The resource that the message is about.
  public var resource: ResourceName?
  /// Which message goes wrong.
  public var target: Target = .reply
  /// From 1: the rule applies from this matching request on…
  public var firstOccurrence: UInt64 = 1
  /// …and to so many of them; `nil` is all.
  public var times: UInt64?
  /// Chance per match, in parts per million.
  public var probability: UInt32 = 1_000_000
  /// For chance and garbage.
  public var seed: UInt64 = 1
  /// What goes wrong.
  public var action: Misbehaviour

  /// What `configure` leaves alone has its default: a rule without conditions applies to all.
  public init(_ name: String, _ action: Misbehaviour, configure: (inout Self) -> Void = { _ in }) {
    self.name = name
    self.action = action
    configure(&self)
  }
}

/// SplitMix64: small, seedable, the same everywhere.
struct Noise: Sendable {
  var state: UInt64

  init(seed: UInt64) {
    state = seed
  }

  mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var z = state
    z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
    z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
    return z ^ (z >> 31)
  }
}
