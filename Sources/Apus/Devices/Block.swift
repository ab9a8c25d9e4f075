import GuestABI
import HostBackends
import Virtio
import VirtioDevices
import VirtioMMIO

extension Configuration.Device {
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

    /// The properties, by their names.
    public enum Property: String, CaseIterable, Sendable {
      case path
      case isReadOnly
      case serial
      case queueCount
    }

    /// A disk that the guest may write.
    public init(path: String) {
      self.path = path
    }
  }
}

extension Configuration.Device.Block: Codable {
  /// - Throws: `DecodingError` for a disk without a path, and for an unknown key.
  public init(from decoder: any Decoder) throws {
    let object = try CodedObject(decoder, keys: Property.allCases.map(\.rawValue))
    self.init(path: try object.value("path"))
    try object.read("isReadOnly", into: &isReadOnly)
    try object.read("serial", into: &serial)
    try object.read("queueCount", into: &queueCount)
  }

  public func encode(to encoder: any Encoder) throws {
    var container = encoder.container(keyedBy: CodedKey.self)
    try container.encode(path, forKey: "path")
    try container.encode(isReadOnly, forKey: "isReadOnly")
    try container.encode(serial, forKey: "serial")
    try container.encode(queueCount, forKey: "queueCount")
  }
}

extension Configuration.Device.Block: DeviceKind {
  func problems(device index: Int) -> [ConfigurationError.Problem] {
    var problems: [ConfigurationError.Problem] = []
    if serial.utf8.count > 20 || !serial.utf8.allSatisfy({ 0x21...0x7E ~= $0 }) {
      let reason: ConfigurationError.Reason = "a serial number has at most 20 printable ASCII characters"
      problems.append(.init(.usage, .device(index, .block(.serial)), reason))
    }
    if !(1...16).contains(queueCount) {
      problems.append(.init(.usage, .device(index, .block(.queueCount)), "a disk has 1 to 16 queues"))
    }
    return problems
  }

  mutating func changePaths(_ change: (String) -> String) {
    path = change(path)
  }

  func files(device index: Int) -> [NamedFile] {
    [NamedFile(.needed, at: .device(index, .block(.path)), path)]
  }

  func claims(device index: Int) -> [DeviceClaim] {
    let place = Configuration.Path.device(index, .block(.path))
    return [
      DeviceClaim(place: place, subject: .file(path: path, isReadOnly: isReadOnly)) { [path] _ in
        "the image '\(path)' is another disk's, too; copy it, or give both readonly"
      }
    ]
  }

  /// As many segments as there are descriptors, none of them larger than the device takes.
  var windowNeed: UInt64 {
    let queue = 2 * DriverMemory.page + UInt64(QueueSize.block) * UInt64(BlockSegment.maximum)
    return UInt64(queueCount) * queue
  }

  func open(
    device index: Int,
    of configuration: Configuration,
    platform: SCMIPlace?
  ) throws(ConfigurationError) -> DeviceResource? {
    do {
      return BlockResource(self, try DiskImage(path: path, isReadOnly: isReadOnly))
    } catch {
      // Where another disk of this machine has it, the check of the claims has said so.
      if case .inUse = error, configuration.isRefused(claims(device: index)) { return nil }
      throw ConfigurationError(error.kind, .device(index, .block(.path)), .init(error))
    }
  }

  func openServed(_ place: ServicePlace) throws -> ServedModel? {
    let image: DiskImage
    do throws(DiskError) {
      image = try DiskImage(path: path, isReadOnly: isReadOnly)
    } catch {
      throw ConfigurationError(error.kind, .device(0, .block(.path)), .init(error))
    }
    let backend = try FileBlockBackend(image, name: "block", logger: place.logger)
    let device = makeBlockDevice(name: "block", backend: backend, serial: serial, queueCount: queueCount)
    try backend.connect(place.loop) { [unowned device] in device.backendReady() }
    return ServedModel(device: device) { backend.shutDown() }
  }

  func plan(_ place: Board.DevicePlace, _ checked: CheckedConfiguration) -> (any Encodable & Sendable)? {
    Plan.Device.Block(path: path, readOnly: isReadOnly, serial: serial, queues: queueCount)
  }
}

extension Plan.Device {
  /// A disk's part.
  public var block: Block? { part as? Block }

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
}

/// A disk's image, open and locked from the configuration's check to the end of the run.
final class BlockResource: DeviceResource, @unchecked Sendable {
  // SAFETY: @unchecked: once the run has begun it is the device thread's alone.

  private let block: Configuration.Device.Block
  private let disk: DiskImage
  /// The present boot's.
  private var backend: FileBlockBackend?
  private weak var device: BlockDevice<FileBlockBackend>?
  private weak var transport: MMIOTransport?
  /// Whether there are workers who wait for the disk for ever.
  private var isLeft = false

  init(_ block: Configuration.Device.Block, _ image: DiskImage) {
    self.block = block
    disk = image
  }

  override func makeDevice(_ place: BootPlace) throws -> any VirtioDevice {
    let backend = try FileBlockBackend(disk, name: place.place.name, logger: place.logger)
    self.backend = backend
    let device = makeBlockDevice(
      name: place.place.name,
      backend: backend,
      serial: block.serial,
      queueCount: block.queueCount
    )
    self.device = device
    try backend.connect(place.loop) { [unowned device] in device.backendReady() }
    return device
  }

  override func plugged(into transport: MMIOTransport) { self.transport = transport }

  override var image: DiskImage? { disk }

  override func imageChanged() {
    backend?.imageChanged()
    device?.capacityChanged()
  }

  override func change(to image: DiskImage, _ finished: @escaping @Sendable (DiskError?) -> Void) {
    guard let transport else { preconditionFailure("a device has a transport before anybody asks it for something") }
    transport.whileAtRest { [self] in
      do throws(DiskError) {
        try disk.replace(with: image)
      } catch {
        return finished(error)
      }
      imageChanged()
      finished(nil)
    }
  }

  override func savedState(_ wishes: SnapshotWishes) -> (any VersionedState)? {
    try? disk.identity(hasChecksum: wishes.hasDiskChecksums)
  }

  override func decodeState(from decoder: any Decoder) throws -> any VersionedState {
    try Versioned<DiskIdentity>(from: decoder).state
  }

  override func mismatches(with state: (any VersionedState)?, _ wishes: RestoreWishes) -> [String] {
    guard let saved = state as? DiskIdentity else {
      return ["the snapshot does not say which disk it was; it is damaged, or another machine's"]
    }
    do throws(DiskError) {
      let isRead = saved.checksum != nil && !wishes.acceptsOtherDisks && saved.size == disk.size
      let present = try disk.identity(hasChecksum: isRead)
      return saved.difference(to: present, acceptsOthers: wishes.acceptsOtherDisks).map { [$0] } ?? []
    } catch {
      return ["\(error)"]
    }
  }

  override func stop() { backend?.stop() }

  override var isWorking: Bool { backend?.isWorking ?? false }

  override func abandon() -> String {
    backend?.abandonWorkers()
    isLeft = true
    return "disk '\(disk.path)' does not answer: what waits for it is left behind"
  }

  override func release() {
    backend?.shutDown()
    backend = nil
  }

  override func close() {
    // Whoever waits for the machine's end may open the image at once. Workers that were left may write there yet.
    if !isLeft { disk.unlock() }
  }
}
