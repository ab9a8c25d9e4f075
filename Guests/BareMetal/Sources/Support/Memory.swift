internal import Machine

/// A register of a device.
public struct DeviceRegister: Sendable {
  public let address: UInt

  @inlinable
  public init(_ address: UInt) {
    self.address = address
  }

  public func read8() -> UInt8 {
    // SAFETY: the address is a device's, from the device tree; no Swift object lives there.
    unsafe machine_read8(address)
  }

  public func read32() -> UInt32 {
    // SAFETY: as for read8().
    unsafe machine_read32(address)
  }

  public func read16() -> UInt16 {
    // SAFETY: as for read8().
    unsafe machine_read16(address)
  }

  public func read64() -> UInt64 {
    // SAFETY: as for read8().
    unsafe machine_read64(address)
  }

  public func write8(_ value: UInt8) {
    // SAFETY: as for read8().
    unsafe machine_write8(address, value)
  }

  public func write32(_ value: UInt32) {
    // SAFETY: as for read8().
    unsafe machine_write32(address, value)
  }

  public func write16(_ value: UInt16) {
    // SAFETY: as for read8().
    unsafe machine_write16(address, value)
  }

  public func write64(_ value: UInt64) {
    // SAFETY: as for read8().
    unsafe machine_write64(address, value)
  }

  /// The same register where the start code maps it as ordinary memory: device memory takes no unaligned access.
  public var unaligned: DeviceRegister { DeviceRegister(address + 0x7F_C000_0000) }

  /// Reads `count` times, in a loop of three instructions.
  public func read32(times count: UInt64) {
    // SAFETY: as for read8().
    unsafe machine_read32_repeatedly(address, count)
  }
}
