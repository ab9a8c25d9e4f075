import Apus
import ApusGuest
import ApusHarness
import ArgumentParser
import Glibc
import Host

extension TestSuite {
  /// - Throws: the exit status, after all that is wrong has been said, or a `ValidationError`.
  init(_ command: TestRequest) throws {
    let limit = try command.limit
    let failOn = command.failOn
    let runsPrograms = !command.programs.isEmpty || command.directory != nil
    let hasAgent = runsPrograms || !command.modules.isEmpty || command.freeze != nil
    let snapshot = try command.snapshot.map { path in
      try Message.reporting { () throws(SnapshotRefusal) in try MachineSnapshot(path) }
    }
    var tree = TestTree()
    for path in command.programs { try Self.adding("--run") { () throws(TestTreeError) in try tree.addProgram(path) } }
    if let directory = command.directory {
      try Self.adding("--directory") { () throws(TestTreeError) in try tree.addFolder(directory) }
    }
    for path in command.modules {
      try Self.adding("--module") { () throws(TestTreeError) in try tree.addModule(path) }
    }
    // What is only listed needs none.
    if hasAgent, command.initrd == nil, snapshot == nil, !command.isList {
      try Self.adding("--busybox") { () throws(TestTreeError) in try tree.addSystem(busybox: command.busybox) }
    }
    let machines =
      try snapshot.map { [TestMachine(name: "", configuration: $0.configuration)] }
      ?? Self.machines(command, hasAgent: hasAgent, isQuiet: tree.modules.isEmpty && failOn != .warn)
    var kinds = tree.programs.map {
      (name: $0.name, kind: TestItem.Kind.program($0))
    }
    if kinds.isEmpty, hasAgent, !runsPrograms {
      kinds = [(command.modules.map { TestTree.fileName(of: $0) }.joined(separator: "+"), .modules)]
    } else if kinds.isEmpty, !hasAgent {
      kinds = [(TestTree.fileName(of: command.initrd ?? command.kernel), .guest)]
    }
    if !command.only.isEmpty { kinds = try Self.only(command.only, of: kinds) }
    var all: [TestItem] = []
    for (number, machine) in machines.enumerated() {
      for (name, kind) in kinds {
        let whole = machine.name.isEmpty ? name : "\(machine.name)/\(name)"
        all.append(TestItem(name: whole, machine: number, kind: kind))
      }
    }
    let (items, shard) = try Self.part(of: all, command)
    self.init(
      machines: machines,
      items: items,
      shard: shard,
      tree: tree,
      timeout: limit,
      retries: command.retries,
      // A guest costs next to nothing then, and no test sees what another has done.
      isFresh: command.isFresh || snapshot != nil,
      failOn: failOn,
      snapshot: snapshot
    )
  }

  /// Does what an option asks for.
  ///
  /// - Throws: the exit status, after it has been said what is wrong.
  private static func adding(_ option: String, _ body: () throws(TestTreeError) -> Void) throws {
    do {
      try body()
    } catch {
      Message.say("error: \(option): \(error)")
      throw ExitStatus.code(error.kind?.rawValue ?? Verdict.nothingRan.exitStatus)
    }
  }

  /// The tests that were asked for, each by its name, or many by their kselftest collection's.
  private static func only<Kind>(_ wanted: [String], of all: [(name: String, kind: Kind)]) throws -> [(
    name: String, kind: Kind
  )] {
    func isMeant(_ name: String, by text: String) -> Bool {
      name == text || name.utf8.starts(with: "\(text):".utf8)
    }
    for text in wanted where !all.contains(where: { isMeant($0.name, by: text) }) {
      throw ValidationError(
        "--only: no test has the name '\(text.plain)'; --list shows all, each behind the '/' of its machine in a matrix"
      )
    }
    return all.filter { test in wanted.contains { isMeant(test.name, by: $0) } }
  }

  // MARK: Machines

  private static func machines(_ command: TestRequest, hasAgent: Bool, isQuiet: Bool) throws -> [TestMachine] {
    try TestMatrix.machines(command.matrix).map { entry in
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

  // MARK: Parts

  private static func part(of all: [TestItem], _ command: TestRequest) throws -> ([TestItem], ShardRecord?) {
    guard let shard = try command.place else { return (all, nil) }
    do {
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
