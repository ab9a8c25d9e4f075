import DeviceTree
import Host
package import SCMI

extension MachineTree {
  /// The part of the tree that an SCMI platform gives one agent (Linux: bindings/firmware/arm,scmi.yaml).
  package struct SCMI: Sendable {
    let view: AgentView
    /// The whole platform, whatever the agent sees of it.
    package let definition: PlatformDefinition
    /// Where the devices of the platform's tree stand, in the order of the consumers.
    package let places: [PlatformDevicePlace]
    let handles: Handles

    /// - Parameters:
    ///   - agent: the number in the definition of the agent that the machine is.
    ///   - firstHandle: what is added to each phandle that it gives its nodes.
    package init(_ platform: SharedPlatform, agent: Int, firstHandle: UInt32 = 0) {
      handles = Handles(first: firstHandle)
      definition = platform.definition
      places = PlatformDevicePlace.all(of: definition.tree)
      view = platform.change { platform, _ in platform.view(of: agent) }
    }

    /// The phandles of its nodes.
    struct Handles: Equatable, Sendable {
      let first: UInt32

      func of(_ identifier: ProtocolIdentifier) -> UInt32 { first + 0x100 + UInt32(identifier.rawValue) }
      func regulator(_ identifier: UInt32) -> UInt32 { first + 0x1_0000 + identifier }
      func pins(_ index: Int) -> UInt32 { first + 0x2_0000 + UInt32(index) }
      func trip(_ zone: Int, _ trip: Int) -> UInt32 { first + 0x3_0000 + UInt32(zone << 8 + trip) }

      /// Whether a phandle may be one of them.
      static func mayHave(_ handle: UInt32) -> Bool { 0x100..<0x200 ~= handle || 0x1_0000..<0x1000_0000 ~= handle }
    }

    /// More bytes than it takes.
    package var sizeLimit: UInt64 {
      let regulators = definition.regulators.reduce(0) { $0 + 320 + 2 * $1.name.utf8.count }
      let zones = definition.tree.thermalZones.reduce(0) { $0 + 512 + 256 * $1.trips.count }
      let consumers = definition.tree.consumers.reduce(0) { sum, consumer in
        let lines = consumer.registers.count + consumer.interrupts.count
        return sum + 1024 + 128 * lines + consumer.compatible.sizeLimit
          + Self.sizeLimit(consumer.resources, consumer.node)
      }
      return UInt64(4096 + regulators + zones + consumers)
    }

    private static func sizeLimit(_ resources: [ResourceName], _ node: DeviceNodeDefinition) -> Int {
      let names = resources.reduce(0) { $0 + 64 + 2 * $1.name.utf8.count + (node.names[$1]?.utf8.count ?? 0) }
      let properties = node.properties.reduce(0) { sum, property in
        let size =
          switch property.value {
          case .flag: 0
          case .strings(let strings): strings.sizeLimit
          case .cells(let cells): 4 * cells.count
          case .wide(let numbers): 8 * numbers.count
          case .bytes(let bytes): bytes.count
          }
        return sum + 64 + size
      }
      return names + properties
        + node.children.reduce(0) { sum, child in
          sum + 256 + child.compatible.sizeLimit + sizeLimit(child.resources, child.node)
        }
    }

    // MARK: Nodes

    func write(_ root: inout DeviceTreeWriter) {
      root.node("firmware") { writePlatform(&$0) }
      if hasThermalZones { root.node("thermal-zones") { writeThermalZones(&$0) } }
      for (index, consumer) in definition.tree.consumers.enumerated() { node(of: consumer, at: index, &root) }
    }

    /// What is in the node `firmware`.
    func writePlatform(_ firmware: inout DeviceTreeWriter) {
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

    private func protocolNode(_ identifier: ProtocolIdentifier, _ scmi: inout DeviceTreeWriter) {
      let number = UInt32(identifier.rawValue)
      let cells = identifier.cellsProperty
      scmi.node(
        "protocol@\(hexadecimalDigits(UInt64(number)))",
        label: identifier.label,
        phandle: cells.map { _ in handles.of(identifier) }
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
            "regulator@\(hexadecimalDigits(UInt64(identifier)))",
            label: "scmi_regulator\(identifier)",
            phandle: handles.regulator(identifier)
          ) { node in
            node.property("reg", cells: [identifier])
            node.property("regulator-name", regulator.name)
            if let voltages = voltages(regulator.name) {
              node.property("regulator-min-microvolt", cells: [voltages.lowerBound])
              node.property("regulator-max-microvolt", cells: [voltages.upperBound])
            }
          }
        }
      }
    }

    /// What the agent may set a regulator to, in microvolts: where that is nothing, Linux is to leave it as it is.
    private func voltages(_ name: String) -> ClosedRange<UInt32>? {
      let resource = ResourceName(.voltageDomain, name)
      // Linux has no negative voltages.
      guard view.may(VoltageProtocol.Message.levelSet, on: .voltageDomain, name),
        let bounds = view.resource(.voltageDomain, name)?.bounds,
        let settable = definition.settableBounds(resource, within: bounds), settable.lowerBound >= 0
      else { return nil }
      return UInt32(settable.lowerBound)...UInt32(settable.upperBound)
    }

    /// Pin settings of those consumers that name a function.
    private func pinStates(_ node: inout DeviceTreeWriter) {
      for (index, consumer) in definition.tree.consumers.enumerated() {
        guard let function = pinFunction(of: consumer) else { continue }
        node.node("\(consumer.name)-pins", phandle: handles.pins(index)) { pins in
          pins.property("function", function)
          pins.property("groups", strings: pinGroups(function, consumer.names(.group)))
        }
      }
    }

    /// The consumer's function, where the agent has it and may set the pins of a group.
    package func pinFunction(of consumer: ConsumerDefinition) -> String? {
      consumer.names(.function).first { function in
        view.may(PinControlProtocol.Message.settingsConfigure, on: .function, function)
          && !pinGroups(function, consumer.names(.group)).isEmpty
      }
    }

    /// Those of the groups that are the agent's; where none is named, all of the function's.
    private func pinGroups(_ function: String, _ named: [String]) -> [String] {
      let all = named.isEmpty ? definition.functions.first { $0.name == function }?.groups ?? [] : named
      return all.filter { view.may(PinControlProtocol.Message.settingsConfigure, on: .group, $0) }
    }

    private var zones: [ThermalZoneDefinition] {
      definition.tree.thermalZones.filter { view.identifier(.sensor, $0.sensor) != nil }
    }

    var hasThermalZones: Bool { !zones.isEmpty }

    /// What is in the node `thermal-zones`.
    func writeThermalZones(_ node: inout DeviceTreeWriter) {
      for (index, zone) in zones.enumerated() {
        let identifier = view.identifier(.sensor, zone.sensor) ?? 0
        node.node("\(zone.name)-thermal") { node in
          node.property("polling-delay", cells: [zone.pollingInterval])
          node.property("polling-delay-passive", cells: [zone.pollingInterval])
          node.property("thermal-sensors", cells: [handles.of(.sensor), identifier])
          guard !zone.trips.isEmpty else { return }
          node.node("trips") { trips in
            for (number, trip) in zone.trips.enumerated() {
              trips.node("trip-\(number)", phandle: handles.trip(index, number)) { node in
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

extension [String] {
  /// More bytes than they take as a property.
  fileprivate var sizeLimit: Int { reduce(64) { $0 + $1.utf8.count + 1 } }
}
