/// Reset domain management, 0x16 (SCMI 3.2, 4.8).
public enum ResetProtocol {
  /// Its commands.
  public enum Message: UInt8, TabledMessage {
    /// RESET_DOMAIN_ATTRIBUTES: what a domain can do.
    case domainAttributes = 0x3
    /// RESET: resets a domain, or takes it in or out.
    case reset = 0x4
    /// RESET_NOTIFY: resets, wanted or not.
    case notify = 0x5
    /// RESET_DOMAIN_NAME_GET: a domain's whole name.
    case domainNameGet = 0x6

    public static var protocolIdentifier: ProtocolIdentifier { .reset }

    package var row: MessageRow {
      switch self {
      case .domainAttributes: MessageRow("RESET_DOMAIN_ATTRIBUTES", Resource.self, reply: Attributes.self)
      case .reset: MessageRow("RESET", Reset.self, delayed: ResetComplete.self)
      case .notify: MessageRow("RESET_NOTIFY", Notify.self, needsEvents: true)
      case .domainNameGet: MessageRow("RESET_DOMAIN_NAME_GET", Resource.self, reply: Name.self, since: 3)
      }
    }
  }

  /// Its notifications, which have numbers of their own.
  public enum Notification: UInt8, TabledNotification {
    /// RESET_ISSUED: a domain was reset.
    case issued = 0

    public static var protocolIdentifier: ProtocolIdentifier { .reset }

    package var row: NotificationRow {
      switch self {
      case .issued: NotificationRow("RESET_ISSUED", Issued.self)
      }
    }
  }
}
