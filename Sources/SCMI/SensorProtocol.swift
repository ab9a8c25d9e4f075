/// Sensor management, 0x15 (SCMI 3.2, 4.7).
public enum SensorProtocol {
  /// Its commands.
  public enum Message: UInt8, TabledMessage {
    /// SENSOR_DESCRIPTION_GET: descriptors of sensors.
    case descriptionGet = 0x3
    /// SENSOR_TRIP_POINT_NOTIFY: trip point events, wanted or not.
    case tripPointNotify = 0x4
    /// SENSOR_TRIP_POINT_CONFIG: where a trip point lies.
    case tripPointConfig = 0x5
    /// SENSOR_READING_GET: what a sensor reads.
    case readingGet = 0x6
    /// SENSOR_AXIS_DESCRIPTION_GET: descriptors of a sensor's axes.
    case axisDescriptionGet = 0x7
    /// SENSOR_LIST_UPDATE_INTERVALS: how often a sensor can read.
    case listUpdateIntervals = 0x8
    /// SENSOR_CONFIG_GET: a sensor's configuration.
    case configGet = 0x9
    /// SENSOR_CONFIG_SET: on, off, timestamps and interval.
    case configSet = 0xA
    /// SENSOR_CONTINUOUS_UPDATE_NOTIFY: updates, wanted or not.
    case continuousUpdateNotify = 0xB
    /// SENSOR_NAME_GET: a sensor's whole name.
    case nameGet = 0xC
    /// SENSOR_AXIS_NAME_GET: an axis's whole name.
    case axisNameGet = 0xD

    public static var protocolIdentifier: ProtocolIdentifier { .sensor }

    package var row: MessageRow {
      switch self {
      case .descriptionGet: MessageRow("SENSOR_DESCRIPTION_GET", DescriptionGet.self, reply: Descriptions.self)
      case .tripPointNotify: MessageRow("SENSOR_TRIP_POINT_NOTIFY", TripPointNotify.self, needsEvents: true)
      case .tripPointConfig: MessageRow("SENSOR_TRIP_POINT_CONFIG", TripPointConfig.self)
      case .readingGet:
        MessageRow("SENSOR_READING_GET", ReadingGet.self, reply: Readings.self, delayed: ReadingComplete.self)
      case .axisDescriptionGet:
        MessageRow("SENSOR_AXIS_DESCRIPTION_GET", AxisDescriptionGet.self, reply: AxisDescriptions.self, since: 2)
      case .listUpdateIntervals:
        MessageRow("SENSOR_LIST_UPDATE_INTERVALS", ListUpdateIntervals.self, reply: UpdateIntervals.self, since: 2)
      case .configGet: MessageRow("SENSOR_CONFIG_GET", Resource.self, reply: Config.self, since: 2)
      case .configSet: MessageRow("SENSOR_CONFIG_SET", ConfigSet.self, since: 2)
      case .continuousUpdateNotify:
        MessageRow("SENSOR_CONTINUOUS_UPDATE_NOTIFY", Notify.self, since: 2, needsEvents: true)
      case .nameGet: MessageRow("SENSOR_NAME_GET", Resource.self, reply: Name.self, since: 3)
      case .axisNameGet: MessageRow("SENSOR_AXIS_NAME_GET", AxisNameGet.self, reply: AxisName.self, since: 3)
      }
    }
  }

  /// Its notifications, which have numbers of their own.
  public enum Notification: UInt8, TabledNotification {
    /// SENSOR_TRIP_POINT_EVENT: a trip point was crossed.
    case tripPointEvent = 0
    /// SENSOR_UPDATE: what a sensor reads.
    case update = 1

    public static var protocolIdentifier: ProtocolIdentifier { .sensor }

    package var row: NotificationRow {
      switch self {
      case .tripPointEvent: NotificationRow("SENSOR_TRIP_POINT_EVENT", TripPointEvent.self)
      case .update: NotificationRow("SENSOR_UPDATE", Update.self)
      }
    }
  }
}
