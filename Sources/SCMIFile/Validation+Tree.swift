internal import SCMI

/// What the guest's device tree tells of the platform.
extension Validator {
  mutating func tree() {
    let tree = definition.tree
    let path = "/deviceTree"
    expect(tree.replyTimeout != 0, path + "/replyTimeout", "expected 1 or more milliseconds")
    for (index, name) in tree.cpus.enumerated() {
      reference(ResourceName(.performanceDomain, name), path + "/cpus/\(index)")
    }
    var zones: Set<String> = []
    for (index, zone) in tree.thermalZones.enumerated() {
      thermalZone(zone, path + "/thermalZones/\(index)")
      expect(zones.insert(zone.name).inserted, path + "/thermalZones/\(index)/name", "\"\(zone.name)\" is there twice")
    }
    var consumers: Set<String> = []
    for (index, consumer) in tree.consumers.enumerated() {
      let place = path + "/consumers/\(index)"
      self.consumer(consumer, place)
      expect(consumers.insert(consumer.name).inserted, place + "/name", "\"\(consumer.name)\" is there twice")
    }
    expect(tree.consumers.count <= 4_096, path + "/consumers", "expected at most 4096 consumers")
    let properties = tree.consumers.reduce(0) { $0 + $1.node.propertyCount }
    expect(
      properties <= DeviceNodeDefinition.maximumProperties,
      path + "/consumers",
      "\(properties) properties are too many; expected at most \(DeviceNodeDefinition.maximumProperties) in all"
    )
    let clocks = tree.consumers.indices.filter { tree.consumers[$0].kind == .clock }
    for index in clocks.dropFirst() { fail(path + "/consumers/\(index)", "the machine has one real-time clock") }
    assignedParents(tree.consumers, path + "/consumers")
    devices(tree.consumers, path + "/consumers")
  }

  private mutating func thermalZone(_ zone: ThermalZoneDefinition, _ path: String) {
    let isNodeName =
      2...11 ~= zone.name.utf8.count && isLetter(zone.name.utf8.first)
      && zone.name.utf8.allSatisfy { isLetter($0) || (0x30...0x39).contains($0) || $0 == 0x2D }
    expect(isNodeName, path + "/name", "expected a letter and then 1 to 10 letters, digits and hyphens")
    reference(ResourceName(.sensor, zone.sensor), path + "/sensor")
    expect(zone.trips.count <= 256, path + "/trips", "expected at most 256 trips")
    for (index, trip) in zone.trips.enumerated() {
      let place = path + "/trips/\(index)/temperature"
      expect((-273_000...200_000).contains(trip.temperature), place, "expected -273000 to 200000 (thousandths of °C)")
    }
  }

  private mutating func consumer(_ consumer: ConsumerDefinition, _ path: String) {
    let isNodeName =
      1...31 ~= consumer.name.utf8.count && isLetter(consumer.name.utf8.first)
      && consumer.name.utf8.allSatisfy { (0x61...0x7A).contains($0) || (0x30...0x39).contains($0) || $0 == 0x2D }
    expect(
      isNodeName,
      path + "/name",
      "expected a lower-case letter, then lower-case letters, digits and hyphens, at most 31 in all"
    )
    resources(consumer.resources, of: consumer.kind, path)
    rates(consumer, path)
    parents(consumer, path)
    if consumer.kind != .device { isPlain(consumer, path) }
    let needed: (ResourceKind, Int)? =
      switch consumer.kind {
      case .bus, .device: nil
      case .clock: (.clock, 1)
      case .outlet, .regulatorTest: (.voltageDomain, 1)
      }
    guard let (kind, count) = needed else {
      if consumer.kind == .device { return device(consumer, path) }
      return expect(
        !consumer.names(.clock).isEmpty || !consumer.names(.powerDomain).isEmpty,
        path + "/resources",
        "expected a clock or a power domain"
      )
    }
    let found = consumer.names(kind).count
    expect(
      found == count,
      path + "/resources",
      "expected \(count) of \(kind.name) for the kind \(consumer.kind.rawValue), found \(found)"
    )
  }

  /// Resources that exist, and for which the consumer's node has a property.
  mutating func resources(_ resources: [ResourceName], of kind: ConsumerDefinition.Kind, _ path: String) {
    var seen: Set<ResourceName> = []
    for (index, resource) in resources.enumerated() {
      let place = path + "/resources/\(index)"
      reference(resource, place)
      expect(seen.insert(resource).inserted, place, "\(resource) is there twice")
      expect(
        kind.uses.contains(resource.kind),
        place,
        "a consumer of the kind \(kind.rawValue) has no use for \(resource.kind.name); it uses "
          + kind.uses.map(\.name).joined(separator: ", ")
      )
    }
    func names(_ kind: ResourceKind) -> [String] { resources.filter { $0.kind == kind }.map(\.name) }
    // A device with several is attached to none of them: its driver has to know which is for what.
    let domains = names(.powerDomain).count
    expect(
      domains <= 1 || kind == .device,
      path + "/resources",
      "expected at most 1 of powerDomains, found \(domains)"
    )
    let functions = names(.function)
    expect(functions.count <= 1, path + "/resources", "expected at most 1 of functions, found \(functions.count)")
    let groups = names(.group)
    guard !groups.isEmpty else { return }
    guard let function = functions.first else {
      return fail(path + "/resources", "groups do something with a function only; expected one of functions, too")
    }
    let known = place(ResourceName(.function, function)).map { definition.functions[$0].groups } ?? groups
    for group in groups where !known.contains(group) {
      fail(path + "/resources", "\"\(group)\" is no group of the function \"\(function)\"")
    }
  }

  // MARK: - Clocks that a consumer sets when it begins

  private mutating func rates(_ consumer: ConsumerDefinition, _ path: String) {
    let clocks = Set(consumer.names(.clock))
    for (clock, rate) in consumer.rates.byKey {
      let key = path + "/rates/\(clock)"
      guard clocks.contains(clock) else {
        fail(key, "\"\(clock)\" is none of the consumer's clocks")
        continue
      }
      guard let place = self.place(ResourceName(.clock, clock)) else { continue }
      let known = definition.clocks[place]
      expect(known.rateControl, key, "the rate of \"\(clock)\" cannot be set: its rateControl is false")
      guard !known.allowInvalid, let values = values(of: ResourceName(.clock, clock)),
        let bounds = values.bounds(from: 0, to: .max)
      else { continue }
      expect(
        bounds.contains(Int64(rate)),
        key,
        "\"\(clock)\" cannot have \(rate) Hz; expected \(values.text)"
      )
    }
  }

  private mutating func parents(_ consumer: ConsumerDefinition, _ path: String) {
    let clocks = Set(consumer.names(.clock))
    for (clock, parent) in consumer.parents.byKey {
      let key = path + "/parents/\(clock)"
      expect(clocks.contains(clock), key, "\"\(clock)\" is none of the consumer's clocks")
      reference(ResourceName(.clock, parent), key)
      guard let place = self.place(ResourceName(.clock, clock)) else { continue }
      let known = definition.clocks[place]
      expect(known.parentControl, key, "the parent of \"\(clock)\" cannot be set: its parentControl is false")
      let possible = known.parents.isEmpty ? "it has none" : "expected one of \(known.parents.joined(separator: ", "))"
      expect(known.parents.contains(parent), key, "\"\(parent)\" is no parent of \"\(clock)\"; \(possible)")
    }
  }

  /// The parents that consumers choose must not lead back, in the order in which the guest finds the consumers.
  private mutating func assignedParents(_ consumers: [ConsumerDefinition], _ path: String) {
    guard consumers.contains(where: { !$0.parents.isEmpty }) else { return }
    let kind = Int(ResourceKind.clock.rawValue)
    let places = names[kind]
    var parents = definition.clocks.map { clock in (clock.parent ?? clock.parents.first).flatMap { places[$0] } }
    guard Relation.cycles(parents).isEmpty else { return }
    for (index, consumer) in consumers.enumerated() {
      for (clock, parent) in consumer.parents.byKey {
        guard let place = places[clock], let wanted = places[parent] else { continue }
        var way = [place, wanted]
        while let next = parents[way[way.count - 1]], way[way.count - 1] != place { way.append(next) }
        guard way[way.count - 1] == place else {
          parents[place] = wanted
          continue
        }
        let names = way.map { "\"\(definition.clocks[$0].name)\"" }
        fail(path + "/\(index)/parents/\(clock)", "the clocks' parents lead back: \(names.joined(separator: " → "))")
      }
    }
  }

  func isLetter(_ byte: UInt8?) -> Bool {
    guard let byte else { return false }
    return (0x61...0x7A).contains(byte | 0x20)
  }
}

extension ConsumerDefinition.Kind {
  /// The resources that its node names.
  var uses: [ResourceKind] {
    switch self {
    case .bus: [.clock, .powerDomain, .resetDomain, .function, .group]
    case .clock: [.clock, .powerDomain, .resetDomain, .function, .group]
    case .outlet, .regulatorTest: [.voltageDomain, .clock, .powerDomain, .resetDomain, .function, .group]
    case .device: [.clock, .powerDomain, .performanceDomain, .resetDomain, .voltageDomain, .function, .group]
    }
  }
}
