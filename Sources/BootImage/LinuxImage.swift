/// The header of an arm64 Linux `Image` (Documentation/arch/arm64/booting.rst, section 4 "Call the kernel image").
public struct LinuxImage: Equatable, Sendable {
  /// How far from a 2 MiB boundary the image is loaded, in bytes.
  public let textOffset: UInt64
  /// How much memory the kernel takes from where it is loaded, its zeroed data included, in bytes.
  ///
  /// Kernels before 3.17 do not tell; then it is how much there is to load.
  public let memorySize: UInt64
  /// The kernel's translation granule in bytes (4, 16 or 64 KiB), or `nil` where the header does not tell.
  ///
  /// A host whose CPUs do not implement it cannot run the kernel.
  public let pageSize: UInt64?
  /// Whether the kernel can run from any 2 MiB boundary, rather than the lowest one of RAM.
  public let runsAnywhere: Bool
  /// How many bytes the image has at the least, uncompressed, going by its headers: an image with fewer was cut.
  ///
  /// ``memorySize`` cannot tell, for it counts zeroed data. An EFI stub's section table names the end of the image;
  /// without one there is only the place that the first instruction branches to, some way before it.
  public let leastSize: UInt64
}

extension LinuxImage {
  static let headerSize = 64
  private static let magic: UInt32 = 0x644D_5241

  /// Kernels before 3.17 leave `image_size` 0, and then the offset is this, whatever the field says.
  private static let textOffsetWithoutImageSize: UInt64 = 0x8_0000

  private enum Flags {
    static let bigEndian: UInt64 = 1 << 0
    static let pageSizeShift: UInt64 = 1
    static let pageSizeMask: UInt64 = 0b11
    static let runsAnywhere: UInt64 = 1 << 3
  }

  static func isRecognized(_ head: ImageBytes) -> Bool {
    head.field(UInt32.self, at: 56) == magic
  }

  /// Checks a header that ``isRecognized(_:)``.
  ///
  /// - Parameters:
  ///   - head: the first bytes of the image, up to where its PE header ends.
  ///   - dataSize: how much there is to load, in bytes.
  init(_ head: ImageBytes, dataSize: UInt64) throws(BootImageError.Reason) {
    guard let textOffset = head.field(UInt64.self, at: 8),
      let imageSize = head.field(UInt64.self, at: 16),
      let flags = head.field(UInt64.self, at: 24),
      head.count >= Self.headerSize
    else { throw .truncated(size: UInt64(head.count), expected: UInt64(Self.headerSize)) }

    if imageSize != 0 && flags & Flags.bigEndian != 0 { throw .bigEndian }
    let leastSize = max(Self.endOfSections(head), Self.firstBranchTarget(head), UInt64(Self.headerSize))
    if imageSize != 0 && imageSize < leastSize {
      throw .damagedHeader("image_size is \(imageSize) bytes, and the image alone has \(leastSize)")
    }

    self.textOffset = imageSize == 0 ? Self.textOffsetWithoutImageSize : textOffset
    self.memorySize = imageSize == 0 ? dataSize : imageSize
    self.pageSize =
      switch flags >> Flags.pageSizeShift & Flags.pageSizeMask {
      case 1 where imageSize != 0: 4 << 10
      case 2 where imageSize != 0: 16 << 10
      case 3 where imageSize != 0: 64 << 10
      default: nil
      }
    self.runsAnywhere = imageSize != 0 && flags & Flags.runsAnywhere != 0
    self.leastSize = leastSize
  }

  /// Where the last PE section ends in the image, or 0 for an image without an EFI stub.
  private static func endOfSections(_ head: ImageBytes) -> UInt64 {
    guard head.has("MZ"), let start = head.field(UInt32.self, at: 60).map(Int.init),
      head.has("PE\0\0", at: start),
      let sectionCount = head.field(UInt16.self, at: start + 6).map(Int.init),
      let optionalHeaderSize = head.field(UInt16.self, at: start + 20).map(Int.init)
    else { return 0 }

    var end: UInt64 = 0
    for section in 0..<sectionCount {
      let entry = start + 24 + optionalHeaderSize + section * 40
      guard let rawSize = head.field(UInt32.self, at: entry + 16),
        let rawOffset = head.field(UInt32.self, at: entry + 20)
      else { break }
      end = rawSize == 0 ? end : max(end, UInt64(rawOffset) + UInt64(rawSize))
    }
    return end
  }

  /// Behind the instruction that `code0` or else `code1` branches to, or 0 where neither branches forward.
  private static func firstBranchTarget(_ head: ImageBytes) -> UInt64 {
    for offset in [0, 4] {
      // B, unconditional: 0b000101 and a signed offset in instructions (Arm Architecture Reference Manual, C6.2).
      guard let word = head.field(UInt32.self, at: offset), word >> 26 == 0b000101 else { continue }
      let distance = Int64(Int32(bitPattern: word << 6) >> 6) * 4
      let target = Int64(offset) + distance
      return target > 0 ? UInt64(target) + 4 : 0
    }
    return 0
  }
}
