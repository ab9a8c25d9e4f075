/// Words of its payloads whose bits have names.
extension PowerDomainProtocol {
  /// The flags of POWER_STATE_SET.
  package struct SetFlags: FieldFlags {
    package let rawValue: UInt32

    package init(rawValue: UInt32) {
      self.rawValue = rawValue
    }

    package static var asynchronous: Self { Self(rawValue: 1 << 0) }

    package static var defined: Self { [.asynchronous] }
  }

  /// The attributes of POWER_DOMAIN_ATTRIBUTES.
  package struct AttributeFlags: FieldFlags {
    package let rawValue: UInt32

    package init(rawValue: UInt32) {
      self.rawValue = rawValue
    }

    package static var stateNotify: Self { Self(rawValue: 1 << 31) }
    package static var asynchronousSet: Self { Self(rawValue: 1 << 30) }
    package static var synchronousSet: Self { Self(rawValue: 1 << 29) }
    package static var stateChangeRequestedNotify: Self { Self(rawValue: 1 << 28) }
    package static var extendedName: Self { Self(rawValue: 1 << 27) }

    package static var defined: Self {
      [
        .stateNotify, .asynchronousSet, .synchronousSet, .stateChangeRequestedNotify, .extendedName,
      ]
    }
  }
}
