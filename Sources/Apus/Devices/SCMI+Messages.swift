import DeviceMessages
import SCMI
import VirtioDevices

extension Configuration.Device.SCMI {
  /// The platform in a process of its own: what it does to its machine is told and has no effect, for the machine is
  /// another process's, which knows nothing of platforms.
  func openServed(_ service: ServicePlace) throws -> ServedModel? {
    guard let place = try openPlatform(nil, device: 0) else { preconditionFailure("an SCMI device has a platform") }
    let served = try SCMIDeviceElsewhere(
      name: "scmi",
      place.platform,
      agent: place.agent,
      guest: "the guest",
      reason: "nobody here can do that",
      .init(loop: service.loop, thread: service.thread, logger: service.logger)
    )
    served.device.armTimer()
    return ServedModel(device: served.device) { served.close() }
  }
}
