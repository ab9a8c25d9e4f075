import HostBackends
import Virtio
import VirtioDevices

extension Configuration.Device {
  /// Random numbers from the host's, which there is nothing to say about.
  struct Entropy {}
}

extension Configuration.Device.Entropy: DeviceKind {
  init(from decoder: any Decoder) throws {
    _ = try CodedObject(decoder, keys: [])
  }

  func encode(to encoder: any Encoder) throws {
    _ = encoder.container(keyedBy: CodedKey.self)
  }

  /// One buffer at a time, of a cache line.
  var windowNeed: UInt64 { DriverMemory.page + DriverMemory.smallestBuffer }

  func open(
    device index: Int,
    of configuration: Configuration,
    platform: SCMIPlace?
  ) throws(ConfigurationError) -> DeviceResource? {
    EntropyResource()
  }

  func openServed(_ place: ServicePlace) -> ServedModel? {
    ServedModel(device: makeEntropyDevice(name: "entropy", source: HostEntropy()))
  }
}

/// The entropy device has the host's random numbers, which need no opening.
final class EntropyResource: DeviceResource {
  override func makeDevice(_ place: BootPlace) -> any VirtioDevice {
    makeEntropyDevice(name: place.place.name, source: HostEntropy())
  }
}
