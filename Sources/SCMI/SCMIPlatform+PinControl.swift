/// Pin control, 0x19. Version 1.0.
extension SCMIPlatform {
  mutating func pinControlMessage(
    _ message: PinControlProtocol.Message,
    _ request: SCMIMessage,
    _ context: Context,
    _ reply: inout SCMIMessage
  ) throws(SCMIStatus) {
    switch message {
    case .attributes: reply.append(try pinAttributes(request.fields(), context))
    case .listAssociations: reply.append(try pinAssociations(request.fields(), context))
    case .settingsGet: reply.append(try pinSettingsGet(request.fields(), context))
    case .settingsConfigure: try pinSettingsConfigure(request, context)
    case .request:
      let target = try pinTarget(request.fields(), context)
      guard owners(target).allSatisfy({ $0 < 0 || $0 == context.agent }) else { throw .inUse }
      setOwner(target, context.agent)
    case .release:
      let target = try pinTarget(request.fields(), context)
      // Only who has control can give it back.
      guard owner(target) == context.agent else { throw .invalidParameters }
      setOwner(target, -1)
    case .nameGet: reply.append(try pinName(request.fields(), context))
    case .setPermissions: try pinSetPermissions(request.fields(), context)
    }
  }

  private func pinName(
    _ request: PinControlProtocol.Element,
    _ context: Context
  ) throws(SCMIStatus) -> PinControlProtocol.Name {
    let (kind, grant) = try element(request.element, request.selector, context)
    return PinControlProtocol.Name { $0.name = name(kind, Int(grant.resource)) }
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

  /// What a selector and an identifier name.
  private func element(
    _ identifier: UInt32,
    _ selector: UInt32,
    _ context: Context,
    _ access: Access = .read
  ) throws(SCMIStatus) -> (ResourceKind, Grant) {
    guard let selector = PinControlProtocol.Selector(rawValue: selector) else { throw .invalidParameters }
    let kind: ResourceKind =
      switch selector {
      case .pin: .pin
      case .group: .group
      case .function: .function
      }
    return (kind, try grant(kind, identifier, context.agent, access))
  }

  private func pinAttributes(
    _ request: PinControlProtocol.Element,
    _ context: Context
  ) throws(SCMIStatus) -> PinControlProtocol.Attributes {
    let (kind, grant) = try element(request.element, request.selector, context)
    let name = name(kind, Int(grant.resource))
    return PinControlProtocol.Attributes {
      $0.attributes = PinControlProtocol.AttributeWord(
        elements: kind == .pin ? 0 : associations(kind, Int(grant.resource), context.agent).count,
        hasExtendedName: name.isLongName && may(PinControlProtocol.Message.nameGet, context)
      )
      $0.name = name
    }
  }

  /// The agent's identifiers of a group's pins or a function's groups, ascending, those it may not see left out.
  private func associations(_ kind: ResourceKind, _ resource: Int, _ agent: Int) -> [UInt32] {
    kind == .group
      ? groupPins[resource].compactMap { identifier(.pin, $0, for: agent) }.sorted()
      : functionGroups[resource].compactMap { identifier(.group, $0, for: agent) }.sorted()
  }

  /// 16-bit identifiers, filled up to a whole word.
  private func pinAssociations(
    _ request: PinControlProtocol.ListAssociations,
    _ context: Context
  ) throws(SCMIStatus) -> PinControlProtocol.Associations {
    let (kind, grant) = try element(request.element, request.selector, context)
    guard kind != .pin else { throw .notSupported }
    let all = associations(kind, Int(grant.resource), context.agent)
    guard request.index < all.count else { throw .outOfRange }
    let part = Array(all.dropFirst(Int(request.index)).prefix(PinControlProtocol.maximumAssociations))
    return PinControlProtocol.Associations {
      $0.count = PartCount(returned: part.count, of: all.count, from: request.index)
      for index in stride(from: 0, to: part.count, by: 2) {
        $0.elements.append(part[index] & 0xFFFF | (index + 1 < part.count ? part[index + 1] << 16 : 0))
      }
    }
  }

  // MARK: - Settings

  private func state(_ kind: ResourceKind, _ resource: Int) -> PinControlState.Element {
    kind == .pin ? pinControlState.pins[resource] : pinControlState.groups[resource]
  }

  private mutating func change(
    _ kind: ResourceKind,
    _ resource: Int,
    _ body: (inout PinControlState.Element) -> Void
  ) {
    if kind == .pin { body(&pinControlState.pins[resource]) } else { body(&pinControlState.groups[resource]) }
  }

  private func pinSettingsGet(
    _ request: PinControlProtocol.SettingsGet,
    _ context: Context
  ) throws(SCMIStatus) -> PinControlProtocol.Settings {
    let attributes = request.attributes
    guard attributes.isDefined else { throw .invalidParameters }
    let (kind, grant) = try element(request.element, attributes.selector, context)
    guard kind != .function else { throw .notSupported }
    let state = state(kind, Int(grant.resource))
    let function = state.function < 0 ? nil : identifier(.function, state.function, for: context.agent)
    var reply = PinControlProtocol.Settings()
    reply.function = function ?? PinControlProtocol.noFunction
    switch attributes.wanted {
    case .one:
      guard let value = state[attributes.type] else { throw .notFound }
      reply.count = PartCount(returned: 1, of: 1, from: 0)
      reply.settings = [UInt32(attributes.type), value]
    case .all:
      guard attributes.skip <= state.settings.count else { throw .outOfRange }
      let part = state.settings.dropFirst(attributes.skip).prefix(PinControlProtocol.maximumSettings)
      reply.count = PartCount(returned: part.count, of: state.settings.count, from: UInt32(attributes.skip))
      reply.settings = part.flatMap { [UInt32($0.type), $0.value] }
    case .function: break
    case .reserved: throw .invalidParameters
    }
    return reply
  }

  private mutating func pinSettingsConfigure(_ message: SCMIMessage, _ context: Context) throws(SCMIStatus) {
    let request = PinControlProtocol.SettingsConfigure(of: message)
    guard let request else { throw .protocolError }
    let count = request.attributes.count
    guard request.attributes.isDefined else { throw .invalidParameters }
    guard message.count == PinControlProtocol.SettingsConfigure.size(settings: count) else { throw .protocolError }
    let (kind, grant) = try element(request.element, request.attributes.selector, context, .full)
    guard kind != .function else { throw .notSupported }
    let resource = Int(grant.resource)
    guard owners(PinTarget(kind: kind, resource: resource)).allSatisfy({ $0 < 0 || $0 == context.agent }) else {
      throw .inUse
    }
    var function = -1
    if request.attributes.setsFunction {
      function = Int(try self.grant(.function, request.function, context.agent, .read).resource)
      guard kind == .pin || functionGroups[function].contains(resource) else { throw .invalidParameters }
    }
    // All settings are checked before one is made.
    for index in 0..<count {
      guard let type = PinControlProtocol.settingType(request.settings[2 * index]) else { throw .invalidParameters }
      if kind == .pin, let configurable = definition.pins[resource].configurable, !configurable.contains(type) {
        throw .notSupported
      }
    }
    let members = kind == .group ? groupPins[resource].filter { isConfigurable(pin: $0, by: context.agent) } : []
    update(kind, request.element, context.agent) { $0.votes.insert(.settings) }
    for pin in members {
      guard let identifier = identifier(.pin, pin, for: context.agent) else { continue }
      update(.pin, identifier, context.agent) { $0.votes.insert(.settings) }
    }
    for index in 0..<count {
      let type = UInt8(request.settings[2 * index])
      let value = request.settings[2 * index + 1]
      change(kind, resource) { $0[type] = value }
      for pin in members { pinControlState.pins[pin][type] = value }
    }
    if function >= 0 {
      change(kind, resource) { $0.function = function }
      for pin in members { pinControlState.pins[pin].function = function }
    }
  }

  /// A group's configuration reaches those of its pins that the agent may set, and no others.
  private func isConfigurable(pin: Int, by agent: Int) -> Bool {
    holders[Int(ResourceKind.pin.rawValue)][pin].contains { holder in
      holder.agent == agent && grant(of: holder, .pin).access == .full
    }
  }

  // MARK: - Exclusive control

  /// What PINCTRL_REQUEST and PINCTRL_RELEASE are about.
  private func pinTarget(_ request: PinControlProtocol.Element, _ context: Context) throws(SCMIStatus) -> PinTarget {
    guard request.selector <= PinControlProtocol.Selector.group.rawValue else { throw .invalidParameters }
    let (kind, grant) = try element(request.element, request.selector, context, .full)
    return PinTarget(kind: kind, resource: Int(grant.resource))
  }

  private func owner(_ target: PinTarget) -> Int { state(target.kind, target.resource).owner }

  /// Who has control of the element or of a part of it: for a group its pins, for a pin the groups that it is in.
  private func owners(_ target: PinTarget) -> [Int] {
    if target.kind == .group {
      return [pinControlState.groups[target.resource].owner]
        + groupPins[target.resource].map { pinControlState.pins[$0].owner }
    }
    let containing = groupPins.indices.filter { groupPins[$0].contains(target.resource) }
    return [pinControlState.pins[target.resource].owner] + containing.map { pinControlState.groups[$0].owner }
  }

  private mutating func setOwner(_ target: PinTarget, _ agent: Int) {
    change(target.kind, target.resource) { $0.owner = agent }
  }

  private mutating func pinSetPermissions(
    _ request: PinControlProtocol.SetPermissions,
    _ context: Context
  ) throws(SCMIStatus) {
    guard request.agent > 0, request.agent <= agents.count else { throw .notFound }
    guard request.flags.isDefined else { throw .invalidParameters }
    let (kind, grant) = try element(request.element, request.flags.selector, context)
    setAccess(request.flags.isAllowed ? .full : .none, Int(request.agent) - 1, kind, Int(grant.resource))
  }
}
