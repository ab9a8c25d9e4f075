/// What the machine's owner (and, over SCMI, a trusted agent) changes while guests run.
///
/// An agent's identifiers never move while it runs: what is taken away keeps its number and answers DENIED; what is
/// given and was not there is added behind the last one. Only ``resetAgent(_:permissions:events:at:)`` with
/// permissions goes back to the configured set.
extension SCMIPlatform {
  /// The place of an agent in the definition.
  public func agent(named name: String) -> Int? {
    definition.agents.firstIndex { $0.name == name }
  }

  /// BASE_SET_DEVICE_PERMISSIONS by the owner.
  ///
  /// - Precondition: agent and device exist.
  public mutating func setDevicePermission(agent: Int, device: Int, allowed: Bool, at now: UInt64) {
    advance(to: now)
    setPermission(agent: agent, device: device, protocolIdentifier: nil, allowed: allowed)
    recordControl(agent)
  }

  /// BASE_SET_PROTOCOL_PERMISSIONS by the owner.
  ///
  /// - Precondition: agent and device exist.
  public mutating func setProtocolPermission(
    agent: Int,
    device: Int,
    protocolIdentifier: ProtocolIdentifier,
    allowed: Bool,
    at now: UInt64
  ) {
    advance(to: now)
    setPermission(agent: agent, device: device, protocolIdentifier: protocolIdentifier, allowed: allowed)
    recordControl(agent)
  }

  /// Gives or takes one resource.
  ///
  /// - Returns: `false` where no resource has that name.
  /// - Precondition: the agent exists.
  @discardableResult
  public mutating func setAccess(_ access: Access, agent: Int, resource: ResourceName, at now: UInt64) -> Bool {
    advance(to: now)
    guard let place = place(resource) else { return false }
    setAccess(access, agent, resource.kind, place)
    recordControl(agent)
    return true
  }

  /// What the agent may do with a resource; ``Access/none`` also where it does not exist for the agent.
  public func access(agent: Int, resource: ResourceName) -> Access {
    guard let place = place(resource) else { return .none }
    for holder in holders[Int(resource.kind.rawValue)][place] where holder.agent == agent {
      return views[agent * ResourceKind.count + Int(resource.kind.rawValue)].grants[Int(holder.identifier)].access
    }
    return .none
  }

  mutating func setPermission(agent: Int, device: Int, protocolIdentifier: ProtocolIdentifier?, allowed: Bool) {
    for name in definition.devices[device].resources {
      guard protocolIdentifier == nil || name.kind.protocolIdentifier == protocolIdentifier else { continue }
      guard let place = place(name) else { continue }
      setAccess(allowed ? .full : .none, agent, name.kind, place)
    }
  }

  mutating func setAccess(_ wanted: Access, _ agent: Int, _ kind: ResourceKind, _ resource: Int) {
    var access = wanted
    if access == .none && definition.agents[agent].describesDenied { access = .read }
    let name = isRecording ? "\(kind.name)/\(definition.names(kind)[resource])" : ""
    let agentName = definition.agents[agent].name
    guard let holder = holders[Int(kind.rawValue)][resource].first(where: { $0.agent == agent }) else {
      guard wanted != .none else { return }
      addGrant(kind, resource, agent, access, configured: Access.none)
      setUpProtocols(agent)
      explain("\(agentName) is given \(name)")
      return
    }
    let view = agent * ResourceKind.count + Int(kind.rawValue)
    views[view].grants[Int(holder.identifier)].access = access
    explain("\(agentName) has \(access.name) access to \(name)")
    if access < .full { withdraw(agent, kind, holder.identifier, keepNotifications: access != .none) }
  }

  // MARK: - Reset

  /// An agent starts anew (its device was reset, or its virtual machine is gone): its votes, its notifications, its
  /// negotiated versions, its pending operations and its undelivered messages vanish.
  ///
  /// - Parameters:
  ///   - agent: its place in the definition.
  ///   - permissions: whether permissions go back to the configuration's, too.
  ///   - events: whether the agent can receive notifications and delayed responses from now on.
  ///   - now: nanoseconds; a time before the latest one counts as the latest one.
  /// - Precondition: the agent exists.
  public mutating func resetAgent(_ agent: Int, permissions: Bool = false, events: Bool, at now: UInt64) {
    advance(to: now)
    agents[agent].events = events
    resetConfiguration(agent: agent, permissions: permissions)
    dropPending(agent)
    for identifier in ProtocolIdentifier.allCases {
      protocols[agent * ProtocolIdentifier.count + identifier.index].version = 0
    }
    setUpProtocols(agent)
    record(
      .reset,
      agent: agent,
      SCMIMessage(header: MessageHeader(rawValue: 0)),
      events ? "with events" : "without events",
      events: events
    )
  }

  /// Votes, notifications, settings and pending operations of an agent go; with `permissions` what it may do is as
  /// configured again.
  mutating func resetConfiguration(agent: Int, permissions: Bool) {
    dropOperations(agent)
    let name = definition.agents[agent].name
    explain("the votes of \(name) vanish")
    baseState.notifies[agent] = false
    systemPowerState.notifies[agent] = false
    systemPowerState.states[agent] = .powerUp
    powercapState.thresholds[agent] = [:]
    sensorState.tripPoints[agent] = [:]
    for kind in ResourceKind.allCases {
      let view = agent * ResourceKind.count + Int(kind.rawValue)
      for identifier in views[view].grants.indices {
        if permissions { views[view].grants[identifier].access = views[view].grants[identifier].configured }
        let grant = views[view].grants[identifier]
        if grant.notifications != 0 || !grant.votes.isEmpty || kind == .pin || kind == .group {
          withdraw(agent, kind, UInt32(identifier), keepNotifications: false)
        }
      }
    }
  }

  /// Takes an agent's requests for one resource back.
  private mutating func withdraw(
    _ agent: Int,
    _ kind: ResourceKind,
    _ identifier: UInt32,
    keepNotifications: Bool
  ) {
    let view = agent * ResourceKind.count + Int(kind.rawValue)
    let resource = Int(views[view].grants[Int(identifier)].resource)
    let votes = views[view].grants[Int(identifier)].votes
    views[view].grants[Int(identifier)].votes = []
    if !keepNotifications { views[view].grants[Int(identifier)].notifications = 0 }
    if kind == .pin && pinControlState.pins[resource].owner == agent { pinControlState.pins[resource].owner = -1 }
    if kind == .group && pinControlState.groups[resource].owner == agent { pinControlState.groups[resource].owner = -1 }
    if kind == .sensor { sensorState.tripPoints[agent][identifier] = nil }
    guard !votes.isEmpty else { return }
    if votes.contains(.settings) { harmoniseSettings(kind, resource) }
    guard votes != .settings else { return }
    switch kind {
    case .clock: harmoniseClock(resource, cause: nil, latest: nil)
    case .powerDomain: harmonisePowerDomain(resource, cause: nil, latest: nil)
    case .performanceDomain: harmonisePerformance(resource, cause: nil, latest: nil)
    case .resetDomain: harmoniseReset(resource, cause: nil)
    case .voltageDomain: harmoniseVoltage(resource, cause: nil, latest: nil)
    case .powercapDomain: harmonisePowercap(resource, cause: nil, latest: nil)
    case .sensor: harmoniseSensor(resource)
    case .pin, .group, .function: break
    }
  }

  /// An agent's asynchronous commands that are under way have no effect and no delayed response.
  private mutating func dropOperations(_ agent: Int) {
    for timer in timers {
      if case .complete(let operation) = timer.action, operation.agent == agent { finishAsynchronous(operation) }
    }
    timers.removeAll { timer in
      if case .complete(let operation) = timer.action { operation.agent == agent } else { false }
    }
    updateDeadline()
  }

  private mutating func dropPending(_ agent: Int) {
    timers.removeAll { timer in
      switch timer.action {
      case .deliver(let outgoing), .deliverEvent(let outgoing): outgoing.agent == agent
      case .releaseHeld(let owner): owner == agent
      case .complete, .script: false
      }
    }
    storms = storms.filter { $0.value.message.agent != agent }
    recurrences.removeAll { recurrence in
      if case .storm(let number) = recurrence.action { storms[number] == nil } else { false }
    }
    updateDeadline()
    outgoing.removeAll(for: agent)
    agents[agent].queued = 0
    agents[agent].scheduled = 0
    agents[agent].held = []
  }

  mutating func finishAsynchronous(_ operation: Operation) {
    agents[operation.agent].outstandingResponses -= 1
    asynchronousCounts[operation.agent * ProtocolIdentifier.count + operation.identifier.index] -= 1
  }
}
