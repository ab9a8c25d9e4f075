/// System power management, 0x12 (SCMI 3.2, 4.4).
public enum SystemPowerProtocol {
  /// Its commands.
  public enum Message: UInt8, TabledMessage {
    /// SYSTEM_POWER_STATE_SET: shuts down, resets, suspends.
    case stateSet = 0x3
    /// SYSTEM_POWER_STATE_GET: the state that was requested last.
    case stateGet = 0x4
    /// SYSTEM_POWER_STATE_NOTIFY: requests, wanted or not.
    case stateNotify = 0x5

    public static var protocolIdentifier: ProtocolIdentifier { .systemPower }

    package var row: MessageRow {
      switch self {
      case .stateSet: MessageRow("SYSTEM_POWER_STATE_SET", StateSet.self, attributes: Transitions.defined.rawValue)
      case .stateGet: MessageRow("SYSTEM_POWER_STATE_GET", reply: State.self)
      case .stateNotify: MessageRow("SYSTEM_POWER_STATE_NOTIFY", StateNotify.self, needsEvents: true)
      }
    }
  }

  /// Its notifications, which have numbers of their own.
  public enum Notification: UInt8, TabledNotification {
    /// SYSTEM_POWER_STATE_NOTIFIER: a transition is requested.
    case stateNotifier = 0

    public static var protocolIdentifier: ProtocolIdentifier { .systemPower }

    package var row: NotificationRow {
      switch self {
      case .stateNotifier: NotificationRow("SYSTEM_POWER_STATE_NOTIFIER", StateNotifier.self)
      }
    }
  }
}
