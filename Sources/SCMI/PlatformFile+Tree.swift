import PositionedJSON

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
      }
    }
  }

  private func members(_ fields: Fields, _ key: String) -> [(key: String, value: JSONValue)] {
    guard let value = fields[key] else { return [] }
    guard let members = value.members else {
      mismatch(value, fields.path(key), "an object whose keys are clocks")
      return []
    }
    return members.map { ($0.key, $0.value) }
  }
}
