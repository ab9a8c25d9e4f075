extension Control {
  /// The kinds of events.
  public enum EventKind: String, ControlEnumeration {
    case state
    case ended
    case panic
    case guestFault
    case deviceReset
    case deviceFault
    case scmi
    case memory
  }

  /// Subscribes to what happens to the machine.
  public enum EventsSubscribe: ControlMethod {
    public typealias Answer = SubscriptionAnswer
    public static let name = "events.subscribe"
    public static let summary = "Tells what happens to the machine, by 'event', from now on."

    public struct Parameters: ControlRecord {
      public var kinds: [EventKind]?

      public init() {}

      public mutating func visit(_ fields: inout ControlFields) throws(ControlError) {
        try fields.field("kinds", &kinds, "Which kinds of events; all by default.")
      }
    }
  }

  /// Something happened to the machine.
  public enum Event: ControlNotice {
    public static let name = "event"
    public static let summary = "Something has happened to the machine."

    public struct Content: ControlRecord {
      public var number: UInt64 = 0
      public var time: UInt64 = 0
      public var kind = EventKind.state
      public var message = ""
      public var state: State?
      public var outcome: String?
      public var isLast: Bool?
      public var device: String?
      public var name: String?
      public var requested: UInt64?
      public var plugged: UInt64?

      public init() {}

      public mutating func visit(_ fields: inout ControlFields) throws(ControlError) {
        try fields.field("number", &number, "1 for the machine's first event, and one more for each.")
        try fields.field("time", &time, "Nanoseconds since the machine was made.")
        try fields.field("kind", &kind, "What kind of event it is.")
        try fields.field("message", &message, "What happened, for people.")
        try fields.field("state", &state, "What the machine does now, of 'state'.")
        try fields.field(
          "outcome",
          &outcome,
          "How the boot ended, in a report's words, of 'ended' and what comes with it."
        )
        try fields.field(
          "isLast",
          &isLast,
          "Whether the machine has ended and does not boot again, where a boot ended."
        )
        try fields.field("device", &device, "The device, of 'deviceReset' and 'deviceFault'.")
        try fields.field("name", &name, "The hot-plug memory, of 'memory'.")
        try fields.field("requested", &requested, "Bytes that it is to have.")
        try fields.field("plugged", &plugged, "Bytes that it has.")
      }
    }
  }
}
