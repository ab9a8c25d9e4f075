internal import GuestMemory
internal import Host
package import Virtio

/// What happened to a device's process, for people.
package enum MessagesDeviceEvent: Equatable, Sendable {
  /// It has gone; another one may take its place for a while.
  case lost(MessageFault)
  /// Nobody came: requests fail from now on.
  case offline
  /// A process is there again.
  case returned
  /// The device needs a reset.
  case failed(MessageFault)
}

/// A virtio device whose model is in another process, which has a socket and nothing of the guest's memory: the bytes
/// of its driver's chains go there and come back as messages.
///
/// Nothing here waits for that process: what is asked of it has a deadline, after which the device has failed. Where
/// the process goes, open requests wait for another one, which is driven as if it were the same; where none comes they
/// get an error, as does every later one. For the device thread.
@safe
package final class MessagesDevice: VirtioDevice, @unchecked Sendable {
  // SAFETY: @unchecked: on the device thread only, as the contract says; the rest is immutable.

  package let name: String
  package let identifier: VirtioDeviceIdentifier
  package var reach: DeviceReach { .messages }
  package let features: VirtioFeatures
  package var queueSizes: [UInt16] { hello.queueSizes }
  package let configuration: ConfigurationSpace

  let hello: MessageHello
  let path: String
  let told: (MessagesDeviceEvent) -> Void
  /// How long open requests wait for another process, in nanoseconds.
  let patience: UInt64
  /// How long an answer is waited for, in nanoseconds.
  let deadline: UInt64
  /// Of each queue, where its chains begin in ``FrontState/open``.
  let firstOpen: [Int]
  let state: DeviceThreadState<FrontState>

  /// Chains of one turn, after which other devices get theirs.
  static var turnLimit: Int { 64 }

  /// - Parameters:
  ///   - peer: connected, and greeted with `hello`, which was checked for the type.
  ///   - path: where another process may listen later.
  ///   - patience: how long open requests wait for one.
  ///   - deadline: how long an answer is waited for.
  ///   - told: hears what happens to the process. On the device thread.
  package init(
    name: String,
    type identifier: VirtioDeviceIdentifier,
    _ peer: MessagePeer,
    _ hello: MessageHello,
    path: String,
    patience: Duration = .seconds(10),
    deadline: Duration = .nanoseconds(MessageWire.deadline),
    told: @escaping (MessagesDeviceEvent) -> Void
  ) {
    self.name = name
    self.identifier = identifier
    self.hello = hello
    self.path = path
    self.patience = patience.nanoseconds
    self.deadline = deadline.nanoseconds
    self.told = told
    features = hello.features.union(.splitVirtqueue)
    configuration = ConfigurationSpace(
      hello.configuration,
      writableAt: hello.writable.lowerBound,
      count: hello.writable.count
    )
    var count = 0
    var first: [Int] = []
    for size in hello.queueSizes {
      first.append(count)
      count += Int(size)
    }
    firstOpen = first
    state = DeviceThreadState(FrontState(queueSizes: hello.queueSizes, openCount: count))
    peer.makeRoom(MessagePeer.room(credit: hello.credit, queueSizes: hello.queueSizes))
    state.value.peer = peer
  }

  /// Begins to work with the process. Once, before a driver is there.
  package func begin(_ watcher: any MessageWatcher) {
    state.value.watcher = watcher
    guard let peer = state.value.peer else { return }
    watcher.watch(peer)
    greetBack()
  }

  /// Lets go of the process.
  package func shutDown() {
    disconnect()
    state.value.watcher?.end()
    state.value.watcher = nil
  }

  // MARK: Contract

  package func attach(_ connection: DeviceConnection) { state.value.queues.attach(connection) }

  package func start(
    _ features: VirtioFeatures,
    queues configurations: [QueueConfiguration?],
    _ finished: @escaping @Sendable () -> Void
  ) {
    begin(features, configurations)
    if state.value.phase == .working { attempt { () throws(MessageFault) in try sendStart(isRestored: false) } }
    finished()
  }

  private func begin(_ features: VirtioFeatures, _ configurations: [QueueConfiguration?]) {
    state.value.queues.start(features, configurations)
    state.value.isStarted = true
    state.value.isTouched = true
    switch state.value.phase {
    case .working: break
    case .failed: state.value.queues.connection?.needsReset()
    case .absent, .offline: beAbsent()
    }
  }

  package func startRestored(
    _ features: VirtioFeatures,
    queues configurations: [QueueConfiguration?],
    _ finished: @escaping @Sendable () -> Void
  ) {
    begin(features, configurations)
    attempt { () throws(MessageFault) in
      guard state.value.phase == .working else { return }
      if !state.value.saved.isEmpty { try send(FrameHeader(.restore), state.value.saved) }
      try sendStart(isRestored: !state.value.saved.isEmpty)
    }
    finished()
  }

  package func startQueue(
    _ index: Int,
    _ configuration: QueueConfiguration,
    _ finished: @escaping @Sendable () -> Void
  ) {
    state.value.queues.start(index, configuration)
    if state.value.phase == .working {
      attempt { () throws(MessageFault) in try send(FrameHeader(.startQueue, queue: UInt16(index))) }
    }
    finished()
  }

  package func stopQueue(_ index: Int, _ finished: @escaping @Sendable () -> Void) {
    forget(index)
    state.value.queues.stop(index)
    ask(.stop, queue: index, finished)
  }

  package func reset(_ finished: @escaping @Sendable () -> Void) {
    for index in hello.queueSizes.indices { forget(index) }
    state.value.queues.reset()
    state.value.isStarted = false
    state.value.saved = []
    // Where nothing was begun, nothing is to be ended.
    guard state.value.isTouched || state.value.phase == .failed else { return finished() }
    state.value.isTouched = false
    ask(.reset, queue: nil) { [self] in
      // Whatever it failed at, another process may do better.
      if state.value.phase == .failed { beAbsent() }
      finished()
    }
  }

  package func suspend(_ finished: @escaping @Sendable () -> Void) {
    state.value.isSuspended = true
    state.value.saved = []
    ask(.suspend, queue: nil, finished)
  }

  package func resume() {
    state.value.isSuspended = false
    switch state.value.phase {
    case .working:
      attempt { () throws(MessageFault) in
        try send(FrameHeader(.resume))
        // What was open elsewhere.
        let chains = state.value.restored
        state.value.restored = []
        for chain in chains { try sendAgain(chain.head, of: chain.queue) }
      }
    case .absent, .offline: beAbsent()
    case .failed: armTick()
    }
  }

  package func configurationWritten(at offset: Int, count: Int) {
    state.value.isTouched = true
    guard state.value.phase == .working else { return }
    attempt { () throws(MessageFault) in try sendField(offset..<offset + count) }
  }

  package var queuePositions: [QueuePosition?] { state.value.queues.positions }

  package func savedState() -> any VersionedState {
    // Those that wait for a process come first: nothing else is open then.
    var open = state.value.restored
    for index in hello.queueSizes.indices where state.value.queues[index] != nil {
      open += openChains(of: index).map { .init(queue: index, head: $0) }
    }
    return MessagesDeviceState(identifier: hello.identifier, model: state.value.saved, open: open)
  }

  package func decodeState(from decoder: any Decoder) throws -> any VersionedState {
    try Versioned<MessagesDeviceState>(from: decoder).state
  }

  package func restore(_ state: any VersionedState) throws(DeviceStateError) {
    let saved = try MessagesDeviceState(kindOf: state)
    guard saved.identifier == hello.identifier else { throw .invalid(device: name, field: "identifier") }
    guard saved.model.count <= MessageWire.payloadLimit else { throw .invalid(device: name, field: "model") }
    for chain in saved.open {
      guard hello.queueSizes.indices.contains(chain.queue), chain.head < hello.queueSizes[chain.queue] else {
        throw .invalid(device: name, field: "open")
      }
    }
    self.state.value.saved = saved.model
    self.state.value.restored = saved.open
    self.state.value.isSuspended = true
  }

  // MARK: What goes out

  /// Sends the driver's part of the configuration space, features and queues.
  func sendStart(isRestored: Bool) throws(MessageFault) {
    if !hello.writable.isEmpty { try sendField(hello.writable) }
    var running: UInt64 = 0
    for index in hello.queueSizes.indices where state.value.queues[index] != nil { running |= 1 << UInt64(index) }
    var body: [UInt8] = []
    body.append(number: state.value.queues.features.intersection(MessageHello.typeFeatures).rawValue)
    body.append(number: running)
    body.append(number: UInt32(isRestored ? 1 : 0))
    try send(FrameHeader(.start), body)
  }

  private func sendField(_ field: Range<Int>) throws(MessageFault) {
    let bytes = configuration.bytes
    try send(FrameHeader(.configurationWrite, ticket: UInt64(field.lowerBound)), Array(bytes[field]))
  }

  /// Sends a frame that carries no chain.
  func send(_ header: FrameHeader, _ body: [UInt8] = []) throws(MessageFault) {
    guard let peer = state.value.peer else { throw .gone }
    try peer.output.append(header, body)
    try flush()
  }

  /// Asks for something that has an end. Where nobody is there it is over at once: nothing is in flight.
  func ask(_ kind: MessageKind, queue: Int?, _ finished: @escaping @Sendable () -> Void) {
    guard state.value.phase == .working else { return finished() }
    state.value.requests += 1
    let number = state.value.requests
    let deadline = HostClock.monotonic + deadline
    state.value.operations.append(.init(number: number, kind: kind, deadline: deadline, finished: finished))
    attempt { () throws(MessageFault) in
      try send(FrameHeader(kind, queue: UInt16(queue ?? 0), ticket: number))
    }
    armTick()
  }

  /// Sends what waits, and waits for room where there is none.
  func flush() throws(MessageFault) {
    guard let peer = state.value.peer else { return }
    let isDone = try peer.flush()
    guard isDone == state.value.wantsRoom else { return }
    state.value.wantsRoom = !isDone
    state.value.watcher?.wantRoom(!isDone)
    if !isDone { armTick() }
  }

  /// Does something that fails the device where it goes wrong.
  func attempt(_ body: () throws(MessageFault) -> Void) {
    do throws(MessageFault) {
      try body()
    } catch {
      end(error)
    }
  }
}

/// What a device in another process needs to go on elsewhere.
package struct MessagesDeviceState: VersionedState, Equatable {
  package static var kind: String { "virtio-messages" }
  package static var version: UInt32 { 1 }

  /// A chain that was taken and not given back.
  package struct Chain: Codable, Equatable, Sendable {
    /// Of the device, from 0.
    package var queue: Int
    /// Its first descriptor.
    package var head: UInt16
  }

  /// The device type.
  package var identifier: UInt32
  /// What the other process says of its model, in bytes that it understands itself.
  package var model: [UInt8]
  /// In the order in which they were taken, of each queue.
  package var open: [Chain]
}
