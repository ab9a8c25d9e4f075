internal import Synchronization

/// A limit of time in a test. It is there to end what hangs, and not to measure.
///
/// It counts the time in which this process, another one that the test waits for and, on an emulated host, that host
/// could run: what they wait for a processor is left out, so that a machine that is busy with something else makes a
/// test late and not wrong. It is as many times longer as this machine is slower than those that tests were written on.
///
/// May be used from any thread.
public final class TestLimit: Sendable {
  private struct State {
    var looked = ContinuousClock.now
    var passed = Duration.zero
    var waited: [Duration]
  }

  private let limit: Duration
  private let waits: [ProcessorWait]
  private let state: Mutex<State>

  /// A limit that counts from now on.
  ///
  /// - Parameters:
  ///   - limit: how long something may take on a machine that has nothing else to do.
  ///   - process: a process that the test waits for, besides its own.
  public init(_ limit: Duration, for process: Int32? = nil) {
    self.limit = limit * Slowness.factor
    waits = [.ownProcess, .emulatedHost] + (process.map { [ProcessorWait(ofProcess: $0)] } ?? [])
    state = Mutex(State(waited: waits.map { $0.total(freshly: true) }))
  }

  /// Whether the time is over.
  public var hasPassed: Bool {
    state.withLock { state in
      let time = ContinuousClock.now - state.looked
      guard time >= min(ProcessorWait.interval, max(limit - state.passed, Self.shortestStep)) else { return false }
      // A thread runs where its process is let run, and that where its host is.
      var running = 1.0
      let waited = waits.map { $0.total(freshly: state.passed + time >= limit) }
      for (before, now) in zip(state.waited, waited) {
        running *= 1 - min((now - before) / time, Self.largestPart)
      }
      state.looked += time
      state.passed += time * running
      state.waited = waited
      return state.passed >= limit
    }
  }

  /// The clock never stands still: nobody waits for a processor for ever.
  private static let largestPart = 0.98
  private static let shortestStep = Duration.milliseconds(10)
}
