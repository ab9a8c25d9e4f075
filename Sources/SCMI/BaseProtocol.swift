/// Base, 0x10 (SCMI 3.2, 4.2).
public enum BaseProtocol {
  /// Its commands.
  public enum Message: UInt8, TabledMessage {
    /// BASE_DISCOVER_VENDOR: who made the platform.
    case discoverVendor = 0x3
    /// BASE_DISCOVER_SUB_VENDOR: who made a part of it.
    case discoverSubVendor = 0x4
    /// BASE_DISCOVER_IMPLEMENTATION_VERSION: the vendor's version number.
    case discoverImplementationVersion = 0x5
    /// BASE_DISCOVER_LIST_PROTOCOLS: the protocols besides Base.
    case discoverListProtocols = 0x6
    /// BASE_DISCOVER_AGENT: an agent's name.
    case discoverAgent = 0x7
    /// BASE_NOTIFY_ERRORS: error events, wanted or not.
    case notifyErrors = 0x8
    /// BASE_SET_DEVICE_PERMISSIONS: gives or takes a device's resources.
    case setDevicePermissions = 0x9
    /// BASE_SET_PROTOCOL_PERMISSIONS: the same for one protocol of a device.
    case setProtocolPermissions = 0xA
    /// BASE_RESET_AGENT_CONFIGURATION: takes an agent's requests back.
    case resetAgentConfiguration = 0xB

    public static var protocolIdentifier: ProtocolIdentifier { .base }

    package var row: MessageRow {
      switch self {
      case .discoverVendor: MessageRow("BASE_DISCOVER_VENDOR", reply: Vendor.self)
      case .discoverSubVendor: MessageRow("BASE_DISCOVER_SUB_VENDOR", reply: SubVendor.self)
      case .discoverImplementationVersion:
        MessageRow("BASE_DISCOVER_IMPLEMENTATION_VERSION", reply: ImplementationVersion.self)
      case .discoverListProtocols:
        MessageRow("BASE_DISCOVER_LIST_PROTOCOLS", DiscoverListProtocols.self, reply: ProtocolList.self)
      case .discoverAgent: MessageRow("BASE_DISCOVER_AGENT", DiscoverAgent.self, reply: AgentName.self)
      case .notifyErrors: MessageRow("BASE_NOTIFY_ERRORS", NotifyErrors.self, needsEvents: true)
      case .setDevicePermissions:
        MessageRow("BASE_SET_DEVICE_PERMISSIONS", SetDevicePermissions.self, since: 2, isTrusted: true)
      case .setProtocolPermissions:
        MessageRow("BASE_SET_PROTOCOL_PERMISSIONS", SetProtocolPermissions.self, since: 2, isTrusted: true)
      case .resetAgentConfiguration:
        MessageRow("BASE_RESET_AGENT_CONFIGURATION", ResetAgentConfiguration.self, since: 2)
      }
    }
  }

  /// Its notifications, which have numbers of their own.
  public enum Notification: UInt8, TabledNotification {
    /// BASE_ERROR_EVENT: commands went wrong.
    case errorEvent = 0

    public static var protocolIdentifier: ProtocolIdentifier { .base }

    package var row: NotificationRow {
      switch self {
      case .errorEvent: NotificationRow("BASE_ERROR_EVENT", ErrorEvent.self)
      }
    }
  }
}
