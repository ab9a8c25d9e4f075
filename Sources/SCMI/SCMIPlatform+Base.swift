/// Base, 0x10, and the four messages that every protocol has.
extension SCMIPlatform {
  mutating func commonMessage(
    _ message: CommonMessage,
    _ identifier: ProtocolIdentifier,
    _ request: SCMIMessage,
    _ context: Context,
    _ access: ProtocolAccess,
    _ reply: inout SCMIMessage
  ) throws(SCMIStatus) {
    switch message {
    case .version:
      _ = try request.fields(NoFields.self)
      reply.append(CommonMessage.Version { $0.version = access.advertised })
    case .attributes:
      _ = try request.fields(NoFields.self)
      reply.append(protocolAttributes(identifier, context))
    case .messageAttributes:
      let number = try request.fields(CommonMessage.MessageAttributes.self).message
      guard number < MessageSet.limit, access.allowed & MessageSet.bit(UInt8(number)) != 0 else { throw .notFound }
      let row = identifier.row(UInt8(number))
      reply.append(CommonMessage.MessageAttributes.Reply { $0.attributes = row?.attributes ?? 0 })
    case .negotiateVersion:
      try negotiate(request.fields(CommonMessage.Version.self).version, identifier, context, access)
    }
  }

  private func protocolAttributes(_ identifier: ProtocolIdentifier, _ context: Context) -> CommonMessage.Attributes {
    let agent = context.agent
    let hasEvents = agents[agent].events
    /// Two numbers in one word.
    func word(_ count: Int, _ other: UInt32 = 0, at shift: UInt32 = 16) -> UInt32 { UInt32(count) | other << shift }
    /// Three words that would say where statistics are.
    let noStatistics: [UInt32] = [0, 0, 0]
    return CommonMessage.Attributes {
      switch identifier {
      case .base:
        let agentCount = definition.agents[agent].seesOtherAgents ? agents.count : 1
        $0.attributes = word(protocolList(agent).count, UInt32(agentCount), at: 8)
      case .powerDomain:
        $0.attributes = word(count(.powerDomain, agent))
        $0.values = noStatistics
      case .systemPower: break
      case .performance:
        let unit: PerformanceProtocol.PowerUnitField =
          switch definition.powerUnit {
          case .abstract: .abstract
          case .milliwatt: .milliwatts
          case .microwatt: context.version >= .major(3) ? .microwatts : .abstract
          }
        $0.attributes = word(count(.performanceDomain, agent), unit.rawValue)
        $0.values = noStatistics
      case .clock:
        let isOffered = hasEvents && may(ClockProtocol.Message.rateSet, context)
        $0.attributes = word(count(.clock, agent), isOffered ? UInt32(definition.clockAsynchronousRequests) : 0)
      case .sensor:
        let isOffered = hasEvents && may(SensorProtocol.Message.readingGet, context)
        $0.attributes = word(count(.sensor, agent), isOffered ? UInt32(definition.sensorAsynchronousRequests) : 0)
        $0.values = noStatistics
      case .reset: $0.attributes = word(count(.resetDomain, agent))
      case .voltage: $0.attributes = word(count(.voltageDomain, agent))
      case .powercap: $0.attributes = word(count(.powercapDomain, agent))
      case .pinControl:
        $0.attributes = word(count(.pin, agent), UInt32(count(.group, agent)))
        $0.values = [word(count(.function, agent))]
      }
    }
  }

  private mutating func negotiate(
    _ version: UInt32,
    _ identifier: ProtocolIdentifier,
    _ context: Context,
    _ access: ProtocolAccess
  ) throws(SCMIStatus) {
    guard MessageSet.speaks(identifier, version: version, advertised: access.advertised) else { throw .notSupported }
    let place = context.agent * ProtocolIdentifier.count + identifier.index
    protocols[place].version = version
    protocols[place].implemented = MessageSet.messages(
      identifier,
      version: version,
      events: agents[context.agent].events
    )
    // An agent that has gone back to an older version can still negotiate again.
    protocols[place].implemented |= MessageSet.bit(CommonMessage.negotiateVersion.rawValue)
    explain("speaks \(identifier.name) \(ProtocolVersion(rawValue: version)) from now on")
  }

  /// The protocols of an agent, without Base, ascending.
  func protocolList(_ agent: Int) -> [UInt8] {
    var list: [UInt8] = []
    for identifier in ProtocolIdentifier.allCases where identifier != .base {
      if protocols[agent * ProtocolIdentifier.count + identifier.index].isPresent { list.append(identifier.rawValue) }
    }
    let allowed = definition.agents[agent].vendorProtocols
    list += vendors.map(\.identifier).filter { allowed?.contains($0) ?? true }.sorted()
    return list
  }

  mutating func baseMessage(
    _ message: BaseProtocol.Message,
    _ request: SCMIMessage,
    _ context: Context,
    _ reply: inout SCMIMessage
  ) throws(SCMIStatus) {
    switch message {
    case .discoverVendor:
      _ = try request.fields(NoFields.self)
      reply.append(BaseProtocol.Vendor { $0.vendor = definition.vendor })
    case .discoverSubVendor:
      _ = try request.fields(NoFields.self)
      reply.append(BaseProtocol.SubVendor { $0.subVendor = definition.subVendor })
    case .discoverImplementationVersion:
      _ = try request.fields(NoFields.self)
      reply.append(BaseProtocol.ImplementationVersion { $0.version = definition.implementationVersion })
    case .discoverListProtocols: reply.append(try listProtocols(request.fields(), context))
    case .discoverAgent: reply.append(try discoverAgent(request.fields(), context))
    case .notifyErrors:
      let request: BaseProtocol.NotifyErrors = try request.fields()
      try request.enable.expectDefined()
      baseState.notifies[context.agent] = request.enable.contains(.enabled)
    case .setDevicePermissions: try setDevicePermissions(request.fields(), context)
    case .setProtocolPermissions: try setProtocolPermissions(request.fields(), context)
    case .resetAgentConfiguration: try resetAgentConfiguration(request.fields(), context)
    }
  }

  /// Bytes that are filled up to whole words.
  private func listProtocols(
    _ request: BaseProtocol.DiscoverListProtocols,
    _ context: Context
  ) throws(SCMIStatus) -> BaseProtocol.ProtocolList {
    let list = protocolList(context.agent)
    guard request.skip <= list.count else { throw .invalidParameters }
    let part = list.dropFirst(Int(request.skip)).prefix(BaseProtocol.maximumProtocols)
    return BaseProtocol.ProtocolList {
      $0.count = UInt32(part.count)
      $0.protocols = [UInt32](repeating: 0, count: (part.count + 3) / 4)
      for (index, identifier) in part.enumerated() {
        $0.protocols[index / 4] |= UInt32(identifier) << (8 * UInt32(index % 4))
      }
    }
  }

  private func discoverAgent(
    _ request: BaseProtocol.DiscoverAgent,
    _ context: Context
  ) throws(SCMIStatus) -> BaseProtocol.AgentName {
    let own = wireIdentifier(of: context.agent, for: context.agent)
    let isOneself = request.agent == BaseProtocol.oneself && context.version >= .major(2)
    let identifier = isOneself ? own : request.agent
    let name: String
    if identifier == BaseProtocol.platform {
      name = "platform"
    } else if identifier == own {
      name = definition.agents[context.agent].name
    } else if definition.agents[context.agent].seesOtherAgents, identifier <= agents.count {
      name = definition.agents[Int(identifier) - 1].name
    } else {
      throw .notFound
    }
    return BaseProtocol.AgentName {
      $0.agent = context.version >= .major(2) ? identifier : nil
      $0.name = name
    }
  }

  // MARK: - The trusted agent's commands

  private func target(_ identifier: UInt32, _ context: Context) throws(SCMIStatus) -> Int {
    guard definition.agents[context.agent].trusted else { throw .denied }
    guard identifier > 0, identifier <= agents.count else { throw .notFound }
    return Int(identifier) - 1
  }

  private mutating func setDevicePermissions(
    _ request: BaseProtocol.SetDevicePermissions,
    _ context: Context
  ) throws(SCMIStatus) {
    let agent = try target(request.agent, context)
    guard request.device < definition.devices.count else { throw .notFound }
    try request.flags.expectDefined()
    let allowed = request.flags.contains(.allowed)
    setPermission(agent: agent, device: Int(request.device), protocolIdentifier: nil, allowed: allowed)
  }

  private mutating func setProtocolPermissions(
    _ request: BaseProtocol.SetProtocolPermissions,
    _ context: Context
  ) throws(SCMIStatus) {
    let agent = try target(request.agent, context)
    guard request.device < definition.devices.count else { throw .notFound }
    let device = Int(request.device)
    guard let number = UInt8(exactly: request.protocolIdentifier),
      let identifier = ProtocolIdentifier(rawValue: number), identifier != .base,
      definition.devices[device].resources.contains(where: { $0.kind.protocolIdentifier == identifier })
    else { throw .notFound }
    try request.flags.expectDefined()
    let allowed = request.flags.contains(.allowed)
    setPermission(agent: agent, device: device, protocolIdentifier: identifier, allowed: allowed)
  }

  private mutating func resetAgentConfiguration(
    _ request: BaseProtocol.ResetAgentConfiguration,
    _ context: Context
  ) throws(SCMIStatus) {
    // An agent may reset itself; others only a trusted one.
    let own = wireIdentifier(of: context.agent, for: context.agent)
    let agent = request.agent == own ? context.agent : try target(request.agent, context)
    try request.flags.expectDefined()
    let permissions = request.flags.contains(.permissions)
    guard !permissions || definition.agents[context.agent].trusted else { throw .denied }
    resetConfiguration(agent: agent, permissions: permissions)
  }
}
