import Host
public import Logging
public import SCMI
internal import Synchronization

/// Several machines in one process: made together, started and stopped together or apart.
///
/// Each machine has its own memory, devices, threads and end; what one does or comes to takes nothing of another's.
/// What they may share is an SCMI platform, on which each is another agent. Either
/// ``run(stoppingOnSignals:showingConsoles:ended:)`` on a thread of the caller's, or ``start()`` and then ``report``.
/// All members may be used from any thread.
public final class Fleet: Sendable {
  /// What it was made from.
  public let configuration: Configuration
  /// The machines, in the configuration's order. It is the fleet that starts them.
  public let machines: [Machine]
  /// The platform that machines share, where there is one.
  public let platform: SharedPlatform?

  /// The names of the machines that were started.
  private let started = Mutex<[String]>([])

  /// Checks all machines whole, and opens what they read.
  ///
  /// - Parameters:
  ///   - configuration: what the machines are made from.
  ///   - logger: for what a person should know that is no error; each line has its machine's name.
  /// - Throws: every mistake at once.
  public init(
    _ configuration: Configuration,
    logger: Logger = Logger(label: "apus") { _ in SwiftLogNoOpLogHandler() }
  ) throws(FleetError) {
    var problems = configuration.sharingProblems
    let refused = Set(problems.map(\.place))
    let platform = configuration.openPlatform(&problems)
    let gunyah = configuration.hypervisor(&problems)
    var machines: [Machine] = []
    for (index, machine) in configuration.machines.enumerated() {
      do throws(ConfigurationError) {
        let logger = FleetLog.logger(over: logger, for: machine.name)
        machines.append(
          try Machine(machine, platform: platform, gunyah: gunyah?.place(of: machine.name), logger: logger)
        )
      } catch {
        problems += error.problems.map { FleetError.Problem($0, index, machine) }.filter { problem in
          // A disk, say, that another machine has, and the lack of a platform whose file is wrong: both have been told.
          let isForPlatform = platform == nil && configuration.platform != nil && machine.isOnSharedPlatform
          let isTold = isForPlatform && machine.platformPath.map { problem.place == .machine(index, $0) } == true
          return !isTold && !refused.contains(problem.place)
        }
      }
    }
    if problems.isEmpty { problems = Self.agentProblems(machines, platform) }
    guard problems.isEmpty else { throw FleetError(sorting: problems) }
    self.configuration = configuration
    self.machines = machines
    self.platform = platform
  }

  /// A machine by its name; nil where there is none.
  public subscript(name: String) -> Machine? { machines.first { $0.configuration.name == name } }

  /// What the configuration comes to.
  public var plan: Plan {
    Plan(machines: Dictionary(uniqueKeysWithValues: machines.map { ($0.configuration.name, $0.plan) }))
  }

  /// Loads everything of all machines as a start would, and starts nothing.
  ///
  /// - Throws: every mistake at once, of files that look right and turn out damaged when they are loaded.
  public func rehearse() throws(FleetError) {
    var problems: [FleetError.Problem] = []
    for (index, machine) in machines.enumerated() {
      do throws(ConfigurationError) {
        try machine.rehearse()
      } catch {
        problems += error.problems.map { FleetError.Problem($0, index, machine.configuration) }
      }
    }
    guard problems.isEmpty else { throw FleetError(sorting: problems) }
  }

  // MARK: Starting and stopping

  /// Starts every machine that has not been started yet, and returns at once.
  public func start() {
    for machine in machines { start(machine, FleetMembership()) }
  }

  /// Starts one machine, and returns at once.
  ///
  /// - Returns: false where there is no such machine, or it has been started before.
  @discardableResult
  public func start(_ name: String) -> Bool {
    guard let machine = self[name] else { return false }
    return start(machine, FleetMembership())
  }

  @discardableResult
  func start(_ machine: Machine, _ membership: FleetMembership) -> Bool {
    let name = machine.configuration.name
    let isNew = started.withLock { started in
      guard !started.contains(name) else { return false }
      started.append(name)
      return true
    }
    if isNew { machine.start(as: membership) }
    return isNew
  }

  /// Ends every machine from outside; see ``Machine/stop()``.
  public func stop() {
    for machine in machines { machine.stop() }
  }

  /// Ends one machine from outside, and no other.
  ///
  /// - Returns: false where there is no such machine.
  @discardableResult
  public func stop(_ name: String) -> Bool {
    guard let machine = self[name] else { return false }
    machine.stop()
    return true
  }

  /// How a machine ended; waits for it, also for its start.
  ///
  /// - Returns: nil where there is no such machine.
  public func outcome(of name: String) async -> Outcome? { await self[name]?.outcome }

  /// What the machines left behind; waits for the end of all, also for the start of those that have not been started.
  public var report: Report {
    get async {
      var reports: [(name: String, report: Apus.Report)] = []
      for machine in machines { reports.append((machine.configuration.name, await machine.report)) }
      return Report(reports)
    }
  }

  /// Runs all machines until the last of them has ended.
  ///
  /// - Parameters:
  ///   - stoppingOnSignals: whether SIGINT, SIGTERM and SIGHUP end all machines (and do nothing else) meanwhile. The
  ///     calling thread must then be the one that the process gets its signals on.
  ///   - showingConsoles: whether the consoles that are ``Apus/Configuration/Console/stream`` come out on standard
  ///     output, each line with its machine's name before it. ``Machine/console`` has nothing of them then.
  ///   - ended: called on this thread as each machine ends.
  /// - Returns: what the machines left behind.
  /// - Throws: where the host refuses what is needed before the first machine starts.
  /// - Precondition: no machine has been started before.
  public func run(
    stoppingOnSignals: Bool = false,
    showingConsoles: Bool = false,
    ended: ((Machine, Apus.Report) -> Void)? = nil
  ) throws(HostError) -> Report {
    let run = try FleetRun(self, takesSignals: stoppingOnSignals, showsConsoles: showingConsoles)
    let outputOutcome = try run.untilEnd(ended)
    let reports = machines.map { machine in
      guard let report = machine.finalReport else { preconditionFailure("all machines have ended") }
      return (machine.configuration.name, report)
    }
    return Report(reports, output: outputOutcome)
  }
}

/// What a machine has of its fleet while it runs.
struct FleetMembership: Sendable {
  /// Where its console leads instead, in a descriptor that is open until the machine has ended.
  var console: Int32?
}
