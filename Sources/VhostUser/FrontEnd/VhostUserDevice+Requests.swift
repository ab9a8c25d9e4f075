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
    if state.value.running & 1 << UInt64(index) != 0 { return forward(index, connection) }
    guard !state.value.isConnected, case .answer(let answer) = loss else { return false }
    return state.value.queues[index].shadow.answer(connection, answer)
  }

  private func forward(_ index: Int, _ connection: DeviceConnection) -> Bool {
    let queue = state.value.queues[index]
    return queue.shadow.forward(connection) { queue.kick?.signal() }
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

  func unmute() {
    for index in state.value.queues.indices where state.value.queues[index].isMuted {
      state.value.queues[index].isMuted = false
      state.value.queues[index].idleCalls = 0
      if let call = state.value.queues[index].call { loop.change(call.value.rawValue, Self.callEvents) }
      called(index)
    }
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
