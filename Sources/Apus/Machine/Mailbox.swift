import Host
internal import Synchronization
import Virtio

/// The device thread's mailbox: what anybody outside of that thread wants of a machine comes through it.
///
/// vCPUs say how the boot ends, and have the device thread work for them and wait for it. A time limit, a signal or the
/// owner orders the end, which holds over all boots; the owner asks other things of the boot that runs. The device
/// thread looks here when its event is signalled, and ``answerAll(_:)`` tells it whether to go on. From any thread
/// where nothing else is said.
final class Mailbox: DeviceThread, @unchecked Sendable {
  // SAFETY: @unchecked: everything that changes is behind the mutex.

  /// What is asked of the boot that runs; it gets nil where the run ends without one. On the device thread.
  typealias Request = @Sendable (Boot?) -> Void

  private struct State {
    /// Signalled when there is something for the device thread.
    var event: SharedEventDescriptor?
    var work: [@Sendable () -> Void] = []
    var requests: [Request] = []
    /// The gates that vCPUs wait at: no more than there are vCPUs.
    var waiting: [Gate] = []
    var isClosed = true
    /// Nobody answers any more.
    var isFinished = false
    var verdict: Outcome?
    var order: Outcome?
    /// When it was given, in nanoseconds of the monotonic clock.
    var orderTime: UInt64 = 0
    var onOrder: (@Sendable () -> Void)?
  }

  private let state = Mutex(State())

  /// What the device thread is to do after it has looked.
  enum Answer {
    case goOn
    case end
  }

  // MARK: The end

  /// Ends the machine from outside of it, over all reboots. The first to say wins. It holds also for what comes after
  /// the guest's own end: who waits for a reader then, waits no longer.
  func order(_ outcome: Outcome) {
    let onOrder = state.withLock { state -> (@Sendable () -> Void)? in
      guard state.order == nil else { return nil }
      state.order = outcome
      state.orderTime = HostClock.monotonic
      return state.onOrder
    }
    give(outcome)
    onOrder?()
  }

  /// What was ordered, where something was, and when, in nanoseconds of the monotonic clock.
  var ordered: (outcome: Outcome, time: UInt64)? {
    state.withLock { state in state.order.map { ($0, state.orderTime) } }
  }

  /// Whether the end was ordered.
  var isOrdered: Bool { state.withLock { $0.order != nil } }

  /// Has something done with the first order, at once where there was one.
  func whenOrdered(_ body: @escaping @Sendable () -> Void) {
    let wasOrdered = state.withLock { state in
      state.onOrder = body
      return state.order != nil
    }
    if wasOrdered { body() }
  }

  /// Ends the boot, unless something else has ended it already.
  func give(_ verdict: Outcome) {
    let event = state.withLock { state -> SharedEventDescriptor? in
      guard state.verdict == nil else { return nil }
      state.verdict = verdict
      return state.event
    }
    event?.value.signal()
  }

  /// How the boot ends, where that is known.
  var verdict: Outcome? { state.withLock { $0.verdict } }

  // MARK: Work

  /// Between boots nothing is done: what would do it has gone.
  func post(_ work: @escaping @Sendable () -> Void) {
    let event = state.withLock { state -> SharedEventDescriptor? in
      guard !state.isClosed else { return nil }
      state.work.append(work)
      return state.work.count == 1 ? state.event : nil
    }
    event?.value.signal()
  }

  func perform(_ work: @escaping @Sendable (@escaping @Sendable () -> Void) -> Void) {
    let gate = Gate()
    let isClosed = state.withLock { state in
      if !state.isClosed { state.waiting.append(gate) }
      return state.isClosed
    }
    guard !isClosed else { return }
    post { work { gate.open() } }
    gate.wait()
    state.withLock { $0.waiting.removeAll { $0 === gate } }
  }

  /// Asks something of the boot that runs, or of the next one.
  func ask(_ request: @escaping Request) {
    let (isFinished, event) = state.withLock { state -> (Bool, SharedEventDescriptor?) in
      if !state.isFinished { state.requests.append(request) }
      return (state.isFinished, state.event)
    }
    if isFinished { request(nil) }
    event?.value.signal()
  }

  // MARK: The device thread's side

  /// Begins a run.
  ///
  /// - Returns: what is signalled when there is something to look at.
  func open() throws(HostError) -> SharedEventDescriptor {
    let event = SharedEventDescriptor(try EventDescriptor())
    state.withLock { $0.event = event }
    return event
  }

  /// A boot begins, whose verdict nobody has given yet. What was ordered before is its verdict.
  func beginBoot() {
    let event = state.withLock { state -> SharedEventDescriptor? in
      state.isClosed = false
      state.verdict = state.order
      // What was asked before there was anybody to answer.
      return state.verdict == nil && state.requests.isEmpty ? nil : state.event
    }
    event?.value.signal()
  }

  /// Does what there is, for the boot that runs.
  func answerAll(_ boot: Boot) -> Answer {
    let (work, requests) = state.withLock { state in
      state.event?.value.clear()
      defer { (state.work, state.requests) = ([], []) }
      return (state.work, state.requests)
    }
    for piece in work { piece() }
    for request in requests { request(boot) }
    return verdict == nil ? .goOn : .end
  }

  /// The boot ends: no vCPU waits any longer, and nothing is done any more. Before anybody waits for the vCPUs.
  func endBoot() {
    let waiting = state.withLock { state in
      state.isClosed = true
      state.work = []
      return state.waiting
    }
    for gate in waiting { gate.open() }
  }

  /// The run has ended: who asks has no answer.
  func finish() {
    let requests = state.withLock { state in
      state.isFinished = true
      defer { state.requests = [] }
      return state.requests
    }
    for request in requests { request(nil) }
  }
}

extension Outcome {
  static func interrupted(by signal: Int32) -> Outcome {
    Outcome(.interrupted(signal: signal), "ended by signal \(signal)")
  }
}
