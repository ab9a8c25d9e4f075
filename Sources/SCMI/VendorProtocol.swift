/// A protocol that the user of the library adds: 0x80 to 0xFF.
///
/// The platform answers messages 0 to 2 itself, out of the properties; everything else comes here.
public protocol VendorProtocol: Sendable {
  /// 0x80 to 0xFF.
  var identifier: UInt8 { get }
  /// What PROTOCOL_VERSION answers.
  var version: ProtocolVersion { get }
  /// PROTOCOL_ATTRIBUTES.
  var attributes: UInt32 { get }

  /// MESSAGE_ATTRIBUTES of a message from 3 on; `nil` where there is no such message.
  func messageAttributes(_ message: UInt8) -> UInt32?

  /// What it knows, for ``SCMIPlatform/state``, in a form of its own. Empty by default: what knows nothing.
  var state: [UInt8] { get }

  /// Goes on where another one was.
  ///
  /// - Returns: `false` where `state` is none that it has written; nothing is changed then. By default what is not
  ///   empty.
  mutating func restore(_ state: [UInt8]) -> Bool

  /// Answers a request.
  ///
  /// - Parameters:
  ///   - request: of this protocol, from message 3 on.
  ///   - agent: its place in ``PlatformDefinition/agents``.
  ///   - now: nanoseconds of the platform's clock.
  ///   - reply: words behind the status, at most 31.
  /// - Returns: the status; where it is not success, `reply` is not sent.
  mutating func handle(_ request: SCMIMessage, agent: Int, at now: UInt64, reply: inout [UInt32]) -> SCMIStatus
}

extension VendorProtocol {
  /// Nothing.
  public var state: [UInt8] { [] }

  /// Takes what is empty.
  public mutating func restore(_ state: [UInt8]) -> Bool { state.isEmpty }
}

/// A vendor protocol that is only data.
struct VendorTable: VendorProtocol {
  let definition: VendorProtocolDefinition

  var identifier: UInt8 { definition.identifier }
  var version: ProtocolVersion { definition.version }
  var attributes: UInt32 { definition.attributes }

  func messageAttributes(_ message: UInt8) -> UInt32? {
    definition.commands.contains { $0.identifier == message } ? 0 : nil
  }

  func handle(_ request: SCMIMessage, agent: Int, at now: UInt64, reply: inout [UInt32]) -> SCMIStatus {
    guard let command = definition.commands.first(where: { $0.identifier == request.header.message }) else {
      return .notFound
    }
    if let size = command.requestSize, size != request.count { return .protocolError }
    reply = command.reply
    return command.status
  }
}

extension SCMIPlatform {
  mutating func vendorMessage(_ request: SCMIMessage, from agent: Int, _ reply: inout SCMIMessage) throws(SCMIStatus) {
    let identifier = request.header.protocolIdentifier
    guard let index = vendors.firstIndex(where: { $0.identifier == identifier }),
      definition.agents[agent].vendorProtocols?.contains(identifier) ?? true
    else { throw .notSupported }
    switch CommonMessage(rawValue: request.header.message) {
    case .version:
      _ = try request.fields(NoFields.self)
      reply.append(CommonMessage.Version { $0.version = vendors[index].version.rawValue })
    case .attributes:
      _ = try request.fields(NoFields.self)
      reply.append(CommonMessage.Attributes { $0.attributes = vendors[index].attributes })
    case .messageAttributes:
      let request: CommonMessage.MessageAttributes = try request.fields()
      guard let number = UInt8(exactly: request.message), let attributes = messageAttributes(index, number) else {
        throw .notFound
      }
      reply.append(CommonMessage.MessageAttributes.Reply { $0.attributes = attributes })
    case .negotiateVersion, nil:
      var words: [UInt32] = []
      let status = vendors[index].handle(request, agent: agent, at: now, reply: &words)
      guard status == .success else { throw status }
      for word in words.prefix(VendorProtocolDefinition.maximumReply) { reply.append(word) }
    }
  }

  /// What the platform answers itself is there always.
  private func messageAttributes(_ vendor: Int, _ message: UInt8) -> UInt32? {
    message <= CommonMessage.messageAttributes.rawValue ? 0 : vendors[vendor].messageAttributes(message)
  }
}
