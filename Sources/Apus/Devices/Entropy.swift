import HostBackends
import Virtio
import VirtioDevices

/// The entropy device has the host's random numbers, which need no opening.
final class EntropyResource: DeviceResource {
  override func makeDevice(_ place: BootPlace) -> any VirtioDevice {
    makeEntropyDevice(name: place.place.name, source: HostEntropy())
  }
}
