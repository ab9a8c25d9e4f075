import CHost
internal import Glibc
package import Host
package import Logging

/// Keeps a network card's passt running: when it dies the guest's link goes down, and comes back with the next one.
///
/// All on the device thread.
package final class PasstSupervisor {
  /// How long a new process has to live before the link is up again, in nanoseconds.
  private static let settling: UInt64 = 100_000_000
  /// The first pause before a new process, which doubles up to the last.
  private static let firstPause: UInt64 = 100_000_000
  private static let lastPause: UInt64 = 5_000_000_000
  /// A process that lived so long is no sign of a lasting trouble.
  private static let goodLife: UInt64 = 10_000_000_000
  /// The first process that ends by itself within this time cannot do what it is told.
  private static let startLimit: UInt64 = 5_000_000_000
  private let name: String
  private let path: String
  private let arguments: [String]
  private let backend: StreamNetworkBackend
  private let loop: EventLoop
  private let logger: Logger
  private let cannotServe: (String) -> Void
  private let timer: HostTimer
  private var setLink: (Bool) -> Void = { _ in }

  private var program: ChildProgram?
  private var startTime: UInt64 = 0
  private var pause = firstPause
  private var processes = 0
  private var words = ProgramWords()

  /// - Parameters:
  ///   - name: the device's.
  ///   - path: the program.
  ///   - arguments: the program's, the first of which is its name.
  ///   - cannotServe: called with the reason where the first process ends at once: it cannot do what it is told.
  package init(
    name: String,
    path: String,
    arguments: [String],
    backend: StreamNetworkBackend,
    loop: EventLoop,
    logger: Logger,
    cannotServe: @escaping (String) -> Void
  ) throws(HostError) {
    self.name = name
    self.path = path
    self.arguments = arguments
    self.backend = backend
    self.loop = loop
    self.cannotServe = cannotServe
    self.logger = logger
    timer = try HostTimer()
  }

  /// Starts the first process; the link is up at once.
  ///
  /// - Throws: where it does not start, or the loop takes no more.
  package func connect(_ setLink: @escaping (Bool) -> Void) throws {
    self.setLink = setLink
    _ = try loop.add(
      timer.rawValue,
      EventLoop.readable,
      ClosureHandler(lasts: true) { [unowned self] _ in timerFired() }
    )
    try start()
  }

  /// The number of the process that runs, if one does.
  package var process: Int32? { program?.process }

  private func start() throws {
    let program = try PasstProgram.start(path, arguments)
    do {
      _ = try loop.add(
        program.end.rawValue,
        EventLoop.readable,
        ClosureHandler(lasts: true) { [unowned self] _ in ended() }
      )
      _ = try loop.add(
        program.output.rawValue,
        EventLoop.readable,
        ClosureHandler(lasts: true) { [unowned self] _ in log() }
      )
      try backend.attach(program.takeSocket())
    } catch {
      loop.remove(program.end.rawValue)
      loop.remove(program.output.rawValue)
      throw error
    }
    self.program = program
    startTime = HostClock.monotonic
    processes += 1
  }

  private func timerFired() {
    timer.clear()
    guard program == nil else { return setLink(true) }
    do {
      try start()
      timer.arm(after: Self.settling)
    } catch {
      logger.warning("\(name): \(error)")
      pauseAndStart()
    }
  }

  private func pauseAndStart() {
    timer.arm(after: pause)
    pause = min(2 * pause, Self.lastPause)
  }

  /// The socket is of no use any more: the process has ended or is to end.
  package func lost() {
    guard let program else { return }
    // Its end is what comes next; nobody waits for one that hangs.
    program.kill()
    linkDown()
  }

  private func linkDown() {
    timer.disarm()
    backend.detach()
    setLink(false)
  }

  private func ended() {
    guard let end = program?.takeEnd() else { return }
    log()
    removeProgram()
    linkDown()
    let life = HostClock.monotonic - startTime
    let reason = end.text
    let text = words.last.isEmpty ? reason : "\(reason) (\(words.last))"
    if processes == 1, end.is_unknown || !end.by_signal && end.status != 0, life < Self.startLimit {
      cannotServe("passt \(text)")
      return
    }
    if life > Self.goodLife { pause = Self.firstPause }
    logger.warning("\(name): passt \(text): the link is down until it is started again")
    pauseAndStart()
  }

  private func removeProgram() {
    guard let program else { return }
    self.program = nil
    loop.remove(program.end.rawValue)
    loop.remove(program.output.rawValue)
  }

  /// Passes on what passt says.
  private func log() {
    guard let bytes = program?.takeOutput() else { return }
    words.take(bytes) { logger.info("\(name): passt: \($0)") }
  }

  /// Ends the program and takes everything out of the loop.
  package func shutDown() {
    loop.remove(timer.rawValue)
    removeProgram()
    backend.shutDown()
  }
}
