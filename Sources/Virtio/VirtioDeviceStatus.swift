/// The device status field (virtio 1.3, 2.1).
public struct VirtioDeviceStatus: OptionSet, Codable, Hashable, Sendable {
  public let rawValue: UInt8

  @inlinable
  public init(rawValue: UInt8) {
    self.rawValue = rawValue
  }

  /// ACKNOWLEDGE: the guest found the device.
  public static let acknowledge = VirtioDeviceStatus(rawValue: 1)
  /// DRIVER: the guest knows how to drive it.
  public static let driver = VirtioDeviceStatus(rawValue: 2)
  /// DRIVER_OK: the driver is set up, the device may use its queues.
  public static let driverOK = VirtioDeviceStatus(rawValue: 4)
  /// FEATURES_OK: the features are agreed upon.
  public static let featuresOK = VirtioDeviceStatus(rawValue: 8)
  /// DEVICE_NEEDS_RESET: the device met an error that it can't recover from. Set by the device alone.
  public static let deviceNeedsReset = VirtioDeviceStatus(rawValue: 64)
  /// FAILED: the driver gave the device up.
  public static let failed = VirtioDeviceStatus(rawValue: 128)

  /// What a driver may write.
  public static let writable: VirtioDeviceStatus = [.acknowledge, .driver, .driverOK, .featuresOK, .failed]

  /// Those steps of the initialization that come before one that is there, and are not there (virtio 1.3, 3.1.1).
  public var missingSteps: VirtioDeviceStatus {
    let steps: [VirtioDeviceStatus] = [.acknowledge, .driver, .featuresOK, .driverOK]
    guard let last = steps.lastIndex(where: { contains($0) }) else { return [] }
    return VirtioDeviceStatus(steps[..<last]).subtracting(self)
  }
}
