package import DeviceMessages
import Host
package import Logging
import Virtio

/// Serves a device to machines in other processes, by messages: this process gets nothing of their memory.
package final class DeviceService {
  private let loop: EventLoop
  private let thread: ServerThread
  private let signals: SignalDescriptor
  private let server: DeviceServer
  private let model: ServedModel

  /// Opens what the device needs, and listens.
  ///
  /// - Parameters:
  ///   - device: a disk, random numbers or a place on the SCMI platform of a file.
  ///   - path: of the socket that is made.
  ///   - coding: how the device's state is written; nil where it can't be taken.
  /// - Throws: ``ConfigurationError`` for the device, `ListeningError` for the socket, or what the host refuses.
  package init(
    _ device: Configuration.Device.Kind,
    socket path: String,
    coding: StateCoding?,
    logger: Logger
  ) throws {
    let loop = try EventLoop()
    let thread = try ServerThread(loop)
    let model = try Self.open(device, ServicePlace(loop: loop, thread: thread, logger: logger))
    let listener = try ListeningSocket(path: path, backlog: 16, isPrivate: true)
    signals = try SignalDescriptor.stop()
    let limiter = LineLimiter { logger.notice("\($0)") }
    server = try DeviceServer(model.device, listener, loop: loop, thread: thread, coding: coding) { limiter.say($0) }
    self.loop = loop
    self.thread = thread
    self.model = model
    let signals = signals
    let handler = ClosureHandler { _ in
      // One that nobody takes would end the process when it is a signal again.
      if signals.take() != nil { loop.stop() }
    }
    _ = try loop.add(signals.rawValue, EventLoop.readable, handler)
  }

  /// Serves one machine after the other, until a signal asks for the end.
  ///
  /// - Throws: what the host refuses.
  package func run() throws {
    try loop.run()
    server.close()
    thread.end()
    model.shutDown()
    signals.giveBack()
  }

  private static func open(_ device: Configuration.Device.Kind, _ place: ServicePlace) throws -> ServedModel {
    let problems = device.value.problems(device: 0)
    guard problems.isEmpty else { throw ConfigurationError(problems: problems) }
    if let model = try device.value.openServed(place) { return model }
    throw ConfigurationError(.usage, .device(0, .whole), "such devices are not served by messages")
  }
}

/// What a process that serves a device has for it.
struct ServicePlace {
  let loop: EventLoop
  let thread: ServerThread
  let logger: Logger
}

/// A device that is served, and how what stands behind it ends.
struct ServedModel {
  let device: any VirtioDevice
  var shutDown: () -> Void = {}
}
