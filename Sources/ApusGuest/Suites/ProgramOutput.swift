internal import ApusHarness
internal import Host
internal import Synchronization

/// What a test program prints, as it is read while it comes.
final class ProgramOutput: Sendable {
  private struct State {
    var reader = TAPReader()
    var last: [UInt8] = []
  }

  private let state = Mutex(State())
  private let lines: OutputLines?
  private let progress: @Sendable (TAPEvent) -> Void
  private static let kept = 16 << 10
  private static let linesKept = 40

  /// - Parameters:
  ///   - lines: gets all that is printed, too, where a person wants to see that.
  ///   - progress: is told of each test that has ended.
  init(lines: OutputLines?, progress: @escaping @Sendable (TAPEvent) -> Void) {
    self.lines = lines
    self.progress = progress
  }

  func take(_ kind: Guest.OutputKind, _ bytes: [UInt8]) {
    lines?.take(bytes)
    let now = HostClock.monotonic
    state.withLock { state in
      // What is said beside the results may come in the middle of their lines.
      if kind == .output { state.reader.read(bytes, at: now, progress: progress) }
      state.last += bytes
      if state.last.count > 2 * Self.kept { state.last.removeFirst(state.last.count - Self.kept) }
    }
  }

  /// What the program came to: its exit status is as kselftest's (`tools/testing/selftests/kselftest.h` of Linux), and
  /// no status makes good what its tests say. Without an end it did not come to one.
  func result(_ name: String, _ end: CommandResult.End?) -> TestResult {
    lines?.finish()
    let (output, last) = state.withLock { ($0.reader.finish(), $0.last.suffix(Self.kept)) }
    var result = TestResult(name: name, outcome: .passed, subtests: output.results)
    switch end {
    case nil: result.outcome = .error
    case .exited(0): break
    case .exited(Self.skipped): result.outcome = .skipped
    case .exited(Self.expectedFailure): result.outcome = .expectedFailure
    case .exited(let status): (result.outcome, result.text) = (.failed, "exit status \(status)")
    case .killed(let signal): (result.outcome, result.text) = (.failed, "killed by signal \(signal)")
    }
    let totals = TestTotals(output.results)
    if end == nil {
      // What it would have said is not known, and that it did not is no second failure.
    } else if totals.failures > 0 || output.hasFailingProblem {
      result.outcome = .failed
    } else if result.outcome == .passed, totals.all > 0, totals.ran == 0 {
      result.outcome = .skipped
    }
    if result.outcome == .passed { return result }
    let lines = last.split(omittingEmptySubsequences: true) { $0 == 0x0A || $0 == 0x0D }.suffix(Self.linesKept)
    result.diagnostics =
      output.problems.filter(\.isFailure).map { "\($0)" } + lines.map { String(decoding: $0, as: UTF8.self).plain }
    return result
  }

  private static let skipped: Int32 = 4
  private static let expectedFailure: Int32 = 2
}
