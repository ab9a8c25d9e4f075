/// The values that a clock can have, in Hz.
public enum ClockRates: Equatable, Sendable {
  /// Ascending and without duplicates.
  case list([UInt64])
  /// From the lowest by steps to the highest.
  case range(minimum: UInt64, maximum: UInt64, step: UInt64)
}

/// A clock, as ``ClockProtocol`` shows it.
public struct ClockDefinition: Sendable {
  /// Unique among the clocks. More than 15 bytes make it an extended name (up to 63).
  public var name: String
  /// What the clock can run at, in Hz.
  public var rates: ClockRates = .list([])
  /// At boot, in Hz; `nil` is the first rate of the list or the range's minimum.
  public var rate: UInt64?
  /// At boot.
  public var enabled = false
  /// Worst case, in microseconds; 0 is "not known".
  public var enableLatency: UInt32 = 0
  /// Names of clocks among which the agent may choose.
  public var parents: [String] = []
  /// At boot; one of ``parents``, `nil` is the first.
  public var parent: String?
  /// Percent, `nil` where the clock has none to set.
  public var dutyCycle: UInt32?
  /// Degrees, `nil` where the clock has none to set.
  public var phase: UInt32?
  /// Extended configuration by its type, 0x80 to 0xFF.
  public var extendedConfiguration: [UInt8: UInt32] = [:]
  /// Whether changes of its rate can be told.
  public var notifies = true
  /// How long an asynchronous rate change takes, in nanoseconds.
  public var asynchronousLatency: UInt64 = 0
  /// Whether agents may set the rate.
  public var rateControl = true
  /// Whether agents may turn it on and off.
  public var stateControl = true
  /// Whether agents may choose a parent.
  public var parentControl = true
  /// How the agents' rates become one.
  public var ratePolicy: HarmonisationPolicy = .last
  /// How the agents' wishes for on and off become one.
  public var statePolicy: HarmonisationPolicy = .referenceCount
  /// Lets the rates break the rules of order and duplicates, for tests of what a client does with them.
  public var allowInvalid = false

  /// What `configure` leaves alone has its default.
  public init(_ name: String, configure: (inout Self) -> Void = { _ in }) {
    self.name = name
    configure(&self)
  }
}

/// What can be switched on and off, as ``PowerDomainProtocol`` shows it.
public struct PowerDomainDefinition: Sendable {
  /// Unique among the power domains. More than 15 bytes make it an extended name (up to 63).
  public var name: String
  /// The states that can be set; 0 is generic on, 0x4000_0000 generic off.
  public var states: [UInt32] = [0, 0x4000_0000]
  /// At boot.
  public var state: UInt32 = 0x4000_0000
  /// Whether changes of its state can be told.
  public var notifies = true
  /// Whether a change can be asked for that is answered before it has happened.
  public var asynchronous = false
  /// In nanoseconds.
  public var asynchronousLatency: UInt64 = 0
  /// How the agents' states become one.
  public var policy: HarmonisationPolicy = .referenceCount

  /// What `configure` leaves alone has its default.
  public init(_ name: String, configure: (inout Self) -> Void = { _ in }) {
    self.name = name
    configure(&self)
  }
}

/// One level of a performance domain, and what it costs.
public struct OperatingPoint: Equatable, Sendable {
  /// What agents ask for, of no unit that the specification gives.
  public var level: UInt32
  /// In the unit of ``PlatformDefinition/powerUnit``.
  public var power: UInt32
  /// Transition latency in microseconds.
  public var latency: UInt16
  /// In kHz; what performance protocol 4.0 calls the indicative frequency.
  public var frequency: UInt32

  public init(level: UInt32, power: UInt32 = 0, latency: UInt16 = 0, frequency: UInt32 = 0) {
    self.level = level
    self.power = power
    self.latency = latency
    self.frequency = frequency
  }
}

/// What runs at one of several levels, as ``PerformanceProtocol`` shows it.
public struct PerformanceDomainDefinition: Sendable {
  /// Unique among the performance domains. More than 15 bytes make it an extended name (up to 63).
  public var name: String
  /// Ascending by level. Linux 6.12 reads 32 at most.
  public var operatingPoints: [OperatingPoint] = []
  /// At boot; `nil` is the lowest.
  public var level: UInt32?
  /// In kHz, with the level that it belongs to.
  public var sustainedFrequency: UInt32 = 0
  /// The level at ``sustainedFrequency``.
  public var sustainedLevel: UInt32 = 0
  /// Shortest time between two requests, in microseconds, 20 bits.
  public var rateLimit: UInt32 = 0
  /// Performance protocol 4.0: levels are named by their index.
  public var levelIndexing = false
  /// Whether agents may set bounds of the level.
  public var setsLimits = true
  /// Whether agents may ask for a level.
  public var setsLevel = true
  /// Whether changes of level and bounds can be told.
  public var notifies = true
  /// How the agents' levels become one.
  public var policy: HarmonisationPolicy = .highest
  /// Lets the operating points break the rules of order and duplicates, for tests of what a client does with them.
  public var allowInvalid = false

  /// What `configure` leaves alone has its default.
  public init(_ name: String, configure: (inout Self) -> Void = { _ in }) {
    self.name = name
    configure(&self)
  }
}

/// What can be reset, as ``ResetProtocol`` shows it.
public struct ResetDefinition: Sendable {
  /// Unique among the resets. More than 15 bytes make it an extended name (up to 63).
  public var name: String
  /// In microseconds; 0xFFFF_FFFF is "not known".
  public var latency: UInt32 = 0xFFFF_FFFF
  /// Whether resets can be told.
  public var notifies = true
  /// Whether a reset can be asked for that is answered before it is over.
  public var asynchronous = false
  /// In nanoseconds.
  public var asynchronousLatency: UInt64 = 0
  /// Reset states that are accepted; 0 is the architectural cold reset.
  public var states: [UInt32] = [0]
  /// `exclusive`, or anything else for "asserted while one agent asserts".
  public var policy: HarmonisationPolicy = .referenceCount

  /// What `configure` leaves alone has its default.
  public init(_ name: String, configure: (inout Self) -> Void = { _ in }) {
    self.name = name
    configure(&self)
  }
}

/// The values that a voltage domain can have, in microvolts.
public enum VoltageLevels: Equatable, Sendable {
  /// Ascending and without duplicates.
  case list([Int32])
  /// From the lowest by steps to the highest.
  case range(minimum: Int32, maximum: Int32, step: Int32)
}

/// A regulator, as ``VoltageProtocol`` shows it.
public struct VoltageDomainDefinition: Sendable {
  /// Unique among the regulators. More than 15 bytes make it an extended name (up to 63).
  public var name: String
  /// What the voltage can be, in microvolts.
  public var levels: VoltageLevels = .list([])
  /// At boot, in microvolts; `nil` is the lowest.
  public var level: Int32?
  /// At boot.
  public var enabled = false
  /// Whether a level can be asked for that is answered before it holds.
  public var asynchronous = false
  /// In nanoseconds.
  public var asynchronousLatency: UInt64 = 0
  /// How the agents' levels become one.
  public var policy: HarmonisationPolicy = .highest
  /// How the agents' wishes for on and off become one.
  public var statePolicy: HarmonisationPolicy = .referenceCount
  /// Lets the levels break the rules of order and duplicates, for tests of what a client does with them.
  public var allowInvalid = false

  /// What `configure` leaves alone has its default.
  public init(_ name: String, configure: (inout Self) -> Void = { _ in }) {
    self.name = name
    configure(&self)
  }
}

/// What a number that tells of power counts.
public enum PowerUnit: String, CaseIterable, Sendable {
  /// No physical unit: only comparable within the platform.
  case abstract
  /// 10⁻³ W.
  case milliwatt
  /// 10⁻⁶ W.
  case microwatt
}

/// What has a cap of its power, as ``PowercapProtocol`` shows it.
public struct PowercapDefinition: Sendable {
  /// Unique among the power caps. More than 15 bytes make it an extended name (up to 63).
  public var name: String
  /// What caps and measurements count.
  public var unit: PowerUnit = .microwatt
  /// In ``unit``, at least 1. A domain whose cap can be configured has minimum < maximum and a step.
  public var minimumCap: UInt32 = 1
  /// In ``unit``, at least 1.
  public var maximumCap: UInt32 = 1
  /// In ``unit``; what caps are multiples of, counted from the minimum.
  public var capStep: UInt32 = 1
  /// At boot; `nil` is the maximum, 0 is "no cap" (powercap protocol 2.0).
  public var cap: UInt32?
  /// The power averaging interval, in microseconds, at least 1.
  public var minimumAveragingInterval: UInt32 = 1
  /// In microseconds, at least the lowest.
  public var maximumAveragingInterval: UInt32 = 1
  /// In microseconds; what intervals are multiples of, counted from the lowest.
  public var averagingIntervalStep: UInt32 = 1
  /// What can be drawn for ever, in ``unit``; 0 is "not known".
  public var sustainablePower: UInt32 = 0
  /// In 0.01 % of the reading.
  public var accuracy: UInt32 = 0
  /// Another power cap's name; `nil` is the root.
  public var parent: String?
  /// Whether changes of cap and interval, and measurements beyond thresholds can be told.
  public var notifies = true
  /// Whether a cap can be asked for that is answered before it holds.
  public var asynchronous = false
  /// In nanoseconds.
  public var asynchronousLatency: UInt64 = 0
  /// The measured power, in ``unit``; negative values count as 0.
  public var power: ValueBinding = .constant([0])
  /// How often the power is measured while someone listens, in nanoseconds.
  public var measurementInterval: UInt64 = 100_000_000
  /// How the agents' caps become one.
  public var policy: HarmonisationPolicy = .lowest
  /// Lets caps, intervals and steps be what a platform may not have, for tests of what a client does with them.
  public var allowInvalid = false

  /// What `configure` leaves alone has its default.
  public init(_ name: String, configure: (inout Self) -> Void = { _ in }) {
    self.name = name
    configure(&self)
  }

  var capIsConfigurable: Bool { minimumCap != maximumCap }
  var averagingIntervalIsConfigurable: Bool { minimumAveragingInterval != maximumAveragingInterval }
}

/// A single pin, as ``PinControlProtocol`` shows it.
public struct PinDefinition: Sendable {
  /// Unique among the pins. More than 15 bytes make it an extended name (up to 63).
  public var name: String
  /// At boot: settings by their type (0 to 20 and 192 to 255), as in PINCTRL_SETTINGS_GET.
  public var settings: [UInt8: UInt32] = [:]
  /// Types that an agent may configure. `nil` is every type of the specification.
  public var configurable: [UInt8]?

  /// What `configure` leaves alone has its default.
  public init(_ name: String, configure: (inout Self) -> Void = { _ in }) {
    self.name = name
    configure(&self)
  }
}

/// Pins that are configured together.
public struct GroupDefinition: Sendable {
  /// Unique among the groups. More than 15 bytes make it an extended name (up to 63).
  public var name: String
  /// Names of pins.
  public var pins: [String] = []
  /// At boot: settings by their type, as a pin has them.
  public var settings: [UInt8: UInt32] = [:]
  /// Lets a pin be there twice, for tests of what a client does with it.
  public var allowInvalid = false

  /// What `configure` leaves alone has its default.
  public init(_ name: String, configure: (inout Self) -> Void = { _ in }) {
    self.name = name
    configure(&self)
  }
}

/// What groups of pins can be used for, such as a serial port.
public struct FunctionDefinition: Sendable {
  /// Unique among the functions. More than 15 bytes make it an extended name (up to 63).
  public var name: String
  /// Names of groups.
  public var groups: [String] = []
  /// Lets a group be there twice, for tests of what a client does with it.
  public var allowInvalid = false

  /// What `configure` leaves alone has its default.
  public init(_ name: String, configure: (inout Self) -> Void = { _ in }) {
    self.name = name
    configure(&self)
  }
}
