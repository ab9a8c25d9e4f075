internal import CHost
internal import Glibc
import Host
import HostBackends
import KVM
internal import Logging
import SCMI
internal import Synchronization

/// One run of a machine with all its reboots, on the device thread.
struct MachineRun {
  private let configuration: Configuration
  private let logger: Logger
  private let console: ConsoleStream
  private let ending: Ending
  private let warden: Warden
  private let signals: SignalDescriptor?
  private let progress: RunProgress
  private let unmapped: UnmappedAccesses
  private var exits = ExitCounts()
  private var devices: [Report.Device] = []
  private var peripherals: [Report.Peripheral] = []
  private var memory = Report.Memory()

  /// How long a run that was ended from outside waits for all who read what it leaves, in nanoseconds.
  private static let hurriedDrain: UInt64 = 200_000_000
  /// How long one that the guest ended waits for the readers of ports, of a transcript, in nanoseconds.
  private static let portDrain: UInt64 = 1_000_000_000

  /// - Parameters:
  ///   - signals: that ask for the end.
  ///   - warden: which has begun where there is a time limit.
  init(
    _ configuration: Configuration,
    logger: Logger,
    console: ConsoleStream,
    ending: Ending,
    signals: SignalDescriptor?,
    warden: Warden,
    progress: RunProgress
  ) {
    self.configuration = configuration
    self.logger = logger
    self.console = console
    self.ending = ending
    self.signals = signals
    self.warden = warden
    self.progress = progress
    unmapped = UnmappedAccesses(configuration.unmapped, logger: logger)
  }

  /// Boots until an outcome that is not a reboot.
  mutating func untilEnd() -> Outcome {
    do {
      let files = RunFiles()
      let endpoint: ConsoleEndpoint
      do {
        let destination = ConsoleEndpoint.Destination(configuration.console, console)
        endpoint = try ConsoleEndpoint(destination, files: files, logger: logger)
      } catch {
        return Outcome(kind: error.kind, "--console: \(error)")
      }
      var transcript: TranscriptFile?
      if let path = configuration.scmiTranscript, let place = configuration.scmiPlace {
        let file = try TranscriptFile(path: path, files: files, logger: logger)
        place.platform.record { file.append($0) }
        transcript = file
      }
      defer {
        let patience = patience(hurried: false, limit: Self.portDrain)
        transcript?.finish(by: patience.deadline) { patience.isOver }
      }
      let hasSize = endpoint.hasEscapes && configuration.consoleDevice?.carriesConsole == true
      let sizeSignal = hasSize ? try SignalDescriptor.terminalSize() : nil
      var ports: [PortEndpoint] = []
      for port in configuration.consoleDevice?.ports ?? [] {
        do throws(PortEndpoint.OpenFailure) {
          ports.append(try PortEndpoint(name: port.name, .init(port.destination), files: files))
        } catch {
          return Outcome(kind: error.kind, "--port \(port): \(error)")
        }
      }
      while true {
        let verdict = try Verdict()
        ending.concerns(verdict)
        defer { ending.concerns(nil) }
        let outcome = try boot(endpoint, ports, files, sizeSignal, verdict)
        guard outcome.end == .reset, configuration.onReset == .reboot else { return outcome }
        logger.info("the guest reset the machine: starting it anew")
      }
    } catch {
      return Outcome(failure: error)
    }
  }

  private mutating func boot(
    _ endpoint: ConsoleEndpoint,
    _ ports: [PortEndpoint],
    _ files: RunFiles,
    _ sizeSignal: SignalDescriptor?,
    _ verdict: Verdict
  ) throws -> Outcome {
    let loop = try EventLoop()
    defer { loop.removeAll() }
    let assembly = try Assembly(
      configuration,
      endpoints: ports,
      unmapped: unmapped,
      loop: loop,
      verdict: verdict,
      logger: logger
    )
    progress.note(assembly.summary)
    // Keys at the terminal are its person's wish, as a signal is.
    let stop = { [ending] in ending.order(Outcome(.stopped, "ended from the terminal")) }
    let fail = { (error: HostError) in verdict.give(Outcome(.hostFailure, "\(error)")) }
    let virtioConsole = assembly.devices.console?.console
    let serialLink = try ConsoleLink(
      endpoint: endpoint,
      port: assembly.serialPort,
      takesInput: virtioConsole == nil,
      loop: loop,
      logger: logger,
      stop: stop,
      fail: fail
    )
    let virtioLink = try virtioConsole.map {
      try ConsoleLink(
        endpoint: endpoint,
        port: $0,
        takesInput: true,
        loop: loop,
        logger: logger,
        stop: stop,
        fail: fail
      )
    }
    if let sizeSignal, let console = assembly.devices.console { try followSize(sizeSignal, console, loop) }
    try watchForTheEnd(loop, verdict)
    let clock = assembly.clock
    _ = try loop.add(clock.alarm.rawValue, EPOLLIN.rawValue, ClosureHandler { _ in clock.alarmFired() })

    files.keep()
    let threads = try VCPUThreads(
      assembly.runners,
      on: assembly.board,
      loop: loop,
      firstEntry: progress.firstEntry,
      // A machine that has run for a while is worth a second thread that can end it.
      onFirstLook: { [warden, signals] in if signals != nil { try? warden.begin() } }
    )
    // No Result: its metadata has to be made at run time, for which all conformances of the program are looked through.
    var loopFailure: HostError?
    do throws(HostError) { try loop.run() } catch { loopFailure = error }
    assembly.devices.releaseVCPUs()
    threads.stop()
    let isHurried = verdict.given?.end.isHurried ?? true
    let patience = patience(hurried: isHurried, limit: nil)
    assembly.devices.console?.drain(until: { [patience = patience.atMost(Self.portDrain)] in patience.isOver })
    let stuck = assembly.devices.shutDown(patience)
    for path in stuck { logger.warning("disk '\(path)' does not answer: what waits for it is left behind") }
    if !stuck.isEmpty {
      // SAFETY: until the process ends somebody may still write to the guest's memory, which is kept.
      _ = unsafe Unmanaged.passRetained(assembly.devices)
      _ = unsafe Unmanaged.passRetained(assembly.board)
    }
    devices = assembly.devices.summaries
    Report.Peripheral.add(assembly.peripheralEvents, to: &peripherals)
    for runner in assembly.runners { exits = exits + runner.exitCounts }
    if configuration.measuresMemory { memory = MemorySurvey.take(guest: assembly.board.ram) }
    if let loopFailure { throw loopFailure }
    guard var outcome = verdict.given else { preconditionFailure("the loop ends with a verdict") }
    var drained = [serialLink.drain { patience.isOver }, virtioLink?.drain { patience.isOver } ?? .all]
    if !stuck.isEmpty { drained.append(.cutOff) }
    if outcome.end == .poweredOff || outcome.end == .reset {
      // The machine's end was none of the kinds that matter more than the lost output.
      for case .lost(let loss) in drained.reversed() { outcome = Outcome(.hostFailure, "\(loss)") }
      // Somebody ended the wait for the reader: that is how it ended.
      if let order = ending.ordered, drained.contains(.cutOff) { outcome = order.outcome }
    }
    serialLink.disconnect()
    virtioLink?.disconnect()
    if let port = assembly.devices.console?.exitStatus { outcome.guestStatus = guestStatus(of: port) }
    return outcome
  }

  private func guestStatus(of port: ExitStatusPort) -> Int32? {
    if port.isWritten, port.status == nil {
      logger.warning("port \(ExitStatusPort.portName): what the guest wrote is no decimal number from 0 to 255")
    }
    return port.status
  }

  private func followSize(
    _ signal: SignalDescriptor,
    _ console: ConsolePorts,
    _ loop: EventLoop
  ) throws(HostError) {
    let show = { [unowned console] in
      if let size = ConsoleEndpoint.terminalSize { console.show(columns: size.columns, rows: size.rows) }
    }
    show()
    _ = try loop.add(
      signal.rawValue,
      EPOLLIN.rawValue,
      ClosureHandler { _ in
        while signal.take() != nil {}
        show()
      }
    )
  }

  private func patience(hurried isHurried: Bool, limit: UInt64?) -> Patience {
    // Somebody may have given the order after the machine had ended.
    let isHurried = isHurried || ending.ordered != nil
    return Patience(ending, signals: signals, limit: isHurried ? Self.hurriedDrain : limit)
  }

  private func watchForTheEnd(_ loop: EventLoop, _ verdict: Verdict) throws(HostError) {
    _ = try loop.add(
      verdict.event.rawValue,
      EPOLLIN.rawValue,
      ClosureHandler { _ in loop.stop() }
    )
    if let signals {
      _ = try loop.add(
        signals.rawValue,
        EPOLLIN.rawValue,
        ClosureHandler { [ending] _ in
          if let signal = signals.take() { ending.order(.interrupted(by: signal)) }
        }
      )
    }
  }

  /// What the run left behind.
  func report(_ outcome: Outcome) -> Report {
    progress.report(outcome, devices: devices, peripherals: peripherals, exits: exits, memory: memory)
  }
}

/// What can be told of a run from any thread, also where its device thread does not come back.
final class RunProgress: Sendable {
  /// When the run began, in nanoseconds of the monotonic clock.
  let started = HostClock.monotonic
  let firstEntry = FirstEntry()
  private let boots = Mutex<(count: Int, machine: Report.Machine?)>((0, nil))

  /// A machine was assembled, and starts.
  func note(_ machine: Report.Machine) {
    boots.withLock { $0 = ($0.count + 1, machine) }
  }

  /// The report of a run that ends now.
  func report(
    _ outcome: Outcome,
    devices: [Report.Device] = [],
    peripherals: [Report.Peripheral] = [],
    exits: ExitCounts = ExitCounts(),
    memory: Report.Memory = Report.Memory()
  ) -> Report {
    var time = Report.Time()
    time.wall = HostClock.monotonic - started
    (time.user, time.system) = HostClock.processTimes
    if let entry = firstEntry.time {
      time.wallToFirstInstruction = entry.wall - started
      time.processorToFirstInstruction = entry.processor
    }
    let (count, machine) = boots.withLock { $0 }
    return Report(
      outcome: outcome,
      machine: machine,
      devices: devices,
      peripherals: peripherals,
      boots: count,
      time: time,
      exits: exits,
      memory: memory
    )
  }
}

extension Outcome.End {
  /// Whether nobody should have to wait for the rest of the console any longer.
  var isHurried: Bool {
    switch self {
    case .timedOut, .interrupted, .stopped, .hostFailure: true
    default: false
    }
  }
}

/// When the first vCPU of the first boot entered its guest.
final class FirstEntry: Sendable {
  private let stored = Mutex<(wall: UInt64, processor: UInt64)?>(nil)

  func note() {
    let processor = HostClock.processTime
    let wall = HostClock.monotonic
    stored.withLock { stored in
      if stored == nil { stored = (wall, processor) }
    }
  }

  var time: (wall: UInt64, processor: UInt64)? { stored.withLock { $0 } }
}

extension ConsoleEndpoint.Destination {
  init(_ console: Configuration.Console, _ stream: ConsoleStream) {
    self =
      switch console {
      case .stream: .stream(stream)
      case .standardStreams: .standardStreams
      case .file(let path): .file(path: path)
      case .pseudoTerminal(let link): .pseudoTerminal(link: link)
      case .none: .none
      }
  }
}

extension PortEndpoint.Destination {
  init(_ destination: Configuration.Port.Destination) {
    self =
      switch destination {
      case .file(let path): .file(path: path)
      case .socket(let path): .socket(path: path)
      case .descriptor(let number): .descriptor(number)
      }
  }
}
