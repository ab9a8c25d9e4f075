/// Words of its payloads whose bits have names.
extension PinControlProtocol {
  /// What an identifier is one of.
  package enum Selector: UInt32 {
    case pin = 0
    case group = 1
    case function = 2

    /// In a word in which it has two bits.
    package static var mask: UInt32 { 0x3 }
  }

  /// The attributes of PINCTRL_ATTRIBUTES: extended name 31, elements 15:0.
  package struct AttributeWord: FieldWord, Equatable {
    package var rawValue: UInt32

    package init(rawValue: UInt32) {
      self.rawValue = rawValue
    }

    /// - Parameter elements: how many belong to it, at most 65,535.
    package init(elements: Int, hasExtendedName: Bool) {
      rawValue = UInt32(elements) | (hasExtendedName ? 1 << 31 : 0)
    }
  }

  /// The attributes of PINCTRL_SETTINGS_GET: what 19:18, selector 17:16, skip 15:8, type 7:0.
  package struct SettingsGetAttributes: FieldWord, Equatable {
    package var rawValue: UInt32

    package init(rawValue: UInt32) {
      self.rawValue = rawValue
    }

    /// Which settings an agent asks for.
    package enum Wanted: UInt32 {
      /// The setting of ``type``.
      case one = 0
      /// All settings, from ``skip`` on.
      case all = 1
      /// The function that is selected, and no setting.
      case function = 2
      /// No agent may ask for it.
      case reserved = 3
    }

    private static var wantedShift: UInt32 { 18 }
    private static var selectorShift: UInt32 { 16 }
    private static var skipShift: UInt32 { 8 }

    package init(_ wanted: Wanted, _ selector: Selector, type: UInt8 = 0, skip: UInt8 = 0) {
      rawValue = wanted.rawValue << Self.wantedShift | selector.rawValue << Self.selectorShift
      rawValue |= UInt32(skip) << Self.skipShift | UInt32(type)
    }

    /// Which settings are asked for.
    package var wanted: Wanted { Wanted(rawValue: rawValue >> Self.wantedShift & 0x3) ?? .reserved }

    /// A ``Selector``; other numbers come from agents, too.
    package var selector: UInt32 { rawValue >> Self.selectorShift & Selector.mask }

    /// How many settings the agent has already.
    package var skip: Int { Int(rawValue >> Self.skipShift & 0xFF) }

    /// The type of the one setting that is asked for.
    package var type: UInt8 { UInt8(truncatingIfNeeded: rawValue) }

    /// Whether all bits without a meaning are zero.
    package var isDefined: Bool { rawValue >> Self.wantedShift & ~0x3 == 0 }
  }

  /// The attributes of PINCTRL_SETTINGS_CONFIGURE: function valid 10, count of settings 9:2, selector 1:0.
  package struct SettingsConfigureAttributes: FieldWord, Equatable {
    package var rawValue: UInt32

    package init(rawValue: UInt32) {
      self.rawValue = rawValue
    }

    private static var functionFlag: UInt32 { 1 << 10 }
    private static var countShift: UInt32 { 2 }

    /// - Parameter settings: how many follow.
    package init(_ selector: Selector, settings: UInt8, setsFunction: Bool = false) {
      rawValue = selector.rawValue | UInt32(settings) << Self.countShift | (setsFunction ? Self.functionFlag : 0)
    }

    /// A ``Selector``; other numbers come from agents, too.
    package var selector: UInt32 { rawValue & Selector.mask }

    /// How many settings follow, 0 to 255.
    package var count: Int { Int(rawValue >> Self.countShift & 0xFF) }

    /// Whether the function is to be selected.
    package var setsFunction: Bool { rawValue & Self.functionFlag != 0 }

    /// Whether all bits without a meaning are zero.
    package var isDefined: Bool { rawValue & ~(Self.functionFlag << 1 - 1) == 0 }
  }

  /// The flags of PINCTRL_SET_PERMISSIONS: allowed 2, selector 1:0.
  package struct PermissionWord: FieldWord, Equatable {
    package var rawValue: UInt32

    package init(rawValue: UInt32) {
      self.rawValue = rawValue
    }

    private static var allowedFlag: UInt32 { 1 << 2 }

    /// - Parameter allowed: whether the agent gets the element; otherwise it is taken away.
    package init(_ selector: Selector, allowed: Bool) {
      rawValue = selector.rawValue | (allowed ? Self.allowedFlag : 0)
    }

    /// A ``Selector``; other numbers come from agents, too.
    package var selector: UInt32 { rawValue & Selector.mask }

    /// Whether the agent gets the element; otherwise it is taken away.
    package var isAllowed: Bool { rawValue & Self.allowedFlag != 0 }

    /// Whether all bits without a meaning are zero.
    package var isDefined: Bool { rawValue & ~(Self.allowedFlag | Selector.mask) == 0 }
  }
}
