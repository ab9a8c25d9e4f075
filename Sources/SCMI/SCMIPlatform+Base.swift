/// Base, 0x10, and the four messages that every protocol has.
extension SCMIPlatform {
  mutating func commonMessage(
    _ request: SCMIMessage,
    _ context: Context,
    _ access: ProtocolAccess,
    _ reply: inout SCMIMessage
  ) throws(SCMIStatus) {
    switch context.header.message {
    case 0:
      try request.expect(0)
      reply.append(access.advertised)
    case 1:
      try request.expect(0)
      protocolAttributes(context, &reply)
    case 2:
      try request.expect(4)
      let message = request[word: 0]
      guard message < 32, access.implemented & ~access.denied & (1 << message) != 0 else { throw .notFound }
      reply.append(messageAttributes(context.header.protocolIdentifier, message))
    default:
      try request.expect(4)
      try negotiate(request[word: 0], context, access)
    }
  }

  /// PROTOCOL_ATTRIBUTES.
  private func protocolAttributes(_ context: Context, _ reply: inout SCMIMessage) {
    let agent = context.agent
    switch context.header.protocolIdentifier {
    case ProtocolIdentifier.base.rawValue:
      let agentCount = agents[agent].definition.seesOtherAgents ? agents.count : 1
      reply.append(UInt32(protocolList(agent).count) | UInt32(agentCount) << 8)
    case ProtocolIdentifier.powerDomain.rawValue:
      reply.append(UInt32(count(.powerDomain, agent)))
      for _ in 0..<3 { reply.append(UInt32(0)) }
    case ProtocolIdentifier.systemPower.rawValue:
      reply.append(UInt32(0))
    case ProtocolIdentifier.performance.rawValue:
      let unit: UInt32 =
        switch definition.powerUnit {
        case .abstract: 0
        case .milliwatt: 1
        // The bit for microwatts exists from 3.0 on.
        case .microwatt: context.version >= 0x30000 ? 2 : 0
        }
      reply.append(UInt32(count(.performanceDomain, agent)) | unit << 16)
      for _ in 0..<3 { reply.append(UInt32(0)) }
    case ProtocolIdentifier.clock.rawValue:
      let requests = agents[agent].events && may(5, context) ? UInt32(definition.clockAsynchronousRequests) : 0
      reply.append(UInt32(count(.clock, agent)) | requests << 16)
    case ProtocolIdentifier.sensor.rawValue:
      let requests = agents[agent].events && may(6, context) ? UInt32(definition.sensorAsynchronousRequests) : 0
      reply.append(UInt32(count(.sensor, agent)) | requests << 16)
      for _ in 0..<3 { reply.append(UInt32(0)) }
    case ProtocolIdentifier.reset.rawValue:
      reply.append(UInt32(count(.resetDomain, agent)))
    case ProtocolIdentifier.voltage.rawValue:
      reply.append(UInt32(count(.voltageDomain, agent)))
    case ProtocolIdentifier.powercap.rawValue:
      reply.append(UInt32(count(.powercapDomain, agent)))
    default:
      reply.append(UInt32(count(.pin, agent)) | UInt32(count(.group, agent)) << 16)
      reply.append(UInt32(count(.function, agent)))
    }
  }

  /// MESSAGE_ATTRIBUTES. Bit 0, "has a fast channel", is never set; SYSTEM_POWER_STATE_SET says what it can.
  private func messageAttributes(_ identifier: UInt8, _ message: UInt32) -> UInt32 {
    // Bit 31: warm reset, bit 30: suspend.
    identifier == ProtocolIdentifier.systemPower.rawValue && message == 3 ? 0xC000_0000 : 0
  }

  private mutating func negotiate(_ version: UInt32, _ context: Context, _ access: ProtocolAccess) throws(SCMIStatus) {
    guard let identifier = ProtocolIdentifier(rawValue: context.header.protocolIdentifier),
      MessageSet.speaks(identifier, version: version, advertised: access.advertised)
    else { throw .notSupported }
    let place = context.agent * ProtocolIdentifier.count + identifier.index
    protocols[place].version = version
    protocols[place].implemented = MessageSet.messages(
      identifier,
      version: version,
      events: agents[context.agent].events
    )
    // An agent that has gone back to an older version can still negotiate again.
    protocols[place].implemented |= 1 << UInt32(CommonMessage.negotiateVersion.rawValue)
    explain("speaks \(identifier.name) \(ProtocolVersion(rawValue: version)) from now on")
  }

  /// The protocols of an agent, without Base, ascending.
  func protocolList(_ agent: Int) -> [UInt8] {
    var list: [UInt8] = []
    for identifier in ProtocolIdentifier.allCases where identifier != .base {
      if protocols[agent * ProtocolIdentifier.count + identifier.index].isPresent { list.append(identifier.rawValue) }
    }
    let allowed = agents[agent].definition.vendorProtocols
    list += vendors.map(\.identifier).filter { allowed?.contains($0) ?? true }.sorted()
    return list
  }

  mutating func baseMessage(_ request: SCMIMessage, _ context: Context, _ reply: inout SCMIMessage) throws(SCMIStatus) {
    switch context.header.message {
    case 3:
      try request.expect(0)
      reply.append(name: definition.vendor, size: 16)
    case 4:
      try request.expect(0)
      reply.append(name: definition.subVendor, size: 16)
    case 5:
      try request.expect(0)
      reply.append(definition.implementationVersion)
    case 6: try listProtocols(request, context, &reply)
    case 7: try discoverAgent(request, context, &reply)
    case 8:
      try request.expect(4)
      agents[context.agent].baseNotifications = try request.enable(word: 0) ? 1 : 0
    case 9: try setDevicePermissions(request, context)
    case 0xA: try setProtocolPermissions(request, context)
    default: try resetAgentConfiguration(request, context)
    }
  }

  /// BASE_DISCOVER_LIST_PROTOCOLS: a count, then bytes that are filled up to whole words.
  private func listProtocols(_ request: SCMIMessage, _ context: Context, _ reply: inout SCMIMessage) throws(SCMIStatus)
  {
    try request.expect(4)
    let list = protocolList(context.agent)
    let skip = request[word: 0]
    guard skip <= list.count else { throw .invalidParameters }
    let part = list.dropFirst(Int(skip)).prefix(4 * (reply.room / 4 - 1))
    reply.append(UInt32(part.count))
    var word: UInt32 = 0
    for (index, identifier) in part.enumerated() {
      word |= UInt32(identifier) << (8 * UInt32(index & 3))
      if index & 3 == 3 || index == part.count - 1 {
        reply.append(word)
        word = 0
      }
    }
  }

  /// BASE_DISCOVER_AGENT: 0 is the platform, 0xFFFF_FFFF "who am I".
  private func discoverAgent(_ request: SCMIMessage, _ context: Context, _ reply: inout SCMIMessage) throws(SCMIStatus)
  {
    try request.expect(4)
    let own = wireIdentifier(of: context.agent, for: context.agent)
    var identifier = request[word: 0]
    if identifier == .max && context.version >= 0x20000 { identifier = own }
    let name: String
    if identifier == 0 {
      name = "platform"
    } else if identifier == own {
      name = agents[context.agent].definition.name
    } else if agents[context.agent].definition.seesOtherAgents, identifier <= agents.count {
      name = agents[Int(identifier) - 1].definition.name
    } else {
      throw .notFound
    }
    if context.version >= 0x20000 { reply.append(identifier) }
    reply.append(name: name, size: 16)
  }

  // MARK: - The trusted agent's commands

  private func target(_ identifier: UInt32, _ context: Context) throws(SCMIStatus) -> Int {
    guard agents[context.agent].definition.trusted else { throw .denied }
    guard identifier > 0, identifier <= agents.count else { throw .notFound }
    return Int(identifier) - 1
  }

  private mutating func setDevicePermissions(_ request: SCMIMessage, _ context: Context) throws(SCMIStatus) {
    try request.expect(12)
    let agent = try target(request[word: 0], context)
    guard request[word: 1] < definition.devices.count else { throw .notFound }
    let allowed = try request.enable(word: 2)
    setPermission(agent: agent, device: Int(request[word: 1]), protocolIdentifier: nil, allowed: allowed)
  }

  private mutating func setProtocolPermissions(_ request: SCMIMessage, _ context: Context) throws(SCMIStatus) {
    try request.expect(16)
    let agent = try target(request[word: 0], context)
    let device = request[word: 1]
    guard device < definition.devices.count else { throw .notFound }
    guard request[word: 2] <= 0xFF, let identifier = ProtocolIdentifier(rawValue: UInt8(request[word: 2])),
      identifier != .base,
      definition.devices[Int(device)].resources.contains(where: {
        $0.kind.protocolIdentifier == identifier
      })
    else { throw .notFound }
    let allowed = try request.enable(word: 3)
    setPermission(agent: agent, device: Int(device), protocolIdentifier: identifier, allowed: allowed)
  }

  private mutating func resetAgentConfiguration(_ request: SCMIMessage, _ context: Context) throws(SCMIStatus) {
    try request.expect(8)
    // An agent may reset itself; others only a trusted one.
    let own = wireIdentifier(of: context.agent, for: context.agent)
    let agent = request[word: 0] == own ? context.agent : try target(request[word: 0], context)
    let permissions = try request.enable(word: 1)
    guard !permissions || agents[context.agent].definition.trusted else { throw .denied }
    resetConfiguration(agent: agent, permissions: permissions)
  }
}
