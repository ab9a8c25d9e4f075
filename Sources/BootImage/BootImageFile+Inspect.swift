extension BootImageFile {
  /// How many bytes of an image are looked at: an `Image` has its EFI section table in the first page.
  private static var headSize: Int { 4096 }

  /// Finds out what the file is, reading and decompressing no more than its first few KiB.
  ///
  /// - Parameter raw: take it for a headerless binary, whatever it looks like.
  /// - Throws: ``BootImageError`` for everything that cannot be booted.
  public func inspect(raw: Bool = false) throws(BootImageError) -> BootImageDescription {
    if raw { return description(.raw(size: size), .plain, payload: nil) }

    let head = ImageBytes(try read(upTo: Self.headSize, at: 0))
    if head.has(gzipMagic) {
      let payload = CompressedPayload(compression: .gzip, offset: 0, size: size)
      return try inspect(payload, packaging: .gzip)
    }
    if EFIZboot.isRecognized(head) {
      let payload = try naming { () throws(BootImageError.Reason) in try EFIZboot.payload(head, fileSize: size) }
      return try inspect(payload, packaging: .efiZboot(payload.compression))
    }
    if LinuxImage.isRecognized(head) {
      let image = try naming { () throws(BootImageError.Reason) in try LinuxImage(head, dataSize: size) }
      guard size >= image.leastSize else {
        throw BootImageError(path, .truncated(size: size, expected: image.leastSize))
      }
      return description(.linux(image), .plain, payload: nil)
    }
    if ELFExecutable.isRecognized(head) { return try inspectExecutable(head) }
    if let format = ForeignFormat(head) { throw BootImageError(path, .foreign(format, inside: nil)) }
    if size < LinuxImage.headerSize {
      throw BootImageError(path, .truncated(size: size, expected: UInt64(LinuxImage.headerSize)))
    }
    throw BootImageError(path, .unrecognized(startsWith: [UInt8](head.bytes.prefix(8)), inside: nil))
  }

  private func inspect(
    _ payload: CompressedPayload,
    packaging: BootImageDescription.Packaging
  ) throws(BootImageError) -> BootImageDescription {
    let head = ImageBytes(try decompressPrefix(payload, count: Self.headSize))
    guard LinuxImage.isRecognized(head) else {
      if let format = ForeignFormat(head) {
        throw BootImageError(path, .foreign(format, inside: payload.compression))
      }
      let start = [UInt8](head.bytes.prefix(8))
      throw BootImageError(path, .unrecognized(startsWith: start, inside: payload.compression))
    }
    let announced = try announcedSize(payload)
    let image = try naming { () throws(BootImageError.Reason) in try LinuxImage(head, dataSize: announced) }
    return description(.linux(image), packaging, payload: payload)
  }

  /// The size that a payload has decompressed, in bytes and modulo 4 GiB, as its last four bytes say: of the gzip
  /// stream itself, or added behind a Zstandard one by the kernel's build.
  private func announcedSize(_ payload: CompressedPayload) throws(BootImageError) -> UInt64 {
    let end = payload.offset + payload.size
    let start = payload.compression == .gzip ? end - min(4, payload.size) : end
    return UInt64(ImageBytes(try read(upTo: 4, at: start)).field(UInt32.self, at: 0) ?? 0)
  }

  private func inspectExecutable(_ head: ImageBytes) throws(BootImageError) -> BootImageDescription {
    let table = try naming { () throws(BootImageError.Reason) in
      try ELFExecutable.programHeaders(head, fileSize: size)
    }
    let headers = ImageBytes(try read(upTo: table.count * ELFExecutable.programHeaderSize, at: table.offset))
    let executable = try naming { () throws(BootImageError.Reason) in
      try ELFExecutable(head, table: headers, fileSize: size)
    }
    return description(.executable(executable), .plain, payload: nil)
  }

  private func description(
    _ kind: BootImageDescription.Kind,
    _ packaging: BootImageDescription.Packaging,
    payload: CompressedPayload?
  ) -> BootImageDescription {
    BootImageDescription(path: path, kind: kind, packaging: packaging, payload: payload)
  }

  private func naming<Value>(
    _ body: () throws(BootImageError.Reason) -> Value
  ) throws(BootImageError) -> Value {
    do {
      return try body()
    } catch {
      throw BootImageError(path, error)
    }
  }
}
