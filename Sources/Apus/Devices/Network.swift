import HostBackends
import Virtio

/// A card's connection, which outlives the guest's boots: with passt, also the host's ends of its connections.
final class NetworkResource: DeviceResource {
  private let network: Configuration.Device.Network
  private let machineName: String
  private var card: NetworkCard?

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

  override func release() { card?.release() }

  override func close() { card?.shutDown() }
}

extension Configuration.Device.Network {
  /// The card's address.
  ///
  /// - Parameter ordinal: how many network cards of the machine come before it.
  func address(ordinal: Int, machineName: String) -> Configuration.Device.MACAddress {
    mac ?? Configuration.Device.MACAddress(machine: machineName, index: ordinal)
  }
}

extension NetworkCard.Connection {
  fileprivate init(_ connection: Configuration.Device.Network.Connection) {
    switch connection {
    case .passt(let forwards, let hostLoopback):
      let forwards = forwards.map { PasstForward(isUDP: $0.transport == .udp, ports: $0.passtText) }
      self = .passt(forwards: forwards, hostLoopback: hostLoopback)
    case .tap(let name): self = .tap(name: name)
    case .descriptor(let number): self = .descriptor(number)
    }
  }
}
