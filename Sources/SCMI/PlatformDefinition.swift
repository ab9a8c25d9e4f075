/// What an agent may do with one resource.
public enum Access: UInt8, Comparable, Sendable, Codable {
  case none = 0
  /// Describe it and read its state.
  case read = 1
  case full = 2

  public static func < (left: Access, right: Access) -> Bool { left.rawValue < right.rawValue }

  /// As platform files have it.
  public var name: String {
    switch self {
    case .none: "none"
    case .read: "read"
    case .full: "full"
    }
  }

  /// - Parameter name: as platform files have it; `nil` for any other.
  public init?(name: String) {
    switch name {
    case "none": self = .none
    case "read": self = .read
    case "full": self = .full
    default: return nil
    }
  }
}

/// A named set of resources that permissions are given for (BASE_SET_DEVICE_PERMISSIONS).
///
/// A device's identifier is its place in ``PlatformDefinition/devices``.
public struct DeviceDefinition: Sendable {
  /// Unique among the devices.
  public var name: String
  /// What the permissions are about.
  public var resources: [ResourceName] = []

  public init(_ name: String, _ resources: [ResourceName] = []) {
    self.name = name
    self.resources = resources
  }
}

/// What exists for an agent: everything, or what is listed.
public struct ResourceSelection: Sendable {
  /// What exists for the agent.
  public var resource: ResourceName
  /// What the agent may do with it.
  public var access: Access
  /// Bounds for what the agent may set: Hz, level, microvolts or power; `nil` is no bound.
  public var minimum: Int64?
  /// In the same unit as the lower bound; `nil` is none.
  public var maximum: Int64?

  public init(_ resource: ResourceName, access: Access = .full, minimum: Int64? = nil, maximum: Int64? = nil) {
    self.resource = resource
    self.access = access
    self.minimum = minimum
    self.maximum = maximum
  }
}

/// Whose system an agent's requests of the system power protocol are about.
public enum SystemPowerReach: String, CaseIterable, Sendable {
  /// The agent's own: no other agent's machine hears of them.
  case own
  /// Every agent's: a graceful request is announced to all that listen, a forceful one ends all machines.
  case all
}

/// An agent; its SCMI identifier is its place in ``PlatformDefinition/agents`` plus 1 (0 is the platform).
public struct AgentDefinition: Sendable {
  /// Unique among the agents. At most 15 bytes.
  public var name: String
  /// May change permissions and reset agents over SCMI.
  public var trusted = false
  /// Protocols that the agent may use; `nil` is all. Base is always there.
  public var protocols: [ProtocolIdentifier]?
  /// Vendor protocols that the agent may use; `nil` is all.
  public var vendorProtocols: [UInt8]?
  /// What exists for the agent; `nil` (with no ``devices``) is everything.
  public var resources: [ResourceSelection]?
  /// Devices whose resources exist for the agent, besides ``resources``.
  public var devices: [(name: String, access: Access)] = []
  /// Commands that are refused with DENIED and that MESSAGE_ATTRIBUTES does not find.
  public var deniedCommands: [ProtocolIdentifier: [UInt8]] = [:]
  /// Whether a resource that was taken away can still be described and read.
  public var describesDenied = false
  /// Whose system the agent's requests of the system power protocol are about.
  public var systemPower: SystemPowerReach = .own
  /// Whether the agent can count and name the other agents.
  public var seesOtherAgents = true
  /// 0 is no limit.
  public var messagesPerSecond: UInt32 = 0
  /// Delayed responses that may be outstanding.
  public var outstandingResponses = 64

  /// What `configure` leaves alone has its default.
  public init(_ name: String, configure: (inout Self) -> Void = { _ in }) {
    self.name = name
    configure(&self)
  }
}

/// A vendor protocol that is only data: fixed answers.
public struct VendorProtocolDefinition: Sendable {
  /// What one command is answered.
  public struct Command: Sendable {
    /// The number of the command, from 3 on.
    public var identifier: UInt8
    /// What the reply says; words follow only success.
    public var status: SCMIStatus
    /// Words behind the status, at most 31.
    public var reply: [UInt32]
    /// How many payload bytes a request has; `nil` is any number.
    public var requestSize: Int?

    public init(_ identifier: UInt8, status: SCMIStatus = .success, reply: [UInt32] = [], requestSize: Int? = nil) {
      self.identifier = identifier
      self.status = status
      self.reply = reply
      self.requestSize = requestSize
    }
  }

  /// How many words a reply may have behind the status.
  package static let maximumReply = SCMIMessage.maximumEntries(size: 4, behind: 1)

  /// 0x80 to 0xFF.
  public var identifier: UInt8
  /// What PROTOCOL_VERSION answers.
  public var version = ProtocolVersion(1, 0)
  /// What PROTOCOL_ATTRIBUTES answers.
  public var attributes: UInt32 = 0
  /// Those that exist beside what every protocol has.
  public var commands: [Command] = []

  /// - Parameters:
  ///   - identifier: 0x80 to 0xFF.
  ///   - configure: sets what is not to have its default.
  public init(_ identifier: UInt8, configure: (inout Self) -> Void = { _ in }) {
    self.identifier = identifier
    configure(&self)
  }
}

/// Everything about a platform, as plain values: the Swift builder, and what a platform file is read into.
///
/// References are by name; `validate()` of `SCMIFile` finds those that lead nowhere.
public struct PlatformDefinition: Sendable {
  /// At most 15 bytes.
  public var vendor = "Apus"
  /// At most 15 bytes.
  public var subVendor = "Apus"
  /// The vendor's own number, for BASE_DISCOVER_IMPLEMENTATION_VERSION.
  public var implementationVersion: UInt32 = 1
  /// Which versions of the protocols are advertised.
  public var profile: VersionProfile = .edition32
  /// Advertised versions that differ from the profile's.
  public var versions: [ProtocolIdentifier: ProtocolVersion] = [:]
  /// Whether the system power protocol exists.
  public var systemPower = true
  /// Longest time that a graceful shutdown may take, in milliseconds; 0 is no limit.
  public var gracefulTimeout: UInt32 = 0
  /// Asynchronous clock rate changes that may be pending. Linux 6.12 needs at least 2 to use them.
  public var clockAsynchronousRequests: UInt8 = 4
  /// How many asynchronous readings of sensors may be pending.
  public var sensorAsynchronousRequests: UInt8 = 4
  /// The unit of the operating points' power.
  public var powerUnit: PowerUnit = .milliwatt

  /// A clock's identifier is its place; so it is with all resources here.
  public var clocks: [ClockDefinition] = []
  /// What can be switched on and off, by POWER_STATE_SET.
  public var powerDomains: [PowerDomainDefinition] = []
  /// What runs at a level, by PERFORMANCE_LEVEL_SET.
  public var performanceDomains: [PerformanceDomainDefinition] = []
  /// What is measured, by SENSOR_READING_GET.
  public var sensors: [SensorDefinition] = []
  /// Whether the owner adds a sensor for each value that the host measures of itself.
  public var hostSensors = false
  /// What can be reset, by RESET.
  public var resets: [ResetDefinition] = []
  /// The voltage domains, whose levels VOLTAGE_LEVEL_SET sets.
  public var regulators: [VoltageDomainDefinition] = []
  /// What has a cap of its power, by POWERCAP_CAP_SET.
  public var powercaps: [PowercapDefinition] = []
  /// Single pins, by PINCTRL_SETTINGS_CONFIGURE.
  public var pins: [PinDefinition] = []
  /// Pins that are configured together.
  public var groups: [GroupDefinition] = []
  /// What groups of pins can be used for.
  public var functions: [FunctionDefinition] = []
  /// Protocols from 0x80 on that are only data.
  public var vendorProtocols: [VendorProtocolDefinition] = []

  /// Sets of resources that permissions are given for.
  public var devices: [DeviceDefinition] = []
  /// Who talks to the platform. At least one.
  public var agents: [AgentDefinition] = []
  /// When the platform is wrong on purpose; of several that match the first applies.
  public var rules: [MisbehaviourRule] = []
  /// What happens by itself, and when.
  public var script: [ScriptStep] = []
  /// Who uses the resources in a guest whose device tree is made for it.
  public var tree = TreeDefinition()

  /// What `configure` leaves alone has its default.
  public init(configure: (inout Self) -> Void = { _ in }) {
    configure(&self)
  }

  /// How many ``rules`` there are at most.
  public static let maximumRules = 1_024

  /// How many resources all agents together may see, each counted for each agent that sees it: a platform keeps a few
  /// dozen bytes for each.
  public static let maximumViews = 1 << 20

  /// The names of one kind of resource, by global identifier.
  public func names(_ kind: ResourceKind) -> [String] {
    switch kind {
    case .powerDomain: powerDomains.map(\.name)
    case .performanceDomain: performanceDomains.map(\.name)
    case .clock: clocks.map(\.name)
    case .sensor: sensors.map(\.name)
    case .resetDomain: resets.map(\.name)
    case .voltageDomain: regulators.map(\.name)
    case .powercapDomain: powercaps.map(\.name)
    case .pin: pins.map(\.name)
    case .group: groups.map(\.name)
    case .function: functions.map(\.name)
    }
  }
}
