import Host
internal import Synchronization

/// Where vCPUs wait while their machine is paused.
final class VCPUHold: Sendable {
  private struct State {
    /// How many vCPUs are to come, while the machine is paused.
    var expected: Int?
    var waiting = 0
    /// Who wants to know when all are here; false where the machine goes on or ends instead.
    var callers: [@Sendable (Bool) -> Void] = []
    /// One for each pause: a vCPU that is held again must not take the opening that another has yet to wake up to.
    let gate = Gate()
  }

  private let state = Mutex(State())
  private let wanted = Atomic(false)

  /// Whether vCPUs are to come here. From any thread.
  var isWanted: Bool { wanted.load(ordering: .acquiring) }

  /// Has vCPUs come here once they are kicked.
  ///
  /// - Parameters:
  ///   - count: how many there are.
  ///   - finished: called once, on any thread: true when all are here.
  func begin(_ count: Int, _ finished: @escaping @Sendable (Bool) -> Void) {
    let isComplete = state.withLock { state in
      state.expected = count
      if state.waiting == count { return true }
      state.callers.append(finished)
      return false
    }
    wanted.store(true, ordering: .releasing)
    if isComplete { finished(true) }
  }

  /// Waits until the machine goes on. On a vCPU's thread.
  func wait() {
    let (gate, callers) = state.withLock { state -> (Gate?, [@Sendable (Bool) -> Void]) in
      guard let expected = state.expected else { return (nil, []) }
      state.waiting += 1
      guard state.waiting == expected else { return (state.gate, []) }
      defer { state.callers = [] }
      return (state.gate, state.callers)
    }
    for caller in callers { caller(true) }
    gate?.wait()
  }

  /// Lets all vCPUs go on.
  func end() {
    wanted.store(false, ordering: .releasing)
    let ended = state.withLock { state in
      defer { state = State() }
      return state
    }
    for _ in 0..<ended.waiting { ended.gate.open() }
    for caller in ended.callers { caller(false) }
  }
}
