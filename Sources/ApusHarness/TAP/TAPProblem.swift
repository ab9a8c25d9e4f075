/// Something about a console's results that is not as KTAP and TAP want it.
public struct TAPProblem: Sendable, Equatable, CustomStringConvertible {
  /// Sorts of them, by names that reports have.
  public enum Kind: String, Sendable {
    /// There was a version line, and no test behind it.
    case noTests = "no-tests"
    /// More results than the plan says.
    case beyondPlan = "beyond-plan"
    /// A second plan that says something else.
    case secondPlan = "second-plan"
    /// A number that is not the one after the last: out of order, twice, or one was left out.
    case number
    /// A test says `ok`, and one of its subtests has failed.
    case failedSubtest = "failed-subtest"
    /// The result behind subtests has another name than they said.
    case otherName = "other-name"
    /// Subtests without the result of what they belong to.
    case unfinished
    /// The tests gave up.
    case bailOut = "bail-out"
    /// The kernel's panic ended a document.
    case panic
    /// A message of the kernel's began in the middle of a line.
    case interrupted
    /// A version that is not known: KTAP 1, TAP 13 and 14 are.
    case version
    /// A limit was reached: depth, results, text or a line's length.
    case limit
    /// Result lines outside of any document, which do not count.
    case outside
  }

  /// Which sort of problem.
  public var kind: Kind
  /// The number of the line, from 1; of lines that lack something, the one where that was seen.
  public var line: Int
  /// In words, for a person.
  public var message: String
  /// Whether the run fails because of it, whatever its tests say.
  public var isFailure: Bool

  public init(_ kind: Kind, line: Int, message: String, isFailure: Bool) {
    self.kind = kind
    self.line = line
    self.message = message
    self.isFailure = isFailure
  }

  public var description: String { "line \(line): \(message)" }
}

/// How much a ``TAPReader`` takes at most, whatever a guest prints.
public struct TAPLimits: Sendable {
  /// Bytes of a line; what is behind them is left out.
  public var lineLength = 4096
  /// The number of results in all.
  public var results = 1 << 20
  /// How deep tests may be nested, in levels.
  public var depth = 16
  /// Bytes of a test's name.
  public var nameLength = 512
  /// Bytes of all names, texts and diagnostics.
  public var text = 64 << 20
  /// The number of lines of diagnostics that are kept of a test.
  public var diagnosticLines = 40
  /// Bytes of them.
  public var diagnosticLength = 8192
  /// How many problems are told; more are counted.
  public var problems = 100

  public init() {}
}

/// What happened while a ``TAPReader`` read.
public enum TAPEvent: Sendable, Equatable {
  /// Subtests of this test follow: the names of what it is in, then its own.
  case began([String])
  /// A test has reported: its path, and what it came to. Whether a row of tests is whole is known at the end.
  case ended([String], TestOutcome)
}

/// All that a ``TAPReader`` has read.
public struct TAPOutput: Sendable {
  /// The results of all documents, in the order in which these ended.
  public var results: [TestResult]
  /// What was not as it should be, at most as many as the limits say.
  public var problems: [TAPProblem]
  /// How many problems were not told because of the limit.
  public var omittedProblems: Int
  /// How many documents there were: each begins with a version line.
  public var documents: Int
  /// The number of lines that were read.
  public var lines: Int

  /// Whether a problem makes the run fail, whatever the tests say.
  public var hasFailingProblem: Bool { problems.contains(where: \.isFailure) }
}
