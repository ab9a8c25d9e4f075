internal import CHost
internal import Glibc
internal import GuestMemory
internal import Host
internal import Virtio

// What a front-end may ask (vhost-user, "Front-end message types").
extension VhostUserTransport {
  /// Does what a message asks. The next one may come when `finished` was called.
  func take(_ message: VhostUserMessage, _ finished: @escaping @Sendable (VhostUserAnswer) -> Void) {
    whenStill { [self] in takeNow(message, finished) }
  }

  private func takeNow(_ message: VhostUserMessage, _ finished: @escaping @Sendable (VhostUserAnswer) -> Void) {
    do throws(VhostUserError) {
      if let error = lostMemory { throw error }
      guard let request = VhostUserRequest(rawValue: message.request) else {
        throw .malformed("a message of the unknown number \(message.request)")
      }
      guard !message.isReply else { throw .malformed("a reply to nothing") }
      try message.checkForm(request)
      switch request {
      case .setMemTable, .addMemReg, .remMemReg: try takeMemory(request, message, finished)
      case .setVringKick, .setVringEnable, .getVringBase, .resetDevice, .resetOwner:
        try takeChange(request, message, finished)
      default: finished(try answer(request, message))
      }
    } catch {
      finished(.failed(error))
    }
  }

  /// What is done at once.
  private func answer(
    _ request: VhostUserRequest,
    _ message: VhostUserMessage
  ) throws(VhostUserError) -> VhostUserAnswer {
    switch request {
    case .getFeatures: return number(offeredFeatures.rawValue)
    case .setFeatures: try setFeatures(try message.number(request))
    case .setOwner: break
    case .getProtocolFeatures: return number(offeredProtocolFeatures.rawValue)
    case .setProtocolFeatures:
      let wanted = VhostUserProtocolFeatures(rawValue: try message.number(request))
      guard wanted.isSubset(of: offeredProtocolFeatures) else {
        throw .malformed("protocol features that were not offered")
      }
      protocolFeatures = wanted
    case .getQueueNum: return number(UInt64(rings.count))
    case .getMaxMemSlots: return number(Self.memorySlots)
    case .setVringNum, .setVringBase: try setNumber(request, message)
    case .setVringAddr: try setAddress(message)
    case .setVringCall:
      let (ring, descriptor) = try ringAndDescriptor(request, message)
      guard descriptor?.prepareForCalls() ?? true else { throw .malformed("something else than an eventfd") }
      calls[ring] = descriptor
    case .setVringErr: _ = try ringAndDescriptor(request, message)
    case .getConfig: return try readConfiguration(message)
    case .setConfig: try writeConfiguration(message)
    case .setBackendReqFD:
      guard protocolFeatures.contains(.backendRequests), message.descriptors.count == 1 else {
        throw .malformed("a channel that it did not ask for")
      }
      let copy = chost_duplicate(message.descriptors[0].rawValue)
      guard copy >= 0 else { throw .host("cannot take the channel: \(errorText(-copy))") }
      backEndChannel = VhostUserSocket(owning: copy)
    default: throw .malformed("message \(request) (\(request.rawValue)), which it was not offered")
    }
    return .done
  }

  private func number(_ value: UInt64) -> VhostUserAnswer {
    var bytes: [UInt8] = []
    bytes.append(number: value)
    return .reply(bytes)
  }

  private func setFeatures(_ bits: UInt64) throws(VhostUserError) {
    let accepted = VirtioFeatures(rawValue: bits)
    guard accepted.isSubset(of: offeredFeatures) else {
      throw .malformed("features that were not offered: \(accepted.subtracting(offeredFeatures))")
    }
    let protocolBit = VirtioFeatures(bit: VhostUserWire.protocolFeaturesBit)
    ringsWaitForEnable = accepted.contains(protocolBit)
    features = accepted.subtracting(protocolBit)
  }

  // MARK: Rings

  private func ring(_ number: some BinaryInteger) throws(VhostUserError) -> Int {
    guard let ring = Int(exactly: number), rings.indices.contains(ring) else {
      throw .malformed("a message about ring \(number), of which there are \(rings.count)")
    }
    return ring
  }

  private func setNumber(_ request: VhostUserRequest, _ message: VhostUserMessage) throws(VhostUserError) {
    let (index, value) = try message.vringState(request)
    let ring = try ring(index)
    guard !isReady(ring) else { throw .malformed("\(request) for ring \(ring), which runs") }
    if request == .setVringNum {
      let most = UInt32(side.device.queueSizes[ring])
      guard value > 0, value <= most, value.nonzeroBitCount == 1 else {
        throw .malformed("a size of \(value) for ring \(ring), which has \(most) at most, and powers of two")
      }
      rings[ring].size = value
    } else {
      guard let base = UInt16(exactly: value) else { throw .malformed("\(value) as the base of ring \(ring)") }
      rings[ring].base = base
    }
  }

  private func setAddress(_ message: VhostUserMessage) throws(VhostUserError) {
    guard message.payload.count == 40, let index = message.payload.number(at: 0, as: UInt32.self),
      let flags = message.payload.number(at: 4, as: UInt32.self)
    else { throw .malformed("addresses of a ring in \(message.payload.count) bytes") }
    let ring = try ring(index)
    guard !isReady(ring) else { throw .malformed("addresses for ring \(ring), which runs") }
    guard flags == 0 else { throw .malformed("a log of ring \(ring), which was not offered") }
    let addresses = [8, 16, 24].map { message.payload.number(at: $0, as: UInt64.self) ?? 0 }
    rings[ring].address = .init(
      descriptorTable: addresses[0],
      deviceArea: addresses[1],
      driverArea: addresses[2]
    )
  }

  /// Of SET_VRING_KICK, CALL and ERR.
  private func ringAndDescriptor(
    _ request: VhostUserRequest,
    _ message: VhostUserMessage
  ) throws(VhostUserError) -> (ring: Int, descriptor: VhostUserDescriptor?) {
    let value = try message.number(request)
    guard value & ~(VhostUserWire.queueMask | VhostUserWire.noDescriptorFlag) == 0 else {
      throw .malformed("\(request) of \(value)")
    }
    let ring = try ring(value & VhostUserWire.queueMask)
    let count = value & VhostUserWire.noDescriptorFlag == 0 ? 1 : 0
    guard message.descriptors.count == count else {
      throw .malformed("\(request) with \(message.descriptors.count) descriptors")
    }
    return (ring, message.descriptors.first)
  }

  /// What changes which rings the device has.
  private func takeChange(
    _ request: VhostUserRequest,
    _ message: VhostUserMessage,
    _ finished: @escaping @Sendable (VhostUserAnswer) -> Void
  ) throws(VhostUserError) {
    switch request {
    case .setVringKick:
      let (ring, descriptor) = try ringAndDescriptor(request, message)
      setKick(ring, descriptor)
      rings[ring].isStarted = true
      if let descriptor { try watch(ring, descriptor) }
    case .setVringEnable:
      let (index, value) = try message.vringState(request)
      guard ringsWaitForEnable, value <= 1 else { throw .malformed("\(request) of \(value) that cannot be") }
      rings[try ring(index)].isEnabled = value == 1
    case .getVringBase:
      let ring = try ring(try message.vringState(request).index)
      setKick(ring, nil)
      rings[ring].isStarted = false
      return settle { [self] error in
        if let error { return finished(.failed(error)) }
        if let position = rings[ring].inDevice?.position { rings[ring].base = position.nextAvailable }
        var bytes: [UInt8] = []
        bytes.append(number: UInt32(ring))
        bytes.append(number: UInt32(rings[ring].base))
        finished(.reply(bytes))
      }
    default:
      // RESET_DEVICE; and RESET_OWNER, of which the specification says that it disables all rings.
      for ring in rings.indices {
        setKick(ring, nil)
        rings[ring] = VhostUserRing(inDevice: rings[ring].inDevice)
      }
      return reset { finished(.done) }
    }
    settle { error in finished(error.map { .failed($0) } ?? .done) }
  }

  /// Edge-triggered, and an eventfd is never read: whoever shares one can have each reading of it wait.
  private func watch(_ ring: Int, _ descriptor: VhostUserDescriptor) throws(VhostUserError) {
    let kind = chost_notifier_of(descriptor.rawValue)
    guard kind != chost_notifier_none else { throw .malformed("something else than an eventfd") }
    let handler = VhostUserKick(self, ring, pipe: kind == chost_notifier_pipe ? descriptor : nil)
    do throws(HostError) {
      let events = EventLoop.readable | EPOLLET.rawValue
      guard try thread.loop.add(descriptor.rawValue, events, handler) else {
        throw HostError("epoll_ctl", errno: EPERM, advice: "give an eventfd")
      }
    } catch {
      rings[ring].kick = nil
      throw .host("\(error)")
    }
  }

  // MARK: Memory

  private func takeMemory(
    _ request: VhostUserRequest,
    _ message: VhostUserMessage,
    _ finished: @escaping @Sendable (VhostUserAnswer) -> Void
  ) throws(VhostUserError) {
    if request == .setMemTable { return replaceRegions(try [VhostUserRegion](message)) { finished(.done) } }
    let size = 8 + VhostUserRegion.descriptionSize
    guard protocolFeatures.contains(.memorySlots), message.payload.count == size else {
      throw .malformed("\(request) that cannot be")
    }
    if request == .addMemReg {
      guard message.descriptors.count == 1, regions.count < Self.memorySlots else {
        throw .malformed("\(request) with \(message.descriptors.count) files, for region \(regions.count)")
      }
      let region = try VhostUserRegion(message.payload, at: 8, message.descriptors[0])
      guard !regions.contains(where: { $0.overlaps(region) }) else { throw .malformed("memory regions that overlap") }
      return replaceRegions(regions + [region]) { finished(.done) }
    }
    let (start, count) = (
      message.payload.number(at: 8, as: UInt64.self), message.payload.number(at: 16, as: UInt64.self)
    )
    let kept = regions.filter { $0.range.start.rawValue != start || $0.range.size != count }
    guard kept.count < regions.count else { throw .malformed("\(request) of a region that is not there") }
    replaceRegions(kept) { finished(.done) }
  }

  /// `finished` comes when the device touches nothing any longer that is not among them.
  private func replaceRegions(_ new: [VhostUserRegion], _ finished: @escaping @Sendable () -> Void) {
    let space = side.connection.space
    let left = Countdown(finished)
    var kept: [VhostUserRegion] = []
    for old in regions {
      if new.contains(where: { $0.isSame(as: old) }) {
        kept.append(old)
      } else {
        left.count += 1
        space.remove(old.range) { left.one() }
      }
    }
    regions = new.map { region in
      guard let same = kept.first(where: { $0.isSame(as: region) }) else {
        space.add(region.memory, at: region.range.start)
        return region
      }
      return VhostUserRegion(same, user: region.user)
    }
    left.one()
  }

  // MARK: Configuration space

  private func readConfiguration(_ message: VhostUserMessage) throws(VhostUserError) -> VhostUserAnswer {
    let (offset, count, bytes) = try message.configuration(protocolFeatures)
    // What is not there is answered by an empty message.
    guard offset + count <= side.device.configuration.size else { return .reply([]) }
    var payload = bytes
    for index in 0..<count {
      payload[12 + index] = UInt8(truncatingIfNeeded: side.readConfiguration(at: offset + index, width: 1) ?? 0)
    }
    return .reply(payload)
  }

  private func writeConfiguration(_ message: VhostUserMessage) throws(VhostUserError) {
    let (offset, count, bytes) = try message.configuration(protocolFeatures)
    for index in 0..<count {
      let value = UInt64(bytes[12 + index])
      if let fault = side.writeConfiguration(at: offset + index, width: 1, value: value) {
        return side.connection.report(fault)
      }
    }
    if count > 0 { side.configurationWritten(at: offset, width: count) }
  }
}

/// A driver's notification of one ring.
private final class VhostUserKick: EventHandler {
  private unowned let transport: VhostUserTransport
  private let ring: Int
  /// What has to be emptied, since a full pipe notifies of nothing.
  private let pipe: VhostUserDescriptor?

  init(_ transport: VhostUserTransport, _ ring: Int, pipe: VhostUserDescriptor?) {
    self.transport = transport
    self.ring = ring
    self.pipe = pipe
  }

  override func ready(_ events: UInt32) {
    if let pipe { empty(pipe) }
    transport.notified(ring)
  }

  private func empty(_ pipe: VhostUserDescriptor) {
    // SAFETY: the buffer is this call's own and its size goes along.
    unsafe withUnsafeTemporaryAllocation(byteCount: 65_536, alignment: 8) { buffer in
      guard let base = buffer.baseAddress else { return }
      // A writer who writes all the time is read again at the next event.
      _ = unsafe chost_channel_read(pipe.rawValue, false, base, buffer.count)
    }
  }
}

/// Calls something when as much has ended as was begun.
private final class Countdown: @unchecked Sendable {
  // SAFETY: @unchecked: on the server's thread alone.

  var count = 1
  private let finished: @Sendable () -> Void

  init(_ finished: @escaping @Sendable () -> Void) {
    self.finished = finished
  }

  func one() {
    count -= 1
    if count == 0 { finished() }
  }
}

extension VhostUserRequest {
  /// Whether it has a payload. What that has to be is looked at where it is taken.
  fileprivate var hasPayload: Bool {
    switch self {
    case .getFeatures, .setOwner, .resetOwner, .getProtocolFeatures, .getQueueNum, .setBackendReqFD, .resetDevice,
      .getMaxMemSlots:
      false
    default: true
    }
  }

  /// Whether descriptors may come along. With REM_MEM_REG older front-ends send the region's.
  fileprivate var mayHaveDescriptors: Bool {
    switch self {
    case .setMemTable, .addMemReg, .remMemReg, .setVringKick, .setVringCall, .setVringErr, .setBackendReqFD: true
    default: false
    }
  }
}

extension VhostUserMessage {
  /// Looks for what no such message has, whatever it says.
  fileprivate func checkForm(_ request: VhostUserRequest) throws(VhostUserError) {
    let flags = VhostUserWire.versionMask | VhostUserWire.replyFlag | VhostUserWire.needReplyFlag
    guard self.flags & ~flags == 0 else { throw .malformed("\(request) with flags that there are not") }
    guard request.hasPayload || payload.isEmpty else { throw .malformed("\(request) of \(payload.count) bytes") }
    guard request.mayHaveDescriptors || descriptors.isEmpty else {
      throw .malformed("\(request) with \(descriptors.count) descriptors, where none belong")
    }
  }

  /// Its payload, where that is one number.
  fileprivate func number(_ request: VhostUserRequest) throws(VhostUserError) -> UInt64 {
    guard payload.count == 8, let value = payload.number(at: 0, as: UInt64.self) else {
      throw .malformed("\(request) of \(payload.count) bytes")
    }
    return value
  }

  /// Its payload, where that is a ring's number and a value.
  fileprivate func vringState(_ request: VhostUserRequest) throws(VhostUserError) -> (index: UInt32, value: UInt32) {
    guard payload.count == 8, let index = payload.number(at: 0, as: UInt32.self),
      let value = payload.number(at: 4, as: UInt32.self)
    else { throw .malformed("\(request) of \(payload.count) bytes") }
    return (index, value)
  }

  /// Of GET_CONFIG and SET_CONFIG: which bytes of the configuration space, and the payload.
  fileprivate func configuration(
    _ features: VhostUserProtocolFeatures
  ) throws(VhostUserError) -> (offset: Int, count: Int, bytes: [UInt8]) {
    guard features.contains(.configuration), let offset = payload.number(at: 0, as: UInt32.self),
      let count = payload.number(at: 4, as: UInt32.self), payload.count == 12 + Int(count), offset <= 256
    else { throw .malformed("a message about the configuration space that cannot be") }
    return (Int(offset), Int(count), payload)
  }
}
