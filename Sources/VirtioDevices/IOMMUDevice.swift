internal import GuestMemory
public import Virtio

/// What an IOMMU device keeps on the device thread.
struct IOMMUDeviceContent: ~Copyable {
  /// Requests, and then events.
  var queues = DeviceQueues(count: 2)
  var chain = DescriptorChain(capacity: Int(QueueSize.iommu))
  var eventChain = DescriptorChain(capacity: Int(QueueSize.iommu))
  /// Of which the driver has yet to be told.
  var faults: [IOMMUFault] = []
  var isSuspended = false
  /// The request that waits for devices, whose chain is still taken.
  var pending: PendingIOMMURequest?
  /// Whether the request is waited for, and not just being served.
  var isWaiting = false
  /// Bytes that were written to the request's chain before its tail.
  var written = 0
  /// Counts up with whatever makes earlier waiting void.
  var epoch: UInt64 = 0
  /// Called when nothing is pending any longer.
  var waiters: [@Sendable () -> Void] = []
}

struct PendingIOMMURequest {
  var status: IOMMUStatus
  /// How many have yet to let go.
  var left: Int
}

/// The IOMMU device (virtio 1.3, 5.13): the guest's way to an ``IOMMU``.
///
/// A request that takes something from a device is answered when the device touches nothing of it any longer, and no
/// further one is looked at before.
@safe
public final class IOMMUDevice: VirtioDevice, @unchecked Sendable {
  // SAFETY: @unchecked: on the device thread only, as the contract says; the rest is immutable.

  /// Requests of one turn, after which other devices get theirs.
  public static let turnLimit = 64
  /// How many faults wait for the driver at most.
  public static let faultLimit = 64

  static let requestQueue = 0
  static let eventQueue = 1

  public let name: String
  public var identifier: VirtioDeviceIdentifier { .iommu }
  public var reach: DeviceReach { .window }
  public var features: VirtioFeatures {
    [
      .splitVirtqueue, IOMMUFeature.inputRange, IOMMUFeature.domainRange, IOMMUFeature.mapUnmap, IOMMUFeature.probe,
    ]
  }
  public var queueSizes: [UInt16] { [QueueSize.iommu, QueueSize.iommu] }
  public let configuration: ConfigurationSpace
  /// Linux waits for each answer in a loop, with interrupts off.
  public var answersAtOnce: Bool { true }

  /// What the requests change.
  public let iommu: IOMMU
  /// Called when requests that waited for another one can be looked at: the transport is to kick the first queue.
  /// Without it they are looked at at once.
  public var whenReady: (() -> Void)?
  let state = DeviceThreadState(IOMMUDeviceContent())

  /// - Parameter iommu: with its endpoints, and no other device's.
  public init(name: String, iommu: IOMMU) {
    self.name = name
    self.iommu = iommu
    var bytes = [UInt8](repeating: 0, count: IOMMUField.size)
    bytes.store(~(IOMMU.page - 1), at: IOMMUField.pageSizeMask)
    bytes.store(iommu.memory.start.rawValue, at: IOMMUField.inputStart)
    bytes.store(iommu.memory.start.rawValue + (iommu.memory.size - 1), at: IOMMUField.inputEnd)
    bytes.store(IOMMU.lastDomain, at: IOMMUField.domainEnd)
    bytes.store(UInt32(IOMMUMessage.probeSize), at: IOMMUField.probeSize)
    configuration = ConfigurationSpace(bytes)
    iommu.onFault = { [unowned self] fault in note(fault) }
  }

  // MARK: Contract

  public func accepts(_ features: VirtioFeatures) -> Bool { features.contains(IOMMUFeature.mapUnmap) }

  public func attach(_ connection: DeviceConnection) { state.value.queues.attach(connection) }

  public func start(
    _ features: VirtioFeatures,
    queues configurations: [QueueConfiguration?],
    _ finished: @escaping @Sendable () -> Void
  ) {
    state.value.queues.start(features, configurations)
    finished()
  }

  public func startQueue(
    _ index: Int,
    _ configuration: QueueConfiguration,
    _ finished: @escaping @Sendable () -> Void
  ) {
    state.value.queues.start(index, configuration)
    finished()
  }

  public func stopQueue(_ index: Int, _ finished: @escaping @Sendable () -> Void) {
    if index == Self.requestQueue { forgetPending() }
    state.value.queues.stop(index)
    finished()
  }

  /// All endpoints leave their domains (5.13.5): a device that worked touches nothing any longer when it is over.
  public func reset(_ finished: @escaping @Sendable () -> Void) {
    state.value.queues.reset()
    state.value.faults.removeAll()
    forgetPending()
    let endpoints = iommu.detachAll()
    let countdown = ReleaseCountdown(endpoints.count + 1, finished)
    for endpoint in endpoints { release(endpoint) { countdown.count() } }
    countdown.count()
  }

  public func suspend(_ finished: @escaping @Sendable () -> Void) {
    state.value.isSuspended = true
    if state.value.pending == nil { finished() } else { state.value.waiters.append(finished) }
  }

  public func resume() { state.value.isSuspended = false }

  public var queuePositions: [QueuePosition?] { state.value.queues.positions }

  public func kick(_ index: Int) -> Bool {
    guard !state.value.isSuspended, let queue = state.value.queues[index],
      let connection = state.value.queues.connection, !connection.hasFailed
    else {
      return false
    }
    guard index == Self.requestQueue else {
      deliverFaults()
      return false
    }
    guard state.value.pending == nil else { return false }
    return connection.workOff(queue, turn: Self.turnLimit) {
      queue.takeNext(into: &state.value.chain)
    } serve: {
      serve(queue)
    }
  }

  // MARK: Waiting

  /// Has those let go that reached what is gone.
  func settle(_ release: IOMMU.Release, _ status: IOMMUStatus) {
    state.value.pending = PendingIOMMURequest(status: status, left: 1)
    let epoch = state.value.epoch
    switch release {
    case .nothing: break
    case .endpoint(let endpoint):
      state.value.pending?.left += 1
      self.release(endpoint) { [self] in released(epoch) }
    case .run(let run, let domain):
      for endpoint in domain.endpoints {
        guard let space = endpoint.space else { continue }
        state.value.pending?.left += 1
        space.reachBecameLess(in: run) { [self] in released(epoch) }
      }
    }
    state.value.pending?.left -= 1
  }

  private func release(_ endpoint: IOMMUEndpoint, _ finished: @escaping @Sendable () -> Void) {
    guard let space = endpoint.space else { return finished() }
    space.reachBecameLess(finished)
  }

  private func released(_ epoch: UInt64) {
    guard epoch == state.value.epoch, let left = state.value.pending?.left else { return }
    state.value.pending?.left = left - 1
    guard left == 1, state.value.isWaiting else { return }
    state.value.isWaiting = false
    guard let queue = state.value.queues[Self.requestQueue] else { return }
    answerPending(queue)
    state.value.queues.connection?.publish(queue)
    endWaiting()
    if let whenReady { whenReady() } else { while kick(Self.requestQueue) {} }
  }

  private func endWaiting() {
    let waiters = state.value.waiters
    state.value.waiters.removeAll()
    for waiter in waiters { waiter() }
  }

  private func forgetPending() {
    state.value.epoch &+= 1
    state.value.isWaiting = false
    state.value.pending = nil
    state.value.written = 0
    endWaiting()
  }
}

/// Calls somebody when so many others have called. On the device thread.
private final class ReleaseCountdown: @unchecked Sendable {
  // SAFETY: @unchecked: on the device thread alone.
  private var left: Int
  private let finished: @Sendable () -> Void

  init(_ count: Int, _ finished: @escaping @Sendable () -> Void) {
    left = count
    self.finished = finished
  }

  func count() {
    left -= 1
    if left == 0 { finished() }
  }
}
