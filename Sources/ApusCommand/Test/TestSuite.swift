import Apus
import ApusGuest
import ApusHarness
import ArgumentParser
import Glibc
import Host

/// One guest's kind: an entry of the matrix.
struct TestMachine: Sendable {
  /// `cpus=4,gic=3`, or nothing where there is no matrix.
  let name: String
  /// What its guests are made from.
  let configuration: Configuration
}

/// One thing to run in a guest.
struct TestItem: Sendable {
  /// What reports call it.
  let name: String
  /// Its place among the suite's machines.
  let machine: Int
  let kind: Kind

  enum Kind: Sendable {
    /// The guest's own init tests, and ends the machine.
    case guest
    /// The modules of the suite are loaded and report in the kernel's log.
    case modules
    /// A program in the guest, by path; where it runs, and what it is called.
    case program(path: String, folder: String, name: String)
  }
}

/// What is to be run, on which machines and how, checked whole.
struct TestSuite: Sendable {
  let machines: [TestMachine]
  /// What this process runs.
  let items: [TestItem]
  let shard: ShardRecord?
  /// What guests get besides their initramfs.
  let additions: InitramfsArchive
  let modules: [TestTree.Module]
  /// Tags of shared folders, which the guest sees under /mnt.
  let shares: [String]
  let timeout: Duration
  let retries: Int
  let isFresh: Bool
  let failOn: KernelLogLimit

  /// The most machines of a matrix.
  static let machineLimit = 1000

  /// - Throws: the exit status, after all that is wrong has been said, or a `ValidationError`.
  init(_ command: TestRequest) throws {
    guard let limit = TimeLimit(command.timeout)?.duration, limit > .zero else {
      throw ValidationError("--timeout: give a time, such as 60, 90s or 5m, above 0")
    }
    timeout = limit
    retries = command.retries
    isFresh = command.isFresh
    failOn = command.failOn
    let runsPrograms = !command.programs.isEmpty || command.directory != nil
    let hasAgent = runsPrograms || !command.modules.isEmpty
    var tree = TestTree()
    for path in command.programs { try tree.addProgram(path) }
    if let directory = command.directory { try tree.addFolder(directory) }
    for path in command.modules { try tree.addModule(path) }
    if hasAgent, command.initrd == nil { try tree.addSystem(busybox: command.busybox) }
    additions = tree.archive
    modules = tree.modules

    machines = try Self.machines(command, hasAgent: hasAgent, isQuiet: modules.isEmpty && failOn != .warn)
    shares = machines.first.map { Self.shares($0.configuration) } ?? []
    var kinds = tree.programs.map {
      (name: $0.name, kind: TestItem.Kind.program(path: $0.path, folder: $0.folder, name: $0.name))
    }
    if kinds.isEmpty, hasAgent, !runsPrograms {
      kinds = [(command.modules.map { TestTree.fileName(of: $0) }.joined(separator: "+"), .modules)]
    } else if kinds.isEmpty, !hasAgent {
      kinds = [(TestTree.fileName(of: command.initrd ?? command.kernel), .guest)]
    }
    var all: [TestItem] = []
    for (number, machine) in machines.enumerated() {
      for (name, kind) in kinds {
        let whole = machine.name.isEmpty ? name : "\(machine.name)/\(name)"
        all.append(TestItem(name: whole, machine: number, kind: kind))
      }
    }
    (items, shard) = try Self.part(of: all, command)
  }

  // MARK: Machines

  private static func machines(_ command: TestRequest, hasAgent: Bool, isQuiet: Bool) throws -> [TestMachine] {
    let columns = try command.matrix.map { try TestMatrix.columns($0) } ?? []
    let count = columns.reduce(1) { $0.multipliedReportingOverflow(by: $1.values.count).partialValue }
    guard columns.allSatisfy({ !$0.values.isEmpty }), (1...machineLimit).contains(count) else {
      throw ValidationError(
        "--matrix: these are \(count) machines; at most \(machineLimit) are run at once. Give fewer values, or one part "
          + "of the matrix at a time"
      )
    }
    return try TestMatrix.product(columns).map { entry in
      var settings = Settings(configuration: Configuration(payload: .kernel(path: command.kernel)))
      for change in command.changes { change.apply(to: &settings) }
      settings.configuration.initramfs = command.initrd
      for (option, value) in entry { try TestMatrix.setting(option, value).apply(to: &settings) }
      var configuration = settings.complete
      configuration.console = .stream
      configuration.onReset = .stop
      configuration.measuresMemory = false
      configuration.commandLine = commandLine(configuration.commandLine, command, hasAgent: hasAgent, isQuiet: isQuiet)
      return TestMachine(
        name: entry.map { "\($0.option)=\($0.value)" }.joined(separator: ","),
        configuration: configuration
      )
    }
  }

  /// The kernel's command line: what is not said, and makes a guest that fails end.
  private static func commandLine(
    _ given: String,
    _ command: TestRequest,
    hasAgent: Bool,
    isQuiet: Bool
  ) -> String {
    let words = given.split(separator: " ")
    func has(_ name: String) -> Bool { words.contains { $0 == name || $0.utf8.starts(with: "\(name)=".utf8) } }
    var line: [String] = []
    if !has("console") { line.append("console=ttyAMA0") }
    if !has("panic") { line.append("panic=-1") }
    if hasAgent, isQuiet, !has("quiet"), !has("loglevel"), !has("debug") { line.append("quiet") }
    // KUnit's own way to end a kernel that has nothing to run.
    if !hasAgent, command.initrd == nil, !has("kunit_shutdown") { line.append("kunit_shutdown=poweroff") }
    return (line + (given.isEmpty ? [] : [given])).joined(separator: " ")
  }

  private static func shares(_ configuration: Configuration) -> [String] {
    configuration.devices.compactMap { device in
      if case .share(let share) = device.kind { share.tag } else { nil }
    }
  }

  // MARK: Parts

  private static func part(of all: [TestItem], _ command: TestRequest) throws -> ([TestItem], ShardRecord?) {
    guard let text = command.shard else { return (all, nil) }
    do {
      let shard = try ShardEnvironment.shard(ShardRequest(text), in: ProcessEnvironment.all)
      var history: [String: UInt64] = [:]
      if let path = command.history {
        let bytes = try Message.reporting { () throws(InputFileError) in try InputFile.read(path) }
        do {
          history = try JSONReader.read(bytes).durations
        } catch let error as any CommandFailure {
          throw error
        } catch {
          throw BadText.said("\(path):\(error)")
        }
      }
      let record = try ShardPlan(all.map(\.name), count: shard.count, history: history)[shard]
      let names = Set(record.items)
      return (all.filter { names.contains($0.name) }, record)
    } catch let error as ShardError {
      throw ValidationError("--shard: \(error)")
    }
  }
}

/// The variables of this process's environment.
enum ProcessEnvironment {
  /// All of them that have a value.
  static var all: [String: String] {
    var all: [String: String] = [:]
    // SAFETY: nothing in this program changes the environment, which ends with a null.
    var entry = unsafe environ
    while let text = unsafe entry.pointee {
      let parts = unsafe String(cString: text).split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
      if parts.count == 2 { all[String(parts[0])] = String(parts[1]) }
      unsafe entry += 1
    }
    return all
  }
}

/// The exit statuses that end `apus test` before a guest has run.
enum ExitStatus {
  /// There is nothing to run.
  static var nothingRan: ExitCode { ExitCode(Verdict.nothingRan.exitStatus) }

  /// A status that an error has.
  static func code(_ status: Int32) -> ExitCode { ExitCode(status) }

  /// The status of a kind of failure.
  static func of(_ kind: FailureKind) -> ExitCode { ExitCode(kind.rawValue) }
}
