/// Power cap management, 0x18. Versions 1.0 and 2.0.
extension SCMIPlatform {
  mutating func powercapMessage(
    _ message: PowercapProtocol.Message,
    _ request: SCMIMessage,
    _ context: Context,
    _ reply: inout SCMIMessage
  ) throws(SCMIStatus) {
    switch message {
    case .domainAttributes: reply.append(try powercapAttributes(request.fields(), context))
    case .capGet: reply.append(try powercap(request.fields(), context))
    case .capSet: try powercapSet(request, context)
    case .averagingIntervalGet: reply.append(try averagingInterval(request.fields(), context))
    case .averagingIntervalSet: try averagingIntervalSet(request.fields(), context)
    case .domainNameGet:
      let request: PowercapProtocol.Resource = try request.fields()
      reply.append(try resourceName(request, .powercapDomain, context) { definition.powercaps[$0].name })
    case .measurementsGet: reply.append(try measurements(request.fields(), context))
    case .capNotify:
      let domains = definition.powercaps
      let request: PowercapProtocol.Notify = try request.fields()
      try setNotification(request, .powercapDomain, PowercapProtocol.Notification.capChanged, context) {
        domains[$0].notifies
      }
    case .measurementsNotify: try measurementsNotify(request.fields(), context)
    case .describeFastChannel: throw .notSupported
    }
  }

  private func powercapAttributes(
    _ request: PowercapProtocol.Resource,
    _ context: Context
  ) throws(SCMIStatus) -> PowercapProtocol.Attributes {
    typealias Message = PowercapProtocol.Message
    let grant = try grant(.powercapDomain, request.resource, context.agent, .read)
    let domain = definition.powercaps[Int(grant.resource)]
    let setsCap = domain.capIsConfigurable && may(Message.capSet, grant, context)
    let setsInterval = domain.averagingIntervalIsConfigurable && may(Message.averagingIntervalSet, grant, context)
    let caps = grant.caps(of: domain)
    var flags: PowercapProtocol.AttributeFlags = []
    if domain.notifies && may(Message.capNotify, context) { flags.insert(.capNotify) }
    if domain.notifies && may(Message.measurementsNotify, context) { flags.insert(.measurementsNotify) }
    if domain.asynchronous && agents[context.agent].events && setsCap { flags.insert(.asynchronousCapSet) }
    if domain.name.isLongName && may(Message.domainNameGet, context) { flags.insert(.extendedName) }
    if setsCap && caps.lowest < caps.highest { flags.insert(.setsCap) }
    if may(Message.measurementsGet, context) { flags.insert(.measures) }
    if setsInterval { flags.insert(.setsAveragingInterval) }
    switch domain.unit {
    case .abstract: break
    case .milliwatt: flags.insert(.milliwatts)
    case .microwatt: flags.insert(.microwatts)
    }
    let parent = powercapParents[Int(grant.resource)]
    return PowercapProtocol.Attributes {
      $0.attributes = flags
      $0.name = domain.name
      // What cannot be set has no room: Linux refuses the whole protocol where it has.
      $0.minimumInterval = domain.minimumAveragingInterval
      $0.maximumInterval =
        setsInterval || !domain.averagingIntervalIsConfigurable
        ? domain.maximumAveragingInterval : domain.minimumAveragingInterval
      $0.intervalStep = domain.averagingIntervalStep
      $0.minimumCap = setsCap || !domain.capIsConfigurable ? caps.lowest : caps.highest
      $0.maximumCap = caps.highest
      $0.capStep = domain.capStep
      $0.sustainablePower = domain.sustainablePower
      $0.accuracy = domain.accuracy
      // A parent that the agent may not see is the root for it.
      let identifier = parent < 0 ? nil : identifier(.powercapDomain, parent, for: context.agent)
      $0.parent = identifier ?? PowercapProtocol.noParent
    }
  }

  private func powercap(
    _ request: PowercapProtocol.Resource,
    _ context: Context
  ) throws(SCMIStatus) -> PowercapProtocol.Cap {
    let grant = try grant(.powercapDomain, request.resource, context.agent, .read)
    return PowercapProtocol.Cap { $0.cap = powercapState.domains[Int(grant.resource)].cap }
  }

  private func averagingInterval(
    _ request: PowercapProtocol.Resource,
    _ context: Context
  ) throws(SCMIStatus) -> PowercapProtocol.AveragingInterval {
    let grant = try grant(.powercapDomain, request.resource, context.agent, .read)
    return PowercapProtocol.AveragingInterval {
      $0.interval = powercapState.domains[Int(grant.resource)].averagingInterval
    }
  }

  private func measurements(
    _ request: PowercapProtocol.Resource,
    _ context: Context
  ) throws(SCMIStatus) -> PowercapProtocol.Measurements {
    let grant = try grant(.powercapDomain, request.resource, context.agent, .read)
    return PowercapProtocol.Measurements {
      $0.power = measuredPower(Int(grant.resource))
      $0.interval = powercapState.domains[Int(grant.resource)].averagingInterval
    }
  }

  // MARK: - Caps

  private mutating func powercapSet(_ message: SCMIMessage, _ context: Context) throws(SCMIStatus) {
    let request: PowercapProtocol.CapSet = try message.fields()
    let grant = try checkPowercap(request, context.agent, context.version)
    guard request.flags.contains(.asynchronous) else { return try setPowercap(request, grant, context.agent) }
    let domain = definition.powercaps[Int(grant.resource)]
    let isSilent = request.flags.contains(.noDelayedResponse)
    guard domain.asynchronous, agents[context.agent].events || isSilent else { throw .notSupported }
    try startAsynchronous(message, context, latency: domain.asynchronousLatency, isSilent: isSilent)
  }

  private func checkPowercap(
    _ request: PowercapProtocol.CapSet,
    _ agent: Int,
    _ version: ProtocolVersion
  ) throws(SCMIStatus) -> Grant {
    let grant = try grant(.powercapDomain, request.domain, agent, .full)
    try request.flags.expectDefined()
    let domain = definition.powercaps[Int(grant.resource)]
    guard domain.capIsConfigurable else { throw .notSupported }
    // From 2.0 on 0 switches the cap off.
    if request.cap == 0 && version >= .major(2) { return grant }
    let caps = grant.caps(of: domain)
    guard request.cap >= caps.lowest, request.cap <= caps.highest else { throw .outOfRange }
    return grant
  }

  /// 0 takes the agent's wish back; what the others want still holds.
  private mutating func setPowercap(
    _ request: PowercapProtocol.CapSet,
    _ grant: Grant,
    _ agent: Int
  ) throws(SCMIStatus) {
    let resource = Int(grant.resource)
    let domain = definition.powercaps[resource]
    try claim(.powercapDomain, resource, [.value, .settings], domain.policy, by: agent)
    let wanted = request.cap
    let cap = wanted == 0 ? 0 : wanted - (wanted - domain.minimumCap) % max(domain.capStep, 1)
    update(.powercapDomain, request.domain, agent) { grant in
      if cap == 0 { grant.votes.remove(.value) } else { grant.votes.insert(.value) }
      grant.value = Int64(cap)
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
    guard UInt32(cap) != powercapState.domains[resource].cap else { return }
    powercapState.domains[resource].cap = UInt32(cap)
    notifyCap(resource, cause)
  }

  mutating func notifyCap(_ resource: Int, _ cause: Int?) {
    let state = powercapState.domains[resource]
    notify(PowercapProtocol.Notification.capChanged, .powercapDomain, resource, cause: cause) { cause, domain in
      PowercapProtocol.CapChanged {
        $0.agent = cause
        $0.domain = domain
        $0.cap = state.cap
        $0.interval = state.averagingInterval
      }
    }
  }

  mutating func completePowercapSet(
    _ request: PowercapProtocol.CapSet,
    _ agent: Int
  ) throws(SCMIStatus) -> PowercapProtocol.CapSetComplete {
    let grant = try checkPowercap(request, agent, version(.powercap, agent))
    try setPowercap(request, grant, agent)
    return PowercapProtocol.CapSetComplete {
      $0.domain = request.domain
      $0.cap = powercapState.domains[Int(grant.resource)].cap
    }
  }

  /// The latest request holds.
  private mutating func averagingIntervalSet(
    _ request: PowercapProtocol.AveragingIntervalSet,
    _ context: Context
  ) throws(SCMIStatus) {
    let grant = try grant(.powercapDomain, request.domain, context.agent, .full)
    let resource = Int(grant.resource)
    let domain = definition.powercaps[resource]
    guard domain.averagingIntervalIsConfigurable else { throw .notSupported }
    let wanted = request.interval
    try request.flags.expectDefined()
    guard wanted >= domain.minimumAveragingInterval, wanted <= domain.maximumAveragingInterval else {
      throw .outOfRange
    }
    try claimSettings(.powercapDomain, request.domain, domain.policy, by: context.agent)
    let steps = (wanted - domain.minimumAveragingInterval) / max(domain.averagingIntervalStep, 1)
    powercapState.domains[resource].averagingInterval =
      domain.minimumAveragingInterval + steps * max(domain.averagingIntervalStep, 1)
    notifyCap(resource, context.agent)
  }

  // MARK: - Measurements

  /// In the domain's unit.
  func measuredPower(_ resource: Int) -> UInt32 {
    UInt32(
      clamping: value(of: definition.powercaps[resource].power, axis: 0, stored: powercapState.domains[resource].power)
    )
  }

  /// Gives a power cap's measurement a new value, in its unit.
  ///
  /// - Returns: `false` where no power cap has that name.
  @discardableResult
  public mutating func setPower(_ name: String, _ value: Int64, at now: UInt64) -> Bool {
    advance(to: now)
    guard let resource = place(ResourceName(.powercapDomain, name)) else { return false }
    powercapState.domains[resource].power = [value]
    return true
  }

  private mutating func measurementsNotify(
    _ request: PowercapProtocol.MeasurementsNotify,
    _ context: Context
  ) throws(SCMIStatus) {
    let isEnabled = request.enable == .enabled
    guard !isEnabled || request.low <= request.high else { throw .invalidParameters }
    let domains = definition.powercaps
    let notify = PowercapProtocol.Notify {
      $0.resource = request.domain
      $0.enable = request.enable
    }
    try setNotification(notify, .powercapDomain, PowercapProtocol.Notification.measurementsChanged, context) {
      domains[$0].notifies
    }
    let grant = try grant(.powercapDomain, request.domain, context.agent, .read)
    powercapState.thresholds[context.agent][request.domain] =
      PowercapState.Thresholds(low: request.low, high: request.high)
    let resource = Int(grant.resource)
    guard isEnabled, !powercapState.domains[resource].isSampled else { return }
    powercapState.domains[resource].isSampled = true
    powercapState.domains[resource].lastPower = measuredPower(resource)
    recur(after(definition.powercaps[resource].measurementInterval), .samplePowercap(resource))
  }

  /// Tells those whose thresholds the power has crossed; goes on while somebody listens.
  mutating func samplePowercap(_ resource: Int) {
    let notification = PowercapProtocol.Notification.measurementsChanged
    let power = measuredPower(resource)
    let last = powercapState.domains[resource].lastPower
    powercapState.domains[resource].lastPower = power
    var isListening = false
    for holder in holders[Int(ResourceKind.powercapDomain.rawValue)][resource] {
      guard grant(of: holder, .powercapDomain).wants(notification) else { continue }
      isListening = true
      guard isTold(holder, .powercapDomain, notification),
        let thresholds = powercapState.thresholds[holder.agent][holder.identifier]
      else { continue }
      let isBelow = power < thresholds.low && last >= thresholds.low
      let isAbove = power > thresholds.high && last <= thresholds.high
      guard isBelow || isAbove else { continue }
      let fields = PowercapProtocol.MeasurementsChanged {
        $0.agent = wireIdentifier(of: nil, for: holder.agent)
        $0.domain = holder.identifier
        $0.power = power
      }
      emit(notification, fields, to: holder.agent)
    }
    powercapState.domains[resource].isSampled = isListening
    if isListening { recur(after(definition.powercaps[resource].measurementInterval), .samplePowercap(resource)) }
  }
}

extension Grant {
  /// The caps that the agent may set, narrowed to its bounds and still on the steps of the whole range.
  func caps(of domain: PowercapDefinition) -> (lowest: UInt32, highest: UInt32) {
    guard minimum > Int64(domain.minimumCap) || maximum < Int64(domain.maximumCap) else {
      return (domain.minimumCap, domain.maximumCap)
    }
    let bounds = bounds(UInt64(domain.minimumCap), UInt64(domain.maximumCap), UInt64(max(domain.capStep, 1)))
    return (UInt32(clamping: bounds.minimum), UInt32(clamping: bounds.maximum))
  }
}
