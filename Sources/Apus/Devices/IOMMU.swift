import GuestABI
import Virtio
import VirtioDevices
import VirtioMMIO

extension Configuration.Device {
  /// An IOMMU, which there is nothing to say about.
  struct IOMMU {}
}

extension Configuration.Device.IOMMU: DeviceKind {
  init(from decoder: any Decoder) throws {
    _ = try CodedObject(decoder, keys: [])
  }

  func encode(to encoder: any Encoder) throws {
    _ = encoder.container(keyedBy: CodedKey.self)
  }

  var countLimit: Int { 1 }

  func problem(ofSeveral count: Int) -> ConfigurationError.Reason? {
    "a machine has one IOMMU, not \(count)"
  }

  var isIOMMU: Bool { true }

  /// Two descriptors for each of 64 requests, and each buffer of the events.
  var windowNeed: UInt64 { 4 * DriverMemory.page + 2 * UInt64(QueueSize.iommu) * DriverMemory.smallestBuffer }

  func open(
    device index: Int,
    of configuration: Configuration,
    platform: SCMIPlace?
  ) throws(ConfigurationError) -> DeviceResource? {
    IOMMUResource()
  }

  func plan(_ place: Board.DevicePlace, _ checked: CheckedConfiguration) -> (any Encodable & Sendable)? {
    Plan.Device.IOMMU(endpoints: checked.board.devices.compactMap(\.endpoint))
  }
}

extension Plan.Device {
  /// The part of an IOMMU.
  public var iommu: IOMMU? { part as? IOMMU }

  /// Who is behind it.
  public struct IOMMU: Sendable, Encodable {
    /// The numbers of the devices behind it, as the device tree has them.
    public let endpoints: [UInt32]
  }
}

extension Report.Device {
  /// The part of an IOMMU.
  public var iommu: IOMMU? { part as? IOMMU }

  /// What it has translated and refused.
  public struct IOMMU: Sendable, Encodable {
    /// How many mappings there were at the end.
    public let mappings: Int
    /// The most mappings at the same time.
    public let mostMappings: Int
    /// How many accesses of devices led nowhere.
    public let faults: UInt64
    /// Of how many of them the driver was not told, since it had no buffer for them.
    public let lostFaults: UInt64
    /// How many requests had to wait for a device that used what was taken away.
    public let waits: UInt64
    /// How many requests of the driver's there were.
    public let requests: Requests

    /// Counts of requests.
    public struct Requests: Sendable, Encodable {
      /// How many devices were attached to a domain.
      public let attaches: UInt64
      /// How many were taken out of one.
      public let detaches: UInt64
      /// How many mappings were made.
      public let maps: UInt64
      /// How many requests to take mappings away were done.
      public let unmaps: UInt64
      /// How many requests of any kind were refused.
      public let refused: UInt64
    }
  }
}

/// An IOMMU is made anew for each boot, with the devices behind it.
final class IOMMUResource: DeviceResource {
  /// The present boot's.
  private var device: IOMMUDevice?

  override func makeDevice(_ place: BootPlace) -> any VirtioDevice {
    guard let iommu = place.iommu else { preconditionFailure("a machine with such a device has an IOMMU") }
    let device = IOMMUDevice(name: place.place.name, iommu: iommu)
    self.device = device
    return device
  }

  override func plugged(into transport: MMIOTransport) {
    device?.whenReady = { [unowned transport] in transport.kickAgain(queue: 0) }
  }

  /// The others find their queues through it.
  override var isRestoredFirst: Bool { true }

  override func release() { device = nil }

  override var report: (any Encodable & Sendable)? {
    guard let iommu = device?.iommu else { return nil }
    let counters = iommu.counters
    return Report.Device.IOMMU(
      mappings: iommu.mappings,
      mostMappings: counters.mostMappings,
      faults: counters.faults,
      lostFaults: counters.lostFaults,
      waits: counters.waits,
      requests: .init(
        attaches: counters.attaches,
        detaches: counters.detaches,
        maps: counters.maps,
        unmaps: counters.unmaps,
        refused: counters.refusals
      )
    )
  }
}
