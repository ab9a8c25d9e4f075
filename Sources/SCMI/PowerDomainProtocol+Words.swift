/// Words of its payloads whose bits have names.
extension PowerDomainProtocol {
  /// The flags of POWER_STATE_SET.
  package struct SetFlags: FieldFlags {
    package let rawValue: UInt32

    package init(rawValue: UInt32) {
      self.rawValue = rawValue
    }

    /// The reply comes at once; that the state has changed is told later.
    package static var asynchronous: Self { Self(rawValue: 1 << 0) }

    package static var defined: Self { [.asynchronous] }
  }

  /// The attributes of POWER_DOMAIN_ATTRIBUTES.
  package struct AttributeFlags: FieldFlags {
    package let rawValue: UInt32

    package init(rawValue: UInt32) {
      self.rawValue = rawValue
    }

    /// POWER_STATE_NOTIFY is there for the domain.
    package static var stateNotify: Self { Self(rawValue: 1 << 31) }
    /// POWER_STATE_SET can be answered before the state has changed.
    package static var asynchronousSet: Self { Self(rawValue: 1 << 30) }
    /// POWER_STATE_SET can be answered when the state has changed.
    package static var synchronousSet: Self { Self(rawValue: 1 << 29) }
    /// POWER_STATE_CHANGE_REQUESTED_NOTIFY is there for the domain.
    package static var stateChangeRequestedNotify: Self { Self(rawValue: 1 << 28) }
    /// The name is longer than its field: POWER_DOMAIN_NAME_GET has all of it.
    package static var extendedName: Self { Self(rawValue: 1 << 27) }

    package static var defined: Self {
      [
        .stateNotify, .asynchronousSet, .synchronousSet, .stateChangeRequestedNotify, .extendedName,
      ]
    }
  }
}
