package import GuestMemory
package import Virtio

/// A device of this process behind shadow queues: it sees memory of Apus's own, into which the guest's requests are
/// copied, and nothing of the guest's. For guests whose kernel knows no restricted pool.
package final class ShadowedDevice: VirtioDevice, @unchecked Sendable {
  // SAFETY: @unchecked: on the device thread only, as the contract says; the rest is immutable.

  /// Through which requests are copied, in bytes; what is not used takes no memory.
  private static let bounceSize: UInt64 = 32 << 20

  package var name: String { device.name }
  package var identifier: VirtioDeviceIdentifier { device.identifier }
  package let reach = DeviceReach.window
  package var features: VirtioFeatures { device.features }
  package var queueSizes: [UInt16] { device.queueSizes }
  package var configuration: ConfigurationSpace { device.configuration }

  private let device: any VirtioDevice
  private let thread: any DeviceThread
  private let line: Line
  private let side: DeviceTransportSide
  private let state: DeviceThreadState<State>

  private struct State: ~Copyable {
    var connection: DeviceConnection?
    /// What the driver accepted.
    var features = VirtioFeatures()
    var queues: [ShadowQueue]
    var rings: [QueueConfiguration]
    /// Those that the device has to be told of, a bit for each.
    var kicks: UInt64 = 0
    var isSuspended = false
    /// By queue: what was open elsewhere, until the device goes on. Empty: there is nothing of the kind.
    var inherited: [[ShadowQueuesState.Chain]] = []
  }

  /// The device's interrupt, which is the other side's word that requests came back.
  private final class Line: InterruptLine, @unchecked Sendable {
    // SAFETY: @unchecked: set before the device begins, and used on the device thread.
    weak var owner: ShadowedDevice?

    func raise(_ cause: InterruptCause) { owner?.raised(cause) }
  }

  /// - Parameters:
  ///   - device: attached to nothing yet.
  ///   - thread: where it works.
  ///   - observer: hears of what the guest does wrong.
  /// - Throws: `GuestMemoryError`, where the host has no memory.
  package init(
    _ device: any VirtioDevice,
    thread: any DeviceThread,
    observer: (any DriverFaultObserver)?
  ) throws {
    self.device = device
    self.thread = thread
    let sizes = device.queueSizes
    let rings = sizes.reduce(0) { $0 + UInt64(ShadowRing.memorySize($1)) }
    let size = (rings + Self.bounceSize + 0xFFFF) & ~0xFFFF
    let memory = try ShadowMemory(name: "\(device.name)-shadow", size: size)
    var (queues, configurations): ([ShadowQueue], [QueueConfiguration]) = ([], [])
    for (index, size) in sizes.enumerated() {
      let ring = ShadowRing(memory, size: size)
      configurations.append(ring.configuration)
      queues.append(
        ShadowQueue(
          index: index,
          ring: ring,
          memory: memory,
          isBounced: true,
          chainCapacity: DescriptorChain.segmentMaximum
        )
      )
    }
    memory.openBuffers()
    let line = Line()
    self.line = line
    side = DeviceTransportSide(
      device: device,
      space: memory.makeSpace(),
      line: line,
      thread: thread,
      observer: observer
    )
    state = DeviceThreadState(State(queues: queues, rings: configurations))
    line.owner = self
  }

  package func accepts(_ features: VirtioFeatures) -> Bool { device.accepts(features) }

  package func sharedMemory(_ identifier: UInt8) -> GuestRange? { device.sharedMemory(identifier) }

  package func attach(_ connection: DeviceConnection) { state.value.connection = connection }

  // MARK: Set-up

  /// What the device is told that its driver accepted: its memory is what it is granted, and its rings are Apus's.
  private func inner(_ features: VirtioFeatures) -> VirtioFeatures {
    features.intersection(device.features).subtracting(.splitVirtqueue).union([.version1, .accessPlatform])
  }

  package func start(
    _ features: VirtioFeatures,
    queues: [QueueConfiguration?],
    _ finished: @escaping @Sendable () -> Void
  ) {
    state.value.features = features
    var rings: [QueueConfiguration?] = []
    for (index, queue) in queues.enumerated() {
      rings.append(queue.map { takeOver(index, $0, features) })
    }
    side.start(inner(features), queues: rings, finished)
  }

  private func takeOver(
    _ index: Int,
    _ configuration: QueueConfiguration,
    _ features: VirtioFeatures
  ) -> QueueConfiguration {
    guard let connection = state.value.connection else { preconditionFailure("a device is attached before it starts") }
    let shadow = state.value.queues[index]
    shadow.forget()
    shadow.guest = SplitVirtqueue(configuration, index: index, view: connection.view, features: features)
    return state.value.rings[index]
  }

  package func startRestored(
    _ features: VirtioFeatures,
    queues: [QueueConfiguration?],
    _ finished: @escaping @Sendable () -> Void
  ) {
    guard let connection = state.value.connection else { preconditionFailure("a device is attached before it starts") }
    state.value.features = features
    let open = state.value.inherited
    state.value.inherited = []
    var rings: [QueueConfiguration?] = []
    for (index, queue) in queues.enumerated() {
      var ring = queue.map { takeOver(index, $0, features) }
      if ring != nil {
        let taken = state.value.queues[index].goOn(with: open.isEmpty ? [] : open[index], connection)
        ring?.position = QueuePosition(nextAvailable: taken, nextUsed: 0)
      }
      rings.append(ring)
    }
    side.startRestored(inner(features), queues: rings, finished)
  }

  package func startQueue(
    _ index: Int,
    _ configuration: QueueConfiguration,
    _ finished: @escaping @Sendable () -> Void
  ) {
    side.startQueue(index, takeOver(index, configuration, state.value.features), finished)
  }

  package func stopQueue(_ index: Int, _ finished: @escaping @Sendable () -> Void) {
    side.stopQueue(index) { [self] in
      state.value.queues[index].forget()
      finished()
    }
  }

  package func reset(_ finished: @escaping @Sendable () -> Void) {
    side.reset { [self] in
      for queue in state.value.queues { queue.forget() }
      state.value.kicks = 0
      finished()
    }
  }

  package func suspend(_ finished: @escaping @Sendable () -> Void) {
    side.suspend { [self] in
      // What the device has finished is the guest's before the state is at rest.
      for index in state.value.queues.indices { collect(index) }
      state.value.isSuspended = true
      finished()
    }
  }

  package func resume() {
    state.value.isSuspended = false
    side.resume()
  }

  package func configurationWritten(at offset: Int, count: Int) { side.configurationWritten(at: offset, width: count) }

  package var queuePositions: [QueuePosition?] { state.value.queues.map { $0.guest?.position } }

  package func savedState() -> any VersionedState { device.savedState() }

  package func decodeState(from decoder: any Decoder) throws -> any VersionedState {
    try device.decodeState(from: decoder)
  }

  package func restore(_ saved: any VersionedState) throws(DeviceStateError) {
    state.value.isSuspended = true
    try device.restore(saved)
  }

  // MARK: State of the queues between

  /// What is open between guest and device. Of a suspended device, beside its own state.
  package var queuesState: ShadowQueuesState {
    guard state.value.inherited.isEmpty else { return ShadowQueuesState(queues: state.value.inherited) }
    let positions = device.queuePositions
    return ShadowQueuesState(
      queues: state.value.queues.indices.map { index in
        positions[index].map { state.value.queues[index].openChains(taken: $0.nextAvailable) } ?? []
      }
    )
  }

  /// Has the device go on with what was open. Before its own state is put in.
  ///
  /// - Throws: `DeviceStateError` for a state that such queues cannot have.
  package func restore(_ saved: ShadowQueuesState) throws(DeviceStateError) {
    guard saved.queues.count == queueSizes.count else { throw .invalid(device: name, field: "queues") }
    for (chains, size) in zip(saved.queues, queueSizes) {
      let firstLeft = chains.firstIndex { !$0.isTaken } ?? chains.count
      guard chains.allSatisfy({ $0.head < size && $0.guestHead < size }),
        Set(chains.map(\.head)).count == chains.count, Set(chains.map(\.guestHead)).count == chains.count,
        !chains[firstLeft...].contains(where: \.isTaken)
      else { throw .invalid(device: name, field: "queues") }
    }
    state.value.inherited = saved.queues
  }

  // MARK: Requests

  package func kick(_ index: Int) -> Bool {
    guard !state.value.isSuspended, let connection = state.value.connection, !connection.hasFailed else { return false }
    let more = state.value.queues[index].forward(connection) { state.value.kicks |= 1 << UInt64(index) }
    return tellDevice() || more
  }

  /// - Returns: whether the device has left work for later.
  private func tellDevice() -> Bool {
    let kicks = state.value.kicks
    state.value.kicks = 0
    for index in state.value.queues.indices where kicks & 1 << UInt64(index) != 0 {
      if side.kick(queue: index) { state.value.kicks |= 1 << UInt64(index) }
    }
    return state.value.kicks != 0
  }

  private func raised(_ cause: InterruptCause) {
    switch cause {
    case .configurationChange:
      if side.status.contains(.deviceNeedsReset) {
        state.value.connection?.needsReset()
      } else {
        state.value.connection?.interruptForConfigurationChange()
      }
    case .usedBuffers(let queues):
      side.acknowledgeInterrupts(side.interruptStatus)
      for index in state.value.queues.indices where queues & 1 << UInt64(index) != 0 { collect(index) }
    }
  }

  private func collect(_ index: Int) {
    guard !state.value.isSuspended, let connection = state.value.connection, !connection.hasFailed else { return }
    let queue = state.value.queues[index]
    let collected = queue.collect(connection)
    precondition(collected == .all || collected == .more, "a device of this process keeps to its ring")
    guard collected == .more || queue.isStarved else { return }
    // The device is in the middle of something.
    thread.post { [weak self] in
      guard let self else { return }
      collect(index)
      if kick(index) { kickLater(index) }
    }
  }

  private func kickLater(_ index: Int) {
    thread.post { [weak self] in
      if let self, kick(index) { kickLater(index) }
    }
  }
}

/// What is open between a guest and a device of this process that sees copies of requests.
package struct ShadowQueuesState: VersionedState, Equatable {
  package static let kind = "shadow-queues"
  package static let version: UInt32 = 1

  /// A request that the device has.
  package struct Chain: Codable, Equatable, Sendable {
    /// By which the guest's ring knows it.
    package var guestHead: UInt16
    /// By which the device knows it.
    package var head: UInt16
    /// Whether the device has taken it, and owes an answer. What it has not taken comes behind.
    package var isTaken: Bool
  }

  /// In the order in which the device got them, of each queue.
  package var queues: [[Chain]]
}

extension ShadowRing {
  /// The ring as a queue of the device that works on it.
  var configuration: QueueConfiguration {
    QueueConfiguration(
      size: size,
      descriptorTable: ShadowMemory.address + UInt64(descriptorTable),
      driverArea: ShadowMemory.address + UInt64(driverArea),
      deviceArea: ShadowMemory.address + UInt64(deviceArea)
    )
  }
}
