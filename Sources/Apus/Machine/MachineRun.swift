internal import CLinux
internal import Glibc
import KVM
internal import Logging
import SCMI
internal import Synchronization

/// One run of a machine with all its reboots, on the device thread.
struct MachineRun {
  private let configuration: Configuration
  private let logger: Logger
  private let console: ConsoleStream
  private let unmapped: UnmappedAccesses
  private let started = HostClock.monotonic
  private let firstEntry = FirstEntry()
  private var boots = 0
  private var exits = ExitCounts()
  private var machine: Report.Machine?
  private var devices: [Report.Device] = []
  private var memory = Report.Memory()

  /// How long a run that was ended from outside waits for the console's reader, in nanoseconds.
  private static let hurriedDrain: UInt64 = 200_000_000
  /// How long one that the guest ended waits for the readers of ports, in nanoseconds.
  private static let portDrain: UInt64 = 1_000_000_000

  init(_ configuration: Configuration, logger: Logger, console: ConsoleStream) {
    self.configuration = configuration
    self.logger = logger
    self.console = console
    unmapped = UnmappedAccesses(configuration.unmapped, logger: logger)
  }

  /// Boots until an outcome that is not a reboot.
  ///
  /// - Parameter announce: called with each boot's verdict when it can be given, and with nil when it is over.
  mutating func untilEnd(stoppingOnSignals: Bool, announce: (Verdict?) -> Void) -> Outcome {
    do {
      let signals = stoppingOnSignals ? try SignalDescriptor.stop() : nil
      let files = RunFiles()
      let endpoint: ConsoleEndpoint
      do {
        endpoint = try ConsoleEndpoint(configuration.console, files: files, stream: console, logger: logger)
      } catch {
        return error.outcome
      }
      if let path = configuration.scmiTranscript, let place = configuration.scmiPlace {
        let file = try TranscriptFile(path: path, files: files, logger: logger)
        place.platform.record { file.append($0) }
      }
      let hasSize = endpoint.hasEscapes && configuration.consoleDevice?.carriesConsole == true
      let sizeSignal = hasSize ? try SignalDescriptor.terminalSize() : nil
      var ports: [PortEndpoint] = []
      do throws(PortEndpoint.OpenFailure) {
        for port in configuration.consoleDevice?.ports ?? [] { ports.append(try PortEndpoint(port, files: files)) }
      } catch {
        return error.outcome
      }
      while true {
        let verdict = try Verdict()
        announce(verdict)
        defer { announce(nil) }
        let outcome = try boot(endpoint, ports, files, sizeSignal, verdict, signals)
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
    _ verdict: Verdict,
    _ signals: SignalDescriptor?
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
    machine = assembly.summary
    boots += 1
    let virtioConsole = assembly.devices.console?.console
    let serialLink = try ConsoleLink(
      endpoint: endpoint,
      port: assembly.serialPort,
      takesInput: virtioConsole == nil,
      loop: loop,
      verdict: verdict,
      logger: logger
    )
    let virtioLink = try virtioConsole.map {
      try ConsoleLink(endpoint: endpoint, port: $0, takesInput: true, loop: loop, verdict: verdict, logger: logger)
    }
    if let sizeSignal, let console = assembly.devices.console { try followSize(sizeSignal, console, loop) }
    try watchForTheEnd(loop, verdict, signals)
    let clock = assembly.clock
    _ = try loop.add(clock.alarm.rawValue, EPOLLIN.rawValue, ClosureHandler { _ in clock.alarmFired() })

    files.keep()
    let threads = try VCPUThreads(assembly.runners, on: assembly.board, loop: loop, firstEntry: firstEntry)
    // No Result: its metadata has to be made at run time, for which all conformances of the program are looked through.
    var loopFailure: HostError?
    do throws(HostError) { try loop.run() } catch { loopFailure = error }
    assembly.devices.releaseVCPUs()
    threads.stop()
    let isHurried = verdict.given?.end.isHurried ?? true
    assembly.devices.console?.drain(limit: isHurried ? Self.hurriedDrain : Self.portDrain)
    assembly.devices.shutDown()
    devices = assembly.devices.summaries
    for runner in assembly.runners { exits = exits + runner.exitCounts }
    if configuration.measuresMemory { memory = MemorySurvey.take(guest: assembly.board.ram) }
    if let loopFailure { throw loopFailure }
    guard var outcome = verdict.given else { preconditionFailure("the loop ends with a verdict") }
    let limit = isHurried ? Self.hurriedDrain : nil
    let serialLoss = serialLink.drain(limit: limit) { signals?.take() != nil }
    let virtioLoss = virtioLink?.drain(limit: limit) { signals?.take() != nil }
    // The machine's end was none of the kinds that matter more than the lost output.
    if let loss = serialLoss ?? virtioLoss, outcome.end == .poweredOff || outcome.end == .reset { outcome = loss }
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

  private func watchForTheEnd(_ loop: EventLoop, _ verdict: Verdict, _ signals: SignalDescriptor?) throws(HostError) {
    _ = try loop.add(
      verdict.doorbell.rawValue,
      EPOLLIN.rawValue,
      ClosureHandler { _ in loop.stop() }
    )
    if let signals {
      _ = try loop.add(
        signals.rawValue,
        EPOLLIN.rawValue,
        ClosureHandler { _ in
          guard let signal = signals.take() else { return }
          verdict.give(Outcome(.interrupted(signal: signal), "ended by signal \(signal)"))
        }
      )
    }
    if let timeout = configuration.timeout {
      let timer = try SharedTimer()
      let limit = timeout.nanoseconds
      let elapsed = HostClock.monotonic - started
      timer.timer.arm(after: limit > elapsed ? limit - elapsed : 1)
      _ = try loop.add(
        timer.timer.rawValue,
        EPOLLIN.rawValue,
        ClosureHandler { _ in
          timer.timer.answer()
          verdict.give(Outcome(.timedOut, "the time of \(timeout) was over"))
        }
      )
    }
  }

  /// What the run left behind.
  func report(_ outcome: Outcome) -> Report {
    var time = Report.Time()
    time.wall = HostClock.monotonic - started
    (time.user, time.system) = HostClock.processTimes
    if let entry = firstEntry.time {
      time.wallToFirstInstruction = entry.wall - started
      time.processorToFirstInstruction = entry.processor
    }
    return Report(
      outcome: outcome,
      machine: machine,
      devices: devices,
      boots: boots,
      time: time,
      exits: exits,
      memory: memory
    )
  }
}

extension Outcome.End {
  /// Whether nobody should have to wait for the rest of the console any longer.
  fileprivate var isHurried: Bool {
    switch self {
    case .timedOut, .interrupted, .stopped, .hostFailure: true
    default: false
    }
  }
}

/// A timer that a handler keeps alive.
final class SharedTimer {
  let timer: HostTimer

  init() throws(HostError) {
    timer = try HostTimer()
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
