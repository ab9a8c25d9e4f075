import DeviceTree
import GuestABI
import GuestMemory
import SCMI
import SCMIFile
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
  let platform = SharedPlatform(try SCMIPlatform(definition)) { 0 }
  configuration.devices = [Configuration.Device(.scmi(.shared(agent: agent)))]
  return try configuration.deviceTreeSource(platform: platform).split(separator: "\n").map { line in
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
      platform.clocks[1].parents = ["crystal"]
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

  @Test func regulatorPromisesWhatTheAgentMaySet() throws {
    func limits(_ configure: (inout AgentDefinition) -> Void) throws -> [String] {
      let tree = try lines { platform in
        platform.regulators = [
          VoltageDomainDefinition("list") { $0.levels = .list([700, 800, 900, 1_000]) },
          VoltageDomainDefinition("range") { $0.levels = .range(minimum: 700, maximum: 1_000, step: 40) },
        ]
        platform.agents[0].resources = ["list", "range"].map {
          ResourceSelection(ResourceName(.voltageDomain, $0), minimum: 750, maximum: 950)
        }
        configure(&platform.agents[0])
      }
      return tree.filter { $0.hasPrefix("regulator-m") }.map(String.init)
    }

    #expect(
      try limits { _ in } == [
        "regulator-min-microvolt = <0x320>;", "regulator-max-microvolt = <0x384>;",
        // 780 and 940: steps of the whole range.
        "regulator-min-microvolt = <0x30c>;", "regulator-max-microvolt = <0x3ac>;",
      ]
    )
    #expect(try limits { $0.deniedCommands = [.voltage: [7]] }.isEmpty)
    #expect(
      try limits { agent in agent.resources = agent.resources?.map { ResourceSelection($0.resource, access: .read) } }
        .isEmpty
    )
  }

  @Test func whatTheAgentMayNotChangeIsNotTheDriversToChange() throws {
    let tree = try lines { platform in
      platform.clocks = clocks
      platform.clocks[1].parents = ["crystal"]
      platform.powerDomains = [PowerDomainDefinition("gpu")]
      platform.resets = [ResetDefinition("gpu")]
      platform.performanceDomains = [
        PerformanceDomainDefinition("cpu") { $0.operatingPoints = [OperatingPoint(level: 1)] }
      ]
      platform.regulators = [VoltageDomainDefinition("vdd") { $0.levels = .list([1, 2]) }]
      platform.agents[0].deniedCommands = [
        .clock: [5, 0xD], .powerDomain: [4], .reset: [4], .performance: [7], .voltage: [5],
      ]
      platform.tree.cpus = ["cpu"]
      platform.tree.consumers = [
        ConsumerDefinition(
          "display",
          .bus,
          [ResourceName(.clock, "pixel"), ResourceName(.powerDomain, "gpu"), ResourceName(.resetDomain, "gpu")]
        ) { consumer in
          consumer.rates = ["pixel": 2_000]
          consumer.parents = ["pixel": "crystal"]
        },
        ConsumerDefinition("slot", .outlet, [ResourceName(.voltageDomain, "vdd")]),
      ]
    }

    #expect(try node("bus@c000000", in: tree).contains("clocks = <&scmi_clk 0x1>;"))
    for property in ["assigned-clock", "power-domains", "resets =", "vout-supply"] {
      #expect(!tree.contains { $0.hasPrefix(property) }, "\(property)")
    }
  }

  @Test func deviceHasWhatItsDriverAsksFor() throws {
    let tree = try lines { platform in
      platform.clocks = clocks
      platform.powerDomains = [PowerDomainDefinition("npu")]
      platform.performanceDomains = [
        PerformanceDomainDefinition("npu") { $0.operatingPoints = [OperatingPoint(level: 1)] }
      ]
      platform.resets = [ResetDefinition("npu"), ResetDefinition("hidden")]
      platform.regulators = [VoltageDomainDefinition("vdd") { $0.levels = .list([1, 2]) }]
      platform.pins = [PinDefinition("p0")]
      platform.groups = [GroupDefinition("g") { $0.pins = ["p0"] }]
      platform.functions = [FunctionDefinition("f") { $0.groups = ["g"] }]
      platform.agents[0].resources = ResourceKind.allCases.flatMap { kind in
        platform.names(kind).filter { $0 != "hidden" }.map { ResourceSelection(ResourceName(kind, $0)) }
      }
      platform.tree.consumers = [
        ConsumerDefinition("first", .device) {
          $0.compatible = ["vendor,first"]; $0.registers = [.init(size: 8)]
        },
        ConsumerDefinition("npu", .device) { device in
          device.compatible = ["vendor,npu", "vendor,any"]
          device.resources = [
            ResourceName(.clock, "pixel"), ResourceName(.clock, "crystal"), ResourceName(.resetDomain, "hidden"),
            ResourceName(.resetDomain, "npu"), ResourceName(.powerDomain, "npu"),
            ResourceName(.performanceDomain, "npu"), ResourceName(.voltageDomain, "vdd"), ResourceName(.function, "f"),
          ]
          device.rates = ["pixel": 2_000]
          device.node.names = [ResourceName(.clock, "pixel"): "core", ResourceName(.voltageDomain, "vdd"): "vnpu"]
          device.node.properties = [
            ("vendor,flag", .flag), ("vendor,text", .strings(["a", "b"])), ("vendor,cells", .cells([1, 2])),
            ("vendor,wide", .wide([1 << 32])), ("vendor,bytes", .bytes([0xAB])),
          ]
          device.node.children = [
            ChildDefinition("port@1") { child in
              child.resources = [ResourceName(.clock, "crystal")]
              child.node.properties = [("reg", .cells([1]))]
            }
          ]
          device.registers = [.init("control", size: 4_096), .init("table", size: 8_192)]
          device.interrupts = [.init("done"), .init("fault", trigger: .level)]
        },
      ]
    }

    #expect(try node("first@d000000", in: tree).contains("reg = <0x0 0xd000000 0x0 0x8>;"))
    let npu = try node("npu@d001000", in: tree)
    for line in [
      "compatible = \"vendor,npu\", \"vendor,any\";", "reg = <0x0 0xd001000 0x0 0x1000 0x0 0xd002000 0x0 0x2000>;",
      "reg-names = \"control\", \"table\";", "interrupts = <0x0 0x70 0x1 0x0 0x71 0x4>;",
      "interrupt-names = \"done\", \"fault\";", "clocks = <&scmi_clk 0x1 &scmi_clk 0x0>;",
      "clock-names = \"core\", \"crystal\";", "resets = <&scmi_reset 0x0>;", "reset-names = \"npu\";",
      "power-domains = <&scmi_power 0x0 &scmi_perf 0x0>;", "power-domain-names = \"npu\", \"npu\";",
      "vnpu-supply = <&scmi_regulator0>;",
      "assigned-clock-rates = <0x7d0>;", "pinctrl-0 = <&{/firmware/scmi/protocol@19/npu-pins}>;", "vendor,flag;",
      "vendor,text = \"a\", \"b\";",
      "vendor,cells = <0x1 0x2>;", "vendor,wide = <0x1 0x0>;", "vendor,bytes = [ab];",
    ] { #expect(npu.contains { $0 == line }, "\(line) in \(npu)") }
    #expect(try node("port@1", in: tree).contains("clocks = <&scmi_clk 0x0>;"))
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
    let place = SCMIPlace(platform: SharedPlatform(try SCMIPlatform(definition)) { 0 }, agent: 0)
    var configuration = Configuration(kernel: "")
    let bare = try configuration.deviceTree().count
    configuration.devices = [Configuration.Device(.scmi(.shared()))]

    let added = UInt64(try configuration.deviceTree(platform: place.platform).count - bare)

    let limit = MachineTree.SCMI(place.platform, agent: place.agent).sizeLimit
    #expect(added < limit)
  }

  @Test func agentMustBeNamedWhereThereAreSeveral() throws {
    let platform = SharedPlatform(
      try SCMIPlatform(PlatformDefinition { $0.agents = [AgentDefinition("a"), AgentDefinition("b")] })
    ) { 0 }
    var configuration = Configuration(kernel: "")
    configuration.devices = [Configuration.Device(.scmi(.shared()))]

    let error = #expect(throws: ConfigurationError.self) { try configuration.deviceTree(platform: platform) }
    #expect(error?.exitStatus == 64)
    #expect(error?.description.contains("a, b") ?? false)
  }

  @Test func theRegistersOfAPlatformsConsumersHaveTheirPlacesOnTheMap() throws {
    var definition = PlatformDefinition { $0.agents = [AgentDefinition("guest")] }
    definition.tree.consumers = [
      ConsumerDefinition("npu", .device) {
        $0.compatible = ["vendor,npu"]; $0.registers = [.init("control", size: 8), .init("table", size: 4_096)]
      }
    ]
    let platform = SharedPlatform(try SCMIPlatform(definition)) { 0 }
    var configuration = Configuration(kernel: "")
    configuration.devices = [Configuration.Device(.scmi(.shared(agent: "guest")))]
    var problems: [ConfigurationError.Problem] = []

    let place = configuration.openPlatform(platform, &problems)
    let regions = Board(configuration, platform: place, gic: .v3).regions

    let consumers = regions.filter { $0.name == "SCMI consumer" }.map(\.range)
    #expect(consumers.map(\.start.rawValue) == [0x0D00_0000, 0x0D00_1000] && problems.isEmpty)
    #expect(consumers.allSatisfy { MemoryMap.platformBus.contains($0) })
    #expect(zip(regions, regions.dropFirst()).allSatisfy { !$0.range.overlaps($1.range) })
  }
}
