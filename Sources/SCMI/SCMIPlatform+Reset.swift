/// Reset domain management, 0x16. Versions 1.0 to 3.1.
extension SCMIPlatform {
  mutating func resetMessage(_ request: SCMIMessage, _ context: Context, _ reply: inout SCMIMessage) throws(SCMIStatus)
  {
    switch context.header.message {
    case 3:
      try request.expect(4)
      let slot = try slot(.resetDomain, request[word: 0], context.agent, .read)
      let domain = definition.resets[Int(slot.resource)]
      let events = agents[context.agent].events
      var attributes: UInt32 = 0
      if domain.asynchronous && events && may(4, slot, context) { attributes |= 1 << 31 }
      if domain.notifies && may(5, context) { attributes |= 1 << 30 }
      if context.version >= 0x30000 && domain.name.utf8.count > 15 && may(6, context) { attributes |= 1 << 29 }
      reply.append(attributes)
      reply.append(domain.latency)
      reply.append(name: domain.name, size: 16)
    case 4:
      let slot = try checkReset(request, context.agent)
      guard request[word: 1] & 4 != 0 else { return try reset(request, slot, context.agent) }
      let domain = definition.resets[Int(slot.resource)]
      guard domain.asynchronous, agents[context.agent].events else { throw .notSupported }
      try startAsynchronous(request, context, latency: domain.asynchronousLatency)
    case 5:
      try request.expect(8)
      let domains = definition.resets
      try setNotification(request, .resetDomain, 0, context) { domains[$0].notifies }
    default:
      try request.expect(4)
      let slot = try slot(.resetDomain, request[word: 0], context.agent, .read)
      reply.append(UInt32(0))
      reply.append(name: definition.resets[Int(slot.resource)].name, size: 64)
    }
  }

  /// RESET: domain, flags (0 autonomous, 1 assert, 2 asynchronous), reset state.
  private func checkReset(_ request: SCMIMessage, _ agent: Int) throws(SCMIStatus) -> Slot {
    try request.expect(12)
    let slot = try slot(.resetDomain, request[word: 0], agent, .full)
    guard request[word: 1] & ~7 == 0 else { throw .invalidParameters }
    guard definition.resets[Int(slot.resource)].states.contains(request[word: 2]) else { throw .invalidParameters }
    return slot
  }

  private mutating func reset(_ request: SCMIMessage, _ slot: Slot, _ agent: Int) throws(SCMIStatus) {
    let resource = Int(slot.resource)
    try claim(.resetDomain, resource, .state, definition.resets[resource].policy, by: agent)
    if request[word: 1] & 1 != 0 {
      resets[resource].count += 1
      notify(.resetDomain, resource, 0, cause: agent) { $0.append(request[word: 2]) }
      return
    }
    let asserts = request[word: 1] & 2 != 0
    update(.resetDomain, request[word: 0], agent) { slot in
      slot.votes = asserts ? [.state, .isOn] : []
    }
    harmoniseReset(resource, cause: agent)
  }

  /// A domain is in reset while one agent asserts it.
  mutating func harmoniseReset(_ resource: Int, cause: Int?) {
    let current = resets[resource].asserted
    let asserted = isOn(.resetDomain, resource, .referenceCount, latest: nil, current: current, idle: false)
    setReset(resource, asserted: asserted, cause: cause)
  }

  /// - Parameter cause: the agent that wants it so; `nil` is the platform itself.
  mutating func setReset(_ resource: Int, asserted: Bool, cause: Int?) {
    guard asserted != resets[resource].asserted else { return }
    resets[resource].asserted = asserted
    guard asserted else { return }
    resets[resource].count += 1
    notify(.resetDomain, resource, 0, cause: cause) { $0.append(UInt32(0)) }
  }

  /// RESET_COMPLETE: domain.
  mutating func completeReset(_ request: SCMIMessage, _ agent: Int, _ response: inout SCMIMessage) throws(SCMIStatus) {
    response.append(request[word: 0])
    let slot = try checkReset(request, agent)
    try reset(request, slot, agent)
  }
}
