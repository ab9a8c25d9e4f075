import ApusGuest
import ApusHarness
import CHost
import Glibc
import Host
import Synchronization

/// Shows how far a suite is: on a terminal a line that changes, elsewhere a line for each test that has ended.
final class TestProgress: TestEngine.Observer {
  private struct State {
    var done = 0
    var failed = 0
    var results = 0
    /// The tests that run, and how many of each one's failures were told.
    var present: [(name: String, told: Int)] = []
    var isShown = false
  }

  private let count: Int
  private let hasLine: Bool
  private let state = Mutex(State())
  /// How many failures are told of one test before its end; the summary and the reports have all.
  private static let maximumTold = 10

  /// - Parameters:
  ///   - count: how many tests there are.
  ///   - isVerbose: whether lines of guests are shown, too, among which none that changes has a place.
  init(count: Int, isVerbose: Bool) {
    self.count = count
    hasLine = StandardStreams.errorsAreOnTerminal && !isVerbose
  }

  func begin(_ name: String) {
    state.withLock { state in
      state.present.append((name, 0))
      update(&state)
    }
  }

  /// A guest has told of a test.
  func tell(_ event: TAPEvent, of item: String) {
    guard case .ended(let path, let outcome) = event else { return }
    state.withLock { state in
      state.results += 1
      guard outcome.isFailure, let index = state.present.firstIndex(where: { $0.name == item }) else {
        return update(&state)
      }
      state.present[index].told += 1
      switch state.present[index].told {
      case ...Self.maximumTold: line(&state, "not ok: \(item): \(path.joined(separator: " > "))")
      case Self.maximumTold + 1: line(&state, "not ok: \(item): more")
      default: update(&state)
      }
    }
  }

  func end(_ name: String, _ run: TestRun, failOn limit: KernelLogLimit) {
    state.withLock { state in
      state.done += 1
      state.present.removeAll { $0.name == name }
      let verdict = run.verdict(failOn: limit)
      if verdict != .passed { state.failed += 1 }
      guard !hasLine else { return update(&state) }
      let words = verdict == .passed && run.totals.ran == 0 ? "skipped" : verdict.text
      line(&state, "[\(state.done)/\(count)] \(words): \(name), \(JUnitWriter.seconds(run.duration ?? 0)) s")
    }
  }

  /// Shows what a guest printed.
  func show(_ lines: [String]) {
    state.withLock { _ in
      StandardStreams.writeError(lines.map { $0.plain + "\n" }.joined())
    }
  }

  /// Takes the line off the terminal.
  func finish() {
    state.withLock { clear(&$0) }
  }

  private func line(_ state: inout State, _ text: String) {
    clear(&state)
    StandardStreams.writeError("apus: \(text.plain)\n")
    update(&state)
  }

  private func update(_ state: inout State) {
    guard hasLine else { return }
    let what = state.present.last.map { ": \($0.name)" } ?? ""
    let more = state.present.count > 1 ? " and \(state.present.count - 1) more" : ""
    let failed = state.failed > 0 ? ", \(state.failed) failed" : ""
    let results = state.results == 1 ? "1 result" : "\(state.results) results"
    let text = "[\(state.done)/\(count)] \(results)\(failed)\(what)\(more)".plain
    StandardStreams.writeError("\r\u{1B}[K\(text.prefix(Self.width))")
    state.isShown = true
  }

  private func clear(_ state: inout State) {
    guard state.isShown else { return }
    StandardStreams.writeError("\r\u{1B}[K")
    state.isShown = false
  }

  /// What fits into one line: one that wraps cannot be taken off again.
  private static var width: Int {
    var (columns, rows): (UInt16, UInt16) = (0, 0)
    // SAFETY: the variables hold for the call.
    let isKnown = unsafe chost_terminal_size(STDERR_FILENO, &columns, &rows)
    return isKnown ? max(1, Int(columns) - 1) : 79
  }
}
