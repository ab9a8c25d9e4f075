/// Where a measured value comes from.
public enum ValueBinding: Sendable {
  /// One value per axis (one for a scalar sensor), until ``SCMIPlatform/setSensor(_:values:at:)`` gives others.
  case constant([Int64])
  /// A value that goes up and down for ever, the same on all axes.
  case waveform(Waveform)
  /// The values one after the other, `interval` nanoseconds each, from the start again behind the last. All axes
  /// read the same.
  case replay(values: [Int64], interval: UInt64)
  /// Asked at each reading with the time and the axis. It must be quick, and deterministic if transcripts are to be
  /// replayed.
  case closure(@Sendable (_ now: UInt64, _ axis: Int) -> Int64)
  /// Given from outside, under this name (such as `hwmon:NAME/temp1_input`), through
  /// ``SCMIPlatform/setSensor(_:values:at:)`` or ``SCMIPlatform/setPower(_:_:at:)``; 0 until then.
  case host(String)
}

/// A value that repeats itself.
public struct Waveform: Equatable, Sendable {
  /// The way from one end to the other.
  public enum Shape: String, CaseIterable, Sendable {
    /// Smoothly.
    case sine
    /// In straight lines, up and down.
    case triangle
    /// The maximum for half of the period, then the minimum.
    case square
    /// In a straight line up, then from the start.
    case sawtooth
  }

  /// The way from one end to the other.
  public var shape: Shape
  /// In the sensor's unit.
  public var minimum: Int64
  /// In the sensor's unit, not below the minimum.
  public var maximum: Int64
  /// In nanoseconds, at least 1.
  public var period: UInt64

  public init(_ shape: Shape, minimum: Int64, maximum: Int64, period: UInt64) {
    self.shape = shape
    self.minimum = minimum
    self.maximum = maximum
    self.period = period
  }

  /// The value at `now` nanoseconds. The sine is two parabolas, exact to 6 % of the amplitude: the same on every host.
  func value(at now: UInt64) -> Int64 {
    let phase = Double(now % period) / Double(period)
    let unit: Double =
      switch shape {
      case .square: phase < 0.5 ? 1 : 0
      case .sawtooth: phase
      case .triangle: phase < 0.5 ? 2 * phase : 2 - 2 * phase
      case .sine: phase < 0.5 ? 0.5 + 8 * phase * (0.5 - phase) : 0.5 - 8 * (phase - 0.5) * (1 - phase)
      }
    return minimum + Int64((Double(maximum) - Double(minimum)) * unit)
  }
}

/// An update interval: `seconds` × 10^`exponent` seconds.
public struct UpdateInterval: Equatable, Sendable {
  /// 16 bits.
  public var seconds: UInt16
  /// −16 to 15.
  public var exponent: Int8

  public init(_ seconds: UInt16, exponent: Int8) {
    self.seconds = seconds
    self.exponent = exponent
  }

  /// The least time between two samples of a sensor, and two measurements of a power cap, in nanoseconds. What is asked
  /// for more often costs the host more than it tells a guest.
  public static let least: UInt64 = 100_000

  /// A signed number of 5 bits.
  var exponentField: UInt32 { SensorProtocol.exponentField(exponent) }

  /// - Parameter field: its lower 5 bits are a signed number.
  init(_ seconds: UInt16, exponentField field: UInt32) {
    let exponent = Int8(field & 0x1F)
    self.init(seconds, exponent: exponent > 15 ? exponent - 32 : exponent)
  }

  /// SENSOR_LIST_UPDATE_INTERVALS: seconds 20:5, exponent 4:0.
  var encoded: UInt32 { UInt32(seconds) << 5 | exponentField }

  /// The interval next to so many nanoseconds that 16 bits of seconds can say.
  init(nanoseconds: UInt64) {
    var seconds = nanoseconds
    var exponent: Int8 = -9
    var rest: UInt64 = 0
    while seconds > UInt16.max || seconds % 10 == 0 && seconds != 0 {
      rest = seconds % 10
      seconds /= 10
      exponent += 1
    }
    self.init(UInt16(min(seconds + (rest >= 5 ? 1 : 0), UInt64(UInt16.max))), exponent: exponent)
  }

  /// At least one nanosecond.
  package var nanoseconds: UInt64 {
    var value = UInt64(seconds)
    var exponent = Int(exponent) + 9
    while exponent > 0, value < UInt64.max / 10 {
      value *= 10
      exponent -= 1
    }
    while exponent < 0 {
      value /= 10
      exponent += 1
    }
    return max(value, 1)
  }
}

/// What a sensor or an axis can read.
public struct ValueRange: Equatable, Sendable {
  /// In the unit of what has the range.
  public var minimum: Int64
  /// In the unit of what has the range, not below the minimum.
  public var maximum: Int64
  /// In units × 10^`resolutionExponent`, 27 bits.
  public var resolution: UInt32
  /// −16 to 15.
  public var resolutionExponent: Int8

  public init(minimum: Int64, maximum: Int64, resolution: UInt32 = 1, resolutionExponent: Int8 = 0) {
    self.minimum = minimum
    self.maximum = maximum
    self.resolution = resolution
    self.resolutionExponent = resolutionExponent
  }
}

/// One of several things that a sensor measures at once.
public struct AxisDefinition: Sendable {
  /// At most 63 bytes; more than 15 make it an extended name.
  public var name: String
  /// A sensor type (DSP0249), see ``SensorDefinition/type``.
  public var type: UInt8 = 0
  /// Power of ten of the unit, −16 to 15.
  public var scale: Int8 = 0
  /// What it can read; `nil` is not told.
  public var range: ValueRange?

  /// What `configure` leaves alone has its default.
  public init(_ name: String, configure: (inout Self) -> Void = { _ in }) {
    self.name = name
    configure(&self)
  }
}

/// Sensor types of DSP0249 (PLDM for platform monitoring and control), which SCMI takes over: those that Apus names.
public enum SensorType {
  /// A temperature, in degrees Celsius.
  public static let celsius: UInt8 = 2
  /// A voltage, in volts.
  public static let volts: UInt8 = 5
  /// A current, in amperes.
  public static let amperes: UInt8 = 6
  /// Power, in watts.
  public static let watts: UInt8 = 7
  /// The speed of a fan: revolutions in each minute.
  public static let revolutionsPerMinute: UInt8 = 19
  /// A frequency, in hertz.
  public static let hertz: UInt8 = 20
}

/// What is measured, as ``SensorProtocol`` shows it.
public struct SensorDefinition: Sendable {
  /// Unique among the sensors. More than 15 bytes make it an extended name (up to 63).
  public var name: String
  /// The number of DSP0249, any; ``SensorType`` names some.
  public var type: UInt8 = SensorType.celsius
  /// Power of ten of the unit, −16 to 15.
  public var scale: Int8 = 0
  /// Where its values come from.
  public var binding: ValueBinding = .constant([0])
  /// At boot.
  public var enabled = true
  /// Whether a reading can be asked for that comes later.
  public var asynchronous = false
  /// In nanoseconds.
  public var asynchronousLatency: UInt64 = 0
  /// Whether readings can have their times.
  public var timestamps = false
  /// Empty for a scalar sensor. At most 7: their readings must fit into one message.
  public var axes: [AxisDefinition] = []
  /// How many trip points can be configured, at most 255.
  public var tripPoints: UInt8 = 0
  /// Whether it sends continuous updates.
  public var updates = false
  /// How often it can read, ascending, or the three of a range.
  public var intervals: [UpdateInterval] = []
  /// The three intervals are lowest, highest and step.
  public var intervalsAreSegment = false
  /// What a scalar sensor can read; `nil` is not told.
  public var range: ValueRange?
  /// Average power of the sensor itself, in microwatts.
  public var power: UInt32 = 0
  /// Lets ranges be upside down and axes have one name twice, for tests of what a client does with them.
  public var allowInvalid = false

  /// What `configure` leaves alone has its default.
  public init(_ name: String, configure: (inout Self) -> Void = { _ in }) {
    self.name = name
    configure(&self)
  }

  /// How many values one reading has.
  package var readingCount: Int { max(axes.count, 1) }

  /// The interval that exists for what a SENSOR_CONFIG_SET asks for: the next shorter one, the next longer one or the
  /// nearest, by its rounding. What lies beyond the ends is at them.
  ///
  /// - Returns: `nil` where nothing is asked for, or the sensor has no intervals.
  func interval(_ configuration: SensorProtocol.SensorConfiguration) -> UpdateInterval? {
    guard let wanted = configuration.interval?.nanoseconds, let first = intervals.first else { return nil }
    var below: UpdateInterval?
    var above: UpdateInterval?
    if intervalsAreSegment {
      let (lowest, highest) = (first.nanoseconds, intervals[1].nanoseconds)
      let step = intervals[2].nanoseconds
      guard wanted > lowest else { return first }
      guard wanted < highest else { return intervals[1] }
      let steps = (wanted - lowest) / step
      below = UpdateInterval(nanoseconds: lowest + steps * step)
      let isThere = (wanted - lowest) % step == 0
      above = isThere ? below : UpdateInterval(nanoseconds: min(lowest + (steps + 1) * step, highest))
    } else {
      for interval in intervals {
        let time = interval.nanoseconds
        if time <= wanted, below.map({ $0.nanoseconds < time }) ?? true { below = interval }
        if time >= wanted, above.map({ $0.nanoseconds > time }) ?? true { above = interval }
      }
    }
    guard let below else { return above }
    guard let above else { return below }
    switch configuration.rounding {
    case .down: return below
    case .up: return above
    case .nearest, .reserved: return wanted - below.nanoseconds < above.nanoseconds - wanted ? below : above
    }
  }
}
