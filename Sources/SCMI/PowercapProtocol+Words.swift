/// Words of its payloads whose bits have names.
extension PowercapProtocol {
  /// The flags of POWERCAP_CAP_SET.
  package struct CapFlags: FieldFlags {
    package let rawValue: UInt32

    package init(rawValue: UInt32) {
      self.rawValue = rawValue
    }

    package static var noDelayedResponse: Self { Self(rawValue: 1 << 0) }
    package static var asynchronous: Self { Self(rawValue: 1 << 1) }

    package static var defined: Self { [.noDelayedResponse, .asynchronous] }
  }

  /// The attributes of POWERCAP_DOMAIN_ATTRIBUTES.
  package struct AttributeFlags: FieldFlags {
    package let rawValue: UInt32

    package init(rawValue: UInt32) {
      self.rawValue = rawValue
    }

    package static var capNotify: Self { Self(rawValue: 1 << 31) }
    package static var measurementsNotify: Self { Self(rawValue: 1 << 30) }
    package static var asynchronousCapSet: Self { Self(rawValue: 1 << 29) }
    package static var extendedName: Self { Self(rawValue: 1 << 28) }
    package static var setsCap: Self { Self(rawValue: 1 << 27) }
    package static var measures: Self { Self(rawValue: 1 << 26) }
    package static var setsAveragingInterval: Self { Self(rawValue: 1 << 25) }
    /// The unit of power; without this and the next one it is abstract.
    package static var milliwatts: Self { Self(rawValue: 1 << 24) }
    package static var microwatts: Self { Self(rawValue: 1 << 23) }

    package static var defined: Self {
      [
        .capNotify, .measurementsNotify, .asynchronousCapSet, .extendedName, .setsCap, .measures,
        .setsAveragingInterval, .milliwatts, .microwatts,
      ]
    }
  }
}
