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

  /// The names of the kinds, for events, the report and a coded configuration.
  enum KindName: String, CaseIterable {
    case entropy
    case block
    case network
    case console
    case scmi
  }

  /// The name that events and the report use.
  var typeName: String {
    let name: KindName =
      switch kind {
      case .entropy: .entropy
      case .block: .block
      case .network: .network
      case .console: .console
      case .scmi: .scmi
      }
    return name.rawValue
  }
}

extension Configuration.Device: Codable {
  /// - Throws: `DecodingError`, which says with its path what is missing without a default, unknown or of another form.
  public init(from decoder: any Decoder) throws {
    let kinds = KindName.allCases.map(\.rawValue)
    let object = try CodedObject(decoder, keys: kinds + ["window"])
    let name = try object.onlyKey(of: kinds)
    let key = CodedKey(stringValue: name)
    guard let known = KindName(rawValue: name) else { preconditionFailure("the key is one of the kinds") }
    switch known {
    case .entropy:
      let _: NoValues = try object.value(key)
      self.init(.entropy)
    case .block: self.init(.block(try object.value(key)))
    case .network: self.init(.network(try object.value(key)))
    case .console: self.init(.console(try object.value(key)))
    case .scmi: self.init(.scmi(try object.value(key)))
    }
    try object.read("window", into: &window)
  }

  public func encode(to encoder: any Encoder) throws {
    var container = encoder.container(keyedBy: CodedKey.self)
    let key = CodedKey(stringValue: typeName)
    switch kind {
    case .entropy: try container.encode(NoValues(), forKey: key)
    case .block(let block): try container.encode(block, forKey: key)
    case .network(let network): try container.encode(network, forKey: key)
    case .console(let console): try container.encode(console, forKey: key)
    case .scmi(let scmi): try container.encode(scmi, forKey: key)
    }
    try container.encode(window, forKey: "window")
  }

  /// An object without keys.
  private struct NoValues: Codable {
    init() {}

    init(from decoder: any Decoder) throws {
      _ = try CodedObject(decoder, keys: [])
    }

    func encode(to encoder: any Encoder) throws {
      _ = encoder.container(keyedBy: CodedKey.self)
    }
  }
}

extension Configuration {
  /// The mistakes in the devices' plain values.
  func deviceProblems() -> [ConfigurationError.Problem] {
    var problems: [ConfigurationError.Problem] = []
    func add(_ path: Path, _ reason: ConfigurationError.Reason) {
      problems.append(.init(.usage, path, reason))
    }
    if devices.count > Int(MemoryMap.virtioDeviceLimit) {
      add(
        .property(.devices),
        "\(devices.count) devices are too many: there are \(MemoryMap.virtioDeviceLimit) slots"
      )
    }
    let platforms = devices.indices.filter { if case .scmi = devices[$0].kind { true } else { false } }
    if platforms.count > 1 {
      add(.device(platforms[1], .whole), "a machine is on one platform, not on \(platforms.count)")
    }
    if scmiTranscript != nil, platforms.isEmpty {
      let device = Path.device(devices.count, .scmi(.source))
      add(.property(.scmiTranscript), .init(predicate: "needs a platform; give \(at: device)"))
    }
    if case .confined(let size) = dma {
      if let size, size == 0 || size % MemoryMap.windowGranule != 0 || size > Self.windowLimit {
        let limit = Self.windowLimit >> 20
        add(.property(.dma), .init(predicate: "takes 'open' or a multiple of 2 MiB up to \(limit)M, not \(size) bytes"))
      }
      let names = windowNames
      if names.count > Self.windowCountLimit,
        let device = devices.firstIndex(where: { $0.window == names[Self.windowCountLimit] })
      {
        add(.device(device, .window), "there are at most \(Self.windowCountLimit) windows, not \(names.count)")
      }
    }
    let consoles = devices.indices.filter { if case .console = devices[$0].kind { true } else { false } }
    if consoles.count > 1 {
      add(.device(consoles[1], .whole), "a machine has one console device, which has all ports")
    }
    for (index, device) in devices.enumerated() {
      let isPlain = device.window.utf8.allSatisfy {
        (0x61...0x7A).contains($0) || (0x30...0x39).contains($0) || $0 == 0x2D
      }
      if !isPlain || !(1...32).contains(device.window.utf8.count) {
        add(.device(index, .window), "a window's name has 1 to 32 of a-z, 0-9 and '-'")
      } else if dma == .open, device.window != Device.defaultWindow {
        add(
          .device(index, .window),
          "with \(at: .property(.dma), "open") there are no windows; leave one of both out"
        )
      }
      switch device.kind {
      case .entropy, .scmi: break
      case .block(let block): problems += block.problems(ofDevice: index)
      case .network(let network): problems += network.problems(ofDevice: index)
      case .console(let console): problems += console.problems(ofDevice: index)
      }
    }
    return problems + sharingProblems
  }

  /// How many windows there can be.
  private static let windowCountLimit = 16

  /// What two devices cannot both have.
  private var sharingProblems: [ConfigurationError.Problem] {
    var problems: [ConfigurationError.Problem] = []
    var forwards: [Device.Network.Forward] = []
    var descriptors: [(number: Int32, identity: FileIdentity?, place: Path)] = []
    func take(_ number: Int32, _ place: Path) {
      let identity = FileIdentity(socket: number)
      if let other = descriptors.first(where: { $0.number == number || identity != nil && $0.identity == identity }) {
        let reason: ConfigurationError.Reason =
          "the descriptor is that of \(at: other.place), too; give each one of its own"
        problems.append(.init(.usage, place, reason))
      }
      descriptors.append((number, identity, place))
    }
    for (index, device) in devices.enumerated() {
      switch device.kind {
      case .network(let network):
        if case .descriptor(let number) = network.connection { take(number, .device(index, .network(.connection))) }
        guard case .passt(let own, _) = network.connection else { continue }
        for (number, forward) in own.enumerated() {
          if forwards.contains(where: { $0.takesPort(of: forward) }) {
            let place = Path.device(index, .network(.forward(number, .hostPort)))
            problems.append(.init(.usage, place, "the host's port leads to another one already"))
          }
          forwards.append(forward)
        }
      case .console(let console):
        for (number, port) in console.ports.enumerated() {
          let place = Path.device(index, .console(.port(number, .destination)))
          if case .descriptor(let descriptor) = port.destination { take(descriptor, place) }
        }
      default: break
      }
    }
    return problems
  }
}
