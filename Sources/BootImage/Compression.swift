/// A compression that is undone while an image is loaded.
public enum Compression: String, Sendable {
  case gzip
  case zstd
}

/// A compressed stream in a file.
struct CompressedPayload: Equatable {
  let compression: Compression
  /// In the file, in bytes.
  let offset: UInt64
  /// In bytes; all of them lie in the file. Less than that may belong to the stream.
  let size: UInt64
}

/// How much of a stream is wanted.
enum Extent {
  /// As many bytes as the destination takes; the rest of the stream is not looked at.
  case prefix
  /// Everything, checksum included; it must not be more than the destination takes.
  case whole
}

/// What a decompression did.
struct Decompressed: Equatable {
  /// Bytes in the destination.
  let size: UInt64
  /// Bytes of the payload behind the end of its stream, which were left alone.
  let ignoredSize: UInt64
}

/// How many compressed bytes are read at once.
let compressedBlockSize = 64 << 10

extension BootImageFile {
  /// Decompresses to `destination`, with no buffer between.
  ///
  /// - Throws: ``BootImageError`` for a stream that is damaged, cut short, or larger than `destination`.
  @unsafe
  func decompress(
    _ payload: CompressedPayload,
    into destination: UnsafeMutableRawBufferPointer,
    _ extent: Extent
  ) throws(BootImageError) -> Decompressed {
    // SAFETY: the caller vouches for the destination, which is passed on whole.
    switch payload.compression {
    case .gzip: try unsafe gunzip(payload, into: destination, extent)
    case .zstd: try unsafe unzstd(payload, into: destination, extent)
    }
  }

  /// The first bytes of what is compressed, at most `count`.
  func decompressPrefix(_ payload: CompressedPayload, count: Int) throws(BootImageError) -> [UInt8] {
    var bytes = [UInt8](repeating: 0, count: count)
    // SAFETY: the buffer is the array's and holds for the call.
    var size: UInt64 = 0
    let failure = unsafe bytes.withUnsafeMutableBytes { buffer in
      caught { () throws(BootImageError) in size = try unsafe decompress(payload, into: buffer, .prefix).size }
    }
    if let failure { throw failure }
    bytes.removeLast(count - Int(size))
    return bytes
  }
}

/// Reads a payload block by block.
@safe
struct CompressedBlocks: ~Copyable {
  private let payload: CompressedPayload
  let buffer: UnsafeMutableRawBufferPointer
  /// How many bytes of the payload were read so far.
  private(set) var position: UInt64 = 0

  init(_ payload: CompressedPayload) {
    self.payload = payload
    // SAFETY: the buffer is owned by this value and freed with it.
    unsafe self.buffer = .allocate(
      byteCount: Int(min(payload.size, UInt64(compressedBlockSize))),
      alignment: 16
    )
  }

  deinit {
    // SAFETY: allocated by the initializer, and nobody can hold a pointer into it any longer.
    unsafe buffer.deallocate()
  }

  /// Fills the start of the buffer with what comes next.
  ///
  /// - Returns: how many bytes, 0 at the end of the payload.
  mutating func readNext(from file: borrowing BootImageFile) throws(BootImageError) -> Int {
    // SAFETY: the buffer is this value's and has at least `count` bytes.
    let count = unsafe Int(min(payload.size - position, UInt64(buffer.count)))
    let block = unsafe UnsafeMutableRawBufferPointer(rebasing: buffer[..<count])
    try unsafe file.read(into: block, at: payload.offset + position)
    position += UInt64(count)
    return count
  }
}
