import Host
import HostBackends
import VhostUser
import Virtio

extension Configuration.Device {
  /// A folder of the host's that the guest mounts (virtio-fs), shown by the program virtiofsd in a process of its own.
  public struct Share: Equatable, Sendable {
    /// The folder's path.
    public var path: String
    /// By which the guest mounts it: at most 36 bytes of UTF-8, without a line's end.
    public var tag: String
    /// Whether the guest may only read.
    public var isReadOnly = false
    /// Whether the folder is one file system to the guest, with all that the host has mounted in it, as an overlay
    /// needs it. Otherwise the guest sees a mount where the host has one, and inode numbers that are no other file's.
    public var isOneFileSystem = false
    /// How the process gets at the guest's requests.
    public var access = RemoteAccess.inPlace

    /// The properties, by their names.
    public enum Property: String, CaseIterable, Sendable {
      case path
      case tag
      case isReadOnly
      case isOneFileSystem
      case access
    }

    /// A folder in which the guest may write.
    public init(path: String, tag: String) {
      self.path = path
      self.tag = tag
    }
  }
}

extension Configuration.Device.Share: Codable {
  /// - Throws: `DecodingError` for a share without path or tag, and for an unknown key.
  public init(from decoder: any Decoder) throws {
    let object = try CodedObject(decoder, keys: Property.allCases.map(\.rawValue))
    self.init(path: try object.value("path"), tag: try object.value("tag"))
    try object.read("isReadOnly", into: &isReadOnly)
    try object.read("isOneFileSystem", into: &isOneFileSystem)
    try object.read("access", into: &access)
  }

  public func encode(to encoder: any Encoder) throws {
    var container = encoder.container(keyedBy: CodedKey.self)
    try container.encode(path, forKey: "path")
    try container.encode(tag, forKey: "tag")
    try container.encode(isReadOnly, forKey: "isReadOnly")
    try container.encode(isOneFileSystem, forKey: "isOneFileSystem")
    try container.encode(access, forKey: "access")
  }
}

extension Configuration.Device.Share: DeviceKind {
  /// In descriptors. Linux's driver retries for want of a descriptor, not for want of memory: so many pages are the
  /// most that it has in use.
  private static let queueSize: UInt16 = 1024

  var isElsewhere: Bool { true }

  var remoteAccess: WantedAccess? { WantedAccess(access, at: .share(.access)) }

  func problems(device index: Int) -> [ConfigurationError.Problem] {
    guard let problem = FileSystemTag.problem(tag) else { return [] }
    return [.init(.usage, .device(index, .share(.tag)), .init(problem))]
  }

  mutating func changePaths(_ change: (String) -> String) {
    path = change(path)
  }

  func claims(device index: Int) -> [DeviceClaim] {
    [
      DeviceClaim(place: .device(index, .share(.tag)), subject: .listener("tag \(tag)")) { _ in
        "the tag is that of another share; give each one of its own"
      }
    ]
  }

  /// A page for each descriptor of the requests' queue, a small buffer for each of the other one's, and the rings.
  var windowNeed: UInt64 {
    let size = UInt64(Self.queueSize)
    return 2 * 8 * DriverMemory.page + size * DriverMemory.page + size * DriverMemory.smallestBuffer
  }

  func open(
    device index: Int,
    of configuration: Configuration,
    platform: SCMIPlace?
  ) throws(ConfigurationError) -> DeviceResource? {
    if let reason = FolderShare.problem(path) {
      throw ConfigurationError(reason.kind, .device(index, .share(.path)), .init(reason.text))
    }
    guard let program = VirtiofsdProgram.find() else {
      // It is the same for all of them: the first one whose folder is right has told of it.
      if configuration.devices[..<index].contains(where: { $0.kind.isShareOfFolder }) { return nil }
      throw ConfigurationError(
        .hostFailure,
        .device(index, .share(.path)),
        .init(
          "virtiofsd, the program that shows folders to a guest, is in no folder of PATH nor in /usr/libexec; "
            + VirtiofsdProgram.advice
        )
      )
    }
    var profile = VhostUserProfile.fileSystem
    profile.queueSize = Self.queueSize
    let share = self
    return RemoteResource(
      profile,
      access: configuration.access(access),
      configuration: FileSystemTag.configuration(tag)
    ) { name, log in
      ProgramConnector(
        path: program,
        arguments: VirtiofsdProgram.arguments(
          directory: share.path,
          isReadOnly: share.isReadOnly,
          isOneFileSystem: share.isOneFileSystem
        ),
        listens: true,
        device: name,
        advise: { VirtiofsdProgram.advice(for: $0) },
        log: log
      )
    }
  }

  func plan(_ place: Board.DevicePlace, _ checked: CheckedConfiguration) -> (any Encodable & Sendable)? {
    let access = checked.configuration.access(access)
    return Plan.Device.Share(path: path, tag: tag, readOnly: isReadOnly, access: access.rawValue)
  }
}

extension Configuration.Device.Kind {
  /// Whether it is a share whose folder can be shown.
  fileprivate var isShareOfFolder: Bool {
    guard case .share(let share) = self else { return false }
    return FolderShare.problem(share.path) == nil
  }
}

extension Plan.Device {
  /// A share's part.
  public var share: Share? { part as? Share }

  /// A folder of the host's.
  public struct Share: Sendable, Encodable {
    /// The folder's path.
    public let path: String
    /// By which the guest mounts it.
    public let tag: String
    /// Whether the guest may only read.
    public let readOnly: Bool
    /// `inPlace`, `direct` or `bounced`.
    public let access: String
  }
}

extension Configuration {
  /// The tags of the folders that the guest may mount, in the order of the devices.
  package var shareTags: [String] {
    devices.compactMap { device in
      if case .share(let share) = device.kind { share.tag } else { nil }
    }
  }

  /// Has the guest see a folder in which it may write, by a tag.
  package mutating func addShare(of path: String, tag: String) {
    devices.append(Device(.share(.init(path: path, tag: tag))))
  }

  /// Has the guest see a folder that it only reads, with all that is mounted in it as one file system: what an overlay
  /// can have below.
  package mutating func addLowerLayer(_ path: String, tag: String) {
    var share = Device.Share(path: path, tag: tag)
    share.isReadOnly = true
    share.isOneFileSystem = true
    devices.append(Device(.share(share)))
  }
}
