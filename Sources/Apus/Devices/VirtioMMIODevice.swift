import GuestABI
import GuestMemory
import Host
import KVM
internal import Logging
import Virtio
import VirtioMMIO

/// A virtio-mmio device: its registers on the bus, its queues' eventfds in the loop, its interrupt at KVM.
final class VirtioMMIODevice: BusDevice, @unchecked Sendable {
  // SAFETY: @unchecked: nothing changes after the machine has started; the transport is for any thread.

  let transport: MMIOTransport
  private let notifications: [QueueNotification]

  init(
    _ device: any VirtioDevice,
    place: Board.DevicePlace,
    space: DMASpace,
    machine: SharedMachine,
    thread: any DeviceThread,
    loop: EventLoop,
    observer: any DriverFaultObserver
  ) throws {
    let interrupt = try EdgeInterrupt()
    try machine.machine.addInterruptDescriptor(
      interrupt.event.rawValue,
      sharedPeripheralInterrupt: place.interrupt
    )
    let notifications = try device.queueSizes.indices.map { try QueueNotification(queue: $0, loop) }
    self.notifications = notifications
    // What another process waits for is not read here: it could have made the call wait.
    let discard: (@Sendable (Int?) -> Void)? =
      device.takesKickDescriptors
      ? nil
      : { @Sendable queue in
        for notification in notifications where queue == nil || notification.queue == queue { notification.forget() }
      }
    transport = MMIOTransport(
      device: device,
      space: space,
      line: interrupt,
      thread: thread,
      descriptors: notifications.map { QueueDescriptors(kick: $0.event.rawValue) },
      observer: observer,
      discardPendingKicks: discard
    )
    super.init()
    let address = place.registers.start.rawValue + MMIOTransport.queueNotify
    for notification in notifications {
      // SAFETY: the device holds both.
      unsafe notification.transport = transport
      guard !device.answersAtOnce else { continue }
      try machine.machine.addIOEventDescriptor(
        notification.event.rawValue,
        address: address,
        value: UInt32(notification.queue)
      )
      guard !device.takesKickDescriptors else { continue }
      _ = try loop.add(
        notification.event.rawValue,
        EventLoop.readable | EventLoop.edgeTriggered,
        notification
      )
    }
  }

  override func read(at offset: UInt64, width: Int) -> UInt64 {
    transport.read(offset: offset, width: width)
  }

  override func write(_ value: UInt64, at offset: UInt64, width: Int) {
    transport.write(offset: offset, width: width, value: value)
  }
}

/// A queue's eventfd, which KVM signals when the driver notifies. Watched for edges and not read: each signal is told
/// once, and that is one system call less for each notification.
private final class QueueNotification: EventHandler, @unchecked Sendable {
  // SAFETY: @unchecked: the transport is set before the loop runs.

  let queue: Int
  let event: EventDescriptor
  unowned(unsafe) var transport: MMIOTransport?
  private unowned let loop: EventLoop

  init(queue: Int, _ loop: EventLoop) throws(HostError) {
    self.queue = queue
    self.loop = loop
    event = try EventDescriptor()
  }

  /// Forgets signals that were not told yet: those that the eventfd has, and those that the loop has from it already.
  /// On the device thread.
  func forget() {
    event.clear()
    loop.forgetReady(self)
  }

  override func ready(_ events: UInt32) {
    // SAFETY: the device holds the transport and outlives the loop.
    guard let transport = unsafe transport else { return }
    if transport.kick(queue: queue) { transport.kickAgain(queue: queue) }
  }
}

/// An interrupt that KVM raises for an eventfd.
private final class EdgeInterrupt: InterruptLine {
  let event: EventDescriptor

  init() throws(HostError) {
    event = try EventDescriptor()
  }

  func raise(_ cause: InterruptCause) {
    event.signal()
  }
}

/// Tells what drivers do with their devices: what they do wrong in the log, too.
final class FaultLog: DriverFaultObserver {
  private let logger: Logger
  private let events: MachineEvents
  private let isTranslated: Bool

  /// - Parameter isTranslated: whether the devices are behind an IOMMU.
  init(_ logger: Logger, _ events: MachineEvents, isTranslated: Bool = false) {
    self.logger = logger
    self.events = events
    self.isTranslated = isTranslated
  }

  func deviceWasReset(_ device: String) {
    events.post(.deviceReset(device: device))
  }

  func driverMisbehaved(_ event: DriverFaultEvent) {
    // What a driver of such a kernel does first, and all that it comes to.
    let missing =
      isTranslated
      ? "; a kernel without CONFIG_VIRTIO_IOMMU attaches no device to its IOMMU, and so none reaches anything"
      : "; a kernel without CONFIG_DMA_RESTRICTED_POOL needs its devices to reach all of RAM"
    let hint = event.fault == .ringOutsideWindow ? missing : ""
    logger.warning("\(event.description)\(hint)")
    events.post(.deviceFault(device: event.device, message: event.description))
  }
}
