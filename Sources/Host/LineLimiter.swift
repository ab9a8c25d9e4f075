internal import Synchronization

/// Hands lines on, as many as somebody may want to read: who connects again and again fills no disk.
package final class LineLimiter: Sendable {
  /// How many lines there may be at once.
  private static let burst = 50
  /// In which time, in nanoseconds, another one may follow.
  private static let interval: UInt64 = 200_000_000

  private struct State {
    var left = LineLimiter.burst
    var time = HostClock.monotonic
    var dropped: UInt64 = 0
  }

  private let state = Mutex(State())
  private let log: @Sendable (String) -> Void

  /// - Parameter log: gets the lines that are said.
  package init(_ log: @escaping @Sendable (String) -> Void) {
    self.log = log
  }

  /// Says a line, unless there were too many lately: 50 at once, and five in a second after them.
  package func say(_ line: String) {
    let (isSaid, dropped) = state.withLock { state -> (Bool, UInt64) in
      let earned = (HostClock.monotonic - state.time) / Self.interval
      state.time += earned * Self.interval
      state.left = Int(min(UInt64(Self.burst), UInt64(state.left) + earned))
      guard state.left > 0 else {
        state.dropped += 1
        return (false, 0)
      }
      state.left -= 1
      defer { state.dropped = 0 }
      return (true, state.dropped)
    }
    guard isSaid else { return }
    if dropped > 0 { log("\(dropped) lines are left out here: there were too many at once") }
    log(line)
  }
}
