internal import SCMI

extension Validator {
  mutating func clocks() {
    var seen: Set<String> = []
    for (index, clock) in definition.clocks.enumerated() {
      let path = "/clocks/\(index)"
      name(clock.name, path, &seen)
      rates(clock, path)
      for (number, parent) in clock.parents.enumerated() {
        reference(ResourceName(.clock, parent), path + "/parents/\(number)")
      }
      expect(clock.parents.count <= 255, path + "/parents", "expected at most 255 parents")
      if let parent = clock.parent {
        expect(clock.parents.contains(parent), path + "/parent", "\"\(parent)\" is not one of the parents")
      }
      expect(clock.dutyCycle ?? 0 <= 100, path + "/dutyCycle", "expected 0 to 100 percent")
      expect(clock.phase ?? 0 < 360, path + "/phase", "expected 0 to 359 degrees")
      for type in clock.extendedConfiguration.keys.sorted() where type < ClockProtocol.ExtendedType.firstVendor {
        fail(path + "/extendedConfiguration", "expected types from 128 to 255, found \(type)")
      }
    }
  }

  private mutating func rates(_ clock: ClockDefinition, _ path: String) {
    let initial = clock.rate
    switch clock.rates {
    case .list(let rates):
      expect(!rates.isEmpty, path + "/rates", "expected at least one rate")
      expect(rates.count <= 0xFFFF, path + "/rates", "expected at most 65535 rates")
      for (number, rate) in rates.enumerated() {
        expect(rate <= UInt64(Int64.max), path + "/rates/\(number)", "expected at most 2⁶³ − 1 Hz")
        if number > 0, !clock.allowInvalid {
          expect(rate > rates[number - 1], path + "/rates/\(number)", "expected ascending rates without duplicates")
        }
      }
      if let initial { expect(rates.contains(initial), path + "/rate", "\(initial) is not one of the rates") }
    case .range(let minimum, let maximum, let step):
      for (key, value) in [("minimum", minimum), ("maximum", maximum), ("step", step)] {
        expect(value <= UInt64(Int64.max), path + "/rates/\(key)", "expected at most 2⁶³ − 1 Hz")
      }
      expect(step > 0, path + "/rates/step", "expected 1 or more")
      if clock.allowInvalid { return }
      expect(minimum < maximum, path + "/rates/minimum", "expected less than the maximum, \(maximum)")
      expect(
        minimum >= maximum || step <= maximum - minimum,
        path + "/rates/step",
        "expected at most the range's length"
      )
      if let initial {
        expect(
          initial >= minimum && initial <= maximum && (step == 0 || (initial - minimum) % step == 0),
          path + "/rate",
          "expected \(minimum) to \(maximum) in steps of \(step)"
        )
      }
    }
  }

  mutating func powerDomains() {
    var seen: Set<String> = []
    for (index, domain) in definition.powerDomains.enumerated() {
      let path = "/powerDomains/\(index)"
      name(domain.name, path, &seen)
      expect(!domain.states.isEmpty, path + "/states", "expected at least one state")
      expect(domain.states.contains(domain.state), path + "/state", "\(domain.state) is not one of the states")
    }
  }

  mutating func performanceDomains() {
    var seen: Set<String> = []
    for (index, domain) in definition.performanceDomains.enumerated() {
      let path = "/performanceDomains/\(index)"
      name(domain.name, path, &seen)
      let points = domain.operatingPoints
      expect(!points.isEmpty, path + "/operatingPoints", "expected at least one operating point")
      for (number, point) in points.enumerated() {
        let place = path + "/operatingPoints/\(number)"
        expect(point.level > 0, place + "/level", "expected 1 or more")
        if number > 0, !domain.allowInvalid {
          expect(point.level > points[number - 1].level, place + "/level", "expected ascending levels")
        }
        if domain.levelIndexing {
          expect(point.frequency > 0, place + "/frequency", "levels by index need a frequency in kHz")
        }
      }
      if let level = domain.level {
        expect(points.contains { $0.level == level }, path + "/level", "\(level) is no operating point's level")
      }
      expect(domain.rateLimit <= 0xF_FFFF, path + "/rateLimit", "expected at most 1048575 µs")
    }
  }

  mutating func sensors() {
    var seen: Set<String> = []
    for (index, sensor) in definition.sensors.enumerated() {
      let path = "/sensors/\(index)"
      name(sensor.name, path, &seen)
      signedField(sensor.scale, path + "/scale")
      // Eight readings of 16 bytes would not fit into a message.
      expect(sensor.axes.count <= 7, path + "/axes", "expected at most 7 axes")
      var axisNames: Set<String> = []
      for (number, axis) in sensor.axes.enumerated() {
        if sensor.allowInvalid { axisNames = [] }
        name(axis.name, path + "/axes/\(number)", &axisNames)
        signedField(axis.scale, path + "/axes/\(number)/scale")
        range(axis.range, path + "/axes/\(number)/range", allowInvalid: sensor.allowInvalid)
      }
      range(sensor.range, path + "/range", allowInvalid: sensor.allowInvalid)
      intervals(sensor, path)
      binding(sensor.binding, sensor.readingCount, path + "/value")
    }
  }

  private mutating func intervals(_ sensor: SensorDefinition, _ path: String) {
    for (number, interval) in sensor.intervals.enumerated() {
      let place = path + "/intervals/\(number)"
      signedField(interval.exponent, place + "/exponent")
      expect(interval.seconds > 0, place + "/seconds", "expected 1 to 65535")
    }
    // The third number of a segment is its step.
    for (number, interval) in (sensor.intervalsAreSegment ? sensor.intervals.prefix(2) : sensor.intervals[...])
      .enumerated()
    where interval.nanoseconds < UpdateInterval.least {
      let time = "\(interval.seconds) × 10^\(interval.exponent) s"
      fail(path + "/intervals/\(number)", "expected \(UpdateInterval.least) ns or more, found \(time)")
    }
    if sensor.intervalsAreSegment {
      expect(sensor.intervals.count == 3, path + "/intervals", "a segment is lowest, highest and step")
    }
  }

  private mutating func range(_ range: ValueRange?, _ path: String, allowInvalid: Bool) {
    guard let range else { return }
    expect(
      allowInvalid || range.minimum <= range.maximum,
      path + "/minimum",
      "expected at most the maximum, \(range.maximum)"
    )
    expect(range.resolution <= 0x7FF_FFFF, path + "/resolution", "expected at most 134217727")
    signedField(range.resolutionExponent, path + "/resolutionExponent")
  }

  mutating func binding(_ binding: ValueBinding, _ count: Int, _ path: String) {
    switch binding {
    case .constant(let values):
      expect(values.count == 1 || values.count == count, path, "expected 1 or \(count) values, found \(values.count)")
    case .waveform(let waveform):
      expect(waveform.period > 0, path + "/period", "expected 1 ns or more")
      expect(
        waveform.minimum <= waveform.maximum,
        path + "/minimum",
        "expected at most the maximum, \(waveform.maximum)"
      )
      // The arithmetic is in floating point, whose largest number below 2⁶³ is not 2⁶³ − 1.
      let bound = Int64(1) << 53
      expect(
        abs(waveform.minimum.clamped) <= bound && abs(waveform.maximum.clamped) <= bound,
        path,
        "expected −2⁵³ to 2⁵³"
      )
    case .replay(let values, let interval):
      expect(!values.isEmpty, path + "/values", "expected at least one value")
      expect(interval > 0, path + "/interval", "expected 1 ns or more")
    case .closure, .host: break
    }
  }

  mutating func resets() {
    var seen: Set<String> = []
    for (index, domain) in definition.resets.enumerated() {
      name(domain.name, "/resets/\(index)", &seen)
      expect(!domain.states.isEmpty, "/resets/\(index)/states", "expected at least one state")
    }
  }

  mutating func regulators() {
    var seen: Set<String> = []
    for (index, domain) in definition.regulators.enumerated() {
      let path = "/regulators/\(index)"
      name(domain.name, path, &seen)
      switch domain.levels {
      case .list(let levels):
        expect(!levels.isEmpty, path + "/levels", "expected at least one level")
        for number in levels.indices.dropFirst() where !domain.allowInvalid {
          expect(
            levels[number] > levels[number - 1],
            path + "/levels/\(number)",
            "expected ascending levels without duplicates"
          )
        }
        if let level = domain.level {
          expect(levels.contains(level), path + "/level", "\(level) is not one of the levels")
        }
      case .range(let minimum, let maximum, let step):
        expect(step > 0, path + "/levels/step", "expected 1 µV or more")
        if domain.allowInvalid { continue }
        expect(minimum < maximum, path + "/levels/minimum", "expected less than the maximum, \(maximum)")
        if let level = domain.level {
          expect(
            level >= minimum && level <= maximum && (step <= 0 || (Int64(level) - Int64(minimum)) % Int64(step) == 0),
            path + "/level",
            "expected \(minimum) to \(maximum) in steps of \(step)"
          )
        }
      }
    }
  }

  mutating func powercaps() {
    var seen: Set<String> = []
    for (index, domain) in definition.powercaps.enumerated() {
      let path = "/powercaps/\(index)"
      name(domain.name, path, &seen)
      if !domain.allowInvalid { caps(domain, path) }
      expect(
        domain.measurementInterval >= UpdateInterval.least,
        path + "/measurementInterval",
        "expected \(UpdateInterval.least) ns or more"
      )
      if let parent = domain.parent {
        reference(ResourceName(.powercapDomain, parent), path + "/parent")
      }
      binding(domain.power, 1, path + "/power")
    }
  }

  private mutating func caps(_ domain: PowercapDefinition, _ path: String) {
    // Linux refuses the whole protocol where a domain breaks one of these.
    expect(domain.minimumCap > 0, path + "/minimumCap", "expected 1 or more")
    expect(
      domain.minimumCap <= domain.maximumCap,
      path + "/minimumCap",
      "expected at most maximumCap, \(domain.maximumCap)"
    )
    expect(domain.capStep > 0, path + "/capStep", "expected 1 or more")
    expect(domain.minimumAveragingInterval > 0, path + "/minimumAveragingInterval", "expected 1 µs or more")
    expect(
      domain.minimumAveragingInterval <= domain.maximumAveragingInterval,
      path + "/minimumAveragingInterval",
      "expected at most maximumAveragingInterval, \(domain.maximumAveragingInterval)"
    )
    expect(domain.averagingIntervalStep > 0, path + "/averagingIntervalStep", "expected 1 or more")
    if let cap = domain.cap {
      expect(
        cap == 0
          || cap >= domain.minimumCap && cap <= domain.maximumCap
            && (cap - domain.minimumCap) % max(domain.capStep, 1) == 0,
        path + "/cap",
        "expected 0 or \(domain.minimumCap) to \(domain.maximumCap) in steps of \(domain.capStep)"
      )
    }
  }

  mutating func pinControl() {
    var seen: Set<String> = []
    for (index, pin) in definition.pins.enumerated() {
      name(pin.name, "/pins/\(index)", &seen)
      settings(pin.settings, "/pins/\(index)/settings")
    }
    seen = []
    for (index, group) in definition.groups.enumerated() {
      let path = "/groups/\(index)"
      name(group.name, path, &seen)
      settings(group.settings, path + "/settings")
      expect(!group.pins.isEmpty, path + "/pins", "expected at least one pin")
      for (number, pin) in group.pins.enumerated() { reference(ResourceName(.pin, pin), path + "/pins/\(number)") }
      expect(group.allowInvalid || Set(group.pins).count == group.pins.count, path + "/pins", "a pin is there twice")
    }
    seen = []
    for (index, function) in definition.functions.enumerated() {
      let path = "/functions/\(index)"
      name(function.name, path, &seen)
      expect(!function.groups.isEmpty, path + "/groups", "expected at least one group")
      for (number, group) in function.groups.enumerated() {
        reference(ResourceName(.group, group), path + "/groups/\(number)")
      }
      expect(
        function.allowInvalid || Set(function.groups).count == function.groups.count,
        path + "/groups",
        "a group is there twice"
      )
    }
    if !definition.groups.isEmpty || !definition.functions.isEmpty {
      expect(!definition.pins.isEmpty, "/pins", "groups and functions need pins")
    }
  }

  private mutating func settings(_ settings: [UInt8: UInt32], _ path: String) {
    for type in settings.keys.sorted() where type > 20 && type < 192 {
      fail(path, "expected types 0 to 20 or 192 to 255, found \(type)")
    }
  }
}

extension Int64 {
  /// Itself, or the next number that has an absolute value.
  fileprivate var clamped: Int64 { self == .min ? .min + 1 : self }
}
