/// Sensor management, 0x15: configuration, trip points, continuous updates.
extension SCMIPlatform {
  /// SENSOR_CONFIG_SET: sensor, configuration (seconds 31:16, exponent 15:11, rounding 10:9, timestamps 1, enabled 0).
  mutating func sensorConfigurationSet(_ request: SCMIMessage, _ context: Context) throws(SCMIStatus) {
    try request.expect(8)
    let slot = try slot(.sensor, request[word: 0], context.agent, .full)
    let configuration = request[word: 1]
    guard configuration & 0x1FC == 0, configuration & 0x600 != 0x600 else { throw .invalidParameters }
    let resource = Int(slot.resource)
    guard configuration & 2 == 0 || definition.sensors[resource].timestamps else { throw .notSupported }
    let interval = definition.sensors[resource].interval(configuration)
    update(.sensor, request[word: 0], context.agent) { slot in
      slot.votes.insert(.state)
      if configuration & 1 != 0 { slot.votes.insert(.isOn) } else { slot.votes.remove(.isOn) }
      slot.upper = configuration & 2
      // Without an interval the one in force stays.
      guard let interval else { return }
      slot.votes.insert(.value)
      slot.lower = interval.configuration
    }
    harmoniseSensor(resource)
  }

  /// Recomputes a sensor's configuration from the votes: on while one agent wants it, who has not asked wanting what
  /// holds at boot; timestamps while one wants them; the shortest interval that is wanted. Its readings are every
  /// agent's.
  mutating func harmoniseSensor(_ resource: Int) {
    let sensor = definition.sensors[resource]
    var isOn = false
    var hasTimestamps = false
    var interval = sensor.intervals.first?.configuration ?? 0
    var shortest = UInt64.max
    var count = 0
    for holder in holders[Int(ResourceKind.sensor.rawValue)][resource] {
      let slot = slot(of: holder, .sensor)
      guard slot.votes.contains(.state) else {
        if sensor.enabled && slot.access >= .read { isOn = true }
        continue
      }
      count += 1
      if slot.votes.contains(.isOn) { isOn = true }
      if slot.upper != 0 { hasTimestamps = true }
      guard slot.votes.contains(.value) else { continue }
      let wanted = UpdateInterval(configuration: slot.lower).nanoseconds
      if wanted < shortest { (shortest, interval) = (wanted, slot.lower) }
    }
    if count == 0 { isOn = sensor.enabled }
    if count > 1 { explain("of \(count) requests the sensor is \(isOn ? "on" : "off")") }
    sensors[resource].configuration = (isOn ? 1 : 0) | (hasTimestamps ? 2 : 0) | interval
    startSampling(resource)
  }

  /// SENSOR_TRIP_POINT_CONFIG: sensor, control (trip point 11:4, mode 1:0), value. Each agent has trip points of its
  /// own.
  mutating func tripPointConfiguration(_ request: SCMIMessage, _ context: Context) throws(SCMIStatus) {
    try request.expect(16)
    let slot = try slot(.sensor, request[word: 0], context.agent, .full)
    let control = request[word: 1]
    let resource = Int(slot.resource)
    let count = Int(definition.sensors[resource].tripPoints)
    let trip = Int(control >> 4 & 0xFF)
    guard control & ~0xFF3 == 0, trip < count else { throw .invalidParameters }
    // What the others' trip points have not seen yet is not lost to them.
    if sensors[resource].isSampled { checkTripPoints(resource) }
    let none = [TripPoint](repeating: TripPoint(), count: count)
    tripPoints[context.agent][request[word: 0], default: none][trip] =
      TripPoint(mode: control & 3, value: Int64(bitPattern: request[pair: 2]))
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
      if notifications & 1 != 0, hasTripPoints(holder) { return true }
    }
    return false
  }

  private func hasTripPoints(_ holder: Holder) -> Bool {
    tripPoints[holder.agent][holder.identifier]?.contains { $0.mode != 0 } ?? false
  }

  /// 100 ms where the sensor has no update interval.
  func samplingInterval(_ resource: Int) -> UInt64 {
    guard sensors[resource].configuration >> 16 != 0 else { return 100_000_000 }
    return max(UpdateInterval(configuration: sensors[resource].configuration).nanoseconds, UpdateInterval.least)
  }

  mutating func startSampling(_ resource: Int) {
    guard !sensors[resource].isSampled, isWatched(resource) else { return }
    sensors[resource].isSampled = true
    sensors[resource].lastValue = reading(resource)
    recur(after(samplingInterval(resource)), .sampleSensor(resource))
  }

  mutating func sampleSensor(_ resource: Int) {
    sensors[resource].isSampled = isWatched(resource)
    guard sensors[resource].isSampled else { return }
    checkTripPoints(resource)
    sendUpdates(resource)
    recur(after(samplingInterval(resource)), .sampleSensor(resource))
  }

  /// SENSOR_TRIP_POINT_EVENT: agent (the platform), sensor, description (bit 16 rising, 7:0 trip point).
  private mutating func checkTripPoints(_ resource: Int) {
    let value = reading(resource)
    let last = sensors[resource].lastValue
    sensors[resource].lastValue = value
    guard value != last, sensors[resource].configuration & 1 != 0 else { return }
    for holder in holders[Int(ResourceKind.sensor.rawValue)][resource] {
      guard slot(of: holder, .sensor).notifications & 1 != 0, let trips = tripPoints[holder.agent][holder.identifier]
      else { continue }
      for (index, trip) in trips.enumerated() where trip.mode != 0 {
        let rises = last < trip.value && value >= trip.value
        let falls = last >= trip.value && value < trip.value
        guard rises && trip.mode & 1 != 0 || falls && trip.mode & 2 != 0 else { continue }
        notify(.sensor, resource, 0, cause: nil, only: holder.agent) {
          $0.append(UInt32(index) | (rises ? 1 << 16 : 0))
        }
      }
    }
  }

  /// SENSOR_UPDATE: agent (the platform), sensor, readings.
  private mutating func sendUpdates(_ resource: Int) {
    var readings = SCMIMessage(header: MessageHeader(rawValue: 0))
    appendReadings(resource, 0x20000, &readings)
    let words = readings.payload
    notify(.sensor, resource, 1, cause: nil) { message in
      for word in words { message.append(word) }
    }
  }
}
