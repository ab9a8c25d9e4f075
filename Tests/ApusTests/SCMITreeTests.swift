import DeviceTree
import SCMI
import Testing

@testable import Apus

/// The text of the tree of a machine that is an agent of a platform, without indentation.
private func lines(
  agent: String = "guest",
  cpuCount: Int = 1,
  _ configure: (inout PlatformDefinition) -> Void
) throws -> [Substring] {
  var definition = PlatformDefinition { $0.agents = [AgentDefinition("guest"), AgentDefinition("other")] }
  configure(&definition)
  var configuration = Configuration(kernel: "")
  configuration.cpuCount = cpuCount
  let platform = SharedPlatform(try Platform(definition)) { 0 }
  configuration.devices = [Configuration.Device(.scmi(.init(platform, agent: agent)))]
  return try configuration.deviceTreeSource().split(separator: "\n").map { line in
    let line = line.drop { $0 == "\t" }
    // Without a node's label.
    return line.hasSuffix("{") ? line.split(separator: ": ").last ?? line : line
  }
}

/// The lines of one node, from its name to the end of its properties.
private func node(_ name: String, in lines: [Substring]) throws -> [Substring] {
  let start = try #require(lines.firstIndex { $0 == "\(name) {" }, "no \(name)")
  return Array(lines[(start + 1)...].prefix { !$0.hasSuffix("{") && $0 != "};" })
}

private let clocks = ["crystal", "pixel"].map { name in ClockDefinition(name) { $0.rates = .list([1_000, 2_000]) } }

@Suite struct SCMITreeTests {
  @Test func protocolsThatTheAgentHasAreThereAndNoOthers() throws {
    let tree = try lines { platform in
      platform.clocks = clocks
      platform.systemPower = false
      platform.resets = [ResetDefinition("usb")]
      platform.agents[0].protocols = [.clock]
    }

    #expect(try node("scmi", in: tree).contains("compatible = \"arm,scmi-virtio\";"))
    #expect(try node("protocol@14", in: tree).contains("#clock-cells = <0x1>;"))
    #expect(tree.count { $0.hasPrefix("protocol@") } == 1)
  }

  @Test func consumerNamesTheAgentsIdentifiers() throws {
    let tree = try lines(agent: "other") { platform in
      platform.clocks = clocks
      platform.agents[1].resources = [ResourceSelection(ResourceName(.clock, "pixel"))]
      platform.tree.consumers = [
        ConsumerDefinition("display", .bus, [ResourceName(.clock, "crystal"), ResourceName(.clock, "pixel")]) {
          $0.rates = ["pixel": 2_000]
        }
      ]
    }

    let bus = try node("bus@c000000", in: tree)
    #expect(bus.contains("clocks = <&scmi_clk 0x0>;"))
    #expect(bus.contains("assigned-clocks = <&scmi_clk 0x0>;"))
    #expect(bus.contains("assigned-clock-rates = <0x7d0>;"))
  }

  @Test func consumerOfWhatTheAgentDoesNotSeeIsLeftOut() throws {
    let tree = try lines { platform in
      platform.regulators = ["a", "b"].map { name in
        VoltageDomainDefinition(name) { $0.levels = .list([1_000, 2_000]) }
      }
      platform.agents[0].resources = [ResourceSelection(ResourceName(.voltageDomain, "b"))]
      platform.tree.consumers = [
        ConsumerDefinition("first", .outlet, [ResourceName(.voltageDomain, "a")]),
        ConsumerDefinition("second", .outlet, [ResourceName(.voltageDomain, "b")]),
      ]
    }

    #expect(!tree.contains("first {"))
    #expect(try node("second", in: tree).contains("vout-supply = <&scmi_regulator0>;"))
    #expect(try node("regulator@0", in: tree).contains("regulator-name = \"b\";"))
    #expect(try node("regulator@0", in: tree).contains("regulator-max-microvolt = <0x7d0>;"))
  }

  @Test func realTimeClockTakesItsClockFromThePlatform() throws {
    let tree = try lines { platform in
      platform.clocks = clocks
      platform.powerDomains = [PowerDomainDefinition("rtc")]
      platform.resets = [ResetDefinition("rtc")]
      platform.tree.consumers = [
        ConsumerDefinition(
          "rtc",
          .clock,
          [
            ResourceName(.clock, "pixel"), ResourceName(.powerDomain, "rtc"), ResourceName(.resetDomain, "rtc"),
          ]
        ) { $0.parents = ["pixel": "crystal"] }
      ]
    }

    let clock = try node("rtc@9010000", in: tree)
    #expect(clock.contains("clocks = <&scmi_clk 0x1>;"))
    #expect(clock.contains("power-domains = <&scmi_power 0x0>;"))
    #expect(clock.contains("resets = <&scmi_reset 0x0>;"))
    #expect(clock.contains("assigned-clock-parents = <&scmi_clk 0x0>;"))
    #expect(clock.contains("clock-names = \"apb_pclk\";"))
  }

  @Test func cpusBehindTheLastNameHaveTheLastDomain() throws {
    let tree = try lines(cpuCount: 3) { platform in
      platform.performanceDomains = ["little", "big"].map { name in
        PerformanceDomainDefinition(name) { $0.operatingPoints = [OperatingPoint(level: 1)] }
      }
      platform.tree.cpus = ["little", "big"]
    }

    let domains = try (0..<3).map { cpu in
      try node("cpu@\(cpu)", in: tree).first { $0.hasPrefix("power-domains") }
    }
    #expect(
      domains == [
        "power-domains = <&scmi_perf 0x0>;", "power-domains = <&scmi_perf 0x1>;", "power-domains = <&scmi_perf 0x1>;",
      ]
    )
  }

  @Test func thermalZoneHasItsSensorAndTrips() throws {
    let tree = try lines { platform in
      platform.sensors = [SensorDefinition("board"), SensorDefinition("die")]
      platform.tree.thermalZones = [
        ThermalZoneDefinition("die", sensor: "die") { $0.trips = [.init(.critical, temperature: 100_000)] }
      ]
    }

    #expect(try node("die-thermal", in: tree).contains("thermal-sensors = <&scmi_sensor 0x1>;"))
    #expect(try node("trip-0", in: tree).contains("type = \"critical\";"))
  }

  @Test func functionOfAConsumerBecomesAPinState() throws {
    let tree = try lines { platform in
      platform.clocks = clocks
      platform.pins = [PinDefinition("p0")]
      platform.groups = [GroupDefinition("g") { $0.pins = ["p0"] }]
      platform.functions = [FunctionDefinition("f") { $0.groups = ["g"] }]
      platform.tree.consumers = [
        ConsumerDefinition("port", .bus, [ResourceName(.clock, "pixel"), ResourceName(.function, "f")])
      ]
    }

    #expect(try node("port-pins", in: tree).contains("groups = \"g\";"))
    #expect(try node("bus@c000000", in: tree).contains("pinctrl-0 = <&{/firmware/scmi/protocol@19/port-pins}>;"))
  }

  @Test func treeKeepsTheLimitThatItIsPlacedWith() throws {
    let definition = PlatformDefinition { platform in
      platform.agents = [AgentDefinition("guest")]
      platform.regulators = (0..<200).map { number in
        VoltageDomainDefinition("a-regulator-with-a-name-of-as-many-as-sixty-three-character-\(number)") {
          $0.levels = .list([1_000, 2_000])
        }
      }
      platform.tree.consumers = (0..<200).map { number in
        ConsumerDefinition(
          "consumer-\(number)",
          .outlet,
          [
            ResourceName(.voltageDomain, platform.regulators[number].name)
          ]
        )
      }
    }
    let place = SCMIPlace(platform: SharedPlatform(try Platform(definition)) { 0 }, agent: 0)
    var configuration = Configuration(kernel: "")
    let bare = try configuration.deviceTree().count
    configuration.devices = [Configuration.Device(.scmi(.init(place.platform)))]

    let added = UInt64(try configuration.deviceTree().count - bare)

    let limit = MachineTree.SCMI(place).sizeLimit
    #expect(added < limit)
  }

  @Test func agentMustBeNamedWhereThereAreSeveral() throws {
    let platform = SharedPlatform(
      try Platform(PlatformDefinition { $0.agents = [AgentDefinition("a"), AgentDefinition("b")] })
    ) { 0 }
    var configuration = Configuration(kernel: "")
    configuration.devices = [Configuration.Device(.scmi(.init(platform)))]

    let error = #expect(throws: ConfigurationError.self) { try configuration.deviceTree() }
    #expect(error?.exitStatus == 64)
    #expect(error?.description.contains("a, b") ?? false)
  }
}
