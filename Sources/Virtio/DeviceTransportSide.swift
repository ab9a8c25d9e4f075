public import GuestMemory
internal import Synchronization

/// The transport's side of a device: all that registers, another process's messages or a state that comes back need to
/// drive one. The device's side of the same thing is its ``DeviceConnection``.
///
/// **Threads.** What stands under "On any thread" may be called on any, several at once. All else is for the device
/// thread, one call after the other: a transport whose driver waits on another thread brings its calls there
/// (`DeviceThread.perform`). A call with a `finished` is over when that is called, on the device thread; until then the
/// transport begins nothing else with the device but kicks, and a suspension, which it may also take back.
///
/// **Order.** ``start(_:queues:_:)``, work, ``rest(_:)`` or ``reset(_:)``, as often as the driver likes; or once
/// ``restore(_:_:features:queues:_:)``, then ``resume()``. Whatever a driver brings is checked here, so that no
/// transport can leave it out: features and queues that a device can't work with make it fail and are not handed on.
public final class DeviceTransportSide: @unchecked Sendable {
  // SAFETY: @unchecked: `state` is the device thread's alone; the rest is atomic or immutable.

  /// What the transport shows to a driver.
  public let device: any VirtioDevice
  /// The counters, and the memory that the device sees, are there.
  public let connection: DeviceConnection
  /// What the driver may accept: the device's features and those of every transport.
  public let offeredFeatures: VirtioFeatures

  private let thread: any DeviceThread
  private let pendingKicks = Atomic<UInt64>(0)
  private let state: DeviceThreadState<State>

  private struct State: ~Copyable {
    /// Of the queues that run and are not in the window, by their numbers.
    var places: [QueuePlace?]
    /// Those who wait for the device to rest, or have it at rest: who took memory away, who changes a back-end.
    var rests = 0
  }

  /// - Parameters:
  ///   - device: not attached to anything yet; it must not reach more than the space has (the machine checks).
  ///   - space: the device's own. Where it is confined or translated, VIRTIO_F_ACCESS_PLATFORM is offered and must be
  ///     accepted.
  ///   - line: the device's interrupts.
  ///   - thread: where the device works.
  ///   - descriptors: of each queue, where there are such.
  ///   - observer: hears of what the driver does wrong.
  public init(
    device: any VirtioDevice,
    space: DMASpace,
    line: any InterruptLine,
    thread: any DeviceThread,
    descriptors: [QueueDescriptors] = [],
    observer: (any DriverFaultObserver)? = nil
  ) {
    precondition(device.queueSizes.count <= 64, "a device has at most 64 queues")
    precondition(device.queueSizes.allSatisfy { $0.nonzeroBitCount == 1 }, "a queue's size is a power of two")
    precondition(
      descriptors.isEmpty || descriptors.count == device.queueSizes.count,
      "either no queue has descriptors or each has"
    )
    self.device = device
    self.thread = thread
    state = DeviceThreadState(State(places: Array(repeating: nil, count: device.queueSizes.count)))
    offeredFeatures =
      space.wantsPlatformAccess
      ? device.features.union([.version1, .ringReset, .accessPlatform])
      : device.features.union([.version1, .ringReset])
    connection = DeviceConnection(
      device: device.name,
      space: space,
      line: line,
      descriptors: descriptors,
      observer: observer
    )
    space.setUser(self)
    device.attach(connection)
  }

  // MARK: On any thread

  /// Why the device can't work with what the driver accepted; `nil` when it can.
  public func fault(in features: VirtioFeatures) -> DriverFault? {
    guard features.isSubset(of: offeredFeatures) else { return .featureNotOffered }
    guard features.contains(.version1) else { return .version1Missing }
    // Without this bit Linux uses guest-physical addresses of its choice and silently bypasses the pool.
    guard !connection.space.wantsPlatformAccess || features.contains(.accessPlatform) else {
      return .accessPlatformMissing
    }
    return device.accepts(features) ? nil : .featureDependency
  }

  /// The device status field (virtio 1.3, 2.1). A transport that has none sees here whether the device needs a reset.
  public var status: VirtioDeviceStatus {
    VirtioDeviceStatus(rawValue: connection.deviceStatus.load(ordering: .acquiring))
  }

  /// Changes the driver's bits of it. DEVICE_NEEDS_RESET is the device's.
  public func changeStatus(set: VirtioDeviceStatus, clear: VirtioDeviceStatus) {
    let kept = ~clear.subtracting(.deviceNeedsReset).rawValue
    connection.deviceStatus.bitwiseAnd(kept, ordering: .acquiringAndReleasing)
    connection.deviceStatus.bitwiseOr(
      set.subtracting(.deviceNeedsReset).rawValue,
      ordering: .acquiringAndReleasing
    )
  }

  /// InterruptStatus (virtio 1.3, 4.2.2).
  public var interruptStatus: UInt32 { connection.interruptStatus.load(ordering: .acquiring) }

  /// The driver has seen these bits of it.
  public func acknowledgeInterrupts(_ bits: UInt32) {
    connection.interruptStatus.bitwiseAnd(~bits, ordering: .acquiringAndReleasing)
  }

  /// Has queues looked at, a bit for each, when other devices had their turn. One piece of work is under way at most,
  /// however often it is called.
  public func post(kicks queues: UInt64) {
    guard queues != 0 else { return }
    let earlier = pendingKicks.bitwiseOr(queues, ordering: .acquiringAndReleasing).oldValue
    if earlier == 0 { thread.post { self.deliverPendingKicks() } }
  }

  /// The driver's read of the configuration space; `nil`: not inside.
  ///
  /// - Parameters:
  ///   - offset: in bytes.
  ///   - width: in bytes, from 1 to 8.
  public func readConfiguration(at offset: Int, width: Int) -> UInt64? {
    device.configuration.read(offset, width: width)
  }

  /// The driver's write. The device is to be told next: ``configurationWritten(at:width:)``.
  ///
  /// - Returns: why nothing was written; `nil`: it was.
  public func writeConfiguration(at offset: Int, width: Int, value: UInt64) -> DriverFault? {
    device.configuration.write(offset, width: width, value: value)
  }

  // MARK: On the device thread

  /// Tells the device of a write.
  public func configurationWritten(at offset: Int, width: Int) {
    device.configurationWritten(at: offset, count: width)
  }

  /// The driver notified a queue: by its eventfd, or by whatever else the transport has for it.
  ///
  /// - Parameter queue: one that the device has.
  /// - Returns: whether to call again when other devices had their turn.
  public func kick(queue: Int) -> Bool {
    connection.admitsKick(of: queue) && device.kick(queue)
  }

  private func deliverPendingKicks() {
    let pending = pendingKicks.exchange(0, ordering: .acquiringAndReleasing)
    for queue in device.queueSizes.indices where pending & (1 << UInt64(queue)) != 0 {
      if kick(queue: queue) { post(kicks: 1 << UInt64(queue)) }
    }
  }

  /// Why a queue can't be one of the device's; `nil`: it can.
  public func fault(in queue: QueueConfiguration, index: Int) -> DriverFault? {
    let fault = QueueConfiguration.fault(
      requestedSize: UInt32(queue.size),
      maximumSize: device.queueSizes[index],
      descriptorTable: queue.descriptorTable,
      driverArea: queue.driverArea,
      deviceArea: queue.deviceArea
    )
    if let fault { return fault }
    guard queue.isReached(in: connection.view) else {
      queue.tellOfRefusal(in: connection.view)
      return .ringOutsideWindow
    }
    return nil
  }

  /// Has the device begin anew with these queues, one for each that it has, `nil` for those not set up; and has it look
  /// at each.
  public func start(
    _ features: VirtioFeatures,
    queues: [QueueConfiguration?],
    _ finished: @escaping @Sendable () -> Void
  ) {
    precondition(!connection.isStarted, "a device is at rest before it starts")
    guard admit(features, queues) else { return finished() }
    device.start(features, queues: queues) { [self] in
      post(kicks: connection.running)
      finished()
    }
  }

  /// Has the device go on with a state that it has already, and these queues. It stays suspended until ``resume()``.
  public func startRestored(
    _ features: VirtioFeatures,
    queues: [QueueConfiguration?],
    _ finished: @escaping @Sendable () -> Void
  ) {
    precondition(!connection.isStarted, "a state is put into a device that no driver has touched")
    connection.setSuspended(true)
    guard admit(features, queues) else { return finished() }
    device.startRestored(features, queues: queues, finished)
  }

  /// `false`: the device has failed, earlier or for what the driver brings.
  private func admit(_ features: VirtioFeatures, _ queues: [QueueConfiguration?]) -> Bool {
    precondition(queues.count == device.queueSizes.count, "each queue is spoken of")
    var running: UInt64 = 0
    for index in queues.indices where queues[index] != nil { running |= 1 << UInt64(index) }
    connection.begin(running: running)
    guard !connection.hasFailed else { return false }
    if let fault = fault(in: features) {
      connection.fail(queue: nil, fault)
      return false
    }
    for (index, queue) in queues.enumerated() {
      guard let queue else { continue }
      if let fault = fault(in: queue, index: index) {
        connection.fail(queue: index, fault)
        return false
      }
      note(queue, index)
    }
    return true
  }

  /// Notes where a queue is that may go.
  private func note(_ queue: QueueConfiguration, _ index: Int) {
    guard !queue.lies(in: connection.space.window) else { return }
    state.value.places[index] = QueuePlace(queue, connection.view)
  }

  /// Of the queues that run and are not in the window, by their numbers.
  var places: [QueuePlace?] { state.value.places }

  private func forgetPlaces() {
    for index in state.value.places.indices { state.value.places[index] = nil }
  }

  /// Gives a running device one more queue, and has it look at that.
  public func startQueue(
    _ index: Int,
    _ configuration: QueueConfiguration,
    _ finished: @escaping @Sendable () -> Void
  ) {
    connection.begin(queue: index)
    guard !connection.hasFailed else { return finished() }
    if let fault = fault(in: configuration, index: index) {
      connection.fail(queue: index, fault)
      return finished()
    }
    note(configuration, index)
    device.startQueue(index, configuration) { [self] in
      post(kicks: 1 << UInt64(index))
      finished()
    }
  }

  /// Takes a queue from the device, which touches nothing of it any longer when it is over. Requests that it had of it
  /// are not answered: who wants to go on with the queue elsewhere suspends the device first and looks at
  /// ``queuePositions``.
  public func stopQueue(_ index: Int, _ finished: @escaping @Sendable () -> Void) {
    connection.end(queue: index)
    pendingKicks.bitwiseAnd(~(1 << UInt64(index)), ordering: .relaxed)
    state.value.places[index] = nil
    device.stopQueue(index) { [self] in
      connection.space.releaseHolds(of: index)
      finished()
    }
  }

  /// Takes all queues from the device without a reset: what it has failed at stays so.
  public func rest(_ finished: @escaping @Sendable () -> Void) {
    device.reset { [self] in
      forgetPlaces()
      connection.space.releaseHolds(of: nil)
      connection.rest()
      pendingKicks.store(0, ordering: .relaxed)
      finished()
    }
  }

  /// Back to the beginning: no queue, no status, no interrupt. No kick from before it reaches the next driver.
  public func reset(_ finished: @escaping @Sendable () -> Void) {
    device.reset { [self] in
      forgetPlaces()
      connection.space.releaseHolds(of: nil)
      connection.end()
      pendingKicks.store(0, ordering: .relaxed)
      connection.reportReset()
      finished()
    }
  }

  /// Has the device take no new work; over when nothing is in flight, or some time after ``resume()`` if that comes
  /// earlier.
  public func suspend(_ finished: @escaping @Sendable () -> Void) {
    connection.setSuspended(true)
    device.suspend(finished)
  }

  /// Does something while the device is at rest, for a moment that its driver does not see. On the device thread.
  public func whileAtRest(_ body: @escaping @Sendable () -> Void) {
    state.value.rests += 1
    device.suspend { [self] in
      body()
      endRest()
    }
  }

  private func endRest() {
    state.value.rests -= 1
    guard state.value.rests == 0, !connection.isSuspended else { return }
    device.resume()
    post(kicks: connection.running)
  }

  /// Whether the device was suspended and has not been told to go on.
  package var isSuspended: Bool { connection.isSuspended }

  /// Has the device go on after ``suspend(_:)`` or ``restore(_:_:features:queues:_:)``.
  public func resume() {
    connection.setSuspended(false)
    guard state.value.rests == 0 else { return }
    device.resume()
    post(kicks: connection.running)
  }

  // MARK: State, of a suspended device

  /// Where each queue stands; `nil` for those that do not run.
  public var queuePositions: [QueuePosition?] { device.queuePositions }

  /// What there is beside the device's own state.
  public func savedState() -> DeviceConnectionState {
    DeviceConnectionState(
      status: status,
      interruptStatus: interruptStatus,
      configuration: device.configuration.bytes,
      configurationGeneration: device.configuration.generation,
      positions: device.queuePositions
    )
  }

  /// The device's own, of the type that its kind has.
  public func savedDeviceState() -> any VersionedState { device.savedState() }

  /// Puts a state into a device that no driver has touched yet. It stays suspended until ``resume()``.
  ///
  /// - Parameters:
  ///   - saved: what the connection was.
  ///   - own: the device's own.
  ///   - features: what the driver has accepted.
  ///   - queues: those that it has made ready, with the positions of the state.
  ///   - finished: called by the device thread when the state is in place.
  /// - Throws: ``DeviceStateError`` for a state that is not one of such a device; then nothing has changed that a reset
  ///   would not undo, and `finished` is not called.
  public func restore(
    _ saved: DeviceConnectionState,
    _ own: any VersionedState,
    features: VirtioFeatures,
    queues: [QueueConfiguration?],
    _ finished: @escaping @Sendable () -> Void
  ) throws(DeviceStateError) {
    precondition(!connection.isStarted, "a state is put into a device that no driver has touched")
    try check(saved, features: features, queues: queues)
    connection.setSuspended(true)
    try device.restore(own)
    device.configuration.restore(saved.configuration, generation: saved.configurationGeneration)
    connection.restore(status: saved.status, interruptStatus: saved.interruptStatus)
    guard saved.status.contains(.driverOK), admit(features, queues) else { return finished() }
    device.startRestored(features, queues: queues) { [connection] in
      connection.raiseAgain()
      finished()
    }
  }

  private func check(
    _ saved: DeviceConnectionState,
    features: VirtioFeatures,
    queues: [QueueConfiguration?]
  ) throws(DeviceStateError) {
    func invalid(_ field: String) -> DeviceStateError { .invalid(device: device.name, field: field) }
    guard queues.count == device.queueSizes.count, saved.positions.count == queues.count else {
      throw invalid("number of queues")
    }
    guard saved.configuration.count == device.configuration.size else { throw invalid("configuration space") }
    if !saved.status.isDisjoint(with: [.featuresOK, .driverOK]) {
      guard fault(in: features) == nil else { throw invalid("features") }
    }
    for (index, queue) in queues.enumerated() {
      guard queue.map({ fault(in: $0, index: index) == nil }) ?? true else { throw invalid("queue \(index)") }
    }
  }
}
