/// What a driver did wrong. The machine goes on; the device enters the state that the specification asks for.
public enum DriverFault: String, Error, CaseIterable, Sendable {
  // In a queue (virtio 1.3, 2.7). The device sets DEVICE_NEEDS_RESET.
  case descriptorOutsideWindow = "a descriptor lies outside the DMA window"
  case descriptorCrossesWindowEnd = "a descriptor begins in the DMA window and ends outside"
  case descriptorReadOnly = "a device-writable descriptor lies in memory that the device may only read"
  case descriptorWriteOnly = "a device-readable descriptor lies in memory that the device may only write"
  case tooManyPieces = "the buffers of a request lie in too many pieces of memory"
  case requestTooLarge = "a request is larger than the memory through which its device gets it"
  case descriptorAddressOverflow = "a descriptor's address and length overflow"
  case descriptorLengthZero = "a descriptor has length zero"
  case chainTooLong = "a descriptor chain is longer than the queue, or a loop"
  case nextOutOfRange = "a descriptor's next index is out of range"
  case headOutOfRange = "the available ring names a descriptor that is out of range"
  case indirectNotNegotiated = "an indirect descriptor without VIRTIO_F_INDIRECT_DESC"
  case indirectWithNext = "an indirect descriptor has a next one"
  case indirectNested = "an indirect table names another one"
  case indirectOutsideWindow = "an indirect table lies outside the DMA window"
  case indirectLength = "an indirect table's length is no multiple of 16, or zero"
  case readableAfterWritable = "a device-readable descriptor follows a device-writable one"
  case availableIndexJumped = "the available index is further ahead than the queue is long"
  case headerIncomplete = "a request is shorter than its header"
  case writableMissing = "a request has no room for its answer"
  case readableUnexpected = "a device-readable descriptor where only writable ones belong"
  case writableUnexpected = "a device-writable descriptor where only readable ones belong"

  case ringTakenAway = "a part of a queue in use was taken out of the device's reach"

  // In a queue's set-up. The queue is not made ready and the device sets DEVICE_NEEDS_RESET.
  case queueSizeZero = "the queue's size is zero"
  case queueSizeTooLarge = "the queue's size is larger than QueueSizeMax"
  case queueSizeNotPowerOfTwo = "the queue's size is no power of two"
  case ringMisaligned = "a part of the queue is not aligned"
  case ringOutsideWindow = "a part of the queue lies outside the DMA window"

  // In the order of things, which is the driver's duty (virtio 1.3, 2.1.1 and 3.1.1). Noted, and done all the same.
  case queueSetUpTooEarly = "a queue was made ready before FEATURES_OK"
  case statusCleared = "a status bit was cleared without a reset"
  case statusOutOfOrder = "a status bit was set before one that comes first"

  // In the registers (virtio 1.3, 4.2.2). The access has no effect; a read gives zero.
  case queueAlreadyReady = "QueueReady was written 1 for a queue that is ready"
  case queueChangedWhileReady = "a queue that is ready was set up anew"
  case queueUnknown = "there is no such queue"
  case kickBeforeReady = "a queue that is not ready was notified"
  case kickBeforeDriverOK = "a queue was notified before DRIVER_OK"
  case ringResetNotNegotiated = "QueueReset without VIRTIO_F_RING_RESET"
  case statusUnknownBits = "unknown status bits were written"
  case featureNotOffered = "a feature was accepted that was not offered"
  case featuresChangedAfterOK = "features were written after FEATURES_OK"
  case version1Missing = "VIRTIO_F_VERSION_1 was not accepted"
  case accessPlatformMissing = "VIRTIO_F_ACCESS_PLATFORM was not accepted, and the device's DMA is confined"
  case featureDependency = "a feature was not accepted that the device, or another feature, requires"
  case registerWidth = "a register was accessed with a wrong width or alignment"
  case registerUnknown = "there is no such register"
  case registerReadOnly = "a read-only register was written"
  case registerWriteOnly = "a write-only register was read"
  case configurationReadOnly = "a read-only configuration field was written"
  case configurationOutOfRange = "an access beyond the configuration space"
}

/// That a guest misbehaved: which device, which queue, why.
public struct DriverFaultEvent: Equatable, Sendable {
  /// The device's name, as in the configuration.
  public let device: String
  /// `nil` where no single queue is concerned.
  public let queue: Int?
  /// What the driver did.
  public let fault: DriverFault

  public init(device: String, queue: Int?, fault: DriverFault) {
    self.device = device
    self.queue = queue
    self.fault = fault
  }
}

extension DriverFaultEvent: CustomStringConvertible {
  public var description: String {
    queue.map { "\(device), queue \($0): \(fault.rawValue)" } ?? "\(device): \(fault.rawValue)"
  }
}

/// Takes note of what guests do wrong.
public protocol DriverFaultObserver: AnyObject, Sendable {
  /// Called on a vCPU's thread or on the device thread; must not block. A device reports at most
  /// ``DeviceConnection/reportedFaults`` between two resets and ``DeviceConnection/reportedFaultsInAll`` in all, so a
  /// guest can't flood it.
  func driverMisbehaved(_ event: DriverFaultEvent)

  /// A driver has reset its device. On the device thread; must not block.
  func deviceWasReset(_ device: String)
}

extension DriverFaultObserver {
  public func deviceWasReset(_ device: String) {}
}
