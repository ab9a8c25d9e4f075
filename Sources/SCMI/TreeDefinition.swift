/// What a guest's device tree tells of the platform beyond its protocols: who uses its resources.
///
/// What an agent does not see is left out of its tree.
public struct TreeDefinition: Sendable {
  /// How long the guest waits for a reply, in milliseconds, at least 1; `nil` is its own limit.
  public var replyTimeout: UInt32?
  /// Names of performance domains: that of CPU n at n; CPUs behind the last one have the last one's.
  public var cpus: [String] = []
  public var thermalZones: [ThermalZoneDefinition] = []
  public var consumers: [ConsumerDefinition] = []

  public init() {}
}

/// A thermal zone of the guest, over one sensor.
public struct ThermalZoneDefinition: Sendable {
  public enum TripKind: String, CaseIterable, Sendable {
    case active, passive, hot, critical
  }

  public struct Trip: Equatable, Sendable {
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
  public var trips: [Trip] = []

  public init(_ name: String, sensor: String, configure: (inout Self) -> Void = { _ in }) {
    self.name = name
    self.sensor = sensor
    configure(&self)
  }
}

/// Something in the guest that uses resources of the platform.
public struct ConsumerDefinition: Sendable {
  public enum Kind: String, CaseIterable, Sendable {
    /// A bus without devices (`simple-pm-bus`): its clocks and its power domain are on while it is.
    case bus
    /// The machine's real-time clock, which takes its clock, power domain and resets from the platform.
    case clock
    /// An outlet (`regulator-output`), which a person switches on and off.
    case outlet
    /// Linux's `regulator-virtual-consumer`, through which a person sets a voltage. For tests.
    case regulatorTest
  }

  /// Lower-case letters, digits and hyphens, at most 31, a letter first; unique.
  public var name: String
  public var kind: Kind
  public var resources: [ResourceName] = []
  /// What the guest sets when it begins to use a clock, in Hz, by the clock's name.
  public var rates: [String: UInt32] = [:]
  /// The parent that the guest chooses then, by the clock's name.
  public var parents: [String: String] = [:]

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

/// What exists for an agent.
public struct AgentView: Equatable, Sendable {
  /// Ascending; Base and vendor protocols included.
  public var protocols: [UInt8]
  /// By kind: the agent's identifiers by the resources' names.
  private var identifiers: [[String: UInt32]]

  init(protocols: [UInt8], identifiers: [[String: UInt32]]) {
    self.protocols = protocols
    self.identifiers = identifiers
  }

  public func has(_ identifier: ProtocolIdentifier) -> Bool { protocols.contains(identifier.rawValue) }

  /// The agent's identifier for a resource, or `nil` where the agent may not see it.
  public func identifier(_ kind: ResourceKind, _ name: String) -> UInt32? {
    identifiers[Int(kind.rawValue)][name]
  }
}

extension Platform {
  /// What exists for an agent now.
  ///
  /// - Precondition: the agent exists.
  public func view(of agent: Int) -> AgentView {
    let present = ProtocolIdentifier.allCases.filter {
      protocols[agent * ProtocolIdentifier.count + $0.index].isPresent
    }
    let vendors = vendors.map(\.identifier).filter {
      agents[agent].definition.vendorProtocols?.contains($0) ?? true
    }
    return AgentView(
      protocols: (present.map(\.rawValue) + vendors).sorted(),
      identifiers: ResourceKind.allCases.map { kind in
        let names = definition.names(kind)
        var identifiers: [String: UInt32] = [:]
        for (identifier, slot) in views[agent * ResourceKind.count + Int(kind.rawValue)].slots.enumerated()
        where slot.access != .none {
          identifiers[names[Int(slot.resource)]] = UInt32(identifier)
        }
        return identifiers
      }
    )
  }
}
