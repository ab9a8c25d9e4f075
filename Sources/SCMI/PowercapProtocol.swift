/// Power cap management, 0x18 (SCMI 3.2, 4.10).
public enum PowercapProtocol {
  /// Its commands.
  public enum Message: UInt8, TabledMessage {
    /// POWERCAP_DOMAIN_ATTRIBUTES: what a domain can do.
    case domainAttributes = 0x3
    /// POWERCAP_CAP_GET: the cap that holds.
    case capGet = 0x4
    /// POWERCAP_CAP_SET: asks for a cap.
    case capSet = 0x5
    /// POWERCAP_PAI_GET: the averaging interval.
    case averagingIntervalGet = 0x6
    /// POWERCAP_PAI_SET: sets the averaging interval.
    case averagingIntervalSet = 0x7
    /// POWERCAP_DOMAIN_NAME_GET: a domain's whole name.
    case domainNameGet = 0x8
    /// POWERCAP_MEASUREMENTS_GET: the power that is drawn.
    case measurementsGet = 0x9
    /// POWERCAP_CAP_NOTIFY: changes of the cap, wanted or not.
    case capNotify = 0xA
    /// POWERCAP_MEASUREMENTS_NOTIFY: crossings of thresholds, wanted or not.
    case measurementsNotify = 0xB
    /// POWERCAP_DESCRIBE_FASTCHANNEL: never there: virtio has no memory that both sides could write.
    case describeFastChannel = 0xC

    public static var protocolIdentifier: ProtocolIdentifier { .powercap }

    package var row: MessageRow {
      switch self {
      case .domainAttributes: MessageRow("POWERCAP_DOMAIN_ATTRIBUTES", Resource.self, reply: Attributes.self)
      case .capGet: MessageRow("POWERCAP_CAP_GET", Resource.self, reply: Cap.self)
      case .capSet: MessageRow("POWERCAP_CAP_SET", CapSet.self, delayed: CapSetComplete.self)
      case .averagingIntervalGet: MessageRow("POWERCAP_PAI_GET", Resource.self, reply: AveragingInterval.self)
      case .averagingIntervalSet: MessageRow("POWERCAP_PAI_SET", AveragingIntervalSet.self)
      case .domainNameGet: MessageRow("POWERCAP_DOMAIN_NAME_GET", Resource.self, reply: Name.self)
      case .measurementsGet: MessageRow("POWERCAP_MEASUREMENTS_GET", Resource.self, reply: Measurements.self)
      case .capNotify: MessageRow("POWERCAP_CAP_NOTIFY", Notify.self, needsEvents: true)
      case .measurementsNotify: MessageRow("POWERCAP_MEASUREMENTS_NOTIFY", MeasurementsNotify.self, needsEvents: true)
      case .describeFastChannel:
        MessageRow(
          "POWERCAP_DESCRIBE_FASTCHANNEL",
          DescribeFastChannel.self,
          reply: FastChannel.self,
          isOffered: false
        )
      }
    }
  }

  /// Its notifications, which have numbers of their own.
  public enum Notification: UInt8, TabledNotification {
    /// POWERCAP_CAP_CHANGED: cap or averaging interval are others.
    case capChanged = 0
    /// POWERCAP_MEASUREMENTS_CHANGED: a threshold was crossed.
    case measurementsChanged = 1

    public static var protocolIdentifier: ProtocolIdentifier { .powercap }

    package var row: NotificationRow {
      switch self {
      case .capChanged: NotificationRow("POWERCAP_CAP_CHANGED", CapChanged.self)
      case .measurementsChanged: NotificationRow("POWERCAP_MEASUREMENTS_CHANGED", MeasurementsChanged.self)
      }
    }
  }
}
