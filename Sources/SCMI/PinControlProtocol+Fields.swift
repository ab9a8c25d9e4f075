extension PinControlProtocol: ResourceProtocol {
  package static var resourceField: StaticString { "identifier" }
}

/// The structures of its payloads.
extension PinControlProtocol {
  package typealias Name = NameFields

  /// What most commands of the protocol have: an identifier and what it is one of.
  package struct Element: MessageFields {
    package var element: UInt32 = 0
    package var selector: UInt32 = 0

    package init() {}

    package mutating func visit(_ fields: inout some FieldVisitor) {
      fields.resource("identifier", &element)
      fields.word("flags", &selector, .hexadecimal)
    }
  }

  /// The reply to PINCTRL_ATTRIBUTES.
  package struct Attributes: MessageFields {
    package var attributes = AttributeWord(rawValue: 0)
    package var name = ""

    package init() {}

    package mutating func visit(_ fields: inout some FieldVisitor) {
      fields.flags("attributes", &attributes)
      fields.text("name", &name, size: MessageFieldSize.shortName)
    }
  }

  /// PINCTRL_LIST_ASSOCIATIONS.
  package struct ListAssociations: MessageFields {
    package var element: UInt32 = 0
    package var selector: UInt32 = 0
    package var index: UInt32 = 0

    package init() {}

    package mutating func visit(_ fields: inout some FieldVisitor) {
      fields.resource("identifier", &element)
      fields.word("flags", &selector, .hexadecimal)
      fields.word("index", &index)
    }
  }

  /// The reply to PINCTRL_LIST_ASSOCIATIONS.
  package struct Associations: MessageFields {
    package var count = PartCount()
    package var elements: [UInt32] = []

    package init() {}

    package mutating func visit(_ fields: inout some FieldVisitor) {
      fields.part("flags", &count, remainingFrom: 16)
      fields.rest("array", &elements, .hexadecimal)
    }
  }

  /// PINCTRL_SETTINGS_GET.
  package struct SettingsGet: MessageFields {
    package var element: UInt32 = 0
    package var attributes = SettingsGetAttributes(rawValue: 0)

    package init() {}

    package mutating func visit(_ fields: inout some FieldVisitor) {
      fields.resource("identifier", &element)
      fields.flags("attributes", &attributes)
    }
  }

  /// The reply to PINCTRL_SETTINGS_GET.
  package struct Settings: MessageFields {
    package var function: UInt32 = 0
    package var count = PartCount()
    package var settings: [UInt32] = []

    package init() {}

    package mutating func visit(_ fields: inout some FieldVisitor) {
      fields.word("function_selected", &function, .hexadecimal)
      fields.part("num_configs", &count, remainingFrom: 24)
      fields.rest("configs", &settings, .decimal)
    }
  }

  /// PINCTRL_SETTINGS_CONFIGURE.
  package struct SettingsConfigure: MessageFields {
    package var element: UInt32 = 0
    package var function: UInt32 = 0
    package var attributes = SettingsConfigureAttributes(rawValue: 0)
    package var settings: [UInt32] = []

    package init() {}

    package mutating func visit(_ fields: inout some FieldVisitor) {
      fields.resource("identifier", &element)
      fields.word("function_id", &function, .hexadecimal)
      fields.flags("attributes", &attributes)
      fields.rest("configs", &settings, .decimal)
    }
  }

  /// PINCTRL_SET_PERMISSIONS.
  package struct SetPermissions: MessageFields {
    package var agent: UInt32 = 0
    package var element: UInt32 = 0
    package var flags = PermissionWord(rawValue: 0)

    package init() {}

    package mutating func visit(_ fields: inout some FieldVisitor) {
      fields.word("agent_id", &agent)
      fields.resource("identifier", &element)
      fields.flags("flags", &flags)
    }
  }
}
