/// Power domain management, 0x11 (SCMI 3.2, 4.3).
public enum PowerDomainProtocol {
  /// Its commands.
  public enum Message: UInt8, TabledMessage {
    /// POWER_DOMAIN_ATTRIBUTES: what a domain can do.
    case attributes = 0x3
    /// POWER_STATE_SET: sets a domain's state.
    case stateSet = 0x4
    /// POWER_STATE_GET: a domain's state.
    case stateGet = 0x5
    /// POWER_STATE_NOTIFY: changes of the state, wanted or not.
    case stateNotify = 0x6
    /// POWER_STATE_CHANGE_REQUESTED_NOTIFY: others' requests, wanted or not.
    case stateChangeRequestedNotify = 0x7
    /// POWER_DOMAIN_NAME_GET: a domain's whole name.
    case nameGet = 0x8

    public static var protocolIdentifier: ProtocolIdentifier { .powerDomain }

    package var row: MessageRow {
      switch self {
      case .attributes: MessageRow("POWER_DOMAIN_ATTRIBUTES", Resource.self, reply: Attributes.self)
      case .stateSet: MessageRow("POWER_STATE_SET", StateSet.self, delayed: StateSetComplete.self)
      case .stateGet: MessageRow("POWER_STATE_GET", Resource.self, reply: State.self)
      case .stateNotify: MessageRow("POWER_STATE_NOTIFY", Notify.self, needsEvents: true)
      case .stateChangeRequestedNotify:
        MessageRow("POWER_STATE_CHANGE_REQUESTED_NOTIFY", Notify.self, since: 2, needsEvents: true)
      case .nameGet: MessageRow("POWER_DOMAIN_NAME_GET", Resource.self, reply: Name.self, since: 3)
      }
    }
  }

  /// Its notifications, which have numbers of their own.
  public enum Notification: UInt8, TabledNotification {
    /// POWER_STATE_CHANGED: the state is another one.
    case stateChanged = 0
    /// POWER_STATE_CHANGE_REQUESTED: a request that did not come through.
    case stateChangeRequested = 1

    public static var protocolIdentifier: ProtocolIdentifier { .powerDomain }

    package var row: NotificationRow {
      switch self {
      case .stateChanged: NotificationRow("POWER_STATE_CHANGED", StateChanged.self)
      case .stateChangeRequested: NotificationRow("POWER_STATE_CHANGE_REQUESTED", StateChangeRequested.self)
      }
    }
  }
}
