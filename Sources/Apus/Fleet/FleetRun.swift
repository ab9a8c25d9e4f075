import Host
import HostBackends
internal import Synchronization

/// One run of a fleet, on the thread that waits for it: signals, ends, and the consoles that it shows.
final class FleetRun {
  private let fleet: Fleet
  private let loop: EventLoop
  private let signals: SignalDescriptor?
  /// Signalled when a machine has ended.
  private let endEvent: SharedEventDescriptor
  private let consoles: FleetConsoles?
  /// The machines, by their places, whose ends have not been told.
  private var running: [Int]
  private let started = HostClock.monotonic

  /// How long a fleet that was ended from outside waits for who reads its output, in nanoseconds.
  private static let hurriedDrain: UInt64 = 200_000_000

  /// - Throws: where the host has no descriptor left.
  init(_ fleet: Fleet, takesSignals: Bool, showsConsoles: Bool) throws(HostError) {
    self.fleet = fleet
    // Before there are threads, which have the signals blocked then.
    signals = takesSignals ? try SignalDescriptor.stop() : nil
    loop = try EventLoop()
    endEvent = SharedEventDescriptor(try EventDescriptor())
    running = Array(fleet.machines.indices)
    consoles = showsConsoles ? try FleetConsoles(fleet.machines.map(\.configuration), loop) : nil
  }

  /// Starts all machines and waits for their ends.
  ///
  /// - Returns: why not all that they have written came out, where it is not one of them that says so.
  func untilEnd(_ ended: ((Machine, Report) -> Void)?) throws(HostError) -> Outcome? {
    defer { loop.removeAll() }
    if let signals {
      let handler = ClosureHandler { [unowned self] _ in if let signal = signals.take() { interrupt(by: signal) } }
      _ = try loop.add(signals.rawValue, EventLoop.readable, handler)
    }
    let handler = ClosureHandler { [unowned self] _ in tellEnds(ended) }
    _ = try loop.add(endEvent.value.rawValue, EventLoop.readable, handler)
    for (index, machine) in fleet.machines.enumerated() {
      machine.whenEnded { [endEvent] in endEvent.value.signal() }
      let isNew = fleet.start(machine, FleetMembership(console: consoles?.descriptor(of: index)))
      precondition(isNew, "a machine that has been started is not run")
    }
    try loop.run()
    return consoles.flatMap(drain)
  }

  /// Waits for the reader of standard output, as a machine alone does: until a signal comes, or the time limit is over,
  /// and not for long where the machines were ended from outside.
  private func drain(_ consoles: FleetConsoles) -> Outcome? {
    let isHurried = fleet.machines.allSatisfy { $0.finalReport?.isHurried == true }
    let limits = fleet.configuration.machines.map { $0.timeout?.nanoseconds ?? .max }
    let (sum, overflow) = started.addingReportingOverflow(limits.max() ?? .max)
    let deadline = isHurried ? HostClock.monotonic + Self.hurriedDrain : overflow ? .max : sum
    var outcome: Outcome?
    let drained = consoles.end {
      if let signal = signals?.take() { outcome = .interrupted(by: signal) }
      if !isHurried, HostClock.monotonic >= deadline { outcome = Outcome(.timedOut, "the time was over") }
      return outcome != nil || HostClock.monotonic >= deadline
    }
    return switch drained {
    case .all: nil
    case .cutOff: outcome
    case .lost(let error): Outcome(.hostFailure, "\(error)")
    }
  }

  private func interrupt(by signal: Int32) {
    for machine in fleet.machines { machine.interrupt(by: signal) }
  }

  private func tellEnds(_ ended: ((Machine, Report) -> Void)?) {
    endEvent.value.clear()
    for index in running {
      let machine = fleet.machines[index]
      guard let report = machine.finalReport else { continue }
      running.removeAll { $0 == index }
      // All that it has written stands before what is said of its end.
      consoles?.finish(index)
      ended?(machine, report)
    }
    if running.isEmpty { loop.stop() }
  }
}
