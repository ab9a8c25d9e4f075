internal import GuestMemory
internal import Host
internal import Virtio

// Requests, there and back.
extension VhostUserDevice {
  // MARK: Requests

  package func kick(_ index: Int) -> Bool {
    guard !state.value.isSuspended, let connection = state.value.connection, !connection.hasFailed else { return false }
    // KVM has told the back-end already.
    guard mode != .direct else { return false }
    if state.value.running & 1 << UInt64(index) != 0 {
      // The answers find the buffers that were there for them already.
      if index == 1, hasReceiveQueue, isShortOfBuffers, forward(0, connection) { kickLater(0) }
      return forward(index, connection)
    }
    guard !state.value.isConnected, case .answer(let answer) = loss else { return false }
    return state.value.queues[index].shadow.answer(connection, answer)
  }

  /// Whether the back-end has few buffers left to receive into.
  private var isShortOfBuffers: Bool {
    state.value.running & 1 != 0 && state.value.queues[0].shadow.ring.untouched < Int(queueSizes[0]) / 2
  }

  private func forward(_ index: Int, _ connection: DeviceConnection) -> Bool {
    state.value.queues[index].shadow.forward(connection) { state.value.queues[index].kick?.signal() }
  }

  /// The back-end says that requests came back.
  func called(_ index: Int) {
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

  func kickLater(_ index: Int) {
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
  func usedIndex(_ index: Int, _ connection: DeviceConnection) -> UInt16? {
    guard let usedRing = state.value.queues[index].usedRing else { return nil }
    var value: UInt16 = 0
    // SAFETY: a number's bytes may be anything.
    let isThere = unsafe withUnsafeMutableBytes(of: &value) { bytes in
      unsafe connection.view.read(at: usedRing + 2, into: bytes)
    }
    return isThere ? UInt16(littleEndian: value) : nil
  }

  // MARK: A flood of calls

  private func noteIdleCall(_ index: Int) {
    guard state.value.queues[index].idleCalls.areTooMany(at: HostClock.monotonic), !state.value.queues[index].isMuted
    else { return }
    state.value.queues[index].isMuted = true
    if let call = state.value.queues[index].call { loop.change(call.value.rawValue, 0) }
    if state.value.atRest == nil { timer.value.arm(after: IdleCalls.interval) }
  }

  func unmute() {
    for index in state.value.queues.indices where state.value.queues[index].isMuted {
      state.value.queues[index].isMuted = false
      state.value.queues[index].idleCalls = IdleCalls()
      if let call = state.value.queues[index].call { loop.change(call.value.rawValue, Self.callEvents) }
      called(index)
    }
  }
}

/// Counts a queue's calls that told nothing new. A few are no harm: a back-end may call once for each of several
/// requests, all of which were taken at the first call.
struct IdleCalls {
  /// How many of them are listened to in an ``interval``.
  static let limit = 64
  /// In nanoseconds. For so long a queue with more of them is looked at by time alone.
  static let interval: UInt64 = 5_000_000

  private var count = 0
  private var beginning: UInt64 = 0

  /// Counts one.
  ///
  /// - Parameter now: in nanoseconds of the monotonic clock.
  /// - Returns: whether there were more than the limit since the interval began.
  mutating func areTooMany(at now: UInt64) -> Bool {
    if now - beginning >= Self.interval { (beginning, count) = (now, 0) }
    count += 1
    return count > Self.limit
  }
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
