/// Clock management, 0x14: description and rates. Versions 1.0 to 3.0.
extension SCMIPlatform {
  mutating func clockMessage(
    _ message: ClockProtocol.Message,
    _ request: SCMIMessage,
    _ context: Context,
    _ reply: inout SCMIMessage
  ) throws(SCMIStatus) {
    switch message {
    case .rateGet:
      // In place: what is asked most often is worth no copy of anything.
      let request: ClockProtocol.Resource = try request.fields()
      let grant = try grant(.clock, request.resource, context.agent, .read)
      reply.append(ClockProtocol.Rate { $0.rate = clockState.clocks[Int(grant.resource)].rate })
    case .attributes: reply.append(try clockAttributes(request.fields(), context))
    case .describeRates: reply.append(try clockRates(request.fields(), context))
    case .rateSet: try clockRateSet(request, context)
    case .configSet: try clockConfigSet(request.fields(), context)
    case .nameGet:
      let request: ClockProtocol.Resource = try request.fields()
      reply.append(try resourceName(request, .clock, context) { definition.clocks[$0].name })
    case .rateNotify: try clockNotify(request.fields(), .rateChanged, context)
    case .rateChangeRequestedNotify: try clockNotify(request.fields(), .rateChangeRequested, context)
    case .configGet: reply.append(try clockConfig(request.fields(), context))
    case .possibleParentsGet: reply.append(try clockPossibleParents(request.fields(), context))
    case .parentSet: try clockParentSet(request.fields(), context)
    case .parentGet: reply.append(try clockParent(request.fields(), context))
    case .getPermissions: reply.append(try clockPermissions(request.fields(), context))
    }
  }

  private func clockAttributes(
    _ request: ClockProtocol.Resource,
    _ context: Context
  ) throws(SCMIStatus) -> ClockProtocol.Attributes {
    typealias Message = ClockProtocol.Message
    let grant = try grant(.clock, request.resource, context.agent, .read)
    let resource = Int(grant.resource)
    let clock = definition.clocks[resource]
    var flags: ClockProtocol.AttributeFlags = clockState.clocks[resource].enabled ? [.enabled] : []
    if context.version >= .major(2) {
      if clock.notifies && may(Message.rateNotify, context) { flags.insert(.rateNotify) }
      if clock.notifies && may(Message.rateChangeRequestedNotify, context) {
        flags.insert(.rateChangeRequestedNotify)
      }
      if clock.name.isLongName && may(Message.nameGet, context) { flags.insert(.extendedName) }
    }
    if context.version >= .major(3) {
      if may(Message.possibleParentsGet, context), !visibleParents(resource, context.agent).isEmpty {
        flags.insert(.parents)
      }
      let isExtended = clock.dutyCycle != nil || clock.phase != nil || !clock.extendedConfiguration.isEmpty
      if isExtended && may(Message.configGet, context) && may(Message.configSet, grant, context) {
        flags.insert(.extendedConfiguration)
      }
      if may(Message.getPermissions, context) { flags.insert(.permissions) }
    }
    return ClockProtocol.Attributes {
      $0.attributes = flags
      $0.name = clock.name
      $0.enableLatency = context.version >= .major(2) ? clock.enableLatency : nil
    }
  }

  private func clockRates(
    _ request: ClockProtocol.DescribeRates,
    _ context: Context
  ) throws(SCMIStatus) -> ClockProtocol.Rates {
    let grant = try grant(.clock, request.clock, context.agent, .read)
    var reply = ClockProtocol.Rates()
    switch definition.clocks[Int(grant.resource)].rates {
    case .range(let minimum, let maximum, let step):
      guard request.index == 0 else { throw .outOfRange }
      let bounds = grant.bounds(minimum, maximum, step)
      reply.count = .range
      reply.rates = [bounds.minimum, bounds.maximum, step]
    case .list(let all):
      let rates = all.filter { grant.allows($0) }
      guard request.index < rates.count else { throw .outOfRange }
      reply.rates = Array(rates.dropFirst(Int(request.index)).prefix(ClockProtocol.maximumRates))
      reply.count = PartCount(returned: reply.rates.count, of: rates.count, from: request.index)
    }
    return reply
  }

  private mutating func clockNotify(
    _ request: ClockProtocol.Notify,
    _ notification: ClockProtocol.Notification,
    _ context: Context
  ) throws(SCMIStatus) {
    let definitions = definition.clocks
    try setNotification(request, .clock, notification, context) { definitions[$0].notifies }
  }

  // MARK: - Rates

  private mutating func clockRateSet(_ message: SCMIMessage, _ context: Context) throws(SCMIStatus) {
    let request: ClockProtocol.RateSet = try message.fields()
    let change = try clockRateChange(request, context.agent)
    guard request.flags.contains(.asynchronous) else { return try setClockRate(change, context.agent) }
    let isSilent = request.flags.contains(.noDelayedResponse)
    guard agents[context.agent].events || isSilent else { throw .notSupported }
    let limit = Int(definition.clockAsynchronousRequests)
    guard asynchronousCount(.clock, context.agent) < limit else {
      explain("all \(limit) asynchronous rate changes are pending")
      throw .busy
    }
    try startAsynchronous(
      message,
      context,
      latency: definition.clocks[Int(change.grant.resource)].asynchronousLatency,
      isSilent: isSilent
    )
  }

  struct ClockRateChange {
    var identifier: UInt32
    var grant: Grant
    var rate: UInt64
  }

  /// What a CLOCK_RATE_SET asks for, checked and rounded.
  private func clockRateChange(
    _ request: ClockProtocol.RateSet,
    _ agent: Int
  ) throws(SCMIStatus) -> ClockRateChange {
    let grant = try grant(.clock, request.clock, agent, .full)
    try request.flags.expectDefined()
    let clock = definition.clocks[Int(grant.resource)]
    guard clock.rateControl else { throw .denied }
    let rounding: ClockRates.Rounding =
      if request.flags.contains(.roundToNearest) {
        .nearest
      } else if request.flags.contains(.roundUp) {
        .up
      } else {
        .down
      }
    guard let rate = clock.rates.rounded(request.rate, rounding, within: grant) else { throw .invalidParameters }
    return ClockRateChange(identifier: request.clock, grant: grant, rate: rate)
  }

  private mutating func setClockRate(_ change: ClockRateChange, _ agent: Int) throws(SCMIStatus) {
    let resource = Int(change.grant.resource)
    try claim(.clock, resource, [.value, .settings], definition.clocks[resource].ratePolicy, by: agent)
    update(.clock, change.identifier, agent) { grant in
      grant.votes.insert(.value)
      grant.value = Int64(change.rate)
    }
    harmoniseClock(resource, cause: agent, latest: change.rate)
    guard clockState.clocks[resource].rate != change.rate else { return }
    notify(ClockProtocol.Notification.rateChangeRequested, .clock, resource, cause: agent, except: agent) {
      cause,
      clock in
      ClockProtocol.RateChangeRequested {
        $0.agent = cause
        $0.clock = clock
        $0.rate = change.rate
      }
    }
  }

  mutating func completeClockRateSet(
    _ request: ClockProtocol.RateSet,
    _ agent: Int
  ) throws(SCMIStatus) -> ClockProtocol.RateSetComplete {
    let change = try clockRateChange(request, agent)
    try setClockRate(change, agent)
    return ClockProtocol.RateSetComplete {
      $0.clock = request.clock
      $0.rate = clockState.clocks[Int(change.grant.resource)].rate
    }
  }

  /// The clock has another rate: those who listen are told.
  ///
  /// - Parameter cause: who wants it so; `nil` is the platform.
  mutating func changeClockRate(_ resource: Int, _ rate: UInt64, cause: Int?) {
    clockState.clocks[resource].rate = rate
    notify(ClockProtocol.Notification.rateChanged, .clock, resource, cause: cause) { cause, clock in
      ClockProtocol.RateChanged {
        $0.agent = cause
        $0.clock = clock
        $0.rate = rate
      }
    }
  }

  /// Recomputes rate and state of a clock from the votes.
  mutating func harmoniseClock(_ resource: Int, cause: Int?, latest: UInt64?) {
    let policy = definition.clocks[resource].ratePolicy
    let current = clockState.clocks[resource].rate
    let latest = latest.map { Int64($0) }
    let rate = UInt64(outcome(.clock, resource, policy, latest: latest, current: Int64(current)))
    if rate != current { changeClockRate(resource, rate, cause: cause) }
    if latest == nil {
      let statePolicy = definition.clocks[resource].statePolicy
      clockState.clocks[resource].enabled = isOn(
        .clock,
        resource,
        statePolicy,
        latest: nil,
        current: clockState.clocks[resource].enabled,
        idle: definition.clocks[resource].enabled
      )
    }
  }
}

extension Grant {
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
  func rounded(_ wanted: UInt64, _ rounding: Rounding, within grant: Grant) -> UInt64? {
    let below: UInt64
    let above: UInt64
    switch self {
    case .range(let minimum, let maximum, let step):
      let bounds = grant.bounds(minimum, maximum, step)
      guard wanted >= bounds.minimum, wanted <= bounds.maximum else { return nil }
      below = minimum + (wanted - minimum) / step * step
      above = bounds.maximum - below > step ? below + step : bounds.maximum
    case .list(let all):
      let allowed = all.filter { grant.allows($0) }
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
