package import SCMI

/// Sensor management.
extension Request {
  /// SENSOR_DESCRIPTION_GET.
  package static func sensorDescriptionGet(index: UInt32 = 0) -> Request {
    Request(
      SensorProtocol.Message.descriptionGet,
      SensorProtocol.DescriptionGet {
        $0.index = index
      }
    )
  }

  /// SENSOR_TRIP_POINT_NOTIFY.
  package static func sensorTripPointNotify(sensor: UInt32, enable: NotifyEnable) -> Request {
    Request(
      SensorProtocol.Message.tripPointNotify,
      SensorProtocol.TripPointNotify {
        $0.sensor = sensor
        $0.enable = enable
      }
    )
  }

  /// SENSOR_TRIP_POINT_CONFIG.
  package static func sensorTripPointConfig(sensor: UInt32, control: SensorProtocol.TripPointControl, value: Int64)
    -> Request
  {
    Request(
      SensorProtocol.Message.tripPointConfig,
      SensorProtocol.TripPointConfig {
        $0.sensor = sensor
        $0.control = control
        $0.value = value
      }
    )
  }

  /// SENSOR_READING_GET.
  package static func sensorReadingGet(sensor: UInt32, flags: SensorProtocol.ReadingFlags = []) -> Request {
    Request(
      SensorProtocol.Message.readingGet,
      SensorProtocol.ReadingGet {
        $0.sensor = sensor
        $0.flags = flags
      }
    )
  }

  /// SENSOR_AXIS_DESCRIPTION_GET.
  package static func sensorAxisDescriptionGet(sensor: UInt32, index: UInt32 = 0) -> Request {
    Request(
      SensorProtocol.Message.axisDescriptionGet,
      SensorProtocol.AxisDescriptionGet {
        $0.sensor = sensor
        $0.index = index
      }
    )
  }

  /// SENSOR_LIST_UPDATE_INTERVALS.
  package static func sensorListUpdateIntervals(sensor: UInt32, index: UInt32 = 0) -> Request {
    Request(
      SensorProtocol.Message.listUpdateIntervals,
      SensorProtocol.ListUpdateIntervals {
        $0.sensor = sensor
        $0.index = index
      }
    )
  }

  /// SENSOR_CONFIG_GET.
  package static func sensorConfigGet(sensor: UInt32) -> Request {
    Request(
      SensorProtocol.Message.configGet,
      SensorProtocol.Resource {
        $0.resource = sensor
      }
    )
  }

  /// SENSOR_CONFIG_SET.
  package static func sensorConfigSet(sensor: UInt32, configuration: SensorProtocol.SensorConfiguration) -> Request {
    Request(
      SensorProtocol.Message.configSet,
      SensorProtocol.ConfigSet {
        $0.sensor = sensor
        $0.configuration = configuration
      }
    )
  }

  /// SENSOR_CONTINUOUS_UPDATE_NOTIFY.
  package static func sensorContinuousUpdateNotify(sensor: UInt32, enable: NotifyEnable) -> Request {
    Request(
      SensorProtocol.Message.continuousUpdateNotify,
      SensorProtocol.Notify {
        $0.resource = sensor
        $0.enable = enable
      }
    )
  }

  /// SENSOR_NAME_GET.
  package static func sensorNameGet(sensor: UInt32) -> Request {
    Request(
      SensorProtocol.Message.nameGet,
      SensorProtocol.Resource {
        $0.resource = sensor
      }
    )
  }

  /// SENSOR_AXIS_NAME_GET.
  package static func sensorAxisNameGet(sensor: UInt32, index: UInt32 = 0) -> Request {
    Request(
      SensorProtocol.Message.axisNameGet,
      SensorProtocol.AxisNameGet {
        $0.sensor = sensor
        $0.index = index
      }
    )
  }
}
