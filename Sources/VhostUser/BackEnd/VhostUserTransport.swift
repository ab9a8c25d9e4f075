internal import GuestMemory
internal import Host
public import Virtio

/// Where the device comes from that a socket shows to its front-ends. On the server's thread.
public protocol VhostUserDeviceSource: AnyObject {
  /// A front-end has come: gives a device that is attached to nothing yet, of the same kind each time.
  ///
  /// - Throws: why there is none, which is said; the front-end is sent away.
  func makeDevice() throws -> any VirtioDevice

  /// Whether a driver that starts anew is to have this device, or another one.
  func isCurrent(_ device: any VirtioDevice) -> Bool

  /// The front-end has gone, or the driver has another device now. This one is at rest.
  func release(_ device: any VirtioDevice)
}

extension VhostUserDeviceSource {
  public func isCurrent(_ device: any VirtioDevice) -> Bool { true }

  public func release(_ device: any VirtioDevice) {}
}

/// What becomes of a message.
enum VhostUserAnswer {
  /// It is done, and nothing is to be said but that, where the front-end wants to know.
  case done
  /// What it asked for.
  case reply([UInt8])
  /// The conversation is over.
  case failed(VhostUserError)
}

/// A front-end's messages on one side, a device on the other, which is driven through its ``DeviceTransportSide``.
///
/// **Rings.** The front-end starts a ring with the descriptor of its notifications and stops it by GET_VRING_BASE;
/// between, it may disable and enable it. The first ring that is ready starts the device, and another one joins it.
/// Where one ceases to be, the whole device comes to rest and keeps what it has: a front-end that stops its machine for
/// a while stops all rings and brings them back as they were, and the device goes on. Rings that come back otherwise,
/// or with other features, are a driver's that starts anew: so does the device. Those that do not come back while
/// others do are taken from the device after a moment (``partTime``).
///
/// **Memory.** What of a new table was in the old one stays where it is, under running rings.
///
/// On the server's thread. After ``VhostUserAnswer/failed(_:)`` only ``end(_:)`` may follow.
final class VhostUserTransport: @unchecked Sendable {
  // SAFETY: @unchecked: on the server's thread alone.

  /// How long some rings may be stopped, while others are not, before the device goes on without them, in nanoseconds.
  static let partTime: UInt64 = 50_000_000
  /// How many regions may be added one by one.
  static let memorySlots: UInt64 = 32

  enum Phase {
    /// The device has no queues.
    case idle
    case running
    /// The device is suspended, and has its queues.
    case resting
    /// One of the others follows.
    case changing
  }

  let source: any VhostUserDeviceSource
  let thread: VhostUserThread
  let observer: any DriverFaultObserver
  let calls: VhostUserCalls
  var side: DeviceTransportSide
  private(set) var phase = Phase.idle {
    didSet {
      guard phase != .changing, !whenStillNext.isEmpty else { return }
      thread.post { [self] in
        let bodies = whenStillNext
        whenStillNext = []
        for body in bodies { whenStill(body) }
      }
    }
  }
  private var whenStillNext: [@Sendable () -> Void] = []
  /// What the driver has accepted, as the front-end says.
  var features = VirtioFeatures()
  /// Those that the device was started with.
  var startedFeatures = VirtioFeatures()
  /// Whether rings are to be enabled, which goes with the protocol features.
  var ringsWaitForEnable = false
  var protocolFeatures = VhostUserProtocolFeatures()
  var regions: [VhostUserRegion] = []
  var rings: [VhostUserRing]
  /// To the front-end, where it gave one.
  var backEndChannel: VhostUserSocket?
  private let partTimer: SharedTimer
  /// Of ``ForeignMemory/losses``, when they were looked at last.
  private var seenLosses = ForeignMemory.losses
  /// What a ring's notification finds wrong, with no message to answer.
  var onFailure: (VhostUserError) -> Void = { _ in }

  /// - Throws: what the source throws, or ``VhostUserError/host(_:)``.
  init(
    source: any VhostUserDeviceSource,
    thread: VhostUserThread,
    observer: any DriverFaultObserver
  ) throws {
    self.source = source
    self.thread = thread
    self.observer = observer
    partTimer = SharedTimer(try HostTimer())
    let device = try source.makeDevice()
    calls = VhostUserCalls(queueCount: device.queueSizes.count)
    rings = Array(repeating: VhostUserRing(), count: device.queueSizes.count)
    side = Self.makeSide(device, calls, thread, observer)
    calls.onConfigurationChange = { [unowned self] in tellConfigurationChange() }
    do throws(HostError) {
      _ = try thread.loop.add(
        partTimer.value.rawValue,
        EventLoop.readable,
        ClosureHandler { [unowned self] _ in
          partTimer.value.clear()
          goOnInPart()
        }
      )
    } catch {
      source.release(device)
      throw error
    }
  }

  private static func makeSide(
    _ device: any VirtioDevice,
    _ calls: VhostUserCalls,
    _ thread: VhostUserThread,
    _ observer: any DriverFaultObserver
  ) -> DeviceTransportSide {
    DeviceTransportSide(
      device: device,
      space: DMASpace(extent: .open),
      line: calls,
      thread: thread,
      observer: observer
    )
  }

  /// What the front-end may pass on to its driver. A reset of one ring is its own business: it stops it and starts it.
  var offeredFeatures: VirtioFeatures {
    side.offeredFeatures.subtracting([.ringReset, .accessPlatform])
      .union(VirtioFeatures(bit: VhostUserWire.protocolFeaturesBit))
  }

  var offeredProtocolFeatures: VhostUserProtocolFeatures {
    var offered: VhostUserProtocolFeatures = [.multipleQueues, .replyAck, .resetDevice, .memorySlots]
    if side.device.configuration.size > 0 { offered.formUnion([.configuration, .backendRequests]) }
    return offered
  }

  // MARK: The device's states

  /// Does something at once or, while the device changes from one state to another, when it has.
  func whenStill(_ body: @escaping @Sendable () -> Void) {
    if phase == .changing { whenStillNext.append(body) } else { body() }
  }

  func isReady(_ ring: Int) -> Bool {
    let ring = rings[ring]
    return ring.isStarted && (ring.isEnabled || !ringsWaitForEnable)
  }

  /// Where a ring is that the front-end has started.
  private func configuration(of index: Int) throws(VhostUserError) -> QueueConfiguration {
    let ring = rings[index]
    guard let address = ring.address, let size = UInt16(exactly: ring.size), size > 0 else {
      throw .malformed("the start of ring \(index) without its size or its addresses")
    }
    guard let table = regions.guestAddress(ofUser: address.descriptorTable),
      let driverArea = regions.guestAddress(ofUser: address.driverArea),
      let deviceArea = regions.guestAddress(ofUser: address.deviceArea)
    else { throw .malformed("ring \(index) outside of the memory that it showed") }
    var configuration = QueueConfiguration(
      size: size,
      descriptorTable: table,
      driverArea: driverArea,
      deviceArea: deviceArea
    )
    if let fault = side.fault(in: configuration, index: index) {
      throw .malformed("ring \(index) that can be none: \(fault.rawValue)")
    }
    configuration.position.nextAvailable = ring.base
    configuration.position.nextUsed = usedIndex(at: deviceArea)
    return configuration
  }

  /// The used index, which is where the driver has last seen it: a device gives back all that it took, or none of it.
  private func usedIndex(at deviceArea: UInt64) -> UInt16 {
    var bytes: [UInt8] = [0, 0]
    // SAFETY: the array holds for the call, and its bytes may be anything.
    let isRead = unsafe bytes.withUnsafeMutableBytes { unsafe side.connection.view.read(at: deviceArea + 2, into: $0) }
    precondition(isRead, "the ring was found")
    return bytes.number(at: 0, as: UInt16.self) ?? 0
  }

  /// Brings the device to what the rings are now. It is not called again before `finished` is.
  func settle(_ finished: @escaping @Sendable (VhostUserError?) -> Void) {
    do throws(VhostUserError) {
      switch phase {
      case .idle: try start(finished)
      case .running:
        if rings.indices.contains(where: { rings[$0].inDevice != nil && !isReady($0) }) {
          rest { finished(nil) }
        } else {
          try startQueues(finished)
        }
      case .resting: try leaveRest(finished)
      case .changing: preconditionFailure("a change is over before the next begins")
      }
    } catch {
      finished(error)
    }
  }

  private func start(_ finished: @escaping @Sendable (VhostUserError?) -> Void) throws(VhostUserError) {
    guard rings.indices.contains(where: isReady) else { return finished(nil) }
    if !source.isCurrent(side.device) { try replaceDevice() }
    for index in rings.indices where isReady(index) { rings[index].inDevice = try configuration(of: index) }
    phase = .changing
    startedFeatures = features
    side.start(features, queues: rings.map(\.inDevice)) { [self] in
      phase = .running
      finished(nil)
    }
  }

  /// Gives the device what rings have become ready.
  private func startQueues(_ finished: @escaping @Sendable (VhostUserError?) -> Void) throws(VhostUserError) {
    guard let index = rings.indices.first(where: { rings[$0].inDevice == nil && isReady($0) }) else {
      return finished(nil)
    }
    let configuration = try configuration(of: index)
    rings[index].inDevice = configuration
    phase = .changing
    side.startQueue(index, configuration) { [self] in
      phase = .running
      settle(finished)
    }
  }

  private func rest(_ finished: @escaping @Sendable () -> Void) {
    phase = .changing
    side.suspend { [self] in
      phase = .resting
      for (index, position) in side.queuePositions.enumerated() {
        guard let position, rings[index].inDevice != nil else { continue }
        rings[index].inDevice?.position = position
        // A ring that is not stopped goes on there, unless it is said otherwise.
        rings[index].base = position.nextAvailable
      }
      partTimer.value.arm(after: Self.partTime)
      finished()
    }
  }

  /// Whether the device could go on with what has come back of its rings.
  private var isAsBefore: Bool {
    get throws(VhostUserError) {
      guard features == startedFeatures, !side.connection.hasFailed, source.isCurrent(side.device) else { return false }
      for index in rings.indices where rings[index].inDevice != nil && isReady(index) {
        if try configuration(of: index) != rings[index].inDevice { return false }
      }
      return true
    }
  }

  private func leaveRest(_ finished: @escaping @Sendable (VhostUserError?) -> Void) throws(VhostUserError) {
    guard rings.indices.contains(where: isReady) else { return finished(nil) }
    guard try isAsBefore else { return startAnew(finished) }
    // Those that are missing come next, or after a moment are not waited for.
    guard !rings.indices.contains(where: { rings[$0].inDevice != nil && !isReady($0) }) else {
      partTimer.value.arm(after: Self.partTime)
      return finished(nil)
    }
    phase = .running
    side.resume()
    try startQueues(finished)
  }

  private func startAnew(_ finished: @escaping @Sendable (VhostUserError?) -> Void) {
    reset { [self] in settle(finished) }
  }

  /// The device goes on without the rings that did not come back.
  private func goOnInPart() {
    guard phase == .resting, rings.indices.contains(where: { rings[$0].inDevice != nil && isReady($0) }) else { return }
    for index in rings.indices where !isReady(index) {
      guard let configuration = rings[index].inDevice else { continue }
      rings[index].inDevice = nil
      rings[index].base = configuration.position.nextAvailable
      // Nothing is in flight in a device that is at rest.
      side.stopQueue(index) {}
    }
    settle { [self] error in
      if let error { onFailure(error) }
    }
  }

  /// Takes all queues from the device.
  func reset(_ finished: @escaping @Sendable () -> Void) {
    guard phase != .idle else { return finished() }
    let wasResting = phase == .resting
    phase = .changing
    for index in rings.indices { rings[index].inDevice = nil }
    side.reset { [self] in
      if wasResting { side.resume() }
      phase = .idle
      finished()
    }
  }

  /// Another device takes the place of one that has no queues.
  private func replaceDevice() throws(VhostUserError) {
    source.release(side.device)
    do {
      let device = try source.makeDevice()
      precondition(device.queueSizes.count == rings.count, "a socket's devices are of one kind")
      side = Self.makeSide(device, calls, thread, observer)
    } catch {
      throw .unusable("\(error)")
    }
    for region in regions { side.connection.space.add(region.memory, at: region.range.start) }
  }

  // MARK: On events

  /// The driver notified a queue.
  func notified(_ queue: Int) {
    guard phase == .running, rings[queue].inDevice != nil else { return }
    if side.kick(queue: queue) { side.post(kicks: 1 << UInt64(queue)) }
    if let error = lostMemory { onFailure(error) }
  }

  /// Whether memory of this front-end was missing when it was touched.
  var lostMemory: VhostUserError? {
    let losses = ForeignMemory.losses
    guard losses != seenLosses else { return nil }
    seenLosses = losses
    guard let region = regions.first(where: \.memory.isLost) else { return nil }
    return .unusable("the file of its memory at \(region.range) has become shorter")
  }

  private func tellConfigurationChange() {
    // A front-end that reads nothing hears of the next change.
    try? backEndChannel?.send(
      VhostUserMessage(request: VhostUserBackEndRequest.configChangeMsg.rawValue)
    )
  }

  /// The conversation is over: `finished` comes when the device is at rest and released.
  func end(_ finished: @escaping @Sendable () -> Void) {
    thread.loop.remove(partTimer.value.rawValue)
    for index in rings.indices { setKick(index, nil) }
    calls.forgetAll()
    backEndChannel = nil
    whenStill { [self] in
      reset { [self] in
        source.release(side.device)
        finished()
      }
    }
  }

  /// Has a ring's notifications looked at, or those of nobody.
  func setKick(_ index: Int, _ descriptor: VhostUserDescriptor?) {
    if let old = rings[index].kick { thread.loop.remove(old.rawValue) }
    rings[index].kick = descriptor
  }
}
