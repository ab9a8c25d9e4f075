/// Feature bits (virtio 1.3, 2.2): what a device offers, or what a driver accepted of it.
///
/// Bits 0–23 and 50–63 are the device type's, the others the transport's and the queues'.
public struct VirtioFeatures: OptionSet, Codable, Hashable, Sendable {
  public let rawValue: UInt64

  @inlinable
  public init(rawValue: UInt64) {
    self.rawValue = rawValue
  }

  /// A device type's own bit.
  @inlinable
  public init(bit: Int) {
    precondition((0..<64).contains(bit), "feature bits are 0 to 63")
    self.rawValue = 1 << UInt64(bit)
  }

  // Reserved feature bits (virtio 1.3, 6).

  /// VIRTIO_F_INDIRECT_DESC: a descriptor may name a table of descriptors.
  public static let indirectDescriptors = VirtioFeatures(bit: 28)
  /// VIRTIO_F_EVENT_IDX: each side says at which index it wants to be notified.
  public static let eventIndex = VirtioFeatures(bit: 29)
  /// VIRTIO_F_VERSION_1: not a legacy device.
  public static let version1 = VirtioFeatures(bit: 32)
  /// VIRTIO_F_ACCESS_PLATFORM: the device reaches only what the platform grants it.
  public static let accessPlatform = VirtioFeatures(bit: 33)
  /// VIRTIO_F_RING_RESET: one queue can be reset alone.
  public static let ringReset = VirtioFeatures(bit: 40)

  /// What ``SplitVirtqueue`` can do, offered by each device whose queues are processed here.
  public static let splitVirtqueue: VirtioFeatures = [.indirectDescriptors, .eventIndex]
}

extension VirtioFeatures: CustomStringConvertible {
  public var description: String { "0x" + String(rawValue, radix: 16) }
}
