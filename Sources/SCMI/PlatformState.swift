/// What one agent has of one resource: the agent's identifier for it is the grant's place in its ``View``.
struct Grant: Sendable {
  struct Votes: OptionSet, Sendable, Codable {
    let rawValue: UInt8
    /// ``Grant/value`` is a request.
    static let value = Votes(rawValue: 1)
    /// ``isOn`` is a request.
    static let state = Votes(rawValue: 2)
    static let isOn = Votes(rawValue: 4)
    /// ``Grant/lower`` and ``Grant/upper`` are a request.
    static let limits = Votes(rawValue: 8)
    /// The agent has set something of which the latest request holds: a clock's parent and extended configuration, a
    /// power cap's averaging interval, what a pin is configured to.
    static let settings = Votes(rawValue: 16)
  }

  /// The resource's place in the platform's list.
  var resource: UInt32 = 0
  var access = Access.none
  /// What the configuration gives: RESET_AGENT_CONFIGURATION goes back to it.
  var configured = Access.none
  /// Bit n: the agent asked for notification n.
  var notifications: UInt8 = 0
  var votes: Votes = []
  var value: Int64 = 0
  var lower: UInt32 = 0
  var upper: UInt32 = 0
  /// Bounds of what the agent may set.
  var minimum = Int64.min
  var maximum = Int64.max
}

/// The resources of one kind that exist for one agent, densely numbered.
struct View: Sendable {
  var grants: [Grant] = []
}

/// Who has a grant for a resource.
struct Holder: Sendable {
  var agent = 0
  var identifier: UInt32 = 0
}

/// What one agent may say in one protocol.
struct ProtocolAccess: Sendable {
  var isPresent = false
  /// In use: what is advertised, or what was negotiated.
  var version: UInt32 = 0
  var advertised: UInt32 = 0
  /// Bit n: message n is one of ``version``'s.
  var implemented: UInt32 = 0
  /// Bit n: message n is refused.
  var denied: UInt32 = 0

  /// Bit n: message n exists and is not refused.
  var allowed: UInt32 { implemented & ~denied }
}

struct AgentState: Sendable {
  /// Whether notifications and delayed responses can be delivered.
  var events = true
  var outstandingResponses = 0
  /// The quota's bucket, in nanoseconds of credit: full at first.
  var credit: UInt64 = 1_000_000_000
  var creditTime: UInt64 = 0
  /// Messages that wait to be taken.
  var queued = 0
  /// Messages for the event channel that a timer brings.
  var scheduled = 0
  /// Messages for the event channel that were not queued since ``SCMIPlatform/maximumQueued`` waited already.
  var dropped: UInt64 = 0
  /// Replies that wait for another one to overtake them.
  var held: [Outgoing] = []
}

/// An asynchronous command under way.
struct Operation: Sendable {
  var agent = 0
  /// Whose command it is.
  var identifier = ProtocolIdentifier.base
  var request = SCMIMessage()
  var requested: UInt64 = 0
  /// No delayed response is sent.
  var isSilent = false
  /// It is sent twice.
  var isTwice = false
}

/// What is due later.
struct Timer: Sendable {
  enum Action: Sendable {
    /// A late reply.
    case deliver(Outgoing)
    case deliverEvent(Outgoing)
    case complete(Operation)
    case script(Int)
    case releaseHeld(agent: Int)
  }

  var due: UInt64 = 0
  /// Breaks ties: first in, first out.
  var order: UInt64 = 0
  var action = Action()
}

/// A message from the platform that is not the answer to the call that is running.
public struct Outgoing: Sendable {
  /// Where a message goes.
  public enum Channel: Equatable, Sendable {
    /// Into the reply buffer of the request that was handed in with this ticket.
    case reply(ticket: UInt64)
    /// Into a buffer of the event channel.
    case event
  }

  /// The receiver's place in ``PlatformDefinition/agents``.
  public var agent: Int
  /// Where it goes.
  public var channel: Channel
  /// What it says.
  public var message: SCMIMessage
  /// When the request came that this answers, for the transcript.
  var requested: UInt64?
  /// The misbehaviour rule that changed it already: its place in ``SCMIPlatform/ruleNames``.
  var rule: Int?

  /// With how many waiting messages for the event channel this one waits, too. A delayed response does not give way to
  /// notifications, which may be any number.
  var queueLimit: Int {
    message.header.type == .delayedResponse ? 2 * SCMIPlatform.maximumQueued : SCMIPlatform.maximumQueued
  }
}

/// What the machine around the platform has to act on.
public enum PlatformEvent: Equatable, Sendable {
  /// SYSTEM_POWER_STATE_SET about an agent's system, by itself or by one that is trusted with all.
  case systemPower(agent: Int, state: SystemState, graceful: Bool)
  /// The script drives a line of a consumer of the guests' trees, both by their places there: an edge, or a level.
  case interrupt(consumer: Int, line: Int, asserted: Bool?)
}

/// What becomes of a request.
public enum Disposition: Equatable, Sendable {
  /// The reply is there.
  case reply
  /// The reply comes later, as an ``Outgoing`` with the request's ticket.
  case later
  /// There is no reply: return the buffer empty.
  case empty
  /// There is no reply: keep the buffer until the device is reset.
  case never
}

/// What was asked, by whom and when: what every handler gets.
struct Context {
  let agent: Int
  let identifier: ProtocolIdentifier
  /// The protocol version that the agent speaks.
  let version: ProtocolVersion
}
