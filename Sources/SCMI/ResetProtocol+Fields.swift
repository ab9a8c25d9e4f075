extension ResetProtocol: ResourceProtocol {
  package static var resourceField: StaticString { "domain_id" }
}

/// The structures of its payloads.
extension ResetProtocol {
  package typealias Resource = ResourceFields<ResetProtocol>
  package typealias Notify = NotifyFields<ResetProtocol>
  package typealias Name = NameFields

  /// The reply to RESET_DOMAIN_ATTRIBUTES.
  package struct Attributes: MessageFields {
    package var attributes: AttributeFlags = []
    package var latency: UInt32 = 0
    package var name = ""

    package init() {}

    package mutating func visit(_ fields: inout some FieldVisitor) {
      fields.flags("attributes", &attributes)
      fields.word("latency", &latency)
      fields.text("name", &name, size: MessageFieldSize.shortName)
    }
  }

  /// RESET.
  package struct Reset: MessageFields {
    package var domain: UInt32 = 0
    package var flags: ResetFlags = []
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
    package var domain: UInt32 = 0

    package init() {}

    package mutating func visit(_ fields: inout some FieldVisitor) {
      fields.resource("domain_id", &domain)
    }
  }

  /// RESET_ISSUED.
  package struct Issued: MessageFields {
    package var agent: UInt32 = 0
    package var domain: UInt32 = 0
    package var state: UInt32 = 0

    package init() {}

    package mutating func visit(_ fields: inout some FieldVisitor) {
      fields.word("agent_id", &agent)
      fields.resource("domain_id", &domain)
      fields.word("reset_state", &state, .hexadecimal)
    }
  }
}
