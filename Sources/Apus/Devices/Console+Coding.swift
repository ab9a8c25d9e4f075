extension Configuration.Device.Console {
  /// The properties of a console device, those of its ports included.
  public enum Property: Hashable, Sendable, CaseIterable, CustomStringConvertible {
    case carriesConsole
    /// All of them.
    case ports
    /// One of them, counted from 0, and what of it.
    case port(Int, Configuration.Port.Property)

    /// One of each, with 0 for each index.
    public static var allCases: [Property] {
      [.carriesConsole, .ports] + Configuration.Port.Property.allCases.map { .port(0, $0) }
    }

    public var description: String {
      switch self {
      case .carriesConsole: "carriesConsole"
      case .ports: "ports"
      case .port(let index, let property): "ports[\(index)].\(property.rawValue)"
      }
    }
  }
}

extension Configuration.Port {
  /// The properties, by their names.
  public enum Property: String, CaseIterable, Sendable {
    case name
    case destination
  }
}

extension Configuration.Device.Console: Codable {
  /// - Throws: `DecodingError` for an unknown key, and for a port that is none.
  public init(from decoder: any Decoder) throws {
    self.init()
    let object = try CodedObject(decoder, keys: ["carriesConsole", "ports"])
    try object.read("carriesConsole", into: &carriesConsole)
    try object.read("ports", into: &ports)
  }

  public func encode(to encoder: any Encoder) throws {
    var container = encoder.container(keyedBy: CodedKey.self)
    try container.encode(carriesConsole, forKey: "carriesConsole")
    try container.encode(ports, forKey: "ports")
  }
}

extension Configuration.Port: Codable {
  /// - Throws: `DecodingError` where the name or the destination is missing, and for an unknown key.
  public init(from decoder: any Decoder) throws {
    let object = try CodedObject(decoder, keys: Property.allCases.map(\.rawValue))
    self.init(try object.value("name"), try object.value("destination"))
  }

  public func encode(to encoder: any Encoder) throws {
    var container = encoder.container(keyedBy: CodedKey.self)
    try container.encode(name, forKey: "name")
    try container.encode(destination, forKey: "destination")
  }
}

extension Configuration.Port.Destination: Codable {
  /// - Throws: `DecodingError` for an unknown case, and where the path or the number is missing.
  public init(from decoder: any Decoder) throws {
    let coded = try CodedCase(decoder, names: ["file", "socket", "descriptor"])
    switch coded.name {
    case "descriptor": self = .descriptor(try coded.values(["number"]).value("number"))
    case "socket": self = .socket(path: try coded.values(["path"]).value("path"))
    default: self = .file(path: try coded.values(["path"]).value("path"))
    }
  }

  public func encode(to encoder: any Encoder) throws {
    switch self {
    case .file(let path): try encoder.encode(case: "file") { try $0.encode(path, forKey: "path") }
    case .socket(let path): try encoder.encode(case: "socket") { try $0.encode(path, forKey: "path") }
    case .descriptor(let number): try encoder.encode(case: "descriptor") { try $0.encode(number, forKey: "number") }
    }
  }
}
