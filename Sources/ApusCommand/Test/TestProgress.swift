import ApusGuest
import ApusHarness
import Glibc
import Host
import Synchronization

/// Shows how far a suite is: on a terminal a line that changes, elsewhere a line for each test that has ended.
final class TestProgress: TestEngine.Observer {
  private struct State {
    var done = 0
    var failed = 0
    var results = 0
    var present: [String] = []
    var isShown = false
  }

  private let count: Int
  private let isTerminal: Bool
  private let state = Mutex(State())

  init(count: Int) {
    self.count = count
    isTerminal = isatty(STDERR_FILENO) == 1
  }

  func begin(_ name: String) {
    state.withLock { state in
      state.present.append(name)
      show(&state)
    }
  }

  /// A guest has told of a test.
  func tell(_ event: TAPEvent, of item: String) {
    guard case .ended(let path, let outcome) = event else { return }
    state.withLock { state in
      state.results += 1
      if outcome.isFailure {
        line(&state, "not ok: \(item): \(path.joined(separator: " > "))")
      } else {
        show(&state)
      }
    }
  }

  func end(_ name: String, _ run: TestRun, failOn limit: KernelLogLimit) {
    state.withLock { state in
      state.done += 1
      state.present.removeAll { $0 == name }
      let verdict = run.verdict(failOn: limit)
      if verdict.exitStatus != 0, verdict != .nothingRan { state.failed += 1 }
      if !isTerminal { line(&state, "\(state.done)/\(count) \(verdict.text): \(name)") } else { show(&state) }
    }
  }

  /// Takes the line off the terminal.
  func finish() {
    state.withLock { clear(&$0) }
  }

  private func line(_ state: inout State, _ text: String) {
    clear(&state)
    StandardStreams.writeError("apus: \(text.plain)\n")
    show(&state)
  }

  private func show(_ state: inout State) {
    guard isTerminal else { return }
    let what = state.present.last.map { ": \($0)" } ?? ""
    let failed = state.failed > 0 ? ", \(state.failed) failed" : ""
    let text = "[\(state.done)/\(count)] \(state.results) results\(failed)\(what)".plain
    StandardStreams.writeError("\r\u{1B}[K\(text.prefix(Self.width))")
    state.isShown = true
  }

  private func clear(_ state: inout State) {
    guard state.isShown else { return }
    StandardStreams.writeError("\r\u{1B}[K")
    state.isShown = false
  }

  private static let width = 78
}
