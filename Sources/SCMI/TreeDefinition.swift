/// What a guest's device tree tells of the platform beyond its protocols: who uses its resources.
///
/// What an agent does not see is left out of its tree.
public struct TreeDefinition: Sendable {
  /// How long the guest waits for a reply, in milliseconds, at least 1; `nil` is its own limit.
  public var replyTimeout: UInt32?
  /// Names of performance domains: that of CPU n at n; CPUs behind the last one have the last one's.
  public var cpus: [String] = []
  /// What the guest's thermal framework watches.
  public var thermalZones: [ThermalZoneDefinition] = []
  /// Who in the guest uses what.
  public var consumers: [ConsumerDefinition] = []

  public init() {}
}

/// A thermal zone of the guest, over one sensor.
public struct ThermalZoneDefinition: Sendable {
  /// What a guest does at a trip point, by the device tree's names.
  public enum TripKind: String, CaseIterable, Sendable {
    /// Cools actively, cools by being slower, tells its driver, shuts down.
    case active, passive, hot, critical
  }

  /// A temperature at which a guest does something.
  public struct Trip: Equatable, Sendable {
    /// What it does.
    public var kind: TripKind
    /// In thousandths of a degree Celsius, −273,000 to 200,000.
    public var temperature: Int32
    /// In thousandths of a degree.
    public var hysteresis: UInt32

    public init(_ kind: TripKind, temperature: Int32, hysteresis: UInt32 = 2_000) {
      self.kind = kind
      self.temperature = temperature
      self.hysteresis = hysteresis
    }
  }

  /// A letter, then 1 to 10 letters, digits and hyphens.
  public var name: String
  /// A sensor's name.
  public var sensor: String
  /// In milliseconds; 0 is never.
  public var pollingInterval: UInt32 = 1_000
  /// Ascending or not, as the tree is to have them.
  public var trips: [Trip] = []

  /// What `configure` leaves alone has its default.
  public init(_ name: String, sensor: String, configure: (inout Self) -> Void = { _ in }) {
    self.name = name
    self.sensor = sensor
    configure(&self)
  }
}

/// Something in the guest that uses resources of the platform.
public struct ConsumerDefinition: Sendable {
  /// What kind of node it becomes.
  public enum Kind: String, CaseIterable, Sendable {
    /// A bus without devices (`simple-pm-bus`): its clocks and its power domain are on while it is.
    case bus
    /// The machine's real-time clock, which takes its clock, power domain and resets from the platform.
    case clock
    /// An outlet (`regulator-output`), which a person switches on and off.
    case outlet
    /// Linux's `regulator-virtual-consumer`, through which a person sets a voltage. For tests.
    case regulatorTest
    /// A device of any ``compatible`` string, for a driver that somebody is writing.
    case device
  }

  /// Lower-case letters, digits and hyphens, at most 31, a letter first; unique.
  public var name: String
  /// What kind of node it becomes.
  public var kind: Kind
  /// What it uses, in the order of the node's phandles.
  public var resources: [ResourceName] = []
  /// What the guest sets when it begins to use a clock, in Hz, by the clock's name.
  public var rates: [String: UInt32] = [:]
  /// The parent that the guest chooses then, by the clock's name.
  public var parents: [String: String] = [:]
  /// What a driver finds a ``Kind/device`` by; at least one string there, none elsewhere.
  public var compatible: [String] = []
  /// Of a ``Kind/device``: what its driver finds besides resources.
  public var node = DeviceNodeDefinition()
  /// Of a ``Kind/device``: ranges of scratch memory.
  public var registers: [RegisterDefinition] = []
  /// Of a ``Kind/device``: lines that ``ScriptAction/interrupt(_:line:asserted:)`` drives.
  public var interrupts: [InterruptDefinition] = []

  /// What `configure` leaves alone has its default.
  public init(
    _ name: String,
    _ kind: Kind,
    _ resources: [ResourceName] = [],
    configure: (inout Self) -> Void = { _ in }
  ) {
    self.name = name
    self.kind = kind
    self.resources = resources
    configure(&self)
  }

  /// The names of its resources of one kind, in order.
  public func names(_ kind: ResourceKind) -> [String] {
    resources.filter { $0.kind == kind }.map(\.name)
  }
}
