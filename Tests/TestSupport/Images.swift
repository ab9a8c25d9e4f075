extension [UInt8] {
  /// Puts a little-endian number into the bytes.
  public mutating func put(_ value: some FixedWidthInteger & UnsignedInteger, at offset: Int) {
    for index in 0..<value.bitWidth / 8 {
      self[offset + index] = UInt8(truncatingIfNeeded: value >> (8 * index))
    }
  }
}

/// An arm64 Linux `Image`: a header, and a pattern for its code.
public func linuxImage(size: Int = 8192, memorySize: UInt64 = 16384, flags: UInt64 = 0b1010) -> [UInt8] {
  var image = (0..<size).map { UInt8(truncatingIfNeeded: $0 &* 31 &+ $0 >> 8) }
  image.put(UInt32(0xD503_201F), at: 0)
  image.put(UInt32(0xD503_201F), at: 4)
  image.put(UInt64(0), at: 8)
  image.put(memorySize, at: 16)
  image.put(flags, at: 24)
  image.put(UInt32(0x644D_5241), at: 56)
  image.put(UInt32(0), at: 60)
  return image
}

/// An ELF64 executable for AArch64 with one segment that starts at its first byte.
public func elfExecutable(
  address: UInt64 = 0x4008_0000,
  code: [UInt8] = [0x1F, 0x20, 0x03, 0xD5],
  elfClass: UInt8 = 2,
  machine: UInt16 = 183
) -> [UInt8] {
  var image = [UInt8](repeating: 0, count: 120)
  image.replaceSubrange(0..<7, with: [0x7F, 0x45, 0x4C, 0x46, elfClass, 1, 1])
  image.put(UInt16(2), at: 16)
  image.put(machine, at: 18)
  image.put(address, at: 24)
  image.put(UInt64(64), at: 32)
  image.put(UInt16(56), at: 54)
  image.put(UInt16(1), at: 56)
  image.put(UInt32(1), at: 64)
  image.put(UInt64(120), at: 72)
  image.put(address, at: 80)
  image.put(address, at: 88)
  image.put(UInt64(code.count), at: 96)
  image.put(UInt64(4096), at: 104)
  return image + code
}
