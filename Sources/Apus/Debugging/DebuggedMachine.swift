import AArch64
import Debugger
import GuestMemory
import Host
import KVM
internal import Synchronization

/// A machine as a debugger sees it, over all its boots.
///
/// The device thread attaches each boot and takes it away again, vCPUs bring what their breakpoints and steps come to,
/// and the debugger's thread asks for the rest. Registers are looked at only while all vCPUs wait in the ``VCPUHold``.
/// What shows of the machine outside of that (the hold's answers) comes as a signal of ``event``.
final class DebuggedMachine: DebugTarget, Sendable {
  /// Signalled when all vCPUs may have stopped, and when the machine has ended.
  let event: SharedEventDescriptor
  let threadCount: Int
  private let monitorCommands: MonitorCommands
  private let clock: StoppableClock
  private let state: Mutex<State>
  /// Set by the hold's answer: all vCPUs wait.
  private let allWait = Atomic(false)

  private enum Phase {
    case running
    /// The vCPUs are on their way to the hold, or will be when there is a boot.
    case stopping
    case stopped
  }

  private struct Boot {
    let runners: [VCPURunner]
    let machine: RunningMachine
    var threads: [HostThread] = []
  }

  private struct State {
    var boot: Boot?
    var phase: Phase
    var table: BreakpointTable?
    /// Breakpoints for replaced instructions that the processor's registers hold, since there was no memory yet.
    var standIns: Set<UInt64> = []
    /// Why each vCPU came back, where it did.
    var stops: [StopEvent.Reason?]
    /// What has to be put right of the steps that were begun.
    var steps: [MaskedStep?]
    /// Whether the machine's clock stands for a debugger, and CNTVCT_EL0 as it was then.
    var isTimeStopped = false
    var counter: UInt64?
    /// Whose event was told last.
    var lastThread = 0
    var end: DebugSession<DebuggedMachine>.MachineEnd?
  }

  /// - Parameter waits: whether the first boot's first instruction waits for a debugger.
  init(threadCount: Int, waits: Bool, clock: StoppableClock, commands: MonitorCommands) throws(HostError) {
    event = SharedEventDescriptor(try EventDescriptor())
    self.threadCount = threadCount
    monitorCommands = commands
    self.clock = clock
    state = Mutex(
      State(
        phase: waits ? .stopping : .running,
        stops: Array(repeating: nil, count: threadCount),
        steps: Array(repeating: nil, count: threadCount)
      )
    )
  }

  // MARK: The device thread's side

  /// How many breakpoints and watchpoints the host's processor has. Before the first boot is attached.
  func limits(breakpoints: Int, watchpoints: Int) {
    state.withLock { state in
      guard state.table == nil else { return }
      state.table = BreakpointTable(
        breakpoints: min(breakpoints, GuestDebug.pairLimit),
        watchpoints: min(watchpoints, GuestDebug.pairLimit)
      )
    }
  }

  /// A boot that has no threads yet. The breakpoints go into it, and where the machine is to be stopped none of its
  /// vCPUs executes anything before the debugger says so.
  func attach(_ runners: [VCPURunner], _ machine: RunningMachine) {
    state.withLock { state in
      let boot = Boot(runners: runners, machine: machine)
      state.boot = boot
      replaceAgain(&state, boot)
      for runner in runners { setDebug(of: runner, singleSteps: false, state, boot) }
      guard state.phase != .running else { return }
      state.phase = .stopping
      hold(boot)
      for runner in runners { runner.vcpu.kick.setImmediateExit(true) }
    }
  }

  /// The threads of that boot, in the order of its vCPUs.
  func attach(_ threads: [HostThread]) {
    state.withLock { state in
      state.boot?.threads = threads
      // Somebody wanted it stopped while there was nobody to kick.
      if state.phase == .stopping, let boot = state.boot { kick(boot) }
    }
  }

  /// The boot ends: nothing of it is used any more.
  func detach() {
    state.withLock { state in
      state.boot = nil
      state.counter = nil
      for thread in 0..<threadCount {
        state.stops[thread] = nil
        state.steps[thread] = nil
      }
    }
  }

  /// The machine has ended, after its last boot was taken away.
  func end(_ how: DebugSession<DebuggedMachine>.MachineEnd) {
    state.withLock { $0.end = how }
    event.value.signal()
  }

  /// How the machine ended, once it has. From any thread.
  var ended: DebugSession<DebuggedMachine>.MachineEnd? { state.withLock { $0.end } }

  // MARK: vCPUs' side

  /// A vCPU came back for a breakpoint, a watchpoint or a step. On its thread.
  func vcpuCameBack(_ runner: VCPURunner, syndrome: UInt32, address: UInt64) {
    let index = runner.vcpu.index
    let counter = (try? runner.vcpu.register(.programCounter)) ?? 0
    let isGuestsOwn = state.withLock { state in
      guard let boot = state.boot, let table = state.table else { return false }
      let reason: StopEvent.Reason
      // ESR_EL2.EC (Arm ARM, D24.2.40): breakpoint, step and watchpoint from a lower level; BKPT and BRK.
      switch syndrome >> 26 {
      case 0x30: reason = state.standIns.contains(counter) ? .softwareBreakpoint : .hardwareBreakpoint
      case 0x32: reason = .step
      case 0x34: reason = table.watchpoint(near: address).map { .watchpoint($0) } ?? .hardwareBreakpoint
      case 0x38, 0x3C:
        guard isReplaced(counter, table, runner, boot) else { return true }
        reason = .softwareBreakpoint
      default: return false
      }
      state.stops[index] = reason
      begin(&state)
      return false
    }
    if isGuestsOwn { giveBack(runner, counter, syndrome) }
  }

  /// Another address space may have the same memory elsewhere.
  private func isReplaced(
    _ counter: UInt64,
    _ table: BreakpointTable,
    _ runner: VCPURunner,
    _ boot: Boot
  ) -> Bool {
    if table.software[counter] != nil { return true }
    let translation = runner.vcpu.translation()
    guard let place = try? translation?.translate(counter, read: boot.machine.machine.memory.word) else { return false }
    return table.software.values.contains { $0.physicalAddress == place.address }
  }

  /// A BRK of the guest's own: it takes its exception.
  private func giveBack(_ runner: VCPURunner, _ counter: UInt64, _ syndrome: UInt32) {
    guard
      let state = try? runner.vcpu.register(.processorState),
      let control = try? runner.vcpu.register(.systemControlEL1),
      let vectors = try? runner.vcpu.register(.vectorBaseEL1)
    else { return }
    let entry = ExceptionEntry(counter: counter, state: state, control: control, vectors: vectors)
    try? runner.vcpu.setRegister(.exceptionSyndromeEL1, UInt64(syndrome))
    try? runner.vcpu.setRegister(.exceptionLinkEL1, entry.link)
    try? runner.vcpu.setRegister(.savedStateEL1, entry.savedState)
    try? runner.vcpu.setRegister(.processorState, entry.state)
    try? runner.vcpu.setRegister(.programCounter, entry.counter)
  }

  // MARK: Stopping

  func stop() {
    state.withLock { state in
      switch state.phase {
      case .running: begin(&state)
      // The answer may have come when nobody was interested.
      case .stopping: event.value.signal()
      case .stopped:
        state.phase = .stopping
        allWait.store(true, ordering: .releasing)
        event.value.signal()
      }
    }
  }

  /// Has all vCPUs come to the hold.
  private func begin(_ state: inout State) {
    guard state.phase == .running else { return }
    state.phase = .stopping
    guard let boot = state.boot else { return }
    hold(boot)
    kick(boot)
  }

  private func hold(_ boot: Boot) {
    allWait.store(false, ordering: .releasing)
    boot.machine.hold.begin(.debugger, boot.runners.count) { [self] isComplete in
      if isComplete { allWait.store(true, ordering: .releasing) }
      event.value.signal()
    }
  }

  private func kick(_ boot: Boot) {
    for (runner, thread) in zip(boot.runners, boot.threads) { runner.kick(thread) }
  }

  /// Looks whether all vCPUs have stopped that were to.
  ///
  /// - Returns: once for each stop, why it was.
  func stopIfComplete() -> StopEvent? {
    state.withLock { state in
      guard state.phase == .stopping, let boot = state.boot, allWait.exchange(false, ordering: .acquiring) else {
        return nil
      }
      state.phase = .stopped
      stopTime(&state, boot)
      finishSteps(&state, boot)
      let thread = state.stops.firstIndex { $0 == .step } ?? state.stops.firstIndex { $0 != nil }
      let event = StopEvent(
        thread: thread ?? state.lastThread,
        reason: thread.flatMap { state.stops[$0] } ?? .interrupt
      )
      state.lastThread = event.thread
      // What others came back for comes again: their next instruction is the same.
      for index in 0..<threadCount { state.stops[index] = nil }
      return event
    }
  }

  /// The guest's counter, its timers with it, and the time limit stand while it is stopped.
  private func stopTime(_ state: inout State, _ boot: Boot) {
    guard !state.isTimeStopped else { return }
    state.isTimeStopped = true
    clock.stop(counts: false)
    state.counter = boot.runners.first.flatMap { try? $0.vcpu.register(.virtualCounter) }
  }

  private func startTime(_ state: inout State) {
    guard state.isTimeStopped else { return }
    state.isTimeStopped = false
    clock.start()
    guard let counter = state.counter, let boot = state.boot else { return }
    // Of one vCPU it is all vCPUs'.
    try? boot.runners[0].vcpu.setRegister(.virtualCounter, counter)
  }

  private func finishSteps(_ state: inout State, _ boot: Boot) {
    for (index, runner) in boot.runners.enumerated() {
      guard let step = state.steps[index] else { continue }
      state.steps[index] = nil
      guard
        let counter = try? runner.vcpu.register(.programCounter),
        let processorState = try? runner.vcpu.register(.processorState),
        let link = try? runner.vcpu.register(.exceptionLinkEL1),
        let savedState = try? runner.vcpu.register(.savedStateEL1),
        let vectors = try? runner.vcpu.register(.vectorBaseEL1)
      else { continue }
      let result = step.finish(
        counter: counter,
        state: processorState,
        link: link,
        savedState: savedState,
        vectors: vectors
      )
      if result.state != processorState { try? runner.vcpu.setRegister(.processorState, result.state) }
      if result.savedState != savedState { try? runner.vcpu.setRegister(.savedStateEL1, result.savedState) }
    }
  }

  func resume(_ actions: [DebugAction]) {
    state.withLock { state in
      guard state.phase == .stopped else { return }
      state.phase = .running
      startTime(&state)
      guard let boot = state.boot else { return }
      for (index, runner) in boot.runners.enumerated() {
        setDebug(of: runner, singleSteps: actions[index] == .step, state, boot)
        if actions[index] == .step { state.steps[index] = maskedStep(of: runner, boot) }
      }
      boot.machine.hold.end(.debugger, keeping: Set(actions.indices.filter { actions[$0] == .stay }))
    }
  }

  private func maskedStep(of runner: VCPURunner, _ boot: Boot) -> MaskedStep? {
    guard
      let counter = try? runner.vcpu.register(.programCounter),
      let state = try? runner.vcpu.register(.processorState),
      let place = try? runner.vcpu.translation()?.translate(counter, read: boot.machine.machine.memory.word)
    else { return nil }
    let bytes = boot.machine.machine.memory.read(at: place.address, count: 4)
    let instruction = bytes.count == 4 ? bytes.reversed().reduce(UInt32(0)) { $0 << 8 | UInt32($1) } : nil
    guard let step = MaskedStep(counter: counter, state: state, instruction: instruction) else { return nil }
    try? runner.vcpu.setRegister(.processorState, step.state)
    return step
  }

  private func setDebug(of runner: VCPURunner, singleSteps: Bool, _ state: State, _ boot: Boot) {
    var wanted = GuestDebug()
    wanted.singleSteps = singleSteps
    if let table = state.table {
      wanted.takesBreakpointInstructions = !table.software.isEmpty
      for breakpoint in table.hardware {
        guard let pair = HardwareBreakpoint(breakpoint) else { continue }
        let registers = GuestDebug.RegisterPair(control: pair.control, value: pair.value)
        if pair.isWatch { wanted.watchpoints.append(registers) } else { wanted.breakpoints.append(registers) }
      }
    }
    do throws(KVMError) {
      try runner.vcpu.setGuestDebug(wanted)
    } catch {
      boot.machine.mailbox.give(Outcome(.hostFailure, "vCPU \(runner.vcpu.index): \(error)"))
    }
  }

  // MARK: Leaving

  /// Whether there is something to take back before a debugger may be forgotten.
  var isInvolved: Bool {
    state.withLock { $0.phase != .running || $0.table?.isEmpty == false }
  }

  /// Takes all breakpoints out and lets the machine go on. While it is stopped.
  func letGo() {
    let software = state.withLock { state in state.table?.software.keys.map(\.self) ?? [] }
    for address in software { _ = remove(Breakpoint(.software, address: address, length: 4)) }
    state.withLock { state in
      state.standIns = []
      for breakpoint in state.table?.hardware ?? [] { state.table?.removeHardware(breakpoint) }
    }
    resume([DebugAction](repeating: .run, count: threadCount))
  }
}

// MARK: Looking into it

extension DebuggedMachine {
  func describe(thread: Int) -> String {
    let isOff = whileStopped { boot, _ in (try? boot.runners[thread].vcpu.isPoweredOff()) == true } ?? false
    return "vCPU \(thread)\(isOff ? " (powered off)" : "")"
  }

  func isAlive(thread: Int) -> Bool { thread < threadCount }

  /// Does something while all vCPUs wait.
  ///
  /// - Returns: nil where they do not.
  private func whileStopped<Result>(_ body: (Boot, inout State) -> Result?) -> Result? {
    state.withLock { state in
      guard state.phase == .stopped, let boot = state.boot else { return nil }
      return body(boot, &state)
    }
  }

  func register(_ register: DebugRegister, thread: Int) -> RegisterValue? {
    whileStopped { boot, _ in boot.runners[thread].vcpu.value(of: register) }
  }

  func setRegister(_ register: DebugRegister, _ value: RegisterValue, thread: Int) -> Bool {
    whileStopped { boot, _ in boot.runners[thread].vcpu.set(register, to: value) } ?? false
  }

  func read(at address: UInt64, count: Int, thread: Int) -> [UInt8] {
    let bytes = whileStopped { boot, state in
      var bytes: [UInt8] = []
      guard let translation = boot.runners[thread].vcpu.translation() else { return bytes }
      while bytes.count < count {
        let (next, overflow) = address.addingReportingOverflow(UInt64(bytes.count))
        guard !overflow, let place = try? translation.translate(next, read: boot.machine.machine.memory.word) else {
          break
        }
        let limit = min(UInt64(count - bytes.count), place.count)
        var piece = boot.machine.machine.memory.read(at: place.address, count: Int(limit))
        guard !piece.isEmpty else { break }
        state.table?.hide(in: &piece, at: place.address)
        bytes += piece
      }
      return bytes
    }
    return bytes ?? []
  }

  func write(_ bytes: [UInt8], at address: UInt64, thread: Int) -> Bool {
    let isDone = whileStopped { boot, state in
      guard let translation = boot.runners[thread].vcpu.translation() else { return false }
      var done = 0
      while done < bytes.count {
        let (next, overflow) = address.addingReportingOverflow(UInt64(done))
        guard !overflow, let place = try? translation.translate(next, read: boot.machine.machine.memory.word) else {
          return false
        }
        var piece = Array(bytes[done...].prefix(Int(min(UInt64(bytes.count - done), place.count))))
        state.table?.keep(in: &piece, at: place.address)
        let count = boot.machine.machine.memory.write(piece[...], at: place.address)
        guard count > 0 else { return false }
        done += count
      }
      return true
    }
    return isDone ?? false
  }

  // MARK: Breakpoints

  func insert(_ breakpoint: Breakpoint, thread: Int) -> BreakpointAnswer {
    let answer = whileStopped { boot, state -> BreakpointAnswer in
      guard breakpoint.kind == .software else {
        return state.table?.insertHardware(breakpoint) ?? .unsupported
      }
      let address = breakpoint.address
      guard address % BreakpointTable.instructionSize == 0 else { return .unsupported }
      guard let table = state.table, table.software[address] == nil, !state.standIns.contains(address) else {
        return .done
      }
      guard table.hasRoomForSoftware else { return .full }
      let place = try? boot.runners[thread].vcpu.translation()?.translate(
        address,
        read: boot.machine.machine.memory.word
      )
      if let place, let replaced = replace(at: place.address, boot) {
        state.table?.note(replaced, at: address)
        return .done
      }
      // Before the guest has its tables, a kernel's addresses lead nowhere; the processor compares them all the same.
      let standIn = Breakpoint(.hardware, address: address, length: BreakpointTable.instructionSize)
      guard state.table?.insertHardware(standIn) == .done else { return .unmapped }
      state.standIns.insert(address)
      return .done
    }
    return answer ?? .unsupported
  }

  func remove(_ breakpoint: Breakpoint) -> BreakpointAnswer {
    let answer = whileStopped { boot, state -> BreakpointAnswer in
      guard breakpoint.kind == .software else {
        state.table?.removeHardware(breakpoint)
        return .done
      }
      let address = breakpoint.address
      if state.standIns.remove(address) != nil {
        let standIn = Breakpoint(.hardware, address: address, length: BreakpointTable.instructionSize)
        state.table?.removeHardware(standIn)
      }
      guard let replaced = state.table?.forgetSoftware(at: address) else { return .done }
      // The guest may have put something else there.
      guard instruction(at: replaced.physicalAddress, boot) == BreakpointTable.instruction else { return .done }
      // Another address of the same memory may have its own.
      if state.table?.software.values.contains(where: { $0.physicalAddress == replaced.physicalAddress }) == true {
        return .done
      }
      _ = boot.machine.machine.memory.write(Self.bytes(replaced.original)[...], at: replaced.physicalAddress)
      return .done
    }
    return answer ?? .done
  }

  /// Puts a BRK into physical memory.
  ///
  /// - Returns: nil where there is none that can be written.
  private func replace(at physicalAddress: UInt64, _ boot: Boot) -> BreakpointTable.Replaced? {
    guard let original = instruction(at: physicalAddress, boot) else { return nil }
    let bytes = Self.bytes(BreakpointTable.instruction)
    guard boot.machine.machine.memory.write(bytes[...], at: physicalAddress) == bytes.count else { return nil }
    return BreakpointTable.Replaced(physicalAddress: physicalAddress, original: original)
  }

  /// After a reboot the same kernel is at the same place. What is not there any more gets no breakpoint.
  private func replaceAgain(_ state: inout State, _ boot: Boot) {
    for (address, replaced) in state.table?.software ?? [:] {
      if instruction(at: replaced.physicalAddress, boot) != replaced.original
        || replace(at: replaced.physicalAddress, boot) == nil
      {
        _ = state.table?.forgetSoftware(at: address)
      }
    }
  }

  private func instruction(at physicalAddress: UInt64, _ boot: Boot) -> UInt32? {
    let bytes = boot.machine.machine.memory.read(at: physicalAddress, count: 4)
    return bytes.count == 4 ? bytes.reversed().reduce(UInt32(0)) { $0 << 8 | UInt32($1) } : nil
  }

  private static func bytes(_ instruction: UInt32) -> [UInt8] {
    (0..<4).map { UInt8(truncatingIfNeeded: instruction >> ($0 * 8)) }
  }

  func monitor(_ words: [String]) -> String { monitorCommands.answer(words) }
}
