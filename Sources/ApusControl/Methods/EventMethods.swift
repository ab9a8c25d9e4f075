extension Control {
  /// What can happen to a machine, by which clients choose what they hear.
  public enum EventKind: String, ControlEnumeration {
    /// The machine does something else.
    case state
    /// A boot has ended in an ordinary way.
    case ended
    /// A boot has ended, since the guest has panicked.
    case panic
    /// A boot has ended, since the guest did what no machine goes on from.
    case guestFault
    /// A driver has reset its device.
    case deviceReset
    /// A driver has broken the rules of its device.
    case deviceFault
    /// The process behind a device was lost, came back, or did what it may not do.
    case backEnd
    /// The guest asked its SCMI platform for something that its machine does.
    case platformRequest = "scmi"
    /// A hot-plug memory has another size, or is to have one.
    case hotplugMemory = "memory"
  }

  /// Subscribes to what happens to the machine.
  public enum EventsSubscribe: ControlMethod {
    public typealias Answer = SubscriptionAnswer
    public static let name = "events.subscribe"
    public static let summary = "Tells what happens to the machine, by 'event', from now on."

    public struct Parameters: ControlRecord {
      /// Which kinds of events; all by default.
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
      /// 1 for the machine's first event, and one more for each.
      public var number: UInt64 = 0
      /// Nanoseconds since the machine was made.
      public var time: UInt64 = 0
      /// What kind of event it is.
      public var kind = EventKind.state
      /// What happened, for people.
      public var message = ""
      /// What the machine does now, of 'state'.
      public var state: State?
      /// How the boot ended, in a report's words, of 'ended' and what comes with it.
      public var outcome: String?
      /// Whether the machine has ended and does not boot again, where a boot ended.
      public var isLast: Bool?
      /// The device, of 'deviceReset', 'deviceFault' and 'backEnd'.
      public var device: String?
      /// The hot-plug memory, of 'memory'.
      public var name: String?
      /// Bytes that it is to have.
      public var requested: UInt64?
      /// Bytes that it has.
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
        try fields.field("device", &device, "The device, of 'deviceReset', 'deviceFault' and 'backEnd'.")
        try fields.field("name", &name, "The hot-plug memory, of 'memory'.")
        try fields.field("requested", &requested, "Bytes that it is to have.")
        try fields.field("plugged", &plugged, "Bytes that it has.")
      }
    }
  }
}
