import Apus
import ApusHarness
import ArgumentParser
import Host

/// What `apus test` is asked for.
struct TestRequest {
  var kernel: String
  /// What the options of machines and devices change.
  var changes: [Setting] = []
  var initrd: String?
  /// Scripts and programs of the host's.
  var programs: [String] = []
  var directory: String?
  var modules: [String] = []
  var busybox: String?
  var timeout = Self.timeout
  var failOn = KernelLogLimit.panic
  var retries = 0
  var matrix: String?
  var shard: String?
  var history: String?
  var jobs: Int?
  var isFresh = false
  var isVerbose = false
  /// Whether nothing is started.
  var isList = false
  var junit: String?
  var tap: String?
  var json: String?

  /// How long a test may take where nobody says.
  static let timeout = "5m"
  static let retriesRange = 0...100
  static let jobsRange = 1...1024

  init(kernel: String) {
    self.kernel = kernel
  }

  /// Runs the tests, and tells what they came to.
  ///
  /// - Throws: the exit status as an `ExitCode`, after all has been said, or a `ValidationError`.
  func run() throws {
    ProcessMemory.shareHeap()
    let suite = try TestSuite(self)
    guard !isList else { return try Message.show(suite.items.map(\.name)) }
    let outputs = try TestOutputs(junit: junit, tap: tap, json: json)
    let signals = try Message.reporting { () throws(HostError) in try SignalDescriptor.stop() }
    let engine = TestEngine(suite, jobs: jobs, isVerbose: isVerbose)
    engine.stop(on: signals)
    let report = engine.run()
    outputs.write(report)
    try Message.show(TextSummary.lines(report))
    if let signal = engine.signal { throw ExitCode(128 + signal) }
    let status = report.verdict.exitStatus
    if outputs.status != 0, status == 0 { throw ExitCode(outputs.status) }
    if status != 0 { throw ExitCode(status) }
  }
}
