import Apus
import ArgumentParser
import Host

/// What `apus run` is asked for.
struct RunRequest {
  /// The payload's path.
  var kernel: String
  /// What the machine goes on from in place of a payload.
  var restoring: RestoreRequest?
  var isRaw = false
  var reboots = true
  var isDry = false
  /// Whether the machine runs in the background.
  var isDetached = false
  /// What the options change, in any order but for the devices of a kind.
  var changes: [Setting] = []

  /// - Parameter base: what the options change.
  private func settings(over base: Configuration) -> Settings {
    var settings = Settings(configuration: base)
    // Those of the options; where there are none of a kind, those of the snapshot stay.
    settings.configuration.devices = []
    // In the background there is nobody at the standard streams.
    settings.configuration.console = isDetached ? .none : .standardStreams
    settings.configuration.onReset = reboots ? .reboot : .stop
    for change in changes { change.apply(to: &settings) }
    if isDetached, settings.configuration.control == nil { settings.configuration.control = .registered }
    settings.configuration.measuresMemory = settings.report != nil
    return settings
  }

  /// Runs the guest, or checks what was asked for.
  ///
  /// - Throws: the exit status as an `ExitCode`, after all has been said.
  func run() throws {
    let snapshot = try openSnapshot()
    let base = snapshot?.configuration ?? Configuration(payload: isRaw ? .raw(path: kernel) : .kernel(path: kernel))
    let settings = settings(over: base)
    let configuration = snapshot?.completed(settings.complete) ?? settings.complete
    guard !isDetached || configuration.console != .standardStreams else {
      Message.say(
        "error: --console stdio: with --detach the machine leaves its caller's streams; give pty, file=PATH or none, and "
          + "be at the console with 'apus console'"
      )
      throw ExitCode(FailureKind.usage.rawValue)
    }
    if isDetached { try refuseStreams(settings) }
    // Before there are threads. What is wrong is said to the caller, who waits.
    let detachment =
      try isDetached && !isDry
      ? Message.reporting { () throws(HostError) in try Detachment.begin() } : nil
    let machine = try Message.reporting(configuration) { () throws(ConfigurationError) in
      let logger = Message.logger(settings.logLevel)
      guard let snapshot else { return try Machine(configuration, logger: logger) }
      var options = MachineSnapshot.Options()
      options.isClone = restoring?.isClone ?? false
      options.clock = restoring?.clock ?? .continued
      // Who names a disk's file knows that it has on it what the guest's had.
      options.acceptsOtherDisks = settings.configuration.devices.contains { $0.isDisk }
      return try Machine(restoring: snapshot, configuration, options: options, logger: logger)
    }
    // The process ends with its machine, and taking that apart before would be work for nobody.
    // SAFETY: a reference more keeps the object, and nothing else.
    _ = unsafe Unmanaged.passRetained(machine)
    try Message.refuse(settings.report, of: "--report", ifUsedBy: configuration)
    // From here on a signal ends the machine, and the report tells of it.
    if !isDry { Machine.holdStopSignals() }
    let reportFile = try Message.reporting { () throws(ReportFile.OpenFailure) in
      try settings.report.map { path throws(ReportFile.OpenFailure) in try ReportFile(path: path) }
    }
    let end = RunEnd(reportFile, of: configuration)
    guard !isDry else {
      try Message.reporting(configuration) { () throws(ConfigurationError) in try machine.rehearse() }
      return try Message.show(json: machine.plan)
    }
    StandardStreams.stopWaitingForErrors()
    var begun: (@Sendable (String?) -> Void)?
    if let detachment { begun = { detachment.tell($0 ?? "") } }
    let report = machine.run(
      stoppingOnSignals: true,
      begun: begun,
      abandoned: { end.abandon($0) }
    )
    throw ExitCode(try end.tell(report, of: machine))
  }

  /// Opens what the machine goes on from, where it does.
  private func openSnapshot() throws -> MachineSnapshot? {
    guard let restoring else { return nil }
    return try Message.reporting { () throws(SnapshotRefusal) in
      let snapshot = try MachineSnapshot(restoring.directory)
      if restoring.verifiesMemory { try snapshot.verifyMemory() }
      return snapshot
    }
  }

  /// The caller's streams by the names that the host has for them: what is written there in the background would be
  /// lost, and nothing is to be read.
  private func refuseStreams(_ settings: Settings) throws {
    let configuration = settings.complete
    var uses = configuration.standardStreamFiles.map { (configuration.option($0.place), $0.path) }
    if let report = settings.report, StandardStreams.isNamed(by: report) { uses.append(("--report", report)) }
    guard !uses.isEmpty else { return }
    for (option, path) in uses {
      Message.say(
        "error: \(option): '\(path)' is a stream of the caller's, which the machine leaves with --detach; name a file"
      )
    }
    throw ExitCode(FailureKind.usage.rawValue)
  }
}
