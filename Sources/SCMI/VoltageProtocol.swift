/// Voltage domain management, 0x17 (SCMI 3.2, 4.9).
public enum VoltageProtocol {
  /// Its commands.
  public enum Message: UInt8, TabledMessage {
    /// VOLTAGE_DOMAIN_ATTRIBUTES: what a domain can do.
    case domainAttributes = 0x3
    /// VOLTAGE_DESCRIBE_LEVELS: the levels that a domain can have.
    case describeLevels = 0x4
    /// VOLTAGE_CONFIG_SET: on or off.
    case configSet = 0x5
    /// VOLTAGE_CONFIG_GET: on or off.
    case configGet = 0x6
    /// VOLTAGE_LEVEL_SET: asks for a level.
    case levelSet = 0x7
    /// VOLTAGE_LEVEL_GET: the level that holds.
    case levelGet = 0x8
    /// VOLTAGE_DOMAIN_NAME_GET: a domain's whole name.
    case domainNameGet = 0x9

    public static var protocolIdentifier: ProtocolIdentifier { .voltage }

    package var row: MessageRow {
      switch self {
      case .domainAttributes: MessageRow("VOLTAGE_DOMAIN_ATTRIBUTES", Resource.self, reply: Attributes.self)
      case .describeLevels: MessageRow("VOLTAGE_DESCRIBE_LEVELS", DescribeLevels.self, reply: Levels.self)
      case .configSet: MessageRow("VOLTAGE_CONFIG_SET", ConfigSet.self)
      case .configGet: MessageRow("VOLTAGE_CONFIG_GET", Resource.self, reply: Config.self)
      case .levelSet: MessageRow("VOLTAGE_LEVEL_SET", LevelSet.self, delayed: LevelSetComplete.self)
      case .levelGet: MessageRow("VOLTAGE_LEVEL_GET", Resource.self, reply: Level.self)
      case .domainNameGet: MessageRow("VOLTAGE_DOMAIN_NAME_GET", Resource.self, reply: Name.self, since: 2)
      }
    }
  }
}
