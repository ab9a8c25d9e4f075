import Host
internal import Synchronization

/// That the machine is to end, as somebody outside of it says: its time limit, a signal, its owner.
///
/// The first to say wins. It holds over all reboots, and also for what comes after the guest's own end: who waits for a
/// reader then, waits no longer.
final class Ending: Sendable {
  private struct State {
    var order: (outcome: Outcome, time: UInt64)?
    var verdict: Verdict?
    var onOrder: (@Sendable () -> Void)?
  }

  private let state = Mutex(State())

  /// Ends the machine. From any thread.
  func order(_ outcome: Outcome) {
    let (verdict, onOrder) = state.withLock { state -> (Verdict?, (@Sendable () -> Void)?) in
      guard state.order == nil else { return (nil, nil) }
      state.order = (outcome, HostClock.monotonic)
      return (state.verdict, state.onOrder)
    }
    verdict?.give(outcome)
    onOrder?()
  }

  /// What was said, where something was, and when, in nanoseconds of the monotonic clock.
  var ordered: (outcome: Outcome, time: UInt64)? { state.withLock { $0.order } }

  /// Whose verdict an order is from now on: the present boot's, or nobody's.
  func concerns(_ verdict: Verdict?) {
    let order = state.withLock { state in
      state.verdict = verdict
      return state.order
    }
    if let order { verdict?.give(order.outcome) }
  }

  /// Has something done with the first order, at once where there was one.
  func whenOrdered(_ body: @escaping @Sendable () -> Void) {
    let wasOrdered = state.withLock { state in
      state.onOrder = body
      return state.order != nil
    }
    if wasOrdered { body() }
  }
}

/// How long the winding down of a machine waits for those who read what it leaves.
struct Patience {
  private let ending: Ending
  private let signals: SignalDescriptor?
  private let endsWithOrder: Bool
  /// Until when at most, in nanoseconds of the monotonic clock.
  private(set) var deadline: UInt64

  /// - Parameters:
  ///   - limit: in nanoseconds from now; nil is for as long as nobody orders the end.
  ///   - signals: looked at for an order.
  init(_ ending: Ending, signals: SignalDescriptor?, limit: UInt64?) {
    self.ending = ending
    self.signals = signals
    // Where the end was ordered before there is a limit, and that is all that is left.
    endsWithOrder = ending.ordered == nil
    deadline = limit.map { HostClock.monotonic + $0 } ?? .max
  }

  /// The same, but for at most so many nanoseconds from now.
  func atMost(_ limit: UInt64) -> Patience {
    var patience = self
    patience.deadline = min(deadline, HostClock.monotonic + limit)
    return patience
  }

  /// Whether nothing is waited for any longer.
  var isOver: Bool {
    // Nobody else may be there to take it: the device thread is the one that asks here.
    if let signal = signals?.take() { ending.order(.interrupted(by: signal)) }
    return HostClock.monotonic >= deadline || endsWithOrder && ending.ordered != nil
  }
}

extension Outcome {
  static func interrupted(by signal: Int32) -> Outcome {
    Outcome(.interrupted(signal: signal), "ended by signal \(signal)")
  }
}
