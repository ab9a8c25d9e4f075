import Host

// What a machine has of virtio devices, and what of the guest's memory they may reach.

extension Configuration {
  /// What devices may reach of the guest's memory.
  public enum DMA: Equatable, Sendable {
    /// Windows of their own: memory that is no RAM of the guest's kernel but where its bounce buffers are. The number
    /// is the bytes of each window, a multiple of 2 MiB; without one, a window is as large as its devices need it.
    case confined(windowSize: UInt64? = nil)
    /// All of RAM, for kernels without CONFIG_DMA_RESTRICTED_POOL.
    case open
  }

  /// A virtio device.
  public struct Device: Equatable, Sendable {
    /// The device type, with what only that type has.
    public var kind: Kind
    /// The window that it shares with the other devices of that name, where DMA is confined. Lower-case letters, digits
    /// and hyphens, at most 32.
    public var window = defaultWindow

    /// The window of devices that name none.
    public static let defaultWindow = "default"

    /// A device in the default window.
    public init(_ kind: Kind) {
      self.kind = kind
    }
  }
}

extension Configuration.Device {
  /// The kinds of device that there are.
  public enum Kind: Equatable, Sendable {
    /// Random numbers from the host's.
    case entropy
    /// A disk.
    case block(Block)
    /// A network card.
    case network(Network)
    /// The console and channels of the guest's; at most one such device.
    case console(Console)
    /// A place on an SCMI platform; one at most, since Linux takes one.
    case scmi(SCMI)
  }

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

    /// A disk that the guest may write.
    public init(path: String) {
      self.path = path
    }
  }

  /// The name that events and the report use.
  var typeName: String {
    switch kind {
    case .entropy: "entropy"
    case .block: "block"
    case .network: "network"
    case .console: "console"
    case .scmi: "scmi"
    }
  }
}

extension Configuration {
  /// The mistakes in the devices' plain values.
  func deviceProblems() -> [String] {
    var problems: [String] = []
    if devices.count > Int(MemoryMap.virtioDeviceLimit) {
      problems.append("\(devices.count) devices are too many: there are \(MemoryMap.virtioDeviceLimit) slots")
    }
    let platforms = devices.count { if case .scmi = $0.kind { true } else { false } }
    if platforms > 1 { problems.append("--scmi: a machine is on one platform, not on \(platforms)") }
    if scmiTranscript != nil, platforms == 0 { problems.append("--scmi-transcript needs a platform: --scmi PATH") }
    if case .confined(let size) = dma {
      if let size, size == 0 || size % MemoryMap.windowGranule != 0 || size > Self.windowLimit {
        problems.append("--dma takes 'open' or a multiple of 2 MiB up to \(Self.windowLimit >> 20)M, not \(size) bytes")
      }
      if windowNames.count > 16 { problems.append("window=NAME: at most 16 windows, not \(windowNames.count)") }
    }
    if devices.count(where: { if case .console = $0.kind { true } else { false } }) > 1 {
      problems.append("a machine has one console device, which has all ports")
    }
    for device in devices {
      let isPlain = device.window.utf8.allSatisfy {
        (0x61...0x7A).contains($0) || (0x30...0x39).contains($0) || $0 == 0x2D
      }
      if !isPlain || !(1...32).contains(device.window.utf8.count) {
        problems.append("--\(device.typeName) window=\(device.window): a window's name has 1 to 32 of a-z, 0-9 and '-'")
      } else if dma == .open, device.window != Device.defaultWindow {
        problems.append(
          "--\(device.typeName) window=\(device.window): with --dma open there are no windows; leave one of both out"
        )
      }
      if case .network(let network) = device.kind { problems += network.problems }
      if case .console(let console) = device.kind { problems += console.problems }
      guard case .block(let block) = device.kind else { continue }
      if block.serial.utf8.count > 20 || !block.serial.utf8.allSatisfy({ 0x21...0x7E ~= $0 }) {
        problems.append("--block serial=\(block.serial): a serial number has at most 20 printable ASCII characters")
      }
      if !(1...16).contains(block.queueCount) {
        problems.append("--block queues=\(block.queueCount): a disk has 1 to 16 queues")
      }
    }
    return problems + sharingProblems
  }

  /// What two devices cannot both have.
  private var sharingProblems: [String] {
    var problems: [String] = []
    var forwards: [Device.Network.Forward] = []
    var descriptors: [(number: Int32, identity: FileIdentity?, option: String)] = []
    func take(_ number: Int32, _ option: String) {
      let identity = FileIdentity(socket: number)
      if let other = descriptors.first(where: { $0.number == number || identity != nil && $0.identity == identity }) {
        problems.append("\(option): the descriptor is that of \(other.option), too; give each one of its own")
      }
      descriptors.append((number, identity, option))
    }
    for device in devices {
      switch device.kind {
      case .network(let network):
        if case .descriptor(let number) = network.connection { take(number, "--network fd=\(number)") }
        guard case .passt(let own, _) = network.connection else { continue }
        for forward in own {
          if forwards.contains(where: { $0.takesPort(of: forward) }) {
            problems.append("--network forward=\(forward.hostPort):…: the host's port leads to another one already")
          }
          forwards.append(forward)
        }
      case .console(let console):
        for port in console.ports {
          if case .descriptor(let number) = port.destination { take(number, "--port \(port)") }
        }
      default: break
      }
    }
    return problems
  }
}
