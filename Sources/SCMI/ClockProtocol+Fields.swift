extension ClockProtocol: ResourceProtocol {
  package static var resourceField: StaticString { "clock_id" }
}

/// The structures of its payloads.
extension ClockProtocol {
  package typealias Resource = ResourceFields<ClockProtocol>
  package typealias Notify = NotifyFields<ClockProtocol>
  package typealias Name = NameFields

  /// The reply to CLOCK_ATTRIBUTES.
  package struct Attributes: MessageFields {
    package var attributes: AttributeFlags = []
    package var name = ""
    package var enableLatency: UInt32?

    package init() {}

    package mutating func visit(_ fields: inout some FieldVisitor) {
      fields.flags("attributes", &attributes)
      fields.text("name", &name, size: MessageFieldSize.shortName)
      fields.optional("enable_latency", &enableLatency)
    }
  }

  /// CLOCK_DESCRIBE_RATES.
  package struct DescribeRates: MessageFields {
    package var clock: UInt32 = 0
    package var index: UInt32 = 0

    package init() {}

    package mutating func visit(_ fields: inout some FieldVisitor) {
      fields.resource("clock_id", &clock)
      fields.word("rate_index", &index)
    }
  }

  /// The reply to CLOCK_DESCRIBE_RATES.
  package struct Rates: MessageFields {
    package var count = PartCount()
    package var rates: [UInt64] = []

    package init() {}

    package mutating func visit(_ fields: inout some FieldVisitor) {
      fields.part("num_rates_flags", &count, remainingFrom: 16)
      fields.rest("rates", &rates, .wide)
    }
  }

  /// CLOCK_RATE_SET.
  package struct RateSet: MessageFields {
    package var flags: RateFlags = []
    package var clock: UInt32 = 0
    package var rate: UInt64 = 0

    package init() {}

    package mutating func visit(_ fields: inout some FieldVisitor) {
      fields.flags("flags", &flags)
      fields.resource("clock_id", &clock)
      fields.wide("rate", &rate)
    }
  }

  /// CLOCK_RATE_SET_COMPLETE, the delayed response.
  package struct RateSetComplete: MessageFields {
    package var clock: UInt32 = 0
    package var rate: UInt64 = 0

    package init() {}

    package mutating func visit(_ fields: inout some FieldVisitor) {
      fields.resource("clock_id", &clock)
      fields.wide("rate", &rate)
    }
  }

  /// The reply to CLOCK_RATE_GET.
  package struct Rate: MessageFields {
    package var rate: UInt64 = 0

    package init() {}

    package mutating func visit(_ fields: inout some FieldVisitor) {
      fields.wide("rate", &rate)
    }
  }

  /// CLOCK_CONFIG_SET.
  package struct ConfigSet: MessageFields {
    package var clock: UInt32 = 0
    package var attributes = ConfigAttributes(rawValue: 0)
    package var extendedValue: UInt32?

    package init() {}

    package mutating func visit(_ fields: inout some FieldVisitor) {
      fields.resource("clock_id", &clock)
      fields.flags("attributes", &attributes)
      fields.optional("extended_config_val", &extendedValue)
    }
  }

  /// CLOCK_CONFIG_GET.
  package struct ConfigGet: MessageFields {
    package var clock: UInt32 = 0
    package var extendedType: UInt32 = 0

    package init() {}

    package mutating func visit(_ fields: inout some FieldVisitor) {
      fields.resource("clock_id", &clock)
      fields.word("flags", &extendedType, .hexadecimal)
    }
  }

  /// The reply to CLOCK_CONFIG_GET.
  package struct Config: MessageFields {
    package var attributes: UInt32 = 0
    package var state: ConfigState = []
    package var extendedValue: UInt32 = 0

    package init() {}

    package mutating func visit(_ fields: inout some FieldVisitor) {
      fields.word("attributes", &attributes, .hexadecimal)
      fields.flags("config", &state)
      fields.word("extended_config_val", &extendedValue)
    }
  }

  /// CLOCK_POSSIBLE_PARENTS_GET.
  package struct PossibleParentsGet: MessageFields {
    package var clock: UInt32 = 0
    package var skip: UInt32 = 0

    package init() {}

    package mutating func visit(_ fields: inout some FieldVisitor) {
      fields.resource("clock_id", &clock)
      fields.word("skip_parents", &skip)
    }
  }

  /// The reply to CLOCK_POSSIBLE_PARENTS_GET.
  package struct PossibleParents: MessageFields {
    package var count = PartCount()
    package var parents: [UInt32] = []

    package init() {}

    package mutating func visit(_ fields: inout some FieldVisitor) {
      fields.part("num_parent_flags", &count, remainingFrom: 24)
      fields.rest("possible_parents", &parents, .decimal)
    }
  }

  /// CLOCK_PARENT_SET.
  package struct ParentSet: MessageFields {
    package var clock: UInt32 = 0
    package var parent: UInt32 = 0

    package init() {}

    package mutating func visit(_ fields: inout some FieldVisitor) {
      fields.resource("clock_id", &clock)
      fields.word("parent_id", &parent)
    }
  }

  /// The reply to CLOCK_PARENT_GET.
  package struct Parent: MessageFields {
    package var parent: UInt32 = 0

    package init() {}

    package mutating func visit(_ fields: inout some FieldVisitor) {
      fields.word("parent_id", &parent)
    }
  }

  /// The reply to CLOCK_GET_PERMISSIONS.
  package struct Permissions: MessageFields {
    package var permissions: PermissionFlags = []

    package init() {}

    package mutating func visit(_ fields: inout some FieldVisitor) {
      fields.flags("permissions", &permissions)
    }
  }

  /// CLOCK_RATE_CHANGED.
  package struct RateChanged: MessageFields {
    package var agent: UInt32 = 0
    package var clock: UInt32 = 0
    package var rate: UInt64 = 0

    package init() {}

    package mutating func visit(_ fields: inout some FieldVisitor) {
      fields.word("agent_id", &agent)
      fields.resource("clock_id", &clock)
      fields.wide("rate", &rate)
    }
  }

  /// CLOCK_RATE_CHANGE_REQUESTED.
  package struct RateChangeRequested: MessageFields {
    package var agent: UInt32 = 0
    package var clock: UInt32 = 0
    package var rate: UInt64 = 0

    package init() {}

    package mutating func visit(_ fields: inout some FieldVisitor) {
      fields.word("agent_id", &agent)
      fields.resource("clock_id", &clock)
      fields.wide("rate", &rate)
    }
  }
}
