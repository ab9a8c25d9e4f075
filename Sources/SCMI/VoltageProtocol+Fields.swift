extension VoltageProtocol: ResourceProtocol {
  package static var resourceField: StaticString { "domain_id" }
}

/// The structures of its payloads.
extension VoltageProtocol {
  package typealias Resource = ResourceFields<VoltageProtocol>
  package typealias Name = NameFields

  /// The reply to VOLTAGE_DOMAIN_ATTRIBUTES.
  package struct Attributes: MessageFields {
    package var attributes: AttributeFlags = []
    package var name = ""

    package init() {}

    package mutating func visit(_ fields: inout some FieldVisitor) {
      fields.flags("attributes", &attributes)
      fields.text("name", &name, size: MessageFieldSize.shortName)
    }
  }

  /// VOLTAGE_DESCRIBE_LEVELS.
  package struct DescribeLevels: MessageFields {
    package var domain: UInt32 = 0
    package var index: UInt32 = 0

    package init() {}

    package mutating func visit(_ fields: inout some FieldVisitor) {
      fields.resource("domain_id", &domain)
      fields.word("level_index", &index)
    }
  }

  /// The reply to VOLTAGE_DESCRIBE_LEVELS.
  package struct Levels: MessageFields {
    package var count = PartCount()
    package var levels: [Int32] = []

    package init() {}

    package mutating func visit(_ fields: inout some FieldVisitor) {
      fields.part("flags", &count, remainingFrom: 16)
      fields.rest("voltage", &levels, .signed)
    }
  }

  /// VOLTAGE_CONFIG_SET.
  package struct ConfigSet: MessageFields {
    package var domain: UInt32 = 0
    package var mode = Mode(rawValue: 0)

    package init() {}

    package mutating func visit(_ fields: inout some FieldVisitor) {
      fields.resource("domain_id", &domain)
      fields.flags("config", &mode)
    }
  }

  /// The reply to VOLTAGE_CONFIG_GET.
  package struct Config: MessageFields {
    package var mode = Mode(rawValue: 0)

    package init() {}

    package mutating func visit(_ fields: inout some FieldVisitor) {
      fields.flags("config", &mode)
    }
  }

  /// VOLTAGE_LEVEL_SET.
  package struct LevelSet: MessageFields {
    package var domain: UInt32 = 0
    package var flags: SetFlags = []
    package var level: Int32 = 0

    package init() {}

    package mutating func visit(_ fields: inout some FieldVisitor) {
      fields.resource("domain_id", &domain)
      fields.flags("flags", &flags)
      fields.signed("voltage_level", &level)
    }
  }

  /// VOLTAGE_LEVEL_SET_COMPLETE, the delayed response.
  package struct LevelSetComplete: MessageFields {
    package var domain: UInt32 = 0
    package var level: Int32 = 0

    package init() {}

    package mutating func visit(_ fields: inout some FieldVisitor) {
      fields.resource("domain_id", &domain)
      fields.signed("voltage_level", &level)
    }
  }

  /// The reply to VOLTAGE_LEVEL_GET.
  package struct Level: MessageFields {
    package var level: Int32 = 0

    package init() {}

    package mutating func visit(_ fields: inout some FieldVisitor) {
      fields.signed("voltage_level", &level)
    }
  }
}
