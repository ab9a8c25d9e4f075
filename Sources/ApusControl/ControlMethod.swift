/// Something that a client can ask of a machine. One definition serves server, client and schema.
public protocol ControlMethod: SendableMetatype {
  /// What is asked, by name.
  associatedtype Parameters: ControlRecord = ControlNothing
  /// The result of a request that was carried out.
  associatedtype Answer: ControlRecord = ControlNothing

  /// Its name on the wire.
  static var name: String { get }
  /// What it does, in a sentence.
  static var summary: String { get }
}

/// Something that a server tells a client that has subscribed to it.
public protocol ControlNotice: SendableMetatype {
  /// What is told. On the wire the fields of ``ControlEnvelope`` stand before its own.
  associatedtype Content: ControlRecord

  /// Its name on the wire.
  static var name: String { get }
  /// When it comes, in a sentence.
  static var summary: String { get }
}

/// What comes with each notice of a subscription.
public struct ControlEnvelope: ControlRecord {
  /// By which number the client knows what it asked for.
  public var subscription: UInt64 = 0
  /// How many notices of it were lost before this one, because the client did not read them.
  public var lost: UInt64 = 0

  public init() {}

  init(subscription: UInt64, lost: UInt64) {
    self.subscription = subscription
    self.lost = lost
  }

  public mutating func visit(_ fields: inout ControlFields) throws(ControlError) {
    try fields.field("subscription", &subscription, "The number that the subscription has.")
    try fields.field("lost", &lost, "How many notices were lost before this one, since they were not read.")
  }
}

/// The protocol of the control socket.
public enum ControlProtocol {
  /// Its version. It changes when a client of the former one would be misled; what is added changes nothing.
  public static let version = 1
  /// A longer line of a client's ends its connection, in bytes.
  public static let maximumLine = 1 << 20
  /// The deepest nesting of a request.
  public static let maximumDepth = 32
  /// A longer batch is refused as a whole.
  public static let maximumBatch = 64
  /// How many subscriptions one connection may have at once.
  public static let maximumSubscriptions = 16
}
