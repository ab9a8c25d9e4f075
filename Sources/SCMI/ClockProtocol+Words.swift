/// Words of its payloads whose bits have names.
extension ClockProtocol {
  /// The attributes of CLOCK_ATTRIBUTES.
  package struct AttributeFlags: FieldFlags {
    package let rawValue: UInt32

    package init(rawValue: UInt32) {
      self.rawValue = rawValue
    }

    /// CLOCK_RATE_NOTIFY is there for the clock.
    package static var rateNotify: Self { Self(rawValue: 1 << 31) }
    /// CLOCK_RATE_CHANGE_REQUESTED_NOTIFY is there for the clock.
    package static var rateChangeRequestedNotify: Self { Self(rawValue: 1 << 30) }
    /// The name is longer than its field: CLOCK_NAME_GET has all of it.
    package static var extendedName: Self { Self(rawValue: 1 << 29) }
    /// The clock has parents to choose from.
    package static var parents: Self { Self(rawValue: 1 << 28) }
    /// The clock has a duty cycle, a phase or what a vendor adds.
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

    /// The reply comes at once; that the rate has changed is told later.
    package static var asynchronous: Self { Self(rawValue: 1 << 0) }
    /// With ``asynchronous``: not even later.
    package static var noDelayedResponse: Self { Self(rawValue: 1 << 1) }
    /// A rate that the clock cannot have becomes the next higher one.
    package static var roundUp: Self { Self(rawValue: 1 << 2) }
    /// A rate that the clock cannot have becomes the nearest one, and ``roundUp`` means nothing.
    package static var roundToNearest: Self { Self(rawValue: 1 << 3) }

    package static var defined: Self { [.asynchronous, .noDelayedResponse, .roundUp, .roundToNearest] }
  }

  /// The attributes of CLOCK_CONFIG_SET: extended type 23:16, state 1:0; before 3.0 the state alone.
  package struct ConfigAttributes: FieldWord, Equatable {
    package var rawValue: UInt32

    package init(rawValue: UInt32) {
      self.rawValue = rawValue
    }

    /// What becomes of the clock's output.
    package enum State: UInt32 {
      /// The clock stands still.
      case disable = 0
      /// The clock runs.
      case enable = 1
      /// No agent may ask for it.
      case reserved = 2
      /// Makes sense only beside extended configuration.
      case unchanged = 3
    }

    private static var stateMask: UInt32 { 0x3 }
    private static var typeShift: UInt32 { 16 }

    package init(_ state: State, type: UInt8 = 0) {
      rawValue = state.rawValue | UInt32(type) << Self.typeShift
    }

    /// What the agent asks for; bits without a meaning are left out.
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
    /// No extended configuration is meant.
    package static var none: UInt8 { 0 }
    /// In percent.
    package static var dutyCycle: UInt8 { 1 }
    /// In degrees.
    package static var phase: UInt8 { 2 }
    /// Vendors' types begin here.
    package static var firstVendor: UInt8 { 0x80 }
  }

  /// The configuration of CLOCK_CONFIG_GET.
  package struct ConfigState: FieldFlags {
    package let rawValue: UInt32

    package init(rawValue: UInt32) {
      self.rawValue = rawValue
    }

    /// The clock runs.
    package static var enabled: Self { Self(rawValue: 1 << 0) }

    package static var defined: Self { [.enabled] }
  }

  /// The permissions of CLOCK_GET_PERMISSIONS: what the agent may change.
  package struct PermissionFlags: FieldFlags {
    package let rawValue: UInt32

    package init(rawValue: UInt32) {
      self.rawValue = rawValue
    }

    /// CLOCK_CONFIG_SET.
    package static var state: Self { Self(rawValue: 1 << 31) }
    /// CLOCK_PARENT_SET.
    package static var parent: Self { Self(rawValue: 1 << 30) }
    /// CLOCK_RATE_SET.
    package static var rate: Self { Self(rawValue: 1 << 29) }

    package static var defined: Self { [.state, .parent, .rate] }
  }
}
