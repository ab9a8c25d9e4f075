import GuestMemory
import VirtioMMIO

/// The slots without a device, which stand behind those with one.
final class EmptyVirtioSlots: BusDevice {
  override func read(at offset: UInt64, width: Int) -> UInt64 {
    EmptySlot.read(offset: offset % MemoryMap.virtioSlotSize, width: width)
  }

  override func write(_ value: UInt64, at offset: UInt64, width: Int) {}
}
