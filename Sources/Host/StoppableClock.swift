internal import Synchronization

/// The monotonic clock less the times for which somebody has stopped it. From any thread.
package final class StoppableClock: Sendable {
  private struct State {
    var stops = 0
    /// How many want it to stand.
    var holders = 0
    /// How long it stood before the present stop, in nanoseconds.
    var stood: UInt64 = 0
    /// When the present stop began, in nanoseconds of the monotonic clock.
    var stoppedAt: UInt64?
    var onStart: (@Sendable () -> Void)?
  }

  private let state = Mutex(State())

  /// A clock that goes.
  package init() {}

  /// What a clock shows, and whether it stands.
  package struct Reading: Sendable {
    /// Nanoseconds of the monotonic clock, less those for which this one stood.
    package let now: UInt64
    /// Whether it stands.
    package let isStopped: Bool
  }

  /// What it shows now.
  package var reading: Reading {
    state.withLock { state in
      Reading(now: (state.stoppedAt ?? HostClock.monotonic) - state.stood, isStopped: state.stoppedAt != nil)
    }
  }

  /// Nanoseconds; while the clock stands, always the same.
  package var now: UInt64 { reading.now }

  /// How often it was stopped by who wanted that to count.
  package var stops: Int { state.withLock { $0.stops } }

  /// How long it has stood so far, in nanoseconds, the present stop included.
  package var stood: UInt64 {
    state.withLock { state in state.stood + (state.stoppedAt.map { HostClock.monotonic - $0 } ?? 0) }
  }

  /// Has it stand, until ``start()`` was called as often.
  ///
  /// - Parameter counts: whether ``stops`` has it.
  package func stop(counts: Bool = true) {
    state.withLock { state in
      if counts { state.stops += 1 }
      if state.holders == 0 { state.stoppedAt = HostClock.monotonic }
      state.holders += 1
    }
  }

  /// Has it go on from where it stands, where nobody else wants it to stand.
  ///
  /// - Precondition: it stands.
  package func start() {
    let onStart = state.withLock { state -> (@Sendable () -> Void)? in
      state.holders -= 1
      guard state.holders <= 0 else { return nil }
      guard let stoppedAt = state.stoppedAt else { preconditionFailure("a clock that goes is not started") }
      state.stood += HostClock.monotonic - stoppedAt
      state.stoppedAt = nil
      return state.onStart
    }
    onStart?()
  }

  /// Has something done each time that it goes on, on the thread that starts it.
  package func whenStarted(_ body: @escaping @Sendable () -> Void) {
    state.withLock { $0.onStart = body }
  }
}
