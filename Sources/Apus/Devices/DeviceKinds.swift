// The kinds of device that there are, each once in each of these enumerations. What a kind is and does stands in its
// own file; the compiler asks for the rest of its lines here.

import Virtio

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
    /// Memory that the guest plugs and unplugs while it runs.
    case memory(Memory)
    /// A folder of the host's.
    case share(Share)
    /// A device whose back-end is another process.
    case vhostUser(VhostUser)
    /// A device whose model is in another process.
    case messages(Messages)
    /// An IOMMU, which all other devices are behind; at most one such device.
    case iommu

    var value: any DeviceKind {
      switch self {
      case .entropy: Entropy()
      case .block(let block): block
      case .network(let network): network
      case .console(let console): console
      case .scmi(let scmi): scmi
      case .memory(let memory): memory
      case .share(let share): share
      case .vhostUser(let device): device
      case .messages(let messages): messages
      case .iommu: IOMMU()
      }
    }

    mutating func changePaths(_ change: (String) -> String) {
      func changed<Value: DeviceKind>(_ value: Value) -> Value {
        var value = value
        value.changePaths(change)
        return value
      }
      switch self {
      case .entropy, .network, .memory, .iommu: break
      case .block(let block): self = .block(changed(block))
      case .console(let console): self = .console(changed(console))
      case .scmi(let scmi): self = .scmi(changed(scmi))
      case .share(let share): self = .share(changed(share))
      case .vhostUser(let device): self = .vhostUser(changed(device))
      case .messages(let messages): self = .messages(changed(messages))
      }
    }

    var name: KindName {
      switch self {
      case .entropy: .entropy
      case .block: .block
      case .network: .network
      case .console: .console
      case .scmi: .scmi
      case .memory: .memory
      case .share: .share
      case .vhostUser: .vhostUser
      case .messages: .messages
      case .iommu: .iommu
      }
    }

    /// What a coded configuration has under a kind's name.
    init(_ name: KindName, _ object: CodedObject) throws {
      let key = CodedKey(stringValue: name.rawValue)
      switch name {
      case .entropy:
        let _: Entropy = try object.value(key)
        self = .entropy
      case .block: self = .block(try object.value(key))
      case .network: self = .network(try object.value(key))
      case .console: self = .console(try object.value(key))
      case .scmi: self = .scmi(try object.value(key))
      case .memory: self = .memory(try object.value(key))
      case .share: self = .share(try object.value(key))
      case .vhostUser: self = .vhostUser(try object.value(key))
      case .messages: self = .messages(try object.value(key))
      case .iommu:
        let _: IOMMU = try object.value(key)
        self = .iommu
      }
    }
  }

  /// The names of the kinds, for events, the report and a coded configuration.
  enum KindName: String, CaseIterable {
    case entropy
    case block
    case network
    case console
    case scmi
    case memory
    case share
    case vhostUser
    case messages
    case iommu
  }

  /// The properties of a device, those of its kind included.
  public enum Property: Hashable, Sendable, CaseIterable, CustomStringConvertible {
    /// The device itself.
    case whole
    case window
    /// A disk's.
    case block(Block.Property)
    /// A network card's.
    case network(Network.Property)
    /// A console device's.
    case console(Console.Property)
    /// An SCMI device's.
    case scmi(SCMI.Property)
    /// Of a region of hot-plug memory.
    case memory(Memory.Property)
    /// A share's.
    case share(Share.Property)
    /// Of a device whose back-end is another process.
    case vhostUser(VhostUser.Property)
    /// Of a device in another process.
    case messages(Messages.Property)

    /// One of each, with 0 for each index.
    public static var allCases: [Property] {
      [.whole, .window] + Block.Property.allCases.map { .block($0) } + Network.Property.allCases.map { .network($0) }
        + Console.Property.allCases.map { .console($0) } + SCMI.Property.allCases.map { .scmi($0) }
        + Memory.Property.allCases.map { .memory($0) } + Share.Property.allCases.map { .share($0) }
        + VhostUser.Property.allCases.map { .vhostUser($0) } + Messages.Property.allCases.map { .messages($0) }
    }

    public var description: String {
      switch self {
      case .whole: "device"
      case .window: "window"
      case .block(let property): "block.\(property.rawValue)"
      case .network(let property): "network.\(property)"
      case .console(let property): "console.\(property)"
      case .scmi(let property): "scmi.\(property.rawValue)"
      case .memory(let property): "memory.\(property.rawValue)"
      case .share(let property): "share.\(property.rawValue)"
      case .vhostUser(let property): "vhostUser.\(property.rawValue)"
      case .messages(let property): "messages.\(property.rawValue)"
      }
    }
  }
}

extension Configuration.Device.Messages.Model {
  /// The same device in the machine's own process, as far as it is needed to know what it takes.
  var kind: any DeviceKind {
    switch self {
    case .entropy: Configuration.Device.Entropy()
    case .block: Configuration.Device.Block(path: "")
    case .scmi: Configuration.Device.SCMI(path: "")
    }
  }

  /// What a driver knows it by.
  var identifier: VirtioDeviceIdentifier {
    switch self {
    case .entropy: .entropy
    case .block: .block
    case .scmi: .scmi
    }
  }

  /// Opens the platform that another process serves, for what the guest is told of it.
  func openPlatform(path: String, agent: String?, device index: Int) throws(ConfigurationError) -> SCMIPlace? {
    try Configuration.Device.SCMI(path: path, agent: agent).openPlatform(nil, device: index)
  }
}
