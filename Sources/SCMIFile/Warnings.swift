public import SCMI

/// What `apus scmi check` warns of: a definition that is valid, and of which something has no effect.
struct Advisor {
  let definition: PlatformDefinition
  /// What each agent has at the start.
  let views: [AgentView]
  var warnings: [DefinitionError] = []

  init(_ definition: PlatformDefinition, _ views: [AgentView]) {
    self.definition = definition
    self.views = views
  }

  mutating func warn(_ condition: Bool, _ path: String, _ message: String) {
    if condition { warnings.append(DefinitionError(path: path, message: message)) }
  }

  func version(_ identifier: ProtocolIdentifier) -> ProtocolVersion? {
    definition.versions[identifier] ?? definition.profile[identifier]
  }

  /// Whether the platform speaks a protocol in a version, or a later one.
  func speaks(_ identifier: ProtocolIdentifier, from major: UInt16 = 1) -> Bool {
    version(identifier).map { $0.major >= major } ?? false
  }

  func isSeen(_ name: ResourceName) -> Bool { views.contains { $0.resource(name.kind, name.name) != nil } }
}

/// A guest whose limits a definition can be checked against.
public enum GuestSystem: String, CaseIterable, Sendable {
  case linux612 = "linux-6.12"
}

extension PlatformDefinition {
  /// What has no effect, and for a guest what it cannot take. The definition has to be valid: see
  /// ``validate(vendors:)``.
  ///
  /// - Throws: every mistake of the definition.
  public func warnings(for guest: GuestSystem? = nil) throws(DefinitionErrors) -> [DefinitionError] {
    let platform = try SCMIPlatform(self)
    var advisor = Advisor(self, agents.indices.map { platform.view(of: $0) })
    advisor.protocols()
    advisor.agents()
    advisor.resources()
    advisor.behaviour()
    advisor.tree()
    if guest == .linux612 { advisor.linux() }
    return advisor.warnings
  }

  /// Reads a platform file and looks for what has no effect in it.
  ///
  /// - Parameter json: UTF-8.
  /// - Returns: the definition and its warnings, with line, column and path, at most ``PlatformFileError/limit``, and
  ///   how many there are beyond.
  /// - Throws: every mistake.
  public static func checking(
    json: [UInt8],
    for guest: GuestSystem? = nil
  ) throws(PlatformFileError) -> (
    definition: PlatformDefinition, warnings: [PlatformFileError.Mistake], omitted: Int
  ) {
    let (definition, root) = try reading(json)
    do throws(DefinitionErrors) {
      let all = try definition.warnings(for: guest)
      let warnings = all.prefix(PlatformFileError.limit).map { PlatformFileError.Mistake($0, in: root) }
      return (definition, warnings, all.count - warnings.count)
    } catch {
      throw PlatformFileError(mistakes: error.errors.map { .init($0, in: root) })
    }
  }
}

// MARK: - Protocols and agents

extension Advisor {
  /// Resources of protocols that the platform does not have are nobody's.
  mutating func protocols() {
    for kind in ResourceKind.allCases {
      let identifier = kind.protocolIdentifier
      guard !definition.names(kind).isEmpty, version(identifier) == nil else { continue }
      warn(
        true,
        "/\(kind.name)",
        "the profile \(definition.profile.rawValue) has no \(identifier.name) protocol, so that no agent sees these; "
          + "give \"versions\": {\"\(identifier.name)\": \"1.0\"}"
      )
    }
    warn(
      !definition.systemPower && definition.gracefulTimeout > 0,
      "/gracefulTimeout",
      "systemPower is false: there is no shutdown that it could limit"
    )
  }

  mutating func agents() {
    for (index, agent) in definition.agents.enumerated() {
      let path = "/agents/\(index)"
      for (number, identifier) in (agent.protocols ?? []).enumerated() {
        warn(
          identifier != .base && !views[index].has(identifier),
          path + "/protocols/\(number)",
          version(identifier) == nil
            ? "the profile \(definition.profile.rawValue) has no \(identifier.name) protocol"
            : "the agent has no resource of the \(identifier.name) protocol, which it therefore does not find"
        )
      }
      for (number, selection) in (agent.resources ?? []).enumerated() {
        let identifier = selection.resource.kind.protocolIdentifier
        warn(
          selection.access != .none && version(identifier) != nil && !views[index].has(identifier),
          path + "/resources/\(number)",
          "the agent's protocols leave out \(identifier.name), so that it does not see \(selection.resource)"
        )
        warn(
          selection.access != .full && (selection.minimum != nil || selection.maximum != nil),
          path + "/resources/\(number)",
          "the agent may not set \(selection.resource), so that its bounds say nothing"
        )
      }
      deniedCommands(agent, path)
    }
  }

  private mutating func deniedCommands(_ agent: AgentDefinition, _ path: String) {
    for identifier in ProtocolIdentifier.allCases {
      guard let version = version(identifier) else { continue }
      let existing = MessageSet.messages(identifier, version: version.rawValue, events: true)
      for (number, message) in (agent.deniedCommands[identifier] ?? []).enumerated() {
        warn(
          existing & MessageSet.bit(message) == 0,
          path + "/deniedCommands/\(identifier.name)/\(number)",
          "the \(identifier.name) protocol \(version) has no message \(message)"
        )
      }
    }
  }
}

// MARK: - Resources

extension Advisor {
  mutating func resources() {
    for (index, clock) in definition.clocks.enumerated() { self.clock(clock, "/clocks/\(index)") }
    for (index, domain) in definition.performanceDomains.enumerated() {
      let path = "/performanceDomains/\(index)"
      warn(
        domain.levelIndexing && !speaks(.performance, from: 4),
        path + "/levelIndexing",
        "levels have no indexes before performance protocol 4.0"
      )
      warn(
        domain.sustainedLevel != 0 && !domain.operatingPoints.contains { $0.level == domain.sustainedLevel },
        path + "/sustainedLevel",
        "\(domain.sustainedLevel) is no operating point's level"
      )
    }
    latencies()
    for (index, sensor) in definition.sensors.enumerated() {
      let path = "/sensors/\(index)"
      warn(
        !sensor.updates && !sensor.intervals.isEmpty,
        path + "/intervals",
        "the sensor sends no updates, whose intervals these would be"
      )
      warn(
        (sensor.updates || !sensor.axes.isEmpty || sensor.timestamps) && version(.sensor) != nil
          && !speaks(.sensor, from: 2),
        path,
        "sensor protocol 1.0 has neither axes nor updates nor timestamps"
      )
    }
    names()
  }

  private mutating func clock(_ clock: ClockDefinition, _ path: String) {
    let isOld = version(.clock) != nil && !speaks(.clock, from: 3)
    warn(isOld && !clock.parents.isEmpty, path + "/parents", "clocks have no parents before clock protocol 3.0")
    warn(
      isOld && (clock.dutyCycle != nil || clock.phase != nil || !clock.extendedConfiguration.isEmpty),
      path,
      "clocks have no extended configuration before clock protocol 3.0"
    )
    warn(
      clock.asynchronousLatency > 0 && definition.clockAsynchronousRequests == 0,
      path + "/asynchronousLatency",
      "clockAsynchronousRequests is 0: no rate is set asynchronously"
    )
  }

  /// A latency of what is never done asynchronously, and versions that cannot do it.
  private mutating func latencies() {
    func latency(_ list: String, _ index: Int, _ asynchronous: Bool, _ latency: UInt64) {
      warn(
        !asynchronous && latency > 0,
        "/\(list)/\(index)/asynchronousLatency",
        "asynchronous is false: nothing takes this time"
      )
    }
    for (index, domain) in definition.powerDomains.enumerated() {
      latency("powerDomains", index, domain.asynchronous, domain.asynchronousLatency)
    }
    for (index, sensor) in definition.sensors.enumerated() {
      latency("sensors", index, sensor.asynchronous, sensor.asynchronousLatency)
      warn(
        sensor.asynchronous && definition.sensorAsynchronousRequests == 0,
        "/sensors/\(index)/asynchronous",
        "sensorAsynchronousRequests is 0: nothing is read asynchronously"
      )
    }
    for (index, domain) in definition.resets.enumerated() {
      latency("resets", index, domain.asynchronous, domain.asynchronousLatency)
    }
    for (index, domain) in definition.regulators.enumerated() {
      latency("regulators", index, domain.asynchronous, domain.asynchronousLatency)
      warn(
        domain.asynchronous && version(.voltage) != nil && !speaks(.voltage, from: 2),
        "/regulators/\(index)/asynchronous",
        "levels are not set asynchronously before voltage protocol 2.0"
      )
    }
    for (index, domain) in definition.powercaps.enumerated() {
      latency("powercaps", index, domain.asynchronous, domain.asynchronousLatency)
    }
  }

  /// A name of more than 15 bytes needs a message of its own.
  private mutating func names() {
    let first: [ResourceKind: UInt16] = [
      .powerDomain: 3, .performanceDomain: 3, .clock: 2, .sensor: 3, .resetDomain: 3, .voltageDomain: 2,
    ]
    for kind in ResourceKind.allCases {
      guard let major = first[kind], let version = version(kind.protocolIdentifier), version.major < major else {
        continue
      }
      for (index, name) in definition.names(kind).enumerated() {
        warn(
          name.utf8.count > 15,
          "/\(kind.name)/\(index)/name",
          "the \(kind.protocolIdentifier.name) protocol \(version) has no names of more than 15 bytes: it is cut"
        )
      }
    }
  }
}

// MARK: - The guest's tree

extension Advisor {
  mutating func tree() {
    let tree = definition.tree
    for (index, name) in tree.cpus.enumerated() {
      let path = "/deviceTree/cpus/\(index)"
      if isNobodys(ResourceName(.performanceDomain, name), path) { continue }
      warn(
        !views.contains { $0.may(PerformanceProtocol.Message.levelSet, on: .performanceDomain, name) },
        path,
        "no agent may set the level of \"\(name)\", so that no guest's CPU has it"
      )
    }
    for (index, zone) in tree.thermalZones.enumerated() {
      _ = isNobodys(ResourceName(.sensor, zone.sensor), "/deviceTree/thermalZones/\(index)/sensor")
    }
    for (index, consumer) in tree.consumers.enumerated() {
      let path = "/deviceTree/consumers/\(index)"
      for (number, resource) in consumer.resources.enumerated() {
        if isNobodys(resource, path + "/resources/\(number)") { continue }
        let isIdle =
          switch (consumer.kind, resource.kind) {
          case (.bus, .resetDomain), (.outlet, .resetDomain), (.regulatorTest, .resetDomain): true
          case (.outlet, .clock), (.regulatorTest, .clock):
            consumer.rates[resource.name] == nil && consumer.parents[resource.name] == nil
          default: false
          }
        warn(
          isIdle,
          path + "/resources/\(number)",
          "the driver of a consumer of the kind \(consumer.kind.rawValue) leaves \(resource) alone"
        )
      }
      for (clock, rate) in consumer.rates.byKey {
        guard let place = definition.clocks.firstIndex(where: { $0.name == clock }),
          let values = definition.values(.clock, at: place)
        else { continue }
        warn(
          !values.contains(Int64(rate)),
          path + "/rates/\(clock)",
          "\"\(clock)\" gets another rate near \(rate) Hz; it has \(values.text)"
        )
      }
    }
  }

  /// Warns of what no agent sees: it is in no guest's tree.
  private mutating func isNobodys(_ name: ResourceName, _ path: String) -> Bool {
    guard !isSeen(name) else { return false }
    warn(true, path, "no agent sees \(name), so that it is in no guest's tree")
    return true
  }
}
