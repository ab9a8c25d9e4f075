/// Pin control, 0x19. Version 1.0.
extension SCMIPlatform {
  mutating func pinControlMessage(_ request: SCMIMessage, _ context: Context, _ reply: inout SCMIMessage)
    throws(SCMIStatus)
  {
    switch context.header.message {
    case 3: try pinAttributes(request, context, &reply)
    case 4: try pinAssociations(request, context, &reply)
    case 5: try pinSettingsGet(request, context, &reply)
    case 6: try pinSettingsConfigure(request, context)
    case 7:
      let target = try pinTarget(request, context)
      guard owners(target).allSatisfy({ $0 < 0 || $0 == context.agent }) else { throw .inUse }
      setOwner(target, context.agent)
    case 8:
      let target = try pinTarget(request, context)
      // Only who has control can give it back.
      guard owner(target) == context.agent else { throw .invalidParameters }
      setOwner(target, -1)
    case 9:
      try request.expect(8)
      let (kind, slot) = try element(request[word: 0], request[word: 1], context)
      reply.append(UInt32(0))
      reply.append(name: name(kind, Int(slot.resource)), size: 64)
    default: try pinSetPermissions(request, context)
    }
  }

  /// A pin or a group, by its place in the platform's list.
  struct PinTarget {
    var kind: ResourceKind
    var resource: Int
  }

  private func name(_ kind: ResourceKind, _ resource: Int) -> String {
    switch kind {
    case .pin: definition.pins[resource].name
    case .group: definition.groups[resource].name
    default: definition.functions[resource].name
    }
  }

  /// What a selector (0 pin, 1 group, 2 function) and an identifier name.
  private func element(
    _ identifier: UInt32,
    _ selector: UInt32,
    _ context: Context,
    _ access: Access = .read
  ) throws(SCMIStatus) -> (ResourceKind, Slot) {
    let kind: ResourceKind
    switch selector {
    case 0: kind = .pin
    case 1: kind = .group
    case 2: kind = .function
    default: throw .invalidParameters
    }
    return (kind, try slot(kind, identifier, context.agent, access))
  }

  /// PINCTRL_ATTRIBUTES: elements 15:0, extended name bit 31.
  private func pinAttributes(_ request: SCMIMessage, _ context: Context, _ reply: inout SCMIMessage) throws(SCMIStatus)
  {
    try request.expect(8)
    let (kind, slot) = try element(request[word: 0], request[word: 1], context)
    let name = name(kind, Int(slot.resource))
    let elements = kind == .pin ? 0 : associations(kind, Int(slot.resource), context.agent).count
    reply.append(UInt32(elements) | (name.utf8.count > 15 && may(9, context) ? 1 << 31 : 0))
    reply.append(name: name, size: 16)
  }

  /// The agent's identifiers of a group's pins or a function's groups, ascending, those it may not see left out.
  private func associations(_ kind: ResourceKind, _ resource: Int, _ agent: Int) -> [UInt32] {
    kind == .group
      ? groupPins[resource].compactMap { identifier(.pin, $0, for: agent) }.sorted()
      : functionGroups[resource].compactMap { identifier(.group, $0, for: agent) }.sorted()
  }

  /// PINCTRL_LIST_ASSOCIATIONS: returned 11:0, remaining 31:16; 16-bit identifiers, filled up to a whole word.
  private func pinAssociations(_ request: SCMIMessage, _ context: Context, _ reply: inout SCMIMessage)
    throws(SCMIStatus)
  {
    try request.expect(12)
    let (kind, slot) = try element(request[word: 0], request[word: 1], context)
    guard kind != .pin else { throw .notSupported }
    let all = associations(kind, Int(slot.resource), context.agent)
    guard request[word: 2] < all.count else { throw .outOfRange }
    let part = Array(all.dropFirst(Int(request[word: 2])).prefix(60))
    reply.append(UInt32(part.count) | UInt32(all.count - Int(request[word: 2]) - part.count) << 16)
    for index in stride(from: 0, to: part.count, by: 2) {
      reply.append(part[index] & 0xFFFF | (index + 1 < part.count ? part[index + 1] << 16 : 0))
    }
  }

  // MARK: - Settings

  private func state(_ kind: ResourceKind, _ resource: Int) -> PinState {
    kind == .pin ? pins[resource] : groups[resource]
  }

  private mutating func change(_ kind: ResourceKind, _ resource: Int, _ body: (inout PinState) -> Void) {
    if kind == .pin { body(&pins[resource]) } else { body(&groups[resource]) }
  }

  /// PINCTRL_SETTINGS_GET: what 19:18 (0 one, 1 all, 2 function), selector 17:16, skip 15:8, type 7:0.
  ///
  /// Reply: function, then returned 7:0 and remaining 31:24, then type and value each.
  private func pinSettingsGet(_ request: SCMIMessage, _ context: Context, _ reply: inout SCMIMessage) throws(SCMIStatus)
  {
    try request.expect(8)
    let attributes = request[word: 1]
    guard attributes & 0xFFF0_0000 == 0 else { throw .invalidParameters }
    let (kind, slot) = try element(request[word: 0], attributes >> 16 & 3, context)
    guard kind != .function else { throw .notSupported }
    let state = state(kind, Int(slot.resource))
    let function = state.function < 0 ? nil : identifier(.function, state.function, for: context.agent)
    reply.append(function ?? .max)
    switch attributes >> 18 & 3 {
    case 0:
      let type = UInt8(truncatingIfNeeded: attributes)
      guard let value = state[type] else { throw .notFound }
      reply.append(UInt32(1))
      reply.append(UInt32(type))
      reply.append(value)
    case 1:
      let skip = Int(attributes >> 8 & 0xFF)
      guard skip <= state.settings.count else { throw .outOfRange }
      let part = state.settings.dropFirst(skip).prefix(14)
      reply.append(UInt32(part.count) | UInt32(min(state.settings.count - skip - part.count, 0xFF)) << 24)
      for setting in part {
        reply.append(UInt32(setting.type))
        reply.append(setting.value)
      }
    case 2: reply.append(UInt32(0))
    default: throw .invalidParameters
    }
  }

  /// PINCTRL_SETTINGS_CONFIGURE: element, function, attributes (function valid 10, settings 9:2, selector 1:0),
  /// settings.
  private mutating func pinSettingsConfigure(_ request: SCMIMessage, _ context: Context) throws(SCMIStatus) {
    guard request.count >= 12 else { throw .protocolError }
    let attributes = request[word: 2]
    let count = Int(attributes >> 2 & 0xFF)
    guard attributes & ~0x7FF == 0 else { throw .invalidParameters }
    try request.expect(12 + 8 * count)
    let (kind, slot) = try element(request[word: 0], attributes & 3, context, .full)
    guard kind != .function else { throw .notSupported }
    let resource = Int(slot.resource)
    guard owners(PinTarget(kind: kind, resource: resource)).allSatisfy({ $0 < 0 || $0 == context.agent }) else {
      throw .inUse
    }
    var function = -1
    if attributes & 1 << 10 != 0 {
      function = Int(try self.slot(.function, request[word: 1], context.agent, .read).resource)
      guard kind == .pin || functionGroups[function].contains(resource) else { throw .invalidParameters }
    }
    // All settings are checked before one is made.
    for index in 0..<count {
      let type = request[word: 3 + 2 * index]
      guard type <= 20 || (192...255).contains(type) else { throw .invalidParameters }
      if kind == .pin, let configurable = definition.pins[resource].configurable,
        !configurable.contains(UInt8(type))
      {
        throw .notSupported
      }
    }
    let members = kind == .group ? groupPins[resource].filter { isConfigurable(pin: $0, by: context.agent) } : []
    update(kind, request[word: 0], context.agent) { $0.votes.insert(.settings) }
    for pin in members {
      guard let identifier = identifier(.pin, pin, for: context.agent) else { continue }
      update(.pin, identifier, context.agent) { $0.votes.insert(.settings) }
    }
    for index in 0..<count {
      let type = UInt8(request[word: 3 + 2 * index])
      let value = request[word: 4 + 2 * index]
      change(kind, resource) { $0[type] = value }
      for pin in members { pins[pin][type] = value }
    }
    if function >= 0 {
      change(kind, resource) { $0.function = function }
      for pin in members { pins[pin].function = function }
    }
  }

  /// A group's configuration reaches those of its pins that the agent may set, and no others.
  private func isConfigurable(pin: Int, by agent: Int) -> Bool {
    holders[Int(ResourceKind.pin.rawValue)][pin].contains { holder in
      holder.agent == agent && slot(of: holder, .pin).access == .full
    }
  }

  // MARK: - Exclusive control

  /// PINCTRL_REQUEST and PINCTRL_RELEASE: element, flags (selector 1:0).
  private func pinTarget(_ request: SCMIMessage, _ context: Context) throws(SCMIStatus) -> PinTarget {
    try request.expect(8)
    guard request[word: 1] <= 1 else { throw .invalidParameters }
    let (kind, slot) = try element(request[word: 0], request[word: 1], context, .full)
    return PinTarget(kind: kind, resource: Int(slot.resource))
  }

  private func owner(_ target: PinTarget) -> Int { state(target.kind, target.resource).owner }

  /// Who has control of the element or of a part of it: for a group its pins, for a pin the groups that it is in.
  private func owners(_ target: PinTarget) -> [Int] {
    if target.kind == .group {
      return [groups[target.resource].owner] + groupPins[target.resource].map { pins[$0].owner }
    }
    let containing = groupPins.indices.filter { groupPins[$0].contains(target.resource) }
    return [pins[target.resource].owner] + containing.map { groups[$0].owner }
  }

  private mutating func setOwner(_ target: PinTarget, _ agent: Int) {
    change(target.kind, target.resource) { $0.owner = agent }
  }

  /// PINCTRL_SET_PERMISSIONS: agent, element, flags (allowed bit 2, selector 1:0). For trusted agents.
  private mutating func pinSetPermissions(_ request: SCMIMessage, _ context: Context) throws(SCMIStatus) {
    try request.expect(12)
    guard request[word: 0] > 0, request[word: 0] <= agents.count else { throw .notFound }
    guard request[word: 2] & ~7 == 0 else { throw .invalidParameters }
    let (kind, slot) = try element(request[word: 1], request[word: 2] & 3, context)
    let access: Access = request[word: 2] & 4 != 0 ? .full : .none
    setAccess(access, Int(request[word: 0]) - 1, kind, Int(slot.resource))
  }
}
