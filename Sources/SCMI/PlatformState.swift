/// What one agent has of one resource: the agent's identifier for it is the slot's place in its ``View``.
struct Slot: Sendable {
  struct Votes: OptionSet, Sendable {
    let rawValue: UInt8
    /// ``Slot/value`` is a request.
    static let value = Votes(rawValue: 1)
    /// ``isOn`` is a request.
    static let state = Votes(rawValue: 2)
    static let isOn = Votes(rawValue: 4)
    /// ``Slot/lower`` and ``Slot/upper`` are a request.
    static let limits = Votes(rawValue: 8)
    /// The agent has set something of which the latest request holds: a clock's parent and extended configuration, a
    /// power cap's averaging interval, what a pin is configured to.
    static let settings = Votes(rawValue: 16)
  }

  /// The resource's place in the platform's list.
  var resource: UInt32
  var access: Access
  /// What the configuration gives: RESET_AGENT_CONFIGURATION goes back to it.
  let configured: Access
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
  var slots: [Slot] = []
}

/// Who has a slot for a resource.
struct Holder: Sendable {
  var agent: Int
  var identifier: UInt32
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
}

struct AgentState: Sendable {
  let definition: AgentDefinition
  /// Whether notifications and delayed responses can be delivered.
  var events = true
  /// Bit n: notification n of a protocol without resources (Base, system power) was asked for.
  var baseNotifications: UInt8 = 0
  var systemNotifications: UInt8 = 0
  /// The last system power state that was requested of the agent's system; 3 is "powered up".
  var systemState: UInt32 = 3
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

struct ClockState: Sendable {
  var rate: UInt64
  var enabled: Bool
  /// The parent's place in the platform's list, −1 for none.
  var parent: Int
  var dutyCycle: UInt32
  var phase: UInt32
}

struct PerformanceState: Sendable {
  var level: UInt32
  var minimum: UInt32
  var maximum: UInt32
}

struct TripPoint: Sendable {
  /// 0 off, 1 rising, 2 falling, 3 both.
  var mode: UInt32 = 0
  var value: Int64 = 0
}

struct SensorState: Sendable {
  /// The word of SENSOR_CONFIG_GET.
  var configuration: UInt32
  /// From outside; empty while the binding speaks.
  var values: [Int64]
  /// The value that trip points were last compared with.
  var lastValue: Int64
  /// Whether a sampling timer runs.
  var isSampled = false
}

struct ResetState: Sendable {
  var asserted = false
  var count: UInt64 = 0
}

struct VoltageState: Sendable {
  var level: Int32
  /// Bits 3:0 of VOLTAGE_CONFIG_GET: 0 off, 7 on.
  var mode: UInt32
}

struct PowercapState: Sendable {
  var cap: UInt32
  var averagingInterval: UInt32
  /// From outside; empty while the binding speaks.
  var power: [Int64] = []
  var lastPower: UInt32 = 0
  var isSampled = false
}

/// A pin or a group.
struct PinState: Sendable {
  /// The agent with exclusive control, −1 for none.
  var owner = -1
  /// The selected function's place in the platform's list, −1 for none.
  var function = -1
  /// Ascending by type.
  var settings: [(type: UInt8, value: UInt32)]

  init(_ settings: [UInt8: UInt32]) {
    self.settings = settings.sorted { $0.key < $1.key }.map { (type: $0.key, value: $0.value) }
  }

  /// All but the owner.
  var configuration: (function: Int, settings: [(type: UInt8, value: UInt32)]) {
    get { (function, settings) }
    set { (function, settings) = newValue }
  }

  subscript(type: UInt8) -> UInt32? {
    get { settings.first { $0.type == type }?.value }
    set {
      settings.removeAll { $0.type == type }
      guard let newValue else { return }
      let index = settings.firstIndex { $0.type > type } ?? settings.count
      settings.insert((type, newValue), at: index)
    }
  }
}

/// An asynchronous command under way.
struct Operation: Sendable {
  var agent: Int
  var request: SCMIMessage
  var requested: UInt64
  /// No delayed response is sent.
  var isSilent: Bool
  /// It is sent twice.
  var isTwice: Bool
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

  var due: UInt64
  /// Breaks ties: first in, first out.
  var order: UInt64
  var action: Action
}

/// A message from the platform that is not the answer to the call that is running.
public struct Outgoing: Sendable {
  public enum Channel: Equatable, Sendable {
    /// Into the reply buffer of the request that was handed in with this ticket.
    case reply(ticket: UInt64)
    /// Into a buffer of the event channel.
    case event
  }

  /// The receiver's place in ``PlatformDefinition/agents``.
  public var agent: Int
  public var channel: Channel
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
  /// SYSTEM_POWER_STATE_SET about an agent's system, by itself or by one that is trusted with all: 0 shutdown, 1 cold
  /// reset, 2 warm reset, 3 power up, 4 suspend.
  case systemPower(agent: Int, state: UInt32, graceful: Bool)
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
  /// The protocol version that the agent speaks.
  let version: UInt32
  let header: MessageHeader
}
