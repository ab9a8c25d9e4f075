internal import CHost
internal import Glibc
internal import Host

/// What a back-end has, as it says when the connection begins.
package struct VhostUserOffer: Equatable, Sendable {
  /// The feature bits (virtio 1.3, 2.2), ``VhostUserWire/protocolFeaturesBit`` among them.
  package var features: UInt64
  /// Those of the protocol that both sides have.
  package var protocolFeatures: VhostUserProtocolFeatures
  /// How many queues; nil where it does not say.
  package var queueCount: UInt64?
  /// The configuration space; nil where the back-end does not have it.
  package var configuration: [UInt8]?
}

/// One piece of memory that is lent to a back-end.
struct LentRegion: Sendable {
  /// Where the back-end's rings and buffers lie in it, in the addresses of both kinds that the protocol has.
  var address: UInt64
  /// In bytes.
  var size: UInt64
  /// The memfd.
  var descriptor: VhostUserDescriptor
}

/// A ring that a back-end is to work on.
///
/// It has descriptors of its own, as a region has: the device may be gone, and the numbers of its descriptors somebody
/// else's, before the link's thread comes to lend them.
struct LentRing: Sendable {
  var index: Int
  var size: UInt16
  /// The next index of the available ring.
  var base: UInt16
  /// The parts' addresses.
  var (descriptorTable, driverArea, deviceArea): (UInt64, UInt64, UInt64)
  /// What it is told by, and what it tells by.
  var (kick, call): (VhostUserDescriptor, VhostUserDescriptor)
}

extension VhostUserDescriptor {
  /// A descriptor of one's own for what another one names.
  ///
  /// - Throws: where the host has none left.
  convenience init(copying number: Int32) throws(HostError) {
    let copy = chost_duplicate(number)
    guard copy >= 0 else { throw HostError("fcntl", errno: -copy, advice: HostError.tooManyDescriptors) }
    self.init(owning: copy)
  }
}

/// A front-end's conversation with a back-end: each call asks one thing and waits for the answer, for as long as it may
/// take. Not for the device thread. One thread at a time.
final class FrontEndChannel: @unchecked Sendable {
  // SAFETY: @unchecked: one thread at a time, as the documentation says.

  /// All that is ever negotiated of the protocol.
  static let wanted: VhostUserProtocolFeatures = [
    .multipleQueues, .replyAck, .backendRequests, .configuration, .resetDevice, .deviceState,
  ]

  let socket: VhostUserSocket
  /// How long a back-end may take for one answer, in nanoseconds.
  private let answerLimit: UInt64
  /// Our end of the channel on which the back-end asks.
  private(set) var requests: VhostUserSocket?
  private var protocolFeatures: VhostUserProtocolFeatures = []
  /// The back-end was to work on rings, and none has come to run yet.
  private(set) var isLentInVain = false

  init(_ socket: VhostUserSocket, answerLimit: UInt64) {
    self.socket = socket
    self.answerLimit = answerLimit
  }

  // MARK: Messages

  private func name(_ request: VhostUserRequest) -> String { "\(request)" }

  private func ask(
    _ request: VhostUserRequest,
    _ payload: [UInt8] = []
  ) throws(VhostUserError) -> [UInt8] {
    let deadline = HostClock.monotonic + answerLimit
    try socket.send(VhostUserMessage(request, payload), by: deadline)
    return try reply(to: request, by: deadline).payload
  }

  private func reply(to request: VhostUserRequest, by deadline: UInt64) throws(VhostUserError) -> VhostUserMessage {
    let message = try socket.receive(name(request), by: deadline)
    guard message.isReply else { throw .malformed("a message that is no reply, in place of that to \(name(request))") }
    guard message.request == request.rawValue else {
      throw .malformed("a reply to message \(message.request), in place of that to \(name(request))")
    }
    return message
  }

  private func askNumber(_ request: VhostUserRequest) throws(VhostUserError) -> UInt64 {
    let payload = try ask(request)
    guard payload.count == 8, let number = payload.number(at: 0, as: UInt64.self) else {
      throw .malformed("a reply of \(payload.count) bytes to \(name(request))")
    }
    return number
  }

  /// Says something that has no answer of its own. Where the back-end can, it says whether it was done.
  private func tell(
    _ request: VhostUserRequest,
    _ payload: [UInt8] = [],
    descriptors: [VhostUserDescriptor] = []
  ) throws(VhostUserError) {
    let deadline = HostClock.monotonic + answerLimit
    var message = VhostUserMessage(
      request,
      payload,
      descriptors: descriptors
    )
    let isAnswered = protocolFeatures.contains(.replyAck)
    if isAnswered { message.flags |= VhostUserWire.needReplyFlag }
    try socket.send(message, by: deadline)
    guard isAnswered else { return }
    let answer = try reply(to: request, by: deadline).payload
    guard answer.count == 8, let number = answer.number(at: 0, as: UInt64.self) else {
      throw .malformed("a reply of \(answer.count) bytes to \(name(request))")
    }
    guard number == 0 else { throw .refused(name(request)) }
  }

  // MARK: The beginning

  /// Finds out what the back-end has.
  ///
  /// - Parameters:
  ///   - configurationSize: how many bytes its configuration space is to have; 0: it is not asked.
  ///   - wantsChanges: whether it is to tell of changes of it.
  ///   - wantsState: whether it is to hand over what it knows of its guest.
  /// - Throws: ``VhostUserError``.
  func begin(
    configurationSize: Int,
    wantsChanges: Bool,
    wantsState: Bool = false
  ) throws(VhostUserError) -> VhostUserOffer {
    try tell(.setOwner)
    let features = try askNumber(.getFeatures)
    guard features & 1 << UInt64(VhostUserWire.protocolFeaturesBit) != 0 else {
      throw .unusable("it offers no protocol features (bit 30), without which no queue is stopped; use one that has")
    }
    guard features & 1 << 32 != 0 else {
      throw .unusable("it offers no VIRTIO_F_VERSION_1 (bit 32), which every device has today; use a newer one")
    }
    let offered = VhostUserProtocolFeatures(rawValue: try askNumber(.getProtocolFeatures))
    var agreed = Self.wanted.intersection(offered)
    if configurationSize == 0 { agreed.remove(.configuration) }
    if !wantsState { agreed.remove(.deviceState) }
    // Whose changes are told of is what is asked for then.
    if !agreed.contains(.configuration) || !wantsChanges { agreed.remove(.backendRequests) }
    try tell(.setProtocolFeatures, number(agreed.rawValue))
    protocolFeatures = agreed
    let queueCount = agreed.contains(.multipleQueues) ? try askNumber(.getQueueNum) : nil
    if agreed.contains(.backendRequests) {
      let (ours, theirs) = try VhostUserSocket.pair()
      try tell(.setBackendReqFD, descriptors: [VhostUserDescriptor(borrowing: theirs.rawValue)])
      requests = ours
    }
    let configuration = agreed.contains(.configuration) ? try self.configuration(size: configurationSize) : nil
    return VhostUserOffer(
      features: features,
      protocolFeatures: agreed,
      queueCount: queueCount,
      configuration: configuration
    )
  }

  private func number(_ value: UInt64) -> [UInt8] {
    var bytes: [UInt8] = []
    bytes.append(number: value)
    return bytes
  }

  // MARK: Configuration space

  /// The first `size` bytes of it.
  ///
  /// - Throws: ``VhostUserError``.
  func configuration(size: Int) throws(VhostUserError) -> [UInt8] {
    let payload = try ask(.getConfig, configurationPayload(0, Array(repeating: 0, count: size)))
    // A back-end that has nothing to give answers with nothing.
    guard !payload.isEmpty, payload.number(at: 4, as: UInt32.self) != 0 else { throw .refused(name(.getConfig)) }
    guard payload.count == 12 + size, payload.number(at: 4, as: UInt32.self) == UInt32(size) else {
      throw .malformed("\(payload.count) bytes in place of a configuration space of \(size)")
    }
    return Array(payload[12...])
  }

  /// Passes the driver's write on.
  ///
  /// - Throws: ``VhostUserError``.
  func writeConfiguration(at offset: Int, _ bytes: [UInt8]) throws(VhostUserError) {
    guard protocolFeatures.contains(.configuration) else { return }
    try tell(.setConfig, configurationPayload(offset, bytes))
  }

  private func configurationPayload(_ offset: Int, _ bytes: [UInt8]) -> [UInt8] {
    var payload: [UInt8] = []
    payload.append(number: UInt32(offset))
    payload.append(number: UInt32(bytes.count))
    // VHOST_SET_CONFIG_TYPE_FRONTEND.
    payload.append(number: UInt32(0))
    return payload + bytes
  }

  // MARK: Rings

  /// Lends the memory and says which features hold. Rings follow.
  ///
  /// - Throws: ``VhostUserError``.
  func lend(features: UInt64, _ regions: [LentRegion]) throws(VhostUserError) {
    isLentInVain = true
    try tell(.setFeatures, number(features | 1 << UInt64(VhostUserWire.protocolFeaturesBit)))
    var payload: [UInt8] = []
    payload.append(number: UInt32(regions.count))
    payload.append(number: UInt32(0))
    for region in regions {
      payload.append(number: region.address)
      payload.append(number: region.size)
      // The address in this process is nobody else's business: the other side gets the same once more.
      payload.append(number: region.address)
      payload.append(number: UInt64(0))
    }
    try tell(.setMemTable, payload, descriptors: regions.map(\.descriptor))
  }

  /// Has the back-end work on a ring.
  ///
  /// - Parameter isKicked: whether the caller kicks it before and after. Otherwise that is done here, as far as it is
  ///   possible without waiting.
  /// - Throws: ``VhostUserError``.
  func start(_ ring: LentRing, isKicked: Bool) throws(VhostUserError) {
    // A worker that waits for kicks alone looks at the ring for it.
    if !isKicked { kick(ring) }
    let index = UInt32(ring.index)
    try tell(.setVringNum, state(index, UInt32(ring.size)))
    try tell(.setVringBase, state(index, UInt32(ring.base)))
    var addresses = state(index, 0)
    for address in [ring.descriptorTable, ring.deviceArea, ring.driverArea, 0] { addresses.append(number: address) }
    try tell(.setVringAddr, addresses)
    try tell(.setVringCall, number(UInt64(index)), descriptors: [ring.call])
    try tell(.setVringErr, number(UInt64(index) | VhostUserWire.noDescriptorFlag))
    try tell(.setVringKick, number(UInt64(index)), descriptors: [ring.kick])
    try tell(.setVringEnable, state(index, 1))
    isLentInVain = false
    // A worker may have taken the first one, and the driver's own, while the ring was not enabled yet, and let it go.
    if !isKicked { kick(ring) }
  }

  private func kick(_ ring: LentRing) {
    if chost_wait(ring.kick.rawValue, Int16(POLLOUT), 0) { chost_eventfd_signal(ring.kick.rawValue) }
  }

  /// Has it stop.
  ///
  /// - Returns: the index of the available ring up to which it has taken chains. It may work on those still.
  /// - Throws: ``VhostUserError``.
  func stop(ring: Int) throws(VhostUserError) -> UInt16 {
    try tell(.setVringEnable, state(UInt32(ring), 0))
    let payload = try ask(.getVringBase, state(UInt32(ring), 0))
    guard payload.count == 8, payload.number(at: 0, as: UInt32.self) == UInt32(ring),
      let base = payload.number(at: 4, as: UInt32.self)
    else { throw .malformed("a reply of \(payload.count) bytes to \(name(.getVringBase))") }
    return UInt16(truncatingIfNeeded: base)
  }

  private func state(_ index: UInt32, _ value: UInt32) -> [UInt8] {
    var payload: [UInt8] = []
    payload.append(number: index)
    payload.append(number: value)
    return payload
  }

  /// Has the device begin anew, where the back-end can.
  ///
  /// - Throws: ``VhostUserError``.
  func resetDevice() throws(VhostUserError) {
    guard protocolFeatures.contains(.resetDevice) else { return }
    try tell(.resetDevice)
  }

  // MARK: State

  /// VHOST_TRANSFER_STATE_DIRECTION_SAVE and _LOAD.
  private enum Direction: UInt32 {
    case save = 0
    case load = 1
  }

  /// Has the back-end hand over what it knows. All rings are stopped.
  ///
  /// - Throws: ``VhostUserError``.
  func saveState() throws(VhostUserError) -> [UInt8] {
    let pipe = try StatePipe(isForReading: true, "its state")
    try beginTransfer(.save, pipe)
    let state = try pipe.readAll(patience: answerLimit)
    try checkState()
    return state
  }

  /// Has it take over what another one knew. No ring was started yet.
  ///
  /// - Throws: ``VhostUserError``.
  func loadState(_ state: [UInt8]) throws(VhostUserError) {
    do {
      // The end of the pipe is the state's.
      let pipe = try StatePipe(isForReading: false, "the state of the one before it")
      try beginTransfer(.load, pipe)
      try pipe.writeAll(state, patience: answerLimit)
    }
    try checkState()
  }

  private func beginTransfer(_ direction: Direction, _ pipe: StatePipe) throws(VhostUserError) {
    let deadline = HostClock.monotonic + answerLimit
    // VHOST_TRANSFER_STATE_PHASE_STOPPED.
    let message = VhostUserMessage(
      .setDeviceStateFD,
      state(direction.rawValue, 0),
      descriptors: [pipe.takeTheirs()]
    )
    try socket.send(message, by: deadline)
    let answer = try reply(to: .setDeviceStateFD, by: deadline).payload
    guard answer.count == 8, let number = answer.number(at: 0, as: UInt64.self) else {
      throw .malformed("a reply of \(answer.count) bytes to \(name(.setDeviceStateFD))")
    }
    // It takes the pipe, or it has one of its own, which nobody needs to have.
    guard number == VhostUserWire.noDescriptorFlag else { throw .refused(name(.setDeviceStateFD)) }
  }

  private func checkState() throws(VhostUserError) {
    guard try askNumber(.checkDeviceState) == 0 else { throw .refused(name(.checkDeviceState)) }
  }

  // MARK: What the back-end asks

  /// Takes what the back-end has asked on its channel.
  ///
  /// - Returns: whether its configuration space has changed.
  /// - Throws: ``VhostUserError`` where it asks for anything else: nothing else was agreed on.
  func takeRequests() throws(VhostUserError) -> Bool {
    guard let requests else { return false }
    var hasChanged = false
    // Of a flood of them one turn takes so many.
    for _ in 0..<64 {
      guard let message = try requests.receive() else { break }
      guard message.request == VhostUserBackEndRequest.configChangeMsg.rawValue, !message.isReply else {
        throw .malformed("request \(message.request), which was not agreed on")
      }
      hasChanged = true
      guard message.needsReply else { continue }
      let answer = VhostUserMessage(
        request: message.request,
        flags: VhostUserWire.version | VhostUserWire.replyFlag,
        payload: number(0)
      )
      try requests.send(answer)
    }
    return hasChanged
  }
}
