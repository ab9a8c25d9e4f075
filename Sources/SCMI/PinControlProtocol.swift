/// Pin control, 0x19 (SCMI 3.2, 4.11).
public enum PinControlProtocol {
  /// Its commands.
  public enum Message: UInt8, TabledMessage {
    /// PINCTRL_ATTRIBUTES: what a pin, group or function is.
    case attributes = 0x3
    /// PINCTRL_LIST_ASSOCIATIONS: a group's pins or a function's groups.
    case listAssociations = 0x4
    /// PINCTRL_SETTINGS_GET: how a pin or group is configured.
    case settingsGet = 0x5
    /// PINCTRL_SETTINGS_CONFIGURE: configures a pin or group.
    case settingsConfigure = 0x6
    /// PINCTRL_REQUEST: exclusive control, please.
    case request = 0x7
    /// PINCTRL_RELEASE: exclusive control is given back.
    case release = 0x8
    /// PINCTRL_NAME_GET: a pin's, group's or function's whole name.
    case nameGet = 0x9
    /// PINCTRL_SET_PERMISSIONS: gives or takes a pin, group or function.
    case setPermissions = 0xA

    public static var protocolIdentifier: ProtocolIdentifier { .pinControl }

    package var row: MessageRow {
      switch self {
      case .attributes: MessageRow("PINCTRL_ATTRIBUTES", Element.self, reply: Attributes.self)
      case .listAssociations: MessageRow("PINCTRL_LIST_ASSOCIATIONS", ListAssociations.self, reply: Associations.self)
      case .settingsGet: MessageRow("PINCTRL_SETTINGS_GET", SettingsGet.self, reply: Settings.self)
      case .settingsConfigure: MessageRow("PINCTRL_SETTINGS_CONFIGURE", SettingsConfigure.self)
      case .request: MessageRow("PINCTRL_REQUEST", Element.self)
      case .release: MessageRow("PINCTRL_RELEASE", Element.self)
      case .nameGet: MessageRow("PINCTRL_NAME_GET", Element.self, reply: Name.self)
      case .setPermissions: MessageRow("PINCTRL_SET_PERMISSIONS", SetPermissions.self, isTrusted: true)
      }
    }
  }
}
