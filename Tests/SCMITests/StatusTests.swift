import Foundation
import SCMI
import SCMITesting
import Testing

/// Every row of `Documentation/SCMIStatuses.md` is provoked, and the page says what comes.
@Suite struct StatusTests {
  private struct Provocation {
    var change: (inout PlatformDefinition) -> Void = { _ in }
    /// What happens before, by whom.
    var before: [(agent: Int, identifier: UInt8, message: UInt8, words: [UInt32])] = []
    /// By agent 1, who is not trusted; agent 0 is.
    var identifier: UInt8
    var message: UInt8
    /// Each set of words is one way of the same mistake.
    var words: [[UInt32]]
    var agent = 1

    init(
      _ identifier: UInt8,
      _ message: UInt8,
      _ words: [UInt32]...,
      agent: Int = 1,
      before: [(agent: Int, identifier: UInt8, message: UInt8, words: [UInt32])] = [],
      change: @escaping (inout PlatformDefinition) -> Void = { _ in }
    ) {
      (self.identifier, self.message, self.words) = (identifier, message, words)
      (self.agent, self.before, self.change) = (agent, before, change)
    }
  }

  private static var everything: [String: [Provocation]] {
    [
      "any: a payload of another length": [Provocation(0x14, 6, [], [0, 0]), Provocation(0x10, 0, [0])],
      "any: a protocol that the agent does not have": [Provocation(0x42, 0, []), Provocation(0x90, 3, [])],
      "any: a number that no version of the protocol has": [
        Provocation(0x14, 0x11, []), Provocation(0x14, 0x20, []), Provocation(0x14, 0xFF, []),
        Provocation(0x10, 0xC, []),
        Provocation(0x12, 6, []), Provocation(0x16, 7, []),
      ],
      "any: a message of another version, or about fast channels": [
        Provocation(0x13, 0xB, [0, 7]), Provocation(0x18, 0xC, [0, 5]),
        Provocation(0x14, 0xC, [0, 0], change: { $0.versions[.clock] = ProtocolVersion(1, 0) }),
      ],
      "any: a command that is refused to the agent": [
        Provocation(0x14, 6, [0], change: { $0.agents[1].deniedCommands = [.clock: [6]] })
      ],
      "any: more messages than the agent's quota": [
        Provocation(
          0x14,
          6,
          [0],
          before: [(1, 0x14, 6, [0])],
          change: { $0.agents[1].messagesPerSecond = 1 }
        )
      ],
      "any: a resource that does not exist for the agent": [
        Provocation(0x11, 5, [9]), Provocation(0x13, 8, [9]), Provocation(0x14, 6, [9]), Provocation(0x15, 6, [9, 0]),
        Provocation(0x16, 3, [9]), Provocation(0x17, 8, [9]), Provocation(0x18, 4, [9]), Provocation(0x19, 3, [9, 0]),
      ],
      "any: a resource that was taken from the agent": [
        Provocation(0x14, 6, [1], before: [(0, 0x10, 9, [2, 0, 0])]),
        Provocation(0x11, 5, [0], before: [(0, 0x10, 9, [2, 0, 0])]),
      ],
      "any: a change of a resource that may only be read": [
        Provocation(
          0x14,
          5,
          [0, 0, 200, 0],
          change: { $0.agents[1].resources = [ResourceSelection(ResourceName(.clock, "pll"), access: .read)] }
        )
      ],
      "PROTOCOL_MESSAGE_ATTRIBUTES: a message that the agent cannot use": [
        Provocation(0x14, 2, [0x11], [0xFFFF_FFFF]), Provocation(0x10, 2, [9]), Provocation(0x13, 2, [0xB]),
        Provocation(0x14, 2, [6], change: { $0.agents[1].deniedCommands = [.clock: [6]] }),
      ],
      "NEGOTIATE_PROTOCOL_VERSION: a version that the platform does not speak": [
        Provocation(0x14, 0x10, [0x90000], [1])
      ],
      "notification commands: an enable word other than 0 and 1": [
        Provocation(0x10, 8, [2]), Provocation(0x11, 6, [0, 2]), Provocation(0x11, 7, [0, 2]),
        Provocation(0x12, 5, [2]),
        Provocation(0x13, 9, [0, 2]), Provocation(0x14, 9, [0, 2]), Provocation(0x15, 0xB, [0, 2]),
        Provocation(0x16, 5, [0, 2]), Provocation(0x18, 0xA, [0, 2]),
      ],
      "notification commands: a resource that does not notify": [
        Provocation(0x14, 9, [0, 1], change: { $0.clocks[0].notifies = false }),
        Provocation(0x15, 4, [1, 1]), Provocation(0x15, 0xB, [1, 1]),
      ],
      "asynchronous commands: a resource that has none": [
        Provocation(0x15, 6, [1, 1]), Provocation(0x17, 7, [1, 1, 0]), Provocation(0x18, 5, [1, 2, 10]),
      ],
      "asynchronous commands: as many of the agent's are pending as may be": [
        Provocation(0x14, 5, [1, 2, 2_000, 0], before: [(1, 0x14, 5, [1, 2, 2_000, 0])]) {
          $0.clockAsynchronousRequests = 1
        },
        Provocation(0x11, 4, [1, 0, 0], before: [(1, 0x14, 5, [1, 2, 2_000, 0])]) {
          $0.agents[1].outstandingResponses = 1
        },
      ],
      "setting commands: another agent's exclusive resource": [
        Provocation(0x14, 5, [0, 1, 200, 0], before: [(0, 0x14, 5, [0, 1, 200, 0])]) {
          $0.clocks[1].ratePolicy = .exclusive
        }
      ],
      "BASE_DISCOVER_LIST_PROTOCOLS: skipping more than there are": [Provocation(0x10, 6, [100])],
      "BASE_DISCOVER_AGENT: an agent that does not exist": [Provocation(0x10, 7, [3])],
      "BASE_SET_DEVICE_PERMISSIONS: a caller that is not trusted": [Provocation(0x10, 9, [1, 0, 0])],
      "BASE_SET_DEVICE_PERMISSIONS: an agent or a device that does not exist": [
        Provocation(0x10, 9, [3, 0, 0], [0, 0, 0], [2, 1, 0], agent: 0)
      ],
      "BASE_SET_DEVICE_PERMISSIONS: reserved flags": [Provocation(0x10, 9, [2, 0, 2], agent: 0)],
      "BASE_SET_PROTOCOL_PERMISSIONS: Base as the protocol": [Provocation(0x10, 0xA, [2, 0, 0x10, 0], agent: 0)],
      "BASE_RESET_AGENT_CONFIGURATION: another agent, by one that is not trusted": [Provocation(0x10, 0xB, [1, 0])],
      "SYSTEM_POWER_STATE_SET: reserved flags, or a state that does not exist": [
        Provocation(0x12, 3, [2, 0], [0, 5])
      ],
      "SYSTEM_POWER_STATE_SET: a vendor's state": [Provocation(0x12, 3, [0, 0x8000_0000])],
      "POWER_STATE_SET: reserved flags, or a state that the domain does not have": [
        Provocation(0x11, 4, [2, 0, 0], [0, 0, 7])
      ],
      "PERFORMANCE_DESCRIBE_LEVELS: an index behind the end": [Provocation(0x13, 4, [0, 8])],
      "PERFORMANCE_LIMITS_SET: a minimum above the maximum": [
        Provocation(0x13, 5, [0, 200, 300], [0, 100, 900]),
        Provocation(0x13, 5, [0, 200, 0], before: [(1, 0x13, 5, [0, 500, 400])]),
      ],
      "PERFORMANCE_LIMITS_SET: a limit that is no level of the agent's": [
        Provocation(0x13, 5, [0, 900, 100], [0, 800, 50]),
        Provocation(0x13, 5, [0, 500, 100]) {
          $0.agents[1].resources = [ResourceSelection(ResourceName(.performanceDomain, "cpu"), minimum: 200)]
        },
      ],
      "PERFORMANCE_LIMITS_SET: limits that have nothing in common with another agent's": [
        Provocation(0x13, 5, [0, 200, 100], before: [(0, 0x13, 5, [0, 800, 700])])
      ],
      "PERFORMANCE_LIMITS_SET: a domain whose limits cannot be set": [
        Provocation(0x13, 5, [0, 200, 100]) { $0.performanceDomains[0].setsLimits = false }
      ],
      "PERFORMANCE_LEVEL_SET: a level out of the range, or of the limits": [
        Provocation(0x13, 7, [0, 900], [0, 50]),
        Provocation(0x13, 7, [0, 100], before: [(0, 0x13, 5, [0, 800, 700])]),
      ],
      "PERFORMANCE_LEVEL_SET: a domain whose level cannot be set": [
        Provocation(0x13, 7, [0, 200]) { $0.performanceDomains[0].setsLevel = false }
      ],
      "PERFORMANCE_LEVEL_SET: level 0 before version 3.0": [
        Provocation(0x13, 7, [0, 0]) { $0.versions[.performance] = ProtocolVersion(2, 0) }
      ],
      "CLOCK_DESCRIBE_RATES: an index behind the end": [Provocation(0x14, 4, [0, 1], [1, 1])],
      "CLOCK_RATE_SET: a rate out of the range": [Provocation(0x14, 5, [0, 1, 99, 0], [0, 2, 3_001, 0])],
      "CLOCK_RATE_SET: reserved flags": [Provocation(0x14, 5, [16, 1, 200, 0])],
      "CLOCK_RATE_SET: a clock whose rate cannot be set": [
        Provocation(0x14, 5, [0, 1, 200, 0]) { $0.clocks[1].rateControl = false }
      ],
      "CLOCK_CONFIG_SET: reserved bits or a reserved state": [Provocation(0x14, 7, [0, 4, 0], [0, 2, 0], [0, 3, 0])],
      "CLOCK_CONFIG_SET: a clock that cannot be switched": [
        Provocation(0x14, 7, [1, 1, 0]) { $0.clocks[1].stateControl = false }
      ],
      "CLOCK_CONFIG_SET: a configuration that the clock does not have": [Provocation(0x14, 7, [0, 1 << 16 | 3, 0])],
      "CLOCK_CONFIG_SET: a value that the configuration cannot have": [
        Provocation(0x14, 7, [2, 1 << 16 | 3, 101], [2, 2 << 16 | 3, 360])
      ],
      "CLOCK_POSSIBLE_PARENTS_GET: an index behind the end": [Provocation(0x14, 0xC, [2, 2])],
      "CLOCK_POSSIBLE_PARENTS_GET: a clock without parents": [Provocation(0x14, 0xC, [0, 0])],
      "CLOCK_PARENT_SET: a clock that is no possible parent": [Provocation(0x14, 0xD, [2, 2], [0, 1])],
      "CLOCK_PARENT_SET: a parent whose parents lead back to the clock": [
        Provocation(0x14, 0xD, [0, 1]) { definition in
          definition.clocks[0].parents = ["a-clock-with-a-long-name", "pll"]
          definition.clocks[0].parent = nil
          definition.clocks[1].parents = ["crystal"]
          definition.clocks[2].parents = ["a-clock"]
          definition.clocks.append(ClockDefinition("a-clock") { $0.rates = .list([1]) })
        }
      ],
      "CLOCK_PARENT_SET: a clock whose parent cannot be set": [
        Provocation(0x14, 0xD, [2, 1]) { $0.clocks[2].parentControl = false }
      ],
      "SENSOR_DESCRIPTION_GET: an index behind the end": [Provocation(0x15, 3, [2])],
      "SENSOR_AXIS_DESCRIPTION_GET: an index behind the end": [Provocation(0x15, 7, [1, 3])],
      "SENSOR_AXIS_DESCRIPTION_GET: a sensor without axes": [Provocation(0x15, 7, [0, 0])],
      "SENSOR_LIST_UPDATE_INTERVALS: an index behind the end": [Provocation(0x15, 8, [0, 2])],
      "SENSOR_READING_GET: reserved flags": [Provocation(0x15, 6, [0, 2])],
      "SENSOR_READING_GET: a sensor that is off": [Provocation(0x15, 6, [0, 0]) { $0.sensors[0].enabled = false }],
      "SENSOR_CONFIG_SET: reserved bits": [Provocation(0x15, 0xA, [0, 4], [0, 0x600])],
      "SENSOR_CONFIG_SET: timestamps of a sensor that has none": [Provocation(0x15, 0xA, [1, 2])],
      "SENSOR_TRIP_POINT_CONFIG: a trip point that the sensor does not have": [
        Provocation(0x15, 5, [0, 2 << 4 | 1, 0, 0])
      ],
      "SENSOR_TRIP_POINT_CONFIG: a sensor without trip points": [Provocation(0x15, 5, [1, 1, 0, 0])],
      "RESET: reserved flags, or a reset state that the domain does not have": [
        Provocation(0x16, 4, [0, 8, 0], [0, 1, 5])
      ],
      "VOLTAGE_DESCRIBE_LEVELS: an index behind the end": [Provocation(0x17, 4, [0, 3], [1, 1])],
      "VOLTAGE_CONFIG_SET: a mode that does not exist": [Provocation(0x17, 5, [0, 3], [0, 16])],
      "VOLTAGE_LEVEL_SET: a level out of the range, or of the steps": [
        Provocation(0x17, 7, [0, 0, 700_000], [0, 0, 850_000], [1, 0, 1_500], [1, 0, 250]),
        Provocation(0x17, 7, [0, 0, 800_000]) {
          $0.agents[1].resources = [ResourceSelection(ResourceName(.voltageDomain, "vdd"), minimum: 900_000)]
        },
      ],
      "POWERCAP_CAP_SET: a cap out of the range": [
        Provocation(0x18, 5, [0, 0, 999], [0, 0, 9_001]),
        Provocation(0x18, 5, [0, 0, 5_000]) {
          $0.agents[1].resources = [ResourceSelection(ResourceName(.powercapDomain, "board"), maximum: 4_000)]
        },
      ],
      "POWERCAP_CAP_SET: reserved flags": [Provocation(0x18, 5, [0, 4, 3_000])],
      "POWERCAP_CAP_SET: a domain whose cap cannot be set": [
        Provocation(0x18, 5, [1, 0, 10])
      ],
      "POWERCAP_PAI_SET: an interval out of the range": [Provocation(0x18, 7, [0, 0, 9], [0, 0, 101])],
      "POWERCAP_PAI_SET: a domain whose interval cannot be set": [
        Provocation(0x18, 7, [1, 0, 0])
      ],
      "POWERCAP_MEASUREMENTS_NOTIFY: a low threshold above the high one": [Provocation(0x18, 0xB, [0, 1, 10, 1])],
      "PINCTRL_ATTRIBUTES: a selector that does not exist": [Provocation(0x19, 3, [0, 3])],
      "PINCTRL_LIST_ASSOCIATIONS: an index behind the end": [Provocation(0x19, 4, [0, 1, 2])],
      "PINCTRL_LIST_ASSOCIATIONS: a pin": [Provocation(0x19, 4, [0, 0, 0])],
      "PINCTRL_SETTINGS_GET: a setting that the pin does not have": [Provocation(0x19, 5, [0, 11])],
      "PINCTRL_SETTINGS_CONFIGURE: a type of setting that does not exist": [
        Provocation(0x19, 6, [0, 0, 1 << 2, 100, 5])
      ],
      "PINCTRL_SETTINGS_CONFIGURE: a setting that the pin cannot have": [
        Provocation(0x19, 6, [0, 0, 1 << 2, 11, 5]) { $0.pins[0].configurable = [4] }
      ],
      "PINCTRL_REQUEST: another agent's pin": [Provocation(0x19, 7, [0, 0], before: [(0, 0x19, 7, [0, 0])])],
      "PINCTRL_RELEASE: an element that the agent has not requested": [Provocation(0x19, 8, [0, 0])],
      "PINCTRL_SET_PERMISSIONS: a caller that is not trusted": [Provocation(0x19, 0xA, [1, 0, 0])],
      "a vendor's: a number that the protocol does not have": [
        Provocation(0x80, 9, []) { $0.vendorProtocols = [VendorProtocolDefinition(0x80)] }
      ],
    ]
  }

  /// Message and mistake, and the status, of each row of the page.
  private static func rows() throws -> [(what: String, status: String)] {
    let folder = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
      .deletingLastPathComponent()
    let page = try String(contentsOf: folder.appending(path: "Documentation/SCMIStatuses.md"), encoding: .utf8)
    return page.split(separator: "\n").compactMap { line in
      let cells = line.split(separator: "|").map { $0.trimmingCharacters(in: .whitespaces) }
      guard cells.count == 4, cells[0] != "message", !cells[0].hasPrefix("---") else { return nil }
      return ("\(cells[0]): \(cells[1])", cells[2])
    }
  }

  @Test func everyRowOfThePageIsWhatThePlatformAnswers() throws {
    // The bench sends well-formed headers only; see below.
    let headers = "any: a type that is no command, or reserved bits in the header"
    let everything = Self.everything
    let rows = try Self.rows().filter { $0.what != headers }
    #expect(rows.count > 70)
    #expect(Set(rows.map(\.what)) == Set(everything.keys))

    for row in rows {
      for provocation in everything[row.what] ?? [] {
        for words in provocation.words {
          var definition = Bench.definition(agents: [
            AgentDefinition("one") { $0.trusted = true }, AgentDefinition("two"),
          ])
          provocation.change(&definition)
          var bench = try Bench(definition)
          bench.now = 1_000_000_000
          for step in provocation.before {
            let reply = bench.send(step.identifier, step.message, step.words, agent: step.agent)
            #expect(reply.first == 0, "\(row.what): what goes before")
          }
          let reply = bench.send(provocation.identifier, provocation.message, words, agent: provocation.agent)
          let found = SCMIStatus(rawValue: Int32(bitPattern: reply.first ?? 1))
          #expect(found.description == row.status, "\(row.what): \(words)")
        }
      }
    }
  }

  @Test(arguments: [1, 2, 3]) func headersThatAreNoCommandsAreProtocolErrors(type: UInt32) throws {
    var bench = try Bench()
    for header in [0x14 << 10 | 6 | type << 8, 0x14 << 10 | 6 | 1 << 28] as [UInt32] {
      var reply = SCMIMessage(header: MessageHeader(rawValue: 0))
      let request = SCMIMessage(header: MessageHeader(rawValue: header), payload: [0])
      _ = bench.platform.handle(request, from: 0, at: 0, reply: &reply)
      #expect(reply.status == .protocolError)
    }
  }
}
