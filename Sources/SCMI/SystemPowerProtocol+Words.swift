/// Words of its payloads whose bits have names.
extension SystemPowerProtocol {
  /// The flags of SYSTEM_POWER_STATE_SET and SYSTEM_POWER_STATE_NOTIFIER.
  package struct SetFlags: FieldFlags {
    package let rawValue: UInt32

    package init(rawValue: UInt32) {
      self.rawValue = rawValue
    }

    /// The system is asked; without it, it is told.
    package static var graceful: Self { Self(rawValue: 1 << 0) }

    package static var defined: Self { [.graceful] }
  }

  /// The attributes of SYSTEM_POWER_STATE_SET: what exists beside shutdown and cold reset.
  package struct Transitions: FieldFlags {
    package let rawValue: UInt32

    package init(rawValue: UInt32) {
      self.rawValue = rawValue
    }

    /// The system can restart and keep its memory.
    package static var warmReset: Self { Self(rawValue: 1 << 31) }
    /// The system can sleep.
    package static var suspend: Self { Self(rawValue: 1 << 30) }

    package static var defined: Self { [.warmReset, .suspend] }
  }
}

/// The states of a system (SCMI 3.2, 4.4.3.2).
public struct SystemState: RawRepresentable, Hashable, Sendable, Codable {
  /// The number on the wire.
  public let rawValue: UInt32

  public init(rawValue: UInt32) {
    self.rawValue = rawValue
  }

  /// Off.
  public static let shutdown = SystemState(rawValue: 0)
  /// Restarts, from power-on.
  public static let coldReset = SystemState(rawValue: 1)
  /// Restarts, and memory keeps its content.
  public static let warmReset = SystemState(rawValue: 2)
  /// On again.
  public static let powerUp = SystemState(rawValue: 3)
  /// Sleeps, and memory keeps its content.
  public static let suspend = SystemState(rawValue: 4)

  /// Whether it is one of a vendor's, which have the upper half of the numbers.
  public var isVendors: Bool { rawValue >= 1 << 31 }

  /// Whether the specification has it.
  var isArchitectural: Bool { rawValue <= Self.suspend.rawValue }
}

extension SystemState: FieldWord {}
