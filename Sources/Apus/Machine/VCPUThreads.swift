import Host
import KVM
internal import Synchronization

/// The threads of all vCPUs, and the watchdog that looks after them. On the device thread.
final class VCPUThreads {
  private let runners: [VCPURunner]
  /// In the order of the vCPUs.
  let threads: [HostThread]
  private let machine: RunningMachine
  private let loop: EventLoop

  /// Fires when vCPUs that have not come back are to be looked at.
  private let watchdog: HostTimer
  private var interval = firstInterval
  private var exitsSeen: [UInt64]
  private var onFirstLook: (() -> Void)?

  /// The first look, and the time between looks once nothing has been found for long, in nanoseconds.
  private static let firstInterval: UInt64 = 250_000_000
  private static let lastInterval: UInt64 = 2_000_000_000

  /// Starts all vCPUs.
  ///
  /// - Parameter onFirstLook: called once, when the vCPUs have run for a quarter of a second.
  init(
    _ runners: [VCPURunner],
    on machine: RunningMachine,
    loop: EventLoop,
    progress: RunProgress,
    onFirstLook: @escaping () -> Void
  ) throws(HostError) {
    self.runners = runners
    self.onFirstLook = onFirstLook
    self.machine = machine
    self.loop = loop
    exitsSeen = runners.map { _ in 0 }
    watchdog = try HostTimer()
    // The others first: they wait for PSCI's CPU_ON, and the first vCPU's time counts from its entry.
    var threads: [HostThread] = []
    do {
      for runner in runners.reversed() {
        let thread = try HostThread(name: "vcpu " + decimalDigits(UInt64(runner.vcpu.index))) {
          runner.run(on: machine) { if runner.vcpu.index == 0 { progress.firstEntry.note() } }
          progress.threadTimes?.addCallingThread()
        }
        threads.insert(thread, at: 0)
      }
      self.threads = threads
    } catch {
      Self.stop(threads, runners.suffix(threads.count), machine)
      throw error
    }
    _ = try loop.add(
      watchdog.rawValue,
      EventLoop.readable,
      ClosureHandler { [unowned self] _ in look() }
    )
    watchdog.arm(after: interval)
  }

  /// Ends all threads and waits for them.
  func stop() {
    loop.remove(watchdog.rawValue)
    Self.stop(threads, runners[...], machine)
  }

  private static func stop(_ threads: [HostThread], _ runners: ArraySlice<VCPURunner>, _ machine: RunningMachine) {
    machine.isStopping.store(true, ordering: .releasing)
    machine.hold.close()
    for (runner, thread) in zip(runners, threads) { runner.kick(thread) }
    for thread in threads { thread.join() }
  }

  /// Has all vCPUs wait before their next instruction. One that waits for the device thread comes when that has
  /// answered.
  ///
  /// - Parameter finished: called once, on any thread: true when all wait, false where they go on or end instead.
  func hold(for reason: VCPUHold.Reason, _ finished: @escaping @Sendable (Bool) -> Void) {
    machine.hold.begin(reason, runners.count, finished)
    for (runner, thread) in zip(runners, threads) { runner.kick(thread) }
  }

  /// Ends a hold. The vCPUs go on where nobody else holds them.
  func release(from reason: VCPUHold.Reason) {
    machine.hold.end(reason)
  }

  /// Whether the vCPUs wait, or are to.
  var areHeld: Bool { machine.hold.isWanted }

  /// A vCPU that has not come back since the last look may compute, sleep, or be caught in an abort loop.
  private func look() {
    watchdog.clear()
    onFirstLook.take()?()
    // Whoever waits does not come back.
    if areHeld { return watchdog.arm(after: interval) }
    for (index, runner) in runners.enumerated() {
      let exits = runner.exitsSoFar
      if exits == exitsSeen[index] { runner.inspect(threads[index]) }
      exitsSeen[index] = exits
    }
    interval = min(interval * 2, Self.lastInterval)
    watchdog.arm(after: interval)
  }
}
