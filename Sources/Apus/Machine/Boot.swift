import GuestABI
import Host
import HostBackends
import KVM
internal import Logging

/// One boot of a machine, from its assembly to its end. On the device thread.
final class Boot: @unchecked Sendable {
  // SAFETY: @unchecked: on the device thread alone; others only hand it on.

  let assembly: Assembly
  private var threads: VCPUThreads?
  /// For what has ever needed one.
  private var moment: VCPUMoment?
  private let loop: EventLoop
  private let serialLink: ConsoleLink
  private let virtioLink: ConsoleLink?
  let configuration: Configuration
  /// Who the machine is.
  let identity: Configuration.UUID
  private let progress: RunProgress
  let mailbox: Mailbox
  let time: GuestTime
  let snapshots: SnapshotThreads
  let changes: ChangeTracking
  private var pauseControl: PauseControl?
  /// What the boot goes on from, until it does.
  private var restored: RestoredMachine?
  private var restoringFailure: MachineStateError?
  /// The snapshot that waits for the machine to stand.
  var pendingSnapshot: PendingSnapshot?
  /// What snapshots have of the configuration, since the first one.
  var codedConfiguration: [UInt8]?

  /// Assembles a machine.
  ///
  /// - Throws: as ``Assembly/init(_:_:unmapped:loop:mailbox:debugger:events:logger:)``, or ``HostError``.
  init(_ run: MachineRun) throws {
    configuration = run.checked.configuration
    identity = run.checked.uuid
    snapshots = run.snapshots
    progress = run.progress
    let (loop, mailbox, logger) = (run.loop, run.mailbox, run.logger)
    self.loop = loop
    let restored = run.takeRestored()
    self.restored = restored
    do {
      assembly = try Assembly(
        run.checked,
        run.inputs,
        unmapped: run.unmapped,
        loop: loop,
        mailbox: mailbox,
        debugger: run.debugServer?.machine,
        events: run.events,
        restored: restored,
        gunyah: run.gunyah,
        logger: logger
      )
    } catch {
      // What cannot be made without a part that is missing here is no news.
      guard let restored, !restored.problems.isEmpty else { throw error }
      throw MachineStateError(restored.problems)
    }
    self.mailbox = mailbox
    time = GuestTime(assembly.runners[0], progress.clock, assembly.devices)
    changes = ChangeTracking(assembly, configuration, restored: restored?.snapshot)
    if let restored {
      // Everything rests, as it did when the snapshot was taken.
      try time.stop()
      time.restore(virtualCounter: restored.virtualCounter)
      assembly.serialPort.suspend()
      assembly.clock.suspend()
    }
    run.progress.note(assembly.summary)
    // Keys at the terminal are its person's wish, as a signal is.
    let stop = { mailbox.order(Outcome(.stopped, "ended from the terminal")) }
    let fail = { (error: HostError) in mailbox.give(Outcome(.hostFailure, "\(error)")) }
    let virtioConsole = assembly.devices.console?.console
    serialLink = try ConsoleLink(
      endpoint: run.console,
      port: assembly.serialPort,
      takesInput: virtioConsole == nil,
      loop: loop,
      logger: logger,
      stop: stop,
      fail: fail
    )
    virtioLink = try virtioConsole.map {
      try ConsoleLink(
        endpoint: run.console,
        port: $0,
        takesInput: true,
        loop: loop,
        logger: logger,
        stop: stop,
        fail: fail
      )
    }
    if let sizeSignal = run.sizeSignal, let console = assembly.devices.console {
      try Self.followSize(sizeSignal, console, loop)
    }
    let clock = assembly.clock
    _ = try loop.add(clock.alarm.rawValue, EventLoop.readable, ClosureHandler { _ in clock.alarmFired() })
    _ = try loop.add(
      run.mailboxEvent.value.rawValue,
      EventLoop.readable,
      ClosureHandler { [unowned self] _ in if mailbox.answerAll(self) == .end { loop.stop() } }
    )
    pauseControl = PauseControl(self, mailbox) { [events = run.events] in events.post(.state($0)) }
  }

  /// Starts the vCPUs. Once, and ``end(_:_:)`` follows.
  ///
  /// - Throws: ``MachineStateError`` where it cannot go on from what it was to go on from, or ``HostError``.
  func start(_ run: MachineRun) throws {
    run.keepFiles()
    if let restored {
      try goOn(from: restored, startsPaused: run.startsPaused)
    } else if run.startsPaused {
      pauseControl?.pause { _ in }
    }
    let debugger = assembly.machine.debugger
    debugger?.attach(assembly.runners, assembly.machine)
    threads = try VCPUThreads(
      assembly.runners,
      on: assembly.machine,
      loop: run.loop,
      progress: run.progress,
      // A machine that has run for a while is worth a second thread that can end it.
      onFirstLook: { [warden = run.warden, signals = run.signals] in if signals != nil { try? warden.begin() } }
    )
    if let threads { debugger?.attach(threads.threads) }
  }

  /// Puts devices and peripherals where they stood. What takes long is done while the vCPUs wait.
  private func goOn(from restored: RestoredMachine, startsPaused: Bool) throws {
    let parts = try restored.deviceParts(assembly)
    assembly.putState(parts, known: restored.problems, restored.wishes) { [self] error in
      self.restored = nil
      if error == nil { assembly.generationID.change() }
      if let error, threads == nil {
        restoringFailure = error
      } else if let error {
        mailbox.give(Outcome(failure: error))
      } else if threads != nil, !startsPaused {
        resume()
      }
    }
    if let restoringFailure { throw restoringFailure }
    if self.restored != nil || startsPaused {
      pauseControl?.beginPaused()
    } else {
      resumeDevices()
      startTime()
    }
  }

  private static func followSize(
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
      EventLoop.readable,
      ClosureHandler { _ in
        while signal.take() != nil {}
        show()
      }
    )
  }

  // MARK: While it runs

  /// Pauses the machine; see ``PauseControl/pause(_:)``.
  func pause(isOfBoot: Bool = false, _ finished: @escaping PauseControl.Caller) {
    pauseControl?.pause(isOfBoot: isOfBoot, finished)
  }

  /// Whether the machine is paused.
  var isPaused: Bool { pauseControl?.state == .paused }

  /// Has the machine go on.
  func resume() {
    pauseControl?.resume()
  }

  /// What stands behind a device, by its name.
  func resource(named name: String) -> DeviceResource? { assembly.devices.resource(named: name) }

  /// Has all vCPUs wait for a moment; see ``VCPUMoment/run(_:)``.
  func whileVCPUsWait(_ body: @escaping (Bool) -> Void) {
    guard let threads else { return body(false) }
    do throws(HostError) {
      if moment == nil { moment = try VCPUMoment(threads, loop: loop, mailbox: assembly.machine.mailbox) }
      moment?.run(body)
    } catch {
      body(false)
    }
  }

  /// How each region of hot-plug memory stands.
  var hotplugMemory: [HotplugMemoryStatus] { assembly.devices.hotplugMemory }

  /// Asks the guest to have so many bytes of a region, and says how the region stands then.
  func setHotplugMemory(_ name: String, requested: UInt64) -> Result<HotplugMemoryStatus, HotplugMemoryError> {
    do throws(HotplugMemoryError) {
      return .success(try assembly.devices.setHotplugMemory(name, requested: requested))
    } catch {
      return .failure(error)
    }
  }

  /// What there is to tell of the boot so far.
  func inspect() -> Inspection {
    Inspection(
      state: pauseControl?.state ?? .running,
      machine: assembly.summary,
      devices: assembly.devices.summaries(assembly.board, configuration),
      boots: progress.boots,
      pauses: progress.clock.stops,
      pausedTime: progress.clock.stood,
      exits: assembly.runners.map(\.exitsSoFar)
    )
  }

  // MARK: The end

  /// Ends the boot, and adds what it did to what the run leaves behind.
  ///
  /// - Parameter loopFailure: why the loop ended where no verdict ended it.
  func end(_ run: MachineRun, _ loopFailure: HostError?) throws -> Outcome {
    let devices = assembly.devices
    run.mailbox.endBoot()
    assembly.machine.debugger?.detach()
    threads?.stop()
    if let report = run.gunyah?.leave() { run.gunyahReport = report }
    for caller in pauseControl?.end() ?? [] {
      // Who has not seen the pause of this boot gets the next one's.
      mailbox.ask { boot in if let boot { boot.pause(caller) } else { caller(false) } }
    }
    handOverSnapshot()
    let isHurried = run.mailbox.verdict?.end.isHurried ?? true
    let patience = run.patience(hurried: isHurried, limit: nil)
    let portPatience = patience.atMost(MachineRun.portDrain)
    devices.console?.drain { portPatience.isOver }
    let stuck = devices.shutDown(patience)
    for text in stuck { run.logger.warning("\(text)") }
    if !stuck.isEmpty {
      // SAFETY: until the process ends somebody may still write to the guest's memory, which is kept.
      _ = unsafe Unmanaged.passRetained(devices)
      _ = unsafe Unmanaged.passRetained(assembly.machine)
    }
    run.devices = devices.summaries(assembly.board, configuration)
    Report.Peripheral.add(assembly.peripherals, to: &run.peripherals)
    for runner in assembly.runners { run.exits = run.exits + runner.exitCounts }
    if configuration.measuresMemory {
      let isAlone = progress.threadTimes == nil
      run.memory = MemorySurvey.take(guest: assembly.machine.ram, ofProcess: isAlone)
    }
    if let loopFailure { throw loopFailure }
    guard var outcome = run.mailbox.verdict else { preconditionFailure("the loop ends with a verdict") }
    let serial = serialLink.drain { patience.isOver }
    let virtio = virtioLink?.drain { patience.isOver } ?? .all
    if outcome.end == .poweredOff || outcome.end == .reset {
      // The machine's end was none of the kinds that matter more than the lost output.
      if let loss = serial.loss ?? virtio.loss { outcome = Outcome(.hostFailure, "\(loss)") }
      // Somebody ended the wait for the reader: that is how it ended.
      let isCutOff = serial == .cutOff || virtio == .cutOff || !stuck.isEmpty
      if isCutOff, let order = run.mailbox.ordered { outcome = order.outcome }
    }
    serialLink.disconnect()
    virtioLink?.disconnect()
    if let port = devices.console?.exitStatus { outcome.guestStatus = guestStatus(of: port, run.logger) }
    devices.release()
    return outcome
  }

  private func guestStatus(of port: ExitStatusPort, _ logger: Logger) -> Int32? {
    if port.isWritten, port.status == nil {
      logger.warning("port \(ExitStatusPort.portName): what the guest wrote is no decimal number from 0 to 255")
    }
    return port.status
  }
}

extension Boot: PausableMachine {
  func holdVCPUs(_ finished: @escaping @Sendable (Bool) -> Void) {
    if let threads { return threads.hold(for: .owner, finished) }
    // Before there are threads: each vCPU comes to the hold in place of its first instruction.
    assembly.machine.hold.begin(.owner, assembly.runners.count, finished)
    for runner in assembly.runners { runner.vcpu.kick.setImmediateExit(true) }
  }

  func releaseVCPUs() { threads?.release(from: .owner) }

  func stopTime() {
    do throws(KVMError) { try time.stop() } catch { fail(error) }
  }

  func startTime() {
    do throws(KVMError) { try time.start() } catch { fail(error) }
  }

  private func fail(_ error: KVMError) { mailbox.give(Outcome(.hostFailure, "the guest's time: \(error)")) }

  func suspendDevices(_ finished: @escaping @Sendable () -> Void) {
    assembly.serialPort.suspend()
    assembly.clock.suspend()
    assembly.devices.suspend(finished)
  }

  func resumeDevices() {
    assembly.devices.resume()
    assembly.clock.resume()
    assembly.serialPort.resume()
  }
}
