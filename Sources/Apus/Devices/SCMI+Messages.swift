import DeviceMessages
import Host
import HostBackends
internal import Logging
import SCMI
import VirtioDevices

extension Configuration.Device.SCMI {
  /// The platform in a process of its own: what it does to its machine is told and has no effect, for the machine is
  /// another process's, which knows nothing of platforms.
  func openServed(_ service: ServicePlace) throws -> ServedModel? {
    guard let place = try openPlatform(nil, device: 0) else { preconditionFailure("an SCMI device has a platform") }
    let (thread, logger) = (service.thread, service.logger)
    let timer = try PlatformTimer(place.platform)
    let device = makeSCMIDevice(name: "scmi", platform: place.platform, agent: place.agent, timer: timer)
    @Sendable func deliver() {
      thread.post {
        if device.platformChanged() { deliver() }
      }
    }
    let attachment = SharedPlatform.Attachment(
      wake: { deliver() },
      act: { event in
        guard case .systemPower(_, let state, let isGraceful) = event else { return }
        let manner = isGraceful ? "gracefully" : "forcefully"
        logger.notice("the guest asked for the system power state \(state), \(manner); nobody here can do that")
      }
    )
    precondition(place.platform.attach(place.agent, attachment), "the platform is this process's own")
    _ = try service.loop.add(
      timer.timer.rawValue,
      EventLoop.readable,
      ClosureHandler { _ in
        timer.fired()
        if device.timerFired() { deliver() }
      }
    )
    device.armTimer()
    return ServedModel(device: device) { place.platform.detach(place.agent) }
  }
}
