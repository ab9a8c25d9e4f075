/// Words of its payloads whose bits have names.
extension ResetProtocol {
  /// The flags of RESET: which way, and when the answer comes.
  package struct ResetFlags: FieldFlags {
    package let rawValue: UInt32

    package init(rawValue: UInt32) {
      self.rawValue = rawValue
    }

    /// The platform takes the domain into reset and out of it.
    package static var autonomous: Self { Self(rawValue: 1 << 0) }
    /// The domain is taken into reset; without it, out of it.
    package static var assert: Self { Self(rawValue: 1 << 1) }
    /// The reply comes at once; that the reset is over is told later.
    package static var asynchronous: Self { Self(rawValue: 1 << 2) }

    package static var defined: Self { [.autonomous, .assert, .asynchronous] }
  }

  /// The attributes of RESET_DOMAIN_ATTRIBUTES.
  package struct AttributeFlags: FieldFlags {
    package let rawValue: UInt32

    package init(rawValue: UInt32) {
      self.rawValue = rawValue
    }

    /// RESET can be answered before the reset is over.
    package static var asynchronousReset: Self { Self(rawValue: 1 << 31) }
    /// RESET_NOTIFY is there for the domain.
    package static var notify: Self { Self(rawValue: 1 << 30) }
    /// The name is longer than its field: RESET_DOMAIN_NAME_GET has all of it.
    package static var extendedName: Self { Self(rawValue: 1 << 29) }

    package static var defined: Self { [.asynchronousReset, .notify, .extendedName] }
  }
}
