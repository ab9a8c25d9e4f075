internal import CHost
internal import Glibc
internal import Host
internal import Virtio

/// A socket, and the front-end that is there now.
final class VhostUserPlace: EventHandler, @unchecked Sendable {
  // SAFETY: @unchecked: on the server's thread alone, but for the observer, which logs.

  /// How long nobody is taken where the host has no descriptor for one, in nanoseconds.
  private static let retryTime: UInt64 = 500_000_000

  /// Whose name goes with it.
  private var listener: ListeningSocket?
  /// What is watched for front-ends.
  let listening: Int32
  private let path: String
  private let source: any VhostUserDeviceSource
  private let thread: VhostUserThread
  private let log: @Sendable (String) -> Void
  private let observer: FaultLines
  private var session: VhostUserSession?
  private var isClosed = false
  var onEnd: () -> Void = {}

  init(
    _ listener: ListeningSocket,
    _ path: String,
    _ source: any VhostUserDeviceSource,
    _ thread: VhostUserThread,
    _ log: @escaping @Sendable (String) -> Void
  ) {
    self.listener = listener
    listening = listener.rawValue
    self.path = path
    self.source = source
    self.thread = thread
    self.log = log
    observer = FaultLines(path, log)
    super.init()
  }

  var isServing: Bool { session != nil }

  override func ready(_ events: UInt32) {
    guard session == nil, !isClosed else { return }
    let number = chost_socket_accept(listening)
    guard number >= 0 else {
      if number != -EAGAIN { waitAMoment("cannot take a front-end: \(errorText(-number))") }
      return
    }
    do {
      session = try VhostUserSession(
        VhostUserSocket(owning: number),
        source: source,
        thread: thread,
        observer: observer,
        ended: { [unowned self] in ended($0) }
      )
      log("\(path): a front-end has come")
      // The next one waits.
      thread.loop.change(listening, 0)
    } catch {
      waitAMoment("a front-end was sent away: \(error)")
    }
  }

  private func ended(_ reason: VhostUserError) {
    session = nil
    log(reason == .disconnected ? "\(path): the front-end has gone" : "\(path): the front-end was sent away: \(reason)")
    if !isClosed { thread.loop.change(listening, EventLoop.readable) }
    onEnd()
  }

  private func waitAMoment(_ text: String) {
    log("\(path): \(text)")
    guard let timer = try? HostTimer() else { return }
    let shared = SharedTimer(timer)
    let handler = ClosureHandler { [self] _ in
      thread.loop.remove(shared.value.rawValue)
      if session == nil, !isClosed { thread.loop.change(listening, EventLoop.readable) }
    }
    guard let isAdded = try? thread.loop.add(shared.value.rawValue, EventLoop.readable, handler), isAdded else {
      return
    }
    shared.value.arm(after: Self.retryTime)
    thread.loop.change(listening, 0)
  }

  /// Takes nobody any more, and ends the conversation that there is.
  func close() {
    guard !isClosed else { return }
    isClosed = true
    thread.loop.remove(listening)
    listener = nil
    session?.end(.unusable("the server ends"))
  }
}

/// Says what drivers do wrong.
final class FaultLines: DriverFaultObserver {
  private let path: String
  private let log: @Sendable (String) -> Void

  init(_ path: String, _ log: @escaping @Sendable (String) -> Void) {
    self.path = path
    self.log = log
  }

  func driverMisbehaved(_ event: DriverFaultEvent) { log("\(path): \(event.description)") }
}
