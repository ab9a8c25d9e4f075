extension Configuration.Device {
  /// A disk.
  public struct Block: Equatable, Sendable {
    /// The path of a raw image or of a block device.
    public var path: String
    /// Whether the guest may only read.
    public var isReadOnly = false
    /// What the guest sees as its serial number: at most 20 ASCII characters.
    public var serial = ""
    /// How many request queues, 1 to 16.
    public var queueCount = 1

    /// The properties, by their names.
    public enum Property: String, CaseIterable, Sendable {
      case path
      case isReadOnly
      case serial
      case queueCount
    }

    /// A disk that the guest may write.
    public init(path: String) {
      self.path = path
    }
  }
}

extension Configuration.Device.Block: Codable {
  /// - Throws: `DecodingError` for a disk without a path, and for an unknown key.
  public init(from decoder: any Decoder) throws {
    let object = try CodedObject(decoder, keys: Property.allCases.map(\.rawValue))
    self.init(path: try object.value("path"))
    try object.read("isReadOnly", into: &isReadOnly)
    try object.read("serial", into: &serial)
    try object.read("queueCount", into: &queueCount)
  }

  public func encode(to encoder: any Encoder) throws {
    var container = encoder.container(keyedBy: CodedKey.self)
    try container.encode(path, forKey: "path")
    try container.encode(isReadOnly, forKey: "isReadOnly")
    try container.encode(serial, forKey: "serial")
    try container.encode(queueCount, forKey: "queueCount")
  }
}
