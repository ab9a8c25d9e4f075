import Host
internal import Synchronization

/// What can be told of a run from any thread, also where its device thread does not come back.
final class RunProgress: Sendable {
  /// When the run began, in nanoseconds of the monotonic clock.
  let started = HostClock.monotonic
  let firstEntry = FirstEntry()
  /// By which the machine's time limit goes. It stands with the guest's time.
  let clock = StoppableClock()
  private let noted = Mutex(Noted())

  /// Not a tuple: the metadata of one is made at run time.
  private struct Noted {
    var count = 0
    var machine: Report.Machine?
  }

  /// A machine was assembled, and starts.
  func note(_ machine: Report.Machine) {
    noted.withLock { noted in
      noted.count += 1
      noted.machine = machine
    }
  }

  /// How often a machine was assembled.
  var boots: Int { noted.withLock { $0.count } }

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
    time.paused = clock.stood
    (time.user, time.system) = HostClock.processTimes
    if let entry = firstEntry.time {
      time.wallToFirstInstruction = entry.wall - started
      time.processorToFirstInstruction = entry.processor
    }
    let noted = noted.withLock { $0 }
    return Report(
      outcome: outcome,
      machine: noted.machine,
      devices: devices,
      peripherals: peripherals,
      boots: noted.count,
      pauses: clock.stops,
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
