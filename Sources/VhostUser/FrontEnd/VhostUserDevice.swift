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
  static let restLimit: UInt64 = 5_000_000_000
  /// How often it is looked whether it has come to rest, in nanoseconds.
  static let restInterval: UInt64 = 1_000_000
  /// The size of the rings that the back-end sees, in descriptors.
  package static let ringSize: UInt16 = 1024
  /// How many troubles are remembered, so that each is told once.
  static let troubleLimit = 16
  /// Through which requests are bounced, in bytes.
  package static let bounceSize: UInt64 = 16 << 20
  /// The largest buffer that a network card's driver receives into, in bytes, where it does not merge them (virtio 1.3,
  /// 5.1.6.3.1), and what is lost where it begins and ends.
  private static let largestReceived = UInt64(65550 + ShadowMemory.granule)

  package let name: String
  package let identifier: VirtioDeviceIdentifier
  package let reach = DeviceReach.window
  package let features: VirtioFeatures
  package let queueSizes: [UInt16]
  package let configuration: ConfigurationSpace
  package var takesKickDescriptors: Bool { mode == .direct }

  /// Whether queue 0 takes what the back-end answers to queue 1.
  let hasReceiveQueue: Bool
  let mode: VhostUserMode
  let loss: VhostUserProfile.Loss
  let linkField: Int?
  let hasState: Bool
  /// The features of the type that the back-end has a say in.
  let remoteFeatures: VirtioFeatures
  /// The configuration space, where it is the back-end's: as it was when the connection began.
  private let ownConfiguration: [UInt8]?
  let link: VhostUserLink
  let loop: EventLoop
  let thread: any DeviceThread
  let memory: ShadowMemory
  let tell: @Sendable (String) -> Void
  let timer: SharedTimer
  let state: DeviceThreadState<State>

  /// A queue and what it takes to have another process work on it.
  struct Queue {
    let shadow: ShadowQueue
    /// As the driver has set it up.
    var configuration: QueueConfiguration?
    /// Of the ring that runs; nil: none does.
    var kick: KickPipe?
    var call: SharedEventDescriptor?
    var idleCalls = IdleCalls()
    /// Whether calls are not listened to, and the timer has it looked at.
    var isMuted = false
    /// Of the guest's own ring, where the back-end works on it: the used ring's address, and its index as last seen.
    var usedRing: UInt64?
    var seenUsed: UInt16?
  }

  /// Something that takes its time, one after the other.
  enum Operation {
    case start(UInt64, @Sendable () -> Void)
    case stop(UInt64, @Sendable () -> Void)
  }

  struct State: ~Copyable {
    var connection: DeviceConnection?
    var features = VirtioFeatures()
    var queues: [Queue]
    /// What the driver has set up, a bit for each queue.
    var wanted: UInt64 = 0
    /// The rings that the back-end works on.
    var running: UInt64 = 0
    /// Whether a queue has run since the device was reset.
    var hasBegun = false
    /// Those that it was told to work on, and of which it is not known yet whether it does.
    var starting: UInt64 = 0
    /// The features of the present back-end.
    var offered: UInt64
    var generation: UInt64
    var protocolFeatures: VhostUserProtocolFeatures
    /// What the back-end has handed over in this suspension.
    var handedOver: [UInt8]?
    var isConnected = true
    /// The present back-end works on what the driver wants.
    var isBack = true
    /// What was told since the last one did.
    var troubles: [String] = []
    var isSuspended = false
    /// Of a network card.
    var hasCable = true
    /// The next back-end cannot take over.
    var isUnfit = false
    var operations: [Operation] = []
    var isBusy = false
    /// By queue: what was open elsewhere, until the ring begins.
    var inherited: [Int: [UInt16]] = [:]
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
    hasState = profile.hasState
    remoteFeatures = VirtioFeatures(rawValue: offer.features).intersection(profile.features)
    let queueFeatures =
      mode == .direct
      ? profile.queueFeatures.intersection(VirtioFeatures(rawValue: offer.features)) : profile.queueFeatures
    features = remoteFeatures.union(queueFeatures).union(profile.ownFeatures)
    let count = profile.queueCount(offer)
    var queueSizes = Array(repeating: profile.queueSize, count: count)
    if let receiveQueueSize = profile.receiveQueueSize { queueSizes[0] = receiveQueueSize }
    self.queueSizes = queueSizes
    hasReceiveQueue = profile.receiveQueueSize != nil
    self.configuration = ConfigurationSpace(configuration ?? offer.configuration ?? [])
    ownConfiguration = configuration == nil ? offer.configuration : nil
    let ringSize = mode == .direct ? 1 : Self.ringSize
    let rings = UInt64(count * ShadowRing.memorySize(ringSize))
    // Buffers to receive into stay where they are until something comes, and leave others as much.
    let received = UInt64(profile.receiveQueueSize ?? 0) * Self.largestReceived
    let size = (rings + (mode == .bounced ? Self.bounceSize + received : 0) + 0xFFFF) & ~0xFFFF
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
    state = DeviceThreadState(
      State(
        queues: queues,
        offered: offer.features,
        generation: link.generation,
        protocolFeatures: offer.protocolFeatures
      )
    )
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
    let running = indices(state.value.running | state.value.starting)
    let hasBegun = state.value.hasBegun
    link.run(state.value.generation) { (channel) throws(VhostUserError) in
      for index in running { _ = try channel.stop(ring: index) }
      if hasBegun { try channel.resetDevice() }
    }
    state.value.running = 0
    for index in state.value.queues.indices {
      forgetRing(index)
      state.value.queues[index].shadow.guest = nil
    }
    loop.remove(timer.value.rawValue)
    // Nobody waits for their end any longer, and they hold the device.
    state.value.operations = []
    state.value.atRest = nil
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
      state.value.inherited[index] = nil
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
    state.value.handedOver = nil
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

  package func savedState() -> any VersionedState {
    VhostUserDeviceState(
      open: state.value.queues.indices.map { state.value.inherited[$0] ?? state.value.queues[$0].shadow.openHeads }
    )
  }

  package func decodeState(from decoder: any Decoder) throws -> any VersionedState {
    try Versioned<VhostUserDeviceState>(from: decoder).state
  }

  package func restore(_ state: any VersionedState) throws(DeviceStateError) {
    let saved = try VhostUserDeviceState(kindOf: state)
    guard saved.open.count == queueSizes.count else { throw .invalid(device: name, field: "open") }
    for (heads, size) in zip(saved.open, queueSizes) {
      guard heads.allSatisfy({ $0 < size }), Set(heads).count == heads.count else {
        throw .invalid(device: name, field: "open")
      }
    }
    for (index, heads) in saved.open.enumerated() { self.state.value.inherited[index] = heads }
    self.state.value.isSuspended = true
  }

  /// The rings begin with ``resume()``, and with what was open elsewhere.
  package func startRestored(
    _ features: VirtioFeatures,
    queues: [QueueConfiguration?],
    _ finished: @escaping @Sendable () -> Void
  ) {
    state.value.features = features
    for (index, queue) in queues.enumerated() {
      if let queue { setUp(index, queue) } else { state.value.inherited[index] = nil }
    }
    if state.value.isUnfit { state.value.connection?.needsReset() }
    // What the back-end here has to say of itself, its driver has heard from another one.
    if let own = ownConfiguration, own != configuration.bytes { hear(.configuration(own)) }
    finished()
  }
}

/// What is kept of a device whose back-end is elsewhere: the back-end begins anew, and gets what the one before had.
struct VhostUserDeviceState: VersionedState, Equatable {
  static let kind = "vhost-user"
  static let version: UInt32 = 2

  /// Of each queue: the first descriptors of chains that were taken and not given back, in their order.
  var open: [[UInt16]]
}

extension VhostUserProfile {
  /// How many queues a device has whose back-end makes this offer.
  package func queueCount(_ offer: VhostUserOffer) -> Int {
    queueCount ?? Int(clamping: min(max(offer.queueCount ?? 1, 1), 16))
  }
}
