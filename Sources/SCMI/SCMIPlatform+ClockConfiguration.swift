/// Clock management, 0x14: state, extended configuration, parents, permissions.
extension SCMIPlatform {
  /// CLOCK_CONFIG_SET: from 3.0 on clock, attributes, extended value; before clock, enable.
  mutating func clockConfigurationSet(_ request: SCMIMessage, _ context: Context) throws(SCMIStatus) {
    let isExtended = context.version >= 0x30000
    try request.expect(isExtended ? 12 : 8)
    let slot = try slot(.clock, request[word: 0], context.agent, .full)
    let attributes = request[word: 1]
    guard attributes & ~(isExtended ? 0x00FF_0003 : 1) == 0 else { throw .invalidParameters }
    let state = attributes & 3
    let type = UInt8(truncatingIfNeeded: attributes >> 16)
    // 2 is reserved; 3, "unchanged", makes sense only beside extended configuration.
    guard state != 2, state != 3 || type != 0 else { throw .invalidParameters }
    if state < 2 && !definition.clocks[Int(slot.resource)].stateControl { throw .denied }
    if type != 0 { try setExtendedConfiguration(type, request[word: 2], request[word: 0], slot, context.agent) }
    if state < 2 { try setClockState(state == 1, request[word: 0], slot, context.agent) }
  }

  private mutating func setClockState(
    _ on: Bool,
    _ identifier: UInt32,
    _ slot: Slot,
    _ agent: Int
  ) throws(SCMIStatus) {
    let resource = Int(slot.resource)
    let policy = definition.clocks[resource].statePolicy
    try claim(.clock, resource, .state, policy, by: agent)
    update(.clock, identifier, agent) { slot in
      slot.votes.insert(.state)
      if on { slot.votes.insert(.isOn) } else { slot.votes.remove(.isOn) }
    }
    clocks[resource].enabled = isOn(
      .clock,
      resource,
      policy,
      latest: on,
      current: clocks[resource].enabled,
      idle: definition.clocks[resource].enabled
    )
  }

  private mutating func setExtendedConfiguration(
    _ type: UInt8,
    _ value: UInt32,
    _ identifier: UInt32,
    _ slot: Slot,
    _ agent: Int
  ) throws(SCMIStatus) {
    let resource = Int(slot.resource)
    let clock = definition.clocks[resource]
    switch type {
    case 1:
      guard clock.dutyCycle != nil else { throw .notSupported }
      guard value <= 100 else { throw .invalidParameters }
      try claimSettings(.clock, identifier, clock.ratePolicy, by: agent)
      clocks[resource].dutyCycle = value
    case 2:
      guard clock.phase != nil else { throw .notSupported }
      guard value < 360 else { throw .invalidParameters }
      try claimSettings(.clock, identifier, clock.ratePolicy, by: agent)
      clocks[resource].phase = value
    default:
      guard clock.extendedConfiguration[type] != nil else { throw .notSupported }
      try claimSettings(.clock, identifier, clock.ratePolicy, by: agent)
      clockConfigurations[resource, default: [:]][type] = value
    }
  }

  /// CLOCK_CONFIG_GET: attributes (zero), configuration (bit 0 enabled), extended value.
  func clockConfigurationGet(_ request: SCMIMessage, _ context: Context, _ reply: inout SCMIMessage) throws(SCMIStatus)
  {
    try request.expect(8)
    let slot = try slot(.clock, request[word: 0], context.agent, .read)
    guard request[word: 1] & ~0xFF == 0 else { throw .invalidParameters }
    let resource = Int(slot.resource)
    let type = UInt8(request[word: 1])
    let clock = definition.clocks[resource]
    let value: UInt32
    switch type {
    case 0: value = 0
    case 1 where clock.dutyCycle != nil: value = clocks[resource].dutyCycle
    case 2 where clock.phase != nil: value = clocks[resource].phase
    default:
      guard let initial = clock.extendedConfiguration[type] else { throw .notSupported }
      value = clockConfigurations[resource]?[type] ?? initial
    }
    reply.append(UInt32(0))
    reply.append(UInt32(clocks[resource].enabled ? 1 : 0))
    reply.append(value)
  }

  /// The agent's identifiers of a clock's possible parents, those that it may not see left out.
  func visibleParents(_ resource: Int, _ agent: Int) -> [UInt32] {
    clockParents[resource].compactMap { identifier(.clock, $0, for: agent) }
  }

  /// CLOCK_POSSIBLE_PARENTS_GET: returned 7:0, remaining 31:24.
  func clockPossibleParents(_ request: SCMIMessage, _ context: Context, _ reply: inout SCMIMessage) throws(SCMIStatus) {
    try request.expect(8)
    let slot = try slot(.clock, request[word: 0], context.agent, .read)
    let parents = visibleParents(Int(slot.resource), context.agent)
    guard !parents.isEmpty else { throw .notSupported }
    guard request[word: 1] < parents.count else { throw .outOfRange }
    let part = parents.dropFirst(Int(request[word: 1])).prefix(30)
    let remaining = parents.count - Int(request[word: 1]) - part.count
    reply.append(UInt32(part.count) | UInt32(min(remaining, 0xFF)) << 24)
    for parent in part { reply.append(parent) }
  }

  mutating func clockParentSet(_ request: SCMIMessage, _ context: Context) throws(SCMIStatus) {
    try request.expect(8)
    let slot = try slot(.clock, request[word: 0], context.agent, .full)
    let parent = try self.slot(.clock, request[word: 1], context.agent, .read)
    let resource = Int(slot.resource)
    guard definition.clocks[resource].parentControl else { throw .denied }
    guard clockParents[resource].contains(Int(parent.resource)) else { throw .invalidParameters }
    guard !leads(from: Int(parent.resource), to: resource) else {
      explain("the parent's parents lead back to the clock")
      throw .invalidParameters
    }
    try claimSettings(.clock, request[word: 0], definition.clocks[resource].ratePolicy, by: context.agent)
    clocks[resource].parent = Int(parent.resource)
  }

  /// Whether a clock is another one or has it among its parents' parents.
  func leads(from clock: Int, to other: Int) -> Bool {
    var place = clock
    // There are no more steps than clocks.
    for _ in clocks.indices where place >= 0 {
      if place == other { return true }
      place = clocks[place].parent
    }
    return false
  }

  /// CLOCK_GET_PERMISSIONS: bits 31 state, 30 parent, 29 rate.
  func clockPermissions(_ slot: Slot, _ context: Context) -> UInt32 {
    let clock = definition.clocks[Int(slot.resource)]
    var permissions: UInt32 = 0
    if clock.stateControl && may(7, slot, context) { permissions |= 1 << 31 }
    if clock.parentControl && may(0xD, slot, context), !visibleParents(Int(slot.resource), context.agent).isEmpty {
      permissions |= 1 << 30
    }
    if clock.rateControl && may(5, slot, context) { permissions |= 1 << 29 }
    return permissions
  }
}
