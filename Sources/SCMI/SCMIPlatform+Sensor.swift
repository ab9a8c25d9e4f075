/// Sensor management, 0x15: description and readings. Versions 1.0 to 3.1.
extension SCMIPlatform {
  mutating func sensorMessage(_ request: SCMIMessage, _ context: Context, _ reply: inout SCMIMessage) throws(SCMIStatus)
  {
    switch context.header.message {
    case 3: try sensorDescriptions(request, context, &reply)
    case 4:
      try request.expect(8)
      let sensors = definition.sensors
      try setNotification(request, .sensor, 0, context) { sensors[$0].tripPoints > 0 }
      startSampling(Int(try slot(.sensor, request[word: 0], context.agent, .read).resource))
    case 5: try tripPointConfiguration(request, context)
    case 6: try sensorReading(request, context, &reply)
    case 7: try sensorAxes(request, context, &reply)
    case 8: try sensorIntervals(request, context, &reply)
    case 9:
      try request.expect(4)
      let slot = try slot(.sensor, request[word: 0], context.agent, .read)
      reply.append(sensors[Int(slot.resource)].configuration)
    case 0xA: try sensorConfigurationSet(request, context)
    case 0xB:
      try request.expect(8)
      let sensors = definition.sensors
      try setNotification(request, .sensor, 1, context) { sensors[$0].updates }
      startSampling(Int(try slot(.sensor, request[word: 0], context.agent, .read).resource))
    case 0xC:
      try request.expect(4)
      let slot = try slot(.sensor, request[word: 0], context.agent, .read)
      reply.append(UInt32(0))
      reply.append(name: definition.sensors[Int(slot.resource)].name, size: 64)
    default: try sensorAxisNames(request, context, &reply)
    }
  }

  /// SENSOR_DESCRIPTION_GET: returned 15:0, remaining 31:16; as many descriptors as fit.
  private func sensorDescriptions(_ request: SCMIMessage, _ context: Context, _ reply: inout SCMIMessage)
    throws(SCMIStatus)
  {
    try request.expect(4)
    let first = request[word: 0]
    let total = count(.sensor, context.agent)
    guard first < total else { throw .invalidParameters }
    reply.append(UInt32(0))
    var identifier = first
    var returned: UInt32 = 0
    while identifier < total {
      let view = context.agent * ResourceKind.count + Int(ResourceKind.sensor.rawValue)
      let slot = views[view].slots[Int(identifier)]
      // One that was taken away keeps its place and says nothing about itself.
      var sensor = slot.access >= .read ? definition.sensors[Int(slot.resource)] : SensorDefinition("")
      // What the agent may not ask for or set is not promised.
      if !may(7, context) { sensor.axes = [] }
      if !may(5, slot, context) { sensor.tripPoints = 0 }
      guard reply.room >= descriptorSize(sensor, context.version) else { break }
      appendDescriptor(sensor, identifier, context, &reply)
      identifier += 1
      returned += 1
    }
    reply[word: 1] = returned | UInt32(total - Int(identifier)) << 16
  }

  private func hasExtendedAttributes(_ sensor: SensorDefinition, _ version: UInt32) -> Bool {
    version >= 0x20000 && (sensor.range != nil || sensor.power != 0)
  }

  private func descriptorSize(_ sensor: SensorDefinition, _ version: UInt32) -> Int {
    guard hasExtendedAttributes(sensor, version) else { return 28 }
    return sensor.axes.isEmpty ? 52 : 32
  }

  private func appendDescriptor(
    _ sensor: SensorDefinition,
    _ identifier: UInt32,
    _ context: Context,
    _ reply: inout SCMIMessage
  ) {
    let events = agents[context.agent].events && may(6, context)
    let isExtended = hasExtendedAttributes(sensor, context.version)
    var low = UInt32(sensor.tripPoints)
    if sensor.asynchronous && events { low |= 1 << 31 }
    var high = UInt32(sensor.type) | field(sensor.scale) << 11
    if context.version >= 0x20000 {
      if sensor.updates && may(0xB, context) { low |= 1 << 30 }
      // Timestamps are nanoseconds: exponent −9.
      if sensor.timestamps { low |= 1 << 9 | field(-9) << 10 }
      if isExtended { low |= 1 << 8 }
      if !sensor.axes.isEmpty { high |= 1 << 8 | UInt32(sensor.axes.count) << 16 }
    } else if let interval = sensor.intervals.first {
      // 1.0 has one update interval, 5 bits of value and 5 bits of exponent, in the descriptor.
      high |= UInt32(interval.seconds & 0x1F) << 27 | field(interval.exponent) << 22
    }
    if context.version >= 0x30000 && sensor.name.utf8.count > 15 && may(0xC, context) { low |= 1 << 29 }
    reply.append(identifier)
    reply.append(low)
    reply.append(high)
    reply.append(name: sensor.name, size: 16)
    guard isExtended else { return }
    reply.append(sensor.power)
    if sensor.axes.isEmpty { append(sensor.range, &reply) }
  }

  /// A signed number of 5 bits.
  private func field(_ value: Int8) -> UInt32 { UInt32(UInt8(bitPattern: value) & 0x1F) }

  private func append(_ range: ValueRange?, _ reply: inout SCMIMessage) {
    let range = range ?? ValueRange(minimum: .min, maximum: .max, resolution: 0)
    reply.append(range.resolution & 0x7FF_FFFF | field(range.resolutionExponent) << 27)
    reply.append(range.minimum)
    reply.append(range.maximum)
  }

  /// SENSOR_AXIS_DESCRIPTION_GET: returned 5:0, remaining 31:26.
  private func sensorAxes(_ request: SCMIMessage, _ context: Context, _ reply: inout SCMIMessage) throws(SCMIStatus) {
    try request.expect(8)
    let slot = try slot(.sensor, request[word: 0], context.agent, .read)
    let axes = definition.sensors[Int(slot.resource)].axes
    guard !axes.isEmpty else { throw .notSupported }
    guard request[word: 1] < axes.count else { throw .outOfRange }
    reply.append(UInt32(0))
    var index = Int(request[word: 1])
    var returned: UInt32 = 0
    while index < axes.count {
      let axis = axes[index]
      guard reply.room >= (axis.range == nil ? 28 : 48) else { break }
      var low: UInt32 = axis.range == nil ? 0 : 1 << 8
      if context.version >= 0x30000 && axis.name.utf8.count > 15 && may(0xD, context) { low |= 1 << 9 }
      reply.append(UInt32(index))
      reply.append(low)
      reply.append(UInt32(axis.type) | field(axis.scale) << 11)
      reply.append(name: axis.name, size: 16)
      if axis.range != nil { append(axis.range, &reply) }
      index += 1
      returned += 1
    }
    reply[word: 1] = returned | UInt32(axes.count - index) << 26
  }

  /// SENSOR_AXIS_NAME_GET: returned 5:0, remaining 31:26; one name fits into a message.
  private func sensorAxisNames(_ request: SCMIMessage, _ context: Context, _ reply: inout SCMIMessage)
    throws(SCMIStatus)
  {
    try request.expect(8)
    let slot = try slot(.sensor, request[word: 0], context.agent, .read)
    let axes = definition.sensors[Int(slot.resource)].axes
    guard !axes.isEmpty else { throw .notSupported }
    guard request[word: 1] < axes.count else { throw .outOfRange }
    let index = Int(request[word: 1])
    reply.append(1 | UInt32(axes.count - index - 1) << 26)
    reply.append(UInt32(index))
    reply.append(name: axes[index].name, size: 64)
  }

  /// SENSOR_LIST_UPDATE_INTERVALS: returned 11:0, segment form bit 12, remaining 31:16.
  private func sensorIntervals(_ request: SCMIMessage, _ context: Context, _ reply: inout SCMIMessage)
    throws(SCMIStatus)
  {
    try request.expect(8)
    let slot = try slot(.sensor, request[word: 0], context.agent, .read)
    let sensor = definition.sensors[Int(slot.resource)]
    // A sensor without intervals has an empty list: Linux asks each sensor and counts errors.
    guard request[word: 1] < max(sensor.intervals.count, 1) else { throw .outOfRange }
    let part = sensor.intervals.dropFirst(Int(request[word: 1])).prefix(30)
    let remaining = UInt32(sensor.intervals.count - Int(request[word: 1]) - part.count)
    reply.append(UInt32(part.count) | (sensor.intervalsAreSegment ? 1 << 12 : 0) | remaining << 16)
    for interval in part { reply.append(interval.encoded) }
  }

  // MARK: - Readings

  /// SENSOR_READING_GET: sensor, flags (bit 0 asynchronous).
  private mutating func sensorReading(_ request: SCMIMessage, _ context: Context, _ reply: inout SCMIMessage)
    throws(SCMIStatus)
  {
    try request.expect(8)
    let slot = try slot(.sensor, request[word: 0], context.agent, .read)
    guard request[word: 1] & ~1 == 0 else { throw .invalidParameters }
    let resource = Int(slot.resource)
    guard sensors[resource].configuration & 1 != 0 else { throw .protocolError }
    guard request[word: 1] & 1 != 0 else { return appendReadings(resource, context.version, &reply) }
    guard definition.sensors[resource].asynchronous, agents[context.agent].events else { throw .notSupported }
    let limit = Int(definition.sensorAsynchronousRequests)
    guard asynchronousCount(.sensor, context.agent) < limit else {
      explain("all \(limit) asynchronous readings are pending")
      throw .busy
    }
    try startAsynchronous(request, context, latency: definition.sensors[resource].asynchronousLatency)
  }

  /// 1.0: one value. From 2.0 on: value and timestamp per axis.
  func appendReadings(_ resource: Int, _ version: UInt32, _ message: inout SCMIMessage) {
    let sensor = definition.sensors[resource]
    let stored = sensors[resource].values
    guard version >= 0x20000 else { return message.append(value(of: sensor.binding, axis: 0, stored: stored)) }
    let timestamp = sensor.timestamps && sensors[resource].configuration & 2 != 0 ? now : 0
    for axis in 0..<sensor.readingCount {
      message.append(value(of: sensor.binding, axis: axis, stored: stored))
      message.append(timestamp)
    }
  }

  /// SENSOR_READING_COMPLETE: sensor, readings.
  mutating func completeSensorReading(_ request: SCMIMessage, _ agent: Int, _ response: inout SCMIMessage)
    throws(SCMIStatus)
  {
    response.append(request[word: 0])
    let slot = try slot(.sensor, request[word: 0], agent, .read)
    let access = protocols[agent * ProtocolIdentifier.count + ProtocolIdentifier.sensor.index]
    appendReadings(Int(slot.resource), access.version, &response)
  }

  /// What a binding says now.
  ///
  /// - Parameter stored: values from outside, which win.
  func value(of binding: ValueBinding, axis: Int, stored: [Int64]) -> Int64 {
    if !stored.isEmpty { return stored[min(axis, stored.count - 1)] }
    switch binding {
    case .constant(let values): return values.isEmpty ? 0 : values[min(axis, values.count - 1)]
    case .waveform(let waveform): return waveform.value(at: now)
    case .replay(let values, let interval): return values[Int(now / interval % UInt64(values.count))]
    case .closure(let closure): return closure(now, axis)
    case .host: return 0
    }
  }
}
