extension SensorProtocol: ResourceProtocol {
  package static var resourceField: StaticString { "sensor_id" }
}

/// The structures of its payloads.
extension SensorProtocol {
  package typealias Resource = ResourceFields<SensorProtocol>
  package typealias Notify = NotifyFields<SensorProtocol>
  package typealias Name = NameFields

  /// SENSOR_DESCRIPTION_GET.
  package struct DescriptionGet: MessageFields {
    package var index: UInt32 = 0

    package init() {}

    package mutating func visit(_ fields: inout some FieldVisitor) {
      fields.word("desc_index", &index)
    }
  }

  /// The reply to SENSOR_DESCRIPTION_GET.
  package struct Descriptions: MessageFields {
    package var count = PartCount()
    package var descriptors: [UInt32] = []

    package init() {}

    package mutating func visit(_ fields: inout some FieldVisitor) {
      fields.part("num_sensor_flags", &count, remainingFrom: 16)
      fields.rest("descriptors", &descriptors, .hexadecimal)
    }
  }

  /// SENSOR_TRIP_POINT_NOTIFY.
  package struct TripPointNotify: MessageFields {
    package var sensor: UInt32 = 0
    package var enable: NotifyEnable = []

    package init() {}

    package mutating func visit(_ fields: inout some FieldVisitor) {
      fields.resource("sensor_id", &sensor)
      fields.flags("sensor_event_control", &enable)
    }
  }

  /// SENSOR_TRIP_POINT_CONFIG.
  package struct TripPointConfig: MessageFields {
    package var sensor: UInt32 = 0
    package var control = TripPointControl(rawValue: 0)
    package var value: Int64 = 0

    package init() {}

    package mutating func visit(_ fields: inout some FieldVisitor) {
      fields.resource("sensor_id", &sensor)
      fields.flags("trip_point_ev_ctrl", &control)
      fields.signedWide("trip_point_val", &value)
    }
  }

  /// SENSOR_READING_GET.
  package struct ReadingGet: MessageFields {
    package var sensor: UInt32 = 0
    package var flags: ReadingFlags = []

    package init() {}

    package mutating func visit(_ fields: inout some FieldVisitor) {
      fields.resource("sensor_id", &sensor)
      fields.flags("flags", &flags)
    }
  }

  /// The reply to SENSOR_READING_GET.
  package struct Readings: MessageFields {
    package var readings: [Int64] = []

    package init() {}

    package mutating func visit(_ fields: inout some FieldVisitor) {
      fields.rest("readings", &readings, .signedWide)
    }
  }

  /// SENSOR_READING_GET_COMPLETE, the delayed response.
  package struct ReadingComplete: MessageFields {
    package var sensor: UInt32 = 0
    package var readings: [Int64] = []

    package init() {}

    package mutating func visit(_ fields: inout some FieldVisitor) {
      fields.resource("sensor_id", &sensor)
      fields.rest("readings", &readings, .signedWide)
    }
  }

  /// SENSOR_AXIS_DESCRIPTION_GET.
  package struct AxisDescriptionGet: MessageFields {
    package var sensor: UInt32 = 0
    package var index: UInt32 = 0

    package init() {}

    package mutating func visit(_ fields: inout some FieldVisitor) {
      fields.resource("sensor_id", &sensor)
      fields.word("axis_desc_index", &index)
    }
  }

  /// The reply to SENSOR_AXIS_DESCRIPTION_GET.
  package struct AxisDescriptions: MessageFields {
    package var count = PartCount()
    package var descriptors: [UInt32] = []

    package init() {}

    package mutating func visit(_ fields: inout some FieldVisitor) {
      fields.part("num_axis_flags", &count, remainingFrom: 26)
      fields.rest("descriptors", &descriptors, .hexadecimal)
    }
  }

  /// SENSOR_LIST_UPDATE_INTERVALS.
  package struct ListUpdateIntervals: MessageFields {
    package var sensor: UInt32 = 0
    package var index: UInt32 = 0

    package init() {}

    package mutating func visit(_ fields: inout some FieldVisitor) {
      fields.resource("sensor_id", &sensor)
      fields.word("index", &index)
    }
  }

  /// The reply to SENSOR_LIST_UPDATE_INTERVALS.
  package struct UpdateIntervals: MessageFields {
    package var count = PartCount()
    package var intervals: [UInt32] = []

    package init() {}

    package mutating func visit(_ fields: inout some FieldVisitor) {
      fields.part("num_intervals_flags", &count, remainingFrom: 16)
      fields.rest("intervals", &intervals, .hexadecimal)
    }
  }

  /// The reply to SENSOR_CONFIG_GET.
  package struct Config: MessageFields {
    package var configuration = SensorConfiguration(rawValue: 0)

    package init() {}

    package mutating func visit(_ fields: inout some FieldVisitor) {
      fields.flags("sensor_config", &configuration)
    }
  }

  /// SENSOR_CONFIG_SET.
  package struct ConfigSet: MessageFields {
    package var sensor: UInt32 = 0
    package var configuration = SensorConfiguration(rawValue: 0)

    package init() {}

    package mutating func visit(_ fields: inout some FieldVisitor) {
      fields.resource("sensor_id", &sensor)
      fields.flags("sensor_config", &configuration)
    }
  }

  /// SENSOR_AXIS_NAME_GET.
  package struct AxisNameGet: MessageFields {
    package var sensor: UInt32 = 0
    package var index: UInt32 = 0

    package init() {}

    package mutating func visit(_ fields: inout some FieldVisitor) {
      fields.resource("sensor_id", &sensor)
      fields.word("axis_desc_index", &index)
    }
  }

  /// The reply to SENSOR_AXIS_NAME_GET.
  package struct AxisName: MessageFields {
    package var count = PartCount()
    package var axis: UInt32 = 0
    package var name = ""

    package init() {}

    package mutating func visit(_ fields: inout some FieldVisitor) {
      fields.part("num_axis_flags", &count, remainingFrom: 26)
      fields.word("axis_id", &axis)
      fields.text("name", &name, size: MessageFieldSize.longName)
    }
  }

  /// SENSOR_TRIP_POINT_EVENT.
  package struct TripPointEvent: MessageFields {
    package var agent: UInt32 = 0
    package var sensor: UInt32 = 0
    package var description = TripPointDescription(rawValue: 0)

    package init() {}

    package mutating func visit(_ fields: inout some FieldVisitor) {
      fields.word("agent_id", &agent)
      fields.resource("sensor_id", &sensor)
      fields.flags("trip_point_desc", &description)
    }
  }

  /// SENSOR_UPDATE.
  package struct Update: MessageFields {
    package var agent: UInt32 = 0
    package var sensor: UInt32 = 0
    package var readings: [Int64] = []

    package init() {}

    package mutating func visit(_ fields: inout some FieldVisitor) {
      fields.word("agent_id", &agent)
      fields.resource("sensor_id", &sensor)
      fields.rest("readings", &readings, .signedWide)
    }
  }
}
