import GuestABI
import Host
import HostBackends
import SCMI
internal import SCMIFile
import Virtio
import VirtioDevices

extension Configuration.Device {
  /// A place on an SCMI platform: the machine is one of its agents.
  public struct SCMI: Equatable, Sendable {
    /// Where the platform is.
    public enum Source: Equatable, Sendable {
      /// Made for this machine from a platform file.
      case file(path: String)
      /// The platform that ``Machine/init(_:platform:gunyah:logger:)`` is given, which other machines may use, too, as
      /// other agents.
      case shared
    }

    /// The properties, by their names.
    public enum Property: String, CaseIterable, Sendable {
      case source
      case agent
    }

    /// Where the platform is.
    public var source: Source
    /// The agent's name; may be left out where the platform has one agent only.
    public var agent: String?

    /// An agent of the platform of a file.
    public init(path: String, agent: String? = nil) {
      self.init(source: .file(path: path), agent: agent)
    }

    /// An agent of a platform.
    public init(source: Source, agent: String? = nil) {
      self.source = source
      self.agent = agent
    }

    /// An agent of the platform that the machine is given.
    public static func shared(agent: String? = nil) -> SCMI {
      SCMI(source: .shared, agent: agent)
    }
  }
}

/// The platform of a machine, open.
struct SCMIPlace: Sendable {
  let platform: SharedPlatform
  /// The machine's place in the platform's definition.
  let agent: Int
  /// The platform's, where that is the machine's own: it stands with the guest's time. One that is shared goes on.
  var clock: StoppableClock?
}

extension Configuration.Device.SCMI: DeviceKind {
  var countLimit: Int { 1 }

  var hasPlatform: Bool { true }

  func problem(ofSeveral count: Int) -> ConfigurationError.Reason? {
    "a machine is on one platform, not on \(count)"
  }

  mutating func changePaths(_ change: (String) -> String) {
    if case .file(let path) = source { source = .file(path: change(path)) }
  }

  func files(device index: Int) -> [NamedFile] {
    guard case .file(let path) = source else { return [] }
    return [NamedFile(.needed, at: .device(index, .scmi(.source)), path)]
  }

  /// A message to a buffer, none of which is larger than the smallest.
  var windowNeed: UInt64 {
    let descriptors = UInt64(QueueSize.scmiCommand) + UInt64(QueueSize.scmiEvent)
    return 4 * DriverMemory.page + descriptors * DriverMemory.smallestBuffer
  }

  /// Opens the platform of a file, or takes the shared one.
  func openPlatform(_ shared: SharedPlatform?, device index: Int) throws(ConfigurationError) -> SCMIPlace? {
    let place = Configuration.Path.device(index, .scmi(.source))
    let platform: SharedPlatform
    var clock: StoppableClock?
    switch source {
    case .shared:
      guard let shared else {
        throw ConfigurationError(.usage, place, "the platform is a shared one; give it beside the configuration")
      }
      platform = shared
    case .file(let path):
      let own = StoppableClock()
      platform = try Self.platform(path, own, place)
      clock = own
    }
    if let index = agentIndex(in: platform.definition) {
      return SCMIPlace(platform: platform, agent: index, clock: clock)
    }
    let names = platform.definition.agents.map(\.name).joined(separator: ", ")
    throw ConfigurationError(
      .usage,
      .device(index, .scmi(.agent)),
      agent == nil
        ? "the platform has several agents; say which one the machine is: \(names)"
        : "the platform's agents are \(names)"
    )
  }

  func open(
    device index: Int,
    of configuration: Configuration,
    platform: SCMIPlace?
  ) throws(ConfigurationError) -> DeviceResource? {
    platform.map { SCMIResource($0) }
  }

  func plan(_ place: Board.DevicePlace, _ checked: CheckedConfiguration) -> (any Encodable & Sendable)? {
    checked.platform.map { Plan.Device.SCMI(agent: $0.platform.definition.agents[$0.agent].name) }
  }

  /// Makes the platform of a file.
  ///
  /// - Parameter place: what has to change where the file is no good.
  static func platform(
    _ path: String,
    _ clock: StoppableClock,
    _ place: Configuration.Path
  ) throws(ConfigurationError) -> SharedPlatform {
    let json: [UInt8]
    do throws(InputFileError) {
      json = try InputFile.read(path)
    } catch {
      throw ConfigurationError(error.kind, place, .init(error))
    }
    do {
      let platform = try SCMIPlatform(HostSensors().bind(try PlatformDefinition(json: json)))
      let start = clock.now
      return SharedPlatform(platform) { clock.now - start }
    } catch let error as PlatformFileError {
      throw ConfigurationError(
        problems: error.messages(for: path).map { .init(.badInput, place, .init($0)) }
      )
    } catch {
      throw ConfigurationError(.badInput, place, .init("\(path): \(error)"))
    }
  }

  /// - Returns: `nil` where no agent has that name, or none is named and there are several.
  fileprivate func agentIndex(in definition: PlatformDefinition) -> Int? {
    guard let agent else { return definition.agents.count == 1 ? 0 : nil }
    return definition.agents.firstIndex { $0.name == agent }
  }
}

extension Configuration {
  /// The place of the platform that the machine is on, or nil.
  var platformPath: Path? {
    devices.firstIndex { $0.kind.name == .scmi }.map { .device($0, .scmi(.source)) }
  }

  /// The place of the name of the agent that the machine is, or nil where it is on no platform.
  var agentPath: Path? {
    devices.firstIndex { $0.kind.name == .scmi }.map { .device($0, .scmi(.agent)) }
  }

  /// Whether the machine is on a platform that it is given.
  var isOnSharedPlatform: Bool {
    devices.contains { device in
      if case .scmi(let scmi) = device.kind { scmi.source == .shared } else { false }
    }
  }

  /// What is wrong with a transcript of a machine that is on no platform.
  var transcriptProblem: ConfigurationError.Problem? {
    guard scmiTranscript != nil, platformPath == nil else { return nil }
    let device = Path.device(devices.count, .scmi(.source))
    return .init(.usage, .property(.scmiTranscript), .init(predicate: "needs a platform; give \(at: device)"))
  }
}

extension Plan.Device {
  /// An SCMI device's part.
  public var scmi: SCMI? { part as? SCMI }

  /// A place on a platform.
  public struct SCMI: Sendable, Encodable {
    /// Which agent the machine is.
    public let agent: String
  }
}

extension Report.Device {
  /// An SCMI device's part.
  public var scmi: SCMI? { part as? SCMI }

  /// What an SCMI device did.
  public struct SCMI: Sendable, Encodable {
    /// Commands that the guest sent.
    public let commands: UInt64
    /// Notifications and delayed responses that it got.
    public let events: UInt64
    /// Notifications that it had no buffer for.
    public let droppedNotifications: UInt64
  }
}

extension Configuration.Device.SCMI: Codable {
  /// - Throws: `DecodingError` where the source is missing, and for an unknown key.
  public init(from decoder: any Decoder) throws {
    let object = try CodedObject(decoder, keys: Property.allCases.map(\.rawValue))
    self.init(source: try object.value("source"))
    try object.read("agent", into: &agent)
  }

  public func encode(to encoder: any Encoder) throws {
    var container = encoder.container(keyedBy: CodedKey.self)
    try container.encode(source, forKey: "source")
    try container.encodeIfPresent(agent, forKey: "agent")
  }
}

extension Configuration.Device.SCMI.Source: Codable {
  /// - Throws: `DecodingError` for an unknown case, and for a file without a path.
  public init(from decoder: any Decoder) throws {
    let coded = try CodedCase(decoder, names: ["file", "shared"])
    guard coded.name == "file" else {
      _ = try coded.values()
      self = .shared
      return
    }
    self = .file(path: try coded.values(["path"]).value("path"))
  }

  public func encode(to encoder: any Encoder) throws {
    switch self {
    case .file(let path): try encoder.encode(case: "file") { try $0.encode(path, forKey: "path") }
    case .shared: try encoder.encode(case: "shared")
    }
  }
}

/// The machine's place on its platform, which has the platform's state over all boots.
final class SCMIResource: DeviceResource {
  private let place: SCMIPlace
  /// The present boot's.
  private var connection: SCMIConnection?

  init(_ place: SCMIPlace) {
    self.place = place
  }

  override var platform: SCMIPlace? { place }

  override func makeDevice(_ boot: BootPlace) throws -> any VirtioDevice {
    let connection: SCMIConnection
    do {
      connection = try SCMIConnection(
        place,
        name: boot.place.name,
        lines: PlatformDeviceLines(boot.board.platform?.places ?? [], boot.machine),
        loop: boot.loop,
        mailbox: boot.mailbox,
        events: boot.events,
        logger: boot.logger
      )
    } catch let error as SCMIConnection.AgentInUse {
      throw ConfigurationError(.hostFailure, .device(boot.place.index, .scmi(.agent)), .init(error))
    }
    self.connection = connection
    return connection.device
  }

  /// One that is shared is not this machine's to keep, unless its owner says so.
  override func savedState(_ wishes: SnapshotWishes) -> (any VersionedState)? {
    guard let connection, place.clock != nil || wishes.keepsSharedPlatform else { return nil }
    return SCMIPlatformState(platform: place.platform.savedState, levels: connection.lines.levels)
  }

  override func decodeState(from decoder: any Decoder) throws -> any VersionedState {
    try Versioned<SCMIPlatformState>(from: decoder).state
  }

  override func mismatches(with state: (any VersionedState)?, _ wishes: RestoreWishes) -> [String] {
    guard place.clock != nil || wishes.restoresSharedPlatform else {
      return state == nil
        ? [] : ["its platform was the machine's own, and is a shared one here; give the platform's file"]
    }
    guard let saved = state as? SCMIPlatformState else {
      return ["its platform was a shared one, which the snapshot has nothing of; give a shared one"]
    }
    if let problem = place.platform.problem(with: saved.platform) { return ["\(problem)"] }
    guard saved.levels.map(\.count) == connection?.lines.levels.map(\.count) else {
      return ["the platform's devices have other interrupts than in the snapshot; give the same platform file"]
    }
    return []
  }

  override func restore(_ state: (any VersionedState)?) throws(DeviceStateError) {
    guard let connection else { return }
    guard let state else { return connection.device.beginElsewhere() }
    let saved = try SCMIPlatformState(kindOf: state)
    do throws(SCMIStateError) {
      try place.platform.restore(saved.platform)
    } catch {
      throw .invalid(device: connection.device.name, field: "\(error)")
    }
    guard connection.lines.restore(saved.levels) else {
      throw .invalid(device: connection.device.name, field: "levels")
    }
  }

  /// Also where its driver is not there yet.
  override func restored() { connection?.device.armTimer() }

  override func stopTime() {
    guard let clock = place.clock else { return }
    clock.stop()
    connection?.timer.suspend()
  }

  override func startTime() {
    guard let clock = place.clock else { return }
    clock.start()
    connection?.timer.resume()
  }

  override func release() {
    connection?.shutDown()
    connection = nil
  }

  override var report: (any Encodable & Sendable)? { connection?.summary }
}

/// The platform of a machine's own, and what its devices' interrupt lines are driven to.
struct SCMIPlatformState: VersionedState {
  static let kind = "scmi-platform"
  static let version: UInt32 = 1

  var platform: SharedPlatform.SavedState
  /// By consumer of the platform's tree, then by line.
  var levels: [[Bool]]
}
