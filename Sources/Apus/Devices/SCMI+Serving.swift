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

  /// A device, and what stands behind it.
  private struct Served {
    let device: SCMIDevice<PlatformTimer>
    let timer: PlatformTimer
    let platform: ServedPlatform
    let agent: Int
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
    let timer = try PlatformTimer(shared)
    let device = makeSCMIDevice(
      name: name,
      platform: shared,
      agent: agent,
      timer: timer,
      queueSizes: (Self.queueSize, Self.queueSize)
    )
    let thread = server.deviceThread
    let attachment = SharedPlatform.Attachment(
      wake: { Self.deliver(device, thread) },
      act: { [logger] event in
        guard case .systemPower(_, let state, let isGraceful) = event else { return }
        let manner = isGraceful ? "gracefully" : "forcefully"
        logger.notice("agent \(name) asked for the system power state \(state), \(manner): its monitor is not told")
      }
    )
    guard shared.attach(agent, attachment) else { throw HostError("attach", errno: 0, advice: "try again") }
    let handler = ClosureHandler { _ in
      timer.fired()
      if device.timerFired() { Self.deliver(device, thread) }
    }
    do throws(HostError) {
      _ = try server.loop.add(timer.timer.rawValue, EventLoop.readable, handler)
    } catch {
      shared.detach(agent)
      throw error
    }
    served = Served(device: device, timer: timer, platform: platform, agent: agent)
    platform.use()
    device.armTimer()
    return device
  }

  /// Brings messages to the guest, in turns.
  private static func deliver(_ device: SCMIDevice<PlatformTimer>, _ thread: any DeviceThread) {
    thread.post {
      if device.platformChanged() { deliver(device, thread) }
    }
  }

  func isCurrent(_ device: any VirtioDevice) -> Bool { served?.platform.isCurrent ?? false }

  func release(_ device: any VirtioDevice) {
    guard let served else { return }
    self.served = nil
    server.loop.remove(served.timer.timer.rawValue)
    let dropped = served.device.counters.droppedNotifications
    if dropped > 0 { logger.notice("\(served.device.name): \(dropped) messages found no buffer of the guest's") }
    served.platform.platform.detach(served.agent)
    served.platform.leave()
  }
}
