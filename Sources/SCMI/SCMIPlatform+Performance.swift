/// Performance domain management, 0x13. Versions 1.0 to 4.0.
extension SCMIPlatform {
  mutating func performanceMessage(
    _ message: PerformanceProtocol.Message,
    _ request: SCMIMessage,
    _ context: Context,
    _ reply: inout SCMIMessage
  ) throws(SCMIStatus) {
    switch message {
    case .domainAttributes: reply.append(try performanceAttributes(request.fields(), context))
    case .describeLevels: reply.append(try performanceLevels(request.fields(), context))
    case .limitsSet: try performanceLimitsSet(request.fields(), context)
    case .limitsGet: reply.append(try performanceLimits(request.fields(), context))
    case .levelSet: try performanceLevelSet(request.fields(), context)
    case .levelGet: reply.append(try performanceLevel(request.fields(), context))
    case .notifyLimits: try performanceNotify(request.fields(), .limitsChanged, context)
    case .notifyLevel: try performanceNotify(request.fields(), .levelChanged, context)
    case .describeFastChannel: throw .notSupported
    case .domainNameGet:
      let request: PerformanceProtocol.Resource = try request.fields()
      reply.append(try resourceName(request, .performanceDomain, context) { definition.performanceDomains[$0].name })
    }
  }

  private func performanceAttributes(
    _ request: PerformanceProtocol.Resource,
    _ context: Context
  ) throws(SCMIStatus) -> PerformanceProtocol.Attributes {
    typealias Message = PerformanceProtocol.Message
    let grant = try grant(.performanceDomain, request.resource, context.agent, .read)
    let domain = definition.performanceDomains[Int(grant.resource)]
    var flags: PerformanceProtocol.AttributeFlags = []
    if domain.setsLimits && may(Message.limitsSet, grant, context) { flags.insert(.setsLimits) }
    if domain.setsLevel && may(Message.levelSet, grant, context) { flags.insert(.setsLevel) }
    if domain.notifies && may(Message.notifyLimits, context) { flags.insert(.limitsNotify) }
    if domain.notifies && may(Message.notifyLevel, context) { flags.insert(.levelNotify) }
    if context.version >= .major(3) && domain.name.isLongName && may(Message.domainNameGet, context) {
      flags.insert(.extendedName)
    }
    if usesIndexes(Int(grant.resource), context.version) { flags.insert(.levelIndexing) }
    let sustained = sustained(grant)
    return PerformanceProtocol.Attributes {
      $0.attributes = flags
      $0.rateLimit = domain.rateLimit & PerformanceProtocol.rateLimitMask
      $0.sustainedFrequency = sustained.frequency
      $0.sustainedLevel = sustained.level
      $0.name = domain.name
    }
  }

  private func performanceLimits(
    _ request: PerformanceProtocol.Resource,
    _ context: Context
  ) throws(SCMIStatus) -> PerformanceProtocol.Limits {
    let grant = try grant(.performanceDomain, request.resource, context.agent, .read)
    let points = points(grant)
    let state = performanceState.domains[Int(grant.resource)]
    // Limits beyond what the agent may set are none of its own.
    let (lowest, highest) = (points.first?.level ?? 0, points.last?.level ?? 0)
    return PerformanceProtocol.Limits {
      $0.maximum = wireLevel(min(max(state.maximum, lowest), highest), grant, context.version)
      $0.minimum = wireLevel(min(max(state.minimum, lowest), highest), grant, context.version)
    }
  }

  private func performanceLevel(
    _ request: PerformanceProtocol.Resource,
    _ context: Context
  ) throws(SCMIStatus) -> PerformanceProtocol.Level {
    let grant = try grant(.performanceDomain, request.resource, context.agent, .read)
    let level = performanceState.domains[Int(grant.resource)].level
    return PerformanceProtocol.Level { $0.level = wireLevel(level, grant, context.version) }
  }

  private mutating func performanceNotify(
    _ request: PerformanceProtocol.Notify,
    _ notification: PerformanceProtocol.Notification,
    _ context: Context
  ) throws(SCMIStatus) {
    let domains = definition.performanceDomains
    try setNotification(request, .performanceDomain, notification, context) { domains[$0].notifies }
  }

  /// The sustained frequency in kHz and the level that it belongs to: as defined, otherwise those of the highest
  /// operating point that has a frequency, and never more than the agent may set.
  private func sustained(_ grant: Grant) -> (frequency: UInt32, level: UInt32) {
    let domain = definition.performanceDomains[Int(grant.resource)]
    var (frequency, level) = (domain.sustainedFrequency, domain.sustainedLevel)
    if level == 0, let point = domain.operatingPoints.last(where: { $0.frequency > 0 }) ?? domain.operatingPoints.last {
      level = point.level
    }
    if frequency == 0 { frequency = domain.operatingPoints.last { $0.level == level }?.frequency ?? 0 }
    guard let highest = points(grant).last, highest.level < level else { return (frequency, level) }
    if highest.frequency > 0 { return (highest.frequency, highest.level) }
    return (UInt32(clamping: UInt64(frequency) * UInt64(highest.level) / UInt64(level)), highest.level)
  }

  /// The operating points that the agent may set.
  private func points(_ grant: Grant) -> [OperatingPoint] {
    let points = definition.performanceDomains[Int(grant.resource)].operatingPoints
    guard grant.minimum != .min || grant.maximum != .max else { return points }
    return points.filter { grant.allows(UInt64($0.level)) }
  }

  private func usesIndexes(_ domain: Int, _ version: ProtocolVersion) -> Bool {
    version >= .major(4) && definition.performanceDomains[domain].levelIndexing
  }

  private func performanceLevels(
    _ request: PerformanceProtocol.DescribeLevels,
    _ context: Context
  ) throws(SCMIStatus) -> PerformanceProtocol.Levels {
    let grant = try grant(.performanceDomain, request.domain, context.agent, .read)
    let points = points(grant)
    guard request.index < points.count else { throw .invalidParameters }
    let isLong = context.version >= .major(4)
    let most = isLong ? PerformanceProtocol.maximumLongLevels : PerformanceProtocol.maximumLevels
    let part = points.dropFirst(Int(request.index)).prefix(most)
    return PerformanceProtocol.Levels {
      $0.count = PartCount(returned: part.count, of: points.count, from: request.index)
      for (offset, point) in part.enumerated() {
        $0.levels += [point.level, point.power, UInt32(point.latency)]
        if isLong { $0.levels += [point.frequency, request.index + UInt32(offset)] }
      }
    }
  }

  // MARK: - Levels and their numbers on the wire

  private func wireLevel(_ level: UInt32, _ grant: Grant, _ version: ProtocolVersion) -> UInt32 {
    wireLevel(level, grant, usesIndexes: usesIndexes(Int(grant.resource), version))
  }

  /// Indexes are those of the levels that the agent may set, of which there is at least one.
  private func wireLevel(_ level: UInt32, _ grant: Grant, usesIndexes: Bool) -> UInt32 {
    guard usesIndexes else { return level }
    let points = points(grant)
    return UInt32(points.firstIndex { $0.level >= level } ?? max(points.count - 1, 0))
  }

  /// - Throws: OUT_OF_RANGE for what is no level, or none that the agent may set.
  private func level(wire: UInt32, _ grant: Grant, _ context: Context) throws(SCMIStatus) -> UInt32 {
    let points = points(grant)
    if usesIndexes(Int(grant.resource), context.version) {
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
    wire == 0 && context.version >= .major(3) && !usesIndexes(domain, context.version)
  }

  /// 0 leaves one of the limits as it is (where levels are no indexes).
  private mutating func performanceLimitsSet(
    _ request: PerformanceProtocol.LimitsSet,
    _ context: Context
  ) throws(SCMIStatus) {
    let grant = try grant(.performanceDomain, request.domain, context.agent, .full)
    let domain = Int(grant.resource)
    guard definition.performanceDomains[domain].setsLimits else { throw .denied }
    let points = points(grant)
    var maximum = grant.votes.contains(.limits) ? grant.upper : points.last?.level ?? 0
    var minimum = grant.votes.contains(.limits) ? grant.lower : points.first?.level ?? 0
    let keepsMaximum = isFree(request.maximum, domain, context)
    let keepsMinimum = isFree(request.minimum, domain, context)
    guard keepsMaximum || keepsMinimum || request.minimum <= request.maximum else { throw .invalidParameters }
    guard !keepsMaximum || !keepsMinimum else { throw .outOfRange }
    if !keepsMaximum { maximum = try level(wire: request.maximum, grant, context) }
    if !keepsMinimum { minimum = try level(wire: request.minimum, grant, context) }
    guard minimum <= maximum else { throw .invalidParameters }
    let others = intersection(domain, except: context.agent)
    guard max(others.minimum, minimum) <= min(others.maximum, maximum) else {
      explain("limits \(minimum)–\(maximum) do not meet the others' \(others.minimum)–\(others.maximum)")
      throw .outOfRange
    }
    update(.performanceDomain, request.domain, context.agent) { grant in
      grant.votes.insert(.limits)
      grant.lower = minimum
      grant.upper = maximum
    }
    harmonisePerformance(domain, cause: context.agent, latest: performanceState.domains[domain].level)
  }

  private mutating func performanceLevelSet(
    _ request: PerformanceProtocol.LevelSet,
    _ context: Context
  ) throws(SCMIStatus) {
    let grant = try grant(.performanceDomain, request.domain, context.agent, .full)
    let domain = Int(grant.resource)
    guard definition.performanceDomains[domain].setsLevel else { throw .denied }
    try claim(.performanceDomain, domain, .value, definition.performanceDomains[domain].policy, by: context.agent)
    if isFree(request.level, domain, context) {
      // "As the platform likes": the agent has no wish any more.
      update(.performanceDomain, request.domain, context.agent) { $0.votes.remove(.value) }
      return harmonisePerformance(domain, cause: context.agent, latest: nil)
    }
    let wanted = try level(wire: request.level, grant, context)
    let limits = performanceState.domains[domain]
    guard wanted >= limits.minimum, wanted <= limits.maximum else { throw .outOfRange }
    update(.performanceDomain, request.domain, context.agent) { grant in
      grant.votes.insert(.value)
      grant.value = Int64(wanted)
    }
    harmonisePerformance(domain, cause: context.agent, latest: wanted)
  }

  /// The limits that all agents (but one) agree on.
  private func intersection(_ domain: Int, except: Int? = nil) -> (minimum: UInt32, maximum: UInt32) {
    let points = definition.performanceDomains[domain].operatingPoints
    var result = (minimum: points.first?.level ?? 0, maximum: points.last?.level ?? 0)
    for holder in holders[Int(ResourceKind.performanceDomain.rawValue)][domain] where holder.agent != except {
      let grant = grant(of: holder, .performanceDomain)
      guard grant.votes.contains(.limits) else { continue }
      result = (max(result.minimum, grant.lower), min(result.maximum, grant.upper))
    }
    return result
  }

  /// Limits intersect; the level is what the votes amount to, brought within the limits and up to an existing level.
  mutating func harmonisePerformance(_ domain: Int, cause: Int?, latest: UInt32?) {
    let limits = intersection(domain)
    if limits.minimum != performanceState.domains[domain].minimum
      || limits.maximum != performanceState.domains[domain].maximum
    {
      performanceState.domains[domain].minimum = limits.minimum
      performanceState.domains[domain].maximum = limits.maximum
      notifyPerformanceLimits(domain, cause: cause)
    }
    let wanted = outcome(
      .performanceDomain,
      domain,
      definition.performanceDomains[domain].policy,
      latest: latest.map { Int64($0) },
      current: Int64(performanceState.domains[domain].level)
    )
    let points = definition.performanceDomains[domain].operatingPoints
    let bounded = min(max(UInt32(wanted), limits.minimum), limits.maximum)
    let level =
      points.first { $0.level >= bounded && $0.level <= limits.maximum }?.level
      ?? points.last { $0.level <= limits.maximum }?.level ?? bounded
    if level != performanceState.domains[domain].level { changePerformanceLevel(domain, level, cause: cause) }
  }

  /// The domain has another level: those who listen are told.
  ///
  /// - Parameter cause: who wants it so; `nil` is the platform.
  mutating func changePerformanceLevel(_ domain: Int, _ level: UInt32, cause: Int?) {
    performanceState.domains[domain].level = level
    notifyPerformance(.levelChanged, domain, cause: cause) { cause, identifier, wire in
      PerformanceProtocol.LevelChanged {
        $0.agent = cause
        $0.domain = identifier
        $0.level = wire(level)
      }
    }
  }

  private mutating func notifyPerformanceLimits(_ domain: Int, cause: Int?) {
    let state = performanceState.domains[domain]
    notifyPerformance(.limitsChanged, domain, cause: cause) { cause, identifier, wire in
      PerformanceProtocol.LimitsChanged {
        $0.agent = cause
        $0.domain = identifier
        $0.maximum = wire(state.maximum)
        $0.minimum = wire(state.minimum)
      }
    }
  }

  /// Each receiver gets levels or indexes, by the version that it speaks.
  private mutating func notifyPerformance<Fields: MessageFields>(
    _ notification: PerformanceProtocol.Notification,
    _ domain: Int,
    cause: Int?,
    _ fields: (_ cause: UInt32, _ domain: UInt32, _ wire: (UInt32) -> UInt32) -> Fields
  ) {
    for holder in holders[Int(ResourceKind.performanceDomain.rawValue)][domain] {
      guard isTold(holder, .performanceDomain, notification) else { continue }
      let grant = grant(of: holder, .performanceDomain)
      let usesIndexes = usesIndexes(domain, version(.performance, holder.agent))
      let message = fields(wireIdentifier(of: cause, for: holder.agent), holder.identifier) {
        wireLevel($0, grant, usesIndexes: usesIndexes)
      }
      emit(notification, message, to: holder.agent)
    }
  }
}
