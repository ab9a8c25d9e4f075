/// Words of its payloads whose bits have names.
extension PowercapProtocol {
  /// The flags of POWERCAP_CAP_SET.
  package struct CapFlags: FieldFlags {
    package let rawValue: UInt32

    package init(rawValue: UInt32) {
      self.rawValue = rawValue
    }

    /// With ``asynchronous``: that the cap holds is not told later, either.
    package static var noDelayedResponse: Self { Self(rawValue: 1 << 0) }
    /// The reply comes at once; that the cap holds is told later.
    package static var asynchronous: Self { Self(rawValue: 1 << 1) }

    package static var defined: Self { [.noDelayedResponse, .asynchronous] }
  }

  /// The attributes of POWERCAP_DOMAIN_ATTRIBUTES.
  package struct AttributeFlags: FieldFlags {
    package let rawValue: UInt32

    package init(rawValue: UInt32) {
      self.rawValue = rawValue
    }

    /// POWERCAP_CAP_NOTIFY is there for the domain.
    package static var capNotify: Self { Self(rawValue: 1 << 31) }
    /// POWERCAP_MEASUREMENTS_NOTIFY is there for the domain.
    package static var measurementsNotify: Self { Self(rawValue: 1 << 30) }
    /// POWERCAP_CAP_SET can be answered before the cap holds.
    package static var asynchronousCapSet: Self { Self(rawValue: 1 << 29) }
    /// The name is longer than its field: POWERCAP_DOMAIN_NAME_GET has all of it.
    package static var extendedName: Self { Self(rawValue: 1 << 28) }
    /// POWERCAP_CAP_SET is there for the agent.
    package static var setsCap: Self { Self(rawValue: 1 << 27) }
    /// POWERCAP_MEASUREMENTS_GET is there for the domain.
    package static var measures: Self { Self(rawValue: 1 << 26) }
    /// POWERCAP_PAI_SET is there for the agent.
    package static var setsAveragingInterval: Self { Self(rawValue: 1 << 25) }
    /// The unit of power; without this and the next one it is abstract.
    package static var milliwatts: Self { Self(rawValue: 1 << 24) }
    /// The unit of power, where ``milliwatts`` isn't.
    package static var microwatts: Self { Self(rawValue: 1 << 23) }

    package static var defined: Self {
      [
        .capNotify, .measurementsNotify, .asynchronousCapSet, .extendedName, .setsCap, .measures,
        .setsAveragingInterval, .milliwatts, .microwatts,
      ]
    }
  }
}
