import GuestABI
import Host
import HostBackends
internal import Logging
import SCMI

/// One run of a machine with all its boots, on the device thread: what is open for the run, lent to each boot.
final class MachineRun {
  let checked: CheckedConfiguration
  let inputs: Inputs
  let logger: Logger
  let mailbox: Mailbox
  let mailboxEvent: SharedEventDescriptor
  let warden: Warden
  let signals: SignalDescriptor?
  let progress: RunProgress
  let unmapped: UnmappedAccesses
  let events: MachineEvents
  let loop: EventLoop
  let files: RunFiles
  let console: ConsoleEndpoint
  /// Tells that the console's terminal has another size, where the guest is to know it.
  let sizeSignal: SignalDescriptor?
  /// Where the machine is among Gunyah's, where the guest finds that.
  let gunyah: GunyahMembership?
  private let control: MachineControl?
  /// Lets debuggers connect, where the configuration says so.
  private(set) var debugServer: DebugServer?
  private var transcript: TranscriptFile?
  private var recording: SharedPlatform.Recording?
  /// What Gunyah's machines call, while this one is among them.
  private var gunyahRecorder: GunyahRecorder?

  /// Snapshots that were taken and are not complete yet.
  let snapshots = SnapshotThreads()
  /// What the first boot goes on from, where it does.
  private var restored: RestoredMachine?
  /// Whether the next boot's vCPUs wait before their first instruction: the first one's, where the owner wants that.
  var startsPaused = false

  // What the run leaves behind.
  var exits = ExitCounts()
  var devices: [Report.Device] = []
  var peripherals: [Report.Peripheral] = []
  var memory = Report.Memory()
  var gunyahReport: Report.Gunyah?

  /// How long a run that was ended from outside waits for all who read what it leaves, in nanoseconds.
  private static let hurriedDrain: UInt64 = 200_000_000
  /// How long one that the guest ended waits for the readers of ports, of a transcript, in nanoseconds.
  static let portDrain: UInt64 = 1_000_000_000

  /// Opens the console, which goes with the run.
  ///
  /// - Parameters:
  ///   - restored: what the first boot goes on from, or nil.
  ///   - consoleDestination: where the console leads.
  ///   - signals: that ask for the end.
  ///   - warden: which has begun where there is a time limit.
  ///   - gunyah: where the machine is among Gunyah's, where the guest finds that.
  /// - Throws: ``ConfigurationError`` for what the configuration names, or another error of the host's.
  init(
    _ checked: CheckedConfiguration,
    _ inputs: Inputs,
    restored: RestoredMachine?,
    consoleDestination: ConsoleEndpoint.Destination,
    mailbox: Mailbox,
    signals: SignalDescriptor?,
    warden: Warden,
    progress: RunProgress,
    events: MachineEvents,
    control: MachineControl?,
    gunyah: GunyahHost.Place?,
    logger: Logger
  ) throws {
    let configuration = checked.configuration
    self.checked = checked
    self.inputs = inputs
    self.restored = restored
    self.gunyah = gunyah.map { GunyahMembership($0) }
    self.logger = logger
    self.mailbox = mailbox
    self.signals = signals
    self.warden = warden
    self.progress = progress
    self.events = events
    unmapped = UnmappedAccesses(configuration.unmapped, logger: logger)
    mailboxEvent = try mailbox.open()
    loop = try EventLoop()
    files = RunFiles()
    do throws(ConsoleEndpoint.OpenFailure) {
      console = try ConsoleEndpoint(consoleDestination, files: files, logger: logger)
    } catch {
      throw ConfigurationError(error.kind, .property(.console), .init(error))
    }
    self.control = control
    console.monitor = control?.console
    let hasSize = console.hasEscapes && configuration.consoleDevice?.carriesConsole == true
    sizeSignal = hasSize ? try SignalDescriptor.terminalSize() : nil
  }

  /// Opens what stands behind the devices, and the transcript. ``close(_:)`` lets go of it, also where only a part was
  /// opened.
  private func open() throws {
    if let path = checked.configuration.scmiTranscript, let place = checked.platform {
      let file: TranscriptFile
      do throws(OutputFileError) {
        file = try TranscriptFile(path: path, files: files, logger: logger) { [mailbox] in mailbox.post($0) }
      } catch {
        throw ConfigurationError(error.kind, .property(.scmiTranscript), .init(error))
      }
      recording = place.platform.record { file.append($0) }
      transcript = file
    }
    if let gunyah, let recorder = gunyah.place.host.recorder {
      do throws(OutputFileError) {
        try recorder.begin(gunyah.place.host.manager, logger)
      } catch {
        throw ConfigurationError(error.kind, .property(.gunyahTranscript), .init(error))
      }
      gunyahRecorder = recorder
    }
    for (resource, place) in zip(inputs.devices, checked.board.devices) {
      try resource.open(
        RunPlace(
          place: place,
          files: files,
          loop: loop,
          mailbox: mailbox,
          events: events,
          logger: logger
        )
      )
    }
    if let debugger = checked.configuration.debugger {
      debugServer = try DebugServer(
        debugger,
        checked.configuration,
        mailbox: mailbox,
        clock: progress.clock,
        commands: control?.monitorCommands ?? [],
        logger: logger
      )
    }
    if let signals {
      _ = try loop.add(
        signals.rawValue,
        EventLoop.readable,
        ClosureHandler(lasts: true) { [mailbox] _ in
          if let signal = signals.take() { mailbox.order(.interrupted(by: signal)) }
        }
      )
    }
  }

  /// Boots until an outcome that is not a reboot. ``close(_:)`` follows.
  func untilEnd() -> Outcome {
    do {
      try open()
      while true {
        let outcome = try boot()
        guard outcome.end == .reset, checked.configuration.onReset == .reboot else { return outcome }
        logger.info("the guest reset the machine: starting it anew")
      }
    } catch {
      return Outcome(failure: error)
    }
  }

  /// What the boot goes on from that begins now. A reboot begins anew.
  func takeRestored() -> RestoredMachine? { restored.take() }

  private func boot() throws -> Outcome {
    mailbox.beginBoot()
    defer {
      mailbox.endBoot()
      // Where the boot has not come to its end.
      gunyah?.leave()
      loop.removePassing()
    }
    let boot = try Boot(self)
    try boot.start(self)
    if !startsPaused { events.post(.state(.running)) }
    startsPaused = false
    // No Result: its metadata has to be made at run time, for which all conformances of the program are looked through.
    var loopFailure: HostError?
    do throws(HostError) { try loop.run() } catch { loopFailure = error }
    let outcome = try boot.end(self, loopFailure)
    events.post(.ended(outcome))
    return outcome
  }

  /// The machine starts: files that were made for it stay.
  func keepFiles() {
    files.keep()
    gunyahRecorder?.keep()
  }

  func patience(hurried isHurried: Bool, limit: UInt64?) -> Patience {
    // Somebody may have given the order after the machine had ended.
    let isHurried = isHurried || mailbox.isOrdered
    return Patience(mailbox, signals: signals, limit: isHurried ? Self.hurriedDrain : limit)
  }

  /// Closes what was opened for the run. Nothing of it is used afterwards.
  ///
  /// - Returns: what the run left behind.
  func close(_ outcome: Outcome) -> Report {
    debugServer?.end(outcome)
    snapshots.end()
    for resource in inputs.devices {
      // A boot that failed in the middle of its assembly has not let go.
      resource.release()
      resource.close()
    }
    // The platform may have other machines, which go on.
    if let recording { checked.platform?.platform.end(recording) }
    let patience = patience(hurried: false, limit: Self.portDrain)
    transcript?.finish(by: patience.deadline) { patience.isOver }
    gunyahRecorder?.end(by: patience.deadline) { patience.isOver }
    loop.removeAll()
    progress.threadTimes?.addCallingThread()
    return progress.report(
      outcome,
      devices: devices,
      peripherals: peripherals,
      exits: exits,
      memory: memory,
      gunyah: gunyahReport
    )
  }
}

extension ConsoleEndpoint.Destination {
  init(_ console: Configuration.Console, _ stream: ConsoleStream) {
    self =
      switch console {
      case .stream: .stream(stream)
      case .standardStreams: .standardStreams
      case .file(let path): .file(path: path)
      case .pseudoTerminal(let link): .pseudoTerminal(link: link)
      case .descriptor(let number): .descriptor(number)
      case .none: .none
      }
  }
}
