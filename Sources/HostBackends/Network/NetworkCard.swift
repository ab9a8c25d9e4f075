package import CHost
import GuestMemory
package import Host
package import Logging
package import Virtio
package import VirtioDevices

/// A network card with what it is connected to.
package struct NetworkCard {
  /// The device model, to be plugged in.
  package let device: any VirtioDevice
  /// What is to be shut down when the machine ends.
  package let backend: any DeviceBackend

  /// What a card is connected to.
  package enum Connection {
    /// The host's own network through the program passt.
    case passt(forwards: [PasstForward], hostLoopback: Bool)
    /// The tap device of that name.
    case tap(name: String)
    /// A socket or a tap device that is open already and stays its owner's.
    case descriptor(Int32)
  }

  /// Whom a card has to do with.
  package struct Place {
    /// The device's name.
    package let name: String
    /// The machine's, on whose thread device and back-end live.
    package let loop: EventLoop
    /// For what happens to the connection.
    package let logger: Logger
    /// Called with the reason where the program behind the card cannot do what it is told.
    package let cannotServe: (String) -> Void

    package init(name: String, loop: EventLoop, logger: Logger, cannotServe: @escaping (String) -> Void) {
      self.name = name
      self.loop = loop
      self.logger = logger
      self.cannotServe = cannotServe
    }
  }

  /// Connects a card.
  ///
  /// - Parameters:
  ///   - mac: the card's address, six bytes.
  ///   - mtu: in bytes without the link header; nil for what suits the connection.
  /// - Throws: ``NetworkError`` or ``HostError``.
  package init(_ connection: Connection, mac: [UInt8], mtu: UInt16?, _ place: Place) throws {
    switch connection {
    case .passt(let forwards, let hostLoopback):
      let mtu = mtu ?? PasstProgram.largestMTU
      (device, backend) = try Self.passt(forwards, hostLoopback, mtu, mac, place)
    case .tap(let name):
      // SAFETY: the name and the description hold for the calls.
      let number = unsafe name.withCString { unsafe chost_tap_open($0) }
      guard number >= 0 else { throw NetworkError.cannotOpenTap(name: name, errno: -number) }
      let tap = OwnedDescriptor(owning: number)
      var description = chost_network()
      let error = unsafe chost_network_describe(number, &description)
      guard error == 0 else { throw NetworkError.cannotOpenTap(name: name, errno: -error) }
      let mtu = mtu ?? Self.mtu(of: description)
      (device, backend) = try Self.packets(tap, description, mtu, mac, place)
    case .descriptor(let number):
      let description = try Self.describe(number)
      let copy = chost_duplicate(number)
      guard copy >= 0 else { throw NetworkError.cannotUseDescriptor(number, errno: -copy) }
      let descriptor = OwnedDescriptor(owning: copy)
      let mtu = mtu ?? Self.mtu(of: description)
      (device, backend) =
        description.kind == chost_network_stream
        ? try Self.stream(descriptor, mtu, mac, place) : try Self.packets(descriptor, description, mtu, mac, place)
    }
  }

  /// What a descriptor is.
  ///
  /// - Throws: ``NetworkError``, where it is not open or carries no packets.
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

  private typealias Parts = (any VirtioDevice, any DeviceBackend)

  private static func passt(
    _ forwards: [PasstForward],
    _ hostLoopback: Bool,
    _ mtu: UInt16,
    _ mac: [UInt8],
    _ place: Place
  ) throws -> Parts {
    let backend = try StreamNetworkBackend(place.loop, peer: .passt(hostLoopback: hostLoopback))
    let device = makeNetworkDevice(name: place.name, backend: backend, mac: mac, mtu: mtu)
    let supervisor = try PasstSupervisor(
      name: place.name,
      path: try PasstProgram.find(),
      arguments: PasstProgram.arguments(forwards: forwards, hostLoopback: hostLoopback, mtu: mtu),
      backend: backend,
      loop: place.loop,
      logger: place.logger,
      cannotServe: place.cannotServe
    )
    try backend.connect(device) { [unowned supervisor] in supervisor.lost() }
    try supervisor.connect { [unowned device, unowned backend] isUp in backend.changeLink(of: device, isUp) }
    return (device, supervisor)
  }

  private static func stream(
    _ descriptor: consuming OwnedDescriptor,
    _ mtu: UInt16,
    _ mac: [UInt8],
    _ place: Place
  ) throws -> Parts {
    let backend = try StreamNetworkBackend(place.loop)
    let device = makeNetworkDevice(name: place.name, backend: backend, mac: mac, mtu: mtu)
    let reason = "the other end of the socket is gone or speaks another language"
    try backend.connect(device, for: place, reasonOfLoss: reason)
    try backend.attach(descriptor)
    return (device, backend)
  }

  private static func packets(
    _ descriptor: consuming OwnedDescriptor,
    _ description: chost_network,
    _ mtu: UInt16,
    _ mac: [UInt8],
    _ place: Place
  ) throws -> Parts {
    let backend = try PacketNetworkBackend(descriptor, description, place.loop)
    let device = makeNetworkDevice(name: place.name, backend: backend, mac: mac, mtu: mtu)
    try backend.connect(device, for: place, reasonOfLoss: "the other end of its network is gone")
    return (device, backend)
  }
}

extension LoopNetworkBackend {
  /// The link came up or went down: what the guest sends meanwhile is lost, also what has waited for room.
  package func changeLink(of device: NetworkDevice<Self>, _ isUp: Bool) {
    device.setLink(isUp: isUp)
    turns.hasRoom()
  }

  /// - Parameter lost: called when the peer has gone.
  /// - Throws: where the loop takes no more.
  package func connect(_ device: NetworkDevice<Self>, _ lost: @escaping () -> Void) throws(HostError) {
    try connect(
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

  /// The same for a peer that does not come back: when it has gone, the link is down.
  fileprivate func connect(
    _ device: NetworkDevice<Self>,
    for place: NetworkCard.Place,
    reasonOfLoss: String
  ) throws(HostError) {
    let (name, logger) = (place.name, place.logger)
    try connect(device) { [unowned self, unowned device] in
      detach()
      changeLink(of: device, false)
      logger.warning("\(name): \(reasonOfLoss): the link is down")
    }
  }
}
