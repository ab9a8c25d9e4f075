import Apus
internal import CHost
import Glibc
import Host
import QEMUSyntax
import Synchronization

/// Answers a client of QEMU's machine protocol, on a thread of its own.
final class QMPServer: Sendable {
  /// What the answers depend on, and what happens changes.
  struct Status {
    /// Where the client's messages go, where there is one.
    var output: Outlet?
    /// Whether the client has said `qmp_capabilities`: before that it hears of no events.
    var isNegotiated = false
    /// Whether the guest has yet to begin.
    var isBeforeLaunch: Bool
    var isPaused: Bool
    /// What the client has asked for that ends a boot.
    var wish: Wish?

    /// What ends a boot.
    enum Wish {
      case quit
      case reset
    }
  }

  private enum Place {
    case descriptors(input: Int32)
    case listener(ListeningSocket)
  }

  let machine: Machine
  let name: String?
  let status: Mutex<Status>
  let package = "Apus \(ApusVersion.current)"
  private let place: Place

  /// How many bytes are taken at once.
  private static let pieceSize = 4096
  /// How long a client has to take what it is told at the end, in nanoseconds.
  private static let farewell: UInt64 = 200_000_000
  /// How long somebody who listens has to take a connection, in milliseconds.
  private static let patience: Int32 = 10_000

  /// Opens the way to the client. Where that is a socket on which it connects before the guest starts, waits for it.
  ///
  /// - Throws: ``QEMUSyntaxError`` where there is none.
  init(
    _ device: QEMUCharacterDevice,
    for machine: Machine,
    name: String?,
    isStopped: Bool
  ) throws(QEMUSyntaxError) {
    self.machine = machine
    self.name = name
    var status = Status(isBeforeLaunch: isStopped, isPaused: isStopped)
    switch device {
    case .client(let path):
      // SAFETY: the path holds for the call.
      let number = unsafe path.withHostPath { unsafe chost_socket_connect($0, Self.patience) }
      guard number >= 0 else {
        throw QEMUSyntaxError("-qmp unix:\(path)", "\(errorText(-number)); somebody has to listen there")
      }
      place = .descriptors(input: number)
      status.output = try Self.outlet(number)
    case .server(let path, let waits):
      let listener: ListeningSocket
      do throws(ListeningError) {
        listener = try ListeningSocket(path: path, isPrivate: true)
      } catch {
        throw QEMUSyntaxError("-qmp unix:\(path)", "\(error)")
      }
      place = .listener(listener)
      if waits { _ = chost_wait(listener.rawValue, Int16(POLLIN), -1) }
    default:
      place = .descriptors(input: STDIN_FILENO)
      status.output = Outlet(standardStream: STDOUT_FILENO)
    }
    self.status = Mutex(status)
  }

  private static func outlet(_ number: Int32) throws(QEMUSyntaxError) -> Outlet {
    do {
      return try Outlet(sharing: number)
    } catch {
      throw QEMUSyntaxError("-qmp", "\(error)")
    }
  }

  /// Begins to answer.
  ///
  /// - Throws: where the host gives no thread.
  func begin() throws(HostError) {
    machine.listen { [self] in tell($0) }
    try HostThread.startDetached(name: "qmp") { self.serve() }
  }

  /// The machine has ended: what the client has not taken yet waits for it a moment.
  func finish() {
    status.withLock { $0.output }?.finish(by: HostClock.monotonic + Self.farewell)
  }

  private func serve() {
    switch place {
    case .descriptors(let input): converse(input)
    case .listener(let listener):
      while true {
        _ = chost_wait(listener.rawValue, Int16(POLLIN), -1)
        let number = chost_socket_accept(listener.rawValue)
        guard number >= 0 else { continue }
        if let outlet = try? Self.outlet(number) {
          status.withLock { ($0.output, $0.isNegotiated) = (outlet, false) }
          converse(number)
          status.withLock { $0.output = nil }
          outlet.close()
        }
        close(number)
      }
    }
  }

  /// One client, from the greeting to its end.
  private func converse(_ input: Int32) {
    send(QMPMessage.greeting(package: package))
    var reader = QMPReader()
    while let bytes = Self.receive(input) {
      reader.append(bytes)
      while let next = reader.next() {
        switch next {
        case .success(let request): answer(request)
        case .failure(let mistake):
          send(QMPMessage.failure(.generic, mistake.description))
          if mistake.isLast { return }
        }
      }
    }
  }

  /// - Returns: nil where the client has gone.
  private static func receive(_ input: Int32) -> [UInt8]? {
    while true {
      _ = chost_wait(input, Int16(POLLIN), -1)
      var bytes = [UInt8](repeating: 0, count: pieceSize)
      // SAFETY: the buffer holds for the call and its size goes along.
      let count = unsafe read(input, &bytes, bytes.count)
      if count > 0 { return Array(bytes[..<count]) }
      if count < 0, errno == EINTR || errno == EAGAIN { continue }
      return nil
    }
  }

  /// Sends a message, from any thread. One that the client leaves no room for is lost.
  func send(_ message: QMPValue) {
    let bytes = Array((message.text + "\r\n").utf8)
    _ = status.withLock { $0.output }?.append(bytes)
  }

  // MARK: What happens

  private func tell(_ event: MachineEvent) {
    var events: [(String, [QMPValue.Member])] = []
    let isHeard = status.withLock { status in
      switch event.kind {
      case .state(.running):
        if status.isPaused { events.append(("RESUME", [])) }
        status.isPaused = false
      case .state(.paused):
        if !status.isPaused { events.append(("STOP", [])) }
        status.isPaused = true
      case .ended(let outcome): events += Self.events(of: outcome, &status, isOnce: isOnce)
      default: break
      }
      return status.isNegotiated
    }
    guard isHeard else { return }
    let time = chost_clock(CLOCK_REALTIME)
    for (name, data) in events { send(QMPMessage.event(name, data, time: time)) }
  }

  private var isOnce: Bool { machine.configuration.onReset == .stop }

  private static func events(
    of outcome: Outcome,
    _ status: inout Status,
    isOnce: Bool
  ) -> [(String, [QMPValue.Member])] {
    let wish = status.wish
    status.wish = nil
    status.isPaused = false
    let reset = wish == .reset ? "host-qmp-system-reset" : "guest-reset"
    func data(_ reason: String, isGuests: Bool) -> [QMPValue.Member] {
      [.init("guest", .boolean(isGuests)), .init("reason", .string(reason))]
    }
    switch outcome.end {
    case .reset:
      return [(isOnce ? "SHUTDOWN" : "RESET", data(reset, isGuests: wish != .reset))]
    case .poweredOff: return [("SHUTDOWN", data("guest-shutdown", isGuests: true))]
    case .panicked:
      let panic: [QMPValue.Member] = [.init("action", .string("poweroff"))]
      return [("GUEST_PANICKED", panic), ("SHUTDOWN", data("guest-panic", isGuests: true))]
    case .stopped where wish == .quit: return [("SHUTDOWN", data("host-qmp-quit", isGuests: false))]
    case .stopped, .interrupted: return [("SHUTDOWN", data("host-signal", isGuests: false))]
    default: return [("SHUTDOWN", data("host-error", isGuests: false))]
    }
  }
}
