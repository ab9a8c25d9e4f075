extension VoltageProtocol: ResourceProtocol {
  package static var resourceField: StaticString { "domain_id" }
}

/// The structures of its payloads.
extension VoltageProtocol {
  /// What the commands about a domain carry that need nothing more.
  package typealias Resource = ResourceFields<VoltageProtocol>
  /// The reply to VOLTAGE_DOMAIN_NAME_GET.
  package typealias Name = NameFields

  /// The reply to VOLTAGE_DOMAIN_ATTRIBUTES.
  package struct Attributes: MessageFields {
    /// How the level can be set.
    package var attributes: AttributeFlags = []
    /// At most 15 bytes; ``AttributeFlags/extendedName`` tells of a longer one.
    package var name = ""

    package init() {}

    package mutating func visit(_ fields: inout some FieldVisitor) {
      fields.flags("attributes", &attributes)
      fields.text("name", &name, size: MessageFieldSize.shortName)
    }
  }

  /// VOLTAGE_DESCRIBE_LEVELS.
  package struct DescribeLevels: MessageFields {
    /// The domain that is asked about.
    package var domain: UInt32 = 0
    /// The first level that is wanted, from 0; a range has no parts.
    package var index: UInt32 = 0

    package init() {}

    package mutating func visit(_ fields: inout some FieldVisitor) {
      fields.resource("domain_id", &domain)
      fields.word("level_index", &index)
    }
  }

  /// The reply to VOLTAGE_DESCRIBE_LEVELS.
  package struct Levels: MessageFields {
    /// How many levels follow, and whether they are a range.
    package var count = PartCount()
    /// In microvolts, ascending; of a range lowest, highest and step.
    package var levels: [Int32] = []

    package init() {}

    package mutating func visit(_ fields: inout some FieldVisitor) {
      fields.part("flags", &count, remainingFrom: 16)
      fields.rest("voltage", &levels, .signed)
    }
  }

  /// VOLTAGE_CONFIG_SET.
  package struct ConfigSet: MessageFields {
    /// The domain that is to change.
    package var domain: UInt32 = 0
    /// On or off.
    package var mode = Mode(rawValue: 0)

    package init() {}

    package mutating func visit(_ fields: inout some FieldVisitor) {
      fields.resource("domain_id", &domain)
      fields.flags("config", &mode)
    }
  }

  /// The reply to VOLTAGE_CONFIG_GET.
  package struct Config: MessageFields {
    /// Whether it is on.
    package var mode = Mode(rawValue: 0)

    package init() {}

    package mutating func visit(_ fields: inout some FieldVisitor) {
      fields.flags("config", &mode)
    }
  }

  /// VOLTAGE_LEVEL_SET.
  package struct LevelSet: MessageFields {
    /// The domain that is to change.
    package var domain: UInt32 = 0
    /// When the answer comes.
    package var flags: SetFlags = []
    /// The voltage that is asked for, in microvolts.
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
    /// The domain that was asked to change.
    package var domain: UInt32 = 0
    /// The voltage that holds now, in microvolts.
    package var level: Int32 = 0

    package init() {}

    package mutating func visit(_ fields: inout some FieldVisitor) {
      fields.resource("domain_id", &domain)
      fields.signed("voltage_level", &level)
    }
  }

  /// The reply to VOLTAGE_LEVEL_GET.
  package struct Level: MessageFields {
    /// The voltage that holds, in microvolts.
    package var level: Int32 = 0

    package init() {}

    package mutating func visit(_ fields: inout some FieldVisitor) {
      fields.signed("voltage_level", &level)
    }
  }
}
