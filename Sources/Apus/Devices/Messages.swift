import DeviceMessages
import GuestABI
import Host
internal import Logging
import SCMI
import Virtio

extension Configuration.Device {
  /// A device whose model is in another process, which has nothing of the guest's memory: all goes there and back by
  /// messages.
  public struct Messages: Equatable, Sendable {
    /// The kinds of device that another process can serve.
    public enum Model: String, Codable, CaseIterable, Sendable {
      /// Random numbers.
      case entropy
      /// A disk.
      case block
      /// A place on an SCMI platform.
      case scmi
    }

    /// What kind of device the process serves.
    public var model: Model
    /// The path of the UNIX socket that the process listens on.
    public var socket: String
    /// Of an SCMI device: the path of the platform file that the process has, for the guest's device tree. Nothing of
    /// the platform's is in this process.
    public var platform: String?
    /// Of an SCMI device: the agent's name; may be left out where the platform has one agent only.
    public var agent: String?

    /// The properties, by their names.
    public enum Property: String, CaseIterable, Sendable {
      case model
      case socket
      case platform
      case agent
    }

    /// A device that the process serves which listens on a socket.
    public init(_ model: Model, socket: String) {
      self.model = model
      self.socket = socket
    }
  }
}

extension Configuration.Device.Messages: Codable {
  /// - Throws: `DecodingError` for a device without a model or a socket, and for an unknown key.
  public init(from decoder: any Decoder) throws {
    let object = try CodedObject(decoder, keys: Property.allCases.map(\.rawValue))
    self.init(try object.value("model"), socket: try object.value("socket"))
    try object.read("platform", into: &platform)
    try object.read("agent", into: &agent)
  }

  public func encode(to encoder: any Encoder) throws {
    var container = encoder.container(keyedBy: CodedKey.self)
    try container.encode(model, forKey: "model")
    try container.encode(socket, forKey: "socket")
    try container.encodeIfPresent(platform, forKey: "platform")
    try container.encodeIfPresent(agent, forKey: "agent")
  }
}

extension Configuration.Device.Messages: DeviceKind {
  var reach: DeviceReach { .messages }

  func problems(device index: Int) -> [ConfigurationError.Problem] {
    var problems: [ConfigurationError.Problem] = []
    if socket.utf8.count > HostPath.socketLimit || socket.isEmpty {
      let reason: ConfigurationError.Reason = "a socket's path has 1 to \(HostPath.socketLimit) bytes"
      problems.append(.init(.usage, .device(index, .messages(.socket)), reason))
    }
    if hasPlatform, platform == nil {
      let reason: ConfigurationError.Reason = "the guest's device tree needs the platform's file; name it"
      problems.append(.init(.usage, .device(index, .messages(.platform)), reason))
    }
    if !hasPlatform, platform != nil || agent != nil {
      let reason: ConfigurationError.Reason = "only a device of SCMI has a platform and an agent"
      let property: Property = platform != nil ? .platform : .agent
      problems.append(.init(.usage, .device(index, .messages(property)), reason))
    }
    return problems
  }

  mutating func changePaths(_ change: (String) -> String) {
    socket = change(socket)
    platform = platform.map(change)
  }

  func files(device index: Int) -> [NamedFile] {
    platform.map { [NamedFile(.needed, at: .device(index, .messages(.platform)), $0)] } ?? []
  }

  func claims(device index: Int) -> [DeviceClaim] {
    [
      DeviceClaim(place: .device(index, .messages(.socket)), subject: .listener(socket)) { other in
        "the process serves the device of \(at: other), too; one serves one device"
      }
    ]
  }

  /// What the same model in this process would need.
  var windowNeed: UInt64 { model.kind.windowNeed }

  var hasPlatform: Bool { model.kind.hasPlatform }

  /// Reads the platform of an SCMI device, of which the device tree tells the guest.
  func openPlatform(_ shared: SharedPlatform?, device index: Int) throws(ConfigurationError) -> SCMIPlace? {
    guard hasPlatform, let platform else { return nil }
    do throws(ConfigurationError) {
      return try model.openPlatform(path: platform, agent: agent, device: index)
    } catch {
      throw ConfigurationError(
        problems: error.problems.map { problem in
          let isAgent = "\(problem.path)".utf8.reversed().starts(with: "agent".utf8.reversed())
          return .init(problem.kind, .device(index, .messages(isAgent ? .agent : .platform)), problem.reason)
        }
      )
    }
  }

  func open(
    device index: Int,
    of configuration: Configuration,
    platform: SCMIPlace?
  ) throws(ConfigurationError) -> DeviceResource? {
    if hasPlatform, configuration.devices.count(where: { $0.kind.value.hasPlatform }) > 1 {
      throw ConfigurationError(.usage, .device(index, .whole), "a machine is on one platform, not on several")
    }
    return MessagesResource(self)
  }

  func plan(_ place: Board.DevicePlace, _ checked: CheckedConfiguration) -> (any Encodable & Sendable)? {
    Plan.Device.Messages(model: model.rawValue, socket: socket)
  }
}

extension Plan.Device {
  /// The part of a device in another process.
  public var messages: Messages? { part as? Messages }

  /// A device in another process.
  public struct Messages: Sendable, Encodable {
    /// `entropy`, `block` or `scmi`.
    public let model: String
    /// The path of the process's socket.
    public let socket: String
  }
}

extension Report.Device {
  /// The part of a device in another process.
  public var messages: Messages? { part as? Messages }

  /// What became of a device's process.
  public struct Messages: Sendable, Encodable {
    /// `entropy`, `block` or `scmi`.
    public let model: String
    /// How often the process went away.
    public let losses: UInt64
    /// How often another one took its place.
    public let returns: UInt64
    /// Why the device failed; nil where it did not.
    public let failure: String?
  }
}

/// The connection to a device's process: one for each boot.
final class MessagesResource: DeviceResource {
  override var isElsewhere: Bool { true }

  private let messages: Configuration.Device.Messages
  private var device: MessagesDevice?
  private var losses: UInt64 = 0
  private var returns: UInt64 = 0
  private var failure: String?

  init(_ messages: Configuration.Device.Messages) {
    self.messages = messages
  }

  override func makeDevice(_ place: BootPlace) throws -> any VirtioDevice {
    let (name, path, index) = (place.place.name, messages.socket, place.place.index)
    let identifier = messages.model.identifier
    let peer: MessagePeer
    let hello: MessageHello
    do throws(MessageConnectionError) {
      (peer, hello) = try MessagePeer.greeted(path: path, type: identifier)
    } catch {
      throw ConfigurationError(error.kind, .device(index, .messages(.socket)), .init(error))
    }
    let (events, logger) = (place.events, place.logger)
    let device = MessagesDevice(name: name, type: identifier, peer, hello, path: path) { [unowned self] event in
      note(event)
      let text = event.text(of: name)
      logger.warning("\(text)")
      events.post(.backEnd(device: name, message: text))
    }
    self.device = device
    device.begin(try LoopWatcher(device, place.loop))
    return device
  }

  private func note(_ event: MessagesDeviceEvent) {
    switch event {
    case .lost: losses += 1
    case .returned: returns += 1
    case .failed(let fault): failure = "\(fault)"
    case .offline: break
    }
  }

  override func release() {
    device?.shutDown()
    device = nil
  }

  override var report: (any Encodable & Sendable)? {
    Report.Device.Messages(model: messages.model.rawValue, losses: losses, returns: returns, failure: failure)
  }
}

extension MessagesDeviceEvent {
  fileprivate func text(of device: String) -> String {
    switch self {
    case .lost: "\(device): its process has gone; another one is waited for"
    case .offline: "\(device): no process came; its requests fail from now on"
    case .returned: "\(device): a process is there again"
    case .failed(let fault): "\(device): its process was given up, and the device needs a reset: \(fault)"
    }
  }
}

extension DeviceReach {
  /// For plan and report.
  var name: String {
    switch self {
    case .window: "window"
    case .messages: "messages"
    case .everything: "everything"
    }
  }
}
