internal import GuestMemory
public import Virtio

/// The block device (virtio 1.3, 5.2).
///
/// Requests are made once and used again; a request's number is the back-end's tag. Nothing is
/// allocated for a request, requests of a batch go to the back-end together, and the driver gets one interrupt for
/// whatever was finished together. A flush is honest: it goes to the back-end, and the guest is told when that is done.
@safe
public final class BlockDevice<Backend: BlockBackend>: VirtioDevice, @unchecked Sendable {
  // SAFETY: @unchecked: on the device thread only, as the contract says; the rest is immutable. `requests` has room for
  // `requestCount` elements, the first `BlockState.madeRequests` of which are initialized.

  public let name: String
  public var identifier: VirtioDeviceIdentifier { .block }
  public var reach: DeviceReach { .window }
  public let features: VirtioFeatures
  public let queueSizes: [UInt16]
  public let configuration: ConfigurationSpace

  let backend: Backend
  let serial: [UInt8]
  let requests: UnsafeMutablePointer<BlockRequest>
  private let requestCount: Int
  let state: DeviceThreadState<BlockState>

  /// Requests of one turn, after which other devices get theirs.
  public static var turnLimit: Int { 256 }
  /// Bytes of one turn: the request that reaches them is its last.
  public static var turnByteLimit: Int { 4 << 20 }

  /// - Parameters:
  ///   - backend: where the data is. Its properties are asked once, here.
  ///   - serial: what the guest reads as identifier: at most 20 bytes of ASCII.
  ///   - queueCount: 1 to 16.
  ///   - queueSize: a power of two from 4 to 1024.
  public init(
    name: String,
    backend: Backend,
    serial: String = "",
    queueCount: Int = 1,
    queueSize: UInt16 = QueueSize.block
  ) {
    precondition((1...16).contains(queueCount), "a block device has 1 to 16 queues")
    precondition((4...1024).contains(queueSize) && queueSize.nonzeroBitCount == 1, "a queue's size is 4 to 1024")
    precondition(serial.utf8.count <= BlockLimit.identifier, "a serial number has at most 20 bytes")
    self.name = name
    self.backend = backend
    self.serial = Array(serial.utf8) + Array(repeating: 0, count: BlockLimit.identifier - serial.utf8.count)
    queueSizes = Array(repeating: queueSize, count: queueCount)
    features = Self.features(of: backend, queueCount: queueCount)
    configuration = ConfigurationSpace(
      Self.configuration(of: backend, queueCount: queueCount, queueSize: queueSize),
      writableAt: BlockField.writeback,
      count: 1
    )
    requestCount = queueCount * Int(queueSize)
    // SAFETY: freed in deinit; elements are initialized as they are needed.
    unsafe requests = .allocate(capacity: requestCount)
    state = DeviceThreadState(
      BlockState(queueCount: queueCount, requestCount: requestCount, capacity: backend.capacity)
    )
    backend.prepare(requests: requestCount)
  }

  deinit {
    // SAFETY: as many were initialized; nothing is in flight once nobody holds the device.
    unsafe requests.deinitialize(count: state.value.madeRequests)
    unsafe requests.deallocate()
  }

  private static func features(of backend: Backend, queueCount: Int) -> VirtioFeatures {
    var features: VirtioFeatures = [
      .splitVirtqueue, BlockFeature.segmentSize, BlockFeature.segmentMaximum, BlockFeature.blockSize,
      BlockFeature.topology, BlockFeature.flush, BlockFeature.configurableWriteback,
    ]
    if queueCount > 1 { features.insert(BlockFeature.multipleQueues) }
    if backend.isReadOnly {
      features.insert(BlockFeature.readOnly)
    } else {
      if backend.discardGranularity != nil { features.insert(BlockFeature.discard) }
      if backend.canWriteZeroes { features.insert(BlockFeature.writeZeroes) }
    }
    return features
  }

  private static func configuration(of backend: Backend, queueCount: Int, queueSize: UInt16) -> [UInt8] {
    var bytes = [UInt8](repeating: 0, count: BlockField.size)
    bytes.store(backend.capacity, at: BlockField.capacity)
    bytes.store(BlockSegment.maximum, at: BlockField.segmentSize)
    // Header and status take a descriptor each.
    bytes.store(UInt32(queueSize) - 2, at: BlockField.segmentMaximum)
    bytes.store(backend.blockSize, at: BlockField.blockSize)
    bytes.store(backend.physicalBlockExponent, at: BlockField.physicalBlockExponent)
    bytes.store(UInt8(1), at: BlockField.writeback)
    bytes.store(UInt16(queueCount), at: BlockField.queueCount)
    if let granularity = backend.discardGranularity {
      bytes.store(BlockLimit.rangeSectors, at: BlockField.discardSectorsMaximum)
      bytes.store(BlockLimit.ranges, at: BlockField.discardSegmentsMaximum)
      bytes.store(max(1, granularity / 512), at: BlockField.discardSectorAlignment)
    }
    if backend.canWriteZeroes {
      bytes.store(BlockLimit.rangeSectors, at: BlockField.writeZeroesSectorsMaximum)
      bytes.store(BlockLimit.ranges, at: BlockField.writeZeroesSegmentsMaximum)
      bytes.store(UInt8(backend.zeroesMayUnmap ? 1 : 0), at: BlockField.writeZeroesMayUnmap)
    }
    return bytes
  }

  // MARK: Contract

  public func attach(_ connection: DeviceConnection) { state.value.queues.attach(connection) }

  public func start(
    _ features: VirtioFeatures,
    queues configurations: [QueueConfiguration?],
    _ finished: @escaping @Sendable () -> Void
  ) {
    state.value.queues.start(features, configurations)
    // Its mode stands in the configuration space, also where that came back with a state.
    settleCache()
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
    state.value.queues.stop(index)
    wait(for: index, finished)
  }

  public func reset(_ finished: @escaping @Sendable () -> Void) {
    state.value.queues.reset()
    state.value.starved = 0
    state.value.unpublished = 0
    wait(for: nil) { [self] in
      state.value.writeback = 1
      configuration.change { $0[BlockField.writeback] = 1 }
      finished()
    }
  }

  public func suspend(_ finished: @escaping @Sendable () -> Void) {
    state.value.isSuspended = true
    wait(for: nil, finished)
  }

  public func resume() {
    state.value.isSuspended = false
    state.value.starved = 0
  }

  public func configurationWritten(at offset: Int, count: Int) { settleCache() }

  public var queuePositions: [QueuePosition?] { state.value.queues.positions }

  public func savedState() -> any VersionedState { BlockDeviceState(capacity: state.value.capacity) }

  public func decodeState(from decoder: any Decoder) throws -> any VersionedState {
    try Versioned<BlockDeviceState>(from: decoder).state
  }

  public func restore(_ state: any VersionedState) throws(DeviceStateError) {
    try restore(BlockDeviceState(kindOf: state))
  }

  private func restore(_ saved: BlockDeviceState) throws(DeviceStateError) {
    guard saved.capacity == state.value.capacity else { throw .invalid(device: name, field: "capacity") }
    state.value.isSuspended = true
  }

  /// A cache that the driver can't flush or has switched off is none: each write is durable (virtio 1.3, 5.2.6.2).
  ///
  /// What the driver wrote counts if it is a value of the field and the driver may write it; else the field shows what
  /// holds. Which features were accepted is known from DRIVER_OK on.
  private func settleCache() {
    let features = state.value.queues.features
    let (hasStarted, canFlush) = (features.contains(.version1), features.contains(BlockFeature.flush))
    let isSwitchable = features.contains(BlockFeature.configurableWriteback)
    let shown = configuration.load(BlockField.writeback, as: UInt8.self)
    if shown <= 1, isSwitchable || !hasStarted { state.value.writeback = shown }
    // Virtio 1.3, 5.2.5.2.
    if isSwitchable, !canFlush { state.value.writeback = 0 }
    let writeback = state.value.writeback
    if writeback != shown { configuration.change { $0[BlockField.writeback] = writeback } }
    state.value.isDurable = !canFlush || isSwitchable && writeback == 0
  }

  // MARK: From the back-end

  /// The back-end's capacity changed.
  public func capacityChanged() {
    let capacity = backend.capacity
    guard capacity != state.value.capacity else { return }
    state.value.capacity = capacity
    configuration.change { $0.store(capacity, at: BlockField.capacity) }
    state.value.queues.connection?.interruptForConfigurationChange()
  }

  /// Requests were finished.
  ///
  /// - Returns: whether to call again when other devices had their turn.
  public func backendReady() -> Bool {
    collect()
    publish()
    return serveStarved()
  }

  // MARK: Queues

  public func kick(_ index: Int) -> Bool {
    guard !state.value.isSuspended, let queue = state.value.queues[index],
      let connection = state.value.queues.connection, !connection.hasFailed
    else {
      return false
    }
    var (taken, bytes) = (0, 0)
    queue.suppressNotifications()
    repeat {
      let before = taken
      taking: while taken < Self.turnLimit, bytes < Self.turnByteLimit, !queue.isEmpty {
        guard let number = takeRequest() else {
          state.value.starved |= 1 << UInt64(index)
          break taking
        }
        // SAFETY: a request that was taken is initialized and not in use.
        switch unsafe queue.takeNext(into: &requests[Int(number)].chain) {
        case .empty:
          state.value.freeRequests.append(number)
          break taking
        case .fault(let fault):
          state.value.freeRequests.append(number)
          fail(index, fault)
          return false
        case .chain:
          taken += 1
          // SAFETY: as above.
          bytes += unsafe requests[Int(number)].chain.readableBytes + requests[Int(number)].chain.writableBytes
          state.value.inFlight[index] += 1
          if let fault = begin(number, of: index) {
            release(number, of: index)
            fail(index, fault)
            return false
          }
        }
      }
      if taken > before {
        backend.commit()
        collect()
      }
      publish()
      if taken == Self.turnLimit || bytes >= Self.turnByteLimit { return true }
      if state.value.starved & (1 << UInt64(index)) != 0 {
        // Where all that was begun is finished already, nobody calls for the rest.
        guard hasFreeRequest else { return false }
        state.value.starved &= ~(1 << UInt64(index))
      }
    } while queue.resumeNotifications()
    return false
  }

  private func fail(_ index: Int, _ fault: DriverFault) {
    // What was begun earlier in the batch is still carried out, and what of it is finished already is collected here or
    // never: its requests have to come back before a reset ends.
    backend.commit()
    collect()
    publish()
    state.value.queues.connection?.fail(queue: index, fault)
  }

  private func serveStarved() -> Bool {
    guard state.value.starved != 0, !state.value.isSuspended else { return false }
    let indices = state.value.starved
    state.value.starved = 0
    var more = false
    for index in state.value.queues.indices where indices & (1 << UInt64(index)) != 0 {
      if kick(index) { more = true }
    }
    return more
  }

  private func collect() {
    while let completion = backend.nextCompletion() {
      finish(completion.tag, succeeded: completion.succeeded)
    }
  }

  func publish() {
    guard state.value.unpublished != 0 else { return }
    var interrupting: UInt64 = 0
    for index in state.value.queues.indices where state.value.unpublished & (1 << UInt64(index)) != 0 {
      if let queue = state.value.queues[index], queue.publish() {
        interrupting |= 1 << UInt64(index)
      }
    }
    state.value.unpublished = 0
    if interrupting != 0 { state.value.queues.connection?.interruptForUsedBuffers(in: interrupting) }
  }

  // MARK: Requests

  private var hasFreeRequest: Bool { !state.value.freeRequests.isEmpty || state.value.madeRequests < requestCount }

  private func takeRequest() -> UInt32? {
    if let number = state.value.freeRequests.popLast() { return number }
    guard state.value.madeRequests < requestCount else { return nil }
    // SAFETY: below the number of requests and not initialized yet.
    unsafe (requests + state.value.madeRequests).initialize(to: BlockRequest(chainCapacity: Int(queueSizes[0])))
    state.value.madeRequests += 1
    return UInt32(state.value.madeRequests - 1)
  }

  func release(_ number: UInt32, of index: Int) {
    state.value.freeRequests.append(number)
    state.value.inFlight[index] -= 1
    if !state.value.waiters.isEmpty { wakeWaiters() }
  }

  private func isIdle(_ queue: Int?) -> Bool {
    queue.map { state.value.inFlight[$0] == 0 } ?? state.value.inFlight.allSatisfy { $0 == 0 }
  }

  private func wait(for queue: Int?, _ finished: @escaping @Sendable () -> Void) {
    if isIdle(queue) {
      publish()
      finished()
    } else {
      state.value.waiters.append(BlockWaiter(queue: queue, finished: finished))
    }
  }

  private func wakeWaiters() {
    let ready = state.value.waiters.filter { isIdle($0.queue) }
    guard !ready.isEmpty else { return }
    state.value.waiters = state.value.waiters.filter { !isIdle($0.queue) }
    publish()
    for waiter in ready { waiter.finished() }
  }
}
