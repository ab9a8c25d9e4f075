/// Words of its payloads whose bits have names.
extension VoltageProtocol {
  /// The flags of VOLTAGE_LEVEL_SET.
  package struct SetFlags: FieldFlags {
    package let rawValue: UInt32

    package init(rawValue: UInt32) {
      self.rawValue = rawValue
    }

    /// The reply comes at once; that the voltage has changed is told later.
    package static var asynchronous: Self { Self(rawValue: 1 << 0) }

    package static var defined: Self { [.asynchronous] }
  }

  /// The attributes of VOLTAGE_DOMAIN_ATTRIBUTES.
  package struct AttributeFlags: FieldFlags {
    package let rawValue: UInt32

    package init(rawValue: UInt32) {
      self.rawValue = rawValue
    }

    /// VOLTAGE_LEVEL_SET can be answered before the voltage has changed.
    package static var asynchronousSet: Self { Self(rawValue: 1 << 31) }
    /// The name is longer than its field: VOLTAGE_DOMAIN_NAME_GET has all of it.
    package static var extendedName: Self { Self(rawValue: 1 << 30) }

    package static var defined: Self { [.asynchronousSet, .extendedName] }
  }

  /// The mode of VOLTAGE_CONFIG_SET and VOLTAGE_CONFIG_GET. The other architectural modes do not exist here.
  package struct Mode: FieldWord, Equatable {
    package var rawValue: UInt32

    package init(rawValue: UInt32) {
      self.rawValue = rawValue
    }

    /// The architectural mode "off".
    package static var off: Mode { Mode(rawValue: 0) }
    /// The architectural mode "on": the voltage is what the level says.
    package static var on: Mode { Mode(rawValue: 7) }
  }
}
