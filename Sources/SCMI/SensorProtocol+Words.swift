/// Words of its payloads whose bits have names.
extension SensorProtocol {
  /// The flags of SENSOR_READING_GET.
  package struct ReadingFlags: FieldFlags {
    package let rawValue: UInt32

    package init(rawValue: UInt32) {
      self.rawValue = rawValue
    }

    /// The reply comes at once, what is read later.
    package static var asynchronous: Self { Self(rawValue: 1 << 0) }

    package static var defined: Self { [.asynchronous] }
  }

  /// The control word of SENSOR_TRIP_POINT_CONFIG: trip point 11:4, mode 1:0.
  package struct TripPointControl: FieldWord, Equatable {
    package var rawValue: UInt32

    package init(rawValue: UInt32) {
      self.rawValue = rawValue
    }

    private static var identifierShift: UInt32 { 4 }
    private static var defined: UInt32 { 0xFF << identifierShift | TripPointMode.both.rawValue }

    package init(_ tripPoint: UInt8, _ mode: TripPointMode) {
      rawValue = UInt32(tripPoint) << Self.identifierShift | mode.rawValue
    }

    /// From 0 to 255, as the agent says it.
    package var tripPoint: Int { Int(rawValue >> Self.identifierShift & 0xFF) }

    /// Which crossings it is to tell of; none turns it off.
    package var mode: TripPointMode { TripPointMode(rawValue: rawValue & TripPointMode.both.rawValue) }

    /// Whether all bits without a meaning are zero.
    package var isDefined: Bool { rawValue & ~Self.defined == 0 }
  }

  /// The crossings that a trip point tells of.
  package struct TripPointMode: OptionSet, Sendable, Codable {
    package let rawValue: UInt32

    package init(rawValue: UInt32) {
      self.rawValue = rawValue
    }

    /// From below the trip point to it or above.
    package static var rising: Self { Self(rawValue: 1) }
    /// From above the trip point to it or below.
    package static var falling: Self { Self(rawValue: 2) }
    /// In either direction.
    package static var both: Self { [.rising, .falling] }
  }

  /// The description of SENSOR_TRIP_POINT_EVENT: rising 16, trip point 7:0.
  package struct TripPointDescription: FieldWord, Equatable {
    package var rawValue: UInt32

    package init(rawValue: UInt32) {
      self.rawValue = rawValue
    }

    /// - Parameter tripPoint: its number, at most 255.
    package init(tripPoint: Int, isRising: Bool) {
      rawValue = UInt32(tripPoint) | (isRising ? 1 << 16 : 0)
    }
  }

  /// The word of SENSOR_CONFIG_SET and SENSOR_CONFIG_GET: seconds 31:16, exponent 15:11, rounding 10:9, timestamps 1,
  /// enabled 0.
  package struct SensorConfiguration: FieldWord, Equatable, Codable {
    package var rawValue: UInt32

    package init(rawValue: UInt32) {
      self.rawValue = rawValue
    }

    /// What becomes of an interval that the sensor does not have.
    package enum Rounding: UInt32 {
      /// The next shorter one.
      case down = 0
      /// The next longer one.
      case up = 1
      /// The one that differs least.
      case nearest = 2
      /// No agent may ask for it.
      case reserved = 3
    }

    private static var enabledFlag: UInt32 { 1 << 0 }
    private static var timestampsFlag: UInt32 { 1 << 1 }
    private static var roundingShift: UInt32 { 9 }
    private static var exponentShift: UInt32 { 11 }
    private static var secondsShift: UInt32 { 16 }
    /// Bits 8:2 must be zero.
    private static var reservedMask: UInt32 { 0x1FC }

    /// - Parameter interval: `nil` leaves it as it is.
    package init(
      enabled: Bool,
      timestamps: Bool = false,
      interval: UpdateInterval? = nil,
      rounding: Rounding = .down
    ) {
      rawValue = (enabled ? Self.enabledFlag : 0) | (timestamps ? Self.timestampsFlag : 0)
      rawValue |= rounding.rawValue << Self.roundingShift
      guard let interval else { return }
      rawValue |= UInt32(interval.seconds) << Self.secondsShift | interval.exponentField << Self.exponentShift
    }

    /// Whether the sensor reads at all.
    package var isEnabled: Bool { rawValue & Self.enabledFlag != 0 }

    /// Whether readings have their times.
    package var hasTimestamps: Bool { rawValue & Self.timestampsFlag != 0 }

    /// What becomes of an interval that the sensor does not have.
    package var rounding: Rounding { Rounding(rawValue: rawValue >> Self.roundingShift & 0x3) ?? .reserved }

    /// `nil` where the seconds are 0.
    package var interval: UpdateInterval? {
      let seconds = UInt16(truncatingIfNeeded: rawValue >> Self.secondsShift)
      guard seconds != 0 else { return nil }
      return UpdateInterval(seconds, exponentField: rawValue >> Self.exponentShift)
    }

    /// Whether all bits without a meaning are zero, and the rounding has one.
    package var isDefined: Bool { rawValue & Self.reservedMask == 0 && rounding != .reserved }
  }

  /// The low attributes of a sensor's descriptor: those below and, in 7:0, the count of trip points. The timestamps'
  /// exponent is in 14:10.
  package struct LowAttributes: FieldFlags {
    package let rawValue: UInt32

    package init(rawValue: UInt32) {
      self.rawValue = rawValue
    }

    /// - Parameter tripPoints: how many the sensor has.
    package init(tripPoints: UInt8) {
      rawValue = UInt32(tripPoints)
    }

    /// SENSOR_READING_GET can be answered before the sensor was read.
    package static var asynchronous: Self { Self(rawValue: 1 << 31) }
    /// SENSOR_CONTINUOUS_UPDATE_NOTIFY is there for the sensor.
    package static var updates: Self { Self(rawValue: 1 << 30) }
    /// The name is longer than its field: SENSOR_NAME_GET has all of it.
    package static var extendedName: Self { Self(rawValue: 1 << 29) }
    /// Timestamps are there and count 10⁻⁹ seconds.
    package static var nanosecondTimestamps: Self { Self(rawValue: 1 << 9 | exponentField(-9) << 10) }
    /// Power and, of a scalar sensor, range follow the name.
    package static var extended: Self { Self(rawValue: 1 << 8) }

    package static var defined: Self {
      [.asynchronous, .updates, .extendedName, .nanosecondTimestamps, .extended, Self(tripPoints: .max)]
    }
  }

  /// The high attributes of a descriptor: 15:11 scale, 7:0 type; of a sensor 21:16 and 8 axes; in 1.0 31:27 and 26:22
  /// the one update interval.
  package struct HighAttributes: FieldWord {
    package private(set) var rawValue: UInt32

    package init(rawValue: UInt32) {
      self.rawValue = rawValue
    }

    /// - Parameters:
    ///   - type: a number of DSP0249.
    ///   - scale: power of ten of the unit, −16 to 15.
    package init(type: UInt8, scale: Int8) {
      rawValue = UInt32(type) | exponentField(scale) << 11
    }

    /// - Parameter count: of a sensor that is no scalar, at most 63.
    package mutating func setAxes(_ count: Int) { rawValue |= 1 << 8 | UInt32(count) << 16 }

    /// Only 1.0 has it here; later a list has the intervals.
    package mutating func setInterval(_ interval: UpdateInterval) {
      rawValue |= UInt32(interval.seconds & 0x1F) << 27 | interval.exponentField << 22
    }
  }

  /// The low attributes of an axis's descriptor.
  package struct AxisAttributes: FieldFlags {
    package let rawValue: UInt32

    package init(rawValue: UInt32) {
      self.rawValue = rawValue
    }

    /// The name is longer than its field: SENSOR_AXIS_NAME_GET has all of it.
    package static var extendedName: Self { Self(rawValue: 1 << 9) }
    /// The range follows the name.
    package static var extended: Self { Self(rawValue: 1 << 8) }

    package static var defined: Self { [.extendedName, .extended] }
  }

  /// A signed number of 5 bits.
  static func exponentField(_ value: Int8) -> UInt32 { UInt32(UInt8(bitPattern: value) & 0x1F) }
}
