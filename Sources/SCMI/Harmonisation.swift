/// How the votes for one resource become one value. Each decision is explained in the transcript.
extension SCMIPlatform {
  /// Whether somebody else's votes keep the agent from asking.
  ///
  /// - Throws: BUSY where the policy is exclusive and another agent has a vote.
  func claim(
    _ kind: ResourceKind,
    _ resource: Int,
    _ votes: Grant.Votes,
    _ policy: HarmonisationPolicy,
    by agent: Int
  ) throws(SCMIStatus) {
    guard policy == .exclusive else { return }
    for holder in holders[Int(kind.rawValue)][resource] where holder.agent != agent {
      if !grant(of: holder, kind).votes.isDisjoint(with: votes) { throw .busy }
    }
  }

  @inline(__always)
  func grant(of holder: Holder, _ kind: ResourceKind) -> Grant {
    views[holder.agent * ResourceKind.count + Int(kind.rawValue)].grants[Int(holder.identifier)]
  }

  /// The value that the votes amount to.
  ///
  /// - Parameters:
  ///   - latest: the request that is new; `nil` when votes were withdrawn.
  ///   - current: what holds where nobody votes, or where the last one's withdrawal leaves it.
  mutating func outcome(
    _ kind: ResourceKind,
    _ resource: Int,
    _ policy: HarmonisationPolicy,
    latest: Int64?,
    current: Int64
  ) -> Int64 {
    var count = 0
    var highest = Int64.min
    var lowest = Int64.max
    for holder in holders[Int(kind.rawValue)][resource] {
      let grant = grant(of: holder, kind)
      guard grant.votes.contains(.value) else { continue }
      count += 1
      highest = max(highest, grant.value)
      lowest = min(lowest, grant.value)
    }
    guard count > 0 else { return current }
    let result: Int64 =
      switch policy {
      case .highest, .referenceCount: highest
      case .lowest: lowest
      case .exclusive, .last: latest ?? current
      }
    if count > 1 { explain("\(policy.rawValue) of \(count) requests is \(result)") }
    return result
  }

  /// Whether the votes amount to "on".
  ///
  /// - Parameters:
  ///   - latest: the request that is new; `nil` when votes were withdrawn.
  ///   - current: what holds now.
  ///   - idle: what holds where nobody votes: the state at boot.
  mutating func isOn(
    _ kind: ResourceKind,
    _ resource: Int,
    _ policy: HarmonisationPolicy,
    latest: Bool?,
    current: Bool,
    idle: Bool
  ) -> Bool {
    var count = 0
    var on = 0
    for holder in holders[Int(kind.rawValue)][resource] {
      let votes = grant(of: holder, kind).votes
      guard votes.contains(.state) else { continue }
      count += 1
      if votes.contains(.isOn) { on += 1 }
    }
    guard count > 0 else { return idle }
    let result: Bool =
      switch policy {
      case .highest, .referenceCount: on > 0
      case .lowest: on == count
      case .exclusive, .last: latest ?? current
      }
    if count > 1 { explain("\(policy.rawValue) of \(count) requests, \(on) for on, is \(result ? "on" : "off")") }
    return result
  }

  // MARK: - Settings

  /// Notes that an agent has set something of which the latest request holds.
  ///
  /// - Throws: BUSY where the policy is exclusive and another agent has set something.
  mutating func claimSettings(
    _ kind: ResourceKind,
    _ identifier: UInt32,
    _ policy: HarmonisationPolicy,
    by agent: Int
  ) throws(SCMIStatus) {
    let resource = Int(views[agent * ResourceKind.count + Int(kind.rawValue)].grants[Int(identifier)].resource)
    try claim(kind, resource, [.value, .settings], policy, by: agent)
    update(kind, identifier, agent) { $0.votes.insert(.settings) }
  }

  /// Settings are as at boot again when nobody is left who has made any.
  mutating func harmoniseSettings(_ kind: ResourceKind, _ resource: Int) {
    for holder in holders[Int(kind.rawValue)][resource] {
      if grant(of: holder, kind).votes.contains(.settings) { return }
    }
    switch kind {
    case .clock:
      let clock = definition.clocks[resource]
      let parent = (clock.parent ?? clock.parents.first).flatMap { place(ResourceName(.clock, $0)) } ?? -1
      // Other agents' parents may lead back here by now: then it stays.
      if !leads(from: parent, to: resource) { clockState.clocks[resource].parent = parent }
      clockState.clocks[resource].dutyCycle = clock.dutyCycle ?? 0
      clockState.clocks[resource].phase = clock.phase ?? 0
      clockState.extendedConfigurations[resource] = nil
    case .powercapDomain:
      let interval = definition.powercaps[resource].minimumAveragingInterval
      guard powercapState.domains[resource].averagingInterval != interval else { return }
      powercapState.domains[resource].averagingInterval = interval
      notifyCap(resource, nil)
    case .pin: pinControlState.pins[resource].configure(definition.pins[resource].settings)
    case .group: pinControlState.groups[resource].configure(definition.groups[resource].settings)
    case .powerDomain, .performanceDomain, .sensor, .resetDomain, .voltageDomain, .function: break
    }
  }

  // MARK: - Notifications

  /// Sends a notification about a resource to every agent that asked for it.
  ///
  /// - Parameters:
  ///   - cause: who caused it; `nil` is the platform.
  ///   - except: who does not get it.
  ///   - only: who alone gets it; `nil` is everybody.
  ///   - fields: its payload, with what the receiver calls the agent that caused it and the resource.
  mutating func notify<Fields: MessageFields>(
    _ notification: some SCMINotification,
    _ kind: ResourceKind,
    _ resource: Int,
    cause: Int?,
    except: Int? = nil,
    only: Int? = nil,
    _ fields: (_ cause: UInt32, _ identifier: UInt32) -> Fields
  ) {
    for holder in holders[Int(kind.rawValue)][resource]
    where holder.agent != except && holder.agent == only ?? holder.agent {
      guard isTold(holder, kind, notification) else { continue }
      let payload = fields(wireIdentifier(of: cause, for: holder.agent), holder.identifier)
      emit(notification, payload, to: holder.agent)
    }
  }

  /// Whether who has a grant for a resource wants a notification, and may and can get it.
  func isTold(_ holder: Holder, _ kind: ResourceKind, _ notification: some SCMINotification) -> Bool {
    let grant = grant(of: holder, kind)
    return grant.wants(notification) && grant.access >= .read && agents[holder.agent].events
  }

  mutating func emit(_ notification: some SCMINotification, _ fields: some MessageFields, to agent: Int) {
    let message = SCMIMessage(header: MessageHeader(notification), fields)
    emit(Outgoing(agent: agent, channel: .event, message: message))
  }

  /// The reply to a command that asks for a resource's whole name.
  ///
  /// - Parameter name: of the resource in that place of the definition's list.
  func resourceName(
    _ request: ResourceFields<some ResourceProtocol>,
    _ kind: ResourceKind,
    _ context: Context,
    name: (Int) -> String
  ) throws(SCMIStatus) -> NameFields {
    let grant = try grant(kind, request.resource, context.agent, .read)
    return NameFields { $0.name = name(Int(grant.resource)) }
  }

  /// Enables or disables a notification of one resource.
  mutating func setNotification(
    _ request: NotifyFields<some ResourceProtocol>,
    _ kind: ResourceKind,
    _ notification: some SCMINotification,
    _ context: Context,
    isSupported: (Int) -> Bool
  ) throws(SCMIStatus) {
    let grant = try grant(kind, request.resource, context.agent, .read)
    try request.enable.expectDefined()
    guard isSupported(Int(grant.resource)) else { throw .notSupported }
    update(kind, request.resource, context.agent) { grant in
      grant.want(notification, request.enable.contains(.enabled))
    }
  }
}

extension Grant {
  /// Whether the agent asked for a notification.
  func wants(_ notification: some SCMINotification) -> Bool { notifications & 1 << notification.rawValue != 0 }

  mutating func want(_ notification: some SCMINotification, _ isWanted: Bool) {
    notifications = notifications & ~(1 << notification.rawValue) | (isWanted ? 1 << notification.rawValue : 0)
  }
}
