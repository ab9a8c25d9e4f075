import Apus
import ArgumentParser
import Host

/// What `apus run --fleet` is asked for.
struct FleetRequest {
  /// The fleet's file.
  var path: String
  var isDry = false
  /// What the options change, of each machine or of the run.
  var changes: [Setting] = []

  /// What there is beside the fleet's file.
  private static let options = ["--fleet", "--timeout", "--report", "--dry-run", "--log-level", "--kvm"]

  /// Refuses options that say what the fleet's file says.
  ///
  /// - Parameter words: the command line.
  /// - Throws: `ValidationError` for the first such option.
  static func check(_ words: [String]) throws {
    for word in words where word.utf8.starts(with: "--".utf8) {
      let name = word.utf8.firstIndex(of: UInt8(ascii: "=")).map { String(word[..<$0]) } ?? word
      guard options.contains(name) else {
        throw ValidationError("'\(name)' and '--fleet' exclude each other: the fleet's file says it for each machine.")
      }
    }
  }

  private func configuration(_ file: FleetFile, _ settings: Settings) -> Fleet.Configuration {
    var configuration = file.configuration
    for index in configuration.machines.indices {
      if let limit = settings.configuration.timeout {
        configuration.machines[index].timeout = min(configuration.machines[index].timeout ?? limit, limit)
      }
      if settings.configuration.kvmPath != Self.base.kvmPath {
        configuration.machines[index].kvmPath = settings.configuration.kvmPath
      }
      if settings.report == nil { configuration.machines[index].measuresMemory = false }
    }
    return configuration
  }

  /// What the options change, and nobody runs.
  private static let base = Configuration(payload: .kernel(path: ""))

  /// What is written is neither the fleet's own file nor another output.
  private func refuseSameFile(_ configuration: Fleet.Configuration, report: String?) throws {
    func refuse(_ place: String, _ file: String, is other: String, _ otherFile: String) throws {
      let isSame = file == otherFile || FileIdentity(file).map { $0 == FileIdentity(otherFile) } ?? false
      guard isSame else { return }
      Message.say("error: \(place): '\(file.plain)' is \(other); name another one")
      throw ExitCode(FailureKind.usage.rawValue)
    }
    for machine in configuration.machines {
      guard let place = machine.use(ofFile: path) else { continue }
      Message.say("error: machine '\(machine.name.plain)': \(place) is the fleet's own file; name another one")
      throw ExitCode(FailureKind.usage.rawValue)
    }
    if let transcript = configuration.gunyah.transcript {
      try refuse("gunyah.transcript", transcript, is: "the fleet's own file", path)
      if let report { try refuse("--report", report, is: "the file of gunyah.transcript, too", transcript) }
    }
    if let report { try refuse("--report", report, is: "the fleet's own file", path) }
  }

  /// Runs all machines, or checks what was asked for.
  ///
  /// - Throws: the exit status as an `ExitCode`, after all has been said.
  func run() throws {
    var settings = Settings(configuration: Self.base)
    for change in changes { change.apply(to: &settings) }
    let file = try Message.reporting { () throws(FleetFileError) in try FleetFile(path: path) }
    let fleet = try Message.reporting { () throws(FleetRefusal) in
      try FleetRefusal.telling(of: file) { () throws(FleetError) in
        try Fleet(configuration(file, settings), logger: Message.logger(settings.logLevel))
      }
    }
    // The process ends with its machines, and taking them apart before would be work for nobody.
    // SAFETY: a reference more keeps the object, and nothing else.
    _ = unsafe Unmanaged.passRetained(fleet)
    for machine in fleet.configuration.machines {
      try Message.refuse(settings.report, of: "--report", ifUsedBy: machine)
    }
    try refuseSameFile(fleet.configuration, report: settings.report)
    // From here on a signal ends the machines, and the report tells of it.
    if !isDry { Machine.holdStopSignals() }
    let reportFile = try Message.reporting { () throws(ReportFile.OpenFailure) in
      try settings.report.map { path throws(ReportFile.OpenFailure) in try ReportFile(path: path) }
    }
    guard !isDry else {
      try Message.reporting { () throws(FleetRefusal) in
        try FleetRefusal.telling(of: file) { () throws(FleetError) in try fleet.rehearse() }
      }
      return try Message.show(json: fleet.plan)
    }
    StandardStreams.stopWaitingForErrors()
    let report = try Message.reporting { () throws(HostError) in
      try fleet.run(stoppingOnSignals: true, showingConsoles: true, ended: Self.say)
    }
    if let output = report.output { Message.say("not all of the consoles was written: \(output)") }
    let isHurried = report.machines.values.contains { $0.isHurried }
    let limit = isHurried ? RunEnd.hurriedPatience : RunEnd.patience
    let status = try reportFile?.write(report, within: limit, endingWith: report.exitStatus) ?? report.exitStatus
    StandardStreams.finishErrors(within: limit)
    throw ExitCode(status)
  }

  /// Says how a machine ended, where that was not by itself.
  private static func say(_ machine: Machine, _ report: Report) {
    guard report.exitStatus != 0 else { return }
    let name = machine.configuration.name
    let isGuests = report.exitStatus == report.guestStatus
    Message.say("\(name): \(isGuests ? "the guest's exit status is \(report.exitStatus)" : report.message)")
    for line in report.guestFault?.registerLines ?? [] { Message.say("\(name): \(line)") }
  }
}

extension FleetFileError: CommandFailure {
  var exitStatus: Int32 { kind.rawValue }
}

/// What is wrong with a fleet, in the words of its file.
struct FleetRefusal: CommandFailure {
  let exitStatus: Int32
  let messages: [String]

  /// Runs something that finds mistakes of a fleet's, and tells where in the file they stand.
  static func telling<Result>(
    of file: FleetFile,
    _ body: () throws(FleetError) -> Result
  ) throws(FleetRefusal) -> Result {
    do throws(FleetError) {
      return try body()
    } catch {
      throw FleetRefusal(exitStatus: error.exitStatus, messages: file.messages(error))
    }
  }
}
