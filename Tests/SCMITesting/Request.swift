public import SCMI

/// A command by its name in the specification, such as `.clockRateSet(clock: 0, rate: 120, flags: [.roundUp])`.
public struct Request: Sendable {
  /// Protocol and message; the token is 0.
  public let header: MessageHeader
  /// The payload's words.
  public let payload: [UInt32]

  package init(_ command: some SCMICommand, _ fields: some MessageFields) {
    self.init(MessageHeader(command), fields)
  }

  package init(_ header: MessageHeader, _ fields: some MessageFields) {
    self.header = header
    payload = SCMIMessage(header: header, fields).payload
  }
}

/// What every protocol has.
extension Request {
  /// PROTOCOL_VERSION.
  package static func protocolVersion(_ identifier: ProtocolIdentifier) -> Request {
    Request(MessageHeader(identifier, .version), NoFields())
  }

  /// PROTOCOL_ATTRIBUTES.
  package static func protocolAttributes(_ identifier: ProtocolIdentifier) -> Request {
    Request(MessageHeader(identifier, .attributes), NoFields())
  }

  /// PROTOCOL_MESSAGE_ATTRIBUTES.
  package static func messageAttributes(_ command: some SCMICommand) -> Request {
    messageAttributes(command.identifier, UInt32(command.rawValue))
  }

  /// PROTOCOL_MESSAGE_ATTRIBUTES of a number that may be nobody's.
  package static func messageAttributes(_ identifier: ProtocolIdentifier, _ message: UInt32) -> Request {
    Request(
      MessageHeader(identifier, .messageAttributes),
      CommonMessage.MessageAttributes { $0.message = message }
    )
  }

  /// NEGOTIATE_PROTOCOL_VERSION.
  package static func negotiateVersion(_ identifier: ProtocolIdentifier, _ version: UInt32) -> Request {
    Request(MessageHeader(identifier, .negotiateVersion), CommonMessage.Version { $0.version = version })
  }
}
