internal import CHost
internal import Glibc
import Host
import HostBackends
public import Logging
public import SCMI
internal import Synchronization

/// A virtual machine, from a configuration to an outcome.
///
/// Either ``run(stoppingOnSignals:begun:abandoned:)`` on a thread of the caller's, which becomes the machine's device
/// thread, or ``start()`` and then ``outcome``. A machine runs once. All members may be used from any thread.
public final class Machine: Sendable {
  /// What it was made from.
  public var configuration: Configuration { checked.configuration }
  /// Its identity: the configuration's, or one that was drawn when the machine was made. The guest's device tree, the
  /// plan and the report have it.
  public var uuid: Configuration.UUID { checked.uuid }
  /// What the configuration comes to.
  public var plan: Plan { checked.plan(at: gunyah) }
  /// The serial port, where the configuration's console is ``Configuration/Console/stream``.
  public let console = ConsoleStream()

  private let checked: CheckedConfiguration
  private let gunyah: GunyahHost.Place?
  private let logger: Logger
  private let state: Mutex<State>
  private let mailbox = Mailbox()
  private let events = MachineEvents()

  private struct State {
    /// What is open for the run, until that has taken it.
    var inputs: Inputs?
    var report: Report?
    var startsPaused = false
    /// Where it is one of several machines, since those have been its fleet.
    var membership: FleetMembership?
    /// What the first boot goes on from, until it does.
    var restored: RestoredMachine?
    /// Who ends the process after the run, where the caller said how.
    var warden: Warden?
    var outcome: Outcome?
    /// What resumes those who wait for the end.
    var waiters: [@Sendable () -> Void] = []
  }

  /// Checks the configuration whole, and opens what the machine reads: that stays open, and is what the guest gets,
  /// until the run has ended or the machine goes.
  ///
  /// - Parameters:
  ///   - configuration: what the machine is made from.
  ///   - platform: on which the machine is where the configuration says ``Configuration/Device/SCMI/Source/shared``;
  ///     other machines may be on it, too, as other agents.
  ///   - gunyah: where the machine is among others where the configuration says
  ///     ``Configuration/Personality/gunyah``; nil: it is the primary one of a hypervisor of its own.
  ///   - logger: for what a person should know that is no error; by default nobody hears it. Each message is one line
  ///     for any terminal, and a run's are bounded.
  /// - Throws: every mistake at once.
  public init(
    _ configuration: Configuration,
    platform: SharedPlatform? = nil,
    gunyah: GunyahHost.Place? = nil,
    logger: Logger = Logger(label: "apus") { _ in SwiftLogNoOpLogHandler() }
  ) throws(ConfigurationError) {
    if gunyah != nil, configuration.gunyahTranscript != nil {
      throw ConfigurationError(.usage, .property(.gunyahTranscript), "it is the hypervisor's, for all its machines")
    }
    let (checked, inputs) = try configuration.checkAndOpen(platform)
    self.checked = checked
    let ownHost = { GunyahHost(transcript: configuration.gunyahTranscript).primary }
    self.gunyah = checked.board.isGunyah ? gunyah ?? ownHost() : nil
    state = Mutex(State(inputs: inputs))
    self.logger = RunLog.logger(over: logger)
  }

  /// Makes a machine that goes on where another one stood. Its memory comes from the snapshot's files as it is touched:
  /// they have to stay as they are as long as it runs.
  ///
  /// - Parameters:
  ///   - snapshot: any number of machines may be made from one, one after the other or beside each other.
  ///   - configuration: what is to be different: console, control socket and whatever else the guest was not promised;
  ///     and what stands behind its devices, which are to be the same. Nil: the snapshot's own.
  ///   - options: how it goes on.
  ///   - platform: as for ``init(_:platform:gunyah:logger:)``.
  ///   - logger: as for ``init(_:platform:gunyah:logger:)``.
  /// - Throws: every mistake at once, and all that is not as the guest was promised.
  public init(
    restoring snapshot: MachineSnapshot,
    _ configuration: Configuration? = nil,
    options: MachineSnapshot.Options = MachineSnapshot.Options(),
    platform: SharedPlatform? = nil,
    logger: Logger = Logger(label: "apus") { _ in SwiftLogNoOpLogHandler() }
  ) throws(ConfigurationError) {
    var configuration = configuration ?? snapshot.configuration
    if options.isClone { configuration.uuid = .random() }
    let problems = snapshot.mismatches(with: configuration)
    guard problems.isEmpty else { throw ConfigurationError(problems: problems) }
    let (checked, inputs) = try configuration.checkAndOpen(platform, boots: false)
    self.checked = checked
    gunyah = nil
    state = Mutex(State(inputs: inputs, restored: RestoredMachine(snapshot, options)))
    self.logger = RunLog.logger(over: logger)
  }

  /// Loads everything as a start would, into memory that no guest runs in, and starts nothing.
  ///
  /// - Throws: ``ConfigurationError`` for files that look right and turn out damaged when they are loaded.
  public func rehearse() throws(ConfigurationError) {
    guard let inputs = state.withLock({ $0.inputs }) else {
      preconditionFailure("a machine that has run is not loaded")
    }
    try checked.rehearse(inputs)
  }

  /// Has the machine's first boot pause before its first instruction, until ``resume()``. To be called before the run.
  public func startPaused() {
    state.withLock { $0.startsPaused = true }
  }

  /// Has SIGINT, SIGTERM and SIGHUP wait for ``run(stoppingOnSignals:begun:abandoned:)``, and after its end for good:
  /// for a program that makes files before the run and removes or writes them after it.
  ///
  /// Call it on the thread that will call `run`, before there are others.
  public static func holdStopSignals() {
    chost_signals_hold(chost_signals_stop)
  }

  /// Runs the machine on the calling thread until it ends.
  ///
  /// - Parameter stoppingOnSignals: whether SIGINT, SIGTERM and SIGHUP end the machine (and do nothing else) while it
  ///   runs. The calling thread must then be the one that the process gets its signals on.
  /// - Parameter begun: called once, on any thread, when the guest has begun: with the name by which clients find its
  ///   control socket, or that one's path, or nil where there is none. It must not wait.
  /// - Parameter abandoned: called on a thread of its own where the machine does not end within two seconds after its
  ///   time limit, a signal or ``stop()`` has ended it: the calling thread waits for something that does not answer,
  ///   and may wait for ever. It gets the report, and may end the process. It is called, too, where the caller has such
  ///   trouble after `run` has returned: with it, time limit and signals end the process, and not the machine alone
  ///   (``keepEndable()``).
  /// - Precondition: the machine has not been started before.
  public func run(
    stoppingOnSignals: Bool = false,
    begun: (@Sendable (String?) -> Void)? = nil,
    abandoned: (@Sendable (Report) -> Void)? = nil
  ) -> Report {
    let progress = RunProgress(sharesProcess: state.withLock { $0.membership } != nil)
    let (outcome, report) = runToEnd(progress, stoppingOnSignals, begun, abandoned)
    // Now that nothing is left of the run: whoever waits may count descriptors, or start another machine.
    return end(outcome, report)
  }

  private func runToEnd(
    _ progress: RunProgress,
    _ stoppingOnSignals: Bool,
    _ begun: (@Sendable (String?) -> Void)?,
    _ abandoned: (@Sendable (Report) -> Void)?
  ) -> (Outcome, Report) {
    guard let inputs = state.withLock({ $0.inputs.take() }) else { preconditionFailure("a machine runs once") }
    let restored = state.withLock { $0.restored.take() }
    var control: MachineControl?
    // After the last event, and after the answers that the mailbox gives to who asks too late.
    defer { control?.end() }
    defer { mailbox.finish() }
    do {
      let signals = stoppingOnSignals ? try SignalDescriptor.stop() : nil
      let warden = try warden(progress, signals, abandoned)
      defer {
        if abandoned == nil {
          warden.end()
          signals?.giveBack()
        } else {
          state.withLock { $0.warden = warden }
        }
      }
      if configuration.control != nil || configuration.debugger != nil {
        let new = MachineControl(checked, mailbox: mailbox, events: events, progress: progress)
        try new.listen(logger)
        control = new
      }
      if let begun {
        let address = control?.address
        let hasBegun = Atomic(false)
        _ = events.listen { event in
          guard event.kind == .state(.running), !hasBegun.exchange(true, ordering: .relaxed) else { return }
          begun(address)
        }
      }
      let run = try MachineRun(
        checked,
        inputs,
        restored: restored,
        consoleDestination: consoleDestination,
        mailbox: mailbox,
        signals: signals,
        warden: warden,
        progress: progress,
        events: events,
        control: control,
        gunyah: gunyah,
        logger: logger
      )
      run.startsPaused = state.withLock { $0.startsPaused }
      let outcome = run.untilEnd()
      return (outcome, run.close(outcome))
    } catch {
      let outcome = Outcome(failure: error)
      return (outcome, progress.report(outcome))
    }
  }

  private var consoleDestination: ConsoleEndpoint.Destination {
    if let descriptor = state.withLock({ $0.membership?.console }) { return .outputDescriptor(descriptor) }
    return .init(configuration.console, console)
  }

  /// Has time limit and signals end the process also where the caller waits after
  /// ``run(stoppingOnSignals:begun:abandoned:)`` for something that may never answer. To be called before that: the
  /// shortest runs have nobody else for it.
  public func keepEndable() {
    try? state.withLock { $0.warden }?.begin()
  }

  /// Somebody who ends the machine where the calling thread does not.
  private func warden(
    _ progress: RunProgress,
    _ signals: SignalDescriptor?,
    _ abandoned: (@Sendable (Report) -> Void)?
  ) throws(HostError) -> Warden {
    let timeout = configuration.timeout
    let warden = try Warden(
      mailbox,
      signals: signals,
      deadline: timeout.map { progress.started.addingReportingOverflow($0.nanoseconds) }
        .map { $0.overflow ? .max : $0.partialValue },
      clock: progress.clock,
      limit: Outcome(.timedOut, "the time of \(timeout ?? .zero) was over")
    ) { [weak self] outcome in
      // The machine keeps the warden after its run, for whoever waits for something else then.
      let report = progress.report(outcome)
      _ = self?.end(outcome, report)
      abandoned?(report)
    }
    if timeout != nil { try warden.begin() }
    return warden
  }

  /// The machine has ended, or was abandoned; what is said first counts.
  private func end(_ outcome: Outcome, _ report: Report) -> Report {
    console.end()
    let waiters = state.withLock { state in
      guard state.outcome == nil else { return [] as [@Sendable () -> Void] }
      state.report = report
      state.outcome = outcome
      let waiters = state.waiters
      state.waiters = []
      return waiters
    }
    for waiter in waiters { waiter() }
    return state.withLock { $0.report } ?? report
  }

  /// Starts the machine on a thread of its own and returns at once.
  ///
  /// - Throws: `HostError` where the host gives no thread.
  /// - Precondition: the machine has not been started before.
  public func start() throws(HostError) {
    try HostThread.startDetached(name: "apus") { _ = self.run() }
  }

  /// Ends the machine from outside. Its outcome is then ``Outcome/End/stopped``, unless it has ended already.
  public func stop() {
    mailbox.order(Outcome(.stopped, "ended by its owner"))
  }

  /// Pauses the machine: all vCPUs wait before their next instruction, devices finish what they have begun and begin
  /// nothing, and the guest's time stands (its virtual counter, and with it what it waits for). Time that it is paused
  /// for does not count towards ``Configuration/timeout``.
  ///
  /// It waits for a disk that does not answer; ``resume()`` takes it back also then. A machine that is paused already
  /// stays so. The pause does not outlast the boot: a machine that is reset runs again.
  ///
  /// - Returns: true when it is paused; false where ``resume()`` has come first, the machine has ended, or ends
  ///   meanwhile. Before its start, it waits for that.
  public func pause() async -> Bool {
    await withCheckedContinuation { continuation in
      mailbox.ask { boot in
        guard let boot else { return continuation.resume(returning: false) }
        boot.pause { continuation.resume(returning: $0) }
      }
    }
  }

  /// Has the machine go on where it stood, or takes a pause back that is not complete yet. One that runs just does.
  ///
  /// - Returns: false where the machine has ended. Before its start, it waits for that.
  public func resume() async -> Bool {
    await withCheckedContinuation { continuation in
      mailbox.ask { boot in
        boot?.resume()
        continuation.resume(returning: boot != nil)
      }
    }
  }

  /// Resets the machine, as its guest can: what follows is for ``Configuration/onReset`` to say. From any thread.
  ///
  /// - Parameter finished: called once, on any thread: whether there was something to reset. Before the machine's
  ///   start, it waits for that.
  package func reset(_ finished: @escaping @Sendable (Bool) -> Void) {
    mailbox.ask { [mailbox] boot in
      if boot != nil { mailbox.give(Outcome(.reset, "its owner reset the machine")) }
      finished(boot != nil)
    }
  }

  /// ``pause()`` for a thread that is no task's: tells when it has the answer, on any thread.
  package func pause(_ finished: @escaping @Sendable (Bool) -> Void) {
    mailbox.ask { boot in
      guard let boot else { return finished(false) }
      boot.pause(finished)
    }
  }

  /// ``resume()`` for a thread that is no task's: tells when it has the answer, on any thread.
  package func resume(_ finished: @escaping @Sendable (Bool) -> Void) {
    mailbox.ask { boot in
      boot?.resume()
      finished(boot != nil)
    }
  }

  /// Has `listener` hear what happens to the machine from now on. It is called on any thread, under a lock: it must be
  /// quick, and must not come back here.
  package func listen(_ listener: @escaping @Sendable (MachineEvent) -> Void) { _ = events.listen(listener) }

  /// What the machine does and has done so far.
  ///
  /// - Returns: nil where the machine has ended. Before its start, it waits for that.
  public func inspect() async -> Inspection? {
    await withCheckedContinuation { continuation in
      mailbox.ask { continuation.resume(returning: $0?.inspect()) }
    }
  }

  /// What happens to the machine from now on, until its reader is cancelled or lets go: it does not end with the
  /// machine.
  ///
  /// - Parameter limit: so many events that nobody has read yet are kept, the latest; ``MachineEvent/number`` shows
  ///   the gap.
  public func eventStream(keeping limit: Int = 1024) -> AsyncStream<MachineEvent> {
    let (stream, continuation) = AsyncStream.makeStream(
      of: MachineEvent.self,
      bufferingPolicy: .bufferingNewest(limit)
    )
    let subscription = events.listen { continuation.yield($0) }
    continuation.onTermination = { [events] _ in events.end(subscription) }
    return stream
  }

  /// Asks something of the boot that runs; see ``Mailbox/ask(_:)``.
  func askBoot(_ request: @escaping Mailbox.Request) { mailbox.ask(request) }

  /// How the machine ended; waits for it.
  public var outcome: Outcome {
    get async {
      await ended { $0.outcome }
    }
  }

  /// What the run left behind; waits for its end.
  public var report: Report {
    get async {
      await ended { $0.report }
    }
  }

  private func ended<Value: Sendable>(_ value: @Sendable (borrowing State) -> Value?) async -> Value {
    while true {
      if let value = state.withLock({ value($0) }) { return value }
      await withCheckedContinuation { continuation in whenEnded { continuation.resume() } }
    }
  }

  /// Has something done once when the machine has ended, on any thread; at once where it has.
  func whenEnded(_ body: @escaping @Sendable () -> Void) {
    let hasEnded = state.withLock { state in
      guard state.outcome == nil else { return true }
      state.waiters.append(body)
      return false
    }
    if hasEnded { body() }
  }

  // MARK: In a fleet

  /// The machine's place on its platform, where it is on one.
  var platformPlace: SCMIPlace? { checked.platform }

  /// What the run left behind, where it has ended.
  var finalReport: Report? { state.withLock { $0.report } }

  /// Starts it as one of several machines of the process. A host that gives no thread for it is its outcome, as other
  /// failures of the host are.
  func start(as membership: FleetMembership) {
    state.withLock { $0.membership = membership }
    do throws(HostError) {
      try start()
    } catch {
      let outcome = Outcome(failure: error)
      _ = end(outcome, RunProgress(sharesProcess: true).report(outcome))
    }
  }

  /// Ends it as a signal would that the process gets.
  func interrupt(by signal: Int32) { mailbox.order(.interrupted(by: signal)) }
}
