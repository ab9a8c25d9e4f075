extension PerformanceProtocol: ResourceProtocol {
  package static var resourceField: StaticString { "domain_id" }
}

/// The structures of its payloads.
extension PerformanceProtocol {
  /// What the commands about a domain carry that need nothing more.
  package typealias Resource = ResourceFields<PerformanceProtocol>
  /// What PERFORMANCE_NOTIFY_LIMITS and PERFORMANCE_NOTIFY_LEVEL carry.
  package typealias Notify = NotifyFields<PerformanceProtocol>
  /// The reply to PERFORMANCE_DOMAIN_NAME_GET.
  package typealias Name = NameFields
  /// PERFORMANCE_DESCRIBE_FASTCHANNEL.
  package typealias DescribeFastChannel = DescribeFastChannelFields<PerformanceProtocol>
  /// The reply to PERFORMANCE_DESCRIBE_FASTCHANNEL.
  package typealias FastChannel = FastChannelFields

  /// The reply to PERFORMANCE_DOMAIN_ATTRIBUTES.
  package struct Attributes: MessageFields {
    /// What the agent may set, and what it can be told.
    package var attributes: AttributeFlags = []
    /// The least time between two requests, in microseconds, 20 bits; 0 is none.
    package var rateLimit: UInt32 = 0
    /// In kHz; 0 is "not known".
    package var sustainedFrequency: UInt32 = 0
    /// The level that ``sustainedFrequency`` belongs to.
    package var sustainedLevel: UInt32 = 0
    /// At most 15 bytes; ``AttributeFlags/extendedName`` tells of a longer one.
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
    /// The domain that is asked about.
    package var domain: UInt32 = 0
    /// The first level that is wanted, from 0.
    package var index: UInt32 = 0

    package init() {}

    package mutating func visit(_ fields: inout some FieldVisitor) {
      fields.resource("domain_id", &domain)
      fields.word("level_index", &index)
    }
  }

  /// The reply to PERFORMANCE_DESCRIBE_LEVELS.
  package struct Levels: MessageFields {
    /// How many levels follow, and how many remain.
    package var count = PartCount()
    /// Level, power and latency of each, three words; from 4.0 on indicative frequency and index behind them.
    package var levels: [UInt32] = []

    package init() {}

    package mutating func visit(_ fields: inout some FieldVisitor) {
      fields.part("num_levels", &count, remainingFrom: 16)
      fields.rest("levels", &levels, .decimal)
    }
  }

  /// PERFORMANCE_LIMITS_SET.
  package struct LimitsSet: MessageFields {
    /// The domain that is to change.
    package var domain: UInt32 = 0
    /// The highest level that is allowed, or with level indexing its index.
    package var maximum: UInt32 = 0
    /// The lowest level that is allowed, or its index.
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
    /// The highest level that is allowed, or with level indexing its index.
    package var maximum: UInt32 = 0
    /// The lowest level that is allowed, or its index.
    package var minimum: UInt32 = 0

    package init() {}

    package mutating func visit(_ fields: inout some FieldVisitor) {
      fields.word("range_max", &maximum)
      fields.word("range_min", &minimum)
    }
  }

  /// PERFORMANCE_LEVEL_SET.
  package struct LevelSet: MessageFields {
    /// The domain that is to change.
    package var domain: UInt32 = 0
    /// The level that is asked for, or with level indexing its index.
    package var level: UInt32 = 0

    package init() {}

    package mutating func visit(_ fields: inout some FieldVisitor) {
      fields.resource("domain_id", &domain)
      fields.word("performance_level", &level)
    }
  }

  /// The reply to PERFORMANCE_LEVEL_GET.
  package struct Level: MessageFields {
    /// The level that holds, or with level indexing its index.
    package var level: UInt32 = 0

    package init() {}

    package mutating func visit(_ fields: inout some FieldVisitor) {
      fields.word("performance_level", &level)
    }
  }

  /// PERFORMANCE_LIMITS_CHANGED.
  package struct LimitsChanged: MessageFields {
    /// Who changed the bounds; 0 is the platform.
    package var agent: UInt32 = 0
    /// The domain whose bounds are others.
    package var domain: UInt32 = 0
    /// The highest level that is allowed now, or with level indexing its index.
    package var maximum: UInt32 = 0
    /// The lowest level that is allowed now, or its index.
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
    /// Who changed the level; 0 is the platform.
    package var agent: UInt32 = 0
    /// The domain whose level is another.
    package var domain: UInt32 = 0
    /// The level that holds now, or with level indexing its index.
    package var level: UInt32 = 0

    package init() {}

    package mutating func visit(_ fields: inout some FieldVisitor) {
      fields.word("agent_id", &agent)
      fields.resource("domain_id", &domain)
      fields.word("performance_level", &level)
    }
  }
}
