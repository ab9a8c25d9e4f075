/// Clock management, 0x14: state, extended configuration, parents, permissions.
extension SCMIPlatform {
  mutating func clockConfigSet(_ request: ClockProtocol.ConfigSet, _ context: Context) throws(SCMIStatus) {
    let isExtended = context.version >= .major(3)
    // Before 3.0 there is no extended value.
    guard (request.extendedValue != nil) == isExtended else { throw .protocolError }
    let grant = try grant(.clock, request.clock, context.agent, .full)
    try request.attributes.expectDefined(isExtended: isExtended)
    let (state, type) = (request.attributes.state, request.attributes.type)
    let isChange = state == .enable || state == .disable
    guard isChange || state == .unchanged && type != ClockProtocol.ExtendedType.none else { throw .invalidParameters }
    if isChange && !definition.clocks[Int(grant.resource)].stateControl { throw .denied }
    if type != ClockProtocol.ExtendedType.none {
      try setExtendedConfiguration(type, request.extendedValue ?? 0, request.clock, grant, context.agent)
    }
    if isChange { try setClockState(state == .enable, request.clock, grant, context.agent) }
  }

  private mutating func setClockState(
    _ on: Bool,
    _ identifier: UInt32,
    _ grant: Grant,
    _ agent: Int
  ) throws(SCMIStatus) {
    let resource = Int(grant.resource)
    let policy = definition.clocks[resource].statePolicy
    try claim(.clock, resource, .state, policy, by: agent)
    update(.clock, identifier, agent) { grant in
      grant.votes.insert(.state)
      if on { grant.votes.insert(.isOn) } else { grant.votes.remove(.isOn) }
    }
    clockState.clocks[resource].enabled = isOn(
      .clock,
      resource,
      policy,
      latest: on,
      current: clockState.clocks[resource].enabled,
      idle: definition.clocks[resource].enabled
    )
  }

  private mutating func setExtendedConfiguration(
    _ type: UInt8,
    _ value: UInt32,
    _ identifier: UInt32,
    _ grant: Grant,
    _ agent: Int
  ) throws(SCMIStatus) {
    let resource = Int(grant.resource)
    let clock = definition.clocks[resource]
    switch type {
    case ClockProtocol.ExtendedType.dutyCycle:
      guard clock.dutyCycle != nil else { throw .notSupported }
      guard value <= 100 else { throw .invalidParameters }
      try claimSettings(.clock, identifier, clock.ratePolicy, by: agent)
      clockState.clocks[resource].dutyCycle = value
    case ClockProtocol.ExtendedType.phase:
      guard clock.phase != nil else { throw .notSupported }
      guard value < 360 else { throw .invalidParameters }
      try claimSettings(.clock, identifier, clock.ratePolicy, by: agent)
      clockState.clocks[resource].phase = value
    default:
      guard clock.extendedConfiguration[type] != nil else { throw .notSupported }
      try claimSettings(.clock, identifier, clock.ratePolicy, by: agent)
      clockState.extendedConfigurations[resource, default: [:]][type] = value
    }
  }

  func clockConfig(_ request: ClockProtocol.ConfigGet, _ context: Context) throws(SCMIStatus) -> ClockProtocol.Config {
    let grant = try grant(.clock, request.clock, context.agent, .read)
    guard let type = UInt8(exactly: request.extendedType) else { throw .invalidParameters }
    let resource = Int(grant.resource)
    let clock = definition.clocks[resource]
    let value: UInt32
    switch type {
    case ClockProtocol.ExtendedType.none: value = 0
    case ClockProtocol.ExtendedType.dutyCycle where clock.dutyCycle != nil:
      value = clockState.clocks[resource].dutyCycle
    case ClockProtocol.ExtendedType.phase where clock.phase != nil: value = clockState.clocks[resource].phase
    default:
      guard let initial = clock.extendedConfiguration[type] else { throw .notSupported }
      value = clockState.extendedConfigurations[resource]?[type] ?? initial
    }
    return ClockProtocol.Config {
      $0.state = clockState.clocks[resource].enabled ? .enabled : []
      $0.extendedValue = value
    }
  }

  // MARK: - Parents

  /// The agent's identifiers of a clock's possible parents, those that it may not see left out.
  func visibleParents(_ resource: Int, _ agent: Int) -> [UInt32] {
    clockParents[resource].compactMap { identifier(.clock, $0, for: agent) }
  }

  func clockPossibleParents(
    _ request: ClockProtocol.PossibleParentsGet,
    _ context: Context
  ) throws(SCMIStatus) -> ClockProtocol.PossibleParents {
    let grant = try grant(.clock, request.clock, context.agent, .read)
    let parents = visibleParents(Int(grant.resource), context.agent)
    guard !parents.isEmpty else { throw .notSupported }
    guard request.skip < parents.count else { throw .outOfRange }
    return ClockProtocol.PossibleParents {
      $0.parents = Array(parents.dropFirst(Int(request.skip)).prefix(ClockProtocol.maximumParents))
      $0.count = PartCount(returned: $0.parents.count, of: parents.count, from: request.skip)
    }
  }

  mutating func clockParentSet(_ request: ClockProtocol.ParentSet, _ context: Context) throws(SCMIStatus) {
    let grant = try grant(.clock, request.clock, context.agent, .full)
    let parent = try self.grant(.clock, request.parent, context.agent, .read)
    let resource = Int(grant.resource)
    guard definition.clocks[resource].parentControl else { throw .denied }
    guard clockParents[resource].contains(Int(parent.resource)) else { throw .invalidParameters }
    guard !leads(from: Int(parent.resource), to: resource) else {
      explain("the parent's parents lead back to the clock")
      throw .invalidParameters
    }
    try claimSettings(.clock, request.clock, definition.clocks[resource].ratePolicy, by: context.agent)
    clockState.clocks[resource].parent = Int(parent.resource)
  }

  func clockParent(_ request: ClockProtocol.Resource, _ context: Context) throws(SCMIStatus) -> ClockProtocol.Parent {
    let grant = try grant(.clock, request.resource, context.agent, .read)
    let parent = clockState.clocks[Int(grant.resource)].parent
    guard parent >= 0, let identifier = identifier(.clock, parent, for: context.agent) else { throw .notSupported }
    return ClockProtocol.Parent { $0.parent = identifier }
  }

  /// Whether a clock is another one or has it among its parents' parents.
  func leads(from clock: Int, to other: Int) -> Bool {
    var place = clock
    // There are no more steps than clocks.
    for _ in clockState.clocks.indices where place >= 0 {
      if place == other { return true }
      place = clockState.clocks[place].parent
    }
    return false
  }

  func clockPermissions(
    _ request: ClockProtocol.Resource,
    _ context: Context
  ) throws(SCMIStatus) -> ClockProtocol.Permissions {
    typealias Message = ClockProtocol.Message
    let grant = try grant(.clock, request.resource, context.agent, .read)
    let clock = definition.clocks[Int(grant.resource)]
    var permissions: ClockProtocol.PermissionFlags = []
    if clock.stateControl && may(Message.configSet, grant, context) { permissions.insert(.state) }
    if clock.parentControl && may(Message.parentSet, grant, context),
      !visibleParents(Int(grant.resource), context.agent).isEmpty
    {
      permissions.insert(.parent)
    }
    if clock.rateControl && may(Message.rateSet, grant, context) { permissions.insert(.rate) }
    return ClockProtocol.Permissions { $0.permissions = permissions }
  }
}
