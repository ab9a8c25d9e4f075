internal import GuestMemory
public import Virtio

/// The network device (virtio 1.3, 5.1): one pair of queues and a control queue.
///
/// Packets pass between the guest's buffers and the back-end without a copy here. The device does not filter: a guest
/// gets every packet that the back-end has, and modes and tables of addresses that it sets are accepted.
@safe
public final class NetworkDevice<Backend: NetworkBackend>: VirtioDevice, @unchecked Sendable {
  // SAFETY: @unchecked: on the device thread only, as the contract says; the rest is immutable. `segments` has room for
  // `segmentCapacity` elements, which are trivial.

  /// Packets of one turn, after which other devices get theirs.
  public static var turnLimit: Int { 64 }
  /// Of the queues for packets, in descriptors.
  public static var queueSize: UInt16 { QueueSize.network }
  static var receiveQueue: Int { 0 }
  static var transmitQueue: Int { 1 }
  static var controlQueue: Int { 2 }

  public let name: String
  public var identifier: VirtioDeviceIdentifier { .network }
  public var reach: DeviceReach { .window }
  public let features: VirtioFeatures
  public let queueSizes: [UInt16]
  public let configuration: ConfigurationSpace

  let backend: Backend
  private let mac: [UInt8]
  private let mtu: Int
  let state: DeviceThreadState<NetworkState>

  /// One packet's buffers while it is received.
  let segments: UnsafeMutablePointer<DMASegment>
  let segmentCapacity: Int

  /// - Parameters:
  ///   - mac: six bytes, of a unicast address.
  ///   - mtu: in bytes, from 68 to 65535.
  ///   - speed: in Mbit/s, as the guest is told.
  public init(name: String, backend: Backend, mac: [UInt8], mtu: UInt16 = 1500, speed: UInt32 = 10_000) {
    precondition(mac.count == 6 && mac[0] & 1 == 0, "a network device has a unicast address of six bytes")
    precondition(mtu >= 68, "an MTU is at least 68")
    self.name = name
    self.backend = backend
    self.mac = mac
    self.mtu = Int(mtu)
    features = [
      .splitVirtqueue, NetworkFeature.mac, NetworkFeature.mtu, NetworkFeature.status, NetworkFeature.mergeableBuffers,
      NetworkFeature.controlQueue, NetworkFeature.controlReceive, NetworkFeature.controlMAC,
      NetworkFeature.guestAnnounce, NetworkFeature.speedDuplex,
      NetworkFeature.offered(for: backend.hasHeader ? backend.offloads : []),
      backend.ignoresChecksums ? NetworkFeature.checksum : [],
    ]
    queueSizes = [Self.queueSize, Self.queueSize, 64]
    var bytes = [UInt8](repeating: 0, count: NetworkField.size)
    bytes.replaceSubrange(NetworkField.mac, with: mac)
    bytes.store(NetworkStatus.linkUp, at: NetworkField.status)
    bytes.store(UInt16(1), at: NetworkField.queuePairMaximum)
    bytes.store(mtu, at: NetworkField.mtu)
    bytes.store(speed, at: NetworkField.speed)
    bytes.store(UInt8(1), at: NetworkField.duplex)
    configuration = ConfigurationSpace(bytes)
    segmentCapacity = 2 * Int(Self.queueSize)
    // SAFETY: freed in deinit only.
    unsafe segments = .allocate(capacity: segmentCapacity)
    state = DeviceThreadState(NetworkState(queueSize: Int(Self.queueSize)))
  }

  deinit {
    // SAFETY: nobody holds a pointer into it once nobody holds the device.
    unsafe segments.deallocate()
  }

  public func accepts(_ features: VirtioFeatures) -> Bool {
    NetworkFeature.dependencies.allSatisfy { feature, required in
      !features.contains(feature) || required.contains { features.contains($0) }
    }
  }

  // MARK: Contract

  public func attach(_ connection: DeviceConnection) { state.value.queues.attach(connection) }

  public func start(
    _ features: VirtioFeatures,
    queues configurations: [QueueConfiguration?],
    _ finished: @escaping @Sendable () -> Void
  ) {
    state.value.queues.start(features, configurations)
    setGuestOffloads(features.intersection(NetworkFeature.guestOffloads))
    finished()
  }

  public func startRestored(
    _ features: VirtioFeatures,
    queues configurations: [QueueConfiguration?],
    _ finished: @escaping @Sendable () -> Void
  ) {
    state.value.queues.start(features, configurations)
    setGuestOffloads(state.value.guestOffloads)
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
    finished()
  }

  public func reset(_ finished: @escaping @Sendable () -> Void) {
    state.value.queues.reset()
    setGuestOffloads([])
    setStatus(isLinkUp ? NetworkStatus.linkUp : 0)
    configuration.change { $0.replaceSubrange(NetworkField.mac, with: mac) }
    finished()
  }

  public func suspend(_ finished: @escaping @Sendable () -> Void) {
    state.value.isSuspended = true
    finished()
  }

  public func resume() {
    state.value.isSuspended = false
  }

  public var queuePositions: [QueuePosition?] { state.value.queues.positions }

  public func savedState() -> any VersionedState {
    NetworkDeviceState(guestOffloads: state.value.guestOffloads, isLinkUp: isLinkUp)
  }

  public func decodeState(from decoder: any Decoder) throws -> any VersionedState {
    try Versioned<NetworkDeviceState>(from: decoder).state
  }

  public func restore(_ state: any VersionedState) throws(DeviceStateError) {
    try restore(NetworkDeviceState(kindOf: state))
  }

  private func restore(_ saved: NetworkDeviceState) throws(DeviceStateError) {
    guard saved.guestOffloads.isSubset(of: NetworkFeature.guestOffloads.intersection(features)),
      accepts(saved.guestOffloads)
    else { throw .invalid(device: name, field: "guestOffloads") }
    state.value.guestOffloads = saved.guestOffloads
    // As the guest knows it: what became of the link meanwhile is told by the back-end.
    state.value.isLinkUp = saved.isLinkUp
    state.value.isSuspended = true
  }

  func setGuestOffloads(_ offloads: VirtioFeatures) {
    state.value.guestOffloads = offloads
    if backend.hasHeader { backend.guestAccepts(NetworkFeature.offloads(state.value.guestOffloads)) }
  }

  var mayWork: Bool {
    guard !state.value.isSuspended, let connection = state.value.queues.connection else { return false }
    return !connection.hasFailed
  }

  func fail(_ index: Int, _ fault: DriverFault) {
    state.value.queues.connection?.fail(queue: index, fault)
  }

  func publish(_ queue: SplitVirtqueue) { state.value.queues.connection?.publish(queue) }

  /// The most that a packet for the guest may have, in bytes, without virtio-net's header.
  var largestReceived: Int {
    state.value.guestOffloads.isDisjoint(
      with: NetworkFeature.guestOffloads.subtracting(NetworkFeature.guestChecksum)
    )
      ? mtu + NetworkPacket.linkHeader : NetworkPacket.largest
  }

  // MARK: From the back-end

  /// There is a packet to be received.
  ///
  /// - Returns: whether to call again when other devices had their turn.
  public func backendReadable() -> Bool { mayWork && receive() }

  /// There is room for packets to be sent.
  ///
  /// - Returns: whether to call again when other devices had their turn.
  public func backendWritable() -> Bool { mayWork && transmit() }

  /// Whether packets pass, as ``setLink(isUp:)`` said last. On the device thread.
  public var isLinkUp: Bool { state.value.isLinkUp }

  /// The link came up or went down. While it is down, what the guest sends is lost and nothing is received.
  public func setLink(isUp: Bool) {
    guard isUp != isLinkUp else { return }
    state.value.isLinkUp = isUp
    setStatus(isUp ? NetworkStatus.linkUp : 0)
    state.value.queues.connection?.interruptForConfigurationChange()
  }

  /// Asks the guest to announce itself to its network (virtio 1.3, 5.1.6.5.4), as after a move.
  public func announce() {
    guard state.value.queues.features.contains(NetworkFeature.guestAnnounce), isLinkUp else { return }
    setStatus(NetworkStatus.linkUp | NetworkStatus.announce)
    state.value.queues.connection?.interruptForConfigurationChange()
  }

  func setStatus(_ status: UInt16) {
    configuration.change { $0.store(status, at: NetworkField.status) }
  }

  public func kick(_ index: Int) -> Bool {
    guard mayWork, state.value.queues[index] != nil else { return false }
    switch index {
    case Self.receiveQueue: return receive()
    case Self.transmitQueue: return transmit()
    default: return control()
    }
  }
}
