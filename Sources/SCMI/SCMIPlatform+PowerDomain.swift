/// Power domain management, 0x11. Versions 2.0 to 3.1.
extension SCMIPlatform {
  mutating func powerDomainMessage(_ request: SCMIMessage, _ context: Context, _ reply: inout SCMIMessage)
    throws(SCMIStatus)
  {
    switch context.header.message {
    case 3: try powerDomainAttributes(request, context, &reply)
    case 4:
      let (slot, state) = try powerStateChange(request, context.agent)
      guard request[word: 0] & 1 != 0 else { return try setPowerState(state, request[word: 1], slot, context.agent) }
      let domain = definition.powerDomains[Int(slot.resource)]
      guard domain.asynchronous, agents[context.agent].events else { throw .notSupported }
      try startAsynchronous(request, context, latency: domain.asynchronousLatency)
    case 5:
      try request.expect(4)
      let slot = try slot(.powerDomain, request[word: 0], context.agent, .read)
      reply.append(powerStates[Int(slot.resource)])
    case 6, 7:
      try request.expect(8)
      let domains = definition.powerDomains
      try setNotification(request, .powerDomain, context.header.message - 6, context) { domains[$0].notifies }
    default:
      try request.expect(4)
      let slot = try slot(.powerDomain, request[word: 0], context.agent, .read)
      reply.append(UInt32(0))
      reply.append(name: definition.powerDomains[Int(slot.resource)].name, size: 64)
    }
  }

  private func powerDomainAttributes(_ request: SCMIMessage, _ context: Context, _ reply: inout SCMIMessage)
    throws(SCMIStatus)
  {
    try request.expect(4)
    let slot = try slot(.powerDomain, request[word: 0], context.agent, .read)
    let domain = definition.powerDomains[Int(slot.resource)]
    let events = agents[context.agent].events
    var attributes: UInt32 = 0
    if domain.notifies && may(6, context) { attributes |= 1 << 31 }
    if may(4, slot, context) {
      if domain.asynchronous && events { attributes |= 1 << 30 }
      // The state can be set synchronously.
      attributes |= 1 << 29
    }
    if domain.notifies && may(7, context) { attributes |= 1 << 28 }
    if context.version >= 0x30000 && domain.name.utf8.count > 15 && may(8, context) { attributes |= 1 << 27 }
    reply.append(attributes)
    reply.append(name: domain.name, size: 16)
  }

  /// What a POWER_STATE_SET (flags, domain, state) asks for, checked.
  private func powerStateChange(_ request: SCMIMessage, _ agent: Int) throws(SCMIStatus) -> (Slot, UInt32) {
    try request.expect(12)
    let slot = try slot(.powerDomain, request[word: 1], agent, .full)
    guard request[word: 0] & ~1 == 0 else { throw .invalidParameters }
    guard definition.powerDomains[Int(slot.resource)].states.contains(request[word: 2]) else {
      throw .invalidParameters
    }
    return (slot, request[word: 2])
  }

  private mutating func setPowerState(
    _ state: UInt32,
    _ identifier: UInt32,
    _ slot: Slot,
    _ agent: Int
  ) throws(SCMIStatus) {
    let resource = Int(slot.resource)
    try claim(.powerDomain, resource, .value, definition.powerDomains[resource].policy, by: agent)
    update(.powerDomain, identifier, agent) { slot in
      slot.votes.insert(.value)
      slot.value = SCMIPlatform.rank(ofPowerState: state)
    }
    harmonisePowerDomain(resource, cause: agent, latest: state)
    if powerStates[resource] != state {
      notify(.powerDomain, resource, 1, cause: agent, except: agent) { $0.append(state) }
    }
  }

  /// "On" (0) ranks highest: of two states the one that keeps more alive wins by default.
  private static func rank(ofPowerState state: UInt32) -> Int64 { Int64(UInt32.max - state) }

  mutating func harmonisePowerDomain(_ resource: Int, cause: Int?, latest: UInt32?) {
    let rank = outcome(
      .powerDomain,
      resource,
      definition.powerDomains[resource].policy,
      latest: latest.map { SCMIPlatform.rank(ofPowerState: $0) },
      current: SCMIPlatform.rank(ofPowerState: latest == nil ? defaultPowerState(resource) : powerStates[resource])
    )
    let state = UInt32.max - UInt32(truncatingIfNeeded: rank)
    guard state != powerStates[resource] else { return }
    powerStates[resource] = state
    notify(.powerDomain, resource, 0, cause: cause) { $0.append(state) }
  }

  /// Where a domain goes that nobody votes for any more.
  private func defaultPowerState(_ resource: Int) -> UInt32 {
    switch definition.powerDomains[resource].policy {
    case .last, .exclusive: powerStates[resource]
    default: definition.powerDomains[resource].state
    }
  }

  /// POWER_STATE_SET_COMPLETE: domain, state.
  mutating func completePowerStateSet(_ request: SCMIMessage, _ agent: Int, _ response: inout SCMIMessage)
    throws(SCMIStatus)
  {
    response.append(request[word: 1])
    let (slot, state) = try powerStateChange(request, agent)
    try setPowerState(state, request[word: 1], slot, agent)
    response.append(powerStates[Int(slot.resource)])
  }
}
