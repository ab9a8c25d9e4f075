import GuestMemory
import HostBackends
import SCMI

// What a machine's devices come to, before anything is started.

extension Plan {
  /// A virtio device.
  public struct Device: Sendable, Encodable {
    /// Type and slot, as the report has it.
    public let name: String
    /// `block`, `entropy`, `network`, `console` or `scmi`.
    public let type: String
    /// From 0.
    public let slot: Int
    /// Where its registers are.
    public let registers: Region
    /// Its shared peripheral interrupt, counted from 0 as in the device tree.
    public let interrupt: UInt32
    /// What it may reach of the guest's memory: its DMA window, or RAM where DMA is open.
    public let window: Region
    /// A disk's.
    public var block: Block?
    /// A network card's.
    public var network: Network?
    /// A console device's.
    public var console: Console?
    /// An SCMI device's.
    public var scmi: SCMI?

    /// A disk.
    public struct Block: Sendable, Encodable {
      /// The image's path.
      public let path: String
      /// Whether the guest may only read.
      public let readOnly: Bool
      /// What the guest sees as its serial number.
      public let serial: String
      /// How many request queues.
      public let queues: Int
    }

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
    }

    /// A console device.
    public struct Console: Sendable, Encodable {
      /// Whether the machine's console is its first port.
      public let carriesConsole: Bool
      /// The channels: ``Configuration/Port/description`` of each.
      public let ports: [String]
    }

    /// A place on a platform.
    public struct SCMI: Sendable, Encodable {
      /// Which agent the machine is.
      public let agent: String
    }
  }
}

extension Plan.Device {
  init(_ place: Board.DevicePlace, _ wanted: Configuration.Device, _ checked: CheckedConfiguration) {
    let reach = checked.board.reach(of: place)
    self.init(
      name: place.name,
      type: wanted.typeName,
      slot: place.index,
      registers: Plan.Region(name: "virtio-mmio", place.registers),
      interrupt: place.interrupt,
      window: Plan.Region(name: reach.name, reach.range)
    )
    switch wanted.kind {
    case .entropy: break
    case .block(let disk):
      block = .init(path: disk.path, readOnly: disk.isReadOnly, serial: disk.serial, queues: disk.queueCount)
    case .network(let card):
      let mac = card.address(ordinal: place.ordinal, machineName: checked.configuration.name)
      network = .init(card, mac: mac)
    case .console(let wanted):
      console = .init(carriesConsole: wanted.carriesConsole, ports: wanted.ports.map { "\($0)" })
    case .scmi:
      scmi = checked.platform.map { .init(agent: $0.platform.definition.agents[$0.agent].name) }
    }
  }
}

extension Plan.Device.Network {
  fileprivate init(_ network: Configuration.Device.Network, mac: Configuration.Device.MACAddress) {
    self.mac = "\(mac)"
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
