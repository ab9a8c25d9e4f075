/// Words of its payloads whose bits have names.
extension ClockProtocol {
  /// The attributes of CLOCK_ATTRIBUTES.
  package struct AttributeFlags: FieldFlags {
    package let rawValue: UInt32

    package init(rawValue: UInt32) {
      self.rawValue = rawValue
    }

    package static var rateNotify: Self { Self(rawValue: 1 << 31) }
    package static var rateChangeRequestedNotify: Self { Self(rawValue: 1 << 30) }
    package static var extendedName: Self { Self(rawValue: 1 << 29) }
    package static var parents: Self { Self(rawValue: 1 << 28) }
    package static var extendedConfiguration: Self { Self(rawValue: 1 << 27) }
    /// CLOCK_GET_PERMISSIONS has something to say about the clock.
    package static var permissions: Self { Self(rawValue: 1 << 1) }
    /// The only place that says so before 3.0.
    package static var enabled: Self { Self(rawValue: 1 << 0) }

    package static var defined: Self {
      [
        .rateNotify, .rateChangeRequestedNotify, .extendedName, .parents, .extendedConfiguration, .permissions,
        .enabled,
      ]
    }
  }

  /// The flags of CLOCK_RATE_SET. Without one of rounding the rate is rounded down.
  package struct RateFlags: FieldFlags {
    package let rawValue: UInt32

    package init(rawValue: UInt32) {
      self.rawValue = rawValue
    }

    package static var asynchronous: Self { Self(rawValue: 1 << 0) }
    package static var noDelayedResponse: Self { Self(rawValue: 1 << 1) }
    package static var roundUp: Self { Self(rawValue: 1 << 2) }
    package static var roundToNearest: Self { Self(rawValue: 1 << 3) }

    package static var defined: Self { [.asynchronous, .noDelayedResponse, .roundUp, .roundToNearest] }
  }

  /// The attributes of CLOCK_CONFIG_SET: extended type 23:16, state 1:0; before 3.0 the state alone.
  package struct ConfigAttributes: FieldWord, Equatable {
    package var rawValue: UInt32

    package init(rawValue: UInt32) {
      self.rawValue = rawValue
    }

    package enum State: UInt32 {
      case disable = 0
      case enable = 1
      case reserved = 2
      /// Makes sense only beside extended configuration.
      case unchanged = 3
    }

    private static var stateMask: UInt32 { 0x3 }
    private static var typeShift: UInt32 { 16 }

    package init(_ state: State, type: UInt8 = 0) {
      rawValue = state.rawValue | UInt32(type) << Self.typeShift
    }

    package var state: State { State(rawValue: rawValue & Self.stateMask) ?? .reserved }

    /// An ``ExtendedType`` or a vendor's; 0 is none.
    package var type: UInt8 { UInt8(truncatingIfNeeded: rawValue >> Self.typeShift) }

    /// - Throws: INVALID_PARAMETERS where a bit is set that must be zero.
    package func expectDefined(isExtended: Bool) throws(SCMIStatus) {
      let defined = isExtended ? Self.stateMask | 0xFF << Self.typeShift : State.enable.rawValue
      guard rawValue & ~defined == 0 else { throw .invalidParameters }
    }
  }

  /// What the extended configuration of a clock can be about; types from 0x80 on are vendors'.
  package enum ExtendedType {
    package static var none: UInt8 { 0 }
    /// In percent.
    package static var dutyCycle: UInt8 { 1 }
    /// In degrees.
    package static var phase: UInt8 { 2 }
    package static var firstVendor: UInt8 { 0x80 }
  }

  /// The configuration of CLOCK_CONFIG_GET.
  package struct ConfigState: FieldFlags {
    package let rawValue: UInt32

    package init(rawValue: UInt32) {
      self.rawValue = rawValue
    }

    package static var enabled: Self { Self(rawValue: 1 << 0) }

    package static var defined: Self { [.enabled] }
  }

  /// The permissions of CLOCK_GET_PERMISSIONS: what the agent may change.
  package struct PermissionFlags: FieldFlags {
    package let rawValue: UInt32

    package init(rawValue: UInt32) {
      self.rawValue = rawValue
    }

    package static var state: Self { Self(rawValue: 1 << 31) }
    package static var parent: Self { Self(rawValue: 1 << 30) }
    package static var rate: Self { Self(rawValue: 1 << 29) }

    package static var defined: Self { [.state, .parent, .rate] }
  }
}
