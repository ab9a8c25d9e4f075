/// Words of its payloads whose bits have names.
extension PerformanceProtocol {
  /// The attributes of PERFORMANCE_DOMAIN_ATTRIBUTES.
  package struct AttributeFlags: FieldFlags {
    package let rawValue: UInt32

    package init(rawValue: UInt32) {
      self.rawValue = rawValue
    }

    /// PERFORMANCE_LIMITS_SET is there for the agent.
    package static var setsLimits: Self { Self(rawValue: 1 << 31) }
    /// PERFORMANCE_LEVEL_SET is there for the agent.
    package static var setsLevel: Self { Self(rawValue: 1 << 30) }
    /// PERFORMANCE_NOTIFY_LIMITS is there for the domain.
    package static var limitsNotify: Self { Self(rawValue: 1 << 29) }
    /// PERFORMANCE_NOTIFY_LEVEL is there for the domain.
    package static var levelNotify: Self { Self(rawValue: 1 << 28) }
    /// The name is longer than its field: PERFORMANCE_DOMAIN_NAME_GET has all of it.
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
