import Host
import HostBackends
internal import Logging
import SCMI
import VhostUser
import Virtio
import VirtioDevices

/// A platform that is served, for as long as a driver or a socket has it.
final class ServedPlatform {
  let platform: SharedPlatform
  /// Whether drivers that start get it.
  var isCurrent = true { didSet { closeIfUnused() } }
  /// How many drivers have it.
  private var users = 0
  /// Of the platform's deadlines while no driver is there, whose device has a timer of its own.
  private let timer: PlatformTimer
  private let loop: EventLoop
  private var recording: SharedPlatform.Recording?

  /// - Throws: where the host has no timer left.
  init(_ platform: SharedPlatform, _ transcript: TranscriptFile?, _ loop: EventLoop) throws(HostError) {
    self.platform = platform
    self.loop = loop
    timer = try PlatformTimer(platform)
    if let transcript { recording = platform.record { transcript.append($0) } }
    let handler = ClosureHandler { [unowned self] _ in
      timer.fired()
      platform.advance()
      arm()
    }
    _ = try loop.add(timer.timer.rawValue, EventLoop.readable, handler)
    arm()
  }

  /// Makes the platform of a file, on a clock of its own.
  static func open(_ path: String) throws(ConfigurationError) -> SharedPlatform {
    try Configuration.Device.SCMI.platform(path, StoppableClock(), .device(0, .scmi(.source)))
  }

  private func arm() { timer.arm(users == 0 && isCurrent ? platform.nextDeadline : nil) }

  func use() {
    users += 1
    arm()
  }

  func leave() {
    users -= 1
    arm()
    closeIfUnused()
  }

  private func closeIfUnused() {
    if users == 0, !isCurrent { close() }
  }

  /// No driver has it any more, and none will.
  func close() {
    loop.remove(timer.timer.rawValue)
    if let recording { platform.end(recording) }
    recording = nil
  }
}

/// Gives the front-ends of one socket their SCMI devices.
final class SCMIServerSource: VhostUserDeviceSource {
  /// What QEMU's devices have, which tell no other.
  private static let queueSize: UInt16 = 1024

  private(set) var platform: ServedPlatform
  private var agent: Int
  private let server: VhostUserServer
  private let logger: Logger
  private var served: Served?

  /// A device, and the platform that it is of.
  private struct Served {
    let device: SCMIDeviceElsewhere
    let platform: ServedPlatform
  }

  init(agent: Int, _ platform: ServedPlatform, _ server: VhostUserServer, _ logger: Logger) {
    self.agent = agent
    self.platform = platform
    self.server = server
    self.logger = logger
  }

  /// Drivers that start from now on find that platform.
  func follow(_ platform: ServedPlatform, agent: Int) {
    self.platform = platform
    self.agent = agent
  }

  func makeDevice() throws -> any VirtioDevice {
    let shared = platform.platform
    let name = shared.definition.agents[agent].name
    let device = try SCMIDeviceElsewhere(
      name: name,
      shared,
      agent: agent,
      queueSizes: (Self.queueSize, Self.queueSize),
      guest: "agent \(name)",
      reason: "its monitor is not told",
      .init(loop: server.loop, thread: server.deviceThread, logger: logger)
    )
    served = Served(device: device, platform: platform)
    platform.use()
    device.device.armTimer()
    return device.device
  }

  func isCurrent(_ device: any VirtioDevice) -> Bool { served?.platform.isCurrent ?? false }

  func release(_ device: any VirtioDevice) {
    guard let served else { return }
    self.served = nil
    let device = served.device.device
    let dropped = device.counters.droppedNotifications
    if dropped > 0 { logger.notice("\(device.name): \(dropped) messages found no buffer of the guest's") }
    served.device.close()
    served.platform.leave()
  }
}
