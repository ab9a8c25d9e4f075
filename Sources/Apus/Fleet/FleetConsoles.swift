internal import CHost
internal import Glibc
import Host
import HostBackends

/// The consoles of a fleet's machines on standard output, a prefix before each line. On the thread that runs the fleet.
///
/// Each console leads into a socket, which is read as long as standard output takes what comes: a guest waits for a
/// reader that does not read, as it does alone.
final class FleetConsoles {
  private let loop: EventLoop
  private let outlet = Outlet(standardStream: STDOUT_FILENO)
  private var lines: PrefixedLines
  /// By machine; nil for those whose consoles lead elsewhere.
  private var sources: [Source?] = []
  /// Fires when the beginning of a line has waited for its end.
  private let timer: HostTimer
  private var isTimerArmed = false
  /// What is watched for room on standard output; the sources are not watched meanwhile.
  private var watchedRoom: Int32?
  private var hasFailed = false

  /// How long the beginning of a line waits for more at least, and twice that at most, in nanoseconds.
  private static let partialTime: UInt64 = 100_000_000
  /// How much is read at once, in bytes.
  private static let chunkSize = 16 << 10
  /// How long one wait for standard output's reader lasts at the end, in milliseconds.
  private static let drainPause: Int32 = 20

  private final class Source {
    let reading: OwnedDescriptor
    /// The machine's end.
    let writing: OwnedDescriptor

    /// - Throws: where the host has no descriptor left.
    init() throws(HostError) {
      var (first, second): (Int32, Int32) = (-1, -1)
      // SAFETY: the variables hold for the call.
      let error = unsafe chost_stream_pair(&first, &second)
      guard error == 0 else { throw HostError("socketpair", errno: error, advice: HostError.tooManyDescriptors) }
      reading = OwnedDescriptor(owning: first)
      writing = OwnedDescriptor(owning: second)
    }

    /// What has come; nil where there is nothing more.
    func read() -> [UInt8]? {
      // SAFETY: the buffer is this call's own and its size goes along.
      let bytes = unsafe [UInt8](unsafeUninitializedCapacity: FleetConsoles.chunkSize) { buffer, count in
        guard let base = buffer.baseAddress else { return }
        count = max(0, Int(unsafe chost_channel_read(reading.rawValue, true, base, buffer.count)))
      }
      return bytes.isEmpty ? nil : bytes
    }
  }

  /// - Throws: where the host has no descriptor left.
  init(_ machines: [Configuration], _ loop: EventLoop) throws(HostError) {
    self.loop = loop
    lines = PrefixedLines(names: machines.map(\.name))
    timer = try HostTimer()
    for machine in machines { sources.append(machine.console == .stream ? try Source() : nil) }
    let handler = ClosureHandler { [unowned self] _ in
      timer.clear()
      isTimerArmed = false
      lines.tick()
      armTimer()
      write()
    }
    _ = try loop.add(timer.rawValue, EventLoop.readable, handler)
    try watchSources()
  }

  /// Where a machine's console is to lead, or nil where the machine has another place for it.
  func descriptor(of machine: Int) -> Int32? { sources[machine]?.writing.rawValue }

  /// Takes all that a machine has written which has ended.
  func finish(_ machine: Int) {
    guard let source = sources[machine] else { return }
    loop.remove(source.reading.rawValue)
    sources[machine] = nil
    while let bytes = source.read() { lines.append(bytes, from: machine) }
    lines.flush(machine)
    write()
  }

  /// All machines have ended: waits until standard output has taken everything, or there is no use in waiting.
  ///
  /// - Parameter isOver: whether nobody waits any longer.
  func end(until isOver: () -> Bool) -> DrainedOutput {
    lines.end()
    while true {
      let movement = moveOutput()
      let failure = if case .failed(let errno) = movement { errno } else { outlet.failure }
      // Those whose output it was have heard of what went wrong before.
      guard failure == 0 else { return hasFailed ? .all : .lost(Self.failure(failure)) }
      if movement == .done, outlet.pending == 0 { return .all }
      if isOver() { return .cutOff }
      outlet.room.wait(milliseconds: Self.drainPause)
      outlet.answerRoom()
    }
  }

  private static func failure(_ errno: Int32) -> HostError {
    HostError("writing the guests' consoles", errno: errno, advice: "keep standard output open")
  }

  private func watchSources() throws(HostError) {
    for (index, source) in sources.enumerated() {
      guard let source else { continue }
      let handler = ClosureHandler { [unowned self] _ in take(from: index) }
      _ = try loop.add(source.reading.rawValue, EventLoop.readable, handler)
    }
  }

  private func take(from machine: Int) {
    guard let source = sources[machine], let bytes = source.read() else { return }
    lines.append(bytes, from: machine)
    armTimer()
    write()
  }

  private func armTimer() {
    guard lines.hasPartial, !isTimerArmed else { return }
    isTimerArmed = true
    timer.arm(after: Self.partialTime)
  }

  private func write() {
    guard watchedRoom == nil else { return }
    switch moveOutput() {
    case .done: break
    case .wouldBlock: waitForRoom()
    case .failed: fail()
    }
  }

  private enum Movement: Equatable {
    case done
    case wouldBlock
    case failed(errno: Int32)
  }

  /// Writes what there is, as far as it goes without waiting.
  private func moveOutput() -> Movement {
    while !lines.output.isEmpty {
      // SAFETY: the buffer holds for the call.
      let written = unsafe lines.output.withUnsafeBytes { unsafe outlet.offer($0) }
      if written == -Int(EAGAIN) { return .wouldBlock }
      guard written > 0 else { return .failed(errno: Int32(-written)) }
      lines.take(written)
    }
    return .done
  }

  /// Reads nothing until there is room.
  private func waitForRoom() {
    for case let source? in sources { loop.remove(source.reading.rawValue) }
    let room = outlet.room
    let handler = ClosureHandler { [unowned self] _ in
      loop.remove(room.descriptor)
      watchedRoom = nil
      outlet.answerRoom()
      write()
      if watchedRoom == nil, !hasFailed { try? watchSources() }
    }
    watchedRoom = room.descriptor
    // What epoll does not take never lacks room.
    if (try? loop.add(room.descriptor, room.events, handler)) != true { fail() }
  }

  /// Nobody takes the output any more: who writes sees that, as with a reader of its own that has gone.
  private func fail() {
    hasFailed = true
    for case let source? in sources {
      loop.remove(source.reading.rawValue)
      shutdown(source.reading.rawValue, Int32(SHUT_RD))
    }
  }
}
