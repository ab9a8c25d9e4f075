/// Finds the mistakes of a definition: what it collects is shown to people, so each message says what is expected.
struct Validator {
  let definition: PlatformDefinition
  var errors: [DefinitionError] = []
  /// By kind: the names that exist.
  var names: [Set<String>] = []

  init(_ definition: PlatformDefinition) {
    self.definition = definition
    names = ResourceKind.allCases.map { Set(definition.names($0)) }
  }

  mutating func fail(_ path: String, _ message: String) {
    errors.append(DefinitionError(path: path, message: message))
  }

  mutating func expect(
    _ condition: Bool,
    _ path: @autoclosure () -> String,
    _ message: @autoclosure () -> String
  ) {
    if !condition { fail(path(), message()) }
  }

  func exists(_ name: ResourceName) -> Bool { names[Int(name.kind.rawValue)].contains(name.name) }

  mutating func reference(_ name: ResourceName, _ path: String) {
    expect(exists(name), path, "no \(name.kind.name) entry is named \"\(name.name)\"")
  }

  /// 1 to 63 bytes of printable ASCII, and no other of its kind.
  mutating func name(_ name: String, _ path: String, _ seen: inout Set<String>, limit: Int = 63) {
    let isPrintable = name.utf8.allSatisfy { $0 >= 0x20 && $0 < 0x7F }
    expect(
      isPrintable && !name.isEmpty && name.utf8.count <= limit,
      path + "/name",
      "expected 1 to \(limit) printable ASCII characters"
    )
    expect(seen.insert(name).inserted, path + "/name", "\"\(name)\" is there twice")
  }

  mutating func signedField(_ value: Int8, _ path: String) {
    expect(value >= -16 && value <= 15, path, "expected -16 to 15, found \(value)")
  }
}

extension PlatformDefinition {
  /// Every mistake; empty where a ``Platform`` can be made.
  public func validate(vendors: [any VendorProtocol] = []) -> [DefinitionError] {
    var validator = Validator(self)
    validator.platform(vendors)
    validator.clocks()
    validator.powerDomains()
    validator.performanceDomains()
    validator.sensors()
    validator.resets()
    validator.regulators()
    validator.powercaps()
    validator.pinControl()
    validator.devices()
    validator.agents()
    validator.behaviour()
    validator.tree()
    return validator.errors
  }
}

extension Validator {
  fileprivate mutating func platform(_ vendors: [any VendorProtocol]) {
    for (path, text) in [("/vendor", definition.vendor), ("/subVendor", definition.subVendor)] {
      expect(
        text.utf8.count <= 15 && text.utf8.allSatisfy { $0 >= 0x20 && $0 < 0x7F },
        path,
        "expected at most 15 printable ASCII characters"
      )
    }
    var seen: Set<UInt8> = []
    for vendor in vendors {
      expect(vendor.identifier >= 0x80, "", "vendor protocol \(vendor.identifier) is below 0x80")
      expect(seen.insert(vendor.identifier).inserted, "", "vendor protocol \(vendor.identifier) is there twice")
    }
    for (index, vendor) in definition.vendorProtocols.enumerated() {
      let path = "/vendorProtocols/\(index)"
      expect(vendor.identifier >= 0x80, path + "/identifier", "expected 128 to 255, found \(vendor.identifier)")
      expect(
        seen.insert(vendor.identifier).inserted,
        path + "/identifier",
        "vendor protocol \(vendor.identifier) is there twice"
      )
      for (number, command) in vendor.commands.enumerated() {
        expect(command.identifier >= 3, path + "/commands/\(number)/identifier", "expected 3 to 255")
        expect(command.reply.count <= 31, path + "/commands/\(number)/reply", "expected at most 31 words")
      }
    }
  }

  fileprivate mutating func devices() {
    var seen: Set<String> = []
    for (index, device) in definition.devices.enumerated() {
      let path = "/devices/\(index)"
      name(device.name, path, &seen)
      for (number, resource) in device.resources.enumerated() { reference(resource, path + "/resources/\(number)") }
    }
  }

  fileprivate mutating func agents() {
    expect(!definition.agents.isEmpty, "/agents", "expected at least one agent")
    expect(definition.agents.count <= 255, "/agents", "expected at most 255 agents")
    let devices = Set(definition.devices.map(\.name))
    let members = Dictionary(
      definition.devices.map { ($0.name, $0.resources) },
      uniquingKeysWith: { first, _ in first }
    )
    var seen: Set<String> = []
    for (index, agent) in definition.agents.enumerated() {
      let path = "/agents/\(index)"
      name(agent.name, path, &seen, limit: 15)
      expect(agent.outstandingResponses >= 0, path + "/outstandingResponses", "expected 0 or more")
      var listed: Set<ResourceName> = []
      for (number, selection) in (agent.resources ?? []).enumerated() {
        let place = path + "/resources/\(number)"
        reference(selection.resource, place)
        expect(listed.insert(selection.resource).inserted, place, "\(selection.resource) is there twice")
        if let minimum = selection.minimum, let maximum = selection.maximum {
          expect(minimum <= maximum, place + "/minimum", "\(minimum) is above the maximum, \(maximum)")
        }
      }
      for (number, device) in agent.devices.enumerated() {
        expect(
          devices.contains(device.name),
          path + "/devices/\(number)",
          "no devices entry is named \"\(device.name)\""
        )
        listed.formUnion(members[device.name] ?? [])
      }
      let seesAll = agent.resources == nil && agent.devices.isEmpty
      for kind in ResourceKind.allCases {
        let count = seesAll ? names[Int(kind.rawValue)].count : listed.count { $0.kind == kind }
        // PROTOCOL_ATTRIBUTES counts in 16 bits.
        expect(count <= 0xFFFF, path + "/resources", "\(count) \(kind.name) are more than an agent can count (65535)")
      }
    }
  }

  fileprivate mutating func behaviour() {
    for (index, rule) in definition.rules.enumerated() { self.rule(rule, "/rules/\(index)") }
    let agents = Set(definition.agents.map(\.name))
    for (index, step) in definition.script.enumerated() {
      let path = "/script/\(index)"
      func agent(_ name: String) {
        expect(agents.contains(name), path + "/agent", "no agents entry is named \"\(name)\"")
      }
      switch step.action {
      case .setSensor(let name, let values):
        reference(ResourceName(.sensor, name), path + "/setSensor")
        expect(!values.isEmpty, path + "/values", "expected at least one value")
      case .set(let resource, _): reference(resource, path + "/set")
      case .setPermission(let name, let resource, _):
        agent(name)
        reference(resource, path + "/setPermission")
      case .resetAgent(let name): agent(name)
      case .notification(let name, _, _, let payload):
        agent(name)
        expect(payload.count <= 32, path + "/payload", "expected at most 32 words")
      case .addRule(let rule): self.rule(rule, path + "/addRule")
      case .systemPower, .errorEvent, .removeRule: break
      }
    }
  }

  private mutating func rule(_ rule: MisbehaviourRule, _ path: String) {
    if let agent = rule.agent {
      expect(
        definition.agents.contains { $0.name == agent },
        path + "/agent",
        "no agents entry is named \"\(agent)\""
      )
    }
    if let resource = rule.resource { reference(resource, path + "/resource") }
    expect(rule.probability <= 1_000_000, path + "/probability", "expected 0 to 1")
    if case .notificationStorm(_, _, let payload, let count, _) = rule.action {
      expect(count >= 0 && count <= 10_000, path + "/action/notificationStorm/count", "expected 0 to 10000")
      expect(payload.count <= 32, path + "/action/notificationStorm/payload", "expected at most 32 words")
    }
    expect(rule.firstOccurrence >= 1, path + "/firstOccurrence", "expected 1 or more")
  }
}
