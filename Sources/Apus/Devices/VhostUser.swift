import Host
import HostBackends
import VhostUser
import Virtio

extension Configuration.Device {
  /// A device whose back-end is another process that listens on a socket (vhost-user).
  public struct VhostUser: Equatable, Sendable {
    /// What kind of device it is.
    public var type: DeviceType
    /// The path of the socket.
    public var socket: String
    /// How the process gets at the guest's requests.
    public var access = RemoteAccess.inPlace
    /// How many queues, from 1 to 16; nil: as many as the type has, or the process says.
    public var queueCount: Int?
    /// The bytes of the configuration space, from 0 to 256; nil: as many as the type has.
    public var configurationSize: Int?
    /// Of a file system: by which the guest mounts it.
    public var tag: String?

    /// The properties, by their names.
    public enum Property: String, CaseIterable, Sendable {
      case type
      case socket
      case access
      case queueCount
      case configurationSize
      case tag
    }

    /// A device behind a socket.
    public init(_ type: DeviceType, socket: String) {
      self.type = type
      self.socket = socket
    }

    /// What kind of device it is, by its number from 1 to 63 (virtio 1.3, 5).
    public struct DeviceType: Equatable, Sendable {
      /// As the specification counts the types; 0 is none.
      public let number: UInt32

      /// Those of which more is known than the number.
      private static let named: [(name: String, profile: VhostUserProfile)] = [
        ("block", .block), ("fs", .fileSystem), ("scmi", .scmi), ("rng", .entropy), ("vsock", .socket),
      ]

      /// Their names.
      public static var names: [String] { named.map(\.name) }

      /// A type by its number.
      public init(number: UInt32) {
        self.number = number
      }

      /// A type by its name, or by its number in decimal.
      public init?(_ text: String) {
        if let known = Self.named.first(where: { $0.name == text }) {
          number = known.profile.identifier.rawValue
        } else if let number = UInt32(plain: text), 1...63 ~= number {
          self.number = number
        } else {
          return nil
        }
      }

      /// What is known of it.
      fileprivate var profile: VhostUserProfile {
        let identifier = VirtioDeviceIdentifier(rawValue: number)
        return Self.named.first { $0.profile.identifier == identifier }?.profile ?? VhostUserProfile(identifier)
      }

      fileprivate var isFileSystem: Bool { number == VirtioDeviceIdentifier.fileSystem.rawValue }
    }
  }
}

extension Configuration.Device.VhostUser.DeviceType: CustomStringConvertible {
  /// Its name, or its number.
  public var description: String {
    Self.named.first { $0.profile.identifier.rawValue == number }?.name ?? String(number)
  }
}

extension Configuration.Device.VhostUser: Codable {
  /// - Throws: `DecodingError` for a device without type or socket, for a type that there is not, and for an unknown
  ///   key.
  public init(from decoder: any Decoder) throws {
    let object = try CodedObject(decoder, keys: Property.allCases.map(\.rawValue))
    let text: String = try object.value("type")
    guard let type = DeviceType(text) else {
      throw DecodingError.dataCorrupted(
        .init(codingPath: decoder.codingPath, debugDescription: "'\(text)' is no type of device")
      )
    }
    self.init(type, socket: try object.value("socket"))
    try object.read("access", into: &access)
    try object.read("queueCount", into: &queueCount)
    try object.read("configurationSize", into: &configurationSize)
    try object.read("tag", into: &tag)
  }

  public func encode(to encoder: any Encoder) throws {
    var container = encoder.container(keyedBy: CodedKey.self)
    try container.encode("\(type)", forKey: "type")
    try container.encode(socket, forKey: "socket")
    try container.encode(access, forKey: "access")
    try container.encodeIfPresent(queueCount, forKey: "queueCount")
    try container.encodeIfPresent(configurationSize, forKey: "configurationSize")
    try container.encodeIfPresent(tag, forKey: "tag")
  }
}

extension Configuration.Device.VhostUser: DeviceKind {
  var isElsewhere: Bool { true }

  var remoteAccess: WantedAccess? { WantedAccess(access, at: .vhostUser(.access)) }

  func problems(device index: Int) -> [ConfigurationError.Problem] {
    var problems: [ConfigurationError.Problem] = []
    func add(_ property: Property, _ reason: ConfigurationError.Reason) {
      problems.append(.init(.usage, .device(index, .vhostUser(property)), reason))
    }
    let (length, limit) = (socket.utf8.count, HostPath.socketLimit)
    if !(1...limit).contains(length) {
      add(.socket, "a socket's path has 1 to \(limit) bytes, not \(length); name another one")
    }
    if let queueCount, !(1...16).contains(queueCount) { add(.queueCount, "a device has 1 to 16 queues") }
    if let configurationSize, !(0...256).contains(configurationSize) {
      add(.configurationSize, "a configuration space has 0 to 256 bytes")
    }
    if type.isFileSystem {
      if let tag {
        if let problem = FileSystemTag.problem(tag) { add(.tag, .init(problem)) }
      } else {
        add(.tag, "a guest mounts a file system by its tag; name one")
      }
    } else if tag != nil {
      add(.tag, "only a file system has a tag")
    }
    return problems
  }

  mutating func changePaths(_ change: (String) -> String) {
    socket = change(socket)
  }

  func claims(device index: Int) -> [DeviceClaim] {
    [
      DeviceClaim(place: .device(index, .vhostUser(.socket)), subject: .listener("socket \(socket)")) { _ in
        "the socket is that of another device, too; a back-end serves one"
      }
    ]
  }

  /// As much as a disk's driver has in use.
  var windowNeed: UInt64 { 16 << 20 }

  private var profile: VhostUserProfile {
    var profile = type.profile
    if let queueCount { profile.queueCount = queueCount }
    if let configurationSize { profile.configurationSize = configurationSize }
    return profile
  }

  func open(
    device index: Int,
    of configuration: Configuration,
    platform: SCMIPlace?
  ) throws(ConfigurationError) -> DeviceResource? {
    let device = self
    return RemoteResource(
      profile,
      access: configuration.access(access),
      configuration: type.isFileSystem ? tag.map(FileSystemTag.configuration) : nil
    ) { name, _ in
      SocketConnector(path: device.socket, name: name)
    }
  }

  func plan(_ place: Board.DevicePlace, _ checked: CheckedConfiguration) -> (any Encodable & Sendable)? {
    Plan.Device.VhostUser(
      type: "\(type)",
      socket: socket,
      access: checked.configuration.access(access).rawValue
    )
  }
}

extension Plan.Device {
  /// The part of a device whose back-end is another process.
  public var vhostUser: VhostUser? { part as? VhostUser }

  /// A device whose back-end is another process.
  public struct VhostUser: Sendable, Encodable {
    /// Its type's name or number.
    public let type: String
    /// Where the process listens.
    public let socket: String
    /// `inPlace`, `direct` or `bounced`.
    public let access: String
  }
}
