package import SCMI

extension PlatformDefinition {
  /// What is wrong with something that is to be done now, by the keys that a step of a script has for it.
  package func mistakes(in action: ScriptAction) -> [DefinitionError] {
    var validator = Validator(self)
    validator.step(ScriptStep(at: 0, action), "")
    return validator.errors
  }
}

/// Rules and the script.
extension Validator {
  mutating func behaviour() {
    expect(
      definition.rules.count <= PlatformDefinition.maximumRules,
      "/rules",
      "expected at most \(PlatformDefinition.maximumRules) rules, each of which every message is compared with"
    )
    guard definition.rules.count <= PlatformDefinition.maximumRules else { return }
    for (index, rule) in definition.rules.enumerated() { self.rule(rule, "/rules/\(index)") }
    for (index, step) in definition.script.enumerated() { self.step(step, "/script/\(index)") }
  }

  fileprivate mutating func step(_ step: ScriptStep, _ path: String) {
    switch step.action {
    case .setSensor(let name, let values):
      reference(ResourceName(.sensor, name), path + "/setSensor")
      let count = place(ResourceName(.sensor, name)).map { definition.sensors[$0].readingCount } ?? 1
      expect(
        values.count == 1 || values.count == count,
        path + "/values",
        "expected \(count == 1 ? "1 value" : "1 or \(count) values"), found \(values.count)"
      )
    case .set(let resource, let value):
      reference(resource, path + "/set")
      if exists(resource) { set(resource, value, path) }
    case .setPermission(let name, let resource, _):
      agent(name, path + "/agent")
      reference(resource, path + "/setPermission")
    case .resetAgent(let name): agent(name, path + "/resetAgent")
    case .notification(let name, _, _, let payload):
      agent(name, path + "/agent")
      expect(payload.count <= 32, path + "/notification/payload", "expected at most 32 words")
    case .addRule(let rule): self.rule(rule, path + "/addRule")
    case .systemPower(let state, _):
      expect(
        [.shutdown, .coldReset, .warmReset, .suspend].contains(state) || state.isVendors,
        path + "/systemPower",
        "expected 0 (shutdown), 1 (cold reset), 2 (warm reset), 4 (suspend) or a vendor's from 2147483648 on"
      )
    case .errorEvent(_, let reports):
      expect(reports.count <= 15, path + "/errorEvent/reports", "expected at most 15 reports")
    case .removeRule: break
    case .interrupt(let name, let line, let asserted): interrupt(name, line, asserted, path)
    }
  }

  private mutating func agent(_ name: String, _ path: String) {
    expect(definition.agents.contains { $0.name == name }, path, "no agents entry is named \"\(name)\"")
  }

  /// The value has to be one that the resource can have.
  private mutating func set(_ name: ResourceName, _ value: Int64, _ path: String) {
    let place = path + "/value"
    switch name.kind {
    case .clock, .performanceDomain, .voltageDomain, .powercapDomain:
      guard let values = values(of: name) else { return }
      // 0 is no cap.
      guard !(name.kind == .powercapDomain && value == 0) else { return }
      expect(values.contains(value), place, "\(name) cannot be \(value); expected \(values.text)")
    case .powerDomain:
      let states = self.place(name).map { definition.powerDomains[$0].states } ?? []
      expect(
        states.contains { Int64($0) == value },
        place,
        "\(name) cannot be \(value); expected one of \(states.map(String.init).joined(separator: ", "))"
      )
    case .resetDomain: expect(value == 0 || value == 1, place, "expected 1 (in reset) or 0")
    case .sensor: break
    case .pin, .group, .function: fail(path + "/set", "\(name.kind.name) have no value to set")
    }
  }

  private mutating func interrupt(_ name: String, _ line: Int, _ asserted: Bool?, _ path: String) {
    guard let consumer = definition.tree.consumers.first(where: { $0.name == name }) else {
      return fail(path + "/interrupt", "no consumer is named \"\(name)\"")
    }
    guard consumer.interrupts.indices.contains(line) else {
      return fail(path + "/line", "\"\(name)\" has \(consumer.interrupts.count) interrupts, counted from 0")
    }
    switch consumer.interrupts[line].trigger {
    case .edge: expect(asserted == nil, path + "/asserted", "an edge-triggered line has no level")
    case .level:
      expect(
        asserted != nil,
        path + "/asserted",
        "a level-triggered line needs one: true asserts it, false takes it back"
      )
    }
  }

  // MARK: - Rules

  private mutating func rule(_ rule: MisbehaviourRule, _ path: String) {
    if let name = rule.agent { agent(name, path + "/agent") }
    if let resource = rule.resource {
      reference(resource, path + "/resource")
      aboutResource(rule, resource, path)
    }
    expect(rule.probability <= 1_000_000, path + "/probability", "expected 0 to 1")
    expect(rule.firstOccurrence >= 1, path + "/firstOccurrence", "expected 1 or more")
    expect(rule.times != 0, path + "/times", "a rule that applies 0 times never does; expected 1 or more")
    action(rule, path + "/action")
  }

  /// A request of another protocol, or one that names no resource, never matches.
  private mutating func aboutResource(_ rule: MisbehaviourRule, _ resource: ResourceName, _ path: String) {
    let identifier = resource.kind.protocolIdentifier
    if let wanted = rule.protocolIdentifier {
      expect(
        wanted == identifier.rawValue,
        path + "/protocol",
        "no message of this protocol is about \(resource.kind.name), which are of the protocol \(identifier.name)"
      )
      guard wanted == identifier.rawValue else { return }
    }
    guard let message = rule.message, rule.target == .reply else { return }
    let header = MessageHeader(identifier.rawValue, message)
    expect(
      MessageCatalogue.resourceWord(header) != nil,
      path + "/message",
      "\(MessageCatalogue.name(header)) names no resource, so that the rule can never match"
    )
  }

  private mutating func action(_ rule: MisbehaviourRule, _ path: String) {
    if rule.target != .reply {
      expect(rule.action.isForEvents, path, "this does nothing to a message that answers no request")
    }
    switch rule.action {
    case .wrongType(let type): expect(type <= 3, path + "/wrongType", "expected 0 to 3")
    case .short(let bytes):
      expect((0...SCMIMessage.maximumPayload).contains(bytes), path + "/short", "expected 0 to 128 bytes")
    case .long(let bytes):
      expect((1...SCMIMessage.maximumPayload).contains(bytes), path + "/long", "expected 1 to 128 bytes")
    case .rateTriplet(let returned): expect(returned <= 0xFFF, path + "/rateTriplet", "expected 0 to 4095")
    case .unexpectedNotification(_, _, let payload):
      expect(payload.count <= 32, path + "/unexpectedNotification/payload", "expected at most 32 words")
    case .notificationStorm(_, _, let payload, let count, _):
      expect(count >= 0 && count <= 10_000, path + "/notificationStorm/count", "expected 0 to 10000")
      expect(payload.count <= 32, path + "/notificationStorm/payload", "expected at most 32 words")
    case .alter(let alterations):
      expect(!alterations.isEmpty, path + "/alter", "expected at least one alteration")
      for (index, alteration) in alterations.enumerated() { self.alteration(alteration, path + "/alter/\(index)") }
    default: break
    }
  }

  private mutating func alteration(_ alteration: Alteration, _ path: String) {
    let width = alteration.width
    guard [1, 2, 4].contains(width) else { return fail(path + "/width", "expected 1, 2 or 4 bytes") }
    let last = SCMIMessage.maximumSize - width
    expect(alteration.offset >= 0 && alteration.offset <= last, path + "/offset", "expected 0 to \(last)")
    let bits = Int64(8 * width)
    let (lowest, highest) = (-(Int64(1) << (bits - 1)), Int64(1) << bits - 1)
    expect(
      alteration.value >= lowest && alteration.value <= highest,
      path + "/\(alteration.operation.rawValue)",
      "expected \(lowest) to \(highest), what \(width) bytes hold"
    )
  }
}

extension Misbehaviour {
  /// Whether it can be done to a notification or a delayed response.
  var isForEvents: Bool {
    switch self {
    case .late, .dropped, .never, .duplicated, .wrongToken, .wrongProtocol, .wrongType, .short, .long, .garbage, .alter:
      true
    case .outOfOrder, .status, .delayedBeforeReply, .delayedWithoutReply, .delayedTwice, .delayedNever,
      .unexpectedNotification, .notificationStorm, .countLie, .remainingNeverEnds, .rateTriplet, .versionLie:
      false
    }
  }
}
