import Apus
internal import Glibc

/// What it takes to pause a machine at work, and to have it go on:
/// `count --own OUTPUT LibraryBenchmark pause ROUNDS PATH COMMAND-LINE INITRAMFS DISK PLATFORM`.
///
/// The machine has four vCPUs and a device of each kind, and its command line has it use them all for ever. The
/// instructions of all threads of this program are counted from the call of ``Machine/pause()`` or ``Machine/resume()``
/// to its return, and printed as a line of JSON behind the word `pauses`.
enum PauseBenchmark {
  static func run(_ arguments: [String]) throws {
    guard let rounds = Int(arguments[0]), rounds > 0 else { fatalError("ROUNDS is no positive number") }
    let counters = Counters()
    var configuration = Configuration(kernel: arguments[1], initramfs: arguments[3], commandLine: arguments[2])
    configuration.cpuCount = 4
    configuration.memorySize = 128 << 20
    configuration.console = .standardStreams
    configuration.devices = [
      .init(.block(.init(path: arguments[4]))), .init(.entropy), .init(.network(.init(.tap(name: "tap0")))),
      .init(.console(.init(carriesConsole: false, ports: [.init("log", .file(path: "port"))]))),
      .init(.scmi(.init(path: arguments[5]))),
    ]
    let machine = try Machine(configuration)
    Task.detached { await measure(machine, rounds, counters) }
    let report = machine.run()
    precondition(report.pauses == rounds, report.message)
  }

  /// Pauses the machine and has it go on so often, prints what that took, and ends the machine.
  private static func measure(_ machine: Machine, _ rounds: Int, _ counters: Counters) async {
    var before = await work(machine)
    let first = before
    // Each device is at work.
    while zip(first, before).contains(where: { $1 < $0 + 20 }) {
      await pass(milliseconds: 5)
      before = await work(machine)
    }
    var (pauses, resumptions, readings) = (Costs(), Costs(), Costs())
    for round in 0..<rounds {
      // As long as it takes until the disk and two more devices have worked since the last round.
      var now = before
      repeat {
        await pass(milliseconds: 5)
        now = await work(machine)
      } while now[0] == before[0] || zip(before, now).filter({ $0 < $1 }).count < 3
      before = now
      readings.add(counters.begin(), counters.end())
      let start = counters.begin()
      let isPaused = await machine.pause()
      pauses.add(start, counters.end())
      precondition(isPaused, "round \(round): the machine did not pause")
      let goingOn = counters.begin()
      let hasGoneOn = await machine.resume()
      resumptions.add(goingOn, counters.end())
      precondition(hasGoneOn, "round \(round): the machine did not go on")
    }
    print("\npauses {\"pause\": \(pauses.json), \"resume\": \(resumptions.json), \"reading\": \(readings.json)}")
    machine.stop()
  }

  private static func pass(milliseconds: Int) async {
    // Nobody cancels this task.
    try? await Task.sleep(for: .milliseconds(milliseconds))
  }

  /// What each device has had to do so far.
  private static func work(_ machine: Machine) async -> [UInt64] {
    guard let inspection = await machine.inspect() else { fatalError("the machine has ended") }
    return inspection.devices.map { $0.kicks + $0.interrupts }
  }
}

/// Instructions of this program, and of the host's kernel for it.
private struct Counts {
  var user: UInt64
  var kernel: UInt64
}

/// The counters that `count --own` opened.
private struct Counters {
  private let user: Int32
  private let kernel: Int32

  init() {
    // SAFETY: nobody changes the environment; the text is copied.
    guard let text = unsafe getenv("COUNTERS").map({ unsafe String(cString: $0) }) else {
      fatalError("COUNTERS is not set; start this by 'count --own'")
    }
    let numbers = text.split(separator: ",").compactMap { Int32($0) }
    guard numbers.count == 2 else { fatalError("COUNTERS is \(text), which are no two descriptors") }
    (user, kernel) = (numbers[0], numbers[1])
  }

  /// To be read first: the kernel's last, so that as little as can be of the reading is counted.
  func begin() -> Counts {
    let user = take(user)
    return Counts(user: user, kernel: take(kernel))
  }

  /// The kernel's first.
  func end() -> Counts {
    let kernel = take(kernel)
    return Counts(user: take(user), kernel: kernel)
  }

  private func take(_ counter: Int32) -> UInt64 {
    var count: UInt64 = 0
    // SAFETY: the variable is written as far as it goes.
    let size = unsafe withUnsafeMutableBytes(of: &count) { unsafe read(counter, $0.baseAddress, $0.count) }
    guard size == MemoryLayout<UInt64>.size else { fatalError("counter \(counter) cannot be read") }
    return count
  }
}

/// What so many operations took.
private struct Costs {
  private var operations: UInt64 = 0
  private var user: UInt64 = 0
  private var kernel: UInt64 = 0
  private var most: UInt64 = 0

  mutating func add(_ start: Counts, _ end: Counts) {
    operations += 1
    user += end.user - start.user
    kernel += end.kernel - start.kernel
    most = max(most, end.user - start.user + end.kernel - start.kernel)
  }

  /// The mean of each place, and the most that both took together.
  var json: String {
    "{\"user\": \(user / operations), \"kernel\": \(kernel / operations), \"most\": \(most)}"
  }
}
