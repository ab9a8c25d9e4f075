/// The values that a clock can have, in Hz.
public enum ClockRates: Equatable, Sendable {
  /// Ascending and without duplicates.
  case list([UInt64])
  case range(minimum: UInt64, maximum: UInt64, step: UInt64)
}

public struct ClockDefinition: Sendable {
  /// Unique among the clocks. More than 15 bytes make it an extended name (up to 63).
  public var name: String
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
  public var notifies = true
  /// How long an asynchronous rate change takes, in nanoseconds.
  public var asynchronousLatency: UInt64 = 0
  public var rateControl = true
  public var stateControl = true
  public var parentControl = true
  public var ratePolicy: HarmonisationPolicy = .last
  public var statePolicy: HarmonisationPolicy = .referenceCount
  /// Lets the rates break the rules of order and duplicates, for tests of what a client does with them.
  public var allowInvalid = false

  public init(_ name: String, configure: (inout Self) -> Void = { _ in }) {
    self.name = name
    configure(&self)
  }
}

public struct PowerDomainDefinition: Sendable {
  public var name: String
  /// The states that can be set; 0 is generic on, 0x4000_0000 generic off.
  public var states: [UInt32] = [0, 0x4000_0000]
  /// At boot.
  public var state: UInt32 = 0x4000_0000
  public var notifies = true
  public var asynchronous = false
  /// In nanoseconds.
  public var asynchronousLatency: UInt64 = 0
  public var policy: HarmonisationPolicy = .referenceCount

  public init(_ name: String, configure: (inout Self) -> Void = { _ in }) {
    self.name = name
    configure(&self)
  }
}

public struct OperatingPoint: Equatable, Sendable {
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

public struct PerformanceDomainDefinition: Sendable {
  public var name: String
  /// Ascending by level. Linux 6.12 reads 32 at most.
  public var operatingPoints: [OperatingPoint] = []
  /// At boot; `nil` is the lowest.
  public var level: UInt32?
  /// In kHz, with the level that it belongs to.
  public var sustainedFrequency: UInt32 = 0
  public var sustainedLevel: UInt32 = 0
  /// Shortest time between two requests, in microseconds, 20 bits.
  public var rateLimit: UInt32 = 0
  /// Performance protocol 4.0: levels are named by their index.
  public var levelIndexing = false
  public var setsLimits = true
  public var setsLevel = true
  public var notifies = true
  public var policy: HarmonisationPolicy = .highest
  /// Lets the operating points break the rules of order and duplicates, for tests of what a client does with them.
  public var allowInvalid = false

  public init(_ name: String, configure: (inout Self) -> Void = { _ in }) {
    self.name = name
    configure(&self)
  }
}

public struct ResetDefinition: Sendable {
  public var name: String
  /// In microseconds; 0xFFFF_FFFF is "not known".
  public var latency: UInt32 = 0xFFFF_FFFF
  public var notifies = true
  public var asynchronous = false
  /// In nanoseconds.
  public var asynchronousLatency: UInt64 = 0
  /// Reset states that are accepted; 0 is the architectural cold reset.
  public var states: [UInt32] = [0]
  /// `exclusive`, or anything else for "asserted while one agent asserts".
  public var policy: HarmonisationPolicy = .referenceCount

  public init(_ name: String, configure: (inout Self) -> Void = { _ in }) {
    self.name = name
    configure(&self)
  }
}

/// The values that a voltage domain can have, in microvolts.
public enum VoltageLevels: Equatable, Sendable {
  /// Ascending and without duplicates.
  case list([Int32])
  case range(minimum: Int32, maximum: Int32, step: Int32)
}

public struct VoltageDomainDefinition: Sendable {
  public var name: String
  public var levels: VoltageLevels = .list([])
  /// At boot, in microvolts; `nil` is the lowest.
  public var level: Int32?
  /// At boot.
  public var enabled = false
  public var asynchronous = false
  /// In nanoseconds.
  public var asynchronousLatency: UInt64 = 0
  public var policy: HarmonisationPolicy = .highest
  public var statePolicy: HarmonisationPolicy = .referenceCount
  /// Lets the levels break the rules of order and duplicates, for tests of what a client does with them.
  public var allowInvalid = false

  public init(_ name: String, configure: (inout Self) -> Void = { _ in }) {
    self.name = name
    configure(&self)
  }
}

public enum PowerUnit: String, CaseIterable, Sendable {
  case abstract
  case milliwatt
  case microwatt
}

public struct PowercapDefinition: Sendable {
  public var name: String
  public var unit: PowerUnit = .microwatt
  /// In ``unit``, at least 1. A domain whose cap can be configured has minimum < maximum and a step.
  public var minimumCap: UInt32 = 1
  public var maximumCap: UInt32 = 1
  public var capStep: UInt32 = 1
  /// At boot; `nil` is the maximum, 0 is "no cap" (powercap protocol 2.0).
  public var cap: UInt32?
  /// The power averaging interval, in microseconds, at least 1.
  public var minimumAveragingInterval: UInt32 = 1
  public var maximumAveragingInterval: UInt32 = 1
  public var averagingIntervalStep: UInt32 = 1
  public var sustainablePower: UInt32 = 0
  /// In 0.01 % of the reading.
  public var accuracy: UInt32 = 0
  /// Another power cap's name; `nil` is the root.
  public var parent: String?
  public var notifies = true
  public var asynchronous = false
  /// In nanoseconds.
  public var asynchronousLatency: UInt64 = 0
  /// The measured power, in ``unit``; negative values count as 0.
  public var power: ValueBinding = .constant([0])
  /// How often the power is measured while someone listens, in nanoseconds.
  public var measurementInterval: UInt64 = 100_000_000
  public var policy: HarmonisationPolicy = .lowest
  /// Lets caps, intervals and steps be what a platform may not have, for tests of what a client does with them.
  public var allowInvalid = false

  public init(_ name: String, configure: (inout Self) -> Void = { _ in }) {
    self.name = name
    configure(&self)
  }

  var capIsConfigurable: Bool { minimumCap != maximumCap }
  var averagingIntervalIsConfigurable: Bool { minimumAveragingInterval != maximumAveragingInterval }
}

public struct PinDefinition: Sendable {
  public var name: String
  /// At boot: settings by their type (0 to 20 and 192 to 255), as in PINCTRL_SETTINGS_GET.
  public var settings: [UInt8: UInt32] = [:]
  /// Types that an agent may configure. `nil` is every type of the specification.
  public var configurable: [UInt8]?

  public init(_ name: String, configure: (inout Self) -> Void = { _ in }) {
    self.name = name
    configure(&self)
  }
}

public struct GroupDefinition: Sendable {
  public var name: String
  /// Names of pins.
  public var pins: [String] = []
  public var settings: [UInt8: UInt32] = [:]
  /// Lets a pin be there twice, for tests of what a client does with it.
  public var allowInvalid = false

  public init(_ name: String, configure: (inout Self) -> Void = { _ in }) {
    self.name = name
    configure(&self)
  }
}

public struct FunctionDefinition: Sendable {
  public var name: String
  /// Names of groups.
  public var groups: [String] = []
  /// Lets a group be there twice, for tests of what a client does with it.
  public var allowInvalid = false

  public init(_ name: String, configure: (inout Self) -> Void = { _ in }) {
    self.name = name
    configure(&self)
  }
}
