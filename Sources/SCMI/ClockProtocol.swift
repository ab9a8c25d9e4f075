/// Clock management, 0x14 (SCMI 3.2, 4.6).
public enum ClockProtocol {
  /// Its commands.
  public enum Message: UInt8, TabledMessage {
    /// CLOCK_ATTRIBUTES: what a clock can do.
    case attributes = 0x3
    /// CLOCK_DESCRIBE_RATES: the rates that a clock can have.
    case describeRates = 0x4
    /// CLOCK_RATE_SET: asks for a rate.
    case rateSet = 0x5
    /// CLOCK_RATE_GET: the rate that holds.
    case rateGet = 0x6
    /// CLOCK_CONFIG_SET: on, off and extended configuration.
    case configSet = 0x7
    /// CLOCK_NAME_GET: a clock's whole name.
    case nameGet = 0x8
    /// CLOCK_RATE_NOTIFY: changes of the rate, wanted or not.
    case rateNotify = 0x9
    /// CLOCK_RATE_CHANGE_REQUESTED_NOTIFY: others' requests, wanted or not.
    case rateChangeRequestedNotify = 0xA
    /// CLOCK_CONFIG_GET: on or off, and extended configuration.
    case configGet = 0xB
    /// CLOCK_POSSIBLE_PARENTS_GET: the parents that a clock can have.
    case possibleParentsGet = 0xC
    /// CLOCK_PARENT_SET: chooses a parent.
    case parentSet = 0xD
    /// CLOCK_PARENT_GET: the parent that a clock has.
    case parentGet = 0xE
    /// CLOCK_GET_PERMISSIONS: what the agent may change.
    case getPermissions = 0xF

    public static var protocolIdentifier: ProtocolIdentifier { .clock }

    package var row: MessageRow {
      switch self {
      case .attributes: MessageRow("CLOCK_ATTRIBUTES", Resource.self, reply: Attributes.self)
      case .describeRates: MessageRow("CLOCK_DESCRIBE_RATES", DescribeRates.self, reply: Rates.self)
      case .rateSet: MessageRow("CLOCK_RATE_SET", RateSet.self, delayed: RateSetComplete.self)
      case .rateGet: MessageRow("CLOCK_RATE_GET", Resource.self, reply: Rate.self)
      case .configSet: MessageRow("CLOCK_CONFIG_SET", ConfigSet.self)
      case .nameGet: MessageRow("CLOCK_NAME_GET", Resource.self, reply: Name.self, since: 2)
      case .rateNotify: MessageRow("CLOCK_RATE_NOTIFY", Notify.self, since: 2, needsEvents: true)
      case .rateChangeRequestedNotify:
        MessageRow("CLOCK_RATE_CHANGE_REQUESTED_NOTIFY", Notify.self, since: 2, needsEvents: true)
      case .configGet: MessageRow("CLOCK_CONFIG_GET", ConfigGet.self, reply: Config.self, since: 3)
      case .possibleParentsGet:
        MessageRow("CLOCK_POSSIBLE_PARENTS_GET", PossibleParentsGet.self, reply: PossibleParents.self, since: 3)
      case .parentSet: MessageRow("CLOCK_PARENT_SET", ParentSet.self, since: 3)
      case .parentGet: MessageRow("CLOCK_PARENT_GET", Resource.self, reply: Parent.self, since: 3)
      case .getPermissions: MessageRow("CLOCK_GET_PERMISSIONS", Resource.self, reply: Permissions.self, since: 3)
      }
    }
  }

  /// Its notifications, which have numbers of their own.
  public enum Notification: UInt8, TabledNotification {
    /// CLOCK_RATE_CHANGED: the rate is another one.
    case rateChanged = 0
    /// CLOCK_RATE_CHANGE_REQUESTED: a request that did not come through.
    case rateChangeRequested = 1

    public static var protocolIdentifier: ProtocolIdentifier { .clock }

    package var row: NotificationRow {
      switch self {
      case .rateChanged: NotificationRow("CLOCK_RATE_CHANGED", RateChanged.self)
      case .rateChangeRequested: NotificationRow("CLOCK_RATE_CHANGE_REQUESTED", RateChangeRequested.self)
      }
    }
  }
}
