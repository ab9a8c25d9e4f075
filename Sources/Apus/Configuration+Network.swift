internal import CHost
internal import Glibc
import Host
import HostBackends
import VirtioDevices

// Network cards.

extension Configuration.Device {
  /// A network card.
  public struct Network: Equatable, Sendable {
    /// What it is connected to.
    public var connection: Connection
    /// Its address, or one that follows from the machine's name.
    public var mac: MACAddress?
    /// The largest packet, in bytes without the link header, from 68 to 65535; or what suits the connection: 65520 for
    /// passt, the tap device's own, 1500 for a descriptor.
    public var mtu: UInt16?

    /// A card with an address and an MTU that Apus chooses.
    public init(_ connection: Connection) {
      self.connection = connection
    }

    /// What a network card is connected to.
    public enum Connection: Equatable, Sendable {
      /// The host's own network through the program passt, which needs no privileges. With `hostLoopback` the guest
      /// reaches what listens on the host's 127.0.0.1, too, as 10.0.2.2.
      case passt(forwards: [Forward] = [], hostLoopback: Bool = false)
      /// The tap device of that name.
      case tap(name: String)
      /// An open descriptor: a stream socket with each packet behind its size in four bytes, most significant first; a
      /// socket that keeps packets apart; or a tap device. It stays the caller's.
      case descriptor(Int32)
    }

    /// A port of the host that leads into the guest.
    public struct Forward: Equatable, Sendable {
      /// The host's address that listens.
      public var address = "127.0.0.1"
      /// The host's port.
      public var hostPort: UInt16
      /// The guest's port.
      public var guestPort: UInt16
      /// What is carried.
      public var transport = Transport.tcp

      /// What is carried.
      public enum Transport: String, Codable, Sendable {
        case tcp
        case udp
      }

      /// The properties, by their names.
      public enum Property: String, CaseIterable, Sendable {
        case address
        case hostPort
        case guestPort
        case transport
      }

      /// A TCP port of the host's loopback interface.
      public init(hostPort: UInt16, guestPort: UInt16) {
        self.hostPort = hostPort
        self.guestPort = guestPort
      }
    }
  }

  /// An Ethernet address.
  public struct MACAddress: Equatable, Sendable, CustomStringConvertible {
    /// Six.
    public let bytes: [UInt8]

    /// Reads six pairs of hexadecimal digits between colons; the address of one card, not of a group.
    public init?(_ text: String) {
      let pairs = text.split(separator: ":", omittingEmptySubsequences: false)
      let bytes = pairs.compactMap { $0.utf8.count == 2 && $0.first != "+" ? UInt8($0, radix: 16) : nil }
      guard pairs.count == 6, bytes.count == 6, bytes[0] & 1 == 0, bytes != Array(repeating: 0, count: 6) else {
        return nil
      }
      self.bytes = bytes
    }

    /// The address of a machine's network card: locally administered, the same each time.
    ///
    /// - Parameters:
    ///   - machine: the machine's name.
    ///   - index: which of its network cards, from 0.
    public init(machine: String, index: Int) {
      // FNV-1a.
      var hash: UInt64 = 0xCBF2_9CE4_8422_2325
      for byte in Array(machine.utf8) + [0, UInt8(truncatingIfNeeded: index)] {
        hash = (hash ^ UInt64(byte)) &* 0x100_0000_01B3
      }
      bytes = [0x02] + (0..<5).map { UInt8(truncatingIfNeeded: hash >> (8 * UInt64($0 + 2))) }
    }

    public var description: String {
      bytes.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined(separator: ":")
    }
  }
}

extension Configuration.Device.Network.Forward {
  /// As passt's options want it.
  var passtText: String { "\(address)/\(hostPort):\(guestPort)" }

  /// Whether both listen at the same place.
  func takesPort(of other: Self) -> Bool {
    hostPort == other.hostPort && transport == other.transport && address == other.address
  }

  private var isAddressPlain: Bool {
    var bytes = in6_addr()
    // SAFETY: the structure has room for either kind of address.
    return unsafe inet_pton(AF_INET, address, &bytes) == 1 || inet_pton(AF_INET6, address, &bytes) == 1
  }

  /// The mistakes in it.
  fileprivate var problems: [(property: Property, reason: ConfigurationError.Reason)] {
    var problems: [(Property, ConfigurationError.Reason)] = []
    if hostPort == 0 || guestPort == 0 {
      problems.append((hostPort == 0 ? .hostPort : .guestPort, "ports are from 1 to 65535"))
    }
    if !isAddressPlain {
      problems.append((.address, "give an IPv4 or IPv6 address of the host, such as 127.0.0.1"))
    }
    return problems
  }
}

extension Configuration.Device.Network {
  /// The mistakes in the plain values.
  func problems(ofDevice index: Int) -> [ConfigurationError.Problem] {
    var problems: [ConfigurationError.Problem] = []
    func add(_ property: Property, _ reason: ConfigurationError.Reason) {
      problems.append(.init(.usage, .device(index, .network(property)), reason))
    }
    if let mtu, mtu < 68 { add(.mtu, "give a number from 68 to 65535") }
    switch connection {
    case .passt(let forwards, _):
      if let mtu, mtu > PasstProgram.largestMTU { add(.mtu, "passt has at most \(PasstProgram.largestMTU)") }
      for (number, forward) in forwards.enumerated() {
        for problem in forward.problems { add(.forward(number, problem.property), problem.reason) }
      }
      if forwards.count > 64 { add(.forwards, "there are at most 64, not \(forwards.count)") }
    case .tap(let name):
      let isPlain = name.utf8.allSatisfy { 0x21...0x7E ~= $0 && $0 != UInt8(ascii: "/") && $0 != UInt8(ascii: "%") }
      if !isPlain || !(1...15).contains(name.utf8.count) {
        add(.connection, "the name of a network interface has 1 to 15 characters")
      }
    case .descriptor(let number):
      if number < 3 { add(.connection, "give a descriptor from 3, which is none of the standard streams") }
    }
    return problems
  }
}

extension Configuration.Device.Network {
  /// Looks for what it is to be connected to. A tap device is opened at the start only: its carrier would show it.
  func checkHost() throws(NetworkError) {
    switch connection {
    case .passt: _ = try PasstProgram.find()
    case .tap: break
    case .descriptor(let number): if number >= 3 { _ = try NetworkCard.describe(number) }
    }
  }
}

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
    let object = try CodedObject(decoder, keys: ["connection", "mac", "mtu"])
    self.init(try object.value("connection"))
    try object.read("mac", into: &mac)
    try object.read("mtu", into: &mtu)
  }

  public func encode(to encoder: any Encoder) throws {
    var container = encoder.container(keyedBy: CodedKey.self)
    try container.encode(connection, forKey: "connection")
    try container.encodeIfPresent(mac, forKey: "mac")
    try container.encodeIfPresent(mtu, forKey: "mtu")
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

extension Configuration.Device.MACAddress: Codable {
  /// - Throws: `DecodingError` where it is not the address of one card.
  public init(from decoder: any Decoder) throws {
    let text = try decoder.singleValueContainer().decode(String.self)
    guard let address = Self(text) else {
      let advice = "give the address of one card, such as 02:12:34:56:78:9a"
      throw DecodingError.mistake("'\(text)' is none; \(advice)", at: decoder.codingPath)
    }
    self = address
  }

  public func encode(to encoder: any Encoder) throws {
    try encoder.encode(case: description)
  }
}
