import Host
import HostBackends
internal import Logging
import SCMI
import Virtio
import VirtioDevices

/// An agent's device in a process that has no machine: its messages and its timer are brought to it, and what the agent
/// asks of its machine is told and has no effect.
final class SCMIDeviceElsewhere {
  let device: SCMIDevice<PlatformTimer>
  private let timer: PlatformTimer
  private let platform: SharedPlatform
  private let agent: Int
  private let loop: EventLoop

  /// Where it works, and who hears of it.
  struct Place {
    let loop: EventLoop
    let thread: any DeviceThread
    let logger: Logger
  }

  /// - Parameters:
  ///   - guest: who asks for a system power state, for people.
  ///   - reason: why it has none, for people.
  /// - Throws: where the host has no timer left, or somebody else has the agent's place.
  init(
    name: String,
    _ platform: SharedPlatform,
    agent: Int,
    queueSizes: (command: UInt16, event: UInt16) = (QueueSize.scmiCommand, QueueSize.scmiEvent),
    guest: String,
    reason: String,
    _ place: Place
  ) throws {
    (self.platform, self.agent, loop) = (platform, agent, place.loop)
    let timer = try PlatformTimer(platform)
    self.timer = timer
    let device = makeSCMIDevice(name: name, platform: platform, agent: agent, timer: timer, queueSizes: queueSizes)
    self.device = device
    let (thread, logger) = (place.thread, place.logger)
    let attachment = SharedPlatform.Attachment(
      wake: { Self.deliver(device, thread) },
      act: { event in
        guard case .systemPower(_, let state, let isGraceful) = event else { return }
        let manner = isGraceful ? "gracefully" : "forcefully"
        logger.notice("\(guest) asked for the system power state \(state), \(manner): \(reason)")
      }
    )
    guard platform.attach(agent, attachment) else { throw HostError("attach", errno: 0, advice: "try again") }
    let handler = ClosureHandler { _ in
      timer.fired()
      if device.timerFired() { Self.deliver(device, thread) }
    }
    do throws(HostError) {
      _ = try loop.add(timer.timer.rawValue, EventLoop.readable, handler)
    } catch {
      platform.detach(agent)
      throw error
    }
  }

  /// Brings messages to the guest, in turns.
  private static func deliver(_ device: SCMIDevice<PlatformTimer>, _ thread: any DeviceThread) {
    thread.post {
      if device.platformChanged() { deliver(device, thread) }
    }
  }

  /// The agent's place is free again.
  func close() {
    loop.remove(timer.timer.rawValue)
    platform.detach(agent)
  }
}
