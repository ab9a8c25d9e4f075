import HostBackends
import Virtio
import VirtioDevices

/// A disk's image, open and locked from the configuration's check to the end of the run.
final class BlockResource: DeviceResource {
  private let block: Configuration.Device.Block
  private let image: DiskImage
  /// The present boot's.
  private var backend: FileBlockBackend?

  init(_ block: Configuration.Device.Block, _ image: DiskImage) {
    self.block = block
    self.image = image
  }

  override func makeDevice(_ place: BootPlace) throws -> any VirtioDevice {
    let backend = try FileBlockBackend(image, name: place.place.name, logger: place.logger)
    self.backend = backend
    let device = makeBlockDevice(
      name: place.place.name,
      backend: backend,
      serial: block.serial,
      queueCount: block.queueCount
    )
    try backend.connect(place.loop) { [unowned device] in device.backendReady() }
    return device
  }

  override func stop() { backend?.stop() }

  override var isWorking: Bool { backend?.isWorking ?? false }

  override func abandon() -> String {
    backend?.abandonWorkers()
    return "disk '\(image.path)' does not answer: what waits for it is left behind"
  }

  override func release() {
    backend?.shutDown()
    backend = nil
  }
}
