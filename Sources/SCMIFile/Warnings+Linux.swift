internal import SCMI

/// What Linux 6.12 cannot take. Read in its sources; the files are named.
extension Advisor {
  /// `SCMI_MAX_NUM_RATES`, include/linux/scmi_protocol.h.
  private static let linuxRates = 16
  /// `MAX_OPPS`, drivers/firmware/arm_scmi/perf.c.
  private static let linuxOperatingPoints = 32
  /// `SCMI_IIO_NUM_OF_AXIS` and the types that scmi_iio.c knows: m/s² and radians per second.
  private static let inertialTypes: Set<UInt8> = [0x59, 0x57]

  mutating func linux() {
    warn(
      definition.clockAsynchronousRequests == 1,
      "/clockAsynchronousRequests",
      "Linux 6.12 sets rates asynchronously with 2 or more only"
    )
    for (index, clock) in definition.clocks.enumerated() {
      guard case .list(let rates) = clock.rates else { continue }
      warn(
        rates.count > Self.linuxRates,
        "/clocks/\(index)/rates",
        "Linux 6.12 takes at most \(Self.linuxRates) rates of a list (\"No. of resources can't exceed 16\") and does "
          + "without this clock; a range has no limit"
      )
    }
    for (index, domain) in definition.performanceDomains.enumerated() {
      linux(domain, "/performanceDomains/\(index)")
    }
    for (index, regulator) in definition.regulators.enumerated() {
      let lowest: Int32 =
        switch regulator.levels {
        case .list(let levels): levels.min() ?? 0
        case .range(let minimum, let maximum, let step): min(minimum, maximum, step)
        }
      warn(
        lowest < 0,
        "/regulators/\(index)/levels",
        "Linux 6.12 does without a regulator that has negative voltages (\"Negative voltages NOT supported\")"
      )
    }
    for (index, sensor) in definition.sensors.enumerated() { linux(sensor, "/sensors/\(index)") }
    linuxNames()
    for (index, cap) in definition.powercaps.enumerated() {
      warn(
        cap.unit == .abstract,
        "/powercaps/\(index)/unit",
        "Linux 6.12's powercap driver leaves out domains of abstract units"
      )
    }
  }

  private mutating func linux(_ domain: PerformanceDomainDefinition, _ path: String) {
    let points = domain.operatingPoints
    warn(
      points.count > Self.linuxOperatingPoints,
      path + "/operatingPoints",
      "Linux 6.12 takes at most \(Self.linuxOperatingPoints) levels of a domain (\"No. of resources can't exceed 32\")"
    )
    guard !domain.levelIndexing, domain.sustainedFrequency != 0, domain.sustainedLevel != 0 else { return }
    // A level's frequency is the level times this quotient (perf.c, mult_factor), in Hz.
    let factor = UInt64(domain.sustainedFrequency) * 1_000 / UInt64(domain.sustainedLevel)
    for (index, point) in points.enumerated() where point.frequency != 0 {
      warn(
        UInt64(point.level) * factor != UInt64(point.frequency) * 1_000,
        path + "/operatingPoints/\(index)/frequency",
        "Linux 6.12 takes level × sustainedFrequency / sustainedLevel for the frequency, here "
          + "\(UInt64(point.level) * factor / 1_000) kHz; levelIndexing makes it take this one"
      )
    }
  }

  private mutating func linux(_ sensor: SensorDefinition, _ path: String) {
    // scmi-hwmon.c: readings are in thousandths, power and energy in millionths.
    let shift = [2: 3, 5: 3, 6: 3, 7: 6, 8: 6][Int(sensor.type)]
    if let shift, sensor.axes.isEmpty {
      warn(
        abs(Int(sensor.scale) + shift) > 19,
        path + "/scale",
        "Linux 6.12 reads no sensor whose unit is this far away (E2BIG)"
      )
    }
    // scmi_iio.c takes these for sensors of its own, and gives up all where one is not as it wants it.
    guard sensor.axes.count == 3, let first = sensor.axes.first, Self.inertialTypes.contains(first.type) else { return }
    for (index, axis) in sensor.axes.enumerated() {
      warn(
        !Self.inertialTypes.contains(axis.type),
        path + "/axes/\(index)/type",
        "Linux 6.12's IIO driver wants the type 89 or 87 of all three axes, and gives up all its sensors without"
      )
      let ending = axis.name.split(separator: "_", omittingEmptySubsequences: false)
      warn(
        ending.count < 2 || !["X", "Y", "Z"].contains(ending.last?.first ?? "?"),
        path + "/axes/\(index)/name",
        "Linux 6.12's IIO driver wants names that end in _X, _Y and _Z, and gives up all its sensors without"
      )
    }
    warn(
      !sensor.updates,
      path + "/updates",
      "Linux 6.12's IIO driver wants continuous updates, and gives up all its sensors without"
    )
  }

  /// Names that Linux makes directories or files of.
  private mutating func linuxNames() {
    for kind in ResourceKind.allCases {
      for (index, name) in definition.names(kind).enumerated() {
        warn(
          name.utf8.contains(0x2F),
          "/\(kind.name)/\(index)/name",
          "Linux 6.12 makes files of names, in which a slash cannot be"
        )
      }
    }
  }
}
