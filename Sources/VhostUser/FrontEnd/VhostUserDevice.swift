internal import GuestMemory
package import Host
package import Virtio

/// How a back-end in another process gets at a guest's requests.
package enum VhostUserMode: Sendable {
  /// It sees a ring of Apus's own whose buffers lie in the device's window.
  case inPlace
  /// It sees the guest's own rings in the device's window, and KVM tells it of notifications.
  case direct
  /// It sees a ring and buffers of Apus's own, into which requests are copied, and nothing of the guest's.
  case bounced
}

/// A device whose back-end is another process (vhost-user): a conformer of the device contract, which keeps the guest's
/// queues and hands requests on by shadow queues.
///
/// What talks with the back-end, and may have to wait for it, is the ``VhostUserLink``'s thread; here nothing waits.
package final class VhostUserDevice: VirtioDevice, @unchecked Sendable {
  // SAFETY: @unchecked: on the device thread only, as the contract says; the rest is immutable.

  /// How long a back-end that was told to stop may work on what it has taken, in nanoseconds.
  private static let restLimit: UInt64 = 5_000_000_000
  /// How often it is looked whether it has come to rest, in nanoseconds.
  private static let restInterval: UInt64 = 1_000_000
  /// The size of the rings that the back-end sees, in descriptors.
  package static let ringSize: UInt16 = 1024
  /// Through which requests are bounced, in bytes.
  package static let bounceSize: UInt64 = 16 << 20

  package let name: String
  package let identifier: VirtioDeviceIdentifier
  package let reach = DeviceReach.window
  package let features: VirtioFeatures
  package let queueSizes: [UInt16]
  package let configuration: ConfigurationSpace
  package var takesKickDescriptors: Bool { mode == .direct }

  private let mode: VhostUserMode
  private let loss: VhostUserProfile.Loss
  private let linkField: Int?
  /// The features of the type that the back-end has a say in.
  private let remoteFeatures: VirtioFeatures
  private let link: VhostUserLink
  private let loop: EventLoop
  private let thread: any DeviceThread
  private let memory: ShadowMemory
  private let tell: @Sendable (String) -> Void
  private let timer: SharedTimer
  private let state: DeviceThreadState<State>

  /// A queue and what it takes to have another process work on it.
  private struct Queue {
    let shadow: ShadowQueue
    /// As the driver has set it up.
    var configuration: QueueConfiguration?
    /// Of the ring that runs; nil: none does.
    var kick: KickPipe?
    var call: SharedEventDescriptor?
    /// Calls that told nothing new, since the timer's last look.
    var idleCalls = 0
    var isMuted = false
    /// Of the guest's own ring, where the back-end works on it: the used ring's address, and its index as last seen.
    var usedRing: UInt64?
    var seenUsed: UInt16?
  }

  /// Something that takes its time, one after the other.
  private enum Operation {
    case start(UInt64, @Sendable () -> Void)
    case stop(UInt64, @Sendable () -> Void)
  }

  private struct State: ~Copyable {
    var connection: DeviceConnection?
    var features = VirtioFeatures()
    var queues: [Queue]
    /// What the driver has set up, a bit for each queue.
    var wanted: UInt64 = 0
    /// The rings that the back-end works on.
    var running: UInt64 = 0
    /// The features of the present back-end.
    var offered: UInt64
    var generation: UInt64
    var isConnected = true
    var isSuspended = false
    /// Of a network card.
    var hasCable = true
    /// The next back-end cannot take over.
    var isUnfit = false
    var operations: [Operation] = []
    var isBusy = false
    /// Whose rest is waited for: the index up to which the back-end has taken chains, of each queue; and until when.
    var bases: [Int: UInt16] = [:]
    var restDeadline: UInt64 = 0
    var atRest: (@Sendable () -> Void)?
  }

  /// - Parameters:
  ///   - profile: of the type.
  ///   - offer: what the back-end has.
  ///   - configuration: the configuration space, where it is not the back-end's.
  ///   - link: the back-end's, which tells this device what happens to it.
  ///   - loop: the device thread's.
  ///   - tell: told, in a line, what people and the machine's events are to hear. On the device thread.
  /// - Throws: `GuestMemoryError` or `HostError`, where the host has too little.
  package init(
    name: String,
    _ profile: VhostUserProfile,
    offer: VhostUserOffer,
    configuration: [UInt8]? = nil,
    mode: VhostUserMode,
    link: VhostUserLink,
    loop: EventLoop,
    thread: any DeviceThread,
    tell: @escaping @Sendable (String) -> Void
  ) throws {
    self.name = name
    self.mode = mode
    self.link = link
    self.loop = loop
    self.thread = thread
    self.tell = tell
    loss = profile.loss
    identifier = profile.identifier
    linkField = profile.linkField
    remoteFeatures = VirtioFeatures(rawValue: offer.features).intersection(profile.features)
    let queueFeatures =
      mode == .direct
      ? profile.queueFeatures.intersection(VirtioFeatures(rawValue: offer.features)) : profile.queueFeatures
    features = remoteFeatures.union(queueFeatures).union(profile.ownFeatures)
    let count = profile.queueCount(offer)
    queueSizes = Array(repeating: profile.queueSize, count: count)
    self.configuration = ConfigurationSpace(configuration ?? offer.configuration ?? [])
    let ringSize = mode == .direct ? 1 : Self.ringSize
    let rings = UInt64(count * ShadowRing.memorySize(ringSize))
    let size = (rings + (mode == .bounced ? Self.bounceSize : 0) + 0xFFFF) & ~0xFFFF
    let memory = try ShadowMemory(name: "\(name)-shadow", size: size)
    self.memory = memory
    var queues: [Queue] = []
    for index in 0..<count {
      let shadow = ShadowQueue(
        index: index,
        ring: ShadowRing(memory, size: ringSize),
        memory: memory,
        isBounced: mode == .bounced,
        chainCapacity: DescriptorChain.segmentMaximum
      )
      queues.append(Queue(shadow: shadow))
    }
    if mode == .bounced { memory.openBuffers() }
    state = DeviceThreadState(State(queues: queues, offered: offer.features, generation: link.generation))
    timer = SharedTimer(try HostTimer())
    _ = try loop.add(timer.value.rawValue, EventLoop.readable, ClosureHandler { [unowned self] _ in look() })
    link.setListener { [weak self] event in
      guard let self else { return }
      self.thread.post { [weak self] in self?.hear(event) }
    }
  }

  /// The device goes, and the back-end has nothing of it any longer. Nothing of the loop's or the link's comes then.
  package func release() {
    link.setListener(nil)
    let running = indices(state.value.running)
    link.run(state.value.generation) { (channel) throws(VhostUserError) in
      for index in running { _ = try channel.stop(ring: index) }
      if !running.isEmpty { try channel.resetDevice() }
    }
    state.value.running = 0
    for index in state.value.queues.indices {
      forgetRing(index)
      state.value.queues[index].shadow.guest = nil
    }
    loop.remove(timer.value.rawValue)
    state.value.connection = nil
  }

  // MARK: Contract

  package func attach(_ connection: DeviceConnection) { state.value.connection = connection }

  package func start(
    _ features: VirtioFeatures,
    queues: [QueueConfiguration?],
    _ finished: @escaping @Sendable () -> Void
  ) {
    state.value.features = features
    var wanted: UInt64 = 0
    for (index, queue) in queues.enumerated() {
      guard let queue else { continue }
      setUp(index, queue)
      wanted |= 1 << UInt64(index)
    }
    guard !state.value.isUnfit else {
      state.value.connection?.needsReset()
      return finished()
    }
    enqueue(.start(wanted, finished))
  }

  private func setUp(_ index: Int, _ configuration: QueueConfiguration) {
    state.value.queues[index].configuration = configuration
    state.value.wanted |= 1 << UInt64(index)
  }

  package func startRestored(
    _ features: VirtioFeatures,
    queues: [QueueConfiguration?],
    _ finished: @escaping @Sendable () -> Void
  ) {
    start(features, queues: queues, finished)
  }

  package func startQueue(
    _ index: Int,
    _ configuration: QueueConfiguration,
    _ finished: @escaping @Sendable () -> Void
  ) {
    setUp(index, configuration)
    enqueue(.start(1 << UInt64(index), finished))
  }

  package func stopQueue(_ index: Int, _ finished: @escaping @Sendable () -> Void) {
    takeBack(1 << UInt64(index), finished)
  }

  package func reset(_ finished: @escaping @Sendable () -> Void) {
    takeBack(state.value.wanted, finished)
  }

  /// The driver takes queues back. Where buffers are bounced, it may have them at once: the back-end has nothing of
  /// them, and what it writes later goes nowhere.
  private func takeBack(_ queues: UInt64, _ finished: @escaping @Sendable () -> Void) {
    state.value.wanted &= ~queues
    for index in indices(queues) {
      state.value.queues[index].configuration = nil
      state.value.queues[index].shadow.guest = nil
    }
    switch mode {
    case .inPlace, .direct: enqueue(.stop(queues, finished))
    case .bounced:
      enqueue(.stop(queues) {})
      finished()
    }
  }

  package func suspend(_ finished: @escaping @Sendable () -> Void) {
    state.value.isSuspended = true
    switch mode {
    case .inPlace, .direct: enqueue(.stop(state.value.wanted, finished))
    case .bounced: finished()
    }
  }

  package func resume() {
    state.value.isSuspended = false
    switch mode {
    case .inPlace, .direct: break
    case .bounced: for index in indices(state.value.running) { called(index) }
    }
    // Bounced rings run on, unless their back-end was lost meanwhile.
    enqueue(.start(state.value.wanted) {})
    answerAll()
  }

  package func configurationWritten(at offset: Int, count: Int) {
    let bytes = Array(configuration.bytes[offset..<offset + count])
    link.run(state.value.generation) { (channel) throws(VhostUserError) in
      try channel.writeConfiguration(at: offset, bytes)
    }
  }

  package var queuePositions: [QueuePosition?] {
    state.value.queues.map { $0.shadow.guest?.position ?? $0.configuration?.position }
  }

  package func savedState() -> any VersionedState { VhostUserDeviceState() }

  package func decodeState(from decoder: any Decoder) throws -> any VersionedState {
    try Versioned<VhostUserDeviceState>(from: decoder).state
  }

  package func restore(_ state: any VersionedState) throws(DeviceStateError) {
    _ = try VhostUserDeviceState(kindOf: state)
    self.state.value.isSuspended = true
  }

  // MARK: Requests

  package func kick(_ index: Int) -> Bool {
    guard !state.value.isSuspended, let connection = state.value.connection, !connection.hasFailed else { return false }
    // KVM has told the back-end already.
    guard mode != .direct else { return false }
    if state.value.running & 1 << UInt64(index) != 0 { return forward(index, connection) }
    guard !state.value.isConnected, case .answer(let answer) = loss else { return false }
    return state.value.queues[index].shadow.answer(connection, answer)
  }

  private func forward(_ index: Int, _ connection: DeviceConnection) -> Bool {
    let queue = state.value.queues[index]
    return queue.shadow.forward(connection) { queue.kick?.signal() }
  }

  /// The back-end says that requests came back.
  private func called(_ index: Int) {
    guard state.value.running & 1 << UInt64(index) != 0, !state.value.isSuspended,
      let connection = state.value.connection, !connection.hasFailed
    else { return }
    guard mode != .direct else { return passOn(index, connection) }
    let shadow = state.value.queues[index].shadow
    let before = shadow.ring.open
    switch shadow.collect(connection) {
    case .all: break
    case .more: thread.post { [weak self] in self?.called(index) }
    case .fault(let fault): return link.drop("a used ring in which \(fault.text)")
    }
    if shadow.ring.open == before { noteIdleCall(index) }
    goOn(index, connection)
  }

  /// Hands on what waited for room. Where requests are bounced, all queues have theirs from the same memory.
  private func goOn(_ index: Int, _ connection: DeviceConnection) {
    guard mode == .bounced else {
      if state.value.queues[index].shadow.isStarved, forward(index, connection) { kickLater(index) }
      return
    }
    for index in indices(state.value.running)
    where state.value.queues[index].shadow.isStarved && forward(index, connection) { kickLater(index) }
  }

  private func kickLater(_ index: Int) {
    thread.post { [weak self] in
      if let self, kick(index) { kickLater(index) }
    }
  }

  /// Interrupts the driver where there is something new in its own ring.
  private func passOn(_ index: Int, _ connection: DeviceConnection) {
    let used = usedIndex(index, connection)
    guard used != state.value.queues[index].seenUsed else { return noteIdleCall(index) }
    state.value.queues[index].seenUsed = used
    connection.interruptForUsedBuffers(in: 1 << UInt64(index))
  }

  /// Of the guest's own ring; nil: it is not there any longer.
  private func usedIndex(_ index: Int, _ connection: DeviceConnection) -> UInt16? {
    guard let usedRing = state.value.queues[index].usedRing else { return nil }
    var value: UInt16 = 0
    // SAFETY: a number's bytes may be anything.
    let isThere = unsafe withUnsafeMutableBytes(of: &value) { bytes in
      unsafe connection.view.read(at: usedRing + 2, into: bytes)
    }
    return isThere ? UInt16(littleEndian: value) : nil
  }

  /// By which the back-end is told of a queue; nil: its ring does not run.
  func kickPipe(_ index: Int) -> KickPipe? { state.value.queues[index].kick }

  // MARK: A flood of calls

  /// How many calls that tell nothing new are listened to between two looks of the timer.
  private static let idleCallLimit = 64
  /// How long such a queue is looked at by time alone, in nanoseconds.
  private static let mutedInterval: UInt64 = 5_000_000

  private func noteIdleCall(_ index: Int) {
    state.value.queues[index].idleCalls += 1
    guard state.value.queues[index].idleCalls > Self.idleCallLimit, !state.value.queues[index].isMuted else { return }
    state.value.queues[index].isMuted = true
    if let call = state.value.queues[index].call { loop.change(call.value.rawValue, 0) }
    if state.value.atRest == nil { timer.value.arm(after: Self.mutedInterval) }
  }

  private func unmute() {
    for index in state.value.queues.indices where state.value.queues[index].isMuted {
      state.value.queues[index].isMuted = false
      state.value.queues[index].idleCalls = 0
      if let call = state.value.queues[index].call { loop.change(call.value.rawValue, Self.callEvents) }
      called(index)
    }
  }

  // MARK: One operation after the other

  private func indices(_ queues: UInt64) -> [Int] { queueSizes.indices.filter { queues & 1 << UInt64($0) != 0 } }

  private func enqueue(_ operation: Operation) {
    state.value.operations.append(operation)
    next()
  }

  private func next() {
    guard !state.value.isBusy, !state.value.operations.isEmpty else { return }
    state.value.isBusy = true
    switch state.value.operations.removeFirst() {
    case .start(let queues, let finished):
      begin(queues) { [self] in
        state.value.isBusy = false
        finished()
        next()
      }
    case .stop(let queues, let finished):
      end(queues) { [self] in
        state.value.isBusy = false
        finished()
        next()
      }
    }
  }

  // MARK: Start

  /// Edge-triggered, and never read: no flag that the back-end changes makes this process wait.
  private static let callEvents = EventLoop.readable | EventLoop.edgeTriggered

  /// Has the back-end work on those of the queues that the driver wants and that do not run.
  private func begin(_ queues: UInt64, _ finished: @escaping @Sendable () -> Void) {
    let queues = queues & state.value.wanted & ~state.value.running
    guard let connection = state.value.connection, queues != 0 else { return finished() }
    if mode != .direct { for index in indices(queues) { takeOver(index, connection) } }
    guard state.value.isConnected, !connection.hasFailed else { return finished() }
    let usesEventIndex = features(of: VhostUserMode.ringFeatures).contains(.eventIndex)
    var rings: [LentRing] = []
    for index in indices(queues) {
      guard
        mode == .direct
          || state.value.queues[index].shadow.beginAnew(usesEventIndex: usesEventIndex, connection)
      else { return finished() }
      do throws(HostError) {
        rings.append(try makeRing(index, connection))
      } catch {
        tell("\(error)")
        connection.needsReset()
        return finished()
      }
    }
    let ringFeatures =
      mode == .direct
      ? state.value.features.intersection(.splitVirtqueue) : features(of: VhostUserMode.ringFeatures)
    let features = state.value.features.intersection(remoteFeatures).union(ringFeatures).union(.version1).rawValue
    // The first rings bring the memory along.
    let regions = state.value.running == 0 ? regions(connection) : nil
    link.run(
      state.value.generation,
      { [rings, isDirect = mode == .direct] (channel) throws(VhostUserError) in
        if let regions { try channel.lend(features: features, regions) }
        for ring in rings { try channel.start(ring, isKicked: !isDirect) }
      },
      { [weak self] error in
        guard let self else { return }
        self.thread.post { [weak self] in
          guard let self else { return }
          if error == nil {
            self.state.value.running |= queues
            for index in self.indices(queues) {
              self.state.value.queues[index].kick?.signal()
              self.kickLater(index)
              self.called(index)
            }
          }
          finished()
        }
      }
    )
  }

  /// A queue that the driver has set up anew begins with nothing of the one before it.
  private func takeOver(_ index: Int, _ connection: DeviceConnection) {
    let shadow = state.value.queues[index].shadow
    guard shadow.guest == nil, let configuration = state.value.queues[index].configuration else { return }
    shadow.forget()
    shadow.guest = SplitVirtqueue(
      configuration,
      index: index,
      view: connection.view,
      features: state.value.features
    )
  }

  private func features(of ring: VirtioFeatures) -> VirtioFeatures {
    VirtioFeatures(rawValue: state.value.offered).intersection(ring)
  }

  private func makeRing(_ index: Int, _ connection: DeviceConnection) throws(HostError) -> LentRing {
    forgetRing(index)
    if mode == .direct { return try makeDirectRing(index, connection) }
    let (kick, call) = (try KickPipe(), try makeCall(index))
    // A worker that waits for kicks alone looks at the ring for this one.
    kick.signal()
    state.value.queues[index].kick = kick
    let ring = state.value.queues[index].shadow.ring
    return LentRing(
      index: index,
      size: ring.size,
      base: 0,
      descriptorTable: ShadowMemory.address + UInt64(ring.descriptorTable),
      driverArea: ShadowMemory.address + UInt64(ring.driverArea),
      deviceArea: ShadowMemory.address + UInt64(ring.deviceArea),
      kick: kick.descriptor,
      call: call.value.rawValue
    )
  }

  private func makeCall(_ index: Int) throws(HostError) -> SharedEventDescriptor {
    let call = SharedEventDescriptor(try EventDescriptor())
    _ = try loop.add(
      call.value.rawValue,
      Self.callEvents,
      ClosureHandler { [unowned self] _ in called(index) }
    )
    state.value.queues[index].call = call
    return call
  }

  /// The guest's own ring, where it stands.
  private func makeDirectRing(_ index: Int, _ connection: DeviceConnection) throws(HostError) -> LentRing {
    guard let configuration = state.value.queues[index].configuration, connection.descriptors.indices.contains(index),
      let kick = connection.descriptors[index].kick
    else { preconditionFailure("a queue that the driver wants is set up, and has a descriptor") }
    state.value.queues[index].usedRing = configuration.deviceArea
    state.value.queues[index].seenUsed = configuration.position.nextUsed
    return LentRing(
      index: index,
      size: configuration.size,
      base: configuration.position.nextAvailable,
      descriptorTable: configuration.descriptorTable,
      driverArea: configuration.driverArea,
      deviceArea: configuration.deviceArea,
      kick: kick,
      call: try makeCall(index).value.rawValue
    )
  }

  private func forgetRing(_ index: Int) {
    if let call = state.value.queues[index].call { loop.remove(call.value.rawValue) }
    state.value.queues[index].kick = nil
    state.value.queues[index].call = nil
    state.value.queues[index].usedRing = nil
    state.value.queues[index].idleCalls = 0
    state.value.queues[index].isMuted = false
  }

  private func regions(_ connection: DeviceConnection) -> [LentRegion] {
    var regions: [LentRegion] = []
    if mode != .direct {
      regions.append(LentRegion(address: ShadowMemory.address, size: memory.size, descriptor: memory.descriptor))
    }
    guard mode != .bounced else { return regions }
    for part in connection.space.parts {
      guard let descriptor = part.fileDescriptor else {
        preconditionFailure("a device that works in place has a confined window")
      }
      regions.append(
        LentRegion(address: part.range.start.rawValue, size: part.range.size, descriptor: descriptor)
      )
    }
    // In ascending order, without which some back-ends refuse them.
    return regions.sorted { $0.address < $1.address }
  }

  // MARK: Stop

  /// Has the back-end stop, and waits until it has nothing any longer of what it has taken.
  private func end(_ queues: UInt64, _ finished: @escaping @Sendable () -> Void) {
    let queues = queues & state.value.running
    guard queues != 0 else { return finished() }
    let all = queues == state.value.running
    let indices = indices(queues)
    link.run(
      state.value.generation,
      { [weak self] (channel) throws(VhostUserError) in
        var bases: [Int: UInt16] = [:]
        for index in indices { bases[index] = try channel.stop(ring: index) }
        if all { try channel.resetDevice() }
        guard let self else { return }
        let found = bases
        self.thread.post { [weak self] in self?.awaitRest(found) }
      }
    )
    state.value.atRest = { [self] in
      state.value.running &= ~queues
      for index in indices { forgetRing(index) }
      finished()
    }
  }

  private func awaitRest(_ bases: [Int: UInt16]) {
    // The connection may have been lost meanwhile, and with it all that is waited for.
    guard state.value.atRest != nil else { return }
    state.value.bases = bases
    state.value.restDeadline = HostClock.monotonic + Self.restLimit
    look()
  }

  /// Looks whether the back-end has come to rest, and at queues that it called about too often.
  private func look() {
    timer.value.clear()
    unmute()
    guard state.value.atRest != nil, !state.value.bases.isEmpty, let connection = state.value.connection else { return }
    for (index, base) in state.value.bases {
      let shadow = state.value.queues[index].shadow
      guard mode != .direct else {
        if usedIndex(index, connection) == base { rest(index, at: base, connection) }
        continue
      }
      switch shadow.collect(connection) {
      case .all, .more: if shadow.ring.isAtRest(base: base) { state.value.bases[index] = nil }
      case .fault(let fault):
        state.value.bases = [:]
        return link.drop("a used ring in which \(fault.text)")
      }
    }
    if state.value.bases.isEmpty { return rest() }
    guard HostClock.monotonic < state.value.restDeadline else {
      state.value.bases = [:]
      return link.drop("nothing of what it works on, seconds after it was told to stop")
    }
    timer.value.arm(after: Self.restInterval)
  }

  /// A ring of the guest's goes on from there, if it does.
  private func rest(_ index: Int, at base: UInt16, _ connection: DeviceConnection) {
    state.value.bases[index] = nil
    guard state.value.queues[index].configuration != nil else { return }
    let position = QueuePosition(nextAvailable: base, nextUsed: base)
    state.value.queues[index].configuration?.position = position
    guard state.value.queues[index].seenUsed != base else { return }
    // It came back after the suspension had begun, since when nobody listens to calls.
    state.value.queues[index].seenUsed = base
    connection.interruptForUsedBuffers(in: 1 << UInt64(index))
  }

  private func rest() {
    guard let atRest = state.value.atRest else { return }
    state.value.atRest = nil
    state.value.bases = [:]
    atRest()
  }

  // MARK: Loss and return

  private func hear(_ event: VhostUserLinkEvent) {
    switch event {
    case .lost(let error, let isDead): lost(error, isDead: isDead)
    case .away(let error): tell("\(link.subject): \(error); it is tried again and again until it is back")
    case .returned(let offer, let generation):
      state.value.generation = generation
      returned(offer)
    case .configuration(let bytes):
      guard bytes.count == configuration.size else { return }
      configuration.change { $0 = bytes }
      state.value.connection?.interruptForConfigurationChange()
    }
  }

  private func lost(_ error: VhostUserError, isDead: Bool) {
    tell("\(link.subject): \(error)")
    state.value.isConnected = false
    showLink()
    let running = state.value.running
    state.value.running = 0
    for index in state.value.queues.indices { forgetRing(index) }
    if mode == .direct, running != 0 {
      // What it had is not known: the guest's rings say what was taken and not what was done.
      tell("\(link.subject): its requests are lost, and the device needs a reset")
      state.value.connection?.needsReset()
    } else if !isDead, mode == .inPlace, running != 0 {
      // It may write to the guest's buffers still, so the guest must not have them back.
      fail("\(link.subject) cannot be made to end: the device takes no further requests")
    } else {
      answerAll()
    }
    rest()
  }

  /// Answers in place of a back-end that is gone, where the type has such answers.
  private func answerAll() {
    guard !state.value.isConnected, !state.value.isSuspended, case .answer(let answer) = loss,
      let connection = state.value.connection, !connection.hasFailed
    else { return }
    for index in indices(state.value.wanted) {
      if state.value.queues[index].shadow.answer(connection, answer) { kickLater(index) }
    }
  }

  private func returned(_ offer: VhostUserOffer) {
    state.value.isConnected = true
    if let reason = unfitness(offer) { return fail("\(link.subject) came back and \(reason)") }
    tell("\(link.subject): it is back")
    showLink()
    state.value.offered = offer.features
    if let bytes = offer.configuration, bytes.count == configuration.size, bytes != configuration.bytes {
      hear(.configuration(bytes))
    }
    if !state.value.isSuspended { enqueue(.start(state.value.wanted) {}) }
  }

  /// Pulls a network card's cable, or puts it in; the driver is told.
  package func setCable(isIn: Bool) {
    state.value.hasCable = isIn
    showLink()
  }

  private func showLink() {
    guard let linkField else { return }
    let isUp: UInt8 = state.value.isConnected && state.value.hasCable ? 1 : 0
    guard configuration.load(linkField, as: UInt8.self) != isUp else { return }
    configuration.change { $0[linkField] = isUp }
    state.value.connection?.interruptForConfigurationChange()
  }

  private func unfitness(_ offer: VhostUserOffer) -> String? {
    let missing = state.value.features.intersection(remoteFeatures)
      .subtracting(VirtioFeatures(rawValue: offer.features))
    if !missing.isEmpty { return "lacks features \(missing) that the driver uses" }
    if let count = offer.queueCount, count < UInt64(queueSizes.count) { return "has \(count) queues" }
    if let bytes = offer.configuration, bytes.count != configuration.size { return "has another configuration space" }
    return nil
  }

  private func fail(_ reason: String) {
    tell(reason)
    state.value.isUnfit = true
    state.value.connection?.needsReset()
  }
}

/// What is kept of a device whose back-end is elsewhere: the back-end begins anew.
struct VhostUserDeviceState: VersionedState {
  static let kind = "vhost-user"
  static let version: UInt32 = 1
}

extension VhostUserMode {
  /// What the rings that a back-end sees may have.
  static var ringFeatures: VirtioFeatures { .eventIndex }
}

extension ShadowRing.Fault {
  var text: String {
    switch self {
    case .indexJumped(let ahead): "the index is \(ahead) ahead"
    case .identifierOutOfRange(let number): "request \(number) stands, which is no descriptor's number"
    case .notOpen(let number): "request \(number) stands, which it does not have"
    }
  }
}

extension VhostUserProfile {
  /// How many queues a device has whose back-end makes this offer.
  package func queueCount(_ offer: VhostUserOffer) -> Int {
    queueCount ?? Int(clamping: min(max(offer.queueCount ?? 1, 1), 16))
  }
}
