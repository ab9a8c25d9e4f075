extension SCMIPlatform {
  /// The resources as they are at boot.
  mutating func setUpResources() {
    identifiers = ResourceKind.allCases.map { kind in
      var places: [String: Int] = [:]
      for (index, name) in definition.names(kind).enumerated() { places[name] = index }
      return places
    }
    holders = identifiers.map { [[Holder]](repeating: [], count: $0.count) }
    setUpClocks()
    powerDomainState.domains = definition.powerDomains.map(\.state)
    performanceState.domains = definition.performanceDomains.map { domain in
      let lowest = domain.operatingPoints.first?.level ?? 0
      return PerformanceState.Domain(
        level: domain.level ?? lowest,
        minimum: lowest,
        maximum: domain.operatingPoints.last?.level ?? 0
      )
    }
    sensorState.sensors = definition.sensors.map { sensor in
      SensorState.Sensor(
        configuration: SensorProtocol.SensorConfiguration(enabled: sensor.enabled, interval: sensor.intervals.first)
      )
    }
    resetState.domains = definition.resets.map { _ in ResetState.Domain() }
    voltageState.domains = definition.regulators.map { regulator in
      let lowest: Int32 =
        switch regulator.levels {
        case .list(let values): values.first ?? 0
        case .range(let minimum, _, _): minimum
        }
      return VoltageState.Domain(level: regulator.level ?? lowest, isOn: regulator.enabled)
    }
    let powercapPlaces = identifiers[Int(ResourceKind.powercapDomain.rawValue)]
    powercapState.domains = definition.powercaps.map {
      PowercapState.Domain(cap: $0.cap ?? $0.maximumCap, averagingInterval: $0.minimumAveragingInterval)
    }
    powercapParents = definition.powercaps.map { $0.parent.flatMap { powercapPlaces[$0] } ?? -1 }
    setUpPins()
  }

  private mutating func setUpClocks() {
    let places = identifiers[Int(ResourceKind.clock.rawValue)]
    clockParents = definition.clocks.map { $0.parents.compactMap { places[$0] } }
    clockState.clocks = definition.clocks.map { clock in
      let first: UInt64 =
        switch clock.rates {
        case .list(let rates): rates.first ?? 0
        case .range(let minimum, _, _): minimum
        }
      return ClockState.Clock(
        rate: clock.rate ?? first,
        enabled: clock.enabled,
        parent: (clock.parent ?? clock.parents.first).flatMap { places[$0] } ?? -1,
        dutyCycle: clock.dutyCycle ?? 0,
        phase: clock.phase ?? 0
      )
    }
  }

  private mutating func setUpPins() {
    let pinPlaces = identifiers[Int(ResourceKind.pin.rawValue)]
    let groupPlaces = identifiers[Int(ResourceKind.group.rawValue)]
    pinControlState.pins = definition.pins.map { PinControlState.Element($0.settings) }
    pinControlState.groups = definition.groups.map { PinControlState.Element($0.settings) }
    groupPins = definition.groups.map { $0.pins.compactMap { pinPlaces[$0] }.sorted() }
    functionGroups = definition.functions.map { $0.groups.compactMap { groupPlaces[$0] }.sorted() }
  }

  /// What exists for whom.
  mutating func setUpAgents() {
    views = [View](repeating: View(), count: agents.count * ResourceKind.count)
    asynchronousCounts = [Int](repeating: 0, count: agents.count * ProtocolIdentifier.count)
    protocols = [ProtocolAccess](repeating: ProtocolAccess(), count: agents.count * ProtocolIdentifier.count)
    baseState.notifies = [Bool](repeating: false, count: agents.count)
    systemPowerState.notifies = [Bool](repeating: false, count: agents.count)
    systemPowerState.states = [SystemState](repeating: .powerUp, count: agents.count)
    sensorState.tripPoints = [[UInt32: [SensorState.TripPoint]]](repeating: [:], count: agents.count)
    powercapState.thresholds = [[UInt32: PowercapState.Thresholds]](repeating: [:], count: agents.count)
    for agent in agents.indices {
      setUpViews(agent)
      setUpProtocols(agent)
    }
  }

  private mutating func setUpViews(_ agent: Int) {
    let definition = definition.agents[agent]
    if definition.resources == nil && definition.devices.isEmpty {
      for kind in ResourceKind.allCases {
        for resource in 0..<identifiers[Int(kind.rawValue)].count { addGrant(kind, resource, agent, .full) }
      }
      return
    }
    for selection in definition.resources ?? [] {
      guard let resource = place(selection.resource) else { continue }
      addGrant(selection.resource.kind, resource, agent, selection.access, selection.minimum, selection.maximum)
    }
    for device in definition.devices {
      for name in self.definition.devices.first(where: { $0.name == device.name })?.resources ?? [] {
        guard let resource = place(name), !hasGrant(name.kind, resource, agent) else { continue }
        addGrant(name.kind, resource, agent, device.access)
      }
    }
  }

  func place(_ name: ResourceName) -> Int? { identifiers[Int(name.kind.rawValue)][name.name] }

  func hasGrant(_ kind: ResourceKind, _ resource: Int, _ agent: Int) -> Bool {
    holders[Int(kind.rawValue)][resource].contains { $0.agent == agent }
  }

  /// Gives the agent its next identifier for a resource.
  mutating func addGrant(
    _ kind: ResourceKind,
    _ resource: Int,
    _ agent: Int,
    _ access: Access,
    _ minimum: Int64? = nil,
    _ maximum: Int64? = nil,
    configured: Access? = nil
  ) {
    let view = agent * ResourceKind.count + Int(kind.rawValue)
    var grant = Grant(resource: UInt32(resource), access: access, configured: configured ?? access)
    grant.minimum = minimum ?? .min
    grant.maximum = maximum ?? .max
    holders[Int(kind.rawValue)][resource].append(
      Holder(agent: agent, identifier: UInt32(views[view].grants.count))
    )
    views[view].grants.append(grant)
  }

  /// Which protocols exist for the agent: those that it may use and has a resource of.
  mutating func setUpProtocols(_ agent: Int) {
    let definition = definition.agents[agent]
    for identifier in ProtocolIdentifier.allCases {
      let place = agent * ProtocolIdentifier.count + identifier.index
      let version = (self.definition.versions[identifier] ?? self.definition.profile[identifier])?.rawValue ?? 0
      let isAllowed = identifier == .base || definition.protocols?.contains(identifier) ?? true
      let isPopulated =
        switch identifier {
        case .base: true
        case .systemPower: self.definition.systemPower
        default:
          ResourceKind.allCases.contains { $0.protocolIdentifier == identifier && count($0, agent) > 0 }
        }
      let previous = protocols[place]
      protocols[place].isPresent = version != 0 && isAllowed && isPopulated
      protocols[place].advertised = version
      if previous.version == 0 { protocols[place].version = version }
      protocols[place].implemented = MessageSet.messages(
        identifier,
        version: protocols[place].version,
        events: agents[agent].events
      )
      protocols[place].denied = 0
      // VERSION, ATTRIBUTES and MESSAGE_ATTRIBUTES cannot be refused.
      for message in definition.deniedCommands[identifier] ?? []
      where message > CommonMessage.messageAttributes.rawValue && message < MessageSet.limit {
        protocols[place].denied |= MessageSet.bit(message)
      }
      if !definition.trusted { protocols[place].denied |= MessageSet.trusted[identifier.index] }
    }
  }
}
