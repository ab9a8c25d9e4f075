/// Behaviour over time that does not wait for a request.
extension SCMIPlatform {
  mutating func perform(_ action: ScriptAction) {
    explanations.removeAll()
    switch action {
    case .setSensor(let name, let values): _ = setSensor(name, values: values)
    case .set(let resource, let value): set(resource, value)
    case .systemPower(let state, let graceful):
      announceSystemPower(state, graceful: graceful, cause: nil, to: 0...agents.count - 1)
    case .setPermission(let name, let resource, let access):
      guard let agent = agent(named: name), let place = place(resource) else { return }
      setAccess(access, agent, resource.kind, place)
    case .resetAgent(let name):
      guard let agent = agent(named: name) else { return }
      resetConfiguration(agent: agent, permissions: false)
    case .notification(let name, let identifier, let message, let payload):
      guard let agent = agent(named: name), agents[agent].events else { return }
      let header = MessageHeader(identifier, message, type: .notification)
      let notification = SCMIMessage(header: header, payload: Array(payload.prefix(32)))
      emit(Outgoing(agent: agent, channel: .event, message: notification))
    case .errorEvent(let fatal, let reports): announceError(cause: nil, fatal: fatal, reports: reports)
    case .addRule(let rule): addRule(rule)
    case .removeRule(let name): removeRules(named: name)
    case .interrupt(let name, let line, let asserted): _ = raise(name, line, asserted)
    }
  }

  /// Has the guests' machines drive an interrupt line of a consumer in their trees.
  ///
  /// - Parameters:
  ///   - consumer: its name.
  ///   - line: its place in ``ConsumerDefinition/interrupts``.
  ///   - asserted: the level from now on of a line that is level-triggered; `nil` is one edge.
  ///   - now: nanoseconds; a time before the latest one counts as the latest one.
  /// - Returns: `false` where there is no such line.
  @discardableResult
  public mutating func interrupt(_ consumer: String, line: Int, asserted: Bool? = nil, at now: UInt64) -> Bool {
    advance(to: now)
    return raise(consumer, line, asserted)
  }

  private mutating func raise(_ name: String, _ line: Int, _ asserted: Bool?) -> Bool {
    let consumers = definition.tree.consumers
    guard let consumer = consumers.firstIndex(where: { $0.name == name }),
      consumers[consumer].interrupts.indices.contains(line)
    else { return false }
    events.append(.interrupt(consumer: consumer, line: line, asserted: asserted))
    return true
  }

  /// The platform changes a resource by itself, whatever the votes are; those who listen are told.
  ///
  /// - Parameters:
  ///   - resource: of any kind that has values.
  ///   - value: Hz, level, microvolts, power state, power cap, a sensor's reading, or 1 for a reset domain that is put
  ///     into reset and 0 for one that is taken out of it. Values that the kind cannot have change nothing.
  ///   - now: nanoseconds; a time before the latest one counts as the latest one.
  /// - Returns: `false` where no such resource exists, its kind has no value, or it cannot have this one.
  @discardableResult
  public mutating func setValue(_ resource: ResourceName, _ value: Int64, at now: UInt64) -> Bool {
    advance(to: now)
    return set(resource, value)
  }

  @discardableResult
  mutating func set(_ name: ResourceName, _ value: Int64) -> Bool {
    guard let resource = place(name) else { return false }
    switch name.kind {
    case .clock:
      guard let rate = UInt64(exactly: value) else { return false }
      changeClockRate(resource, rate, cause: nil)
    case .powerDomain:
      guard let state = UInt32(exactly: value) else { return false }
      changePowerState(resource, state, cause: nil)
    case .performanceDomain:
      guard let level = UInt32(exactly: value),
        definition.performanceDomains[resource].operatingPoints.contains(where: { $0.level == level })
      else { return false }
      changePerformanceLevel(resource, level, cause: nil)
    case .voltageDomain:
      guard let level = Int32(exactly: value) else { return false }
      voltageState.domains[resource].level = level
    case .powercapDomain:
      guard let cap = UInt32(exactly: value) else { return false }
      powercapState.domains[resource].cap = cap
      notifyCap(resource, nil)
    case .sensor: return setSensor(name.name, values: [value])
    case .resetDomain:
      guard value == 0 || value == 1 else { return false }
      setReset(resource, asserted: value == 1, cause: nil)
    case .pin, .group, .function: return false
    }
    return true
  }

  /// What holds now: Hz, level, microvolts, power state, power cap, asserted (0 or 1), or a sensor's first reading.
  public func value(_ name: ResourceName) -> Int64? {
    guard let resource = place(name) else { return nil }
    switch name.kind {
    case .clock: return Int64(clockState.clocks[resource].rate)
    case .powerDomain: return Int64(powerDomainState.domains[resource])
    case .performanceDomain: return Int64(performanceState.domains[resource].level)
    case .voltageDomain: return Int64(voltageState.domains[resource].level)
    case .powercapDomain: return Int64(powercapState.domains[resource].cap)
    case .sensor:
      return value(of: definition.sensors[resource].binding, axis: 0, stored: sensorState.sensors[resource].values)
    case .resetDomain: return resetState.domains[resource].asserted ? 1 : 0
    case .pin: return pinControlState.pins[resource].function < 0 ? nil : Int64(pinControlState.pins[resource].function)
    case .group:
      return pinControlState.groups[resource].function < 0 ? nil : Int64(pinControlState.groups[resource].function)
    case .function: return nil
    }
  }

  /// Whether a clock or a regulator is on; `nil` for other kinds.
  public func isEnabled(_ name: ResourceName) -> Bool? {
    guard let resource = place(name) else { return nil }
    switch name.kind {
    case .clock: return clockState.clocks[resource].enabled
    case .voltageDomain: return voltageState.domains[resource].isOn
    default: return nil
    }
  }

  /// The parent that a clock has; `nil` where it has none.
  public func clockParent(_ name: String) -> String? {
    guard let resource = place(ResourceName(.clock, name)), clockState.clocks[resource].parent >= 0 else { return nil }
    return definition.clocks[clockState.clocks[resource].parent].name
  }

  /// How often a reset domain was reset.
  public func resetCount(_ name: String) -> UInt64? {
    place(ResourceName(.resetDomain, name)).map { resetState.domains[$0].count }
  }
}
