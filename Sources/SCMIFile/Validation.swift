public import SCMI

/// Finds the mistakes of a definition: what it collects is shown to people, so each message says what is expected.
struct Validator {
  let definition: PlatformDefinition
  var errors: [DefinitionError] = []
  /// By kind: the names that exist, with their places.
  var names: [[String: Int]] = []

  init(_ definition: PlatformDefinition) {
    self.definition = definition
    names = ResourceKind.allCases.map { kind in
      var places: [String: Int] = [:]
      for (place, name) in definition.names(kind).enumerated() { places[name] = place }
      return places
    }
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

  func exists(_ name: ResourceName) -> Bool { place(name) != nil }

  func place(_ name: ResourceName) -> Int? { names[Int(name.kind.rawValue)][name.name] }

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
  /// Every mistake; empty where a ``SCMIPlatform`` can be made.
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
    validator.versions()
    validator.cycles()
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
      expect(
        vendor.identifier >= ProtocolIdentifier.firstVendor,
        "",
        "vendor protocol \(vendor.identifier) is below 0x80"
      )
      expect(seen.insert(vendor.identifier).inserted, "", "vendor protocol \(vendor.identifier) is there twice")
    }
    for (index, vendor) in definition.vendorProtocols.enumerated() {
      let path = "/vendorProtocols/\(index)"
      expect(
        vendor.identifier >= ProtocolIdentifier.firstVendor,
        path + "/identifier",
        "expected 128 to 255, found \(vendor.identifier)"
      )
      expect(
        seen.insert(vendor.identifier).inserted,
        path + "/identifier",
        "vendor protocol \(vendor.identifier) is there twice"
      )
      for (number, command) in vendor.commands.enumerated() {
        expect(
          command.identifier > CommonMessage.messageAttributes.rawValue,
          path + "/commands/\(number)/identifier",
          "expected 3 to 255"
        )
        expect(
          command.reply.count <= VendorProtocolDefinition.maximumReply,
          path + "/commands/\(number)/reply",
          "expected at most 31 words"
        )
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
    var views = 0
    defer {
      expect(
        views <= PlatformDefinition.maximumViews,
        "/agents",
        "all agents together see \(views) resources, and \(PlatformDefinition.maximumViews) is the most"
      )
    }
    for (index, agent) in definition.agents.enumerated() {
      let path = "/agents/\(index)"
      name(agent.name, path, &seen, limit: 15)
      expect(agent.outstandingResponses >= 0, path + "/outstandingResponses", "expected 0 or more")
      var listed: Set<ResourceName> = []
      for (number, selection) in (agent.resources ?? []).enumerated() {
        let place = path + "/resources/\(number)"
        reference(selection.resource, place)
        expect(listed.insert(selection.resource).inserted, place, "\(selection.resource) is there twice")
        bounds(selection, place)
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
      for identifier in ProtocolIdentifier.allCases {
        for (number, message) in (agent.deniedCommands[identifier] ?? []).enumerated() {
          expect(
            message > CommonMessage.messageAttributes.rawValue && message < MessageSet.limit,
            path + "/deniedCommands/\(identifier.name)/\(number)",
            "expected 3 to 31: other messages cannot be refused"
          )
        }
      }
      for kind in ResourceKind.allCases {
        let count = seesAll ? names[Int(kind.rawValue)].count : listed.count { $0.kind == kind }
        views += count
        // PROTOCOL_ATTRIBUTES counts in 16 bits.
        expect(count <= 0xFFFF, path + "/resources", "\(count) \(kind.name) are more than an agent can count (65535)")
      }
    }
  }
}
