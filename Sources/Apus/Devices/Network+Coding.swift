extension Configuration.Device.Network {
  /// The properties of a network card, those of its connection included.
  public enum Property: Hashable, Sendable, CaseIterable, CustomStringConvertible {
    case connection
    /// All of them.
    case forwards
    /// One of them, counted from 0, and what of it.
    case forward(Int, Forward.Property)
    case mac
    case mtu

    /// One of each, with 0 for each index.
    public static var allCases: [Property] {
      [.connection, .forwards, .mac, .mtu] + Forward.Property.allCases.map { .forward(0, $0) }
    }

    public var description: String {
      switch self {
      case .connection: "connection"
      case .forwards: "connection.passt.forwards"
      case .forward(let index, let property): "connection.passt.forwards[\(index)].\(property.rawValue)"
      case .mac: "mac"
      case .mtu: "mtu"
      }
    }
  }
}

extension Configuration.Device.Network: Codable {
  /// - Throws: `DecodingError` for a card without a connection, and for an unknown key.
  public init(from decoder: any Decoder) throws {
    let object = try CodedObject(decoder, keys: ["connection", "mac", "mtu", "isVhostUser", "access"])
    self.init(try object.value("connection"))
    try object.read("mac", into: &mac)
    try object.read("mtu", into: &mtu)
    try object.read("isVhostUser", into: &isVhostUser)
    try object.read("access", into: &access)
  }

  public func encode(to encoder: any Encoder) throws {
    var container = encoder.container(keyedBy: CodedKey.self)
    try container.encode(connection, forKey: "connection")
    try container.encodeIfPresent(mac, forKey: "mac")
    try container.encodeIfPresent(mtu, forKey: "mtu")
    if isVhostUser { try container.encode(isVhostUser, forKey: "isVhostUser") }
    if access != .inPlace { try container.encode(access, forKey: "access") }
  }
}

extension Configuration.Device.Network.Connection: Codable {
  /// - Throws: `DecodingError` for an unknown case, and where a value is missing that has no default.
  public init(from decoder: any Decoder) throws {
    let coded = try CodedCase(decoder, names: ["passt", "tap", "descriptor"])
    switch coded.name {
    case "tap": self = .tap(name: try coded.values(["name"]).value("name"))
    case "descriptor": self = .descriptor(try coded.values(["number"]).value("number"))
    default:
      let values = try coded.values(["forwards", "hostLoopback"])
      var forwards: [Configuration.Device.Network.Forward] = []
      var hostLoopback = false
      try values.read("forwards", into: &forwards)
      try values.read("hostLoopback", into: &hostLoopback)
      self = .passt(forwards: forwards, hostLoopback: hostLoopback)
    }
  }

  public func encode(to encoder: any Encoder) throws {
    switch self {
    case .tap(let name): try encoder.encode(case: "tap") { try $0.encode(name, forKey: "name") }
    case .descriptor(let number): try encoder.encode(case: "descriptor") { try $0.encode(number, forKey: "number") }
    case .passt(let forwards, let hostLoopback):
      try encoder.encode(case: "passt") {
        try $0.encode(forwards, forKey: "forwards")
        try $0.encode(hostLoopback, forKey: "hostLoopback")
      }
    }
  }
}

extension Configuration.Device.Network.Forward: Codable {
  /// - Throws: `DecodingError` where a port is missing, and for an unknown key.
  public init(from decoder: any Decoder) throws {
    let object = try CodedObject(decoder, keys: Property.allCases.map(\.rawValue))
    self.init(hostPort: try object.value("hostPort"), guestPort: try object.value("guestPort"))
    try object.read("address", into: &address)
    try object.read("transport", into: &transport)
  }

  public func encode(to encoder: any Encoder) throws {
    var container = encoder.container(keyedBy: CodedKey.self)
    try container.encode(address, forKey: "address")
    try container.encode(hostPort, forKey: "hostPort")
    try container.encode(guestPort, forKey: "guestPort")
    try container.encode(transport, forKey: "transport")
  }
}
