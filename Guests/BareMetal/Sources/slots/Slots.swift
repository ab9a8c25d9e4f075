internal import Support

/// Looks for virtio devices in all 32 slots of the board, not in the device tree: a line for each that has one, after
/// writing to every register of those that have none; then how many slots there are.
@_cdecl("guest_main")
func main() {
  let console = Console()
  let first: UInt = 0x0A00_0000
  let size: UInt = 0x200
  var slots: UInt64 = 0
  for slot in 0..<UInt(32) {
    let base = first + slot * size
    // "virt" in MagicValue, then Version and DeviceID (virtio 1.3, 4.2.2).
    guard DeviceRegister(base).read32() == 0x7472_6976, DeviceRegister(base + 4).read32() != 0 else { continue }
    if DeviceRegister(base + 8).read32() == 0 {
      for offset in stride(from: UInt(0), to: size, by: 4) { DeviceRegister(base + offset).write32(UInt32.max) }
    }
    let device = DeviceRegister(base + 8).read32()
    slots += 1
    guard device != 0 else { continue }
    console.put("slot ")
    console.put(decimal: UInt64(slot))
    console.put(" device ")
    console.put(decimal: UInt64(device))
    console.put("\n")
  }
  console.put(decimal: slots)
  console.put(" slots\n")
  Firmware().systemOff()
}
