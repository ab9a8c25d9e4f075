internal import CHost
internal import Glibc
import Host
internal import Synchronization

/// The second owner of a machine's time limit, its stop signals and its owner's wish to end it.
///
/// The device thread answers these as long as it comes back to its loop. Where it does not (it waits for a disk, or for
/// a file system that does not answer any more), somebody else has to. A thread of the warden's own sleeps until the
/// time is over or a signal comes, orders the end, and looks whether it comes within ``grace``; where it does not, the
/// machine is abandoned.
///
/// A thread costs as much as a fifth of a small machine's start, so it is started late: with a time limit before
/// anything else, and otherwise when the machine has run for a while, or is to end.
final class Warden: Sendable {
  /// How long a machine that is to end may take, in nanoseconds. Its own winding down waits less than that.
  static let grace: UInt64 = 2_000_000_000

  private let mailbox: Mailbox
  private let signals: SignalDescriptor?
  private let deadline: UInt64?
  private let clock: StoppableClock
  /// Whether the thread waits for the clock to go on, and not for a time.
  private let waitsForClock = Atomic(false)
  private let limit: @Sendable () -> Outcome
  private let grace: UInt64
  private let abandon: @Sendable (Outcome) -> Void
  private let wake: EventDescriptor
  private let state = Mutex(State())

  private struct State {
    var thread: HostThread?
    var hasEnded = false
  }

  /// - Parameters:
  ///   - deadline: when the time is over, in nanoseconds of `clock`.
  ///   - clock: by which the time goes; while it stands, the machine does not come nearer to its limit.
  ///   - limit: the outcome then; its text is made when it is needed.
  ///   - abandon: called once, on the warden's thread, where the machine does not end.
  init(
    _ mailbox: Mailbox,
    signals: SignalDescriptor?,
    deadline: UInt64?,
    clock: StoppableClock = StoppableClock(),
    limit: @autoclosure @escaping @Sendable () -> Outcome,
    grace: UInt64 = Warden.grace,
    abandon: @escaping @Sendable (Outcome) -> Void
  ) throws(HostError) {
    self.mailbox = mailbox
    self.signals = signals
    self.deadline = deadline
    self.clock = clock
    self.limit = limit
    self.grace = grace
    self.abandon = abandon
    wake = try EventDescriptor()
    mailbox.whenOrdered { [weak self] in
      self?.wake.signal()
      // A host without room for one more thread has the device thread still.
      try? self?.begin()
    }
    guard deadline != nil else { return }
    clock.whenStarted { [weak self] in
      // While the clock goes, the thread has a time to wait for, which a pause can only bring nearer than need be.
      if let self, waitsForClock.exchange(false, ordering: .acquiringAndReleasing) { wake.signal() }
    }
  }

  /// Starts the thread, unless it runs already. From any thread.
  func begin() throws(HostError) {
    try state.withLock { state throws(HostError) in
      guard state.thread == nil, !state.hasEnded else { return }
      state.thread = try HostThread(name: "warden") { self.watch() }
    }
  }

  /// The machine has ended, and nobody needs to be ended any more: waits for the thread's end.
  func end() {
    let thread = state.withLock { state in
      state.hasEnded = true
      return state.thread.take()
    }
    wake.signal()
    thread?.join()
  }

  private func watch() {
    while !state.withLock({ $0.hasEnded }) {
      let now = HostClock.monotonic
      let order = mailbox.ordered
      if let order, now >= order.time + grace {
        abandon(order.outcome)
        return
      }
      // Before the look at the clock: one that is started behind it has to tell.
      waitsForClock.store(true, ordering: .sequentiallyConsistent)
      let reading = clock.reading
      if order == nil, let deadline, reading.now >= deadline {
        mailbox.order(limit())
        continue
      }
      if !reading.isStopped { waitsForClock.store(false, ordering: .releasing) }
      if let order {
        sleep(for: order.time + grace - now)
      } else {
        sleep(for: reading.isStopped ? nil : deadline.map { $0 - reading.now })
      }
      wake.clear()
      if let signal = signals?.take() { mailbox.order(.interrupted(by: signal)) }
    }
  }

  /// Waits for the event or a signal, for so many nanoseconds or for ever.
  private func sleep(for time: UInt64?) {
    // Rounded up: a wait that ends early would be repeated until it is late enough.
    let milliseconds = time.map { Int32(clamping: ($0 + 999_999) / 1_000_000) } ?? -1
    chost_wait_for_either(wake.rawValue, signals?.rawValue ?? -1, milliseconds)
  }
}
