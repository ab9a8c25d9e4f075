public import GuestMemory
internal import Synchronization

/// What a device did so far.
public struct VirtioDeviceCounters: Equatable, Sendable {
  /// What it did with the guest's memory.
  public var memory = DMACounters()
  /// How often the device was told to look at a queue.
  public var kicks: UInt64 = 0
  /// Interrupts raised.
  public var interrupts: UInt64 = 0
  /// What the driver did wrong, also beyond those events that were reported.
  public var faults: UInt64 = 0
}

/// The descriptors by which another process hears of a queue and is heard, without this process's device thread.
///
/// They are the transport's owner's, and valid as long as the transport.
public struct QueueDescriptors: Equatable, Sendable {
  /// An eventfd that is signalled when the driver notifies; `nil`: only ``VirtioDevice/kick(_:)`` tells.
  public var kick: Int32?
  /// An eventfd that raises the queue's interrupt; `nil`: each interrupt goes through the ``DeviceConnection``, as on
  /// virtio-mmio, where InterruptStatus has to be set before the edge.
  public var call: Int32?

  public init(kick: Int32? = nil, call: Int32? = nil) {
    self.kick = kick
    self.call = call
  }
}

/// A device's way to its guest: the memory that it sees, its interrupt, and the word that it can't go on.
///
/// It is what the device holds; the other side of the same thing, for whoever drives the device, is
/// ``DeviceTransportSide``. For the device thread but where noted. What vCPUs see of a device's work are three atomics
/// here, so one that reads InterruptStatus or Status never waits.
@safe
public final class DeviceConnection: @unchecked Sendable {
  // SAFETY: @unchecked: plain variables are the device thread's alone; what vCPUs see is atomic or immutable.

  /// How many events a device reports between two resets. The rest are counted only.
  public static let reportedFaults = 16
  /// How many it reports in all, since a guest can reset as often as it likes.
  public static let reportedFaultsInAll = 256

  /// The device's name, for events.
  public let device: String
  /// The device's one way to the guest's memory.
  public let space: DMASpace
  /// Valid as long as the connection, which keeps the space.
  public let view: DMAView
  /// Of each queue; empty where there are none to be had.
  public let descriptors: [QueueDescriptors]

  private let line: any InterruptLine
  private let observer: (any DriverFaultObserver)?

  let interruptStatus = Atomic<UInt32>(0)
  let deviceStatus = Atomic<UInt8>(0)
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

  init(
    device: String,
    space: DMASpace,
    line: any InterruptLine,
    descriptors: [QueueDescriptors],
    observer: (any DriverFaultObserver)?
  ) {
    self.device = device
    self.space = space
    // SAFETY: the space is kept beside its view.
    self.view = unsafe space.view
    self.line = line
    self.descriptors = descriptors
    self.observer = observer
  }

  /// Whether the device set DEVICE_NEEDS_RESET: it takes nothing from its queues any longer.
  public var hasFailed: Bool { state.value.hasFailed }

  /// What the device did until now. On the device thread.
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
  ///
  /// - Parameter queues: in which, a bit for each.
  public func interruptForUsedBuffers(in queues: UInt64) {
    raise(InterruptBits.usedBuffer, .usedBuffers(queues: queues))
  }

  /// Shows the driver what was given back in a queue, and interrupts it where it wants that.
  @inlinable
  public func publish(_ queue: SplitVirtqueue) {
    if queue.publish() { interruptForUsedBuffers(in: 1 << UInt64(truncatingIfNeeded: queue.index)) }
  }

  /// Tells the driver that the configuration space changed; without a driver there is nobody to tell.
  public func interruptForConfigurationChange() {
    guard state.value.isStarted else { return }
    raise(InterruptBits.configurationChange, .configurationChange)
  }

  /// The driver broke the rules of a queue: DEVICE_NEEDS_RESET (virtio 1.3, 2.1.2), and the queues stop.
  public func fail(queue: Int?, _ fault: DriverFault) {
    report(queue: queue, fault)
    needsReset()
  }

  /// The device can't go on, which is not the driver's doing: DEVICE_NEEDS_RESET, and the queues stop.
  public func needsReset() {
    state.value.hasFailed = true
    deviceStatus.bitwiseOr(VirtioDeviceStatus.deviceNeedsReset.rawValue, ordering: .releasing)
    interruptForConfigurationChange()
  }

  /// Reports what a guest did wrong. From any thread.
  public func report(queue: Int? = nil, _ fault: DriverFault) {
    let before = faults.add(1, ordering: .relaxed).oldValue
    let sinceReset = faultsSinceReset.add(1, ordering: .relaxed).oldValue
    guard before < Self.reportedFaultsInAll, sinceReset < Self.reportedFaults else { return }
    observer?.driverMisbehaved(DriverFaultEvent(device: device, queue: queue, fault: fault))
  }

  /// The driver has reset the device.
  func reportReset() { observer?.deviceWasReset(device) }

  private func raise(_ bit: UInt32, _ cause: InterruptCause) {
    interruptStatus.bitwiseOr(bit, ordering: .releasing)
    state.value.interrupts &+= 1
    line.raise(cause)
  }
}

/// Bits of InterruptStatus (virtio 1.3, 4.2.2).
enum InterruptBits {
  static let usedBuffer: UInt32 = 1
  static let configurationChange: UInt32 = 2
}

// What the transport's side does on the device thread.
extension DeviceConnection {
  func begin(running: UInt64) {
    state.value.isStarted = true
    state.value.running = running
  }

  func begin(queue: Int) { state.value.running |= 1 << UInt64(queue) }

  func end(queue: Int) { state.value.running &= ~(1 << UInt64(queue)) }

  /// The device stops without a reset: what it has failed at stays so.
  func rest() {
    state.value.running = 0
    state.value.isStarted = false
  }

  func end() {
    rest()
    state.value.hasFailed = false
    deviceStatus.store(0, ordering: .releasing)
    interruptStatus.store(0, ordering: .releasing)
    faultsSinceReset.store(0, ordering: .relaxed)
  }

  /// Puts in what was there when the state was taken.
  func restore(status: VirtioDeviceStatus, interruptStatus bits: UInt32) {
    deviceStatus.store(status.rawValue, ordering: .releasing)
    interruptStatus.store(bits, ordering: .releasing)
    state.value.hasFailed = status.contains(.deviceNeedsReset)
  }

  /// Raises what the driver has not acknowledged once more: the edge may have been under way when the state was taken.
  /// One too many finds nothing in the rings.
  func raiseAgain() {
    let bits = interruptStatus.load(ordering: .acquiring)
    if bits & InterruptBits.usedBuffer != 0 { line.raise(.usedBuffers(queues: state.value.running)) }
    if bits & InterruptBits.configurationChange != 0 { line.raise(.configurationChange) }
  }

  /// Those queues that run, a bit for each.
  var running: UInt64 { state.value.running }

  var isStarted: Bool { state.value.isStarted }

  var isSuspended: Bool { state.value.isSuspended }

  func setSuspended(_ suspended: Bool) { state.value.isSuspended = suspended }

  /// Whether a kick of this queue is for the device. Reports one that comes too early.
  func admitsKick(of queue: Int) -> Bool {
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
