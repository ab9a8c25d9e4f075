import Host

extension Fleet {
  /// What machines there are, and what they share.
  ///
  /// A plain value: ``Fleet/init(_:logger:)`` reports every mistake at once. It can be coded, in the form of
  /// Documentation/Fleet.md.
  public struct Configuration: Equatable, Sendable {
    /// The machines, at least one. Each has a name of its own, by which the fleet knows it.
    public var machines: [Apus.Configuration]
    /// The path of the platform file for all machines with ``Apus/Configuration/Device/SCMI/Source/shared``, each of
    /// them as another agent; or none.
    public var platform: String?
    /// What the machines that find Gunyah share.
    public var gunyah: GunyahConfiguration

    public init(
      machines: [Apus.Configuration],
      platform: String? = nil,
      gunyah: GunyahConfiguration = GunyahConfiguration()
    ) {
      self.machines = machines
      self.platform = platform
      self.gunyah = gunyah
    }

    /// The keys of its coded form.
    enum Key: String, CaseIterable {
      case machines
      case platform
      case gunyah
    }
  }
}

extension Fleet.Configuration: Codable {
  /// - Throws: `DecodingError`, which says with its path what is missing without a default, unknown or of another form.
  public init(from decoder: any Decoder) throws {
    let object = try CodedObject(decoder, keys: Key.allCases.map(\.rawValue))
    self.init(machines: try object.value(.init(.machines)))
    try object.read(.init(.platform), into: &platform)
    try object.read(.init(.gunyah), into: &gunyah)
  }

  public func encode(to encoder: any Encoder) throws {
    var container = encoder.container(keyedBy: CodedKey.self)
    try container.encode(machines, forKey: CodedKey(.machines))
    try container.encodeIfPresent(platform, forKey: CodedKey(.platform))
    try container.encode(gunyah, forKey: CodedKey(.gunyah))
  }
}

extension CodedKey {
  init(_ key: Fleet.Configuration.Key) {
    self.init(stringValue: key.rawValue)
  }
}

extension Fleet.Configuration {
  /// The same where each relative path goes from a folder.
  func relative(to folder: String) -> Fleet.Configuration {
    let change = { (path: String) in HostPath.joined(folder, path) }
    var gunyah = gunyah
    gunyah.transcript = gunyah.transcript.map(change)
    return Fleet.Configuration(
      machines: machines.map { $0.changingPaths(change) },
      platform: platform.map(change),
      gunyah: gunyah
    )
  }
}
