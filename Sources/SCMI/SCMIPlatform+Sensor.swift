/// Sensor management, 0x15: description and readings. Versions 1.0 to 3.1.
extension SCMIPlatform {
  mutating func sensorMessage(
    _ message: SensorProtocol.Message,
    _ request: SCMIMessage,
    _ context: Context,
    _ reply: inout SCMIMessage
  ) throws(SCMIStatus) {
    switch message {
    case .descriptionGet: try sensorDescriptions(request.fields(), context, &reply)
    case .tripPointNotify: try tripPointNotify(request.fields(), context)
    case .tripPointConfig: try tripPointConfig(request.fields(), context)
    case .readingGet: try sensorReading(request, context, &reply)
    case .axisDescriptionGet: try sensorAxes(request.fields(), context, &reply)
    case .listUpdateIntervals: reply.append(try sensorIntervals(request.fields(), context))
    case .configGet: reply.append(try sensorConfig(request.fields(), context))
    case .configSet: try sensorConfigSet(request.fields(), context)
    case .continuousUpdateNotify: try sensorUpdateNotify(request.fields(), context)
    case .nameGet:
      let request: SensorProtocol.Resource = try request.fields()
      reply.append(try resourceName(request, .sensor, context) { definition.sensors[$0].name })
    case .axisNameGet: reply.append(try sensorAxisName(request.fields(), context))
    }
  }

  /// As many descriptors as fit.
  private func sensorDescriptions(
    _ request: SensorProtocol.DescriptionGet,
    _ context: Context,
    _ reply: inout SCMIMessage
  ) throws(SCMIStatus) {
    typealias Message = SensorProtocol.Message
    let total = count(.sensor, context.agent)
    guard request.index < total else { throw .invalidParameters }
    let count = reply.count
    reply.append(SensorProtocol.Descriptions())
    var identifier = request.index
    while identifier < total {
      let view = context.agent * ResourceKind.count + Int(ResourceKind.sensor.rawValue)
      let grant = views[view].grants[Int(identifier)]
      // One that was taken away keeps its place and says nothing about itself.
      var sensor = grant.access >= .read ? definition.sensors[Int(grant.resource)] : SensorDefinition("")
      // What the agent may not ask for or set is not promised.
      if !may(Message.axisDescriptionGet, context) { sensor.axes = [] }
      if !may(Message.tripPointConfig, grant, context) { sensor.tripPoints = 0 }
      let descriptor = descriptor(sensor, identifier, context)
      guard reply.room >= descriptor.size() else { break }
      reply.append(descriptor)
      identifier += 1
    }
    reply.replace(
      SensorProtocol.Descriptions {
        $0.count = PartCount(returned: Int(identifier - request.index), of: total, from: request.index)
      },
      at: count
    )
  }

  private func descriptor(
    _ sensor: SensorDefinition,
    _ identifier: UInt32,
    _ context: Context
  ) -> SensorProtocol.Descriptor {
    typealias Message = SensorProtocol.Message
    let isExtended = context.version >= .major(2) && (sensor.range != nil || sensor.power != 0)
    let events = agents[context.agent].events && may(Message.readingGet, context)
    var low = SensorProtocol.LowAttributes(tripPoints: sensor.tripPoints)
    if sensor.asynchronous && events { low.insert(.asynchronous) }
    var high = SensorProtocol.HighAttributes(type: sensor.type, scale: sensor.scale)
    if context.version >= .major(2) {
      if sensor.updates && may(Message.continuousUpdateNotify, context) { low.insert(.updates) }
      if sensor.timestamps { low.insert(.nanosecondTimestamps) }
      if isExtended { low.insert(.extended) }
      if !sensor.axes.isEmpty { high.setAxes(sensor.axes.count) }
    } else if let interval = sensor.intervals.first {
      high.setInterval(interval)
    }
    if context.version >= .major(3) && sensor.name.isLongName && may(Message.nameGet, context) {
      low.insert(.extendedName)
    }
    return SensorProtocol.Descriptor {
      $0.sensor = identifier
      $0.low = low
      $0.high = high
      $0.name = sensor.name
      guard isExtended else { return }
      $0.power = sensor.power
      if sensor.axes.isEmpty { $0.range = SensorProtocol.Range(sensor.range) }
    }
  }

  private func sensorAxes(
    _ request: SensorProtocol.AxisDescriptionGet,
    _ context: Context,
    _ reply: inout SCMIMessage
  ) throws(SCMIStatus) {
    let grant = try grant(.sensor, request.sensor, context.agent, .read)
    let axes = definition.sensors[Int(grant.resource)].axes
    guard !axes.isEmpty else { throw .notSupported }
    guard request.index < axes.count else { throw .outOfRange }
    let count = reply.count
    reply.append(SensorProtocol.AxisDescriptions())
    var index = Int(request.index)
    while index < axes.count {
      let axis = axes[index]
      var low: SensorProtocol.AxisAttributes = axis.range == nil ? [] : .extended
      if context.version >= .major(3) && axis.name.isLongName && may(SensorProtocol.Message.axisNameGet, context) {
        low.insert(.extendedName)
      }
      let descriptor = SensorProtocol.AxisDescriptor {
        $0.axis = UInt32(index)
        $0.low = low
        $0.high = SensorProtocol.HighAttributes(type: axis.type, scale: axis.scale)
        $0.name = axis.name
        if axis.range != nil { $0.range = SensorProtocol.Range(axis.range) }
      }
      guard reply.room >= descriptor.size() else { break }
      reply.append(descriptor)
      index += 1
    }
    reply.replace(
      SensorProtocol.AxisDescriptions {
        $0.count = PartCount(returned: index - Int(request.index), of: axes.count, from: request.index)
      },
      at: count
    )
  }

  /// One name fits into a message.
  private func sensorAxisName(
    _ request: SensorProtocol.AxisNameGet,
    _ context: Context
  ) throws(SCMIStatus) -> SensorProtocol.AxisName {
    let grant = try grant(.sensor, request.sensor, context.agent, .read)
    let axes = definition.sensors[Int(grant.resource)].axes
    guard !axes.isEmpty else { throw .notSupported }
    guard request.index < axes.count else { throw .outOfRange }
    return SensorProtocol.AxisName {
      $0.count = PartCount(returned: 1, of: axes.count, from: request.index)
      $0.axis = request.index
      $0.name = axes[Int(request.index)].name
    }
  }

  private func sensorIntervals(
    _ request: SensorProtocol.ListUpdateIntervals,
    _ context: Context
  ) throws(SCMIStatus) -> SensorProtocol.UpdateIntervals {
    let grant = try grant(.sensor, request.sensor, context.agent, .read)
    let sensor = definition.sensors[Int(grant.resource)]
    // A sensor without intervals has an empty list: Linux asks each sensor and counts errors.
    guard request.index < max(sensor.intervals.count, 1) else { throw .outOfRange }
    let part = sensor.intervals.dropFirst(Int(request.index)).prefix(SensorProtocol.maximumIntervals)
    return SensorProtocol.UpdateIntervals {
      $0.count = PartCount(returned: part.count, of: sensor.intervals.count, from: request.index)
      $0.count.isRange = sensor.intervalsAreSegment
      $0.intervals = part.map(\.encoded)
    }
  }

  // MARK: - Readings

  private mutating func sensorReading(
    _ message: SCMIMessage,
    _ context: Context,
    _ reply: inout SCMIMessage
  ) throws(SCMIStatus) {
    let request: SensorProtocol.ReadingGet = try message.fields()
    let grant = try grant(.sensor, request.sensor, context.agent, .read)
    try request.flags.expectDefined()
    let resource = Int(grant.resource)
    guard sensorState.sensors[resource].configuration.isEnabled else { throw .protocolError }
    guard request.flags.contains(.asynchronous) else {
      return reply.append(SensorProtocol.Readings { $0.readings = readings(resource, context.version) })
    }
    guard definition.sensors[resource].asynchronous, agents[context.agent].events else { throw .notSupported }
    let limit = Int(definition.sensorAsynchronousRequests)
    guard asynchronousCount(.sensor, context.agent) < limit else {
      explain("all \(limit) asynchronous readings are pending")
      throw .busy
    }
    try startAsynchronous(message, context, latency: definition.sensors[resource].asynchronousLatency)
  }

  /// 1.0: one value. From 2.0 on: value and timestamp per axis.
  func readings(_ resource: Int, _ version: ProtocolVersion) -> [Int64] {
    let sensor = definition.sensors[resource]
    let state = sensorState.sensors[resource]
    guard version >= .major(2) else { return [value(of: sensor.binding, axis: 0, stored: state.values)] }
    let timestamp = sensor.timestamps && state.configuration.hasTimestamps ? now : 0
    return (0..<sensor.readingCount).flatMap { axis in
      [value(of: sensor.binding, axis: axis, stored: state.values), Int64(bitPattern: timestamp)]
    }
  }

  func completeSensorReading(
    _ request: SensorProtocol.ReadingGet,
    _ agent: Int
  ) throws(SCMIStatus) -> SensorProtocol.ReadingComplete {
    let grant = try grant(.sensor, request.sensor, agent, .read)
    return SensorProtocol.ReadingComplete {
      $0.sensor = request.sensor
      $0.readings = readings(Int(grant.resource), version(.sensor, agent))
    }
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
