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

extension Configuration.Device.Block {
  /// The mistakes in the plain values.
  func problems(ofDevice index: Int) -> [ConfigurationError.Problem] {
    var problems: [ConfigurationError.Problem] = []
    if serial.utf8.count > 20 || !serial.utf8.allSatisfy({ 0x21...0x7E ~= $0 }) {
      let reason: ConfigurationError.Reason = "a serial number has at most 20 printable ASCII characters"
      problems.append(.init(.usage, .device(index, .block(.serial)), reason))
    }
    if !(1...16).contains(queueCount) {
      problems.append(.init(.usage, .device(index, .block(.queueCount)), "a disk has 1 to 16 queues"))
    }
    return problems
  }
}
