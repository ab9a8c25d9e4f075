extension SensorProtocol: ResourceProtocol {
  package static var resourceField: StaticString { "sensor_id" }
}

/// The structures of its payloads.
extension SensorProtocol {
  /// What the commands about a sensor carry that need nothing more.
  package typealias Resource = ResourceFields<SensorProtocol>
  /// What SENSOR_CONTINUOUS_UPDATE_NOTIFY carries.
  package typealias Notify = NotifyFields<SensorProtocol>
  /// The reply to SENSOR_NAME_GET.
  package typealias Name = NameFields

  /// SENSOR_DESCRIPTION_GET.
  package struct DescriptionGet: MessageFields {
    /// The first sensor that is wanted, from 0.
    package var index: UInt32 = 0

    package init() {}

    package mutating func visit(_ fields: inout some FieldVisitor) {
      fields.word("desc_index", &index)
    }
  }

  /// The reply to SENSOR_DESCRIPTION_GET.
  package struct Descriptions: MessageFields {
    /// How many sensors follow, and how many remain.
    package var count = PartCount()
    /// The words of each sensor's ``Descriptor``, one after the other.
    package var descriptors: [UInt32] = []

    package init() {}

    package mutating func visit(_ fields: inout some FieldVisitor) {
      fields.part("num_sensor_flags", &count, remainingFrom: 16)
      fields.rest("descriptors", &descriptors, .hexadecimal)
    }
  }

  /// SENSOR_TRIP_POINT_NOTIFY.
  package struct TripPointNotify: MessageFields {
    /// The sensor whose trip points are meant.
    package var sensor: UInt32 = 0
    /// Whether crossings are told.
    package var enable: NotifyEnable = []

    package init() {}

    package mutating func visit(_ fields: inout some FieldVisitor) {
      fields.resource("sensor_id", &sensor)
      fields.flags("sensor_event_control", &enable)
    }
  }

  /// SENSOR_TRIP_POINT_CONFIG.
  package struct TripPointConfig: MessageFields {
    /// The sensor that has the trip point.
    package var sensor: UInt32 = 0
    /// Which trip point, and which crossings it tells of.
    package var control = TripPointControl(rawValue: 0)
    /// Where it lies, in the sensor's unit.
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
    /// The sensor to read.
    package var sensor: UInt32 = 0
    /// When the answer comes.
    package var flags: ReadingFlags = []

    package init() {}

    package mutating func visit(_ fields: inout some FieldVisitor) {
      fields.resource("sensor_id", &sensor)
      fields.flags("flags", &flags)
    }
  }

  /// The reply to SENSOR_READING_GET.
  package struct Readings: MessageFields {
    /// A value and its time, two words each, of each axis; before 2.0 the value alone.
    package var readings: [Int64] = []

    package init() {}

    package mutating func visit(_ fields: inout some FieldVisitor) {
      fields.rest("readings", &readings, .signedWide)
    }
  }

  /// SENSOR_READING_GET_COMPLETE, the delayed response.
  package struct ReadingComplete: MessageFields {
    /// The sensor that was read.
    package var sensor: UInt32 = 0
    /// A value and its time, two words each, of each axis; before 2.0 the value alone.
    package var readings: [Int64] = []

    package init() {}

    package mutating func visit(_ fields: inout some FieldVisitor) {
      fields.resource("sensor_id", &sensor)
      fields.rest("readings", &readings, .signedWide)
    }
  }

  /// SENSOR_AXIS_DESCRIPTION_GET.
  package struct AxisDescriptionGet: MessageFields {
    /// The sensor that has the axes.
    package var sensor: UInt32 = 0
    /// The first axis that is wanted, from 0.
    package var index: UInt32 = 0

    package init() {}

    package mutating func visit(_ fields: inout some FieldVisitor) {
      fields.resource("sensor_id", &sensor)
      fields.word("axis_desc_index", &index)
    }
  }

  /// The reply to SENSOR_AXIS_DESCRIPTION_GET.
  package struct AxisDescriptions: MessageFields {
    /// How many axes follow, and how many remain.
    package var count = PartCount()
    /// The words of each axis's ``AxisDescriptor``, one after the other.
    package var descriptors: [UInt32] = []

    package init() {}

    package mutating func visit(_ fields: inout some FieldVisitor) {
      fields.part("num_axis_flags", &count, remainingFrom: 26)
      fields.rest("descriptors", &descriptors, .hexadecimal)
    }
  }

  /// SENSOR_LIST_UPDATE_INTERVALS.
  package struct ListUpdateIntervals: MessageFields {
    /// The sensor that is asked about.
    package var sensor: UInt32 = 0
    /// The first interval that is wanted, from 0; a range has no parts.
    package var index: UInt32 = 0

    package init() {}

    package mutating func visit(_ fields: inout some FieldVisitor) {
      fields.resource("sensor_id", &sensor)
      fields.word("index", &index)
    }
  }

  /// The reply to SENSOR_LIST_UPDATE_INTERVALS.
  package struct UpdateIntervals: MessageFields {
    /// How many intervals follow, and whether they are a range.
    package var count = PartCount()
    /// As ``UpdateInterval`` writes them, ascending; of a range lowest, highest and step.
    package var intervals: [UInt32] = []

    package init() {}

    package mutating func visit(_ fields: inout some FieldVisitor) {
      fields.part("num_intervals_flags", &count, remainingFrom: 16)
      fields.rest("intervals", &intervals, .hexadecimal)
    }
  }

  /// The reply to SENSOR_CONFIG_GET.
  package struct Config: MessageFields {
    /// How the sensor is configured.
    package var configuration = SensorConfiguration(rawValue: 0)

    package init() {}

    package mutating func visit(_ fields: inout some FieldVisitor) {
      fields.flags("sensor_config", &configuration)
    }
  }

  /// SENSOR_CONFIG_SET.
  package struct ConfigSet: MessageFields {
    /// The sensor to configure.
    package var sensor: UInt32 = 0
    /// On or off, timestamps, and how often it reads.
    package var configuration = SensorConfiguration(rawValue: 0)

    package init() {}

    package mutating func visit(_ fields: inout some FieldVisitor) {
      fields.resource("sensor_id", &sensor)
      fields.flags("sensor_config", &configuration)
    }
  }

  /// SENSOR_AXIS_NAME_GET.
  package struct AxisNameGet: MessageFields {
    /// The sensor that has the axes.
    package var sensor: UInt32 = 0
    /// The first axis whose name is wanted, from 0.
    package var index: UInt32 = 0

    package init() {}

    package mutating func visit(_ fields: inout some FieldVisitor) {
      fields.resource("sensor_id", &sensor)
      fields.word("axis_desc_index", &index)
    }
  }

  /// The reply to SENSOR_AXIS_NAME_GET.
  package struct AxisName: MessageFields {
    /// How many names follow, and how many remain.
    package var count = PartCount()
    /// The axis that the name is of.
    package var axis: UInt32 = 0
    /// At most 63 bytes.
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
    /// Always the platform, 0.
    package var agent: UInt32 = 0
    /// The sensor whose trip point was crossed.
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
    /// Always the platform, 0.
    package var agent: UInt32 = 0
    /// The sensor that was read.
    package var sensor: UInt32 = 0
    /// A value and its time, two words each, of each axis.
    package var readings: [Int64] = []

    package init() {}

    package mutating func visit(_ fields: inout some FieldVisitor) {
      fields.word("agent_id", &agent)
      fields.resource("sensor_id", &sensor)
      fields.rest("readings", &readings, .signedWide)
    }
  }
}
