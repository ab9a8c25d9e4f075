package import SCMI

/// Pin control.
extension Request {
  /// PINCTRL_ATTRIBUTES.
  package static func pinAttributes(element: UInt32, selector: UInt32) -> Request {
    Request(
      PinControlProtocol.Message.attributes,
      PinControlProtocol.Element {
        $0.element = element
        $0.selector = selector
      }
    )
  }

  /// PINCTRL_LIST_ASSOCIATIONS.
  package static func pinListAssociations(element: UInt32, selector: UInt32, index: UInt32 = 0) -> Request {
    Request(
      PinControlProtocol.Message.listAssociations,
      PinControlProtocol.ListAssociations {
        $0.element = element
        $0.selector = selector
        $0.index = index
      }
    )
  }

  /// PINCTRL_SETTINGS_GET.
  package static func pinSettingsGet(element: UInt32, attributes: PinControlProtocol.SettingsGetAttributes) -> Request {
    Request(
      PinControlProtocol.Message.settingsGet,
      PinControlProtocol.SettingsGet {
        $0.element = element
        $0.attributes = attributes
      }
    )
  }

  /// PINCTRL_SETTINGS_CONFIGURE.
  package static func pinSettingsConfigure(
    element: UInt32,
    function: UInt32,
    attributes: PinControlProtocol.SettingsConfigureAttributes,
    settings: [UInt32]
  ) -> Request {
    Request(
      PinControlProtocol.Message.settingsConfigure,
      PinControlProtocol.SettingsConfigure {
        $0.element = element
        $0.function = function
        $0.attributes = attributes
        $0.settings = settings
      }
    )
  }

  /// PINCTRL_REQUEST.
  package static func pinRequest(element: UInt32, selector: UInt32) -> Request {
    Request(
      PinControlProtocol.Message.request,
      PinControlProtocol.Element {
        $0.element = element
        $0.selector = selector
      }
    )
  }

  /// PINCTRL_RELEASE.
  package static func pinRelease(element: UInt32, selector: UInt32) -> Request {
    Request(
      PinControlProtocol.Message.release,
      PinControlProtocol.Element {
        $0.element = element
        $0.selector = selector
      }
    )
  }

  /// PINCTRL_NAME_GET.
  package static func pinNameGet(element: UInt32, selector: UInt32) -> Request {
    Request(
      PinControlProtocol.Message.nameGet,
      PinControlProtocol.Element {
        $0.element = element
        $0.selector = selector
      }
    )
  }

  /// PINCTRL_SET_PERMISSIONS.
  package static func pinSetPermissions(agent: UInt32, element: UInt32, flags: PinControlProtocol.PermissionWord)
    -> Request
  {
    Request(
      PinControlProtocol.Message.setPermissions,
      PinControlProtocol.SetPermissions {
        $0.agent = agent
        $0.element = element
        $0.flags = flags
      }
    )
  }
}
