internal import Support
internal import Synchronization
internal import VirtioDriver

/// What a driver stands on in a guest: ordinary loads and stores.
struct MappedMachine: DriverMachine {
  let registers: UInt
  let windowStart: UInt64
  let windowSize: UInt64

  func load8(_ address: UInt64) -> UInt8 { DeviceRegister(UInt(address)).read8() }
  func load16(_ address: UInt64) -> UInt16 { DeviceRegister(UInt(address)).read16() }
  func load32(_ address: UInt64) -> UInt32 { DeviceRegister(UInt(address)).read32() }
  func store8(_ value: UInt8, at address: UInt64) { DeviceRegister(UInt(address)).write8(value) }
  func store16(_ value: UInt16, at address: UInt64) { DeviceRegister(UInt(address)).write16(value) }
  func store32(_ value: UInt32, at address: UInt64) { DeviceRegister(UInt(address)).write32(value) }
  func store64(_ value: UInt64, at address: UInt64) { DeviceRegister(UInt(address)).write64(value) }
  func barrier() { atomicMemoryFence(ordering: .sequentiallyConsistent) }

  func readRegister(_ offset: UInt64, width: Int) -> UInt64 {
    let register = register(offset, width)
    return switch width {
    case 1: UInt64(register.read8())
    case 2: UInt64(register.read16())
    case 4: UInt64(register.read32())
    default: register.read64()
    }
  }

  func writeRegister(_ offset: UInt64, width: Int, _ value: UInt64) {
    let register = register(offset, width)
    switch width {
    case 1: register.write8(UInt8(truncatingIfNeeded: value))
    case 2: register.write16(UInt16(truncatingIfNeeded: value))
    case 4: register.write32(UInt32(truncatingIfNeeded: value))
    default: register.write64(value)
    }
  }

  private func register(_ offset: UInt64, _ width: Int) -> DeviceRegister {
    let register = DeviceRegister(registers + UInt(offset))
    return offset % UInt64(width) == 0 ? register : register.unaligned
  }
}
