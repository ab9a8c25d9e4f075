import GuestABI
import GuestMemory
import VirtioMMIO

/// The placeholder devices, which stand behind the virtio-mmio devices that the machine has.
final class PlaceholderDevices: BusDevice {
  override func read(at offset: UInt64, width: Int) -> UInt64 {
    PlaceholderDevice.read(offset: offset % MemoryMap.virtioDeviceSize, width: width)
  }

  override func write(_ value: UInt64, at offset: UInt64, width: Int) {}
}
