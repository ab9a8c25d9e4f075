/// The header of a self-extracting EFI kernel (CONFIG_EFI_ZBOOT): where its payload, a compressed `Image`, stands.
///
/// The layout is drivers/firmware/efi/libstub/zboot-header.S.
enum EFIZboot {
  private static let headerSize = 56

  static func isRecognized(_ head: ImageBytes) -> Bool {
    head.has("MZ") && head.has("zimg", at: 4)
  }

  /// - Parameter fileSize: of the whole file, in bytes.
  static func payload(_ head: ImageBytes, fileSize: UInt64) throws(BootImageError.Reason) -> CompressedPayload {
    guard let offset = head.field(UInt32.self, at: 8).map(UInt64.init),
      let size = head.field(UInt32.self, at: 12).map(UInt64.init),
      head.count >= headerSize
    else { throw .truncated(size: fileSize, expected: UInt64(headerSize)) }
    guard offset + size <= fileSize else { throw .truncated(size: fileSize, expected: offset + size) }
    guard size > 0, offset >= UInt64(headerSize) else {
      throw .damagedHeader("its EFI zboot header announces a payload of \(size) bytes at offset \(offset)")
    }

    let name = head.text(at: 24, limit: 32)
    let compression: Compression
    switch name {
    case "gzip": compression = .gzip
    case "zstd", "zstd22": compression = .zstd
    default: throw .unsupportedCompression(name)
    }
    return CompressedPayload(compression: compression, offset: offset, size: size)
  }
}
