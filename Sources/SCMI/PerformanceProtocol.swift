/// Performance domain management, 0x13 (SCMI 3.2, 4.5).
public enum PerformanceProtocol {
  /// Its commands.
  public enum Message: UInt8, TabledMessage {
    /// PERFORMANCE_DOMAIN_ATTRIBUTES: what a domain can do.
    case domainAttributes = 0x3
    /// PERFORMANCE_DESCRIBE_LEVELS: a domain's levels.
    case describeLevels = 0x4
    /// PERFORMANCE_LIMITS_SET: bounds of the level.
    case limitsSet = 0x5
    /// PERFORMANCE_LIMITS_GET: the bounds that hold.
    case limitsGet = 0x6
    /// PERFORMANCE_LEVEL_SET: asks for a level.
    case levelSet = 0x7
    /// PERFORMANCE_LEVEL_GET: the level that holds.
    case levelGet = 0x8
    /// PERFORMANCE_NOTIFY_LIMITS: changes of the bounds, wanted or not.
    case notifyLimits = 0x9
    /// PERFORMANCE_NOTIFY_LEVEL: changes of the level, wanted or not.
    case notifyLevel = 0xA
    /// PERFORMANCE_DESCRIBE_FASTCHANNEL: never there: virtio has no memory that both sides could write.
    case describeFastChannel = 0xB
    /// PERFORMANCE_DOMAIN_NAME_GET: a domain's whole name.
    case domainNameGet = 0xC

    public static var protocolIdentifier: ProtocolIdentifier { .performance }

    package var row: MessageRow {
      switch self {
      case .domainAttributes: MessageRow("PERFORMANCE_DOMAIN_ATTRIBUTES", Resource.self, reply: Attributes.self)
      case .describeLevels: MessageRow("PERFORMANCE_DESCRIBE_LEVELS", DescribeLevels.self, reply: Levels.self)
      case .limitsSet: MessageRow("PERFORMANCE_LIMITS_SET", LimitsSet.self)
      case .limitsGet: MessageRow("PERFORMANCE_LIMITS_GET", Resource.self, reply: Limits.self)
      case .levelSet: MessageRow("PERFORMANCE_LEVEL_SET", LevelSet.self)
      case .levelGet: MessageRow("PERFORMANCE_LEVEL_GET", Resource.self, reply: Level.self)
      case .notifyLimits: MessageRow("PERFORMANCE_NOTIFY_LIMITS", Notify.self, needsEvents: true)
      case .notifyLevel: MessageRow("PERFORMANCE_NOTIFY_LEVEL", Notify.self, needsEvents: true)
      case .describeFastChannel:
        MessageRow(
          "PERFORMANCE_DESCRIBE_FASTCHANNEL",
          DescribeFastChannel.self,
          reply: FastChannel.self,
          isOffered: false
        )
      case .domainNameGet: MessageRow("PERFORMANCE_DOMAIN_NAME_GET", Resource.self, reply: Name.self, since: 3)
      }
    }
  }

  /// Its notifications, which have numbers of their own.
  public enum Notification: UInt8, TabledNotification {
    /// PERFORMANCE_LIMITS_CHANGED: the bounds are others.
    case limitsChanged = 0
    /// PERFORMANCE_LEVEL_CHANGED: the level is another one.
    case levelChanged = 1

    public static var protocolIdentifier: ProtocolIdentifier { .performance }

    package var row: NotificationRow {
      switch self {
      case .limitsChanged: NotificationRow("PERFORMANCE_LIMITS_CHANGED", LimitsChanged.self)
      case .levelChanged: NotificationRow("PERFORMANCE_LEVEL_CHANGED", LevelChanged.self)
      }
    }
  }
}
