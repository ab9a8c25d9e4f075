/// Words of its payloads whose bits have names.
extension PerformanceProtocol {
  /// The attributes of PERFORMANCE_DOMAIN_ATTRIBUTES.
  package struct AttributeFlags: FieldFlags {
    package let rawValue: UInt32

    package init(rawValue: UInt32) {
      self.rawValue = rawValue
    }

    package static var setsLimits: Self { Self(rawValue: 1 << 31) }
    package static var setsLevel: Self { Self(rawValue: 1 << 30) }
    package static var limitsNotify: Self { Self(rawValue: 1 << 29) }
    package static var levelNotify: Self { Self(rawValue: 1 << 28) }
    package static var extendedName: Self { Self(rawValue: 1 << 26) }
    /// Levels are named by their places in the list, from 4.0 on.
    package static var levelIndexing: Self { Self(rawValue: 1 << 25) }

    package static var defined: Self {
      [
        .setsLimits, .setsLevel, .limitsNotify, .levelNotify, .extendedName, .levelIndexing,
      ]
    }
  }

  /// The unit of power in PROTOCOL_ATTRIBUTES. Microwatts exist from 3.0 on.
  enum PowerUnitField: UInt32 {
    case abstract = 0
    case milliwatts = 1
    case microwatts = 2
  }
}
