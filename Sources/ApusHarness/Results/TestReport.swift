/// How a guest's machine ended, for a report.
public struct MachineEnd: Sendable, Equatable {
  /// The name of the outcome, as in a machine's own report: `powered-off`, `panicked`, …
  public var name: String
  /// The exit status that stands for it: 0 where the end is as it should be.
  public var status: Int32
  /// In words, for a person.
  public var message: String

  public init(name: String, status: Int32, message: String) {
    self.name = name
    self.status = status
    self.message = message
  }
}

/// One guest's tests.
public struct TestRun: Sendable, Equatable {
  /// What makes it different from others: `cpus=4,gic=3`.
  public var name: String
  /// How its machine ended; nil where there was none, or nobody said.
  public var end: MachineEnd?
  /// How long it took in nanoseconds.
  public var duration: UInt64?
  /// How often it was started: more than once where it was tried again.
  public var attempts: Int
  /// Its tests.
  public var results: [TestResult]
  /// What was not as it should be with how they reported.
  public var problems: [TAPProblem]
  /// What its kernel complained of.
  public var findings: [KernelLogFinding]
  /// The last lines of its console.
  public var console: [String]

  public init(
    name: String,
    end: MachineEnd? = nil,
    duration: UInt64? = nil,
    attempts: Int = 1,
    results: [TestResult] = [],
    problems: [TAPProblem] = [],
    findings: [KernelLogFinding] = [],
    console: [String] = []
  ) {
    self.name = name
    self.end = end
    self.duration = duration
    self.attempts = attempts
    self.results = results
    self.problems = problems
    self.findings = findings
    self.console = console
  }

  /// How many of its tests came to what.
  public var totals: TestTotals { TestTotals(results) }
}

/// Which part of a suite a report is of.
public struct ShardRecord: Sendable, Equatable {
  /// The part.
  public var shard: Shard
  /// What the whole suite and its division are known by: reports of one division have the same.
  public var fingerprint: String
  /// The names of the runs that are this part's.
  public var items: [String]
  /// How many runs the whole suite has.
  public var total: Int

  public init(shard: Shard, fingerprint: String, items: [String], total: Int) {
    self.shard = shard
    self.fingerprint = fingerprint
    self.items = items
    self.total = total
  }
}

/// What `apus test` has to tell: all runs of a suite, or of a part of one.
public struct TestReport: Sendable, Equatable {
  /// The runs, in the order in which they were asked for.
  public var runs: [TestRun]
  /// Which part of a suite they are; nil where they are all of it.
  public var shard: ShardRecord?
  /// How long all took in nanoseconds, from the first to the last.
  public var duration: UInt64?
  /// Which complaints of kernels make it fail.
  public var failOn: KernelLogLimit
  /// What is wrong with the report as a whole: a part that is missing, say. Any makes it fail.
  public var failures: [String]

  public init(
    runs: [TestRun] = [],
    shard: ShardRecord? = nil,
    duration: UInt64? = nil,
    failOn: KernelLogLimit = .panic,
    failures: [String] = []
  ) {
    self.runs = runs
    self.failOn = failOn
    self.shard = shard
    self.duration = duration
    self.failures = failures
  }

  /// How many tests of all runs came to what.
  public var totals: TestTotals {
    var totals = TestTotals()
    for run in runs { totals += run.totals }
    return totals
  }
}
