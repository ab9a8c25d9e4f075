import Host
internal import Synchronization

/// What can be told of a run from any thread, also where its device thread does not come back.
final class RunProgress: Sendable {
  /// When the run began, in nanoseconds of the monotonic clock.
  let started = HostClock.monotonic
  let firstEntry = FirstEntry()
  /// By which the machine's time limit goes. It stands with the guest's time.
  let clock = StoppableClock()
  /// Processor time of the machine's own threads, where the process has other machines, too; nil where all of the
  /// process's is the machine's.
  let threadTimes: ThreadTimes?
  private let noted = Mutex(Noted())

  /// - Parameter sharesProcess: whether the process has other machines, too.
  init(sharesProcess: Bool = false) {
    threadTimes = sharesProcess ? ThreadTimes() : nil
  }

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
    memory: Report.Memory = Report.Memory(),
    gunyah: Report.Gunyah? = nil
  ) -> Report {
    var time = Report.Time()
    time.wall = HostClock.monotonic - started
    time.paused = clock.stood
    (time.user, time.system) = threadTimes?.sum ?? HostClock.processTimes
    if let entry = firstEntry.time {
      time.wallToFirstInstruction = entry.wall - started
      if threadTimes == nil { time.processorToFirstInstruction = entry.processor }
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
      memory: memory,
      gunyah: gunyah
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

/// Processor time of threads that have ended, or are about to.
final class ThreadTimes: Sendable {
  private struct Times {
    var user: UInt64 = 0
    var system: UInt64 = 0
  }

  private let times = Mutex(Times())

  /// Adds what the calling thread has used so far. Once for each thread.
  func addCallingThread() {
    let (user, system) = HostClock.threadTimes
    times.withLock { times in
      times.user += user
      times.system += system
    }
  }

  /// Nanoseconds in user mode, guests included, and in the kernel.
  var sum: (user: UInt64, system: UInt64) { times.withLock { ($0.user, $0.system) } }
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
