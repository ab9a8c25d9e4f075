import DeviceTree
import GuestMemory
import Host
package import SCMI

/// The nodes that use a platform's resources. What the agent has not, or may not change as a driver would, is not
/// named.
extension MachineTree.SCMI {
  /// A CPU's performance domain, where the agent may set its level (PERFORMANCE_LEVEL_SET).
  func describe(cpu: Int, _ node: inout DeviceTreeWriter) {
    let names = definition.tree.cpus
    guard let last = names.last else { return }
    let name = cpu < names.count ? names[cpu] : last
    guard let identifier = settable(.performanceDomain, name) else { return }
    node.property("power-domains", cells: [handles.of(.performance), identifier])
    node.property("power-domain-names", "perf")
  }

  /// What the machine's real-time clock uses, where the agent has its clock.
  package var clockConsumer: ConsumerDefinition? {
    definition.tree.consumers.first { $0.kind == .clock && !clocks(of: $0).isEmpty }
  }

  func node(of consumer: ConsumerDefinition, at index: Int, _ root: inout DeviceTreeWriter) {
    switch consumer.kind {
    case .clock: break
    case .bus: bus(consumer, at: index, &root)
    case .outlet: node(of: consumer, "regulator-output", supply: "vout-supply", &root)
    case .regulatorTest: node(of: consumer, "regulator-virtual-consumer", supply: "default-supply", &root)
    case .device:
      if hasDevice(consumer) { device(consumer, at: index, &root) }
    }
  }

  private func bus(_ consumer: ConsumerDefinition, at index: Int, _ root: inout DeviceTreeWriter) {
    guard
      !clocks(of: consumer).isEmpty || !consumer.names(.powerDomain).compactMap({ settable(.powerDomain, $0) }).isEmpty
    else { return }
    // The name is the binding's. A bus has addresses, where nothing is.
    let range = PlatformDevicePlace.bus(index)
    root.node("bus@\(hexadecimalDigits(range.start.rawValue))") { node in
      node.property("compatible", "simple-pm-bus")
      node.property("#address-cells", cells: [1])
      node.property("#size-cells", cells: [1])
      node.property("ranges", cells: [0, 0, UInt32(range.start.rawValue), UInt32(range.size)])
      node.property("label", consumer.name)
      use(by: consumer, &node)
    }
  }

  /// A node of which a regulator is the supply, where the agent has the regulator. An outlet switches it
  /// (VOLTAGE_CONFIG_SET).
  private func node(
    of consumer: ConsumerDefinition,
    _ compatible: String,
    supply: String,
    _ root: inout DeviceTreeWriter
  ) {
    guard let name = consumer.names(.voltageDomain).first,
      let regulator = view.identifier(.voltageDomain, name),
      consumer.kind != .outlet || view.may(VoltageProtocol.Message.configSet, on: .voltageDomain, name)
    else { return }
    root.node(consumer.name) { node in
      node.property("compatible", compatible)
      node.property(supply, cells: [handles.regulator(regulator)])
      use(by: consumer, &node)
    }
  }

  /// The properties by which a node uses clocks, power domains, resets and pins.
  func use(by consumer: ConsumerDefinition, _ node: inout DeviceTreeWriter) {
    let clocks = clocks(of: consumer)
    if !clocks.isEmpty { node.property("clocks", cells: cells(.clock, clocks.map(\.identifier))) }
    let powerDomains = consumer.names(.powerDomain).compactMap { settable(.powerDomain, $0) }
    if !powerDomains.isEmpty { node.property("power-domains", cells: cells(.powerDomain, powerDomains)) }
    let resets = consumer.names(.resetDomain).compactMap { settable(.resetDomain, $0) }
    if !resets.isEmpty { node.property("resets", cells: cells(.reset, resets)) }
    pins(of: consumer, &node)
    assign(consumer, clocks, &node)
  }

  private func pins(of consumer: ConsumerDefinition, _ node: inout DeviceTreeWriter) {
    guard pinFunction(of: consumer) != nil else { return }
    let index = definition.tree.consumers.firstIndex { $0.name == consumer.name } ?? 0
    node.property("pinctrl-names", "default")
    node.property("pinctrl-0", cells: [handles.pins(index)])
  }

  /// Rates and parents that the guest sets when it begins (CLOCK_RATE_SET, CLOCK_PARENT_SET).
  private func assign(
    _ consumer: ConsumerDefinition,
    _ clocks: [(name: String, identifier: UInt32)],
    _ node: inout DeviceTreeWriter
  ) {
    func rate(_ name: String) -> UInt32? {
      view.may(ClockProtocol.Message.rateSet, on: .clock, name) ? consumer.rates[name] : nil
    }
    func parent(_ name: String) -> UInt32? {
      guard view.may(ClockProtocol.Message.parentSet, on: .clock, name) else { return nil }
      return consumer.parents[name].flatMap { view.identifier(.clock, $0) }
    }
    let assigned = clocks.filter { rate($0.name) != nil || parent($0.name) != nil }
    guard !assigned.isEmpty else { return }
    node.property("assigned-clocks", cells: cells(.clock, assigned.map(\.identifier)))
    // A 0 leaves the clock alone (clock.yaml); parents come first, so that the rate is reached with them.
    let parents = assigned.map { parent($0.name) }
    if parents.contains(where: { $0 != nil }) {
      node.property("assigned-clock-parents", cells: parents.flatMap { $0.map { [handles.of(.clock), $0] } ?? [0] })
    }
    node.property("assigned-clock-rates", cells: assigned.map { rate($0.name) ?? 0 })
  }

  private func cells(_ identifier: ProtocolIdentifier, _ numbers: [UInt32]) -> [UInt32] {
    numbers.flatMap { [handles.of(identifier), $0] }
  }

  private func clocks(of consumer: ConsumerDefinition) -> [(name: String, identifier: UInt32)] {
    consumer.names(.clock).compactMap { name in view.identifier(.clock, name).map { (name, $0) } }
  }

  /// The agent's identifier for what it may change: Linux changes it before a driver is there, and gives up where it
  /// is refused.
  private func settable(_ kind: ResourceKind, _ name: String) -> UInt32? {
    let isSettable =
      switch kind {
      case .performanceDomain: view.may(PerformanceProtocol.Message.levelSet, on: kind, name)
      case .powerDomain: view.may(PowerDomainProtocol.Message.stateSet, on: kind, name)
      case .resetDomain: view.may(ResetProtocol.Message.reset, on: kind, name)
      default: preconditionFailure("a device tree has Linux set power domains and resets alone")
      }
    return isSettable ? view.identifier(kind, name) : nil
  }

  // MARK: - Devices of any driver

  /// Whether the agent's tree has a device: it has one of its resources, or there are none.
  package func hasDevice(_ consumer: ConsumerDefinition) -> Bool {
    consumer.kind == .device
      && (consumer.resources.isEmpty || consumer.resources.contains { view.resource($0.kind, $0.name) != nil })
  }

  private func device(_ consumer: ConsumerDefinition, at index: Int, _ root: inout DeviceTreeWriter) {
    let place = places[index]
    let address = place.registers.first.map { "@" + hexadecimalDigits($0.start.rawValue) } ?? ""
    let label = "device_" + String(consumer.name.map { $0 == "-" ? "_" : $0 })
    root.node(consumer.name + address, label: label) { node in
      node.property("compatible", strings: consumer.compatible)
      if !place.registers.isEmpty {
        node.property("reg", wide: place.registers.flatMap { [$0.start.rawValue, $0.size] })
        let names = consumer.registers.map(\.name)
        if names.allSatisfy({ !$0.isEmpty }) { node.property("reg-names", strings: names) }
      }
      if !consumer.interrupts.isEmpty {
        node.property(
          "interrupts",
          cells: zip(place.interrupts, consumer.interrupts).flatMap { number, line in
            [0, number, line.trigger == .edge ? 1 : 4] as [UInt32]
          }
        )
        let names = consumer.interrupts.map(\.name)
        if names.allSatisfy({ !$0.isEmpty }) { node.property("interrupt-names", strings: names) }
      }
      resources(consumer.resources, consumer.node.names, &node)
      pins(of: consumer, &node)
      assign(consumer, clocks(of: consumer), &node)
      inside(consumer.node, &node)
    }
  }

  /// Each resource under the name by which the driver asks for it.
  private func resources(
    _ resources: [ResourceName],
    _ names: [ResourceName: String],
    _ node: inout DeviceTreeWriter
  ) {
    func write(_ property: String, _ namesProperty: String, _ kinds: [ResourceKind], mustBeSettable: Bool) {
      let used = resources.filter { kinds.contains($0.kind) }.compactMap { resource in
        (mustBeSettable ? settable(resource.kind, resource.name) : view.identifier(resource.kind, resource.name)).map {
          (resource: resource, identifier: $0)
        }
      }
      guard !used.isEmpty else { return }
      node.property(
        property,
        cells: used.flatMap { [handles.of($0.resource.kind.protocolIdentifier), $0.identifier] }
      )
      node.property(namesProperty, strings: used.map { names[$0.resource] ?? $0.resource.name })
    }
    write("clocks", "clock-names", [.clock], mustBeSettable: false)
    write("power-domains", "power-domain-names", [.powerDomain, .performanceDomain], mustBeSettable: true)
    write("resets", "reset-names", [.resetDomain], mustBeSettable: true)
    for resource in resources where resource.kind == .voltageDomain {
      guard let identifier = view.identifier(.voltageDomain, resource.name) else { continue }
      node.property("\(names[resource] ?? resource.name)-supply", cells: [handles.regulator(identifier)])
    }
  }

  /// Properties of the definition's own, and children.
  private func inside(_ definition: DeviceNodeDefinition, _ node: inout DeviceTreeWriter) {
    for property in definition.properties {
      switch property.value {
      case .flag: node.property(property.name)
      case .strings(let strings): node.property(property.name, strings: strings)
      case .cells(let cells): node.property(property.name, cells: cells)
      case .wide(let numbers): node.property(property.name, wide: numbers)
      case .bytes(let bytes): node.property(property.name, bytes: bytes)
      }
    }
    for child in definition.children {
      node.node(child.name) { node in
        if !child.compatible.isEmpty { node.property("compatible", strings: child.compatible) }
        resources(child.resources, child.node.names, &node)
        inside(child.node, &node)
      }
    }
  }
}
