extension PowercapProtocol: ResourceProtocol {
  package static var resourceField: StaticString { "domain_id" }
}

/// The structures of its payloads.
extension PowercapProtocol {
  /// What the commands about a domain carry that need nothing more.
  package typealias Resource = ResourceFields<PowercapProtocol>
  /// What POWERCAP_CAP_NOTIFY carries.
  package typealias Notify = NotifyFields<PowercapProtocol>
  /// The reply to POWERCAP_DOMAIN_NAME_GET.
  package typealias Name = NameFields
  /// POWERCAP_DESCRIBE_FASTCHANNEL.
  package typealias DescribeFastChannel = DescribeFastChannelFields<PowercapProtocol>
  /// The reply to POWERCAP_DESCRIBE_FASTCHANNEL.
  package typealias FastChannel = FastChannelFields

  /// The reply to POWERCAP_DOMAIN_ATTRIBUTES.
  package struct Attributes: MessageFields {
    /// What the agent may set and be told, and the unit of power.
    package var attributes: AttributeFlags = []
    /// At most 15 bytes; ``AttributeFlags/extendedName`` tells of a longer one.
    package var name = ""
    /// Of the averaging interval, in microseconds.
    package var minimumInterval: UInt32 = 0
    /// Of the averaging interval, in microseconds.
    package var maximumInterval: UInt32 = 0
    /// Of the averaging interval, in microseconds; 0 where it cannot be set.
    package var intervalStep: UInt32 = 0
    /// In the domain's unit of power.
    package var minimumCap: UInt32 = 0
    /// In the domain's unit of power.
    package var maximumCap: UInt32 = 0
    /// In the domain's unit of power; 0 where the cap cannot be set.
    package var capStep: UInt32 = 0
    /// In the domain's unit of power; 0 is "not known".
    package var sustainablePower: UInt32 = 0
    /// Of the measured power, in 0.01 %.
    package var accuracy: UInt32 = 0
    /// The identifier of the domain above, 0xFFFF_FFFF for the root.
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
    /// In the domain's unit of power; 0 is "no cap", from 2.0 on.
    package var cap: UInt32 = 0

    package init() {}

    package mutating func visit(_ fields: inout some FieldVisitor) {
      fields.word("power_cap", &cap)
    }
  }

  /// POWERCAP_CAP_SET.
  package struct CapSet: MessageFields {
    /// The domain that is to change.
    package var domain: UInt32 = 0
    /// When the answer comes.
    package var flags: CapFlags = []
    /// In the domain's unit of power; 0 takes the agent's cap away, from 2.0 on.
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
    /// The domain that was asked to change.
    package var domain: UInt32 = 0
    /// The cap that holds now, in the domain's unit of power.
    package var cap: UInt32 = 0

    package init() {}

    package mutating func visit(_ fields: inout some FieldVisitor) {
      fields.resource("domain_id", &domain)
      fields.word("power_cap", &cap)
    }
  }

  /// The reply to POWERCAP_PAI_GET.
  package struct AveragingInterval: MessageFields {
    /// In microseconds.
    package var interval: UInt32 = 0

    package init() {}

    package mutating func visit(_ fields: inout some FieldVisitor) {
      fields.word("pai", &interval)
    }
  }

  /// POWERCAP_PAI_SET.
  package struct AveragingIntervalSet: MessageFields {
    /// The domain that is to change.
    package var domain: UInt32 = 0
    /// Must be zero.
    package var flags: NoFlags = []
    /// In microseconds.
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
    /// The average over ``interval``, in the domain's unit of power.
    package var power: UInt32 = 0
    /// The averaging interval, in microseconds.
    package var interval: UInt32 = 0

    package init() {}

    package mutating func visit(_ fields: inout some FieldVisitor) {
      fields.word("power", &power)
      fields.word("pai", &interval)
    }
  }

  /// POWERCAP_MEASUREMENTS_NOTIFY.
  package struct MeasurementsNotify: MessageFields {
    /// The domain that is to be watched.
    package var domain: UInt32 = 0
    /// Whether crossings are wanted.
    package var enable: NotifyEnable = []
    /// Power below it is told, in the domain's unit.
    package var low: UInt32 = 0
    /// Power above it is told, in the domain's unit.
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
    /// Who changed it; 0 is the platform.
    package var agent: UInt32 = 0
    /// The domain that has changed.
    package var domain: UInt32 = 0
    /// The cap that holds now, in the domain's unit of power.
    package var cap: UInt32 = 0
    /// The averaging interval that holds now, in microseconds.
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
    /// Always the platform, 0.
    package var agent: UInt32 = 0
    /// The domain that is watched.
    package var domain: UInt32 = 0
    /// What was measured, in the domain's unit of power.
    package var power: UInt32 = 0

    package init() {}

    package mutating func visit(_ fields: inout some FieldVisitor) {
      fields.word("agent_id", &agent)
      fields.resource("domain_id", &domain)
      fields.word("power", &power)
    }
  }
}
