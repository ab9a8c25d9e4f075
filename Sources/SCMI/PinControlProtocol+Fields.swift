extension PinControlProtocol: ResourceProtocol {
  package static var resourceField: StaticString { "identifier" }
}

/// The structures of its payloads.
extension PinControlProtocol {
  /// The reply to PINCTRL_NAME_GET.
  package typealias Name = NameFields

  /// What most commands of the protocol have: an identifier and what it is one of.
  package struct Element: MessageFields {
    /// The identifier of a pin, group or function.
    package var element: UInt32 = 0
    /// A ``Selector``; other numbers come from agents, too.
    package var selector: UInt32 = 0

    package init() {}

    package mutating func visit(_ fields: inout some FieldVisitor) {
      fields.resource("identifier", &element)
      fields.word("flags", &selector, .hexadecimal)
    }
  }

  /// The reply to PINCTRL_ATTRIBUTES.
  package struct Attributes: MessageFields {
    /// How many elements belong to it.
    package var attributes = AttributeWord(rawValue: 0)
    /// At most 15 bytes; ``AttributeWord`` tells of a longer one.
    package var name = ""

    package init() {}

    package mutating func visit(_ fields: inout some FieldVisitor) {
      fields.flags("attributes", &attributes)
      fields.text("name", &name, size: MessageFieldSize.shortName)
    }
  }

  /// PINCTRL_LIST_ASSOCIATIONS.
  package struct ListAssociations: MessageFields {
    /// The identifier of a group or function.
    package var element: UInt32 = 0
    /// A ``Selector``; other numbers come from agents, too.
    package var selector: UInt32 = 0
    /// The first element that is wanted, from 0.
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
    /// How many elements follow, and how many remain.
    package var count = PartCount()
    /// A group's pins or a function's groups: two identifiers of 16 bits to a word, the first in the lower half.
    package var elements: [UInt32] = []

    package init() {}

    package mutating func visit(_ fields: inout some FieldVisitor) {
      fields.part("flags", &count, remainingFrom: 16)
      fields.rest("array", &elements, .hexadecimal)
    }
  }

  /// PINCTRL_SETTINGS_GET.
  package struct SettingsGet: MessageFields {
    /// The identifier of a pin or group.
    package var element: UInt32 = 0
    /// Which of its settings are wanted.
    package var attributes = SettingsGetAttributes(rawValue: 0)

    package init() {}

    package mutating func visit(_ fields: inout some FieldVisitor) {
      fields.resource("identifier", &element)
      fields.flags("attributes", &attributes)
    }
  }

  /// The reply to PINCTRL_SETTINGS_GET.
  package struct Settings: MessageFields {
    /// The function that is selected, or 0xFFFF_FFFF for none.
    package var function: UInt32 = 0
    /// How many settings follow, and how many remain.
    package var count = PartCount()
    /// A setting's type and its value, two words each.
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
    /// The identifier of a pin or group.
    package var element: UInt32 = 0
    /// The function to select, where ``attributes`` says so.
    package var function: UInt32 = 0
    /// What there is to configure.
    package var attributes = SettingsConfigureAttributes(rawValue: 0)
    /// A setting's type and its value, two words each.
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
    /// Whose permissions change.
    package var agent: UInt32 = 0
    /// The identifier of a pin, group or function.
    package var element: UInt32 = 0
    /// What the element is, and whether it is given or taken.
    package var flags = PermissionWord(rawValue: 0)

    package init() {}

    package mutating func visit(_ fields: inout some FieldVisitor) {
      fields.word("agent_id", &agent)
      fields.resource("identifier", &element)
      fields.flags("flags", &flags)
    }
  }
}
