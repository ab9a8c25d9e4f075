import Virtio

/// What a pause does to a machine. All on the device thread.
protocol PausableMachine: AnyObject {
  /// Has all vCPUs wait before their next instruction.
  ///
  /// - Parameter finished: called once, on any thread: true when all wait, false where they go on or end instead.
  func holdVCPUs(_ finished: @escaping @Sendable (Bool) -> Void)
  /// Lets them go on, where nobody else holds them.
  func releaseVCPUs()
  /// Has the guest's time stand.
  func stopTime()
  /// Lets it go on.
  func startTime()
  /// Has all devices finish what they have begun, and begin nothing.
  ///
  /// - Parameter finished: called once, on the device thread, when all have; also after ``resumeDevices()``.
  func suspendDevices(_ finished: @escaping @Sendable () -> Void)
  /// Has all devices go on.
  func resumeDevices()
}

/// Whether a machine runs, is about to pause, or is paused, and what leads from one to the other.
///
/// vCPUs come to rest first, since one that waits for a device's reset holds no pause up as long as devices work; then
/// the guest's time stands, and the devices come to rest. Resuming goes the other way round. It may come at any time:
/// whatever has not come to rest by then (a disk that does not answer, say) just goes on. On the device thread.
final class PauseControl: @unchecked Sendable {
  // SAFETY: @unchecked: on the device thread alone; others only hand it on.

  /// Hears whether the machine is paused.
  typealias Caller = @Sendable (Bool) -> Void

  private enum Stage {
    case running
    case holding
    case suspending
    case paused
  }

  private unowned let machine: any PausableMachine
  private let thread: any DeviceThread
  private let changed: (Inspection.State) -> Void
  private var stage = Stage.running
  /// Which pause it is: what finishes late and belongs to an earlier one means nothing.
  private var pauses: UInt64 = 0
  private var callers: [(finished: Caller, isOfBoot: Bool)] = []

  /// - Parameters:
  ///   - machine: has to outlive this.
  ///   - thread: the device thread.
  ///   - changed: called with each new state, before the callers.
  init(_ machine: any PausableMachine, _ thread: any DeviceThread, changed: @escaping (Inspection.State) -> Void) {
    self.machine = machine
    self.thread = thread
    self.changed = changed
  }

  /// What the machine does.
  var state: Inspection.State {
    switch stage {
    case .running: .running
    case .holding, .suspending: .pausing
    case .paused: .paused
    }
  }

  /// Pauses the machine, or waits with those who have begun to.
  ///
  /// - Parameters:
  ///   - isOfBoot: whether nobody waits for it any more when the boot ends.
  ///   - finished: called once, on the device thread: true when it is paused, false where it goes on instead. Not
  ///     called where the boot ends before: ``end()`` has it.
  func pause(isOfBoot: Bool = false, _ finished: @escaping Caller) {
    if stage == .paused { return finished(true) }
    callers.append((finished, isOfBoot))
    guard stage == .running else { return }
    stage = .holding
    pauses += 1
    changed(.pausing)
    let pause = pauses
    machine.holdVCPUs { [weak self, thread] areHeld in
      // Whoever lets them go instead answers the callers.
      guard areHeld, let self else { return }
      thread.post { self.vCPUsAreHeld(pause) }
    }
  }

  /// The machine begins as one that is paused: its time stands and its devices rest already. Before its vCPUs run.
  func beginPaused() {
    precondition(stage == .running, "a machine begins once")
    stage = .paused
    machine.holdVCPUs { _ in }
    changed(.pausing)
    changed(.paused)
  }

  private func vCPUsAreHeld(_ pause: UInt64) {
    guard stage == .holding, pause == pauses else { return }
    stage = .suspending
    machine.stopTime()
    machine.suspendDevices { [weak self] in self?.devicesAreSuspended(pause) }
  }

  private func devicesAreSuspended(_ pause: UInt64) {
    guard stage == .suspending, pause == pauses else { return }
    stage = .paused
    changed(.paused)
    answer(true)
  }

  /// Has the machine go on, whatever has become of a pause so far.
  func resume() {
    guard stage != .running else { return }
    undo()
    machine.releaseVCPUs()
    changed(.running)
    answer(false)
  }

  /// The boot ends, and its vCPUs have: a pause ends with it. Devices go on, for what they are still to bring out.
  ///
  /// - Returns: those who wait for a pause still, also one of another boot.
  func end() -> [Caller] {
    undo()
    defer { callers = [] }
    return callers.filter { !$0.isOfBoot }.map(\.finished)
  }

  private func undo() {
    if stage == .suspending || stage == .paused {
      machine.resumeDevices()
      machine.startTime()
    }
    stage = .running
  }

  private func answer(_ isPaused: Bool) {
    let answered = callers
    callers = []
    for caller in answered { caller.finished(isPaused) }
  }
}
