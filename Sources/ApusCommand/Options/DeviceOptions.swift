import Apus
import ArgumentParser

// The kinds of device that the command has options for, each once in each of these lists. What an option takes, is
// called and comes to stands in the kind's own file; the compiler asks for the lines of the switches.

/// The machine's virtio devices.
struct DeviceOptions: ParsableArguments {
  @Option(name: BlockOption.names, help: BlockOption.help, transform: BlockOption.read) var block: [Setting] = []
  @Flag(help: EntropyOption.help) var entropy = false
  @Option(help: SCMIOption.help, transform: SCMIOption.read) var scmi: Setting?
  @Option(help: SCMIOption.transcriptHelp, transform: SCMIOption.readTranscript) var scmiTranscript: Setting?
  @Option(help: NetworkOption.help, transform: NetworkOption.read) var network: [Setting] = []
  @Option(help: ConsoleOption.help, transform: ConsoleOption.read) var console: Setting?
  @Option(
    name: MemoryOption.name,
    parsing: .unconditionalSingleValue,
    help: MemoryOption.help,
    transform: MemoryOption.read
  )
  var hotplugMemory: [Setting] = []
  @Option(help: ShareOption.help, transform: ShareOption.read) var share: [Setting] = []
  @Option(help: VhostUserOption.help, transform: VhostUserOption.read) var vhostUser: [Setting] = []
  @Option(help: MessagesOption.help, transform: MessagesOption.read) var messageDevice: [Setting] = []
  @Option(help: ConsoleOption.portHelp, transform: ConsoleOption.readPort) var port: [Setting] = []
  @Flag(help: IOMMUOption.help) var iommu = false

  @Option(
    help: ArgumentHelp(
      "What devices may reach: a window of this size, with 'shadow' copies of requests, with 'open' all of RAM.",
      discussion: "Guests without CONFIG_DMA_RESTRICTED_POOL (Debian's kernels) need 'shadow' or 'open'.",
      valueName: "size|shadow|open"
    ),
    transform: Setting.dma
  )
  var dma: Setting?

  var changes: [Setting] {
    block + (entropy ? [EntropyOption.setting] : []) + (iommu ? [IOMMUOption.setting] : []) + network + port
      + hotplugMemory + share + vhostUser + messageDevice
      + [scmi, console, scmiTranscript, dma].compactMap(\.self)
  }

  /// For ``QuickArguments``: of an option with a value.
  static func reader(of option: String) -> Setting.Reader? {
    switch option {
    case "--block", "--disk": BlockOption.read
    case "--scmi": SCMIOption.read
    case "--scmi-transcript": SCMIOption.readTranscript
    case "--network": NetworkOption.read
    case "--console": ConsoleOption.read
    case "--port": ConsoleOption.readPort
    case "--hotplug-memory": MemoryOption.read
    case "--share": ShareOption.read
    case "--vhost-user": VhostUserOption.read
    case "--message-device": MessagesOption.read
    default: nil
    }
  }

  /// For ``QuickArguments``: of an option without one.
  static func setting(of option: String) -> Setting? {
    switch option {
    case "--entropy": EntropyOption.setting
    case "--iommu": IOMMUOption.setting
    default: nil
    }
  }

  /// For ``ArgumentWords``: the options without a value.
  static let flags = ["--entropy", "--iommu"]
  /// For ``ArgumentWords``: those of which each adds to those before it.
  static let adding = [
    "--block", "--disk", "--network", "--port", "--hotplug-memory", "--share", "--vhost-user", "--message-device",
  ]
  /// All that add a device, for people.
  static let all =
    "--block, --entropy, --network, --console, --port, --scmi, --hotplug-memory, --share, --vhost-user, --message-device "
    + "and --iommu"
}

extension Configuration.Device {
  /// The devices of a command line stand in this order of their kinds, from 0, and those of a kind in the options'
  /// order.
  var rank: Int {
    switch kind {
    case .block: 0
    case .entropy: 1
    case .network: 2
    case .scmi: 3
    case .console: 4
    case .memory: 5
    case .share: 6
    case .vhostUser: 7
    case .messages: 8
    case .iommu: 9
    }
  }

  /// The option that adds such a device.
  var option: String {
    switch kind {
    case .entropy: "--entropy"
    case .block: "--block"
    case .network: "--network"
    case .console(let console): ConsoleOption.name(of: console)
    case .scmi: "--scmi"
    case .memory: "--hotplug-memory"
    case .iommu: "--iommu"
    case .share: "--share"
    case .vhostUser: "--vhost-user"
    case .messages: "--message-device"
    }
  }

  /// For `apus device serve`: what stands behind a type's name and a comma, or nothing.
  ///
  /// - Throws: what is wrong with the text, and what would be right.
  static func served(_ type: String, _ text: String?) throws(DeviceTextError) -> Configuration.Device {
    switch (type, text) {
    case ("entropy", nil): return Configuration.Device(.entropy)
    case ("entropy", _?): throw DeviceTextError("entropy has no settings")
    case ("block", let text?): return try block(text)
    case ("block", nil): throw DeviceTextError("the image's path is missing: block,PATH")
    case ("scmi", let text?): return try scmi(text)
    case ("scmi", nil): throw DeviceTextError("the platform file's path is missing: scmi,PATH")
    default: throw DeviceTextError("'\(type)' is no device that can be served; there are entropy, block and scmi")
    }
  }

  /// The option for a property.
  ///
  /// - Parameter device: nil for one that could be added.
  static func option(_ property: Property, of device: Configuration.Device?) -> String {
    switch property {
    case .whole: device?.option ?? DeviceOptions.all
    case .window: "\(device?.option ?? "--block") window=\(device?.window ?? "NAME")"
    case .block(let property): BlockOption.name(property, of: device)
    case .network(let property): NetworkOption.name(property, of: device)
    case .console(let property): ConsoleOption.name(property, of: device)
    case .scmi(let property): SCMIOption.name(property, of: device)
    case .memory(let property): MemoryOption.name(property, of: device)
    case .share(let property): ShareOption.name(property, of: device)
    case .vhostUser(let property): VhostUserOption.name(property, of: device)
    case .messages(let property): MessagesOption.name(property, of: device)
    }
  }
}
