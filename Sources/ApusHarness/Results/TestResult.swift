/// What became of a test.
public enum TestOutcome: String, Sendable, CaseIterable {
  case passed
  case failed
  /// It did not run, and that is no fault.
  case skipped
  /// It failed as it was said to: XFAIL, or TODO with `not ok`.
  case expectedFailure = "expected-failure"
  /// It took too long: TIMEOUT.
  case timedOut = "timed-out"
  /// It could not be run to its end: ERROR.
  case error
  /// It was planned, or had begun, and never reported.
  case missing

  /// Whether one such test makes the whole fail.
  public var isFailure: Bool {
    switch self {
    case .passed, .skipped, .expectedFailure: false
    case .failed, .timedOut, .error, .missing: true
    }
  }
}

/// A test with what became of it, and its subtests.
public struct TestResult: Sendable, Equatable {
  /// As the test said it; a test without a description is `test 7`.
  public var name: String
  /// The number that the test said, from 1; nil where it said none.
  public var number: Int?
  /// What became of it, its subtests considered.
  public var outcome: TestOutcome
  /// What stood behind the directive: why it was skipped, say.
  public var text: String?
  /// The last lines before the result, or behind it where the test writes so; none where it passed or was skipped.
  public var diagnostics: [String]
  /// How long it took in nanoseconds, by when lines came; nil where nobody measured.
  public var duration: UInt64?
  /// Its own tests, in the order in which they reported.
  public var subtests: [TestResult]
  /// How many tests it stands for: more than 1 only for a row of those that never reported.
  public var count: Int

  public init(
    name: String,
    number: Int? = nil,
    outcome: TestOutcome,
    text: String? = nil,
    diagnostics: [String] = [],
    duration: UInt64? = nil,
    subtests: [TestResult] = [],
    count: Int = 1
  ) {
    self.name = name
    self.number = number
    self.outcome = outcome
    self.text = text
    self.diagnostics = diagnostics
    self.duration = duration
    self.subtests = subtests
    self.count = count
  }
}

/// How many tests came to what.
///
/// Counted are tests without subtests, and those with some that failed although none of their subtests did.
public struct TestTotals: Sendable, Equatable {
  /// The number of tests for each outcome.
  private var counts = [Int](repeating: 0, count: TestOutcome.allCases.count)

  public init() {}

  /// Counts the tests of trees.
  public init(_ results: [TestResult]) {
    for result in results { add(result) }
  }

  /// How many tests came to that.
  public subscript(outcome: TestOutcome) -> Int {
    get { counts[Self.place(outcome)] }
    set { counts[Self.place(outcome)] = newValue }
  }

  /// How many tests there are.
  public var all: Int { counts.reduce(0, &+) }
  /// How many make the whole fail.
  public var failures: Int { TestOutcome.allCases.reduce(0) { $0 + ($1.isFailure ? self[$1] : 0) } }
  /// How many did run, or should have.
  public var ran: Int { all - self[.skipped] }

  /// Adds the counts of others.
  public static func += (totals: inout TestTotals, others: TestTotals) {
    for outcome in TestOutcome.allCases { totals[outcome] += others[outcome] }
  }

  /// - Returns: whether the test or one of its subtests fails.
  @discardableResult
  private mutating func add(_ result: TestResult) -> Bool {
    var hasFailed = false
    for subtest in result.subtests where add(subtest) { hasFailed = true }
    if result.subtests.isEmpty || result.outcome.isFailure && !hasFailed {
      counts[Self.place(result.outcome)] &+= result.count
      hasFailed = result.outcome.isFailure
    }
    return hasFailed
  }

  private static func place(_ outcome: TestOutcome) -> Int {
    switch outcome {
    case .passed: 0
    case .failed: 1
    case .skipped: 2
    case .expectedFailure: 3
    case .timedOut: 4
    case .error: 5
    case .missing: 6
    }
  }
}
