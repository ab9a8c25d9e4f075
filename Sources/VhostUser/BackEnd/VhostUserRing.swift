internal import CHost
internal import Glibc
internal import Host
internal import Virtio

/// What a front-end has said of one queue.
struct VhostUserRing {
  /// In descriptors; 0 where nothing was said.
  var size: UInt32 = 0
  /// Where it goes on in the available ring.
  var base: UInt16 = 0
  /// In the front-end's own addresses.
  var address: Address?
  /// Whether it was told how the driver notifies, by which a ring is started.
  var isStarted = false
  var isEnabled = false
  var kick: VhostUserDescriptor?
  /// How the device has it; nil: the device has it not.
  var inDevice: QueueConfiguration?

  struct Address: Equatable {
    var descriptorTable, deviceArea, driverArea: UInt64
  }
}

/// The eventfds by which the driver hears of its queues.
final class VhostUserCalls: InterruptLine, @unchecked Sendable {
  // SAFETY: @unchecked: on the device thread alone, where devices raise their interrupts.

  private var calls: [VhostUserDescriptor?]
  /// Tells the front-end that the configuration space has changed.
  var onConfigurationChange: () -> Void = {}

  init(queueCount: Int) {
    calls = Array(repeating: nil, count: queueCount)
  }

  subscript(queue: Int) -> VhostUserDescriptor? {
    get { calls[queue] }
    set { calls[queue] = newValue }
  }

  func forgetAll() {
    for queue in calls.indices { calls[queue] = nil }
  }

  func raise(_ cause: InterruptCause) {
    switch cause {
    case .usedBuffers(let queues):
      for queue in calls.indices where queues & (1 << UInt64(queue)) != 0 {
        // One whose counter is full was signalled; whoever shares it may have writing wait for that to end.
        if let call = calls[queue], chost_wait(call.rawValue, Int16(POLLOUT), 0) { chost_eventfd_signal(call.rawValue) }
      }
    case .configurationChange: onConfigurationChange()
    }
  }
}

extension VhostUserDescriptor {
  /// Has writing to an eventfd fail instead of wait, where its counter is full.
  ///
  /// - Returns: false where it is something else.
  func prepareForCalls() -> Bool {
    guard chost_notifier_of(rawValue) == chost_notifier_event else { return false }
    _ = fcntl(rawValue, F_SETFL, O_RDWR | O_NONBLOCK)
    return true
  }
}
