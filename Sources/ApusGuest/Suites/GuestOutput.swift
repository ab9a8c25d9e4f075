package import ApusHarness
internal import Host
internal import Synchronization

/// What one guest prints, as it is read while it comes: by the engine and by whoever waits for its end.
///
/// Bounded: of all that a guest prints, the last lines are kept, and what was found in them.
package final class GuestOutput: Sendable {
  private struct State {
    var reader = TAPReader()
    var scan = KernelLogScan()
    var last: [UInt8] = []
    var panicked: (@Sendable () -> Void)?
  }

  private let state = Mutex(State())
  private let progress: @Sendable (TAPEvent) -> Void
  private let lines: OutputLines?
  private static let kept = 64 << 10

  /// - Parameters:
  ///   - lines: gets all that is printed, too, where a person wants to see that.
  ///   - progress: is told of each test that has ended.
  package init(lines: OutputLines?, progress: @escaping @Sendable (TAPEvent) -> Void) {
    self.lines = lines
    self.progress = progress
  }

  /// Takes what has come.
  package func take(_ bytes: [UInt8]) {
    let now = HostClock.monotonic
    let panicked = state.withLock { state -> (@Sendable () -> Void)? in
      let wasPanic = state.scan.hasPanic
      state.reader.read(bytes, at: now, progress: progress)
      state.scan.read(bytes)
      state.last += bytes
      if state.last.count > 2 * Self.kept { state.last.removeFirst(state.last.count - Self.kept) }
      return state.scan.hasPanic && !wasPanic ? state.panicked.take() : nil
    }
    lines?.take(bytes)
    panicked?()
  }

  /// Has something done once when the kernel panics, at once where it has.
  package func whenPanicked(_ body: @escaping @Sendable () -> Void) {
    let isPast = state.withLock { state in
      if !state.scan.hasPanic { state.panicked = body }
      return state.scan.hasPanic
    }
    if isPast { body() }
  }

  /// Takes what has come since this was called last: a guest may run several tests.
  func takeResults() -> (TAPOutput, [KernelLogFinding]) {
    lines?.finish()
    return state.withLock { state in
      state.scan.finish()
      let results = state.reader.finish()
      let findings = state.scan.findings
      state.reader = TAPReader()
      state.scan = KernelLogScan()
      return (results, findings)
    }
  }

  /// The last lines.
  var lastLines: [String] {
    let bytes = state.withLock { $0.last.suffix(Self.kept) }
    return bytes.split(omittingEmptySubsequences: true) { $0 == 0x0A || $0 == 0x0D }.suffix(400).map { line in
      String(decoding: line.prefix(4096), as: UTF8.self).plain
    }
  }
}
