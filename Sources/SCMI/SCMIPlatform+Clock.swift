/// Clock management, 0x14: description and rates. Versions 1.0 to 3.0.
extension SCMIPlatform {
  mutating func clockMessage(_ request: SCMIMessage, _ context: Context, _ reply: inout SCMIMessage) throws(SCMIStatus)
  {
    switch context.header.message {
    case 6:
      try request.expect(4)
      let slot = try slot(.clock, request[word: 0], context.agent, .read)
      reply.append(clocks[Int(slot.resource)].rate)
    case 3: try clockAttributes(request, context, &reply)
    case 4: try clockDescribeRates(request, context, &reply)
    case 5: try clockRateSet(request, context)
    case 7: try clockConfigurationSet(request, context)
    case 8:
      try request.expect(4)
      let slot = try slot(.clock, request[word: 0], context.agent, .read)
      reply.append(UInt32(0))
      reply.append(name: definition.clocks[Int(slot.resource)].name, size: 64)
    case 9, 0xA:
      try request.expect(8)
      let definitions = definition.clocks
      try setNotification(request, .clock, context.header.message - 9, context) { definitions[$0].notifies }
    case 0xB: try clockConfigurationGet(request, context, &reply)
    case 0xC: try clockPossibleParents(request, context, &reply)
    case 0xD: try clockParentSet(request, context)
    case 0xE:
      try request.expect(4)
      let slot = try slot(.clock, request[word: 0], context.agent, .read)
      let parent = clocks[Int(slot.resource)].parent
      guard parent >= 0, let identifier = identifier(.clock, parent, for: context.agent) else { throw .notSupported }
      reply.append(identifier)
    default:
      try request.expect(4)
      let slot = try slot(.clock, request[word: 0], context.agent, .read)
      reply.append(clockPermissions(slot, context))
    }
  }

  /// CLOCK_ATTRIBUTES. Bit 0 is "enabled": the only place that says so before 3.0.
  private func clockAttributes(_ request: SCMIMessage, _ context: Context, _ reply: inout SCMIMessage)
    throws(SCMIStatus)
  {
    try request.expect(4)
    let slot = try slot(.clock, request[word: 0], context.agent, .read)
    let resource = Int(slot.resource)
    let clock = definition.clocks[resource]
    var attributes: UInt32 = clocks[resource].enabled ? 1 : 0
    if context.version >= 0x20000 {
      if clock.notifies && may(9, context) { attributes |= 1 << 31 }
      if clock.notifies && may(0xA, context) { attributes |= 1 << 30 }
      if clock.name.utf8.count > 15 && may(8, context) { attributes |= 1 << 29 }
    }
    if context.version >= 0x30000 {
      if may(0xC, context), !visibleParents(resource, context.agent).isEmpty { attributes |= 1 << 28 }
      let isExtended = clock.dutyCycle != nil || clock.phase != nil || !clock.extendedConfiguration.isEmpty
      if isExtended && may(0xB, context) && may(7, slot, context) { attributes |= 1 << 27 }
      // CLOCK_GET_PERMISSIONS has something to say about every clock.
      if may(0xF, context) { attributes |= 1 << 1 }
    }
    reply.append(attributes)
    reply.append(name: clock.name, size: 16)
    if context.version >= 0x20000 { reply.append(clock.enableLatency) }
  }

  /// CLOCK_DESCRIBE_RATES: returned 11:0, range form bit 12, remaining 31:16.
  private func clockDescribeRates(_ request: SCMIMessage, _ context: Context, _ reply: inout SCMIMessage)
    throws(SCMIStatus)
  {
    try request.expect(8)
    let slot = try slot(.clock, request[word: 0], context.agent, .read)
    let index = request[word: 1]
    switch definition.clocks[Int(slot.resource)].rates {
    case .range(let minimum, let maximum, let step):
      guard index == 0 else { throw .outOfRange }
      let bounds = slot.bounds(minimum, maximum, step)
      reply.append(UInt32(3 | 1 << 12))
      reply.append(bounds.minimum)
      reply.append(bounds.maximum)
      reply.append(step)
    case .list(let all):
      let rates = all.filter { slot.allows($0) }
      guard index < rates.count else { throw .outOfRange }
      let part = rates.dropFirst(Int(index)).prefix(15)
      reply.append(UInt32(part.count) | UInt32(min(rates.count - Int(index) - part.count, 0xFFFF)) << 16)
      for rate in part { reply.append(rate) }
    }
  }

  /// CLOCK_RATE_SET: flags, clock, rate. Flags: 0 asynchronous, 1 no delayed response, 2 round up, 3 nearest.
  private mutating func clockRateSet(_ request: SCMIMessage, _ context: Context) throws(SCMIStatus) {
    let change = try clockRateChange(request, context.agent)
    guard request[word: 0] & 1 != 0 else { return try setClockRate(change, context.agent) }
    guard agents[context.agent].events || request[word: 0] & 2 != 0 else { throw .notSupported }
    let limit = Int(definition.clockAsynchronousRequests)
    guard asynchronousCount(.clock, context.agent) < limit else {
      explain("all \(limit) asynchronous rate changes are pending")
      throw .busy
    }
    try startAsynchronous(
      request,
      context,
      latency: definition.clocks[Int(change.slot.resource)].asynchronousLatency,
      isSilent: request[word: 0] & 2 != 0
    )
  }

  struct ClockRateChange {
    var identifier: UInt32
    var slot: Slot
    var rate: UInt64
  }

  /// What a CLOCK_RATE_SET asks for, checked and rounded.
  private func clockRateChange(_ request: SCMIMessage, _ agent: Int) throws(SCMIStatus) -> ClockRateChange {
    try request.expect(16)
    let slot = try slot(.clock, request[word: 1], agent, .full)
    guard request[word: 0] & ~0xF == 0 else { throw .invalidParameters }
    let clock = definition.clocks[Int(slot.resource)]
    guard clock.rateControl else { throw .denied }
    let rounding: ClockRates.Rounding =
      if request[word: 0] & 8 != 0 { .nearest } else if request[word: 0] & 4 != 0 { .up } else { .down }
    guard let rate = clock.rates.rounded(request[pair: 2], rounding, within: slot) else {
      throw .invalidParameters
    }
    return ClockRateChange(identifier: request[word: 1], slot: slot, rate: rate)
  }

  private mutating func setClockRate(_ change: ClockRateChange, _ agent: Int) throws(SCMIStatus) {
    let resource = Int(change.slot.resource)
    try claim(.clock, resource, [.value, .settings], definition.clocks[resource].ratePolicy, by: agent)
    update(.clock, change.identifier, agent) { slot in
      slot.votes.insert(.value)
      slot.value = Int64(change.rate)
    }
    harmoniseClock(resource, cause: agent, latest: change.rate)
    if clocks[resource].rate != change.rate {
      notify(.clock, resource, 1, cause: agent, except: agent) { $0.append(change.rate) }
    }
  }

  /// CLOCK_RATE_SET_COMPLETE: clock, rate.
  mutating func completeClockRateSet(_ request: SCMIMessage, _ agent: Int, _ response: inout SCMIMessage)
    throws(SCMIStatus)
  {
    response.append(request[word: 1])
    let change = try clockRateChange(request, agent)
    try setClockRate(change, agent)
    response.append(clocks[Int(change.slot.resource)].rate)
  }

  /// Recomputes rate and state of a clock from the votes.
  mutating func harmoniseClock(_ resource: Int, cause: Int?, latest: UInt64?) {
    let policy = definition.clocks[resource].ratePolicy
    let current = clocks[resource].rate
    let latest = latest.map { Int64($0) }
    let rate = UInt64(outcome(.clock, resource, policy, latest: latest, current: Int64(current)))
    if rate != current {
      clocks[resource].rate = rate
      notify(.clock, resource, 0, cause: cause) { $0.append(rate) }
    }
    if latest == nil {
      let statePolicy = definition.clocks[resource].statePolicy
      clocks[resource].enabled = isOn(
        .clock,
        resource,
        statePolicy,
        latest: nil,
        current: clocks[resource].enabled,
        idle: definition.clocks[resource].enabled
      )
    }
  }
}

extension Slot {
  func allows(_ value: UInt64) -> Bool {
    value <= UInt64(Int64.max) && Int64(value) >= minimum && Int64(value) <= maximum
  }

  /// A range, narrowed to what the agent may set, still on the steps of the whole one.
  func bounds(_ low: UInt64, _ high: UInt64, _ step: UInt64) -> (minimum: UInt64, maximum: UInt64) {
    // Upside down on purpose: see ``ClockDefinition/allowInvalid``.
    guard low <= high else { return (low, high) }
    let lower = max(minimum, 0) > Int64(low) ? low + (UInt64(minimum) - low + step - 1) / step * step : low
    let upper = maximum < Int64(high) ? low + (UInt64(max(maximum, Int64(low))) - low) / step * step : high
    return (min(lower, high), max(min(upper, high), min(lower, high)))
  }
}

extension ClockRates {
  enum Rounding {
    case down
    case up
    /// Of two that are as near the higher one.
    case nearest
  }

  /// The rate next to `wanted` that exists, or `nil` where `wanted` lies outside of what the agent may set.
  func rounded(_ wanted: UInt64, _ rounding: Rounding, within slot: Slot) -> UInt64? {
    let below: UInt64
    let above: UInt64
    switch self {
    case .range(let minimum, let maximum, let step):
      let bounds = slot.bounds(minimum, maximum, step)
      guard wanted >= bounds.minimum, wanted <= bounds.maximum else { return nil }
      below = minimum + (wanted - minimum) / step * step
      above = bounds.maximum - below > step ? below + step : bounds.maximum
    case .list(let all):
      let allowed = all.filter { slot.allows($0) }
      guard let first = allowed.first, let last = allowed.last, wanted >= first, wanted <= last else { return nil }
      below = allowed.last { $0 <= wanted } ?? first
      above = allowed.first { $0 >= wanted } ?? last
    }
    if below == wanted { return below }
    switch rounding {
    case .down: return below
    case .up: return above
    case .nearest: return wanted - below < above - wanted ? below : above
    }
  }
}
