internal import Glibc
import GuestABI
import Host
import HostBackends
import VhostUser
import Virtio
import VirtioDevices

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
    /// With passt: whether it is the device's back-end by itself (vhost-user), as programs of 2025 and later can be,
    /// and packets go by the guest's queues. The card has a window of its own then.
    public var isVhostUser = false
    /// How passt gets at packets, where it is the back-end by itself.
    public var access = RemoteAccess.inPlace

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
      public enum Transport: String, Codable, CaseIterable, Sendable {
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
}

extension Configuration.Device.Network.Forward {
  /// As passt's options want it.
  var passtText: String { "\(address)/\(hostPort):\(guestPort)" }

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

extension Configuration.Device.Network: DeviceKind {
  var isElsewhere: Bool { isVhostUser }

  var remoteAccess: WantedAccess? { isVhostUser ? WantedAccess(access, at: .network(.connection)) : nil }

  func problems(device index: Int) -> [ConfigurationError.Problem] {
    var problems: [ConfigurationError.Problem] = []
    if isVhostUser, connection.forwards == nil {
      problems.append(
        .init(.usage, .device(index, .network(.connection)), "only passt can be a card's back-end by itself")
      )
    }
    if !isVhostUser, access != .inPlace {
      problems.append(
        .init(.usage, .device(index, .network(.connection)), "only a card of another process has a way to its packets")
      )
    }
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

  func claims(device index: Int) -> [DeviceClaim] {
    switch connection {
    case .tap: return []
    case .descriptor(let number): return [.descriptor(number, at: .device(index, .network(.connection)))]
    case .passt(let forwards, _):
      var claims: [DeviceClaim] = []
      for (number, forward) in forwards.enumerated() {
        let listener = "\(forward.transport.rawValue) \(forward.address) \(forward.hostPort)"
        claims.append(
          DeviceClaim(place: .device(index, .network(.forward(number, .hostPort))), subject: .listener(listener)) { _ in
            "the host's port leads to another one already"
          }
        )
      }
      return claims
    }
  }

  /// The receive queue is filled with buffers of at most a page; what is sent is in pieces of at most 32 KiB, with a
  /// header of its own for each 64 KiB.
  var windowNeed: UInt64 {
    let queue = UInt64(QueueSize.network)
    let receiveQueue = UInt64((isVhostUser ? VhostUserProfile.network.receiveQueueSize : nil) ?? QueueSize.network)
    return 8 * DriverMemory.page + receiveQueue * DriverMemory.page + queue / 3 * (64 << 10)
  }

  /// Looks for what it is to be connected to. A tap device is opened at the start only: its carrier would show it.
  func open(
    device index: Int,
    of configuration: Configuration,
    platform: SCMIPlace?
  ) throws(ConfigurationError) -> DeviceResource? {
    do {
      switch connection {
      case .passt: _ = try PasstProgram.find()
      case .tap: break
      case .descriptor(let number): if number >= 3 { _ = try NetworkCard.describe(number) }
      }
    } catch {
      throw ConfigurationError(error.kind, .device(index, .network(.connection)), .init(error))
    }
    if isVhostUser, let forwards = connection.forwards {
      return try openRemote(forwards, device: index, of: configuration)
    }
    return NetworkResource(self, machineName: configuration.name)
  }

  /// passt as the device's back-end.
  private func openRemote(
    _ forwards: [PasstForward],
    device index: Int,
    of configuration: Configuration
  ) throws(ConfigurationError) -> DeviceResource {
    let path: String
    do {
      path = try PasstProgram.find()
    } catch {
      throw ConfigurationError(error.kind, .device(index, .network(.connection)), .init(error))
    }
    let ordinal = configuration.devices[..<index].count { $0.kind.name == .network }
    let mtu = mtu ?? PasstProgram.largestMTU
    let arguments = PasstProgram.arguments(
      forwards: forwards,
      hostLoopback: connection.reachesHostLoopback,
      mtu: mtu,
      isVhostUser: true
    )
    let mac = address(ordinal: ordinal, machineName: configuration.name)
    return RemoteResource(
      .network,
      access: configuration.access(access),
      configuration: VhostUserProfile.networkConfiguration(mac: mac.bytes, mtu: mtu)
    ) { name, log in
      ProgramConnector(path: path, arguments: arguments, listens: false, device: name, log: log)
    }
  }

  func plan(_ place: Board.DevicePlace, _ checked: CheckedConfiguration) -> (any Encodable & Sendable)? {
    Plan.Device.Network(
      self,
      mac: address(ordinal: place.ordinal, machineName: checked.configuration.name),
      access: isVhostUser ? checked.configuration.access(access) : nil
    )
  }

  /// The card's address.
  ///
  /// - Parameter ordinal: how many network cards of the machine come before it.
  func address(ordinal: Int, machineName: String) -> Configuration.Device.MACAddress {
    mac ?? Configuration.Device.MACAddress(machine: machineName, index: ordinal)
  }
}

extension Plan.Device {
  /// A network card's part.
  public var network: Network? { part as? Network }

  /// A network card.
  public struct Network: Sendable, Encodable {
    /// `passt`, `tap=NAME` or `fd=N`.
    public let connection: String
    /// The card's address.
    public let mac: String
    /// In bytes; nil where what it is connected to decides at the start.
    public let mtu: Int?
    /// With passt: the host's ports that lead to the guest's.
    public let forwards: [String]?
    /// With passt: whether the guest reaches the host's 127.0.0.1.
    public let hostLoopback: Bool?
    /// Where passt is the back-end by itself: `inPlace`, `direct` or `bounced`.
    public let access: String?
  }
}

extension Plan.Device.Network {
  fileprivate init(
    _ network: Configuration.Device.Network,
    mac: Configuration.Device.MACAddress,
    access: Configuration.Device.RemoteAccess?
  ) {
    self.mac = "\(mac)"
    self.access = access?.rawValue
    switch network.connection {
    case .passt(let forwards, let hostLoopback):
      connection = "passt"
      mtu = Int(network.mtu ?? PasstProgram.largestMTU)
      self.forwards = forwards.map { "\($0.passtText)/\($0.transport.rawValue)" }
      self.hostLoopback = hostLoopback
    case .tap(let name):
      connection = "tap=\(name)"
      mtu = network.mtu.map { Int($0) }
      forwards = nil
      hostLoopback = nil
    case .descriptor(let number):
      connection = "fd=\(number)"
      mtu = network.mtu.map { Int($0) }
      forwards = nil
      hostLoopback = nil
    }
  }
}

/// A card's connection, which outlives the guest's boots: with passt, also the host's ends of its connections.
final class NetworkResource: DeviceResource {
  private let network: Configuration.Device.Network
  private let machineName: String
  private var card: NetworkCard?
  /// What the device is to go on from.
  private var saved: NetworkCardState?

  init(_ network: Configuration.Device.Network, machineName: String) {
    self.network = network
    self.machineName = machineName
  }

  override func open(_ run: RunPlace) throws {
    let mailbox = run.mailbox
    do {
      card = try NetworkCard(
        NetworkCard.Connection(network.connection),
        name: run.place.name,
        mtu: network.mtu,
        loop: run.loop,
        logger: run.logger
      ) { reason in
        mailbox.order(Outcome(.hostFailure, "\(reason); change what the network is connected to, or the host"))
      }
    } catch let error as NetworkError {
      throw ConfigurationError(error.kind, .device(run.place.index, .network(.connection)), .init(error))
    }
  }

  override func makeDevice(_ place: BootPlace) -> any VirtioDevice {
    guard let card else { preconditionFailure("a card is connected before the first boot") }
    return card.makeDevice(mac: network.address(ordinal: place.place.ordinal, machineName: machineName).bytes)
  }

  override func setLink(isUp: Bool) -> Bool {
    card?.setCable(isIn: isUp)
    return card != nil
  }

  override func savedState(_ wishes: SnapshotWishes) -> (any VersionedState)? {
    card.map { NetworkCardState(isCableIn: $0.isCableIn) }
  }

  override func decodeState(from decoder: any Decoder) throws -> any VersionedState {
    try Versioned<NetworkCardState>(from: decoder).state
  }

  override func restore(_ state: (any VersionedState)?) throws(DeviceStateError) {
    saved = try state.map { (state) throws(DeviceStateError) in try NetworkCardState(kindOf: state) }
  }

  /// Its peer is another one, which has nothing of what was under way.
  override func restored() { card?.move(isCableIn: saved?.isCableIn ?? true) }

  override func startTime() { card?.goOn() }

  override func release() { card?.release() }

  override func close() { card?.shutDown() }
}

/// What a network card's owner has done with it.
struct NetworkCardState: VersionedState, Equatable {
  static let kind = "network-card"
  static let version: UInt32 = 1

  var isCableIn: Bool
}

extension Configuration.Device.Network.Connection {
  /// As passt wants them; nil: it is not passt.
  fileprivate var forwards: [PasstForward]? {
    guard case .passt(let forwards, _) = self else { return nil }
    return forwards.map { PasstForward(isUDP: $0.transport == .udp, ports: $0.passtText) }
  }

  fileprivate var reachesHostLoopback: Bool {
    if case .passt(_, hostLoopback: true) = self { true } else { false }
  }
}

extension NetworkCard.Connection {
  fileprivate init(_ connection: Configuration.Device.Network.Connection) {
    switch connection {
    case .passt(_, let hostLoopback):
      self = .passt(forwards: connection.forwards ?? [], hostLoopback: hostLoopback)
    case .tap(let name): self = .tap(name: name)
    case .descriptor(let number): self = .descriptor(number)
    }
  }
}
