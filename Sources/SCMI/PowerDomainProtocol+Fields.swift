extension PowerDomainProtocol: ResourceProtocol {
  package static var resourceField: StaticString { "domain_id" }
}

/// The structures of its payloads.
extension PowerDomainProtocol {
  package typealias Resource = ResourceFields<PowerDomainProtocol>
  package typealias Notify = NotifyFields<PowerDomainProtocol>
  package typealias Name = NameFields

  /// The reply to POWER_DOMAIN_ATTRIBUTES.
  package struct Attributes: MessageFields {
    package var attributes: AttributeFlags = []
    package var name = ""

    package init() {}

    package mutating func visit(_ fields: inout some FieldVisitor) {
      fields.flags("attributes", &attributes)
      fields.text("name", &name, size: MessageFieldSize.shortName)
    }
  }

  /// POWER_STATE_SET.
  package struct StateSet: MessageFields {
    package var flags: SetFlags = []
    package var domain: UInt32 = 0
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
    package var domain: UInt32 = 0
    package var state: UInt32 = 0

    package init() {}

    package mutating func visit(_ fields: inout some FieldVisitor) {
      fields.resource("domain_id", &domain)
      fields.word("power_state", &state, .hexadecimal)
    }
  }

  /// The reply to POWER_STATE_GET.
  package struct State: MessageFields {
    package var state: UInt32 = 0

    package init() {}

    package mutating func visit(_ fields: inout some FieldVisitor) {
      fields.word("power_state", &state, .hexadecimal)
    }
  }

  /// POWER_STATE_CHANGED.
  package struct StateChanged: MessageFields {
    package var agent: UInt32 = 0
    package var domain: UInt32 = 0
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
