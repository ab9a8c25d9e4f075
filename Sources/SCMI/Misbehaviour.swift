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
  case wrongProtocol(UInt8)
  case wrongType(UInt8)
  /// The reply's payload is cut to so many bytes.
  case short(Int)
  /// So many bytes of 0xA5 more than there should be.
  case long(Int)
  /// The payload is noise of the same length.
  case garbage
  /// The command has no effect and gets this status.
  case status(Status)
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
}

/// When and how the platform misbehaves. Conditions that are `nil` always hold.
public struct MisbehaviourRule: Sendable {
  /// Shows up in the transcript.
  public var name: String
  /// An agent's name.
  public var agent: String?
  public var protocolIdentifier: UInt8?
  public var message: UInt8?
  public var resource: ResourceName?
  /// From 1: the rule applies from this matching request on…
  public var firstOccurrence: UInt64 = 1
  /// …and to so many of them; `nil` is all.
  public var times: UInt64?
  /// Chance per match, in parts per million.
  public var probability: UInt32 = 1_000_000
  /// For chance and garbage.
  public var seed: UInt64 = 1
  public var action: Misbehaviour

  public init(_ name: String, _ action: Misbehaviour, configure: (inout Self) -> Void = { _ in }) {
    self.name = name
    self.action = action
    configure(&self)
  }
}

/// What happens at a stated time.
public enum ScriptAction: Sendable {
  /// The sensor reads these values (one per axis) from now on.
  case setSensor(String, [Int64])
  /// The platform changes a resource by itself: Hz, level, microvolts, power state or power cap.
  case set(ResourceName, Int64)
  case systemPower(state: UInt32, graceful: Bool)
  case setPermission(agent: String, resource: ResourceName, Access)
  case resetAgent(String)
  case notification(agent: String, protocolIdentifier: UInt8, message: UInt8, payload: [UInt32])
  case errorEvent(fatal: Bool, reports: [UInt64])
  case addRule(MisbehaviourRule)
  case removeRule(String)
}

public struct ScriptStep: Sendable {
  /// Nanoseconds of the platform's clock.
  public var time: UInt64
  public var action: ScriptAction

  public init(at time: UInt64, _ action: ScriptAction) {
    self.time = time
    self.action = action
  }
}

/// SplitMix64: small, seedable, the same everywhere.
struct Noise: Sendable {
  private var state: UInt64

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
