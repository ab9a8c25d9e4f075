internal import Host
internal import Virtio

// How rings come to rest.
extension VhostUserDevice {
  /// Has the back-end stop, and waits until it has nothing any longer of what it has taken. It forgets its guest only
  /// where the driver wants no queue any more, and not in a pause.
  func end(_ queues: UInt64, _ finished: @escaping @Sendable () -> Void) {
    let queues = queues & state.value.running
    let isReset = state.value.hasBegun && state.value.wanted == 0 && queues == state.value.running
    if isReset { state.value.hasBegun = false }
    guard queues != 0 else {
      // Its rings rest already, by a pause.
      if isReset {
        link.run(state.value.generation) { (channel) throws(VhostUserError) in try channel.resetDevice() }
      }
      return finished()
    }
    let indices = indices(queues)
    link.run(
      state.value.generation,
      { [weak self] (channel) throws(VhostUserError) in
        var bases: [Int: UInt16] = [:]
        for index in indices { bases[index] = try channel.stop(ring: index) }
        if isReset { try channel.resetDevice() }
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
  func look() {
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
  func rest(_ index: Int, at base: UInt16, _ connection: DeviceConnection) {
    state.value.bases[index] = nil
    guard state.value.queues[index].configuration != nil else { return }
    let position = QueuePosition(nextAvailable: base, nextUsed: base)
    state.value.queues[index].configuration?.position = position
    guard state.value.queues[index].seenUsed != base else { return }
    // It came back after the suspension had begun, since when nobody listens to calls.
    state.value.queues[index].seenUsed = base
    connection.interruptForUsedBuffers(in: 1 << UInt64(index))
  }

  func rest() {
    guard let atRest = state.value.atRest else { return }
    state.value.atRest = nil
    state.value.bases = [:]
    atRest()
  }
}
