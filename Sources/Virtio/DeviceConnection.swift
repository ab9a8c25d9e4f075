public import GuestMemory
package import Synchronization

/// What a device did so far.
public struct VirtioDeviceCounters: Equatable, Sendable {
  public var memory = DMACounters()
  /// How often the device was told to look at a queue.
  public var kicks: UInt64 = 0
  /// Interrupts raised.
  public var interrupts: UInt64 = 0
  /// What the driver did wrong, also beyond those events that were reported.
  public var faults: UInt64 = 0
}

/// A device's way to its guest: the memory that it sees, its interrupt, and the word that it can't go on.
///
/// For the device thread but where noted. The transport's registers meet the device's work in three atomics here, so a
/// vCPU that reads InterruptStatus or Status never waits.
@safe
public final class DeviceConnection: @unchecked Sendable {
  // SAFETY: @unchecked: plain variables are the device thread's alone; what vCPUs see is atomic or immutable.

  /// How many events a device reports between two resets. The rest are counted only.
  public static let reportedFaults = 16
  /// How many it reports in all, since a guest can reset as often as it likes.
  public static let reportedFaultsInAll = 256

  public let device: String
  public let space: DMASpace
  /// Valid as long as the connection, which keeps the space.
  public let view: DMAView

  private let line: any InterruptLine
  private let observer: (any GuestFaultObserver)?

  package let interruptStatus = Atomic<UInt32>(0)
  package let deviceStatus = Atomic<UInt8>(0)
  private let faults = Atomic<UInt64>(0)
  private let faultsSinceReset = Atomic<UInt64>(0)

  private struct State {
    var kicks: UInt64 = 0
    var interrupts: UInt64 = 0
    /// Those queues that run, a bit for each.
    var running: UInt64 = 0
    var isSuspended = false
    var isStarted = false
    var hasFailed = false
  }

  private let state = DeviceThreadState(State())

  package init(
    device: String,
    space: DMASpace,
    line: any InterruptLine,
    observer: (any GuestFaultObserver)?
  ) {
    self.device = device
    self.space = space
    // SAFETY: the space is kept beside its view.
    self.view = unsafe space.view
    self.line = line
    self.observer = observer
  }

  /// Whether the device set DEVICE_NEEDS_RESET: it takes nothing from its queues any longer.
  public var hasFailed: Bool { state.value.hasFailed }

  public var counters: VirtioDeviceCounters {
    VirtioDeviceCounters(
      memory: space.counters,
      kicks: state.value.kicks,
      interrupts: state.value.interrupts,
      faults: faults.load(ordering: .relaxed)
    )
  }

  /// Tells the driver that buffers were used.
  ///
  /// The bit is set before the edge, so a driver that comes for the edge finds it set. Where the driver's
  /// acknowledgement of an earlier interrupt clears it in between, the driver has yet to look at the rings and finds
  /// the buffers.
  public func interruptForUsedBuffers() {
    raise(InterruptBits.usedBuffer)
  }

  /// Tells the driver that the configuration space changed; without a driver there is nobody to tell.
  public func interruptForConfigurationChange() {
    guard state.value.isStarted else { return }
    raise(InterruptBits.configurationChange)
  }

  /// The driver broke the rules of a queue: DEVICE_NEEDS_RESET (virtio 1.3, 2.1.2), and the queues stop.
  public func fail(queue: Int?, _ fault: GuestFault) {
    report(queue: queue, fault)
    state.value.hasFailed = true
    deviceStatus.bitwiseOr(VirtioDeviceStatus.deviceNeedsReset.rawValue, ordering: .releasing)
    interruptForConfigurationChange()
  }

  /// Reports what a guest did wrong. From any thread.
  public func report(queue: Int? = nil, _ fault: GuestFault) {
    let before = faults.add(1, ordering: .relaxed).oldValue
    let sinceReset = faultsSinceReset.add(1, ordering: .relaxed).oldValue
    guard before < Self.reportedFaultsInAll, sinceReset < Self.reportedFaults else { return }
    observer?.guestMisbehaved(GuestFaultEvent(device: device, queue: queue, fault: fault))
  }

  private func raise(_ bit: UInt32) {
    interruptStatus.bitwiseOr(bit, ordering: .releasing)
    state.value.interrupts &+= 1
    line.raise()
  }
}

/// Bits of InterruptStatus (virtio 1.3, 4.2.2).
enum InterruptBits {
  static let usedBuffer: UInt32 = 1
  static let configurationChange: UInt32 = 2
}

// What the transport does on the device thread.
extension DeviceConnection {
  package func begin(queues: [QueueConfiguration?]) {
    state.value.isStarted = true
    var running: UInt64 = 0
    for index in queues.indices where queues[index] != nil { running |= 1 << UInt64(index) }
    state.value.running = running
  }

  package func begin(queue: Int) { state.value.running |= 1 << UInt64(queue) }

  package func end(queue: Int) { state.value.running &= ~(1 << UInt64(queue)) }

  /// The device stops without a reset: what it has failed at stays so.
  package func rest() {
    state.value.running = 0
    state.value.isStarted = false
  }

  package func end() {
    rest()
    state.value.hasFailed = false
    deviceStatus.store(0, ordering: .releasing)
    interruptStatus.store(0, ordering: .releasing)
    faultsSinceReset.store(0, ordering: .relaxed)
  }

  /// The device had set DEVICE_NEEDS_RESET before its state was taken.
  package func markFailed() { state.value.hasFailed = true }

  /// Those queues that run, a bit for each.
  package var running: UInt64 { state.value.running }

  package func setSuspended(_ suspended: Bool) { state.value.isSuspended = suspended }

  /// Whether a kick of this queue is for the device. Reports one that comes too early.
  package func admitsKick(of queue: Int) -> Bool {
    guard state.value.isStarted else {
      report(queue: queue, .kickBeforeDriverOK)
      return false
    }
    guard state.value.running & (1 << UInt64(queue)) != 0 else {
      report(queue: queue, .kickBeforeReady)
      return false
    }
    guard !state.value.hasFailed, !state.value.isSuspended else { return false }
    state.value.kicks &+= 1
    return true
  }
}
