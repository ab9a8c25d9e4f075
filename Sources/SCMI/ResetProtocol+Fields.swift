extension ResetProtocol: ResourceProtocol {
  package static var resourceField: StaticString { "domain_id" }
}

/// The structures of its payloads.
extension ResetProtocol {
  /// What the commands about a domain carry that need nothing more.
  package typealias Resource = ResourceFields<ResetProtocol>
  /// What RESET_NOTIFY carries.
  package typealias Notify = NotifyFields<ResetProtocol>
  /// The reply to RESET_DOMAIN_NAME_GET.
  package typealias Name = NameFields

  /// The reply to RESET_DOMAIN_ATTRIBUTES.
  package struct Attributes: MessageFields {
    /// Whether it can be asynchronous, and what the agent can be told.
    package var attributes: AttributeFlags = []
    /// Worst case, in microseconds; 0xFFFF_FFFF is "not known".
    package var latency: UInt32 = 0
    /// At most 15 bytes; ``AttributeFlags/extendedName`` tells of a longer one.
    package var name = ""

    package init() {}

    package mutating func visit(_ fields: inout some FieldVisitor) {
      fields.flags("attributes", &attributes)
      fields.word("latency", &latency)
      fields.text("name", &name, size: MessageFieldSize.shortName)
    }
  }

  /// RESET, which takes a domain in, out, or both.
  package struct Reset: MessageFields {
    /// The domain to reset.
    package var domain: UInt32 = 0
    /// Which way, and when the answer comes.
    package var flags: ResetFlags = []
    /// The kind of reset: 0 is the architectural cold reset, bit 31 marks a vendor's.
    package var state: UInt32 = 0

    package init() {}

    package mutating func visit(_ fields: inout some FieldVisitor) {
      fields.resource("domain_id", &domain)
      fields.flags("flags", &flags)
      fields.word("reset_state", &state, .hexadecimal)
    }
  }

  /// RESET_COMPLETE, the delayed response.
  package struct ResetComplete: MessageFields {
    /// The domain that was reset.
    package var domain: UInt32 = 0

    package init() {}

    package mutating func visit(_ fields: inout some FieldVisitor) {
      fields.resource("domain_id", &domain)
    }
  }

  /// RESET_ISSUED.
  package struct Issued: MessageFields {
    /// Who asked for the reset; 0 is the platform.
    package var agent: UInt32 = 0
    /// The domain that was reset.
    package var domain: UInt32 = 0
    /// The kind of reset, as RESET has it.
    package var state: UInt32 = 0

    package init() {}

    package mutating func visit(_ fields: inout some FieldVisitor) {
      fields.word("agent_id", &agent)
      fields.resource("domain_id", &domain)
      fields.word("reset_state", &state, .hexadecimal)
    }
  }
}
