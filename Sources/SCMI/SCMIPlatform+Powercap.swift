/// Power capping and monitoring, 0x18. Versions 1.0 and 2.0.
extension SCMIPlatform {
  mutating func powercapMessage(_ request: SCMIMessage, _ context: Context, _ reply: inout SCMIMessage)
    throws(SCMIStatus)
  {
    switch context.header.message {
    case 3: try powercapAttributes(request, context, &reply)
    case 4:
      try request.expect(4)
      let slot = try slot(.powercapDomain, request[word: 0], context.agent, .read)
      reply.append(powercaps[Int(slot.resource)].cap)
    case 5: try powercapSet(request, context)
    case 6:
      try request.expect(4)
      let slot = try slot(.powercapDomain, request[word: 0], context.agent, .read)
      reply.append(powercaps[Int(slot.resource)].averagingInterval)
    case 7: try averagingIntervalSet(request, context)
    case 8:
      try request.expect(4)
      let slot = try slot(.powercapDomain, request[word: 0], context.agent, .read)
      reply.append(UInt32(0))
      reply.append(name: definition.powercaps[Int(slot.resource)].name, size: 64)
    case 9:
      try request.expect(4)
      let slot = try slot(.powercapDomain, request[word: 0], context.agent, .read)
      reply.append(measuredPower(Int(slot.resource)))
      reply.append(powercaps[Int(slot.resource)].averagingInterval)
    case 0xA:
      try request.expect(8)
      let domains = definition.powercaps
      try setNotification(request, .powercapDomain, 0, context) { domains[$0].notifies }
    default: try measurementsNotify(request, context)
    }
  }

  private func powercapAttributes(_ request: SCMIMessage, _ context: Context, _ reply: inout SCMIMessage)
    throws(SCMIStatus)
  {
    try request.expect(4)
    let slot = try slot(.powercapDomain, request[word: 0], context.agent, .read)
    let domain = definition.powercaps[Int(slot.resource)]
    let events = agents[context.agent].events
    let setsCap = domain.capIsConfigurable && may(5, slot, context)
    let setsInterval = domain.averagingIntervalIsConfigurable && may(7, slot, context)
    let caps = slot.caps(of: domain)
    var attributes: UInt32 = 0
    if domain.notifies && may(0xA, context) { attributes |= 1 << 31 }
    if domain.notifies && may(0xB, context) { attributes |= 1 << 30 }
    if domain.asynchronous && events && setsCap { attributes |= 1 << 29 }
    if domain.name.utf8.count > 15 && may(8, context) { attributes |= 1 << 28 }
    if setsCap && caps.lowest < caps.highest { attributes |= 1 << 27 }
    if may(9, context) { attributes |= 1 << 26 }
    if setsInterval { attributes |= 1 << 25 }
    switch domain.unit {
    case .abstract: break
    case .milliwatt: attributes |= 2 << 23
    case .microwatt: attributes |= 1 << 23
    }
    reply.append(attributes)
    reply.append(name: domain.name, size: 16)
    // What cannot be set has no room: Linux refuses the whole protocol where it has.
    reply.append(domain.minimumAveragingInterval)
    reply.append(
      setsInterval || !domain.averagingIntervalIsConfigurable
        ? domain.maximumAveragingInterval : domain.minimumAveragingInterval
    )
    reply.append(domain.averagingIntervalStep)
    reply.append(setsCap || !domain.capIsConfigurable ? caps.lowest : caps.highest)
    reply.append(caps.highest)
    reply.append(domain.capStep)
    reply.append(domain.sustainablePower)
    reply.append(domain.accuracy)
    let parent = powercapParents[Int(slot.resource)]
    // A parent that the agent may not see is the root for it.
    reply.append(parent < 0 ? .max : identifier(.powercapDomain, parent, for: context.agent) ?? .max)
  }

  /// POWERCAP_CAP_SET: domain, flags (0 no delayed response, 1 asynchronous), cap.
  private mutating func powercapSet(_ request: SCMIMessage, _ context: Context) throws(SCMIStatus) {
    let slot = try checkPowercap(request, context.agent, context.version)
    guard request[word: 1] & 2 != 0 else { return try setPowercap(request, slot, context.agent) }
    let domain = definition.powercaps[Int(slot.resource)]
    let isSilent = request[word: 1] & 1 != 0
    guard domain.asynchronous, agents[context.agent].events || isSilent else { throw .notSupported }
    try startAsynchronous(request, context, latency: domain.asynchronousLatency, isSilent: isSilent)
  }

  private func checkPowercap(_ request: SCMIMessage, _ agent: Int, _ version: UInt32) throws(SCMIStatus) -> Slot {
    try request.expect(12)
    let slot = try slot(.powercapDomain, request[word: 0], agent, .full)
    guard request[word: 1] & ~3 == 0 else { throw .invalidParameters }
    let domain = definition.powercaps[Int(slot.resource)]
    guard domain.capIsConfigurable else { throw .notSupported }
    let cap = request[word: 2]
    // From 2.0 on 0 switches the cap off.
    if cap == 0 && version >= 0x20000 { return slot }
    let caps = slot.caps(of: domain)
    guard cap >= caps.lowest, cap <= caps.highest else { throw .outOfRange }
    return slot
  }

  /// 0 takes the agent's wish back; what the others want still holds.
  private mutating func setPowercap(_ request: SCMIMessage, _ slot: Slot, _ agent: Int) throws(SCMIStatus) {
    let resource = Int(slot.resource)
    let domain = definition.powercaps[resource]
    try claim(.powercapDomain, resource, [.value, .settings], domain.policy, by: agent)
    let wanted = request[word: 2]
    let cap = wanted == 0 ? 0 : wanted - (wanted - domain.minimumCap) % max(domain.capStep, 1)
    update(.powercapDomain, request[word: 0], agent) { slot in
      if cap == 0 { slot.votes.remove(.value) } else { slot.votes.insert(.value) }
      slot.value = Int64(cap)
    }
    harmonisePowercap(resource, cause: agent, latest: cap)
  }

  /// - Parameter latest: `nil` when votes were withdrawn: without any the cap goes back to the one at boot.
  mutating func harmonisePowercap(_ resource: Int, cause: Int?, latest: UInt32?) {
    let domain = definition.powercaps[resource]
    let cap = outcome(
      .powercapDomain,
      resource,
      domain.policy,
      latest: latest.flatMap { $0 == 0 ? nil : Int64($0) },
      current: latest == 0 ? 0 : Int64(domain.cap ?? domain.maximumCap)
    )
    guard UInt32(cap) != powercaps[resource].cap else { return }
    powercaps[resource].cap = UInt32(cap)
    notifyCap(resource, cause)
  }

  mutating func notifyCap(_ resource: Int, _ cause: Int?) {
    let state = powercaps[resource]
    notify(.powercapDomain, resource, 0, cause: cause) { message in
      message.append(state.cap)
      message.append(state.averagingInterval)
    }
  }

  /// POWERCAP_CAP_SET_COMPLETE: domain, cap.
  mutating func completePowercapSet(_ request: SCMIMessage, _ agent: Int, _ response: inout SCMIMessage)
    throws(SCMIStatus)
  {
    response.append(request[word: 0])
    let access = protocols[agent * ProtocolIdentifier.count + ProtocolIdentifier.powercap.index]
    let slot = try checkPowercap(request, agent, access.version)
    try setPowercap(request, slot, agent)
    response.append(powercaps[Int(slot.resource)].cap)
  }

  /// POWERCAP_PAI_SET: domain, flags (zero), interval. The latest request holds.
  private mutating func averagingIntervalSet(_ request: SCMIMessage, _ context: Context) throws(SCMIStatus) {
    try request.expect(12)
    let slot = try slot(.powercapDomain, request[word: 0], context.agent, .full)
    let resource = Int(slot.resource)
    let domain = definition.powercaps[resource]
    guard domain.averagingIntervalIsConfigurable else { throw .notSupported }
    let wanted = request[word: 2]
    guard request[word: 1] == 0 else { throw .invalidParameters }
    guard wanted >= domain.minimumAveragingInterval, wanted <= domain.maximumAveragingInterval else {
      throw .outOfRange
    }
    try claimSettings(.powercapDomain, request[word: 0], domain.policy, by: context.agent)
    let steps = (wanted - domain.minimumAveragingInterval) / max(domain.averagingIntervalStep, 1)
    powercaps[resource].averagingInterval =
      domain.minimumAveragingInterval + steps * max(domain.averagingIntervalStep, 1)
    notifyCap(resource, context.agent)
  }

  // MARK: - Measurements

  /// In the domain's unit.
  func measuredPower(_ resource: Int) -> UInt32 {
    UInt32(clamping: value(of: definition.powercaps[resource].power, axis: 0, stored: powercaps[resource].power))
  }

  /// Gives a power cap's measurement a new value, in its unit.
  ///
  /// - Returns: `false` where no power cap has that name.
  @discardableResult
  public mutating func setPower(_ name: String, _ value: Int64, at now: UInt64) -> Bool {
    advance(to: now)
    guard let resource = place(ResourceName(.powercapDomain, name)) else { return false }
    powercaps[resource].power = [value]
    return true
  }

  /// POWERCAP_MEASUREMENTS_NOTIFY: domain, enable, low and high threshold.
  private mutating func measurementsNotify(_ request: SCMIMessage, _ context: Context) throws(SCMIStatus) {
    try request.expect(16)
    guard request[word: 1] != 1 || request[word: 2] <= request[word: 3] else { throw .invalidParameters }
    let domains = definition.powercaps
    try setNotification(request, .powercapDomain, 1, context) { domains[$0].notifies }
    let slot = try slot(.powercapDomain, request[word: 0], context.agent, .read)
    powercapThresholds[context.agent][request[word: 0]] = (request[word: 2], request[word: 3])
    let resource = Int(slot.resource)
    guard request[word: 1] == 1, !powercaps[resource].isSampled else { return }
    powercaps[resource].isSampled = true
    powercaps[resource].lastPower = measuredPower(resource)
    recur(after(definition.powercaps[resource].measurementInterval), .samplePowercap(resource))
  }

  /// Tells those whose thresholds the power has crossed; goes on while somebody listens.
  mutating func samplePowercap(_ resource: Int) {
    let power = measuredPower(resource)
    let last = powercaps[resource].lastPower
    powercaps[resource].lastPower = power
    var isListening = false
    for holder in holders[Int(ResourceKind.powercapDomain.rawValue)][resource] {
      let slot = slot(of: holder, .powercapDomain)
      guard slot.notifications & 2 != 0 else { continue }
      isListening = true
      guard slot.access >= .read, agents[holder.agent].events,
        let thresholds = powercapThresholds[holder.agent][holder.identifier]
      else { continue }
      let isBelow = power < thresholds.low && last >= thresholds.low
      let isAbove = power > thresholds.high && last <= thresholds.high
      guard isBelow || isAbove else { continue }
      var message = SCMIMessage(header: MessageHeader(ProtocolIdentifier.powercap.rawValue, 1, type: .notification))
      message.append(UInt32(0))
      message.append(holder.identifier)
      message.append(power)
      emit(Outgoing(agent: holder.agent, channel: .event, message: message))
    }
    powercaps[resource].isSampled = isListening
    if isListening { recur(after(definition.powercaps[resource].measurementInterval), .samplePowercap(resource)) }
  }
}

extension Slot {
  /// The caps that the agent may set, narrowed to its bounds and still on the steps of the whole range.
  func caps(of domain: PowercapDefinition) -> (lowest: UInt32, highest: UInt32) {
    guard minimum > Int64(domain.minimumCap) || maximum < Int64(domain.maximumCap) else {
      return (domain.minimumCap, domain.maximumCap)
    }
    let bounds = bounds(UInt64(domain.minimumCap), UInt64(domain.maximumCap), UInt64(max(domain.capStep, 1)))
    return (UInt32(clamping: bounds.minimum), UInt32(clamping: bounds.maximum))
  }
}
