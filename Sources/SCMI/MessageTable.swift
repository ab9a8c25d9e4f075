/// The commands of one protocol, by the names of the specification: the raw value is the number on the wire.
public protocol SCMICommand: RawRepresentable<UInt8>, CaseIterable, Sendable {
  /// Whose commands they are.
  static var protocolIdentifier: ProtocolIdentifier { get }
}

/// The notifications of one protocol, by the names of the specification: the raw value is the number on the wire.
public protocol SCMINotification: RawRepresentable<UInt8>, CaseIterable, Sendable {
  /// Whose notifications they are.
  static var protocolIdentifier: ProtocolIdentifier { get }
}

/// A protocol's table: a row for each command.
package protocol TabledMessage: SCMICommand {
  /// What there is to know of the command.
  var row: MessageRow { get }
}

/// A protocol's table of notifications.
package protocol TabledNotification: SCMINotification {
  /// What there is to know of the notification.
  var row: NotificationRow { get }
}

/// What there is to know of a command. Dispatch, sizes, MESSAGE_ATTRIBUTES, the names and fields of transcripts and
/// platform files, and what policy and rules can refuse or change all follow from these.
package struct MessageRow: Sendable {
  /// The specification's name.
  package let name: StaticString
  /// The fields of the command.
  package let request: any MessageFields.Type
  /// The fields behind the status of a reply that reports success.
  package let reply: any MessageFields.Type
  /// `nil` where the command has no delayed response.
  package let delayed: (any MessageFields.Type)?
  /// The first version of the protocol that has it.
  package let since: ProtocolVersion
  /// Whether it is there only for agents that can receive notifications.
  package let needsEvents: Bool
  /// Whether it is refused to all but a trusted agent.
  package let isTrusted: Bool
  /// Whether there is such a command here at all.
  package let isOffered: Bool
  /// The answer to MESSAGE_ATTRIBUTES. Bit 0, "has a fast channel", is never set.
  package let attributes: UInt32

  /// - Parameter major: the first version of the protocol that has the command; 0 is the first of all.
  package init(
    _ name: StaticString,
    _ request: any MessageFields.Type = NoFields.self,
    reply: any MessageFields.Type = NoFields.self,
    delayed: (any MessageFields.Type)? = nil,
    since major: UInt16 = 0,
    needsEvents: Bool = false,
    isTrusted: Bool = false,
    isOffered: Bool = true,
    attributes: UInt32 = 0
  ) {
    self.name = name
    self.request = request
    self.reply = reply
    self.delayed = delayed
    since = .major(major)
    self.needsEvents = needsEvents
    self.isTrusted = isTrusted
    self.isOffered = isOffered
    self.attributes = attributes
  }
}

/// What there is to know of a notification.
package struct NotificationRow: Sendable {
  /// The specification's name.
  package let name: StaticString
  /// What the notification carries.
  package let fields: any MessageFields.Type

  package init(_ name: StaticString, _ fields: any MessageFields.Type) {
    self.name = name
    self.fields = fields
  }
}

/// The four messages that every protocol has (SCMI 3.2, 4.1).
public enum CommonMessage: UInt8, CaseIterable, Sendable {
  /// PROTOCOL_VERSION: the version that is advertised.
  case version = 0x0
  /// PROTOCOL_ATTRIBUTES: how many resources there are, and what the protocol can do.
  case attributes = 0x1
  /// PROTOCOL_MESSAGE_ATTRIBUTES: whether a command exists.
  case messageAttributes = 0x2
  /// NEGOTIATE_PROTOCOL_VERSION: the version that the agent speaks.
  case negotiateVersion = 0x10

  /// What there is to know of the message.
  package var row: MessageRow {
    switch self {
    case .version: MessageRow("PROTOCOL_VERSION", reply: Version.self)
    case .attributes: MessageRow("PROTOCOL_ATTRIBUTES", reply: Attributes.self)
    case .messageAttributes:
      MessageRow("PROTOCOL_MESSAGE_ATTRIBUTES", MessageAttributes.self, reply: MessageAttributes.Reply.self)
    case .negotiateVersion: MessageRow("NEGOTIATE_PROTOCOL_VERSION", Version.self)
    }
  }

  /// PROTOCOL_VERSION's reply and NEGOTIATE_PROTOCOL_VERSION.
  package struct Version: MessageFields {
    /// A ``ProtocolVersion``.
    package var version: UInt32 = 0

    package init() {}

    package mutating func visit(_ fields: inout some FieldVisitor) {
      fields.word("version", &version, .version)
    }
  }

  /// The reply to PROTOCOL_ATTRIBUTES; the words behind the first one are the protocol's own.
  package struct Attributes: MessageFields {
    /// The protocol's own; in most the count of resources is in the lower bits.
    package var attributes: UInt32 = 0
    /// The words behind it, where a protocol has more.
    package var values: [UInt32] = []

    package init() {}

    package mutating func visit(_ fields: inout some FieldVisitor) {
      fields.word("attributes", &attributes, .hexadecimal)
      fields.rest("values", &values, .hexadecimal)
    }
  }

  /// PROTOCOL_MESSAGE_ATTRIBUTES.
  package struct MessageAttributes: MessageFields {
    /// The number of a command of the protocol.
    package var message: UInt32 = 0

    package init() {}

    package mutating func visit(_ fields: inout some FieldVisitor) {
      fields.word("message_id", &message, .hexadecimal)
    }

    /// The reply to PROTOCOL_MESSAGE_ATTRIBUTES.
    package struct Reply: MessageFields {
      /// The ``MessageRow/attributes`` of the command.
      package var attributes: UInt32 = 0

      package init() {}

      package mutating func visit(_ fields: inout some FieldVisitor) {
        fields.word("attributes", &attributes, .hexadecimal)
      }
    }
  }
}

extension MessageHeader {
  /// A command's header; of the token's bits the lower 10 count.
  public init(_ command: some SCMICommand, token: UInt16 = 0) {
    self.init(command.identifier.rawValue, command.rawValue, token: token)
  }

  /// The header of a message that every protocol has; of the token's bits the lower 10 count.
  public init(_ identifier: ProtocolIdentifier, _ message: CommonMessage, token: UInt16 = 0) {
    self.init(identifier.rawValue, message.rawValue, token: token)
  }

  /// A notification's header.
  public init(_ notification: some SCMINotification) {
    self.init(notification.identifier.rawValue, notification.rawValue, type: .notification)
  }
}

extension SCMICommand {
  /// Whose command it is.
  public var identifier: ProtocolIdentifier { Self.protocolIdentifier }
}

extension SCMINotification {
  /// Whose notification it is.
  public var identifier: ProtocolIdentifier { Self.protocolIdentifier }
}

extension ProtocolIdentifier {
  private static func rows<Message: TabledMessage>(_ type: Message.Type) -> [(number: UInt8, row: MessageRow)] {
    table(Message.allCases.map { (number: $0.rawValue, row: $0.row) })
  }

  /// Apart from ``rows(_:)``, which the program has for each protocol.
  @inline(never)
  private static func table(_ own: [(number: UInt8, row: MessageRow)]) -> [(number: UInt8, row: MessageRow)] {
    let common = CommonMessage.allCases.map { (number: $0.rawValue, row: $0.row) }
    return (common + own).sorted { $0.number < $1.number }
  }

  private static func notificationRows<Notification: TabledNotification>(
    _ type: Notification.Type
  ) -> [(number: UInt8, row: NotificationRow)] {
    Notification.allCases.map { (number: $0.rawValue, row: $0.row) }
  }

  /// By ``index``: the rows of each protocol, ascending by number.
  private static let tables: [[(number: UInt8, row: MessageRow)]] = allCases.map { identifier in
    switch identifier {
    case .base: rows(BaseProtocol.Message.self)
    case .powerDomain: rows(PowerDomainProtocol.Message.self)
    case .systemPower: rows(SystemPowerProtocol.Message.self)
    case .performance: rows(PerformanceProtocol.Message.self)
    case .clock: rows(ClockProtocol.Message.self)
    case .sensor: rows(SensorProtocol.Message.self)
    case .reset: rows(ResetProtocol.Message.self)
    case .voltage: rows(VoltageProtocol.Message.self)
    case .powercap: rows(PowercapProtocol.Message.self)
    case .pinControl: rows(PinControlProtocol.Message.self)
    }
  }

  /// By ``index``: the notifications of each protocol.
  private static let notificationTables: [[(number: UInt8, row: NotificationRow)]] = allCases.map { identifier in
    switch identifier {
    case .base: notificationRows(BaseProtocol.Notification.self)
    case .powerDomain: notificationRows(PowerDomainProtocol.Notification.self)
    case .systemPower: notificationRows(SystemPowerProtocol.Notification.self)
    case .performance: notificationRows(PerformanceProtocol.Notification.self)
    case .clock: notificationRows(ClockProtocol.Notification.self)
    case .sensor: notificationRows(SensorProtocol.Notification.self)
    case .reset: notificationRows(ResetProtocol.Notification.self)
    case .powercap: notificationRows(PowercapProtocol.Notification.self)
    case .voltage, .pinControl: []
    }
  }

  /// Every command that the specification has, those that every protocol has included, ascending by number.
  package var rows: [(number: UInt8, row: MessageRow)] { Self.tables[index] }

  /// Every notification that the specification has, ascending by number.
  package var notificationRows: [(number: UInt8, row: NotificationRow)] { Self.notificationTables[index] }

  /// The row of a command; `nil` where the specification has none of the number.
  package func row(_ message: UInt8) -> MessageRow? { rows.first { $0.number == message }?.row }
}
