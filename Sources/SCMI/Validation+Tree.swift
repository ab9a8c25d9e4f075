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
    let clocks = tree.consumers.indices.filter { tree.consumers[$0].kind == .clock }
    for index in clocks.dropFirst() { fail(path + "/consumers/\(index)", "the machine has one real-time clock") }
  }

  private mutating func thermalZone(_ zone: ThermalZoneDefinition, _ path: String) {
    let isNodeName =
      2...11 ~= zone.name.utf8.count && isLetter(zone.name.utf8.first)
      && zone.name.utf8.allSatisfy { isLetter($0) || (0x30...0x39).contains($0) || $0 == 0x2D }
    expect(isNodeName, path + "/name", "expected a letter and then 1 to 10 letters, digits and hyphens")
    reference(ResourceName(.sensor, zone.sensor), path + "/sensor")
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
    for (index, resource) in consumer.resources.enumerated() { reference(resource, path + "/resources/\(index)") }
    // A device with several is attached to none of them: its driver would have to know which is for what.
    let domains = consumer.names(.powerDomain).count
    expect(domains <= 1, path + "/resources", "expected at most 1 of powerDomains, found \(domains)")
    let clocks = consumer.names(.clock)
    for clock in consumer.rates.keys.sorted() {
      expect(clocks.contains(clock), path + "/rates/\(clock)", "\"\(clock)\" is none of the consumer's clocks")
    }
    for (clock, parent) in consumer.parents.sorted(by: { $0.key < $1.key }) {
      let place = path + "/parents/\(clock)"
      expect(clocks.contains(clock), place, "\"\(clock)\" is none of the consumer's clocks")
      reference(ResourceName(.clock, parent), place)
    }
    let needed: (ResourceKind, Int)? =
      switch consumer.kind {
      case .bus: nil
      case .clock: (.clock, 1)
      case .outlet, .regulatorTest: (.voltageDomain, 1)
      }
    guard let (kind, count) = needed else {
      return expect(!clocks.isEmpty || domains > 0, path + "/resources", "expected a clock or a power domain")
    }
    let found = consumer.names(kind).count
    expect(
      found == count,
      path + "/resources",
      "expected \(count) of \(kind.name) for the kind \(consumer.kind.rawValue), found \(found)"
    )
  }

  private func isLetter(_ byte: UInt8?) -> Bool {
    guard let byte else { return false }
    return (0x61...0x7A).contains(byte | 0x20)
  }
}
