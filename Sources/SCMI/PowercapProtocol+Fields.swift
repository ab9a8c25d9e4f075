extension PowercapProtocol: ResourceProtocol {
  package static var resourceField: StaticString { "domain_id" }
}

/// The structures of its payloads.
extension PowercapProtocol {
  package typealias Resource = ResourceFields<PowercapProtocol>
  package typealias Notify = NotifyFields<PowercapProtocol>
  package typealias Name = NameFields
  package typealias DescribeFastChannel = DescribeFastChannelFields<PowercapProtocol>
  package typealias FastChannel = FastChannelFields

  /// The reply to POWERCAP_DOMAIN_ATTRIBUTES.
  package struct Attributes: MessageFields {
    package var attributes: AttributeFlags = []
    package var name = ""
    package var minimumInterval: UInt32 = 0
    package var maximumInterval: UInt32 = 0
    package var intervalStep: UInt32 = 0
    package var minimumCap: UInt32 = 0
    package var maximumCap: UInt32 = 0
    package var capStep: UInt32 = 0
    package var sustainablePower: UInt32 = 0
    package var accuracy: UInt32 = 0
    package var parent: UInt32 = 0

    package init() {}

    package mutating func visit(_ fields: inout some FieldVisitor) {
      fields.flags("attributes", &attributes)
      fields.text("name", &name, size: MessageFieldSize.shortName)
      fields.word("min_pai", &minimumInterval)
      fields.word("max_pai", &maximumInterval)
      fields.word("pai_step", &intervalStep)
      fields.word("min_power_cap", &minimumCap)
      fields.word("max_power_cap", &maximumCap)
      fields.word("power_cap_step", &capStep)
      fields.word("sustainable_power", &sustainablePower)
      fields.word("accuracy", &accuracy)
      fields.word("parent_id", &parent, .hexadecimal)
    }
  }

  /// The reply to POWERCAP_CAP_GET.
  package struct Cap: MessageFields {
    package var cap: UInt32 = 0

    package init() {}

    package mutating func visit(_ fields: inout some FieldVisitor) {
      fields.word("power_cap", &cap)
    }
  }

  /// POWERCAP_CAP_SET.
  package struct CapSet: MessageFields {
    package var domain: UInt32 = 0
    package var flags: CapFlags = []
    package var cap: UInt32 = 0

    package init() {}

    package mutating func visit(_ fields: inout some FieldVisitor) {
      fields.resource("domain_id", &domain)
      fields.flags("flags", &flags)
      fields.word("power_cap", &cap)
    }
  }

  /// POWERCAP_CAP_SET_COMPLETE, the delayed response.
  package struct CapSetComplete: MessageFields {
    package var domain: UInt32 = 0
    package var cap: UInt32 = 0

    package init() {}

    package mutating func visit(_ fields: inout some FieldVisitor) {
      fields.resource("domain_id", &domain)
      fields.word("power_cap", &cap)
    }
  }

  /// The reply to POWERCAP_PAI_GET.
  package struct AveragingInterval: MessageFields {
    package var interval: UInt32 = 0

    package init() {}

    package mutating func visit(_ fields: inout some FieldVisitor) {
      fields.word("pai", &interval)
    }
  }

  /// POWERCAP_PAI_SET.
  package struct AveragingIntervalSet: MessageFields {
    package var domain: UInt32 = 0
    package var flags: NoFlags = []
    package var interval: UInt32 = 0

    package init() {}

    package mutating func visit(_ fields: inout some FieldVisitor) {
      fields.resource("domain_id", &domain)
      fields.flags("flags", &flags)
      fields.word("pai", &interval)
    }
  }

  /// The reply to POWERCAP_MEASUREMENTS_GET.
  package struct Measurements: MessageFields {
    package var power: UInt32 = 0
    package var interval: UInt32 = 0

    package init() {}

    package mutating func visit(_ fields: inout some FieldVisitor) {
      fields.word("power", &power)
      fields.word("pai", &interval)
    }
  }

  /// POWERCAP_MEASUREMENTS_NOTIFY.
  package struct MeasurementsNotify: MessageFields {
    package var domain: UInt32 = 0
    package var enable: NotifyEnable = []
    package var low: UInt32 = 0
    package var high: UInt32 = 0

    package init() {}

    package mutating func visit(_ fields: inout some FieldVisitor) {
      fields.resource("domain_id", &domain)
      fields.flags("notify_enable", &enable, .decimal)
      fields.word("power_thresh_low", &low)
      fields.word("power_thresh_high", &high)
    }
  }

  /// POWERCAP_CAP_CHANGED.
  package struct CapChanged: MessageFields {
    package var agent: UInt32 = 0
    package var domain: UInt32 = 0
    package var cap: UInt32 = 0
    package var interval: UInt32 = 0

    package init() {}

    package mutating func visit(_ fields: inout some FieldVisitor) {
      fields.word("agent_id", &agent)
      fields.resource("domain_id", &domain)
      fields.word("power_cap", &cap)
      fields.word("pai", &interval)
    }
  }

  /// POWERCAP_MEASUREMENTS_CHANGED.
  package struct MeasurementsChanged: MessageFields {
    package var agent: UInt32 = 0
    package var domain: UInt32 = 0
    package var power: UInt32 = 0

    package init() {}

    package mutating func visit(_ fields: inout some FieldVisitor) {
      fields.word("agent_id", &agent)
      fields.resource("domain_id", &domain)
      fields.word("power", &power)
    }
  }
}
