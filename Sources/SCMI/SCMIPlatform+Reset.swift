/// Reset domain management, 0x16. Versions 1.0 to 3.1.
extension SCMIPlatform {
  mutating func resetMessage(
    _ message: ResetProtocol.Message,
    _ request: SCMIMessage,
    _ context: Context,
    _ reply: inout SCMIMessage
  ) throws(SCMIStatus) {
    switch message {
    case .domainAttributes: reply.append(try resetDomainAttributes(request.fields(), context))
    case .reset: try reset(request, context)
    case .notify:
      let domains = definition.resets
      let request: ResetProtocol.Notify = try request.fields()
      try setNotification(request, .resetDomain, ResetProtocol.Notification.issued, context) { domains[$0].notifies }
    case .domainNameGet:
      let request: ResetProtocol.Resource = try request.fields()
      reply.append(try resourceName(request, .resetDomain, context) { definition.resets[$0].name })
    }
  }

  private func resetDomainAttributes(
    _ request: ResetProtocol.Resource,
    _ context: Context
  ) throws(SCMIStatus) -> ResetProtocol.Attributes {
    typealias Message = ResetProtocol.Message
    let grant = try grant(.resetDomain, request.resource, context.agent, .read)
    let domain = definition.resets[Int(grant.resource)]
    var flags: ResetProtocol.AttributeFlags = []
    if domain.asynchronous && agents[context.agent].events && may(Message.reset, grant, context) {
      flags.insert(.asynchronousReset)
    }
    if domain.notifies && may(Message.notify, context) { flags.insert(.notify) }
    if context.version >= .major(3) && domain.name.isLongName && may(Message.domainNameGet, context) {
      flags.insert(.extendedName)
    }
    return ResetProtocol.Attributes {
      $0.attributes = flags
      $0.latency = domain.latency
      $0.name = domain.name
    }
  }

  private mutating func reset(_ message: SCMIMessage, _ context: Context) throws(SCMIStatus) {
    let request: ResetProtocol.Reset = try message.fields()
    let grant = try checkReset(request, context.agent)
    guard request.flags.contains(.asynchronous) else { return try reset(request, grant, context.agent) }
    let domain = definition.resets[Int(grant.resource)]
    guard domain.asynchronous, agents[context.agent].events else { throw .notSupported }
    try startAsynchronous(message, context, latency: domain.asynchronousLatency)
  }

  private func checkReset(_ request: ResetProtocol.Reset, _ agent: Int) throws(SCMIStatus) -> Grant {
    let grant = try grant(.resetDomain, request.domain, agent, .full)
    try request.flags.expectDefined()
    guard definition.resets[Int(grant.resource)].states.contains(request.state) else { throw .invalidParameters }
    return grant
  }

  private mutating func reset(_ request: ResetProtocol.Reset, _ grant: Grant, _ agent: Int) throws(SCMIStatus) {
    let resource = Int(grant.resource)
    try claim(.resetDomain, resource, .state, definition.resets[resource].policy, by: agent)
    if request.flags.contains(.autonomous) { return issueReset(resource, state: request.state, cause: agent) }
    let asserts = request.flags.contains(.assert)
    update(.resetDomain, request.domain, agent) { grant in
      grant.votes = asserts ? [.state, .isOn] : []
    }
    harmoniseReset(resource, cause: agent)
  }

  /// The domain is reset: that is counted, and those who listen are told.
  private mutating func issueReset(_ resource: Int, state: UInt32, cause: Int?) {
    resetState.domains[resource].count += 1
    notify(ResetProtocol.Notification.issued, .resetDomain, resource, cause: cause) { cause, domain in
      ResetProtocol.Issued {
        $0.agent = cause
        $0.domain = domain
        $0.state = state
      }
    }
  }

  /// A domain is in reset while one agent asserts it.
  mutating func harmoniseReset(_ resource: Int, cause: Int?) {
    let current = resetState.domains[resource].asserted
    let asserted = isOn(.resetDomain, resource, .referenceCount, latest: nil, current: current, idle: false)
    setReset(resource, asserted: asserted, cause: cause)
  }

  /// - Parameter cause: the agent that wants it so; `nil` is the platform itself.
  mutating func setReset(_ resource: Int, asserted: Bool, cause: Int?) {
    guard asserted != resetState.domains[resource].asserted else { return }
    resetState.domains[resource].asserted = asserted
    if asserted { issueReset(resource, state: 0, cause: cause) }
  }

  mutating func completeReset(
    _ request: ResetProtocol.Reset,
    _ agent: Int
  ) throws(SCMIStatus) -> ResetProtocol.ResetComplete {
    let grant = try checkReset(request, agent)
    try reset(request, grant, agent)
    return ResetProtocol.ResetComplete { $0.domain = request.domain }
  }
}
