package import Host
package import Virtio

/// Shows devices to front-ends, such as QEMU, by sockets: one front-end at a time on each, while others wait.
///
///     let server = try VhostUserServer { line in print(line) }
///     try server.listen(at: "/run/user/1000/device.sock", source)
///     try server.run()
///
/// Devices work on the thread that calls ``run()``; so does everything here but ``stop()``.
public final class VhostUserServer {
  let thread: VhostUserThread
  private let log: @Sendable (String) -> Void
  private var places: [VhostUserPlace] = []
  private var connected: VhostUserSession?

  /// - Parameter log: gets a line, without a line feed, for each front-end that comes and goes and for what drivers and
  ///   front-ends do wrong. Of a flood of lines it gets some and how many the others were.
  /// - Throws: where the host has no descriptors left.
  public init(log: @escaping @Sendable (String) -> Void) throws {
    thread = try VhostUserThread()
    let limiter = LineLimiter(log)
    self.log = { limiter.say($0) }
  }

  /// The loop that ``run()`` runs, for what else is to be done there.
  package var loop: EventLoop { thread.loop }

  /// The thread of that loop, for devices and for who has something to do there.
  package var deviceThread: any DeviceThread { thread }

  /// Listens on a UNIX socket that is made, for this user alone. One at the place that nobody listens on any more is
  /// replaced. The name goes with the server.
  ///
  /// - Parameters:
  ///   - path: in at most 107 bytes.
  ///   - source: gives each front-end its device.
  /// - Throws: why there is no listening, with what to do about it.
  public func listen(at path: String, _ source: any VhostUserDeviceSource) throws {
    try open(path, source)
  }

  /// The same, with an error that knows whose fault it is.
  package func open(_ path: String, _ source: any VhostUserDeviceSource) throws(ListeningError) {
    let place = VhostUserPlace(
      try ListeningSocket(path: path, backlog: 16, isPrivate: true),
      path,
      source,
      thread,
      log
    )
    do throws(HostError) {
      _ = try thread.loop.add(place.listening, EventLoop.readable, place)
    } catch {
      throw ListeningError(.hostFailure, "cannot wait for front-ends on '\(path)': \(error)")
    }
    places.append(place)
  }

  /// Listens for the front-ends of a device that answers requests; see ``listen(at:_:)``.
  ///
  /// - Throws: as that.
  public func listen(at path: String, answering service: any VhostUserService) throws {
    try listen(at: path, VhostUserServiceSource(service))
  }

  /// The device that a service is.
  package static func device(answering service: any VhostUserService) -> any VirtioDevice { ServiceDevice(service) }

  /// Serves a front-end that is connected already, beside those of the sockets that are listened on.
  ///
  /// - Parameter ended: called when it has gone, or was sent away.
  /// - Throws: what the source throws, or where the host has no descriptors left.
  package func serve(
    _ socket: VhostUserSocket,
    _ source: any VhostUserDeviceSource,
    ended: @escaping () -> Void
  ) throws {
    connected = try VhostUserSession(
      socket,
      source: source,
      thread: thread,
      observer: FaultLines("socket", log),
      ended: { [unowned self] _ in
        connected = nil
        ended()
      }
    )
  }

  /// Serves until ``stop()``, or a handler of the loop stops it. Front-ends are sent away at its end.
  ///
  /// - Throws: where the host refuses to wait.
  public func run() throws {
    try thread.loop.run()
    let left = places
    places = []
    for place in left { place.close() }
    // Devices that are at work come to rest, for as long as a front-end would wait, too.
    guard left.contains(where: \.isServing) else { return }
    let timer = SharedTimer(try HostTimer())
    timer.value.arm(after: 1_000_000_000)
    let handler = ClosureHandler { [thread] _ in thread.loop.stop() }
    _ = try thread.loop.add(timer.value.rawValue, EventLoop.readable, handler)
    for place in left { place.onEnd = { [thread] in if !left.contains(where: \.isServing) { thread.loop.stop() } } }
    try thread.loop.run()
    thread.loop.remove(timer.value.rawValue)
  }

  /// Serves one device at a path until SIGINT, SIGTERM or SIGHUP comes: all that a program needs that is a device.
  /// Lines about it go to standard error.
  ///
  /// - Parameters:
  ///   - service: the device.
  ///   - path: of the socket; see ``listen(at:_:)``.
  /// - Throws: why there is no listening, with what to do about it; or where the host fails.
  public static func serve(_ service: any VhostUserService, at path: String) throws {
    StandardStreams.reserve()
    let signals = try SignalDescriptor.stop()
    let server = try VhostUserServer { StandardStreams.writeError("\($0)\n") }
    try server.listen(at: path, VhostUserServiceSource(service))
    let loop = server.loop
    let handler = ClosureHandler { _ in
      // One that was left would come when they do again what they did before.
      if signals.take() != nil { loop.stop() }
    }
    _ = try loop.add(signals.rawValue, EventLoop.readable, handler)
    try withExtendedLifetime(signals) { try server.run() }
  }

  /// Ends ``run()``. From any thread.
  public func stop() {
    thread.post { [thread] in thread.loop.stop() }
  }
}
