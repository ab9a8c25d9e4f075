import GuestABI
import GuestMemory
import Virtio
import VirtioDevices
import VirtioMMIO

extension Configuration.Device {
  /// Memory that the guest plugs and unplugs while it runs: a region of addresses behind all others.
  public struct Memory: Equatable, Sendable {
    /// The region's name, which no other one has: 1 to 32 lower-case letters, digits and hyphens.
    public var name = defaultName
    /// Bytes of the region, which is as much as the guest can have: a multiple of 128 MiB and of the block size.
    public var size: UInt64
    /// How many bytes the guest is to have at its start: a multiple of the block size.
    public var initialSize: UInt64 = 0
    /// Bytes of a block, in which the guest plugs and unplugs: a power of two, 2 MiB at least.
    public var blockSize: UInt64 = 2 << 20

    /// The name of a region that is given none.
    public static let defaultName = "hotplug"

    /// The properties, by their names.
    public enum Property: String, CaseIterable, Sendable {
      case name
      case size
      case initialSize
      case blockSize
    }

    /// A region of so many bytes, of which the guest has none at its start.
    public init(size: UInt64) {
      self.size = size
    }
  }
}

extension Configuration.Device.Memory: Codable {
  /// - Throws: `DecodingError` for a region without a size, and for an unknown key.
  public init(from decoder: any Decoder) throws {
    let object = try CodedObject(decoder, keys: Property.allCases.map(\.rawValue))
    let size: CodedByteCount = try object.value("size")
    self.init(size: size.count)
    try object.read("name", into: &name)
    var (initial, block) = (CodedByteCount(initialSize), CodedByteCount(blockSize))
    try object.read("initialSize", into: &initial)
    try object.read("blockSize", into: &block)
    (initialSize, blockSize) = (initial.count, block.count)
  }

  public func encode(to encoder: any Encoder) throws {
    var container = encoder.container(keyedBy: CodedKey.self)
    try container.encode(name, forKey: "name")
    try container.encode(CodedByteCount(size), forKey: "size")
    try container.encode(CodedByteCount(initialSize), forKey: "initialSize")
    try container.encode(CodedByteCount(blockSize), forKey: "blockSize")
  }
}

extension Configuration.Device.Memory: DeviceKind {
  func problems(device index: Int) -> [ConfigurationError.Problem] {
    var problems: [ConfigurationError.Problem] = []
    func add(_ property: Property, _ reason: ConfigurationError.Reason) {
      problems.append(.init(.usage, .device(index, .memory(property)), reason))
    }
    if !Configuration.isPlainName(name) { add(.name, "a region's name has 1 to 32 of a-z, 0-9 and '-'") }
    let isBlock = blockSize.nonzeroBitCount == 1 && blockSize >= MemoryMap.smallestHotplugBlock
    if !isBlock { add(.blockSize, "a block is a power of two of 2 MiB at least, not \(blockSize) bytes") }
    let granule = MemoryMap.hotplugGranule
    if size == 0 || size % granule != 0 || size > Configuration.memorySizeLimit {
      let limit = Configuration.memorySizeLimit >> 40
      add(.size, "a region is a multiple of 128 MiB up to \(limit)T, not \(size) bytes")
    } else if isBlock, size % blockSize != 0 {
      add(.blockSize, "a region of \(size) bytes is no whole number of blocks of \(blockSize) bytes")
    }
    if initialSize > size {
      add(.initialSize, "the guest cannot have \(initialSize) bytes of a region of \(size)")
    } else if isBlock, initialSize % blockSize != 0 {
      add(.initialSize, "\(initialSize) bytes are no whole number of blocks of \(blockSize) bytes")
    }
    return problems
  }

  var countLimit: Int { Configuration.hotplugRegionLimit }

  func problem(ofSeveral count: Int) -> ConfigurationError.Reason? {
    "a machine has at most \(countLimit) regions, not \(count)"
  }

  var hotplugMemory: HotplugMemoryWish? {
    HotplugMemoryWish(name: name, size: size, initialSize: initialSize, blockSize: blockSize)
  }

  /// One request at a time, and its answer.
  var windowNeed: UInt64 { DriverMemory.page + 2 * DriverMemory.smallestBuffer }

  func open(
    device index: Int,
    of configuration: Configuration,
    platform: SCMIPlace?
  ) throws(ConfigurationError) -> DeviceResource? {
    MemoryResource(self)
  }

  func plan(_ place: Board.DevicePlace, _ checked: CheckedConfiguration) -> (any Encodable & Sendable)? {
    let region = checked.board.hotplugRegions[place.ordinal]
    return Plan.Device.Memory(
      name: name,
      region: Plan.Region(name: MemoryMap.hotplugName, region.range),
      block: blockSize,
      requested: initialSize
    )
  }
}

extension Plan.Device {
  /// The part of a region of hot-plug memory.
  public var memory: Memory? { part as? Memory }

  /// A region of hot-plug memory.
  public struct Memory: Sendable, Encodable {
    /// The configuration's name.
    public let name: String
    /// Where it is.
    public let region: Plan.Region
    /// Bytes of a block.
    public let block: UInt64
    /// How many bytes the guest is to have at its start.
    public let requested: UInt64
  }
}

extension Report.Device {
  /// The part of a region of hot-plug memory.
  public var memory: Memory? { part as? Memory }

  /// A region of hot-plug memory.
  public struct Memory: Sendable, Encodable {
    /// The configuration's name.
    public let name: String
    /// Bytes of the whole region.
    public let size: UInt64
    /// Bytes of a block.
    public let block: UInt64
    /// How many bytes the guest was to have.
    public let requested: UInt64
    /// How many bytes it had.
    public let plugged: UInt64
    /// How many bytes of the host's memory the region had.
    public let resident: UInt64
    /// How many memory slots of KVM's there were over what was plugged.
    public let slots: Int
    /// How many requests of the driver's there were, by their answer.
    public let requests: Requests

    /// Counts of requests.
    public struct Requests: Sendable, Encodable {
      /// How many were done (ACK).
      public let acknowledged: UInt64
      /// How many would have plugged more than was requested (NACK).
      public let refused: UInt64
      /// How many could not be done: a limit, or no memory (BUSY).
      public let busy: UInt64
      /// How many broke the rules (ERROR).
      public let errors: UInt64
    }
  }
}

/// A region of hot-plug memory over all boots: of it only the requested size outlasts one.
final class MemoryResource: DeviceResource {
  private let memory: Configuration.Device.Memory
  private var requestedSize: UInt64
  /// The present boot's.
  private var region: HotplugRegion?
  private var device: MemoryDevice<HotplugRegion>?
  private var events: MachineEvents?

  init(_ memory: Configuration.Device.Memory) {
    self.memory = memory
    requestedSize = memory.initialSize
  }

  override func makeDevice(_ place: BootPlace) throws -> any VirtioDevice {
    let region = try HotplugRegion(
      place.board.hotplugRegions[place.place.ordinal],
      blockSize: memory.blockSize,
      machine: place.machine,
      mailbox: place.mailbox,
      budget: place.budget
    )
    let device = makeMemoryDevice(
      name: place.place.name,
      backend: region,
      region: region.place.range,
      blockSize: memory.blockSize,
      requestedSize: requestedSize
    )
    place.budget.regions.append(region)
    (self.region, self.device, events) = (region, device, place.events)
    region.onChange = { [unowned self] in tell() }
    return device
  }

  override func plugged(into transport: MMIOTransport) {
    region?.onReady = { [unowned self, unowned transport] in
      if device?.backendReady() == true { transport.kickAgain(queue: 0) }
    }
  }

  override func release() {
    (region, device) = (nil, nil)
  }

  /// The wish outlasts the boot.
  override func restored() {
    if let device { requestedSize = device.requestedSize }
  }

  override var copiedMemory: CopiedMemory? { region?.copied }

  override var hotplugMemory: HotplugMemoryStatus? {
    guard let region, let device else { return nil }
    return HotplugMemoryStatus(
      name: memory.name,
      address: region.place.range.start.rawValue,
      size: memory.size,
      blockSize: memory.blockSize,
      requested: device.requestedSize,
      plugged: device.pluggedSize,
      resident: region.residentSize
    )
  }

  override func setHotplugMemory(requested: UInt64) throws(HotplugMemoryError) {
    guard requested % memory.blockSize == 0 else {
      throw .notInBlocks(size: requested, blockSize: memory.blockSize)
    }
    guard requested <= memory.size else { throw .beyondRegion(size: requested, regionSize: memory.size) }
    requestedSize = requested
    device?.setRequestedSize(requested)
    tell()
  }

  private func tell() {
    guard let region, let device else { return }
    // The region knows it before the device does.
    let (requested, plugged) = (device.requestedSize, region.pluggedSize)
    events?.post(.hotplugMemory(name: memory.name, requested: requested, plugged: plugged))
  }

  override var report: (any Encodable & Sendable)? {
    guard let region, let device else { return nil }
    let counters = device.counters
    return Report.Device.Memory(
      name: memory.name,
      size: memory.size,
      block: memory.blockSize,
      requested: device.requestedSize,
      plugged: device.pluggedSize,
      resident: region.residentSize,
      slots: region.slotCount,
      requests: .init(
        acknowledged: counters.acknowledged,
        refused: counters.refused,
        busy: counters.busy,
        errors: counters.errors
      )
    )
  }
}
