extension ClockProtocol: ResourceProtocol {
  package static var resourceField: StaticString { "clock_id" }
}

/// The structures of its payloads.
extension ClockProtocol {
  /// What the commands about a clock carry that need nothing more.
  package typealias Resource = ResourceFields<ClockProtocol>
  /// What CLOCK_RATE_NOTIFY and CLOCK_RATE_CHANGE_REQUESTED_NOTIFY carry.
  package typealias Notify = NotifyFields<ClockProtocol>
  /// The reply to CLOCK_NAME_GET.
  package typealias Name = NameFields

  /// The reply to CLOCK_ATTRIBUTES.
  package struct Attributes: MessageFields {
    /// What exists for the clock, and before 3.0 whether it runs.
    package var attributes: AttributeFlags = []
    /// At most 15 bytes; ``AttributeFlags/extendedName`` tells of a longer one.
    package var name = ""
    /// Worst case, in microseconds; 0 is "not known". Missing before 2.0.
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
    /// The clock that is asked about.
    package var clock: UInt32 = 0
    /// The first rate that is wanted, from 0; a range has no parts.
    package var index: UInt32 = 0

    package init() {}

    package mutating func visit(_ fields: inout some FieldVisitor) {
      fields.resource("clock_id", &clock)
      fields.word("rate_index", &index)
    }
  }

  /// The reply to CLOCK_DESCRIBE_RATES.
  package struct Rates: MessageFields {
    /// How many rates follow, and whether they are a range.
    package var count = PartCount()
    /// In Hz, ascending; of a range lowest, highest and step.
    package var rates: [UInt64] = []

    package init() {}

    package mutating func visit(_ fields: inout some FieldVisitor) {
      fields.part("num_rates_flags", &count, remainingFrom: 16)
      fields.rest("rates", &rates, .wide)
    }
  }

  /// CLOCK_RATE_SET.
  package struct RateSet: MessageFields {
    /// How the rate is rounded, and when the answer comes.
    package var flags: RateFlags = []
    /// The clock that is to change.
    package var clock: UInt32 = 0
    /// The rate that is asked for, in Hz.
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
    /// The clock that was asked to change.
    package var clock: UInt32 = 0
    /// The rate that holds now, in Hz.
    package var rate: UInt64 = 0

    package init() {}

    package mutating func visit(_ fields: inout some FieldVisitor) {
      fields.resource("clock_id", &clock)
      fields.wide("rate", &rate)
    }
  }

  /// The reply to CLOCK_RATE_GET.
  package struct Rate: MessageFields {
    /// The rate that holds, in Hz.
    package var rate: UInt64 = 0

    package init() {}

    package mutating func visit(_ fields: inout some FieldVisitor) {
      fields.wide("rate", &rate)
    }
  }

  /// CLOCK_CONFIG_SET.
  package struct ConfigSet: MessageFields {
    /// The clock that is to change.
    package var clock: UInt32 = 0
    /// On or off, and what ``extendedValue`` is.
    package var attributes = ConfigAttributes(rawValue: 0)
    /// In the unit of its ``ExtendedType``; missing before 3.0.
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
    /// The clock that is asked about.
    package var clock: UInt32 = 0
    /// An ``ExtendedType`` or a vendor's; 0 asks for none.
    package var extendedType: UInt32 = 0

    package init() {}

    package mutating func visit(_ fields: inout some FieldVisitor) {
      fields.resource("clock_id", &clock)
      fields.word("flags", &extendedType, .hexadecimal)
    }
  }

  /// The reply to CLOCK_CONFIG_GET.
  package struct Config: MessageFields {
    /// Zero: the specification has no meaning for it.
    package var attributes: UInt32 = 0
    /// Whether the clock is on.
    package var state: ConfigState = []
    /// Of the type that was asked for, in its unit; 0 for none.
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
    /// The clock that is asked about.
    package var clock: UInt32 = 0
    /// How many parents of the list the agent has already.
    package var skip: UInt32 = 0

    package init() {}

    package mutating func visit(_ fields: inout some FieldVisitor) {
      fields.resource("clock_id", &clock)
      fields.word("skip_parents", &skip)
    }
  }

  /// The reply to CLOCK_POSSIBLE_PARENTS_GET.
  package struct PossibleParents: MessageFields {
    /// How many parents follow, and how many remain.
    package var count = PartCount()
    /// Identifiers of clocks.
    package var parents: [UInt32] = []

    package init() {}

    package mutating func visit(_ fields: inout some FieldVisitor) {
      fields.part("num_parent_flags", &count, remainingFrom: 24)
      fields.rest("possible_parents", &parents, .decimal)
    }
  }

  /// CLOCK_PARENT_SET.
  package struct ParentSet: MessageFields {
    /// The clock that is to change.
    package var clock: UInt32 = 0
    /// The identifier of one of its possible parents.
    package var parent: UInt32 = 0

    package init() {}

    package mutating func visit(_ fields: inout some FieldVisitor) {
      fields.resource("clock_id", &clock)
      fields.word("parent_id", &parent)
    }
  }

  /// The reply to CLOCK_PARENT_GET.
  package struct Parent: MessageFields {
    /// The identifier of the parent that the clock has.
    package var parent: UInt32 = 0

    package init() {}

    package mutating func visit(_ fields: inout some FieldVisitor) {
      fields.word("parent_id", &parent)
    }
  }

  /// The reply to CLOCK_GET_PERMISSIONS.
  package struct Permissions: MessageFields {
    /// What the agent may change of the clock.
    package var permissions: PermissionFlags = []

    package init() {}

    package mutating func visit(_ fields: inout some FieldVisitor) {
      fields.flags("permissions", &permissions)
    }
  }

  /// CLOCK_RATE_CHANGED.
  package struct RateChanged: MessageFields {
    /// Who asked for the change; 0 is the platform.
    package var agent: UInt32 = 0
    /// The clock that has changed.
    package var clock: UInt32 = 0
    /// The rate that holds now, in Hz.
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
    /// Who asked and did not get it.
    package var agent: UInt32 = 0
    /// The clock that was to change.
    package var clock: UInt32 = 0
    /// The rate that was asked for, in Hz.
    package var rate: UInt64 = 0

    package init() {}

    package mutating func visit(_ fields: inout some FieldVisitor) {
      fields.word("agent_id", &agent)
      fields.resource("clock_id", &clock)
      fields.wide("rate", &rate)
    }
  }
}
