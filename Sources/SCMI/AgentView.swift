/// What exists for an agent.
public struct AgentView: Equatable, Sendable {
  /// A resource as the agent has it.
  public struct Resource: Equatable, Sendable {
    /// The agent's identifier for it.
    public var identifier: UInt32
    /// ``Access/read`` or ``Access/full``.
    public var access: Access
    /// What the agent may set: Hz, level, microvolts or power.
    public var bounds: ClosedRange<Int64>
  }

  /// Ascending; Base and vendor protocols included.
  public var protocols: [UInt8]
  /// By kind: the agent's resources by their names. Only of protocols that the agent has.
  private var resources: [[String: Resource]]
  /// By protocol, from Base on: bit n is a message that exists and is not refused.
  private var messages: [UInt32]

  init(protocols: [UInt8], resources: [[String: Resource]], messages: [UInt32]) {
    self.protocols = protocols
    self.resources = resources
    self.messages = messages
  }

  /// Whether the agent may use a protocol of the specification.
  public func has(_ identifier: ProtocolIdentifier) -> Bool { protocols.contains(identifier.rawValue) }

  /// The resource, or `nil` where the agent may not see it or lacks its protocol.
  public func resource(_ kind: ResourceKind, _ name: String) -> Resource? {
    resources[Int(kind.rawValue)][name]
  }

  /// The agent's identifier for a resource, or `nil` where the agent may not see it or lacks its protocol.
  public func identifier(_ kind: ResourceKind, _ name: String) -> UInt32? { resource(kind, name)?.identifier }

  /// Whether the agent may send a command: that exists in the protocol's version, and policy does not forbid it.
  public func may(_ command: some SCMICommand) -> Bool { may(command.identifier, command.rawValue) }

  /// Whether the agent may change a resource by a command.
  public func may(_ command: some SCMICommand, on kind: ResourceKind, _ name: String) -> Bool {
    resource(kind, name)?.access == .full && may(command)
  }

  private func may(_ identifier: ProtocolIdentifier, _ message: UInt8) -> Bool {
    has(identifier) && messages[identifier.index] & MessageSet.bit(message) != 0
  }
}

extension SCMIPlatform {
  /// What exists for an agent now.
  ///
  /// - Precondition: the agent exists.
  public func view(of agent: Int) -> AgentView {
    let present = ProtocolIdentifier.allCases.filter {
      protocols[agent * ProtocolIdentifier.count + $0.index].isPresent
    }
    let vendors = vendors.map(\.identifier).filter {
      definition.agents[agent].vendorProtocols?.contains($0) ?? true
    }
    return AgentView(
      protocols: (present.map(\.rawValue) + vendors).sorted(),
      resources: ResourceKind.allCases.map { kind in
        present.contains(kind.protocolIdentifier) ? resources(kind, of: agent) : [:]
      },
      messages: ProtocolIdentifier.allCases.map { identifier in
        protocols[agent * ProtocolIdentifier.count + identifier.index].allowed
      }
    )
  }

  private func resources(_ kind: ResourceKind, of agent: Int) -> [String: AgentView.Resource] {
    let names = definition.names(kind)
    var resources: [String: AgentView.Resource] = [:]
    for (identifier, grant) in views[agent * ResourceKind.count + Int(kind.rawValue)].grants.enumerated()
    where grant.access != .none {
      resources[names[Int(grant.resource)]] = AgentView.Resource(
        identifier: UInt32(identifier),
        access: grant.access,
        bounds: grant.minimum...max(grant.minimum, grant.maximum)
      )
    }
    return resources
  }
}
