public import GuestMemory

/// How far a queue's device side has come. Both count modulo 2¹⁶.
public struct QueuePosition: Codable, Equatable, Sendable {
  /// The index in the available ring of the next chain to take.
  public var nextAvailable: UInt16
  /// The index in the used ring of the next chain to give back.
  public var nextUsed: UInt16

  public init(nextAvailable: UInt16 = 0, nextUsed: UInt16 = 0) {
    self.nextAvailable = nextAvailable
    self.nextUsed = nextUsed
  }
}

/// A split virtqueue as the driver set it up (virtio 1.3, 2.7): what a device needs to use it, in this process or in
/// another one.
public struct QueueConfiguration: Equatable, Sendable {
  /// In descriptors: a power of two from 1 to 32768.
  public var size: UInt16
  /// 16 bytes for each descriptor, aligned to 16.
  public var descriptorTable: UInt64
  /// The available ring, aligned to 2.
  public var driverArea: UInt64
  /// The used ring, aligned to 4.
  public var deviceArea: UInt64
  /// 0 but for a queue that goes on where an earlier one was suspended.
  public var position: QueuePosition

  public init(
    size: UInt16,
    descriptorTable: UInt64,
    driverArea: UInt64,
    deviceArea: UInt64,
    position: QueuePosition = QueuePosition()
  ) {
    self.size = size
    self.descriptorTable = descriptorTable
    self.driverArea = driverArea
    self.deviceArea = deviceArea
    self.position = position
  }

  // Sizes of the three parts in bytes (virtio 1.3, 2.7), always with the field for event indices: a driver that lays
  // out its rings as the specification's table says has it.
  var descriptorTableSize: UInt64 { 16 * UInt64(size) }
  var driverAreaSize: UInt64 { 6 + 2 * UInt64(size) }
  var deviceAreaSize: UInt64 { 6 + 8 * UInt64(size) }

  /// Why these numbers can't be a queue's; `nil` when they can. Whether the device reaches what they name is another
  /// question: ``isReached(in:)``.
  ///
  /// - Parameters:
  ///   - requestedSize: what the driver wrote as size: any 32-bit number.
  ///   - maximumSize: what the device offered.
  ///   - descriptorTable: the guest address.
  ///   - driverArea: the guest address.
  ///   - deviceArea: the guest address.
  public static func fault(
    requestedSize: UInt32,
    maximumSize: UInt16,
    descriptorTable: UInt64,
    driverArea: UInt64,
    deviceArea: UInt64
  ) -> DriverFault? {
    guard requestedSize != 0 else { return .queueSizeZero }
    guard requestedSize <= UInt32(maximumSize) else { return .queueSizeTooLarge }
    guard requestedSize.nonzeroBitCount == 1 else { return .queueSizeNotPowerOfTwo }
    guard descriptorTable % 16 == 0, driverArea % 2 == 0, deviceArea % 4 == 0 else { return .ringMisaligned }
    return nil
  }

  /// Whether all three parts lie in `window`.
  public func lies(in window: GuestRange) -> Bool {
    window.contains(GuestAddress(descriptorTable), count: descriptorTableSize)
      && window.contains(GuestAddress(driverArea), count: driverAreaSize)
      && window.contains(GuestAddress(deviceArea), count: deviceAreaSize)
  }

  /// Whether a device can use the queue: all of each part is for what the device does with it.
  public func isReached(in view: DMAView) -> Bool {
    view.covers(descriptorTable, count: descriptorTableSize, for: .read)
      && view.covers(driverArea, count: driverAreaSize, for: .read)
      && view.covers(deviceArea, count: deviceAreaSize, for: .write)
  }

  /// Tells whoever translates the device's addresses of the first byte that it does not reach of the queue.
  func tellOfRefusal(in view: DMAView) {
    _ =
      view.tellOfRefusal(descriptorTable, count: descriptorTableSize, for: .read)
      || view.tellOfRefusal(driverArea, count: driverAreaSize, for: .read)
      || view.tellOfRefusal(deviceArea, count: deviceAreaSize, for: .write)
  }

  /// Whether a part has bytes in a run of addresses.
  func touches(_ run: ClosedRange<UInt64>) -> Bool {
    func overlaps(_ start: UInt64, _ count: UInt64) -> Bool {
      start <= run.upperBound && start &+ (count - 1) >= run.lowerBound
    }
    return overlaps(descriptorTable, descriptorTableSize) || overlaps(driverArea, driverAreaSize)
      || overlaps(deviceArea, deviceAreaSize)
  }
}
