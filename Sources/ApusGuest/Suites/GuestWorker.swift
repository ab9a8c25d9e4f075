internal import Apus
internal import ApusHarness
internal import Glibc
internal import Host

/// Runs one test after the other on machines of one kind, in the same guest as long as that is well.
///
/// Used by one task.
final class GuestWorker {
  private let engine: TestEngine
  private let machine: TestMachine
  private var suite: TestSuite { engine.suite }
  private var open: OpenGuest?
  /// Whether the last test did not begin, since no guest could be made ready for it: another one's would be as bad.
  private(set) var cannotStart = false

  /// A guest that is ready for a test.
  private final class OpenGuest {
    let guest: Guest
    let output: GuestOutput

    init(_ guest: Guest, _ output: GuestOutput) {
      (self.guest, self.output) = (guest, output)
    }
  }

  init(_ engine: TestEngine, _ machine: TestMachine) {
    (self.engine, self.machine) = (engine, machine)
  }

  /// Whether there is a guest that could run another test.
  var isOpen: Bool { open != nil }

  /// Ends the guest, if there is one.
  func close() async {
    guard let open else { return }
    self.open = nil
    await open.guest.stop()
    engine.remove(open.guest)
  }

  /// Runs a test, again where it fails and that was asked for.
  func run(_ item: TestItem) async -> TestRun {
    var attempt = 1
    while true {
      cannotStart = false
      var run = await runOnce(item)
      run.attempts = attempt
      let isGood = run.verdict(failOn: suite.failOn) == .passed
      if suite.isFresh || !isGood { await close() }
      let isFinal = isGood || run.end?.name == Self.notStarted
      if isFinal || attempt > suite.retries || engine.signal != nil { return run }
      attempt += 1
    }
  }

  private func runOnce(_ item: TestItem) async -> TestRun {
    let start = HostClock.monotonic
    var run: TestRun
    switch item.kind {
    case .guest: run = await runGuest(item)
    case .modules, .program: run = await runInGuest(item)
    }
    run.duration = HostClock.monotonic &- start
    return run
  }

  /// Makes a guest ready for tests and writes it into a directory.
  func freeze(to directory: String) async throws -> SnapshotSummary {
    let place = try await ready(TestItem(name: "freeze", machine: 0, kind: .modules))
    let summary = try await place.guest.snapshot(to: directory)
    await close()
    return summary
  }

  // MARK: A guest that tests by itself

  private func runGuest(_ item: TestItem) async -> TestRun {
    var run = TestRun(name: item.name)
    let output = newOutput(item)
    let guest: Guest
    do {
      guest = try start(output, withAgent: false)
    } catch {
      return failed(run, error)
    }
    defer { engine.remove(guest) }
    let clock = GuestClock(guest, limit: suite.timeout)
    let outcome = await guest.outcome
    clock.cancel()
    _ = await guest.console.wholeText
    take(output, into: &run)
    run.end = end(outcome, isLate: clock.hasPassed, run)
    run.console = output.lastLines
    return run
  }

  /// What a machine's end means: who has reported all of its tests may as well reset as power off.
  private func end(_ outcome: Outcome, isLate: Bool, _ run: TestRun) -> MachineEnd {
    if isLate {
      let limit = Outcome.End.timedOut
      return MachineEnd(
        name: limit.name,
        status: limit.exitStatus,
        message: "the time was over, \(suite.timeout.inSeconds)"
      )
    }
    var status = outcome.exitStatus
    if run.findings.contains(where: { $0.kind == .panic }) { status = Outcome.End.panicked.exitStatus }
    let isComplete = run.totals.ran > 0 && run.totals[.missing] == 0 && !run.problems.contains(where: \.isFailure)
    if outcome.end == .reset, status == outcome.exitStatus, isComplete { status = 0 }
    return MachineEnd(name: outcome.end.name, status: status, message: outcome.message)
  }

  // MARK: Tests that run in a guest

  private func runInGuest(_ item: TestItem) async -> TestRun {
    var run = TestRun(name: item.name)
    let place: OpenGuest
    do {
      place = try await ready(item)
    } catch let trouble as TestTrouble {
      cannotStart = true
      return await failed(run, item, trouble)
    } catch {
      return failed(run, error)
    }
    if case .program(let program) = item.kind {
      do throws(TestTrouble) {
        run.results = [try await result(of: program, place, item)]
      } catch {
        return await failed(run, item, error)
      }
    }
    await place.guest.console.catchUp()
    take(place.output, into: &run)
    return run
  }

  /// The guest in which the next test runs: the one that there is, or a new one.
  private func ready(_ item: TestItem) async throws -> OpenGuest {
    if let open { return open }
    let output = newOutput(item)
    let guest = try start(output, withAgent: true)
    let new = OpenGuest(guest, output)
    open = new
    do throws(GuestError) {
      try await guest.waitForAgent(within: suite.timeout)
    } catch {
      throw TestTrouble.start(error)
    }
    if suite.snapshot != nil {
      do throws(GuestError) {
        try await guest.push(suite.tree.archive, within: suite.timeout)
      } catch {
        throw TestTrouble(error, during: "putting the tests into the guest") { errorText($0) }
      }
    }
    for tag in machine.configuration.shareTags {
      do throws(GuestError) {
        try await guest.makeFolder("/mnt/\(tag)")
        try await guest.mount(tag, at: "/mnt/\(tag)", type: "virtiofs")
      } catch {
        throw TestTrouble(error, during: "mounting the share '\(tag)'") { errno in
          let needs = errno == ENODEV ? "; the kernel needs CONFIG_VIRTIO_FS" : ""
          return errorText(errno) + needs
        }
      }
    }
    for module in suite.tree.modules {
      do throws(GuestError) {
        try await guest.loadModule(module.path, within: suite.timeout)
      } catch {
        throw TestTrouble.module(module.name, error, log: try? await guest.kernelLog(within: .seconds(10)))
      }
    }
    return new
  }

  /// Runs one program and reads what it prints.
  private func result(
    of program: TestTree.Program,
    _ place: OpenGuest,
    _ item: TestItem
  ) async throws(TestTrouble) -> TestResult {
    var command = GuestCommand(program.path)
    command.folder = program.folder
    let output = ProgramOutput(lines: engine.verboseLines()) { [engine] in engine.tell($0, of: item.name) }
    let start = HostClock.monotonic
    var result: TestResult
    do throws(GuestError) {
      let end = try await place.guest.run(command, within: suite.timeout) { output.take($0, $1) }
      result = output.result(program.name, end)
    } catch {
      var partial = output.result(program.name, nil)
      partial.duration = HostClock.monotonic &- start
      throw TestTrouble(error, during: "the test", result: partial) {
        Executable.refusal($0, try? InputFile.read(program.source))
      }
    }
    result.duration = HostClock.monotonic &- start
    return result
  }

  // MARK: What all have

  private func newOutput(_ item: TestItem) -> GuestOutput {
    GuestOutput(lines: engine.verboseLines()) { [engine] in engine.tell($0, of: item.name) }
  }

  private func start(_ output: GuestOutput, withAgent: Bool) throws -> Guest {
    var options = Guest.Options()
    options.withAgent = withAgent
    if withAgent { options.additions = suite.tree.archive }
    options.limitsAreWall = true
    options.consoleObserver = { output.take($0) }
    let guest =
      try suite.snapshot.map { try Guest.restore($0, options) } ?? Guest.start(machine.configuration, options)
    guard engine.add(guest) else {
      guest.machine.stop()
      return guest
    }
    // A kernel that tells nobody of its panic does not end by itself, or resets after what it was told to wait.
    output.whenPanicked {
      Task {
        try await Task.sleep(for: .seconds(2))
        guest.machine.stop()
      }
    }
    return guest
  }

  private func take(_ output: GuestOutput, into run: inout TestRun) {
    let (results, findings) = output.takeResults()
    run.results += results.results
    run.problems += results.problems
    run.findings += findings
  }

  /// A test that did not run to its end.
  private func failed(_ run: TestRun, _ item: TestItem, _ trouble: TestTrouble) async -> TestRun {
    var run = run
    if let open {
      self.open = nil
      let outcome = await open.guest.stop()
      engine.remove(open.guest)
      _ = await open.guest.console.wholeText
      take(open.output, into: &run)
      run.console = open.output.lastLines
      if trouble.isLate || outcome.end != .stopped || run.findings.contains(where: { $0.kind == .panic }) {
        run.end = end(outcome, isLate: trouble.isLate, run)
        // A machine that ends before its test has: no end is a good one.
        if run.end?.status == 0 {
          let message = "\(outcome.message) before the test had ended"
          run.end = MachineEnd(name: outcome.end.name, status: Outcome.End.reset.exitStatus, message: message)
        }
      }
    }
    let name = if case .program(let program) = item.kind { program.name } else { item.name }
    var result = trouble.result ?? TestResult(name: name, outcome: .error)
    result.outcome = trouble.isLate ? .timedOut : .error
    result.text = trouble.text.plain
    result.diagnostics = trouble.lines + result.diagnostics
    run.results.append(result)
    return run
  }

  /// A test whose machine could not be made.
  private func failed(_ run: TestRun, _ error: any Error) -> TestRun {
    cannotStart = true
    var run = run
    var messages = ["\(error)"]
    var status = FailureKind.hostFailure.rawValue
    if let error = error as? ConfigurationError {
      messages = error.problems.map { engine.describe($0, machine.configuration) }
      status = error.exitStatus
    } else if let error = error as? InputFileError {
      status = error.kind.rawValue
    } else if let error = error as? HostTree.Failure {
      status = error.kind.rawValue
    }
    let message = messages.joined(separator: "; ").plain
    run.end = MachineEnd(name: Self.notStarted, status: status, message: message)
    run.results.append(TestResult(name: run.name, outcome: .error, text: message))
    return run
  }

  /// The name of the end of a machine that there never was.
  private static let notStarted = "not-started"
}
