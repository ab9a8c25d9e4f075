/// Performance domain management, 0x13. Versions 1.0 to 4.0.
extension SCMIPlatform {
  mutating func performanceMessage(_ request: SCMIMessage, _ context: Context, _ reply: inout SCMIMessage)
    throws(SCMIStatus)
  {
    switch context.header.message {
    case 3: try performanceAttributes(request, context, &reply)
    case 4: try performanceDescribeLevels(request, context, &reply)
    case 5: try performanceLimitsSet(request, context)
    case 6:
      try request.expect(4)
      let slot = try slot(.performanceDomain, request[word: 0], context.agent, .read)
      let points = points(slot)
      let state = performance[Int(slot.resource)]
      // Limits beyond what the agent may set are none of its own.
      let (lowest, highest) = (points.first?.level ?? 0, points.last?.level ?? 0)
      reply.append(wireLevel(min(max(state.maximum, lowest), highest), slot, context))
      reply.append(wireLevel(min(max(state.minimum, lowest), highest), slot, context))
    case 7: try performanceLevelSet(request, context)
    case 8:
      try request.expect(4)
      let slot = try slot(.performanceDomain, request[word: 0], context.agent, .read)
      reply.append(wireLevel(performance[Int(slot.resource)].level, slot, context))
    case 9, 0xA:
      try request.expect(8)
      let domains = definition.performanceDomains
      try setNotification(request, .performanceDomain, context.header.message - 9, context) { domains[$0].notifies }
    default:
      try request.expect(4)
      let slot = try slot(.performanceDomain, request[word: 0], context.agent, .read)
      reply.append(UInt32(0))
      reply.append(name: definition.performanceDomains[Int(slot.resource)].name, size: 64)
    }
  }

  private func performanceAttributes(_ request: SCMIMessage, _ context: Context, _ reply: inout SCMIMessage)
    throws(SCMIStatus)
  {
    try request.expect(4)
    let slot = try slot(.performanceDomain, request[word: 0], context.agent, .read)
    let domain = definition.performanceDomains[Int(slot.resource)]
    var attributes: UInt32 = 0
    if domain.setsLimits && may(5, slot, context) { attributes |= 1 << 31 }
    if domain.setsLevel && may(7, slot, context) { attributes |= 1 << 30 }
    if domain.notifies && may(9, context) { attributes |= 1 << 29 }
    if domain.notifies && may(0xA, context) { attributes |= 1 << 28 }
    if context.version >= 0x30000 && domain.name.utf8.count > 15 && may(0xC, context) { attributes |= 1 << 26 }
    if usesIndexes(Int(slot.resource), context) { attributes |= 1 << 25 }
    let sustained = sustained(slot)
    reply.append(attributes)
    reply.append(domain.rateLimit & 0xF_FFFF)
    reply.append(sustained.frequency)
    reply.append(sustained.level)
    reply.append(name: domain.name, size: 16)
  }

  /// The sustained frequency in kHz and the level that it belongs to: as defined, otherwise those of the highest
  /// operating point that has a frequency, and never more than the agent may set.
  private func sustained(_ slot: Slot) -> (frequency: UInt32, level: UInt32) {
    let domain = definition.performanceDomains[Int(slot.resource)]
    var (frequency, level) = (domain.sustainedFrequency, domain.sustainedLevel)
    if level == 0, let point = domain.operatingPoints.last(where: { $0.frequency > 0 }) ?? domain.operatingPoints.last {
      level = point.level
    }
    if frequency == 0 { frequency = domain.operatingPoints.last { $0.level == level }?.frequency ?? 0 }
    guard let highest = points(slot).last, highest.level < level else { return (frequency, level) }
    if highest.frequency > 0 { return (highest.frequency, highest.level) }
    return (UInt32(clamping: UInt64(frequency) * UInt64(highest.level) / UInt64(level)), highest.level)
  }

  /// The operating points that the agent may set.
  private func points(_ slot: Slot) -> [OperatingPoint] {
    let points = definition.performanceDomains[Int(slot.resource)].operatingPoints
    guard slot.minimum != .min || slot.maximum != .max else { return points }
    return points.filter { slot.allows(UInt64($0.level)) }
  }

  private func usesIndexes(_ domain: Int, _ context: Context) -> Bool {
    context.version >= 0x40000 && definition.performanceDomains[domain].levelIndexing
  }

  /// PERFORMANCE_DESCRIBE_LEVELS: returned 15:0, remaining 31:16; three words per level, from 4.0 on five.
  private func performanceDescribeLevels(
    _ request: SCMIMessage,
    _ context: Context,
    _ reply: inout SCMIMessage
  ) throws(SCMIStatus) {
    try request.expect(8)
    let slot = try slot(.performanceDomain, request[word: 0], context.agent, .read)
    let points = points(slot)
    let index = request[word: 1]
    guard index < points.count else { throw .invalidParameters }
    let isLong = context.version >= 0x40000
    let part = points.dropFirst(Int(index)).prefix(isLong ? 6 : 10)
    reply.append(UInt32(part.count) | UInt32(min(points.count - Int(index) - part.count, 0xFFFF)) << 16)
    for (offset, point) in part.enumerated() {
      reply.append(point.level)
      reply.append(point.power)
      reply.append(UInt32(point.latency))
      if isLong {
        reply.append(point.frequency)
        reply.append(index + UInt32(offset))
      }
    }
  }

  // MARK: - Levels and their numbers on the wire

  private func wireLevel(_ level: UInt32, _ slot: Slot, _ context: Context) -> UInt32 {
    wireLevel(level, slot, usesIndexes: usesIndexes(Int(slot.resource), context))
  }

  /// Indexes are those of the levels that the agent may set, of which there is at least one.
  private func wireLevel(_ level: UInt32, _ slot: Slot, usesIndexes: Bool) -> UInt32 {
    guard usesIndexes else { return level }
    let points = points(slot)
    return UInt32(points.firstIndex { $0.level >= level } ?? max(points.count - 1, 0))
  }

  /// - Throws: OUT_OF_RANGE for what is no level, or none that the agent may set.
  private func level(wire: UInt32, _ slot: Slot, _ context: Context) throws(SCMIStatus) -> UInt32 {
    let points = points(slot)
    if usesIndexes(Int(slot.resource), context) {
      guard wire < points.count else { throw .outOfRange }
      return points[Int(wire)].level
    }
    guard let first = points.first, let last = points.last, wire >= first.level, wire <= last.level else {
      throw .outOfRange
    }
    return wire
  }

  /// From 3.0 on a level of 0 is no level but "as it is" or "as you like". Indexes begin with 0.
  private func isFree(_ wire: UInt32, _ domain: Int, _ context: Context) -> Bool {
    wire == 0 && context.version >= 0x30000 && !usesIndexes(domain, context)
  }

  /// PERFORMANCE_LIMITS_SET: domain, highest, lowest; 0 leaves one of them as it is (where levels are no indexes).
  private mutating func performanceLimitsSet(_ request: SCMIMessage, _ context: Context) throws(SCMIStatus) {
    try request.expect(12)
    let slot = try slot(.performanceDomain, request[word: 0], context.agent, .full)
    let domain = Int(slot.resource)
    guard definition.performanceDomains[domain].setsLimits else { throw .denied }
    let points = points(slot)
    var maximum = slot.votes.contains(.limits) ? slot.upper : points.last?.level ?? 0
    var minimum = slot.votes.contains(.limits) ? slot.lower : points.first?.level ?? 0
    let keepsMaximum = isFree(request[word: 1], domain, context)
    let keepsMinimum = isFree(request[word: 2], domain, context)
    guard keepsMaximum || keepsMinimum || request[word: 2] <= request[word: 1] else { throw .invalidParameters }
    guard !keepsMaximum || !keepsMinimum else { throw .outOfRange }
    if !keepsMaximum { maximum = try level(wire: request[word: 1], slot, context) }
    if !keepsMinimum { minimum = try level(wire: request[word: 2], slot, context) }
    guard minimum <= maximum else { throw .invalidParameters }
    let others = intersection(domain, except: context.agent)
    guard max(others.minimum, minimum) <= min(others.maximum, maximum) else {
      explain("limits \(minimum)–\(maximum) do not meet the others' \(others.minimum)–\(others.maximum)")
      throw .outOfRange
    }
    update(.performanceDomain, request[word: 0], context.agent) { slot in
      slot.votes.insert(.limits)
      slot.lower = minimum
      slot.upper = maximum
    }
    harmonisePerformance(domain, cause: context.agent, latest: performance[domain].level)
  }

  private mutating func performanceLevelSet(_ request: SCMIMessage, _ context: Context) throws(SCMIStatus) {
    try request.expect(8)
    let slot = try slot(.performanceDomain, request[word: 0], context.agent, .full)
    let domain = Int(slot.resource)
    guard definition.performanceDomains[domain].setsLevel else { throw .denied }
    try claim(.performanceDomain, domain, .value, definition.performanceDomains[domain].policy, by: context.agent)
    if isFree(request[word: 1], domain, context) {
      // "As the platform likes": the agent has no wish any more.
      update(.performanceDomain, request[word: 0], context.agent) { $0.votes.remove(.value) }
      return harmonisePerformance(domain, cause: context.agent, latest: nil)
    }
    let wanted = try level(wire: request[word: 1], slot, context)
    guard wanted >= performance[domain].minimum, wanted <= performance[domain].maximum else { throw .outOfRange }
    update(.performanceDomain, request[word: 0], context.agent) { slot in
      slot.votes.insert(.value)
      slot.value = Int64(wanted)
    }
    harmonisePerformance(domain, cause: context.agent, latest: wanted)
  }

  /// The limits that all agents (but one) agree on.
  private func intersection(_ domain: Int, except: Int? = nil) -> (minimum: UInt32, maximum: UInt32) {
    let points = definition.performanceDomains[domain].operatingPoints
    var result = (minimum: points.first?.level ?? 0, maximum: points.last?.level ?? 0)
    for holder in holders[Int(ResourceKind.performanceDomain.rawValue)][domain] where holder.agent != except {
      let slot = slot(of: holder, .performanceDomain)
      guard slot.votes.contains(.limits) else { continue }
      result = (max(result.minimum, slot.lower), min(result.maximum, slot.upper))
    }
    return result
  }

  /// Limits intersect; the level is what the votes amount to, brought within the limits and up to an existing level.
  mutating func harmonisePerformance(_ domain: Int, cause: Int?, latest: UInt32?) {
    let limits = intersection(domain)
    if limits.minimum != performance[domain].minimum || limits.maximum != performance[domain].maximum {
      performance[domain].minimum = limits.minimum
      performance[domain].maximum = limits.maximum
      notifyPerformance(domain, 0, cause: cause, [limits.maximum, limits.minimum])
    }
    let wanted = outcome(
      .performanceDomain,
      domain,
      definition.performanceDomains[domain].policy,
      latest: latest.map { Int64($0) },
      current: Int64(performance[domain].level)
    )
    let points = definition.performanceDomains[domain].operatingPoints
    let bounded = min(max(UInt32(wanted), limits.minimum), limits.maximum)
    let level =
      points.first { $0.level >= bounded && $0.level <= limits.maximum }?.level
      ?? points.last { $0.level <= limits.maximum }?.level ?? bounded
    guard level != performance[domain].level else { return }
    performance[domain].level = level
    notifyPerformance(domain, 1, cause: cause, [level])
  }

  /// Each receiver gets levels or indexes, by the version that it speaks.
  mutating func notifyPerformance(_ domain: Int, _ index: UInt8, cause: Int?, _ levels: [UInt32]) {
    let hasIndexes = definition.performanceDomains[domain].levelIndexing
    for holder in holders[Int(ResourceKind.performanceDomain.rawValue)][domain] {
      let slot = slot(of: holder, .performanceDomain)
      guard slot.notifications & (1 << index) != 0, slot.access >= .read, agents[holder.agent].events else { continue }
      let access = protocols[holder.agent * ProtocolIdentifier.count + ProtocolIdentifier.performance.index]
      let usesIndexes = hasIndexes && access.version >= 0x40000
      var message = SCMIMessage(
        header: MessageHeader(ProtocolIdentifier.performance.rawValue, index, type: .notification)
      )
      message.append(wireIdentifier(of: cause, for: holder.agent))
      message.append(holder.identifier)
      for level in levels { message.append(wireLevel(level, slot, usesIndexes: usesIndexes)) }
      emit(Outgoing(agent: holder.agent, channel: .event, message: message))
    }
  }
}
