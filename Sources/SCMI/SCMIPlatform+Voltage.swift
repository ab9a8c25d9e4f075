/// Voltage domain management, 0x17. Versions 1.0 to 2.1.
extension SCMIPlatform {
  mutating func voltageMessage(
    _ message: VoltageProtocol.Message,
    _ request: SCMIMessage,
    _ context: Context,
    _ reply: inout SCMIMessage
  ) throws(SCMIStatus) {
    switch message {
    case .domainAttributes: reply.append(try voltageAttributes(request.fields(), context))
    case .describeLevels: reply.append(try voltageLevels(request.fields(), context))
    case .configSet: try voltageConfigSet(request.fields(), context)
    case .configGet: reply.append(try voltageConfig(request.fields(), context))
    case .levelSet: try voltageLevelSet(request, context)
    case .levelGet: reply.append(try voltageLevel(request.fields(), context))
    case .domainNameGet:
      let request: VoltageProtocol.Resource = try request.fields()
      reply.append(try resourceName(request, .voltageDomain, context) { definition.regulators[$0].name })
    }
  }

  private func voltageAttributes(
    _ request: VoltageProtocol.Resource,
    _ context: Context
  ) throws(SCMIStatus) -> VoltageProtocol.Attributes {
    typealias Message = VoltageProtocol.Message
    let grant = try grant(.voltageDomain, request.resource, context.agent, .read)
    let domain = definition.regulators[Int(grant.resource)]
    var flags: VoltageProtocol.AttributeFlags = []
    if context.version >= .major(2) {
      if domain.asynchronous && agents[context.agent].events && may(Message.levelSet, grant, context) {
        flags.insert(.asynchronousSet)
      }
      if domain.name.isLongName && may(Message.domainNameGet, context) { flags.insert(.extendedName) }
    }
    return VoltageProtocol.Attributes {
      $0.attributes = flags
      $0.name = domain.name
    }
  }

  private func voltageLevels(
    _ request: VoltageProtocol.DescribeLevels,
    _ context: Context
  ) throws(SCMIStatus) -> VoltageProtocol.Levels {
    let grant = try grant(.voltageDomain, request.domain, context.agent, .read)
    var reply = VoltageProtocol.Levels()
    switch definition.regulators[Int(grant.resource)].levels {
    case .range(let minimum, let maximum, let step):
      guard request.index == 0 else { throw .outOfRange }
      let range = grant.levels(minimum, maximum, step)
      reply.count = .range
      reply.levels = [range.minimum, range.maximum, step]
    case .list(let all):
      let levels = all.filter { Int64($0) >= grant.minimum && Int64($0) <= grant.maximum }
      guard request.index < levels.count else { throw .outOfRange }
      reply.levels = Array(levels.dropFirst(Int(request.index)).prefix(VoltageProtocol.maximumLevels))
      reply.count = PartCount(returned: reply.levels.count, of: levels.count, from: request.index)
    }
    return reply
  }

  private func voltageConfig(
    _ request: VoltageProtocol.Resource,
    _ context: Context
  ) throws(SCMIStatus) -> VoltageProtocol.Config {
    let grant = try grant(.voltageDomain, request.resource, context.agent, .read)
    return VoltageProtocol.Config { $0.mode = voltageState.domains[Int(grant.resource)].isOn ? .on : .off }
  }

  private func voltageLevel(
    _ request: VoltageProtocol.Resource,
    _ context: Context
  ) throws(SCMIStatus) -> VoltageProtocol.Level {
    let grant = try grant(.voltageDomain, request.resource, context.agent, .read)
    return VoltageProtocol.Level { $0.level = voltageState.domains[Int(grant.resource)].level }
  }

  private mutating func voltageConfigSet(_ request: VoltageProtocol.ConfigSet, _ context: Context) throws(SCMIStatus) {
    let grant = try grant(.voltageDomain, request.domain, context.agent, .full)
    guard request.mode == .off || request.mode == .on else { throw .invalidParameters }
    let on = request.mode == .on
    let resource = Int(grant.resource)
    let policy = definition.regulators[resource].statePolicy
    try claim(.voltageDomain, resource, .state, policy, by: context.agent)
    update(.voltageDomain, request.domain, context.agent) { grant in
      grant.votes.insert(.state)
      if on { grant.votes.insert(.isOn) } else { grant.votes.remove(.isOn) }
    }
    switchVoltage(resource, policy, latest: on)
  }

  // MARK: - Levels

  private mutating func voltageLevelSet(_ message: SCMIMessage, _ context: Context) throws(SCMIStatus) {
    let request: VoltageProtocol.LevelSet = try message.fields()
    let grant = try checkVoltageLevel(request, context.agent)
    guard request.flags.contains(.asynchronous) else { return try setVoltageLevel(request, grant, context.agent) }
    let domain = definition.regulators[Int(grant.resource)]
    guard domain.asynchronous, context.version >= .major(2), agents[context.agent].events else { throw .notSupported }
    try startAsynchronous(message, context, latency: domain.asynchronousLatency)
  }

  private func checkVoltageLevel(_ request: VoltageProtocol.LevelSet, _ agent: Int) throws(SCMIStatus) -> Grant {
    let grant = try grant(.voltageDomain, request.domain, agent, .full)
    try request.flags.expectDefined()
    let level = request.level
    guard Int64(level) >= grant.minimum, Int64(level) <= grant.maximum else { throw .invalidParameters }
    switch definition.regulators[Int(grant.resource)].levels {
    case .list(let levels):
      guard levels.contains(level) else { throw .invalidParameters }
    case .range(let minimum, let maximum, let step):
      guard level >= minimum, level <= maximum, (Int64(level) - Int64(minimum)) % Int64(step) == 0 else {
        throw .invalidParameters
      }
    }
    return grant
  }

  private mutating func setVoltageLevel(
    _ request: VoltageProtocol.LevelSet,
    _ grant: Grant,
    _ agent: Int
  ) throws(SCMIStatus) {
    let resource = Int(grant.resource)
    let level = Int64(request.level)
    try claim(.voltageDomain, resource, .value, definition.regulators[resource].policy, by: agent)
    update(.voltageDomain, request.domain, agent) { grant in
      grant.votes.insert(.value)
      grant.value = level
    }
    harmoniseVoltage(resource, cause: agent, latest: level)
  }

  /// Recomputes level and mode of a voltage domain from the votes. The protocol has no notifications.
  mutating func harmoniseVoltage(_ resource: Int, cause: Int?, latest: Int64?) {
    let domain = definition.regulators[resource]
    let current = Int64(voltageState.domains[resource].level)
    let level = outcome(.voltageDomain, resource, domain.policy, latest: latest, current: current)
    voltageState.domains[resource].level = Int32(level)
    if latest == nil { switchVoltage(resource, domain.statePolicy, latest: nil) }
  }

  private mutating func switchVoltage(_ resource: Int, _ policy: HarmonisationPolicy, latest: Bool?) {
    voltageState.domains[resource].isOn = isOn(
      .voltageDomain,
      resource,
      policy,
      latest: latest,
      current: voltageState.domains[resource].isOn,
      idle: definition.regulators[resource].enabled
    )
  }

  mutating func completeVoltageLevelSet(
    _ request: VoltageProtocol.LevelSet,
    _ agent: Int
  ) throws(SCMIStatus) -> VoltageProtocol.LevelSetComplete {
    let grant = try checkVoltageLevel(request, agent)
    try setVoltageLevel(request, grant, agent)
    return VoltageProtocol.LevelSetComplete {
      $0.domain = request.domain
      $0.level = voltageState.domains[Int(grant.resource)].level
    }
  }
}

extension Grant {
  /// A range of voltages, narrowed to what the agent may set, still on the steps of the whole one.
  func levels(_ low: Int32, _ high: Int32, _ step: Int32) -> (minimum: Int32, maximum: Int32) {
    // Upside down on purpose: see ``VoltageDomainDefinition/allowInvalid``.
    guard low <= high, minimum > Int64(low) || maximum < Int64(high) else { return (low, high) }
    let (first, last, distance) = (Int64(low), Int64(high), Int64(step))
    // Bounds of a valid definition leave at least one level.
    let lower = min(max(minimum, first), last)
    let upper = max(min(maximum, last), first)
    return (
      Int32(clamping: first + (lower - first + distance - 1) / distance * distance),
      upper == last ? high : Int32(clamping: first + (upper - first) / distance * distance)
    )
  }
}
