/// Sensor management, 0x15: configuration, trip points, continuous updates.
extension SCMIPlatform {
  func sensorConfig(_ request: SensorProtocol.Resource, _ context: Context) throws(SCMIStatus) -> SensorProtocol.Config
  {
    let grant = try grant(.sensor, request.resource, context.agent, .read)
    return SensorProtocol.Config { $0.configuration = sensorState.sensors[Int(grant.resource)].configuration }
  }

  mutating func sensorConfigSet(_ request: SensorProtocol.ConfigSet, _ context: Context) throws(SCMIStatus) {
    let grant = try grant(.sensor, request.sensor, context.agent, .full)
    let configuration = request.configuration
    guard configuration.isDefined else { throw .invalidParameters }
    let resource = Int(grant.resource)
    guard !configuration.hasTimestamps || definition.sensors[resource].timestamps else { throw .notSupported }
    let interval = definition.sensors[resource].interval(configuration)
    update(.sensor, request.sensor, context.agent) { grant in
      grant.votes.insert(.state)
      if configuration.isEnabled { grant.votes.insert(.isOn) } else { grant.votes.remove(.isOn) }
      grant.upper = configuration.hasTimestamps ? 1 : 0
      // Without an interval the one in force stays.
      guard let interval else { return }
      grant.votes.insert(.value)
      grant.lower = SensorProtocol.SensorConfiguration(enabled: false, interval: interval).rawValue
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
    var interval = sensor.intervals.first
    var shortest = UInt64.max
    var count = 0
    for holder in holders[Int(ResourceKind.sensor.rawValue)][resource] {
      let grant = grant(of: holder, .sensor)
      guard grant.votes.contains(.state) else {
        if sensor.enabled && grant.access >= .read { isOn = true }
        continue
      }
      count += 1
      if grant.votes.contains(.isOn) { isOn = true }
      if grant.upper != 0 { hasTimestamps = true }
      guard grant.votes.contains(.value) else { continue }
      guard let wanted = SensorProtocol.SensorConfiguration(rawValue: grant.lower).interval else { continue }
      if wanted.nanoseconds < shortest { (shortest, interval) = (wanted.nanoseconds, wanted) }
    }
    if count == 0 { isOn = sensor.enabled }
    if count > 1 { explain("of \(count) requests the sensor is \(isOn ? "on" : "off")") }
    sensorState.sensors[resource].configuration =
      SensorProtocol.SensorConfiguration(enabled: isOn, timestamps: hasTimestamps, interval: interval)
    startSampling(resource)
  }

  mutating func tripPointNotify(_ request: SensorProtocol.TripPointNotify, _ context: Context) throws(SCMIStatus) {
    let sensors = definition.sensors
    let notify = SensorProtocol.Notify {
      $0.resource = request.sensor
      $0.enable = request.enable
    }
    try setNotification(notify, .sensor, SensorProtocol.Notification.tripPointEvent, context) {
      sensors[$0].tripPoints > 0
    }
    startSampling(Int(try grant(.sensor, request.sensor, context.agent, .read).resource))
  }

  mutating func sensorUpdateNotify(_ request: SensorProtocol.Notify, _ context: Context) throws(SCMIStatus) {
    let sensors = definition.sensors
    try setNotification(request, .sensor, SensorProtocol.Notification.update, context) { sensors[$0].updates }
    startSampling(Int(try grant(.sensor, request.resource, context.agent, .read).resource))
  }

  /// Each agent has trip points of its own.
  mutating func tripPointConfig(_ request: SensorProtocol.TripPointConfig, _ context: Context) throws(SCMIStatus) {
    let grant = try grant(.sensor, request.sensor, context.agent, .full)
    let resource = Int(grant.resource)
    let count = Int(definition.sensors[resource].tripPoints)
    let trip = request.control.tripPoint
    guard request.control.isDefined, trip < count else { throw .invalidParameters }
    // What the others' trip points have not seen yet is not lost to them.
    if sensorState.sensors[resource].isSampled { checkTripPoints(resource) }
    let none = [SensorState.TripPoint](repeating: SensorState.TripPoint(), count: count)
    sensorState.tripPoints[context.agent][request.sensor, default: none][trip] =
      SensorState.TripPoint(mode: request.control.mode, value: request.value)
    sensorState.sensors[resource].lastValue = reading(resource)
    startSampling(resource)
  }

  private func reading(_ resource: Int) -> Int64 {
    value(of: definition.sensors[resource].binding, axis: 0, stored: sensorState.sensors[resource].values)
  }

  /// Gives a sensor new values: its trip points are checked at once.
  ///
  /// - Parameters:
  ///   - name: a sensor's.
  ///   - values: one per axis, or one for all.
  ///   - now: nanoseconds; a time before the latest one counts as the latest one.
  /// - Returns: `false` where no sensor has that name or `values` is empty.
  @discardableResult
  public mutating func setSensor(_ name: String, values: [Int64], at now: UInt64) -> Bool {
    advance(to: now)
    return setSensor(name, values: values)
  }

  mutating func setSensor(_ name: String, values: [Int64]) -> Bool {
    guard !values.isEmpty, let resource = place(ResourceName(.sensor, name)) else { return false }
    sensorState.sensors[resource].values = values
    checkTripPoints(resource)
    return true
  }

  // MARK: - Sampling

  /// Whether somebody waits for what the sensor says by itself.
  private func isWatched(_ resource: Int) -> Bool {
    guard sensorState.sensors[resource].configuration.isEnabled else { return false }
    for holder in holders[Int(ResourceKind.sensor.rawValue)][resource] {
      let grant = grant(of: holder, .sensor)
      if grant.wants(SensorProtocol.Notification.update) { return true }
      if grant.wants(SensorProtocol.Notification.tripPointEvent), hasTripPoints(holder) { return true }
    }
    return false
  }

  private func hasTripPoints(_ holder: Holder) -> Bool {
    sensorState.tripPoints[holder.agent][holder.identifier]?.contains { !$0.mode.isEmpty } ?? false
  }

  /// 100 ms where the sensor has no update interval.
  func samplingInterval(_ resource: Int) -> UInt64 {
    guard let interval = sensorState.sensors[resource].configuration.interval else { return 100_000_000 }
    return max(interval.nanoseconds, UpdateInterval.least)
  }

  mutating func startSampling(_ resource: Int) {
    guard !sensorState.sensors[resource].isSampled, isWatched(resource) else { return }
    sensorState.sensors[resource].isSampled = true
    sensorState.sensors[resource].lastValue = reading(resource)
    recur(after(samplingInterval(resource)), .sampleSensor(resource))
  }

  mutating func sampleSensor(_ resource: Int) {
    sensorState.sensors[resource].isSampled = isWatched(resource)
    guard sensorState.sensors[resource].isSampled else { return }
    checkTripPoints(resource)
    sendUpdates(resource)
    recur(after(samplingInterval(resource)), .sampleSensor(resource))
  }

  private mutating func checkTripPoints(_ resource: Int) {
    let value = reading(resource)
    let last = sensorState.sensors[resource].lastValue
    sensorState.sensors[resource].lastValue = value
    guard value != last, sensorState.sensors[resource].configuration.isEnabled else { return }
    let notification = SensorProtocol.Notification.tripPointEvent
    for holder in holders[Int(ResourceKind.sensor.rawValue)][resource] {
      guard grant(of: holder, .sensor).wants(notification),
        let trips = sensorState.tripPoints[holder.agent][holder.identifier]
      else { continue }
      for (index, trip) in trips.enumerated() where !trip.mode.isEmpty {
        let rises = last < trip.value && value >= trip.value
        let falls = last >= trip.value && value < trip.value
        guard rises && trip.mode.contains(.rising) || falls && trip.mode.contains(.falling) else { continue }
        notify(notification, .sensor, resource, cause: nil, only: holder.agent) { cause, sensor in
          SensorProtocol.TripPointEvent {
            $0.agent = cause
            $0.sensor = sensor
            $0.description = SensorProtocol.TripPointDescription(tripPoint: index, isRising: rises)
          }
        }
      }
    }
  }

  /// Readings in the form that 2.0 and later have: only these know updates.
  private mutating func sendUpdates(_ resource: Int) {
    let readings = readings(resource, .major(2))
    notify(SensorProtocol.Notification.update, .sensor, resource, cause: nil) { cause, sensor in
      SensorProtocol.Update {
        $0.agent = cause
        $0.sensor = sensor
        $0.readings = readings
      }
    }
  }
}
