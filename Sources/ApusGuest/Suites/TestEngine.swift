package import Apus
package import ApusHarness
internal import Glibc
package import Host
internal import Synchronization

/// Runs a suite's tests in guests, several at once.
package final class TestEngine: Sendable {
  /// Who is told how far a suite is.
  package protocol Observer: Sendable {
    /// A test begins.
    func begin(_ name: String)
    /// A guest has told of a test.
    func tell(_ event: TAPEvent, of item: String)
    /// A test has ended.
    func end(_ name: String, _ run: TestRun, failOn limit: KernelLogLimit)
    /// A guest has printed lines, and a person wants to see them.
    func show(_ lines: [String])
    /// Nothing more is told.
    func finish()
  }

  let suite: TestSuite
  let isVerbose: Bool
  private let jobs: Int
  private let observer: any Observer
  /// Says what is wrong with a machine's configuration, in the words of who wrote it.
  let describe: @Sendable (ConfigurationError.Problem, Configuration) -> String
  private let state: Mutex<State>

  private struct State {
    var waiting: [TestItem]
    var runs: [String: TestRun] = [:]
    var guests: [ObjectIdentifier: Guest] = [:]
    var signal: Int32?
  }

  /// - Parameters:
  ///   - suite: what to run.
  ///   - jobs: how many guests at once at most; nil: as many as the host has processors.
  ///   - isVerbose: whether what guests print goes to standard error.
  ///   - observer: is told how far it is.
  ///   - describe: says what is wrong with a machine's configuration, in the words of who wrote it.
  package init(
    _ suite: TestSuite,
    jobs: Int?,
    isVerbose: Bool,
    observer: any Observer,
    describe: @escaping @Sendable (ConfigurationError.Problem, Configuration) -> String
  ) {
    self.observer = observer
    self.describe = describe
    self.suite = suite
    self.isVerbose = isVerbose
    self.jobs = jobs ?? max(1, Int(sysconf(Int32(_SC_NPROCESSORS_ONLN))))
    state = Mutex(State(waiting: suite.items))
  }

  /// The signal that asked for the end, if one did.
  package var signal: Int32? { state.withLock { $0.signal } }

  /// Ends all guests, and begins none any more, when a signal comes.
  package func stop(on signals: SignalDescriptor) {
    try? HostThread.startDetached(name: "apus-signals") { [self] in
      let signal = signals.wait()
      let guests = state.withLock { state in
        state.signal = signal
        state.waiting = []
        return Array(state.guests.values)
      }
      for guest in guests { guest.machine.stop() }
      // Who asks again does not want to wait for reports.
      _ = signals.wait()
      observer.finish()
      _exit(128 + signal)
    }
  }

  /// Runs everything, and waits for it.
  package func run() -> TestReport {
    let gate = Gate()
    let start = HostClock.monotonic
    Task {
      await withTaskGroup(of: Void.self) { group in
        for _ in 0..<min(jobs, max(1, suite.items.count)) { group.addTask { await self.work() } }
      }
      gate.open()
    }
    gate.wait()
    let runs = state.withLock { $0.runs }
    var report = TestReport(
      runs: suite.items.compactMap { runs[$0.name] },
      shard: suite.shard,
      duration: HostClock.monotonic &- start,
      failOn: suite.failOn
    )
    let missing = suite.items.count { runs[$0.name] == nil }
    if let signal {
      report.failures.append("ended by signal \(signal); \(missing) of \(suite.items.count) tests did not run")
    } else if missing > 0 {
      report.failures.append("\(missing) of \(suite.items.count) tests did not run, since their guests cannot start")
    }
    return report
  }

  /// Why there is no snapshot of a guest that is ready.
  package struct FreezeFailure: Error {
    /// Why.
    package let text: String
    /// What the guest said last, or what else there is to tell.
    package var lines: [String] = []
  }

  /// Makes a guest of the first machine ready for tests, writes it into a directory, and ends it.
  ///
  /// - Returns: what it came to; or why there is none, in words.
  package func freeze(to directory: String) -> Result<SnapshotSummary, FreezeFailure> {
    let gate = Gate()
    let result = Mutex<Result<SnapshotSummary, FreezeFailure>?>(nil)
    Task {
      let worker = GuestWorker(self, suite.machines[0])
      do {
        let summary = try await worker.freeze(to: directory)
        result.withLock { $0 = .success(summary) }
      } catch let trouble as TestTrouble {
        result.withLock { $0 = .failure(FreezeFailure(text: trouble.text, lines: trouble.lines)) }
      } catch {
        result.withLock { $0 = .failure(FreezeFailure(text: "\(error)")) }
      }
      await worker.close()
      gate.open()
    }
    gate.wait()
    return result.withLock { $0 } ?? .failure(FreezeFailure(text: "nothing came of it"))
  }

  // MARK: Workers

  private func work() async {
    while let item = next(of: nil) {
      let machine = suite.machines[item.machine]
      await MachineSlots.shared.withSlot(MachineSlots.Need(machine.configuration)) {
        let worker = GuestWorker(self, machine)
        var item: TestItem? = item
        while let present = item {
          observer.begin(present.name)
          let run = await worker.run(present)
          state.withLock { $0.runs[present.name] = run }
          observer.end(present.name, run, failOn: suite.failOn)
          // The next one would wait as long for nothing.
          if worker.cannotStart { giveUp(present.machine) }
          item = worker.isOpen || suite.isFresh ? next(of: present.machine) : nil
        }
        await worker.close()
      }
    }
  }

  /// The next item: of a machine, where one is given.
  private func next(of machine: Int?) -> TestItem? {
    state.withLock { state in
      guard let index = state.waiting.firstIndex(where: { machine == nil || $0.machine == machine }) else { return nil }
      return state.waiting.remove(at: index)
    }
  }

  private func giveUp(_ machine: Int) {
    state.withLock { state in state.waiting.removeAll { $0.machine == machine } }
  }

  /// A guest that runs: it is stopped when a signal comes.
  ///
  /// - Returns: whether it may run.
  func add(_ guest: Guest) -> Bool {
    state.withLock { state in
      state.guests[ObjectIdentifier(guest)] = guest
      return state.signal == nil
    }
  }

  func remove(_ guest: Guest) {
    state.withLock { $0.guests[ObjectIdentifier(guest)] = nil }
  }

  func tell(_ event: TAPEvent, of item: String) { observer.tell(event, of: item) }

  /// Where what a guest prints goes, if a person wants to see it.
  func verboseLines() -> OutputLines? { isVerbose ? OutputLines { [observer] in observer.show($0) } : nil }
}
