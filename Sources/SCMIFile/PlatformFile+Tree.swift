internal import PositionedJSON
internal import SCMI

extension PlatformFileReader {
  func tree(_ value: JSONValue, _ path: String) -> TreeDefinition {
    object(value, path) { fields in
      var tree = TreeDefinition()
      fields.integer("replyTimeout", &tree.replyTimeout)
      fields.strings("cpus", &tree.cpus)
      tree.thermalZones = array(fields["thermalZones"], fields.path("thermalZones"), thermalZone)
      tree.consumers = array(fields["consumers"], fields.path("consumers"), consumer)
      return tree
    }
  }

  private func thermalZone(_ value: JSONValue, _ path: String) -> ThermalZoneDefinition? {
    object(value, path) { fields in
      ThermalZoneDefinition(fields.required("name"), sensor: fields.required("sensor")) { zone in
        fields.integer("pollingInterval", &zone.pollingInterval)
        zone.trips = array(fields["trips"], fields.path("trips"), trip)
      }
    }
  }

  private func trip(_ value: JSONValue, _ path: String) -> ThermalZoneDefinition.Trip? {
    object(value, path) { fields in
      var trip = ThermalZoneDefinition.Trip(.passive, temperature: fields.required("temperature", Int32.self))
      if fields["kind"] == nil { fields.missing("kind") }
      fields.choice("kind", &trip.kind)
      fields.integer("hysteresis", &trip.hysteresis)
      return trip
    }
  }

  private func consumer(_ value: JSONValue, _ path: String) -> ConsumerDefinition? {
    object(value, path) { fields in
      if fields["kind"] == nil { fields.missing("kind") }
      return ConsumerDefinition(fields.required("name"), .bus) { consumer in
        fields.choice("kind", &consumer.kind)
        consumer.resources = array(fields["resources"], fields.path("resources"), resource)
        for member in members(fields, "rates") {
          consumer.rates[member.key] = integer(
            member.value,
            fields.path("rates") + "/" + JSONPointer.escape(member.key),
            UInt32.self
          )
        }
        for member in members(fields, "parents") {
          consumer.parents[member.key] = string(
            member.value,
            fields.path("parents") + "/" + JSONPointer.escape(member.key)
          )
        }
        fields.strings("compatible", &consumer.compatible)
        consumer.node = node(fields)
        consumer.registers = array(fields["registers"], fields.path("registers"), registers)
        consumer.interrupts = array(fields["interrupts"], fields.path("interrupts"), interrupt)
      }
    }
  }

  // MARK: - Devices

  private func node(_ fields: Fields) -> DeviceNodeDefinition {
    var node = DeviceNodeDefinition()
    for member in members(fields, "properties", of: "properties") {
      let path = fields.path("properties") + "/" + JSONPointer.escape(member.key)
      if let value = property(member.value, path) { node.properties.append((member.key, value)) }
    }
    for member in members(fields, "names", of: "resources") {
      let path = fields.path("names") + "/" + JSONPointer.escape(member.key)
      guard let name = string(member.value, path) else { continue }
      guard let resource = resource(named: member.key) else {
        fail(member.position, path, "expected a key KIND/NAME that is one of the resources")
        continue
      }
      node.names[resource] = name
    }
    node.children = array(fields["children"], fields.path("children"), child)
    return node
  }

  private func child(_ value: JSONValue, _ path: String) -> ChildDefinition? {
    object(value, path) { fields in
      ChildDefinition(fields.required("name")) { child in
        fields.strings("compatible", &child.compatible)
        child.resources = array(fields["resources"], fields.path("resources"), resource)
        child.node = node(fields)
      }
    }
  }

  private func registers(_ value: JSONValue, _ path: String) -> RegisterDefinition? {
    object(value, path) { fields in
      var registers = RegisterDefinition()
      fields.string("name", &registers.name)
      fields.integer("size", &registers.size)
      fields.integers("words", &registers.words)
      return registers
    }
  }

  private func interrupt(_ value: JSONValue, _ path: String) -> InterruptDefinition? {
    object(value, path) { fields in
      var interrupt = InterruptDefinition()
      fields.string("name", &interrupt.name)
      fields.choice("trigger", &interrupt.trigger)
      return interrupt
    }
  }

  /// true, a number, a string, an array of one of these, or an object with `wide` or `bytes`.
  private func property(_ value: JSONValue, _ path: String) -> PropertyValue? {
    switch value.content {
    case .boolean(true): return .flag
    case .number: return integer(value, path, UInt32.self).map { .cells([$0]) }
    case .string(let text): return .strings([text])
    case .array(let elements) where elements.first?.string != nil:
      return .strings(array(value, path) { self.string($0, $1) })
    case .array: return .cells(array(value, path) { self.integer($0, $1, UInt32.self) })
    case .object:
      return object(value, path) { fields in
        var wide: [UInt64] = []
        var bytes: [UInt8] = []
        fields.integers("wide", &wide)
        fields.integers("bytes", &bytes)
        if value["wide"] != nil, value["bytes"] != nil {
          fail(value.position, path, "expected wide or bytes, found both")
        }
        if value["wide"] != nil { return .wide(wide) }
        if value["bytes"] != nil { return .bytes(bytes) }
        fields.missing("wide")
        return nil
      }
    default:
      mismatch(value, path, "true, a number, a string, an array, or an object with wide or bytes")
      return nil
    }
  }

  private func members(
    _ fields: Fields,
    _ key: String,
    of kind: String = "clocks"
  ) -> [(key: String, value: JSONValue, position: JSONPosition)] {
    guard let value = fields[key] else { return [] }
    guard let members = value.members else {
      mismatch(value, fields.path(key), "an object whose keys are \(kind)")
      return []
    }
    return members.map { ($0.key, $0.value, $0.position) }
  }
}
