import Gunyah
import Host
internal import Synchronization

/// A vCPU of a machine that its owner schedules, as both see it.
///
/// The vCPU runs on a thread of its own all the same: the owner's `vcpu_run` is where the two meet, and never waits.
/// What the vCPU cannot go on without is posted here and raises the owner's interrupt; the vCPU's thread waits at the
/// gate until a call of the owner's has answered.
final class ProxyVCPU: Sendable {
  private struct State {
    var rendezvous: VCPURendezvous
    var owner = InterruptTarget.none
    var answer: VCPURendezvous.Answer?
    var isOver = false
    /// Whether the owner has let it run for the first time.
    var hasBegun = false
  }

  private let state: Mutex<State>
  private let answered = Gate()
  private let begun = Gate()

  /// - Parameter isOn: whether the vCPU is the one that boots.
  init(isOn: Bool) { state = Mutex(State(rendezvous: VCPURendezvous(isOn: isOn))) }

  /// Says whom it wakes from now on.
  func bind(owner: InterruptTarget) { state.withLock { $0.owner = owner } }

  /// Waits until the owner lets it run for the first time. On the vCPU's thread.
  ///
  /// - Returns: false where the machine ends before that.
  func waitForOwner() -> Bool {
    begun.wait()
    return state.withLock { !$0.isOver }
  }

  /// Stops the vCPU by an access, and waits for the owner's answer. On the vCPU's thread.
  ///
  /// - Returns: what a read gives; nil where the machine ends, or for a write.
  func wait(for event: VCPURendezvous.Event) -> VCPURendezvous.Answer? {
    let isOver = state.withLock { state in
      guard !state.isOver else { return true }
      // PSCI's CPU_ON is the kernel's, and nobody hears of it.
      _ = state.rendezvous.powerOn()
      state.rendezvous.post(event)
      state.owner.raise()
      return false
    }
    if isOver { return nil }
    answered.wait()
    return state.withLock { $0.answer.take() }
  }

  /// The vCPU has come to an end, or waits for another one to turn it on: the owner hears of it, nobody waits.
  func post(_ event: VCPURendezvous.Event) {
    state.withLock { state in
      state.rendezvous.post(event)
      state.owner.raise()
    }
  }

  /// `vcpu_run`, on a thread of the owner's.
  func run(resume: UInt64) -> VCPURendezvous.Turn {
    state.withLock { state in
      if !state.hasBegun {
        state.hasBegun = true
        begun.open()
      }
      let turn = state.rendezvous.run(resume: resume)
      if let answer = turn.answer {
        state.answer = answer
        answered.open()
      }
      return turn
    }
  }

  /// The machine ends: whoever waits goes on, and nobody waits again. From any thread.
  func close() {
    state.withLock { state in
      guard !state.isOver else { return }
      state.isOver = true
      state.rendezvous.post(.poweredOff(isGone: true))
      state.owner.raise()
      answered.open()
      if !state.hasBegun { begun.open() }
    }
  }
}
