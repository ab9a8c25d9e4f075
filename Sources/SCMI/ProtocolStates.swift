/// What Base knows.
struct BaseState: Sendable {
  /// By agent: whether it wants BASE_ERROR_EVENT.
  var notifies: [Bool] = []
}

/// What power domain management knows.
struct PowerDomainState: Sendable {
  /// The domains' power states.
  var domains: [UInt32] = []
}

/// What system power management knows.
struct SystemPowerState: Sendable {
  /// By agent: whether it wants SYSTEM_POWER_STATE_NOTIFIER.
  var notifies: [Bool] = []
  /// By agent: what was requested last of its system.
  var states: [SystemState] = []
}

/// What performance domain management knows.
struct PerformanceState: Sendable {
  struct Domain: Sendable {
    var level: UInt32 = 0
    var minimum: UInt32 = 0
    var maximum: UInt32 = 0
  }

  var domains: [Domain] = []
}

/// What clock management knows.
struct ClockState: Sendable {
  struct Clock: Sendable {
    /// In Hz.
    var rate: UInt64 = 0
    var enabled = false
    /// The parent's place in the platform's list, −1 for none.
    var parent = -1
    /// In percent.
    var dutyCycle: UInt32 = 0
    /// In degrees.
    var phase: UInt32 = 0
  }

  var clocks: [Clock] = []
  /// Vendors' extended configuration that is not its definition's any more, by clock and type.
  var extendedConfigurations: [Int: [UInt8: UInt32]] = [:]
}

/// What sensor management knows.
struct SensorState: Sendable {
  struct Sensor: Sendable {
    var configuration = SensorProtocol.SensorConfiguration(rawValue: 0)
    /// From outside; empty while the binding speaks.
    var values: [Int64] = []
    /// The value that trip points were last compared with.
    var lastValue: Int64 = 0
    /// Whether a sampling timer runs.
    var isSampled = false
  }

  struct TripPoint: Sendable {
    var mode: SensorProtocol.TripPointMode = []
    var value: Int64 = 0
  }

  var sensors: [Sensor] = []
  /// By agent: trip points of sensors, by the agent's identifier. One that is missing has none set.
  var tripPoints: [[UInt32: [TripPoint]]] = []
}

/// What reset domain management knows.
struct ResetState: Sendable {
  struct Domain: Sendable {
    var asserted = false
    var count: UInt64 = 0
  }

  var domains: [Domain] = []
}

/// What voltage domain management knows.
struct VoltageState: Sendable {
  struct Domain: Sendable {
    /// In microvolts.
    var level: Int32 = 0
    var isOn = false
  }

  var domains: [Domain] = []
}

/// What power cap management knows.
struct PowercapState: Sendable {
  struct Domain: Sendable {
    /// In the domain's unit, as all power here.
    var cap: UInt32 = 0
    var averagingInterval: UInt32 = 0
    /// From outside; empty while the binding speaks.
    var power: [Int64] = []
    /// The power that thresholds were last compared with.
    var lastPower: UInt32 = 0
    /// Whether a sampling timer runs.
    var isSampled = false
  }

  struct Thresholds: Sendable {
    var low: UInt32 = 0
    var high: UInt32 = 0
  }

  var domains: [Domain] = []
  /// By agent: measurement thresholds of power caps, by the agent's identifier.
  var thresholds: [[UInt32: Thresholds]] = []
}

/// What pin control knows.
struct PinControlState: Sendable {
  struct Setting: Sendable {
    var type: UInt8 = 0
    var value: UInt32 = 0
  }

  /// A pin or a group.
  struct Element: Sendable {
    /// The agent with exclusive control, −1 for none.
    var owner = -1
    /// The selected function's place in the platform's list, −1 for none.
    var function = -1
    /// Ascending by type.
    var settings: [Setting] = []

    init() {}

    init(_ settings: [UInt8: UInt32]) {
      configure(settings)
    }

    /// Goes back to these settings and no function; the owner stays.
    mutating func configure(_ settings: [UInt8: UInt32]) {
      function = -1
      self.settings = settings.sorted { $0.key < $1.key }.map { Setting(type: $0.key, value: $0.value) }
    }

    subscript(type: UInt8) -> UInt32? {
      get { settings.first { $0.type == type }?.value }
      set {
        settings.removeAll { $0.type == type }
        guard let newValue else { return }
        let index = settings.firstIndex { $0.type > type } ?? settings.count
        settings.insert(Setting(type: type, value: newValue), at: index)
      }
    }
  }

  var pins: [Element] = []
  var groups: [Element] = []
}
