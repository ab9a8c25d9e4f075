extension Control {
  /// How bytes stand in a string.
  public enum Encoding: String, ControlEnumeration {
    /// As text; what is no UTF-8 is replaced.
    case text
    /// In base64 (RFC 4648, 4), which loses nothing.
    case base64
  }

  /// A subscription that was made.
  public struct SubscriptionAnswer: ControlRecord {
    /// The number that its notices have.
    public var subscription: UInt64 = 0

    public init() {}

    public init(_ subscription: UInt64) {
      self.subscription = subscription
    }

    public mutating func visit(_ fields: inout ControlFields) throws(ControlError) {
      try fields.field("subscription", &subscription, "The number that its notices have.")
    }
  }

  /// Ends a subscription.
  public enum Unsubscribe: ControlMethod {
    public static let name = "unsubscribe"
    public static let summary = "Ends a subscription of this connection."

    public struct Parameters: ControlRecord {
      /// Its number.
      public var subscription: UInt64 = 0

      public init() {}

      public mutating func visit(_ fields: inout ControlFields) throws(ControlError) {
        try fields.field("subscription", &subscription, "Its number.")
      }
    }

    public struct Answer: ControlRecord {
      /// How many notices of it were lost in all.
      public var lost: UInt64 = 0

      public init() {}

      public mutating func visit(_ fields: inout ControlFields) throws(ControlError) {
        try fields.field("lost", &lost, "How many notices of it were lost in all.")
      }
    }
  }

  /// Subscribes to what the guest writes on its console.
  public enum ConsoleSubscribe: ControlMethod {
    public typealias Answer = SubscriptionAnswer
    public static let name = "console.subscribe"
    public static let summary = "Tells what the guest writes on its console, by 'console.output', from now on."

    public struct Parameters: ControlRecord {
      /// How the bytes stand in 'data': text by default.
      public var encoding: Encoding?
      /// Whether the last 64 KiB that were written before come first; no by default.
      public var replay: Bool?

      public init() {}

      public mutating func visit(_ fields: inout ControlFields) throws(ControlError) {
        try fields.field("encoding", &encoding, "How the bytes stand in 'data': text by default.")
        try fields.field(
          "replay",
          &replay,
          "Whether the last 64 KiB that were written before come first; no by default."
        )
      }
    }
  }

  /// Writes on the guest's console.
  public enum ConsoleSend: ControlMethod {
    public static let name = "console.send"
    public static let summary = "Types on the guest's console. It waits, up to 64 KiB, until the guest reads it."

    public struct Parameters: ControlRecord {
      /// What is typed; a line ends with \return or \line feed.
      public var data = ""
      /// How the bytes stand in 'data': text by default.
      public var encoding: Encoding?

      public init() {}

      public mutating func visit(_ fields: inout ControlFields) throws(ControlError) {
        try fields.field("data", &data, "What is typed; a line ends with \\r or \\n.")
        try fields.field("encoding", &encoding, "How the bytes stand in 'data': text by default.")
      }
    }
  }

  /// What the guest wrote on its console.
  public enum ConsoleOutput: ControlNotice {
    public static let name = "console.output"
    public static let summary = "The guest has written on its console."

    public struct Content: ControlRecord {
      /// What it has written, as the subscription's encoding says.
      public var data = ""

      public init() {}

      public init(data: String) {
        self.data = data
      }

      public mutating func visit(_ fields: inout ControlFields) throws(ControlError) {
        try fields.field("data", &data, "What it has written, as the subscription's encoding says.")
      }
    }
  }
}
