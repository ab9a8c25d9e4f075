/// What a run, or a whole report, comes to: one exit status.
///
/// Where several things are wrong, the one that says most about why is told: see ``worse(_:_:)``.
public enum Verdict: Sendable, Equatable {
  /// Tests ran, and none failed.
  case passed
  /// A test failed, or one that was planned never reported.
  case failed
  /// No test ran: none was found, or all were skipped.
  case nothingRan
  /// The kernel warned, and that was to fail the run.
  case warned
  /// The kernel had an oops or found a bug in itself, and that was to fail the run.
  case oopsed
  /// The kernel panicked, whatever the tests said.
  case panicked
  /// The machine ended as it should not have; its status stands for why.
  case machineEnded(status: Int32)

  /// The exit status, stable for scripts: those of `apus run`, and beside them 1, 2, 83 and 84.
  public var exitStatus: Int32 {
    switch self {
    case .passed: 0
    case .failed: 1
    case .nothingRan: 2
    case .panicked: 81
    case .oopsed: 83
    case .warned: 84
    case .machineEnded(let status): status
    }
  }

  /// In words, for a person.
  public var text: String {
    switch self {
    case .passed: "passed"
    case .failed: "failed"
    case .nothingRan: "no test ran"
    case .panicked: "the kernel panicked"
    case .oopsed: "the kernel has a bug (oops)"
    case .warned: "the kernel warned"
    case .machineEnded(let status): Self.text(ofEnd: status)
    }
  }

  private static func text(ofEnd status: Int32) -> String {
    switch status {
    case 65: "an input cannot be used"
    case 66: "an input cannot be read"
    case 73: "an output cannot be written"
    case 64..<80: "the host failed"
    case 80: "the guest ended before its tests were done"
    case 82: "guest fault"
    case 124: "timed out"
    case 129...: "ended by signal \(status - 128)"
    default: "the guest ended with status \(status)"
    }
  }

  /// What a report's verdict is where its runs have these: the host's failures (status 64 to 79) before all, since
  /// nothing can be said of the tests then; panic, guest fault, timeout and other ends; oops; warning; a failed test;
  /// nothing ran; passed.
  public static func worse(_ one: Verdict, _ other: Verdict) -> Verdict { one.rank >= other.rank ? one : other }

  private var rank: Int {
    switch self {
    case .passed: 0
    case .nothingRan: 1
    case .failed: 2
    case .warned: 3
    case .oopsed: 4
    case .machineEnded(let status) where (64..<80).contains(status): 9
    case .machineEnded(let status) where status >= 128: 8
    case .panicked: 7
    case .machineEnded(82): 6
    case .machineEnded: 5
    }
  }
}

/// Which of a kernel's complaints make a run fail. A panic always does.
public enum KernelLogLimit: String, Sendable, CaseIterable, Comparable {
  /// None but a panic.
  case panic
  /// Oopses, and bugs that the kernel finds in itself: KASAN, UBSAN, `BUG:`, lockups.
  case oops
  /// All of them: also warnings, lockdep, hung tasks, stalls of RCU.
  case warn

  /// The stricter one is the greater.
  public static func < (one: KernelLogLimit, other: KernelLogLimit) -> Bool { one.strictness < other.strictness }

  private var strictness: Int {
    switch self {
    case .panic: 0
    case .oops: 1
    case .warn: 2
    }
  }

  /// What a finding makes of a run, or nil where it is allowed.
  public func verdict(_ kind: KernelLogFinding.Kind) -> Verdict? {
    switch kind {
    case .panic: .panicked
    case .oops, .kasan, .bug, .ubsan, .lockup: self == .panic ? nil : .oopsed
    case .rcuStall, .hungTask, .lockdep, .warning: self == .warn ? .warned : nil
    }
  }
}

extension TestRun {
  /// What the run comes to.
  ///
  /// - Parameter limit: which complaints of the kernel make it fail.
  public func verdict(failOn limit: KernelLogLimit = .panic) -> Verdict {
    var verdict = Verdict.passed
    let totals = totals
    if totals.all == 0 { verdict = .nothingRan }
    if totals.failures > 0 || results.contains(where: \.outcome.isFailure) || problems.contains(where: \.isFailure) {
      verdict = .failed
    }
    for finding in findings {
      if let found = limit.verdict(finding.kind) { verdict = .worse(verdict, found) }
    }
    if let end, end.status != 0 {
      verdict = .worse(verdict, end.status == 81 ? .panicked : .machineEnded(status: end.status))
    }
    return verdict
  }
}

extension TestReport {
  /// What the report comes to: the worst of its runs. If all tests of all runs were skipped, nothing ran. A part of a
  /// suite to which no run fell has passed.
  public var verdict: Verdict {
    var verdict = runs.map { $0.verdict(failOn: failOn) }.reduce(Verdict.passed, Verdict.worse)
    if !failures.isEmpty { verdict = .worse(verdict, .failed) }
    if let shard, runs.isEmpty, shard.items.isEmpty { return verdict }
    if totals.ran == 0 { verdict = .worse(verdict, .nothingRan) }
    return verdict
  }
}
