/// Power domain management, 0x11. Versions 2.0 to 3.1.
extension SCMIPlatform {
  mutating func powerDomainMessage(
    _ message: PowerDomainProtocol.Message,
    _ request: SCMIMessage,
    _ context: Context,
    _ reply: inout SCMIMessage
  ) throws(SCMIStatus) {
    switch message {
    case .attributes: reply.append(try powerDomainAttributes(request.fields(), context))
    case .stateSet: try powerStateSet(request, context)
    case .stateGet: reply.append(try powerState(request.fields(), context))
    case .stateNotify: try powerStateNotify(request.fields(), .stateChanged, context)
    case .stateChangeRequestedNotify: try powerStateNotify(request.fields(), .stateChangeRequested, context)
    case .nameGet:
      let request: PowerDomainProtocol.Resource = try request.fields()
      reply.append(try resourceName(request, .powerDomain, context) { definition.powerDomains[$0].name })
    }
  }

  private func powerDomainAttributes(
    _ request: PowerDomainProtocol.Resource,
    _ context: Context
  ) throws(SCMIStatus) -> PowerDomainProtocol.Attributes {
    typealias Message = PowerDomainProtocol.Message
    let grant = try grant(.powerDomain, request.resource, context.agent, .read)
    let domain = definition.powerDomains[Int(grant.resource)]
    var flags: PowerDomainProtocol.AttributeFlags = []
    if domain.notifies && may(Message.stateNotify, context) { flags.insert(.stateNotify) }
    if may(Message.stateSet, grant, context) {
      if domain.asynchronous && agents[context.agent].events { flags.insert(.asynchronousSet) }
      flags.insert(.synchronousSet)
    }
    if domain.notifies && may(Message.stateChangeRequestedNotify, context) {
      flags.insert(.stateChangeRequestedNotify)
    }
    if context.version >= .major(3) && domain.name.isLongName && may(Message.nameGet, context) {
      flags.insert(.extendedName)
    }
    return PowerDomainProtocol.Attributes {
      $0.attributes = flags
      $0.name = domain.name
    }
  }

  private func powerState(
    _ request: PowerDomainProtocol.Resource,
    _ context: Context
  ) throws(SCMIStatus) -> PowerDomainProtocol.State {
    let grant = try grant(.powerDomain, request.resource, context.agent, .read)
    return PowerDomainProtocol.State { $0.state = powerDomainState.domains[Int(grant.resource)] }
  }

  private mutating func powerStateNotify(
    _ request: PowerDomainProtocol.Notify,
    _ notification: PowerDomainProtocol.Notification,
    _ context: Context
  ) throws(SCMIStatus) {
    let domains = definition.powerDomains
    try setNotification(request, .powerDomain, notification, context) { domains[$0].notifies }
  }

  // MARK: - States

  private mutating func powerStateSet(_ message: SCMIMessage, _ context: Context) throws(SCMIStatus) {
    let request: PowerDomainProtocol.StateSet = try message.fields()
    let grant = try checkPowerState(request, context.agent)
    guard request.flags.contains(.asynchronous) else { return try setPowerState(request, grant, context.agent) }
    let domain = definition.powerDomains[Int(grant.resource)]
    guard domain.asynchronous, agents[context.agent].events else { throw .notSupported }
    try startAsynchronous(message, context, latency: domain.asynchronousLatency)
  }

  private func checkPowerState(_ request: PowerDomainProtocol.StateSet, _ agent: Int) throws(SCMIStatus) -> Grant {
    let grant = try grant(.powerDomain, request.domain, agent, .full)
    try request.flags.expectDefined()
    guard definition.powerDomains[Int(grant.resource)].states.contains(request.state) else {
      throw .invalidParameters
    }
    return grant
  }

  private mutating func setPowerState(
    _ request: PowerDomainProtocol.StateSet,
    _ grant: Grant,
    _ agent: Int
  ) throws(SCMIStatus) {
    let resource = Int(grant.resource)
    let state = request.state
    try claim(.powerDomain, resource, .value, definition.powerDomains[resource].policy, by: agent)
    update(.powerDomain, request.domain, agent) { grant in
      grant.votes.insert(.value)
      grant.value = SCMIPlatform.rank(ofPowerState: state)
    }
    harmonisePowerDomain(resource, cause: agent, latest: state)
    guard powerDomainState.domains[resource] != state else { return }
    notify(
      PowerDomainProtocol.Notification.stateChangeRequested,
      .powerDomain,
      resource,
      cause: agent,
      except: agent
    ) { cause, domain in
      PowerDomainProtocol.StateChangeRequested {
        $0.agent = cause
        $0.domain = domain
        $0.state = state
      }
    }
  }

  /// "On" (0) ranks highest: of two states the one that keeps more alive wins by default.
  private static func rank(ofPowerState state: UInt32) -> Int64 { Int64(UInt32.max - state) }

  mutating func harmonisePowerDomain(_ resource: Int, cause: Int?, latest: UInt32?) {
    let current = latest == nil ? defaultPowerState(resource) : powerDomainState.domains[resource]
    let rank = outcome(
      .powerDomain,
      resource,
      definition.powerDomains[resource].policy,
      latest: latest.map { SCMIPlatform.rank(ofPowerState: $0) },
      current: SCMIPlatform.rank(ofPowerState: current)
    )
    let state = UInt32.max - UInt32(truncatingIfNeeded: rank)
    if state != powerDomainState.domains[resource] { changePowerState(resource, state, cause: cause) }
  }

  /// The domain has another state: those who listen are told.
  ///
  /// - Parameter cause: who wants it so; `nil` is the platform.
  mutating func changePowerState(_ resource: Int, _ state: UInt32, cause: Int?) {
    powerDomainState.domains[resource] = state
    notify(PowerDomainProtocol.Notification.stateChanged, .powerDomain, resource, cause: cause) { cause, domain in
      PowerDomainProtocol.StateChanged {
        $0.agent = cause
        $0.domain = domain
        $0.state = state
      }
    }
  }

  /// Where a domain goes that nobody votes for any more.
  private func defaultPowerState(_ resource: Int) -> UInt32 {
    switch definition.powerDomains[resource].policy {
    case .last, .exclusive: powerDomainState.domains[resource]
    default: definition.powerDomains[resource].state
    }
  }

  mutating func completePowerStateSet(
    _ request: PowerDomainProtocol.StateSet,
    _ agent: Int
  ) throws(SCMIStatus) -> PowerDomainProtocol.StateSetComplete {
    let grant = try checkPowerState(request, agent)
    try setPowerState(request, grant, agent)
    return PowerDomainProtocol.StateSetComplete {
      $0.domain = request.domain
      $0.state = powerDomainState.domains[Int(grant.resource)]
    }
  }
}
