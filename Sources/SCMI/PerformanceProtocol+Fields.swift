extension PerformanceProtocol: ResourceProtocol {
  package static var resourceField: StaticString { "domain_id" }
}

/// The structures of its payloads.
extension PerformanceProtocol {
  package typealias Resource = ResourceFields<PerformanceProtocol>
  package typealias Notify = NotifyFields<PerformanceProtocol>
  package typealias Name = NameFields
  package typealias DescribeFastChannel = DescribeFastChannelFields<PerformanceProtocol>
  package typealias FastChannel = FastChannelFields

  /// The reply to PERFORMANCE_DOMAIN_ATTRIBUTES.
  package struct Attributes: MessageFields {
    package var attributes: AttributeFlags = []
    package var rateLimit: UInt32 = 0
    package var sustainedFrequency: UInt32 = 0
    package var sustainedLevel: UInt32 = 0
    package var name = ""

    package init() {}

    package mutating func visit(_ fields: inout some FieldVisitor) {
      fields.flags("attributes", &attributes)
      fields.word("rate_limit", &rateLimit)
      fields.word("sustained_freq", &sustainedFrequency)
      fields.word("sustained_perf_level", &sustainedLevel)
      fields.text("name", &name, size: MessageFieldSize.shortName)
    }
  }

  /// PERFORMANCE_DESCRIBE_LEVELS.
  package struct DescribeLevels: MessageFields {
    package var domain: UInt32 = 0
    package var index: UInt32 = 0

    package init() {}

    package mutating func visit(_ fields: inout some FieldVisitor) {
      fields.resource("domain_id", &domain)
      fields.word("level_index", &index)
    }
  }

  /// The reply to PERFORMANCE_DESCRIBE_LEVELS.
  package struct Levels: MessageFields {
    package var count = PartCount()
    package var levels: [UInt32] = []

    package init() {}

    package mutating func visit(_ fields: inout some FieldVisitor) {
      fields.part("num_levels", &count, remainingFrom: 16)
      fields.rest("levels", &levels, .decimal)
    }
  }

  /// PERFORMANCE_LIMITS_SET.
  package struct LimitsSet: MessageFields {
    package var domain: UInt32 = 0
    package var maximum: UInt32 = 0
    package var minimum: UInt32 = 0

    package init() {}

    package mutating func visit(_ fields: inout some FieldVisitor) {
      fields.resource("domain_id", &domain)
      fields.word("range_max", &maximum)
      fields.word("range_min", &minimum)
    }
  }

  /// The reply to PERFORMANCE_LIMITS_GET.
  package struct Limits: MessageFields {
    package var maximum: UInt32 = 0
    package var minimum: UInt32 = 0

    package init() {}

    package mutating func visit(_ fields: inout some FieldVisitor) {
      fields.word("range_max", &maximum)
      fields.word("range_min", &minimum)
    }
  }

  /// PERFORMANCE_LEVEL_SET.
  package struct LevelSet: MessageFields {
    package var domain: UInt32 = 0
    package var level: UInt32 = 0

    package init() {}

    package mutating func visit(_ fields: inout some FieldVisitor) {
      fields.resource("domain_id", &domain)
      fields.word("performance_level", &level)
    }
  }

  /// The reply to PERFORMANCE_LEVEL_GET.
  package struct Level: MessageFields {
    package var level: UInt32 = 0

    package init() {}

    package mutating func visit(_ fields: inout some FieldVisitor) {
      fields.word("performance_level", &level)
    }
  }

  /// PERFORMANCE_LIMITS_CHANGED.
  package struct LimitsChanged: MessageFields {
    package var agent: UInt32 = 0
    package var domain: UInt32 = 0
    package var maximum: UInt32 = 0
    package var minimum: UInt32 = 0

    package init() {}

    package mutating func visit(_ fields: inout some FieldVisitor) {
      fields.word("agent_id", &agent)
      fields.resource("domain_id", &domain)
      fields.word("range_max", &maximum)
      fields.word("range_min", &minimum)
    }
  }

  /// PERFORMANCE_LEVEL_CHANGED.
  package struct LevelChanged: MessageFields {
    package var agent: UInt32 = 0
    package var domain: UInt32 = 0
    package var level: UInt32 = 0

    package init() {}

    package mutating func visit(_ fields: inout some FieldVisitor) {
      fields.word("agent_id", &agent)
      fields.resource("domain_id", &domain)
      fields.word("performance_level", &level)
    }
  }
}
