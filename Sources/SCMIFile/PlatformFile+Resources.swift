internal import PositionedJSON
internal import SCMI

extension PlatformFileReader {
  func platform(_ root: JSONValue) -> PlatformDefinition {
    object(root, "") { fields in
      var platform = PlatformDefinition()
      _ = fields["$schema"]
      fields.string("vendor", &platform.vendor)
      fields.string("subVendor", &platform.subVendor)
      fields.integer("implementationVersion", &platform.implementationVersion)
      fields.choice("profile", &platform.profile)
      versions(fields, &platform)
      fields.boolean("systemPower", &platform.systemPower)
      fields.integer("gracefulTimeout", &platform.gracefulTimeout)
      fields.integer("clockAsynchronousRequests", &platform.clockAsynchronousRequests)
      fields.integer("sensorAsynchronousRequests", &platform.sensorAsynchronousRequests)
      fields.choice("powerUnit", &platform.powerUnit)
      platform.clocks = array(fields["clocks"], "/clocks", clock)
      platform.powerDomains = array(fields["powerDomains"], "/powerDomains", powerDomain)
      platform.performanceDomains = array(fields["performanceDomains"], "/performanceDomains", performanceDomain)
      platform.sensors = array(fields["sensors"], "/sensors", sensor)
      fields.boolean("hostSensors", &platform.hostSensors)
      platform.resets = array(fields["resets"], "/resets", reset)
      platform.regulators = array(fields["regulators"], "/regulators", regulator)
      platform.powercaps = array(fields["powercaps"], "/powercaps", powercap)
      platform.pins = array(fields["pins"], "/pins", pin)
      platform.groups = array(fields["groups"], "/groups", group)
      platform.functions = array(fields["functions"], "/functions", function)
      platform.vendorProtocols = array(fields["vendorProtocols"], "/vendorProtocols", vendorProtocol)
      platform.devices = array(fields["devices"], "/devices", device)
      platform.agents = array(fields["agents"], "/agents", agent)
      platform.rules = array(fields["rules"], "/rules", rule)
      platform.script = array(fields["script"], "/script", scriptStep)
      if let tree = fields["deviceTree"] { platform.tree = self.tree(tree, "/deviceTree") }
      return platform
    }
  }

  private func versions(_ fields: Fields, _ platform: inout PlatformDefinition) {
    guard let value = fields["versions"] else { return }
    guard let members = value.members else { return mismatch(value, "/versions", "an object") }
    for member in members {
      let path = "/versions/" + JSONPointer.escape(member.key)
      guard let identifier = ProtocolIdentifier(name: member.key) else {
        let names = ProtocolIdentifier.allCases.map(\.name).joined(separator: ", ")
        fail(member.position, path, "unknown key; expected \(names)")
        continue
      }
      if let version = version(member.value, path) { platform.versions[identifier] = version }
    }
  }

  private func clock(_ value: JSONValue, _ path: String) -> ClockDefinition? {
    object(value, path) { fields in
      ClockDefinition(fields.required("name")) { clock in
        if let rates = fields["rates"] {
          clock.rates = self.rates(rates, fields.path("rates"))
        } else {
          fields.missing("rates")
        }
        fields.integer("rate", &clock.rate)
        fields.boolean("enabled", &clock.enabled)
        fields.integer("enableLatency", &clock.enableLatency)
        fields.strings("parents", &clock.parents)
        fields.string("parent", &clock.parent)
        fields.integer("dutyCycle", &clock.dutyCycle)
        fields.integer("phase", &clock.phase)
        fields.table("extendedConfiguration", &clock.extendedConfiguration)
        fields.boolean("notifies", &clock.notifies)
        fields.integer("asynchronousLatency", &clock.asynchronousLatency)
        fields.boolean("rateControl", &clock.rateControl)
        fields.boolean("stateControl", &clock.stateControl)
        fields.boolean("parentControl", &clock.parentControl)
        fields.choice("ratePolicy", &clock.ratePolicy)
        fields.choice("statePolicy", &clock.statePolicy)
        fields.boolean("allowInvalid", &clock.allowInvalid)
      }
    }
  }

  private func rates(_ value: JSONValue, _ path: String) -> ClockRates {
    if value.array != nil {
      return .list(array(value, path) { self.integer($0, $1, UInt64.self) })
    }
    guard value.members != nil else {
      mismatch(value, path, "an array of rates, or an object with minimum, maximum and step")
      return .list([])
    }
    return object(value, path) { fields in
      .range(
        minimum: fields.required("minimum", UInt64.self),
        maximum: fields.required("maximum", UInt64.self),
        step: fields.required("step", UInt64.self)
      )
    }
  }

  private func powerDomain(_ value: JSONValue, _ path: String) -> PowerDomainDefinition? {
    object(value, path) { fields in
      PowerDomainDefinition(fields.required("name")) { domain in
        fields.integers("states", &domain.states)
        fields.integer("state", &domain.state)
        fields.boolean("notifies", &domain.notifies)
        fields.boolean("asynchronous", &domain.asynchronous)
        fields.integer("asynchronousLatency", &domain.asynchronousLatency)
        fields.choice("policy", &domain.policy)
      }
    }
  }

  private func performanceDomain(_ value: JSONValue, _ path: String) -> PerformanceDomainDefinition? {
    object(value, path) { fields in
      PerformanceDomainDefinition(fields.required("name")) { domain in
        if fields["operatingPoints"] == nil { fields.missing("operatingPoints") }
        domain.operatingPoints = array(fields["operatingPoints"], fields.path("operatingPoints"), operatingPoint)
        fields.integer("level", &domain.level)
        fields.integer("sustainedFrequency", &domain.sustainedFrequency)
        fields.integer("sustainedLevel", &domain.sustainedLevel)
        fields.integer("rateLimit", &domain.rateLimit)
        fields.boolean("levelIndexing", &domain.levelIndexing)
        fields.boolean("setsLimits", &domain.setsLimits)
        fields.boolean("setsLevel", &domain.setsLevel)
        fields.boolean("notifies", &domain.notifies)
        fields.choice("policy", &domain.policy)
        fields.boolean("allowInvalid", &domain.allowInvalid)
      }
    }
  }

  private func operatingPoint(_ value: JSONValue, _ path: String) -> OperatingPoint? {
    object(value, path) { fields in
      var point = OperatingPoint(level: fields.required("level", UInt32.self))
      fields.integer("power", &point.power)
      fields.integer("latency", &point.latency)
      fields.integer("frequency", &point.frequency)
      return point
    }
  }

  private func sensor(_ value: JSONValue, _ path: String) -> SensorDefinition? {
    object(value, path) { fields in
      SensorDefinition(fields.required("name")) { sensor in
        fields.integer("type", &sensor.type)
        fields.integer("scale", &sensor.scale)
        if let value = fields["value"] { sensor.binding = binding(value, fields.path("value")) }
        fields.boolean("enabled", &sensor.enabled)
        fields.boolean("asynchronous", &sensor.asynchronous)
        fields.integer("asynchronousLatency", &sensor.asynchronousLatency)
        fields.boolean("timestamps", &sensor.timestamps)
        sensor.axes = array(fields["axes"], fields.path("axes"), axis)
        fields.integer("tripPoints", &sensor.tripPoints)
        fields.boolean("updates", &sensor.updates)
        sensor.intervals = array(fields["intervals"], fields.path("intervals"), interval)
        fields.boolean("intervalsAreSegment", &sensor.intervalsAreSegment)
        sensor.range = fields["range"].map { range($0, fields.path("range")) }
        fields.integer("power", &sensor.power)
        fields.boolean("allowInvalid", &sensor.allowInvalid)
      }
    }
  }

  private func axis(_ value: JSONValue, _ path: String) -> AxisDefinition? {
    object(value, path) { fields in
      AxisDefinition(fields.required("name")) { axis in
        fields.integer("type", &axis.type)
        fields.integer("scale", &axis.scale)
        axis.range = fields["range"].map { range($0, fields.path("range")) }
      }
    }
  }

  private func interval(_ value: JSONValue, _ path: String) -> UpdateInterval? {
    object(value, path) { fields in
      UpdateInterval(fields.required("seconds", UInt16.self), exponent: fields.required("exponent", Int8.self))
    }
  }

  private func range(_ value: JSONValue, _ path: String) -> ValueRange {
    object(value, path) { fields in
      var range = ValueRange(
        minimum: fields.required("minimum", Int64.self),
        maximum: fields.required("maximum", Int64.self)
      )
      fields.integer("resolution", &range.resolution)
      fields.integer("resolutionExponent", &range.resolutionExponent)
      return range
    }
  }

  /// A number, an array of numbers, or an object with waveform, replay or host.
  private func binding(_ value: JSONValue, _ path: String) -> ValueBinding {
    if case .number = value.content { return .constant([integer(value, path, Int64.self) ?? 0]) }
    if value.array != nil { return .constant(array(value, path) { self.integer($0, $1, Int64.self) }) }
    guard value.members != nil else {
      mismatch(value, path, "a number, an array, or an object with waveform, replay or host")
      return .constant([0])
    }
    return object(value, path) { fields in
      if let host = fields["host"] { return .host(string(host, fields.path("host")) ?? "") }
      if let replay = fields["replay"] {
        let values = array(replay, fields.path("replay")) { self.integer($0, $1, Int64.self) }
        return .replay(values: values, interval: fields.required("interval", UInt64.self))
      }
      var shape = Waveform.Shape.sine
      if fields["waveform"] == nil { fields.missing("waveform") }
      fields.choice("waveform", &shape)
      return .waveform(
        Waveform(
          shape,
          minimum: fields.required("minimum", Int64.self),
          maximum: fields.required("maximum", Int64.self),
          period: fields.required("period", UInt64.self)
        )
      )
    }
  }

  private func reset(_ value: JSONValue, _ path: String) -> ResetDefinition? {
    object(value, path) { fields in
      ResetDefinition(fields.required("name")) { domain in
        fields.integer("latency", &domain.latency)
        fields.boolean("notifies", &domain.notifies)
        fields.boolean("asynchronous", &domain.asynchronous)
        fields.integer("asynchronousLatency", &domain.asynchronousLatency)
        fields.integers("states", &domain.states)
        fields.choice("policy", &domain.policy)
      }
    }
  }

  private func regulator(_ value: JSONValue, _ path: String) -> VoltageDomainDefinition? {
    object(value, path) { fields in
      VoltageDomainDefinition(fields.required("name")) { domain in
        if let levels = fields["levels"] {
          domain.levels = self.levels(levels, fields.path("levels"))
        } else {
          fields.missing("levels")
        }
        fields.integer("level", &domain.level)
        fields.boolean("enabled", &domain.enabled)
        fields.boolean("asynchronous", &domain.asynchronous)
        fields.integer("asynchronousLatency", &domain.asynchronousLatency)
        fields.choice("policy", &domain.policy)
        fields.choice("statePolicy", &domain.statePolicy)
        fields.boolean("allowInvalid", &domain.allowInvalid)
      }
    }
  }

  private func levels(_ value: JSONValue, _ path: String) -> VoltageLevels {
    if value.array != nil {
      return .list(array(value, path) { self.integer($0, $1, Int32.self) })
    }
    guard value.members != nil else {
      mismatch(value, path, "an array of levels, or an object with minimum, maximum and step")
      return .list([])
    }
    return object(value, path) { fields in
      .range(
        minimum: fields.required("minimum", Int32.self),
        maximum: fields.required("maximum", Int32.self),
        step: fields.required("step", Int32.self)
      )
    }
  }

  private func powercap(_ value: JSONValue, _ path: String) -> PowercapDefinition? {
    object(value, path) { fields in
      PowercapDefinition(fields.required("name")) { domain in
        fields.choice("unit", &domain.unit)
        fields.integer("minimumCap", &domain.minimumCap)
        fields.integer("maximumCap", &domain.maximumCap)
        fields.integer("capStep", &domain.capStep)
        fields.integer("cap", &domain.cap)
        fields.integer("minimumAveragingInterval", &domain.minimumAveragingInterval)
        fields.integer("maximumAveragingInterval", &domain.maximumAveragingInterval)
        fields.integer("averagingIntervalStep", &domain.averagingIntervalStep)
        fields.integer("sustainablePower", &domain.sustainablePower)
        fields.integer("accuracy", &domain.accuracy)
        fields.string("parent", &domain.parent)
        fields.boolean("notifies", &domain.notifies)
        fields.boolean("asynchronous", &domain.asynchronous)
        fields.integer("asynchronousLatency", &domain.asynchronousLatency)
        if let power = fields["power"] { domain.power = binding(power, fields.path("power")) }
        fields.integer("measurementInterval", &domain.measurementInterval)
        fields.choice("policy", &domain.policy)
        fields.boolean("allowInvalid", &domain.allowInvalid)
      }
    }
  }

  private func pin(_ value: JSONValue, _ path: String) -> PinDefinition? {
    object(value, path) { fields in
      PinDefinition(fields.required("name")) { pin in
        fields.table("settings", &pin.settings)
        pin.configurable = fields["configurable"].map {
          array($0, fields.path("configurable")) { self.integer($0, $1, UInt8.self) }
        }
      }
    }
  }

  private func group(_ value: JSONValue, _ path: String) -> GroupDefinition? {
    object(value, path) { fields in
      GroupDefinition(fields.required("name")) { group in
        if fields["pins"] == nil { fields.missing("pins") }
        fields.strings("pins", &group.pins)
        fields.table("settings", &group.settings)
        fields.boolean("allowInvalid", &group.allowInvalid)
      }
    }
  }

  private func function(_ value: JSONValue, _ path: String) -> FunctionDefinition? {
    object(value, path) { fields in
      FunctionDefinition(fields.required("name")) { function in
        if fields["groups"] == nil { fields.missing("groups") }
        fields.strings("groups", &function.groups)
        fields.boolean("allowInvalid", &function.allowInvalid)
      }
    }
  }
}
