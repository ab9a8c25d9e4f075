import Host
internal import Synchronization

/// Where vCPUs wait while somebody has a reason to hold them. From any thread where nothing else is said.
///
/// Several may have one at a time, each with its own beginning and end, and a vCPU goes on where none is left. It comes
/// here between two instructions, with the access that it left KVM_RUN for completed: whoever holds all of them may
/// read and write their registers, from any thread, until it ends its hold.
final class VCPUHold: Sendable {
  /// Who holds the vCPUs.
  enum Reason: CaseIterable, Sendable {
    /// The owner has paused the machine.
    case owner
    /// A debugger has stopped it.
    case debugger
    /// The monitor itself, for a moment, while it changes what no vCPU may use meanwhile: memory slots, say.
    case monitor
  }

  private struct Caller {
    let reason: Reason
    let finished: @Sendable (Bool) -> Void
  }

  private struct State {
    /// How often each reason has begun and not ended.
    var holds: [Reason: Int] = [:]
    /// vCPUs that a debugger keeps here while it lets others go on.
    var kept: Set<Int> = []
    /// How many vCPUs are to come, while they are held.
    var expected = 0
    var waiting = 0
    /// Who wants to know when all are here.
    var callers: [Caller] = []
    /// One until all go on: a vCPU that is held again must not take the opening that another has yet to wake up to.
    var gate = Gate()
    var isClosed = false

    mutating func takeCallers(of reason: Reason) -> [Caller] {
      defer { callers.removeAll { $0.reason == reason } }
      return callers.filter { $0.reason == reason }
    }
  }

  private let state = Mutex(State())
  private let wanted = Atomic(false)

  /// Whether vCPUs are to come here.
  var isWanted: Bool { wanted.load(ordering: .acquiring) }

  /// Whether somebody holds them for this reason.
  func isHeld(by reason: Reason) -> Bool { state.withLock { $0.holds[reason] != nil } }

  /// Has vCPUs come here once they are kicked. One that begins several times ends as often.
  ///
  /// - Parameters:
  ///   - count: how many there are.
  ///   - finished: called once, on any thread: true when all are here, at once where they are already; false where the
  ///     hold ends before that, and where the machine has ended.
  func begin(_ reason: Reason, _ count: Int, _ finished: @escaping @Sendable (Bool) -> Void) {
    let answer = state.withLock { state -> Bool? in
      guard !state.isClosed else { return false }
      state.holds[reason, default: 0] += 1
      if reason == .debugger { state.kept = [] }
      state.expected = count
      wanted.store(true, ordering: .releasing)
      if state.waiting == count { return true }
      state.callers.append(Caller(reason: reason, finished: finished))
      return nil
    }
    if let answer { finished(answer) }
  }

  /// Waits as long as anybody holds the vCPUs, or keeps this one. On a vCPU's thread.
  func wait(_ vcpu: Int = 0) {
    while let (gate, callers) = arrive(vcpu) {
      for caller in callers { caller.finished(true) }
      gate.wait()
    }
  }

  private func arrive(_ vcpu: Int) -> (Gate, [Caller])? {
    state.withLock { state in
      guard !state.holds.isEmpty || state.kept.contains(vcpu) else { return nil }
      state.waiting += 1
      guard state.waiting == state.expected else { return (state.gate, []) }
      defer { state.callers = [] }
      return (state.gate, state.callers)
    }
  }

  /// Ends a hold, and lets all vCPUs go on where it was the last. Does nothing where there is no such hold.
  ///
  /// - Parameter kept: vCPUs that stay all the same, until a debugger's next hold has ended.
  func end(_ reason: Reason, keeping kept: Set<Int> = []) {
    let callers = state.withLock { state -> [Caller] in
      guard let count = state.holds[reason] else { return [] }
      guard count == 1 else {
        state.holds[reason] = count - 1
        return []
      }
      state.holds[reason] = nil
      if reason == .debugger { state.kept = kept }
      if state.holds.isEmpty { letGo(&state) }
      return state.takeCallers(of: reason)
    }
    for caller in callers { caller.finished(false) }
  }

  /// The machine ends: all vCPUs go on, and none is held again.
  func close() {
    let callers = state.withLock { state in
      state.isClosed = true
      state.holds = [:]
      state.kept = []
      letGo(&state)
      defer { state.callers = [] }
      return state.callers
    }
    for caller in callers { caller.finished(false) }
  }

  private func letGo(_ state: inout State) {
    wanted.store(!state.kept.isEmpty, ordering: .releasing)
    for _ in 0..<state.waiting { state.gate.open() }
    state.waiting = 0
    state.gate = Gate()
  }
}
