internal import BootImage
import GuestABI
import GuestMemory

/// What a configuration comes to, before anything is started: what a dry run prints.
public struct Plan: Sendable, Encodable {
  /// The machine's name.
  public let name: String
  /// The machine's identity.
  public let uuid: String
  /// How many vCPUs.
  public let cpus: Int
  /// Bytes of RAM.
  public let memory: UInt64
  /// The interrupt controller's version, where no host says otherwise.
  public let gic: Int
  /// The payload's file.
  public let payload: String
  /// What the payload is, in words for people; nil where the machine goes on from a snapshot.
  public let payloadKind: String?
  /// The hypervisor that the guest finds: `kvm` or `gunyah`.
  public let personality: String
  /// What it finds of Gunyah, or nil.
  public let gunyah: Gunyah?
  /// Where the first vCPU starts, or nil.
  public let entry: UInt64?
  /// Where the device tree goes, or nil.
  public let deviceTree: UInt64?
  /// Where the initramfs goes, with its size, or nil.
  public let initramfs: Region?
  /// The kernel's command line.
  public let commandLine: String
  /// The device tree's overlays, in the order in which they are applied.
  public let deviceTreeOverlays: [String]
  /// What accesses to addresses where nothing is come to: `fault` or `zero`.
  public let unmapped: String
  /// Every range of addresses at which something is.
  public let memoryMap: [Region]
  /// Where the console leads: ``Configuration/Console/description``.
  public let console: String
  /// What devices may reach: `confined` to their windows, `shadow` for copies, `open` for all of RAM, or
  /// `iommu` for what is mapped.
  public let dma: String
  /// The virtio devices in the order of their addresses.
  public let devices: [Device]

  /// A named range of guest-physical addresses.
  public struct Region: Sendable, Encodable {
    /// What is there.
    public let name: String
    /// The first address.
    public let start: UInt64
    /// In bytes.
    public let size: UInt64
  }
}

extension Plan {
  /// - Parameter gunyah: what the guest finds of Gunyah, or nil.
  init(_ checked: CheckedConfiguration, gunyah: Gunyah?) {
    let (configuration, board, placement) = (checked.configuration, checked.board, checked.boot?.placement)
    name = configuration.name
    uuid = checked.uuid.description
    cpus = board.cpuCount
    memory = board.map.ram.size
    gic = board.gic.rawValue
    payload = configuration.payload.path
    payloadKind = checked.boot?.image.kindName
    personality = configuration.personality.rawValue
    self.gunyah = gunyah
    entry = placement?.entry.rawValue
    deviceTree = placement?.deviceTree.start.rawValue
    initramfs = placement?.initramfs.map { Region(name: "initramfs", $0) }
    commandLine = board.commandLine
    deviceTreeOverlays = configuration.deviceTreeOverlays
    unmapped = configuration.unmapped.rawValue
    memoryMap = board.regions.map { Region(name: $0.name, $0.range) }
    console = "\(configuration.console)"
    dma = configuration.reachName
    devices = board.devices.map { Device($0, configuration.devices[$0.index], checked) }
  }
}

extension Plan.Region {
  init(name: String, _ range: GuestRange) {
    self.init(name: name, start: range.start.rawValue, size: range.size)
  }
}

extension BootImageDescription {
  var kindName: String {
    let name =
      switch kind {
      case .linux: "Linux Image"
      case .executable: "ELF executable"
      case .raw: "raw binary"
      }
    switch packaging {
    case .plain: return name
    case .gzip: return name + ", gzip"
    case .efiZboot(let compression): return name + ", EFI zboot with " + compression.rawValue
    }
  }
}
