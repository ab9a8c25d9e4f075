/// Sensor management, 0x15: configuration, trip points, continuous updates.
extension Platform {
  /// SENSOR_CONFIG_SET: sensor, configuration (seconds 31:16, exponent 15:11, rounding 10:9, timestamps 1, enabled 0).
  mutating func sensorConfigurationSet(_ request: Message, _ context: Context) throws(Status) {
    try request.expect(8)
    let slot = try slot(.sensor, request[word: 0], context.agent, .full)
    var configuration = request[word: 1]
    guard configuration & 0x1FC == 0, configuration & 0x600 != 0x600 else { throw .invalidParameters }
    let resource = Int(slot.resource)
    let sensor = definition.sensors[resource]
    guard configuration & 2 == 0 || sensor.timestamps else { throw .notSupported }
    // The rounding wish is not part of the state, and without an interval the one in force stays.
    configuration &= ~0x600
    if configuration >> 11 == 0 || sensor.intervals.isEmpty {
      configuration = configuration & 3 | sensors[resource].configuration & 0xFFFF_F800
    }
    sensors[resource].configuration = configuration
    startSampling(resource)
  }

  /// SENSOR_TRIP_POINT_CONFIG: sensor, control (trip point 11:4, mode 1:0), value.
  mutating func tripPointConfiguration(_ request: Message, _ context: Context) throws(Status) {
    try request.expect(16)
    let slot = try slot(.sensor, request[word: 0], context.agent, .full)
    let control = request[word: 1]
    let resource = Int(slot.resource)
    guard definition.sensors[resource].tripPoints > 0 else { throw .notSupported }
    let trip = Int(control >> 4 & 0xFF)
    guard control & ~0xFF3 == 0, trip < sensors[resource].trips.count else { throw .invalidParameters }
    sensors[resource].trips[trip] = TripPoint(mode: control & 3, value: Int64(bitPattern: request[pair: 2]))
    sensors[resource].lastValue = reading(resource)
    startSampling(resource)
  }

  private func reading(_ resource: Int) -> Int64 {
    value(of: definition.sensors[resource].binding, axis: 0, stored: sensors[resource].values)
  }

  /// Gives a sensor new values: its trip points are checked at once.
  ///
  /// - Parameter values: one per axis, or one for all.
  /// - Returns: `false` where no sensor has that name or `values` is empty.
  @discardableResult
  public mutating func setSensor(_ name: String, values: [Int64], at now: UInt64) -> Bool {
    advance(to: now)
    return setSensor(name, values: values)
  }

  mutating func setSensor(_ name: String, values: [Int64]) -> Bool {
    guard !values.isEmpty, let resource = place(ResourceName(.sensor, name)) else { return false }
    sensors[resource].values = values
    checkTripPoints(resource)
    return true
  }

  // MARK: - Sampling

  /// Whether somebody waits for what the sensor says by itself.
  private func isWatched(_ resource: Int) -> Bool {
    guard sensors[resource].configuration & 1 != 0 else { return false }
    for holder in holders[Int(ResourceKind.sensor.rawValue)][resource] {
      let notifications = slot(of: holder, .sensor).notifications
      if notifications & 2 != 0 { return true }
      if notifications & 1 != 0, sensors[resource].trips.contains(where: { $0.mode != 0 }) { return true }
    }
    return false
  }

  /// 100 ms where the sensor has no update interval.
  private func interval(_ resource: Int) -> UInt64 {
    let configuration = sensors[resource].configuration
    let seconds = UInt16(configuration >> 16)
    guard seconds != 0 else { return 100_000_000 }
    var exponent = Int8(configuration >> 11 & 0x1F)
    if exponent > 15 { exponent -= 32 }
    let sensor = definition.sensors[resource]
    let known = sensor.intervalsAreSegment ? Array(sensor.intervals.prefix(1)) : sensor.intervals
    // No sensor is faster than it says, and one that says nothing not faster than every millisecond.
    let fastest = known.map(\.nanoseconds).min() ?? 1_000_000
    return max(UpdateInterval(seconds, exponent: exponent).nanoseconds, fastest)
  }

  mutating func startSampling(_ resource: Int) {
    guard !sensors[resource].isSampled, isWatched(resource) else { return }
    sensors[resource].isSampled = true
    sensors[resource].lastValue = reading(resource)
    schedule(after(interval(resource)), .sampleSensor(resource))
  }

  mutating func sampleSensor(_ resource: Int) {
    sensors[resource].isSampled = isWatched(resource)
    guard sensors[resource].isSampled else { return }
    checkTripPoints(resource)
    sendUpdates(resource)
    schedule(after(interval(resource)), .sampleSensor(resource))
  }

  /// SENSOR_TRIP_POINT_EVENT: agent (the platform), sensor, description (bit 16 rising, 7:0 trip point).
  private mutating func checkTripPoints(_ resource: Int) {
    let value = reading(resource)
    let last = sensors[resource].lastValue
    sensors[resource].lastValue = value
    guard value != last, sensors[resource].configuration & 1 != 0 else { return }
    for (index, trip) in sensors[resource].trips.enumerated() where trip.mode != 0 {
      let rises = last < trip.value && value >= trip.value
      let falls = last >= trip.value && value < trip.value
      guard rises && trip.mode & 1 != 0 || falls && trip.mode & 2 != 0 else { continue }
      notify(.sensor, resource, 0, cause: nil) { $0.append(UInt32(index) | (rises ? 1 << 16 : 0)) }
    }
  }

  /// SENSOR_UPDATE: agent (the platform), sensor, readings.
  private mutating func sendUpdates(_ resource: Int) {
    var readings = Message(header: MessageHeader(rawValue: 0))
    appendReadings(resource, 0x20000, &readings)
    let words = readings.payload
    notify(.sensor, resource, 1, cause: nil) { message in
      for word in words { message.append(word) }
    }
  }
}
