internal import CZlib
internal import CZstd
public import GuestMemory

/// Where every test has its RAM, as the machine does.
public let ramStart: UInt64 = 0x4000_0000

/// RAM there, of `size` bytes.
public func makeRAM(size: UInt64 = 8 << 20) throws -> PrivateRAM {
  try PrivateRAM(range: GuestRange(at: ramStart, size: size))
}

/// Bytes that differ from place to place.
public func pattern(_ count: Int, seed: UInt8 = 1) -> [UInt8] {
  (0..<count).map { UInt8(truncatingIfNeeded: $0 &* 31 &+ $0 >> 8) &+ seed }
}

extension [UInt8] {
  /// Writes a number, the low byte first.
  mutating func put(_ value: some FixedWidthInteger & UnsignedInteger, at offset: Int) {
    for index in 0..<value.bitWidth / 8 {
      self[offset + index] = UInt8(truncatingIfNeeded: value >> (8 * index))
    }
  }

  /// Writes a text without a zero behind it.
  mutating func put(_ text: String, at offset: Int) {
    replaceSubrange(offset..<offset + text.utf8.count, with: text.utf8)
  }
}

/// An arm64 `Image` of `size` bytes with a pattern behind its header.
public func linuxImage(
  size: Int = 3000,
  textOffset: UInt64 = 0,
  imageSize: UInt64 = 8192,
  flags: UInt64 = 0b1010
) -> [UInt8] {
  var image = pattern(size)
  image.put(UInt64(0xD503_201F), at: 0)
  image.put(textOffset, at: 8)
  image.put(imageSize, at: 16)
  image.put(flags, at: 24)
  image.put(UInt32(0x644D_5241), at: 56)
  image.put(UInt32(0), at: 60)
  return image
}

/// The same with an EFI stub whose only section ends at `sectionEnd`.
public func linuxImageWithEFIStub(size: Int, sectionEnd: UInt32) -> [UInt8] {
  var image = linuxImage(size: size)
  image.put("MZ", at: 0)
  image.put(UInt32(64), at: 60)
  image.put("PE\0\0", at: 64)
  image.put(UInt16(0xAA64), at: 68)
  image.put(UInt16(1), at: 70)
  image.put(UInt16(112), at: 84)
  image.put(sectionEnd - 512, at: 88 + 112 + 16)
  image.put(UInt32(512), at: 88 + 112 + 20)
  return image
}

/// A self-extracting EFI kernel around a compressed payload, which begins at `offset`.
public func zboot(_ payload: [UInt8], compression: String, trailer: [UInt8] = [], offset: Int = 4096) -> [UInt8] {
  var image = [UInt8](repeating: 0, count: offset)
  image.put("MZ", at: 0)
  image.put("zimg", at: 4)
  image.put(UInt32(offset), at: 8)
  image.put(UInt32(payload.count), at: 12)
  image.put(compression + "\0", at: 24)
  image.put(UInt32(0x8182_23CD), at: 56)
  return image + payload + trailer
}

/// A program header and the bytes that it names.
public struct SegmentToBuild {
  /// 1 is PT_LOAD.
  public var type: UInt32
  public var virtual: UInt64
  public var physical: UInt64
  public var bytes: [UInt8]
  /// In bytes, ``bytes`` included.
  public var memorySize: UInt64

  public init(type: UInt32 = 1, virtual: UInt64, physical: UInt64, bytes: [UInt8], memorySize: UInt64) {
    self.type = type
    self.virtual = virtual
    self.physical = physical
    self.bytes = bytes
    self.memorySize = memorySize
  }
}

/// An ELF file of the segments: its header, the program headers, and the segments' bytes in their order.
public func elf(
  entry: UInt64,
  machine: UInt16 = 183,
  type: UInt16 = 2,
  elfClass: UInt8 = 2,
  order: UInt8 = 1,
  _ segments: [SegmentToBuild]
) -> [UInt8] {
  var image = [UInt8](repeating: 0, count: 64 + 56 * segments.count)
  image.put("\u{7F}ELF", at: 0)
  image[4] = elfClass
  image[5] = order
  image[6] = 1
  image.put(type, at: 16)
  image.put(order == 2 ? machine.byteSwapped : machine, at: 18)
  image.put(entry, at: 24)
  image.put(UInt64(64), at: 32)
  image.put(UInt16(56), at: 54)
  image.put(UInt16(segments.count), at: 56)
  for (index, segment) in segments.enumerated() {
    let header = 64 + 56 * index
    image.put(segment.type, at: header)
    image.put(UInt64(image.count), at: header + 8)
    image.put(segment.virtual, at: header + 16)
    image.put(segment.physical, at: header + 24)
    image.put(UInt64(segment.bytes.count), at: header + 32)
    image.put(segment.memorySize, at: header + 40)
    image += segment.bytes
  }
  return image
}

/// An executable with one segment at 2 MiB into RAM that starts at its first byte.
public func simpleELF(bytes: [UInt8] = pattern(100), memorySize: UInt64 = 4096) -> [UInt8] {
  let address = ramStart + (2 << 20)
  return elf(
    entry: address,
    [SegmentToBuild(virtual: address, physical: address, bytes: bytes, memorySize: memorySize)]
  )
}

/// What zlib makes of `bytes` with a gzip header.
public func gzip(_ bytes: [UInt8]) -> [UInt8] {
  // SAFETY: all of it is zero, which is how zlib wants what it initializes.
  var stream = unsafe z_stream()
  // SAFETY: the stream stays in this frame until it is ended, and both buffers hold for the one call that uses them.
  return unsafe withUnsafeMutablePointer(to: &stream) { stream in
    unsafe deflateInit2_(
      stream,
      6,
      Z_DEFLATED,
      15 + 16,
      8,
      Z_DEFAULT_STRATEGY,
      ZLIB_VERSION,
      Int32(MemoryLayout<z_stream>.size)
    )
    var output = unsafe [UInt8](repeating: 0, count: Int(deflateBound(stream, UInt(bytes.count))))
    var input = bytes
    unsafe input.withUnsafeMutableBufferPointer { input in
      unsafe output.withUnsafeMutableBufferPointer { output in
        unsafe stream.pointee.next_in = input.baseAddress
        unsafe stream.pointee.avail_in = UInt32(input.count)
        unsafe stream.pointee.next_out = output.baseAddress
        unsafe stream.pointee.avail_out = UInt32(output.count)
        _ = unsafe deflate(stream, Z_FINISH)
      }
    }
    // SAFETY: as above.
    unsafe output.removeLast(Int(stream.pointee.avail_out))
    unsafe deflateEnd(stream)
    return output
  }
}

/// What libzstd makes of `bytes`: a frame with a checksum and, as from a pipe, without a content size.
public func zstd(_ bytes: [UInt8], windowLog: Int32 = 0) -> [UInt8] {
  var output = [UInt8](repeating: 0, count: ZSTD_compressBound(bytes.count))
  // SAFETY: the context is freed before the function returns, and all buffers hold for the one call that uses them.
  return unsafe output.withUnsafeMutableBytes { output in
    unsafe bytes.withUnsafeBytes { input in
      let context = unsafe ZSTD_createCCtx()
      unsafe ZSTD_CCtx_setParameter(context, ZSTD_c_checksumFlag, 1)
      unsafe ZSTD_CCtx_setParameter(context, ZSTD_c_contentSizeFlag, 0)
      unsafe ZSTD_CCtx_setParameter(context, ZSTD_c_windowLog, windowLog)
      let size = unsafe ZSTD_compress2(context, output.baseAddress, output.count, input.baseAddress, input.count)
      unsafe ZSTD_freeCCtx(context)
      return unsafe [UInt8](output[..<size])
    }
  }
}
