package import CHost
import GuestMemory
package import Host
package import Logging
package import Virtio
import VirtioDevices

/// What a network card is connected to, for a machine's whole run: its boots have one device after the other.
///
/// All on the device thread.
package final class NetworkCard {
  private enum Backend {
    case stream(StreamNetworkBackend)
    case packets(PacketNetworkBackend)
  }

  private let backend: Backend
  private let supervisor: PasstSupervisor?
  private let mtu: UInt16
  private let name: String
  private let logger: Logger
  private let loop: EventLoop
  private let reasonOfLoss: String
  /// Whether there is somebody at the other end.
  private var hasPeer = true
  /// Whether the owner has left the cable in.
  private var hasCable = true
  /// Whether the card was moved, and its guest is to see the link go and come.
  private var isMoving = false
  /// How often that was waited for in this move.
  private var moveWaits = 0
  private var isLinkUp: Bool { hasPeer && hasCable && !isMoving }
  /// Tells the present device.
  private var tellLink: (Bool) -> Void = { _ in }
  /// Has the present device ask its guest to announce itself.
  private var tellToAnnounce: () -> Void = {}
  /// Whether the driver has read the present device's configuration since its last change.
  private var isStatusSeen: () -> Bool = { true }
  /// Ends the move.
  private let moveTimer: SharedTimer

  /// What a card is connected to.
  package enum Connection {
    /// The host's own network through the program passt.
    case passt(forwards: [PasstForward], hostLoopback: Bool)
    /// The tap device of that name.
    case tap(name: String)
    /// A socket or a tap device that is open already and stays its owner's.
    case descriptor(Int32)
  }

  /// Connects a card, whose link is up from then on.
  ///
  /// - Parameters:
  ///   - name: the device's.
  ///   - mtu: in bytes without the link header; nil for what suits the connection.
  ///   - cannotServe: called with the reason where the program behind the card cannot do what it is told.
  /// - Throws: ``NetworkError`` or ``HostError``.
  package init(
    _ connection: Connection,
    name: String,
    mtu: UInt16?,
    loop: EventLoop,
    logger: Logger,
    cannotServe: @escaping (String) -> Void
  ) throws {
    self.name = name
    self.logger = logger
    self.loop = loop
    moveTimer = SharedTimer(try HostTimer())
    switch connection {
    case .passt(let forwards, let hostLoopback):
      let mtu = mtu ?? PasstProgram.largestMTU
      let stream = try StreamNetworkBackend(loop, peer: .passt(hostLoopback: hostLoopback))
      self.mtu = mtu
      backend = .stream(stream)
      reasonOfLoss = ""
      supervisor = try PasstSupervisor(
        name: name,
        path: try PasstProgram.find(),
        arguments: PasstProgram.arguments(forwards: forwards, hostLoopback: hostLoopback, mtu: mtu),
        backend: stream,
        loop: loop,
        logger: logger,
        cannotServe: cannotServe
      )
    case .tap(let name):
      // SAFETY: the name and the description hold for the calls.
      let number = unsafe name.withCString { unsafe chost_tap_open($0) }
      guard number >= 0 else { throw NetworkError.cannotOpenTap(name: name, errno: -number) }
      let tap = OwnedDescriptor(owning: number)
      var description = chost_network()
      let error = unsafe chost_network_describe(number, &description)
      guard error == 0 else { throw NetworkError.cannotOpenTap(name: name, errno: -error) }
      self.mtu = mtu ?? Self.mtu(of: description)
      backend = .packets(try PacketNetworkBackend(tap, description, loop))
      reasonOfLoss = Self.networkGone
      supervisor = nil
    case .descriptor(let number):
      let description = try Self.describe(number)
      let copy = chost_duplicate(number)
      guard copy >= 0 else { throw NetworkError.cannotUseDescriptor(number, errno: -copy) }
      let descriptor = OwnedDescriptor(owning: copy)
      self.mtu = mtu ?? Self.mtu(of: description)
      supervisor = nil
      if description.kind == chost_network_stream {
        let stream = try StreamNetworkBackend(loop)
        try stream.attach(descriptor)
        backend = .stream(stream)
        reasonOfLoss = "the other end of the socket is gone or speaks another language"
      } else {
        backend = .packets(try PacketNetworkBackend(descriptor, description, loop))
        reasonOfLoss = Self.networkGone
      }
    }
    try supervisor?.connect { [unowned self] isUp in setLink(isUp: isUp) }
    _ = try loop.add(
      moveTimer.value.rawValue,
      EventLoop.readable,
      ClosureHandler(lasts: true) { [unowned self] _ in
        moveTimer.value.clear()
        arrive()
      }
    )
  }

  private static let networkGone = "the other end of its network is gone"

  /// What a descriptor is.
  ///
  /// - Throws: ``NetworkError`` for one that is not open, or is neither a socket nor a tap device.
  package static func describe(_ number: Int32) throws(NetworkError) -> chost_network {
    var description = chost_network()
    // SAFETY: the structure holds for the call.
    let error = unsafe chost_network_describe(number, &description)
    if error == -EINVAL { throw .notANetwork(number) }
    guard error == 0 else { throw .cannotUseDescriptor(number, errno: -error) }
    guard description.kind != chost_network_none else { throw .notANetwork(number) }
    return description
  }

  private static func mtu(of description: chost_network) -> UInt16 {
    68...65535 ~= description.mtu ? UInt16(description.mtu) : 1500
  }

  // MARK: Boots

  /// Makes the device of a boot. ``release()`` comes before the next one.
  ///
  /// - Parameter mac: its address, six bytes.
  package func makeDevice(mac: [UInt8]) -> any VirtioDevice {
    switch backend {
    case .stream(let stream): connect(stream, mac)
    case .packets(let packets): connect(packets, mac)
    }
  }

  private func connect<Backend: LoopNetworkBackend>(_ backend: Backend, _ mac: [UInt8]) -> any VirtioDevice {
    let device = makeNetworkDevice(name: name, backend: backend, mac: mac, mtu: mtu)
    backend.connect(device) { [unowned self] in lost() }
    tellLink = { [unowned device, unowned backend] in backend.changeLink(of: device, $0) }
    tellToAnnounce = { [unowned device] in device.announce() }
    isStatusSeen = { [unowned device] in device.configuration.isRead }
    if !isLinkUp { device.setLink(isUp: false) }
    return device
  }

  /// The boot's device has gone. What comes meanwhile waits for the next one.
  package func release() {
    tellLink = { _ in }
    tellToAnnounce = {}
    isStatusSeen = { true }
    isMoving = false
    switch backend {
    case .stream(let stream): stream.release()
    case .packets(let packets): packets.release()
    }
  }

  private func setLink(isUp: Bool) {
    hasPeer = isUp
    tellLink(isLinkUp)
  }

  /// Whether the owner has left the cable in.
  package var isCableIn: Bool { hasCable }

  // MARK: After a snapshot

  /// How long the link of a card that was moved stays down, in nanoseconds.
  private static let moveTime: UInt64 = 50_000_000
  /// How many times as long it does where the guest has not looked yet; it has no driver then, or one that does not.
  private static let moveLimit = 40

  /// The device has the state of one that was connected elsewhere: its link goes down.
  ///
  /// - Parameter isCableIn: what the owner there left it as.
  package func move(isCableIn: Bool) {
    (hasCable, isMoving) = (isCableIn, true)
    tellLink(false)
  }

  /// The guest goes on, and so does a move: the link of a card that was moved comes up a moment after its driver has
  /// seen that it is down, and the guest is asked to announce itself.
  package func goOn() {
    moveWaits = 0
    if isMoving { moveTimer.value.arm(after: Self.moveTime) }
  }

  private func arrive() {
    guard isMoving else { return }
    moveWaits += 1
    if !isStatusSeen(), moveWaits < Self.moveLimit { return moveTimer.value.arm(after: Self.moveTime) }
    isMoving = false
    tellLink(isLinkUp)
    if isLinkUp { tellToAnnounce() }
  }

  /// Pulls the cable or puts it in; the driver is told.
  package func setCable(isIn: Bool) {
    hasCable = isIn
    tellLink(isLinkUp)
  }

  private func lost() {
    if let supervisor { return supervisor.lost() }
    // Such a peer does not come back.
    switch backend {
    case .stream(let stream): stream.detach()
    case .packets(let packets): packets.detach()
    }
    setLink(isUp: false)
    logger.warning("\(name): \(reasonOfLoss): the link is down")
  }

  /// Disconnects the card for good.
  package func shutDown() {
    loop.remove(moveTimer.value.rawValue)
    if let supervisor { return supervisor.shutDown() }
    switch backend {
    case .stream(let stream): stream.shutDown()
    case .packets(let packets): packets.shutDown()
    }
  }
}

extension LoopNetworkBackend {
  /// The link came up or went down: what the guest sends meanwhile is lost, also what has waited for room.
  func changeLink(of device: NetworkDevice<Self>, _ isUp: Bool) {
    device.setLink(isUp: isUp)
    turns.hasRoom()
  }

  /// Has a device told from now on, which looks at what there is already when its driver is ready.
  ///
  /// - Parameter lost: called when the peer has gone.
  func connect(_ device: NetworkDevice<Self>, _ lost: @escaping () -> Void) {
    noteArrivals()
    turns.connect(
      NetworkEvents(
        readable: { [unowned self, unowned device] in
          noteArrivals()
          return device.backendReadable()
        },
        writable: { [unowned self, unowned device] in sendKept() && device.backendWritable() },
        lost: lost
      )
    )
  }

  /// The device has gone, and with it what its driver accepted.
  func release() {
    turns.release()
    guestAccepts([])
  }
}
