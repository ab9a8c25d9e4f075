import Apus
import ApusGuest
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
  /// Which of all tests are run, by their names or kselftest collections; all without.
  var only: [String] = []
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
  /// The directory of a snapshot that guests go on from, in place of a boot.
  var snapshot: String?
  /// The directory that a guest is written into that is ready for tests.
  var freeze: String?

  /// How long a test may take where nobody says.
  static let timeout = "5m"
  static let retriesRange = 0...100
  static let jobsRange = 1...1024

  init(kernel: String) {
    self.kernel = kernel
  }

  /// Looks for what cannot be, before anything is read.
  ///
  /// - Throws: a `ValidationError`.
  func check() throws {
    _ = try limit
    _ = try TestMatrix.machines(matrix)
    _ = try place
    if history != nil, shard == nil {
      throw ValidationError("--history: parts are made with --shard alone; give it, too")
    }
    if snapshot != nil {
      let others: [(String, Bool)] = [
        ("--kernel", !kernel.isEmpty), ("--initrd", initrd != nil), ("--busybox", busybox != nil),
        ("--matrix", matrix != nil), ("--freeze", freeze != nil),
      ]
      for (option, isThere) in others where isThere {
        throw ValidationError("\(option): with --from-snapshot the guest is what it was; leave it out")
      }
      guard !programs.isEmpty || directory != nil || !modules.isEmpty else {
        throw ValidationError("--from-snapshot: nothing to run; give --run, --directory or --module, too")
      }
      guard changes.isEmpty else {
        throw ValidationError(
          "--from-snapshot: the machine and its devices are the snapshot's; leave out the options that say what they are"
        )
      }
    } else if kernel.isEmpty {
      throw ValidationError("Missing expected argument '--kernel <path>', or '--from-snapshot <directory>'.")
    }
    if freeze != nil {
      let others: [(String, Bool)] = [
        ("--run", !programs.isEmpty), ("--directory", directory != nil), ("--only", !only.isEmpty),
        ("--matrix", matrix != nil), ("--shard", shard != nil), ("--list", isList), ("--junit", junit != nil),
        ("--tap", tap != nil), ("--json", json != nil),
      ]
      for (option, isThere) in others where isThere {
        throw ValidationError("\(option): with --freeze one guest is written and nothing is run; leave it out")
      }
    }
    if busybox != nil, initrd != nil {
      throw ValidationError("--busybox: with --initrd, programs find what that has; leave one of them out")
    }
  }

  /// How long each test may take.
  var limit: Duration {
    get throws {
      guard let limit = TimeLimit(timeout)?.duration, limit > .zero else {
        throw ValidationError("--timeout: give a time, such as 60, 90s or 5m, above 0")
      }
      return limit
    }
  }

  /// Which part of the suite is wanted, if not all of it.
  var place: Shard? {
    get throws {
      do throws(ShardError) {
        guard let shard else { return nil }
        return try ShardEnvironment.shard(ShardRequest(shard), in: ProcessEnvironment.all)
      } catch {
        throw ValidationError("--shard: \(error)")
      }
    }
  }

  /// Runs the tests, and tells what they came to.
  ///
  /// - Throws: the exit status as an `ExitCode`, after all has been said, or a `ValidationError`.
  func run() throws {
    try check()
    ProcessMemory.shareHeap()
    guard !isList else { return try Message.show(TestSuite(self).items.map(\.name)) }
    try requireKVM()
    let suite = try TestSuite(self)
    try requireMemory(suite)
    let outputs = try TestOutputs(junit: junit, tap: tap, json: json)
    let signals = try Message.reporting { () throws(HostError) in try SignalDescriptor.stop() }
    let progress = TestProgress(count: suite.items.count, isVerbose: isVerbose)
    if let freeze { return try write(suite, to: freeze) }
    let engine = TestEngine(suite, jobs: jobs, isVerbose: isVerbose, observer: progress) { $1.message($0) }
    engine.stop(on: signals)
    let report = engine.run()
    progress.finish()
    outputs.write(report)
    try SummaryText.show(report)
    if let signal = engine.signal { throw ExitCode(128 + signal) }
    let status = report.verdict.exitStatus
    if outputs.status != 0, status == 0 { throw ExitCode(outputs.status) }
    if status != 0 { throw ExitCode(status) }
  }

  /// Writes a guest that is ready for tests into a directory.
  private func write(_ suite: TestSuite, to directory: String) throws {
    let progress = TestProgress(count: 0, isVerbose: isVerbose)
    let engine = TestEngine(suite, jobs: 1, isVerbose: isVerbose, observer: progress) { $1.message($0) }
    switch engine.freeze(to: directory) {
    case .success(let summary):
      try Message.show("a guest that is ready for tests is in '\(summary.directory)' (\(summary.size >> 20) MiB)")
    case .failure(let trouble):
      Message.say("error: --freeze: \(trouble.text)")
      for line in trouble.lines { Message.say(line) }
      throw ExitStatus.of(.hostFailure)
    }
  }

  /// A kernel notes something of each page (64 bytes of 4 KiB) before it does anything else. A host without memory for
  /// that ends this process, and perhaps others.
  private func requireMemory(_ suite: TestSuite) throws {
    let available = HostMemory().available
    let sizes = suite.machines.map(\.configuration.memorySize)
    guard let size = sizes.first(where: { $0 / Self.noted > available }) else { return }
    let taken = (size / Self.noted) >> 20
    Message.say(
      "error: --memory: of \(size >> 20) MiB the guest's kernel takes \(taken) MiB at its start, and this host has "
        + "\(available >> 20) MiB; give it less"
    )
    throw ExitStatus.of(.hostFailure)
  }

  /// Of how many bytes a kernel notes one.
  private static let noted: UInt64 = 64

  /// Nothing is read and made for guests that cannot run.
  private func requireKVM() throws {
    #if arch(arm64)
      guard let obstacle = HostSurvey.obstacle() else { return }
      Message.say("error: \(obstacle)")
    #else
      Message.say(
        "error: guests run by arm64 KVM, and this machine is not arm64; put the emulated host of Apus's checkout in "
          + "front: Guests/EmulatedHost/apus test …"
      )
    #endif
    throw ExitStatus.of(.hostFailure)
  }
}
