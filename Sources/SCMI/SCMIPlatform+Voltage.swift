/// Voltage domain management, 0x17. Versions 1.0 to 2.1.
extension SCMIPlatform {
  mutating func voltageMessage(_ request: SCMIMessage, _ context: Context, _ reply: inout SCMIMessage)
    throws(SCMIStatus)
  {
    switch context.header.message {
    case 3:
      try request.expect(4)
      let slot = try slot(.voltageDomain, request[word: 0], context.agent, .read)
      let domain = definition.regulators[Int(slot.resource)]
      var attributes: UInt32 = 0
      if context.version >= 0x20000 {
        if domain.asynchronous && agents[context.agent].events && may(7, slot, context) { attributes |= 1 << 31 }
        if domain.name.utf8.count > 15 && may(9, context) { attributes |= 1 << 30 }
      }
      reply.append(attributes)
      reply.append(name: domain.name, size: 16)
    case 4: try voltageDescribeLevels(request, context, &reply)
    case 5: try voltageConfigurationSet(request, context)
    case 6:
      try request.expect(4)
      let slot = try slot(.voltageDomain, request[word: 0], context.agent, .read)
      reply.append(voltages[Int(slot.resource)].mode)
    case 7: try voltageLevelSet(request, context)
    case 8:
      try request.expect(4)
      let slot = try slot(.voltageDomain, request[word: 0], context.agent, .read)
      reply.append(UInt32(bitPattern: voltages[Int(slot.resource)].level))
    default:
      try request.expect(4)
      let slot = try slot(.voltageDomain, request[word: 0], context.agent, .read)
      reply.append(UInt32(0))
      reply.append(name: definition.regulators[Int(slot.resource)].name, size: 64)
    }
  }

  /// VOLTAGE_DESCRIBE_LEVELS: returned 11:0, range form bit 12, remaining 31:16.
  private func voltageDescribeLevels(_ request: SCMIMessage, _ context: Context, _ reply: inout SCMIMessage)
    throws(SCMIStatus)
  {
    try request.expect(8)
    let slot = try slot(.voltageDomain, request[word: 0], context.agent, .read)
    let index = request[word: 1]
    switch definition.regulators[Int(slot.resource)].levels {
    case .range(let minimum, let maximum, let step):
      guard index == 0 else { throw .outOfRange }
      let range = slot.levels(minimum, maximum, step)
      reply.append(UInt32(3 | 1 << 12))
      for value in [range.minimum, range.maximum, step] { reply.append(UInt32(bitPattern: value)) }
    case .list(let all):
      let levels = all.filter { Int64($0) >= slot.minimum && Int64($0) <= slot.maximum }
      guard index < levels.count else { throw .outOfRange }
      let part = levels.dropFirst(Int(index)).prefix(30)
      reply.append(UInt32(part.count) | UInt32(min(levels.count - Int(index) - part.count, 0xFFFF)) << 16)
      for level in part { reply.append(UInt32(bitPattern: level)) }
    }
  }

  /// VOLTAGE_CONFIG_SET: domain, mode. 0 is off, 7 on; the other architectural modes do not exist here.
  private mutating func voltageConfigurationSet(_ request: SCMIMessage, _ context: Context) throws(SCMIStatus) {
    try request.expect(8)
    let slot = try slot(.voltageDomain, request[word: 0], context.agent, .full)
    let mode = request[word: 1]
    guard mode == 0 || mode == 7 else { throw .invalidParameters }
    let resource = Int(slot.resource)
    let policy = definition.regulators[resource].statePolicy
    try claim(.voltageDomain, resource, .state, policy, by: context.agent)
    update(.voltageDomain, request[word: 0], context.agent) { slot in
      slot.votes.insert(.state)
      if mode == 7 { slot.votes.insert(.isOn) } else { slot.votes.remove(.isOn) }
    }
    switchVoltage(resource, policy, latest: mode == 7)
  }

  /// VOLTAGE_LEVEL_SET: domain, flags (bit 0 asynchronous), level.
  private mutating func voltageLevelSet(_ request: SCMIMessage, _ context: Context) throws(SCMIStatus) {
    let slot = try checkVoltageLevel(request, context)
    guard request[word: 1] & 1 != 0 else { return try setVoltageLevel(request, slot, context.agent) }
    let domain = definition.regulators[Int(slot.resource)]
    guard domain.asynchronous, context.version >= 0x20000, agents[context.agent].events else { throw .notSupported }
    try startAsynchronous(request, context, latency: domain.asynchronousLatency)
  }

  private func checkVoltageLevel(_ request: SCMIMessage, _ context: Context) throws(SCMIStatus) -> Slot {
    try request.expect(12)
    let slot = try slot(.voltageDomain, request[word: 0], context.agent, .full)
    guard request[word: 1] & ~1 == 0 else { throw .invalidParameters }
    let level = Int32(bitPattern: request[word: 2])
    guard Int64(level) >= slot.minimum, Int64(level) <= slot.maximum else { throw .invalidParameters }
    switch definition.regulators[Int(slot.resource)].levels {
    case .list(let levels):
      guard levels.contains(level) else { throw .invalidParameters }
    case .range(let minimum, let maximum, let step):
      guard level >= minimum, level <= maximum, (Int64(level) - Int64(minimum)) % Int64(step) == 0 else {
        throw .invalidParameters
      }
    }
    return slot
  }

  private mutating func setVoltageLevel(_ request: SCMIMessage, _ slot: Slot, _ agent: Int) throws(SCMIStatus) {
    let resource = Int(slot.resource)
    let level = Int64(Int32(bitPattern: request[word: 2]))
    try claim(.voltageDomain, resource, .value, definition.regulators[resource].policy, by: agent)
    update(.voltageDomain, request[word: 0], agent) { slot in
      slot.votes.insert(.value)
      slot.value = level
    }
    harmoniseVoltage(resource, cause: agent, latest: level)
  }

  /// Recomputes level and mode of a voltage domain from the votes. The protocol has no notifications.
  mutating func harmoniseVoltage(_ resource: Int, cause: Int?, latest: Int64?) {
    let domain = definition.regulators[resource]
    let current = Int64(voltages[resource].level)
    let level = outcome(.voltageDomain, resource, domain.policy, latest: latest, current: current)
    voltages[resource].level = Int32(level)
    if latest == nil { switchVoltage(resource, domain.statePolicy, latest: nil) }
  }

  private mutating func switchVoltage(_ resource: Int, _ policy: HarmonisationPolicy, latest: Bool?) {
    let on = isOn(
      .voltageDomain,
      resource,
      policy,
      latest: latest,
      current: voltages[resource].mode == 7,
      idle: definition.regulators[resource].enabled
    )
    voltages[resource].mode = on ? 7 : 0
  }

  /// VOLTAGE_LEVEL_SET_COMPLETE: domain, level.
  mutating func completeVoltageLevelSet(_ request: SCMIMessage, _ agent: Int, _ response: inout SCMIMessage)
    throws(SCMIStatus)
  {
    response.append(request[word: 0])
    let access = protocols[agent * ProtocolIdentifier.count + ProtocolIdentifier.voltage.index]
    let context = Context(agent: agent, version: access.version, header: request.header)
    let slot = try checkVoltageLevel(request, context)
    try setVoltageLevel(request, slot, agent)
    response.append(UInt32(bitPattern: voltages[Int(slot.resource)].level))
  }
}

extension Slot {
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
