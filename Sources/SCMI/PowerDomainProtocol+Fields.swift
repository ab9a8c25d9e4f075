extension PowerDomainProtocol: ResourceProtocol {
  package static var resourceField: StaticString { "domain_id" }
}

/// The structures of its payloads.
extension PowerDomainProtocol {
  /// What the commands about a domain carry that need nothing more.
  package typealias Resource = ResourceFields<PowerDomainProtocol>
  /// What POWER_STATE_NOTIFY and POWER_STATE_CHANGE_REQUESTED_NOTIFY carry.
  package typealias Notify = NotifyFields<PowerDomainProtocol>
  /// The reply to POWER_DOMAIN_NAME_GET.
  package typealias Name = NameFields

  /// The reply to POWER_DOMAIN_ATTRIBUTES.
  package struct Attributes: MessageFields {
    /// How the state can be set, and what the agent can be told.
    package var attributes: AttributeFlags = []
    /// At most 15 bytes; ``AttributeFlags/extendedName`` tells of a longer one.
    package var name = ""

    package init() {}

    package mutating func visit(_ fields: inout some FieldVisitor) {
      fields.flags("attributes", &attributes)
      fields.text("name", &name, size: MessageFieldSize.shortName)
    }
  }

  /// POWER_STATE_SET.
  package struct StateSet: MessageFields {
    /// When the answer comes.
    package var flags: SetFlags = []
    /// The domain that is to change.
    package var domain: UInt32 = 0
    /// The power state that is asked for: context lost in bit 30, type and identifier in 27:0.
    package var state: UInt32 = 0

    package init() {}

    package mutating func visit(_ fields: inout some FieldVisitor) {
      fields.flags("flags", &flags)
      fields.resource("domain_id", &domain)
      fields.word("power_state", &state, .hexadecimal)
    }
  }

  /// POWER_STATE_SET_COMPLETE, the delayed response.
  package struct StateSetComplete: MessageFields {
    /// The domain that was asked to change.
    package var domain: UInt32 = 0
    /// The power state that holds now.
    package var state: UInt32 = 0

    package init() {}

    package mutating func visit(_ fields: inout some FieldVisitor) {
      fields.resource("domain_id", &domain)
      fields.word("power_state", &state, .hexadecimal)
    }
  }

  /// The reply to POWER_STATE_GET.
  package struct State: MessageFields {
    /// The power state that holds: context lost in bit 30, type and identifier in 27:0.
    package var state: UInt32 = 0

    package init() {}

    package mutating func visit(_ fields: inout some FieldVisitor) {
      fields.word("power_state", &state, .hexadecimal)
    }
  }

  /// POWER_STATE_CHANGED.
  package struct StateChanged: MessageFields {
    /// Who asked for the state; 0 is the platform.
    package var agent: UInt32 = 0
    /// The domain that is meant.
    package var domain: UInt32 = 0
    /// The power state that holds now, or was asked for.
    package var state: UInt32 = 0

    package init() {}

    package mutating func visit(_ fields: inout some FieldVisitor) {
      fields.word("agent_id", &agent)
      fields.resource("domain_id", &domain)
      fields.word("power_state", &state, .hexadecimal)
    }
  }

  /// POWER_STATE_CHANGE_REQUESTED.
  package typealias StateChangeRequested = StateChanged
}
