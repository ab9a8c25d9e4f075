public import GuestMemory

/// What ``BootImageFile/load(_:into:)`` did.
public struct LoadedImage: Equatable, Sendable {
  /// Where the first vCPU starts.
  public let entry: GuestAddress
  /// The places that the image takes, zeroed data included.
  public let segments: [GuestRange]
  /// Bytes that came from the file, decompressed.
  public let loadedSize: UInt64
  /// Bytes of the file behind the image, which were left alone (a signature or an appended device tree).
  public let ignoredSize: UInt64
}

extension BootImageFile {
  /// Loads the image to where it belongs. What an executable wants to be zero is zero afterwards, whatever was there.
  ///
  /// - Parameters:
  ///   - image: what ``inspect(raw:)`` said of this file.
  ///   - ram: of a guest that is not running; it starts at a multiple of 2 MiB.
  /// - Throws: ``BootImageError``; then the RAM holds part of the image.
  public func load(
    _ image: BootImageDescription,
    into ram: borrowing PrivateRAM
  ) throws(BootImageError) -> LoadedImage {
    let segments = try image.segments(in: ram.range)
    let entry = try image.entry(in: ram.range)
    var loaded: UInt64 = 0
    var ignored: UInt64 = 0

    switch image.kind {
    case .linux(let linux):
      if let payload = image.payload {
        let result = try decompress(payload, into: ram, segments[0])
        loaded = result.size
        ignored = result.ignoredSize
        // A decompressor may use what it was given behind the last byte for scratch; Zstandard does.
        zero(ram, from: segments[0].start, loaded, upTo: segments[0].size)
      } else {
        loaded = min(size, linux.memorySize)
        ignored = size - loaded
        try read(into: ram, at: segments[0].start, count: loaded, from: 0)
      }
      guard loaded >= linux.leastSize else {
        throw BootImageError(path, .truncated(size: loaded, expected: linux.leastSize))
      }
    case .raw(let size):
      loaded = size
      try read(into: ram, at: segments[0].start, count: size, from: 0)
    case .executable(let executable):
      for segment in executable.segments {
        try read(into: ram, at: segment.range.start, count: segment.fileSize, from: segment.fileOffset)
        zero(ram, from: segment.range.start, segment.fileSize, upTo: segment.range.size)
        loaded += segment.fileSize
      }
    }
    return LoadedImage(entry: entry, segments: segments, loadedSize: loaded, ignoredSize: ignored)
  }

  /// Loads the whole file, as it is, to `address`: an initramfs, which the guest unpacks itself.
  ///
  /// - Returns: what it takes.
  /// - Throws: ``BootImageError``, also where it would not lie in `ram`.
  public func load(into ram: borrowing PrivateRAM, at address: GuestAddress) throws(BootImageError) -> GuestRange {
    guard let range = GuestRange(start: address, size: size), ram.range.contains(range) else {
      let offset = address.rawValue &- ram.range.start.rawValue
      throw BootImageError(path, .doesNotFit(size: size, offset: offset, ram: ram.range))
    }
    try read(into: ram, at: address, count: size, from: 0)
    return range
  }

  private func read(
    into ram: borrowing PrivateRAM,
    at address: GuestAddress,
    count: UInt64,
    from offset: UInt64
  ) throws(BootImageError) {
    // SAFETY: the buffer holds for the call and is not kept.
    try unsafe withBytes(ram, at: address, count: count) { (buffer) throws(BootImageError) in
      try unsafe read(into: buffer, at: offset)
    }
  }

  private func decompress(
    _ payload: CompressedPayload,
    into ram: borrowing PrivateRAM,
    _ range: GuestRange
  ) throws(BootImageError) -> Decompressed {
    // SAFETY: the buffer holds for the call and is not kept.
    var decompressed = Decompressed(size: 0, ignoredSize: 0)
    try unsafe withBytes(ram, at: range.start, count: range.size) { (buffer) throws(BootImageError) in
      decompressed = try unsafe decompress(payload, into: buffer, .whole)
    }
    return decompressed
  }

  private func zero(_ ram: borrowing PrivateRAM, from start: GuestAddress, _ offset: UInt64, upTo size: UInt64) {
    guard offset < size else { return }
    do {
      try ram.zero(GuestRange(at: start.rawValue + offset, size: size - offset))
    } catch {
      preconditionFailure("every segment was checked to lie in RAM: \(error)")
    }
  }

  @unsafe
  private func withBytes(
    _ ram: borrowing PrivateRAM,
    at address: GuestAddress,
    count: UInt64,
    _ body: (UnsafeMutableRawBufferPointer) throws(BootImageError) -> Void
  ) throws(BootImageError) {
    let failure: BootImageError?
    do {
      // SAFETY: the caller keeps no pointer.
      failure = try unsafe ram.withUnsafeMutableBytes(at: address, count: count) { buffer in
        caught { () throws(BootImageError) in try unsafe body(buffer) }
      }
    } catch {
      preconditionFailure("every range was checked to lie in RAM: \(error)")
    }
    if let failure { throw failure }
  }
}
