internal import GuestMemory
internal import Virtio

// Numbers of the IOMMU device (virtio 1.3, 5.13).

/// Feature bits (5.13.3). Not among them: BYPASS (3) and BYPASS_CONFIG (6), by which a device would reach memory that
/// nothing maps, and MMIO (5).
enum IOMMUFeature {
  /// VIRTIO_IOMMU_F_INPUT_RANGE.
  static let inputRange = VirtioFeatures(bit: 0)
  /// VIRTIO_IOMMU_F_DOMAIN_RANGE.
  static let domainRange = VirtioFeatures(bit: 1)
  /// VIRTIO_IOMMU_F_MAP_UNMAP.
  static let mapUnmap = VirtioFeatures(bit: 2)
  /// VIRTIO_IOMMU_F_PROBE.
  static let probe = VirtioFeatures(bit: 4)
}

/// Offsets in the configuration space (5.13.4).
enum IOMMUField {
  static let pageSizeMask = 0
  static let inputStart = 8
  static let inputEnd = 16
  static let domainStart = 24
  static let domainEnd = 28
  static let probeSize = 32
  /// In bytes. What follows the probe size is for BYPASS_CONFIG, and zero.
  static let size = 40
}

/// Types of requests (5.13.6).
enum IOMMURequestType: UInt8 {
  /// VIRTIO_IOMMU_T_ATTACH.
  case attach = 1
  /// VIRTIO_IOMMU_T_DETACH.
  case detach = 2
  /// VIRTIO_IOMMU_T_MAP.
  case map = 3
  /// VIRTIO_IOMMU_T_UNMAP.
  case unmap = 4
  /// VIRTIO_IOMMU_T_PROBE.
  case probe = 5

  /// What the driver writes of it behind the head, in bytes.
  var size: Int {
    switch self {
    case .attach, .detach: 16
    case .map: 32
    case .unmap: 24
    case .probe: 68
    }
  }
}

/// How large the parts of messages are, in bytes.
enum IOMMUMessage {
  static let headSize = 4
  static let tailSize = 4
  static let faultSize = 24
  /// What a PROBE has room for. There are no properties: nothing is reserved, and no page is larger than another.
  static let probeSize = 64
}

/// How a request ended (5.13.6.2).
public enum IOMMUStatus: UInt8, Sendable {
  /// VIRTIO_IOMMU_S_OK.
  case ok = 0
  /// VIRTIO_IOMMU_S_INVAL.
  case invalid = 4
  /// VIRTIO_IOMMU_S_RANGE.
  case range = 5
  /// VIRTIO_IOMMU_S_NOENT.
  case noEntry = 6
  /// VIRTIO_IOMMU_S_NOMEM.
  case noMemory = 8
}

/// An access that was refused, as the driver is told of it (5.13.6.9).
public struct IOMMUFault: Codable, Equatable, Sendable {
  /// Why an access leads nowhere.
  public enum Reason: UInt8, Codable, Sendable {
    /// VIRTIO_IOMMU_FAULT_R_DOMAIN: the endpoint is attached to no domain.
    case domain = 1
    /// VIRTIO_IOMMU_FAULT_R_MAPPING: nothing is mapped there, or not for that.
    case mapping = 2
  }

  /// Why.
  public var reason: Reason
  /// VIRTIO_IOMMU_FAULT_F_READ (1), _WRITE (2) and _ADDRESS (0x100).
  public var flags: UInt32
  /// The number of the device that asked.
  public var endpoint: UInt32
  /// The first address that led nowhere.
  public var address: UInt64

  public init(reason: Reason, flags: UInt32, endpoint: UInt32, address: UInt64) {
    self.reason = reason
    self.flags = flags
    self.endpoint = endpoint
    self.address = address
  }

  init(_ reason: Reason, _ access: DMAPermissions, endpoint: UInt32, at address: UInt64) {
    self.init(reason: reason, flags: 0x100 | UInt32(access.rawValue), endpoint: endpoint, address: address)
  }

  /// "struct virtio_iommu_fault", of ``IOMMUMessage/faultSize`` bytes.
  var bytes: [UInt8] {
    var bytes = [UInt8](repeating: 0, count: IOMMUMessage.faultSize)
    bytes.store(reason.rawValue, at: 0)
    bytes.store(flags, at: 4)
    bytes.store(endpoint, at: 8)
    bytes.store(address, at: 16)
    return bytes
  }
}
