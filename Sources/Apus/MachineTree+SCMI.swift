import DeviceTree
import SCMI

extension MachineTree {
  /// The part of the tree that an SCMI platform gives one agent (Linux: bindings/firmware/arm,scmi.yaml).
  struct SCMI: Sendable {
    private let view: AgentView
    private let definition: PlatformDefinition

    init(_ place: SCMIPlace) {
      definition = place.platform.definition
      view = place.platform.change { platform, _ in platform.view(of: place.agent) }
    }

    private enum Handle {
      static func of(_ identifier: ProtocolIdentifier) -> UInt32 { 0x100 + UInt32(identifier.rawValue) }
      static func regulator(_ identifier: UInt32) -> UInt32 { 0x1_0000 + identifier }
      static func pins(_ index: Int) -> UInt32 { 0x2_0000 + UInt32(index) }
      static func trip(_ zone: Int, _ trip: Int) -> UInt32 { 0x3_0000 + UInt32(zone << 8 + trip) }
    }

    /// Where QEMU's virt board has its platform bus.
    private static let busAddress: UInt32 = 0x0C00_0000
    private static let busSize: UInt32 = 0x1000

    /// More bytes than it takes.
    var sizeLimit: UInt64 {
      let regulators = definition.regulators.reduce(0) { $0 + 320 + 2 * $1.name.utf8.count }
      let zones = definition.tree.thermalZones.reduce(0) { $0 + 512 + 256 * $1.trips.count }
      let consumers = definition.tree.consumers.reduce(0) { sum, consumer in
        let names = consumer.resources.reduce(0) { $0 + 64 + 2 * $1.name.utf8.count }
        return sum + 1024 + names
      }
      return UInt64(4096 + regulators + zones + consumers)
    }

    // MARK: Nodes

    func write(_ root: inout DeviceTreeWriter) {
      root.node("firmware") { firmware in
        firmware.node("scmi", label: "scmi") { scmi in
          scmi.property("compatible", "arm,scmi-virtio")
          scmi.property("#address-cells", cells: [1])
          scmi.property("#size-cells", cells: [0])
          if let timeout = definition.tree.replyTimeout { scmi.property("arm,max-rx-timeout-ms", cells: [timeout]) }
          for identifier in ProtocolIdentifier.allCases where identifier != .base && view.has(identifier) {
            protocolNode(identifier, &scmi)
          }
        }
      }
      thermalZones(&root)
      for consumer in definition.tree.consumers { node(of: consumer, &root) }
    }

    private func protocolNode(_ identifier: ProtocolIdentifier, _ scmi: inout DeviceTreeWriter) {
      let number = UInt32(identifier.rawValue)
      let cells = identifier.cellsProperty
      scmi.node(
        "protocol@\(String(number, radix: 16))",
        label: identifier.label,
        phandle: cells.map { _ in Handle.of(identifier) }
      ) { node in
        node.property("reg", cells: [number])
        if let cells { node.property(cells, cells: [1]) }
        switch identifier {
        case .voltage: regulators(&node)
        case .pinControl: pinStates(&node)
        default: break
        }
      }
    }

    private func regulators(_ node: inout DeviceTreeWriter) {
      let visible = definition.regulators.compactMap { regulator in
        view.identifier(.voltageDomain, regulator.name).map { (identifier: $0, regulator: regulator) }
      }
      node.node("regulators") { regulators in
        regulators.property("#address-cells", cells: [1])
        regulators.property("#size-cells", cells: [0])
        for (identifier, regulator) in visible.sorted(by: { $0.identifier < $1.identifier }) {
          regulators.node(
            "regulator@\(String(identifier, radix: 16))",
            label: "scmi_regulator\(identifier)",
            phandle: Handle.regulator(identifier)
          ) { node in
            node.property("reg", cells: [identifier])
            node.property("regulator-name", regulator.name)
            if let (lowest, highest) = regulator.levels.bounds, lowest >= 0 {
              node.property("regulator-min-microvolt", cells: [UInt32(lowest)])
              node.property("regulator-max-microvolt", cells: [UInt32(highest)])
            }
          }
        }
      }
    }

    /// Pin settings of those consumers that name a function.
    private func pinStates(_ node: inout DeviceTreeWriter) {
      for (index, consumer) in definition.tree.consumers.enumerated() {
        guard let function = pinFunction(of: consumer) else { continue }
        let groups = consumer.names(.group).filter { view.identifier(.group, $0) != nil }
        let all = definition.functions.first { $0.name == function }?.groups ?? []
        node.node("\(consumer.name)-pins", phandle: Handle.pins(index)) { pins in
          pins.property("function", function)
          pins.property("groups", strings: groups.isEmpty ? all : groups)
        }
      }
    }

    private func pinFunction(of consumer: ConsumerDefinition) -> String? {
      consumer.names(.function).first { view.identifier(.function, $0) != nil }
    }

    private func thermalZones(_ root: inout DeviceTreeWriter) {
      let zones = definition.tree.thermalZones.filter { view.identifier(.sensor, $0.sensor) != nil }
      guard !zones.isEmpty else { return }
      root.node("thermal-zones") { node in
        for (index, zone) in zones.enumerated() {
          let identifier = view.identifier(.sensor, zone.sensor) ?? 0
          node.node("\(zone.name)-thermal") { node in
            node.property("polling-delay", cells: [zone.pollingInterval])
            node.property("polling-delay-passive", cells: [zone.pollingInterval])
            node.property("thermal-sensors", cells: [Handle.of(.sensor), identifier])
            guard !zone.trips.isEmpty else { return }
            node.node("trips") { trips in
              for (number, trip) in zone.trips.enumerated() {
                trips.node("trip-\(number)", phandle: Handle.trip(index, number)) { node in
                  node.property("temperature", cells: [UInt32(bitPattern: trip.temperature)])
                  node.property("hysteresis", cells: [trip.hysteresis])
                  node.property("type", trip.kind.rawValue)
                }
              }
            }
          }
        }
      }
    }

    // MARK: Consumers

    /// A CPU's performance domain.
    func describe(cpu: Int, _ node: inout DeviceTreeWriter) {
      let names = definition.tree.cpus
      guard let last = names.last,
        let identifier = view.identifier(.performanceDomain, cpu < names.count ? names[cpu] : last)
      else { return }
      node.property("power-domains", cells: [Handle.of(.performance), identifier])
      node.property("power-domain-names", "perf")
    }

    /// What the machine's real-time clock uses, where the agent has its clock.
    var clockConsumer: ConsumerDefinition? {
      definition.tree.consumers.first { $0.kind == .clock && !clocks(of: $0).isEmpty }
    }

    private func node(of consumer: ConsumerDefinition, _ root: inout DeviceTreeWriter) {
      switch consumer.kind {
      case .clock: break
      case .bus:
        guard !clocks(of: consumer).isEmpty || !identifiers(.powerDomain, consumer).isEmpty else { return }
        // The name is the binding's. A bus has addresses, where nothing is.
        let address = Self.busAddress + Self.busSize * UInt32(index(of: consumer))
        root.node("bus@\(String(address, radix: 16))") { node in
          node.property("compatible", "simple-pm-bus")
          node.property("#address-cells", cells: [1])
          node.property("#size-cells", cells: [1])
          node.property("ranges", cells: [0, 0, address, Self.busSize])
          node.property("label", consumer.name)
          use(by: consumer, &node)
        }
      case .outlet: node(of: consumer, "regulator-output", supply: "vout-supply", &root)
      case .regulatorTest: node(of: consumer, "regulator-virtual-consumer", supply: "default-supply", &root)
      }
    }

    /// A node of which a regulator is the supply, where the agent has the regulator.
    private func node(
      of consumer: ConsumerDefinition,
      _ compatible: String,
      supply: String,
      _ root: inout DeviceTreeWriter
    ) {
      let regulators = consumer.names(.voltageDomain).lazy.compactMap { view.identifier(.voltageDomain, $0) }
      guard let regulator = regulators.first else { return }
      root.node(consumer.name) { node in
        node.property("compatible", compatible)
        node.property(supply, cells: [Handle.regulator(regulator)])
        use(by: consumer, &node)
      }
    }

    /// Its place among all consumers.
    private func index(of consumer: ConsumerDefinition) -> Int {
      definition.tree.consumers.firstIndex { $0.name == consumer.name } ?? 0
    }

    /// The properties by which a node uses clocks, power domains, resets and pins.
    func use(by consumer: ConsumerDefinition, _ node: inout DeviceTreeWriter) {
      let clocks = clocks(of: consumer)
      func cells(_ identifier: ProtocolIdentifier, _ numbers: [UInt32]) -> [UInt32] {
        numbers.flatMap { [Handle.of(identifier), $0] }
      }
      if !clocks.isEmpty { node.property("clocks", cells: cells(.clock, clocks.map(\.identifier))) }
      let powerDomains = identifiers(.powerDomain, consumer)
      if !powerDomains.isEmpty { node.property("power-domains", cells: cells(.powerDomain, powerDomains)) }
      let resets = identifiers(.resetDomain, consumer)
      if !resets.isEmpty { node.property("resets", cells: cells(.reset, resets)) }
      if pinFunction(of: consumer) != nil {
        node.property("pinctrl-names", "default")
        node.property("pinctrl-0", cells: [Handle.pins(index(of: consumer))])
      }
      let assigned = clocks.filter { consumer.rates[$0.name] != nil || consumer.parents[$0.name] != nil }
      guard !assigned.isEmpty else { return }
      node.property("assigned-clocks", cells: cells(.clock, assigned.map(\.identifier)))
      // A 0 leaves the clock alone (clock.yaml); parents come first, so that the rate is reached with them.
      let parents = assigned.map { clock in
        consumer.parents[clock.name].flatMap { view.identifier(.clock, $0) }
      }
      if parents.contains(where: { $0 != nil }) {
        node.property("assigned-clock-parents", cells: parents.flatMap { $0.map { [Handle.of(.clock), $0] } ?? [0] })
      }
      node.property("assigned-clock-rates", cells: assigned.map { consumer.rates[$0.name] ?? 0 })
    }

    private func clocks(of consumer: ConsumerDefinition) -> [(name: String, identifier: UInt32)] {
      consumer.names(.clock).compactMap { name in view.identifier(.clock, name).map { (name, $0) } }
    }

    private func identifiers(_ kind: ResourceKind, _ consumer: ConsumerDefinition) -> [UInt32] {
      consumer.names(kind).compactMap { view.identifier(kind, $0) }
    }
  }
}

extension ProtocolIdentifier {
  /// By which others name its resources in a device tree.
  fileprivate var cellsProperty: String? {
    switch self {
    case .powerDomain, .performance: "#power-domain-cells"
    case .clock: "#clock-cells"
    case .sensor: "#thermal-sensor-cells"
    case .reset: "#reset-cells"
    case .base, .systemPower, .voltage, .powercap, .pinControl: nil
    }
  }
}

extension ProtocolIdentifier {
  /// Of the protocol's node.
  fileprivate var label: String {
    switch self {
    case .base: "scmi_base"
    case .powerDomain: "scmi_power"
    case .systemPower: "scmi_system"
    case .performance: "scmi_perf"
    case .clock: "scmi_clk"
    case .sensor: "scmi_sensor"
    case .reset: "scmi_reset"
    case .voltage: "scmi_voltage"
    case .powercap: "scmi_powercap"
    case .pinControl: "scmi_pinctrl"
    }
  }
}

extension VoltageLevels {
  /// The lowest and the highest, in microvolts.
  fileprivate var bounds: (lowest: Int32, highest: Int32)? {
    switch self {
    case .list(let levels): levels.first.flatMap { first in levels.last.map { (first, $0) } }
    case .range(let minimum, let maximum, _): (minimum, maximum)
    }
  }
}
