internal import CZlib

extension BootImageFile {
  /// Undoes gzip (RFC 1952). Members that follow each other are one stream, as for `gunzip`; what follows the last
  /// member and is no member is left alone.
  @unsafe
  func gunzip(
    _ payload: CompressedPayload,
    into destination: UnsafeMutableRawBufferPointer,
    _ extent: Extent
  ) throws(BootImageError) -> Decompressed {
    var blocks = CompressedBlocks(payload)
    let inflater = try Inflater(path: path)
    var produced = 0

    while true {
      if inflater.inputCount == 0 {
        let count = try blocks.readNext(from: self)
        guard count > 0 else { throw BootImageError(path, .cutShort(.gzip, after: UInt64(produced))) }
        // SAFETY: the block stays as it is until all of it is consumed.
        unsafe inflater.setInput(UnsafeRawBufferPointer(rebasing: UnsafeRawBufferPointer(blocks.buffer)[..<count]))
      }

      let room = destination.count - produced
      if room == 0 && extent == .prefix { return Decompressed(size: UInt64(produced), ignoredSize: 0) }
      // SAFETY: `produced` bytes of the destination are taken, and `room` are not.
      let step = unsafe inflater.inflate(to: destination.baseAddress.map { unsafe $0 + produced }, count: room)
      guard step.produced <= room else {
        throw BootImageError(path, .expandsBeyond(.gzip, limit: UInt64(destination.count)))
      }
      produced += step.produced

      switch step.status {
      case Z_OK, Z_BUF_ERROR:
        continue
      case Z_STREAM_END:
        let consumed = blocks.position - UInt64(inflater.inputCount)
        let rest = payload.size - consumed
        guard rest >= 2, try read(upTo: 2, at: payload.offset + consumed) == gzipMagic else {
          return Decompressed(size: UInt64(produced), ignoredSize: rest)
        }
        inflater.startMember()
      case Z_MEM_ERROR:
        throw BootImageError(path, .outOfMemory(.gzip))
      default:
        throw BootImageError(path, .damaged(.gzip, detail: inflater.message))
      }
    }
  }
}

let gzipMagic: [UInt8] = [0x1F, 0x8B]

/// Owns a zlib stream, which must not move while it is in use.
@safe
private struct Inflater: ~Copyable {
  private let stream: UnsafeMutablePointer<z_stream>

  /// One more byte than the destination takes: the only way to see that a stream which has filled it is at its end.
  private let spare: UnsafeMutablePointer<UInt8>

  /// The largest window that gzip has, and a gzip header rather than zlib's.
  private static let windowBits: Int32 = 15 + 16

  init(path: String) throws(BootImageError) {
    // SAFETY: both allocations are owned by this value, initialized at once and freed with it.
    unsafe stream = .allocate(capacity: 1)
    unsafe stream.initialize(to: z_stream())
    unsafe spare = .allocate(capacity: 1)
    unsafe spare.initialize(to: 0)
    let status = unsafe inflateInit2_(stream, Self.windowBits, ZLIB_VERSION, Int32(MemoryLayout<z_stream>.size))
    // Otherwise a version or a size that the library does not know, and both are its own header's.
    guard status == Z_OK else { throw BootImageError(path, .outOfMemory(.gzip)) }
  }

  deinit {
    // SAFETY: the stream was initialized by this value; zlib refuses to end one whose set-up had failed.
    unsafe inflateEnd(stream)
    unsafe stream.deallocate()
    unsafe spare.deallocate()
  }

  /// Bytes of the input that are not consumed yet.
  // SAFETY: the stream was initialized by this value.
  var inputCount: Int { unsafe Int(stream.pointee.avail_in) }

  /// What zlib says of the last failure.
  var message: String {
    // SAFETY: the message is a constant of the library or absent.
    unsafe stream.pointee.msg.map { unsafe String(cString: $0) } ?? "no valid gzip data"
  }

  /// - Parameter input: at most 4 GiB − 1; stays valid until it is consumed.
  @unsafe
  func setInput(_ input: UnsafeRawBufferPointer) {
    // SAFETY: zlib does not write through this pointer; its type only predates `const`.
    unsafe stream.pointee.next_in = UnsafeMutableRawPointer(mutating: input.baseAddress)?
      .assumingMemoryBound(to: UInt8.self)
    unsafe stream.pointee.avail_in = UInt32(input.count)
  }

  /// Goes on behind the end of a member.
  func startMember() {
    // SAFETY: the stream was initialized by this value.
    unsafe inflateReset(stream)
  }

  /// Decompresses up to `count` bytes, and one more to ``spare`` where `count` is 0.
  @unsafe
  func inflate(to destination: UnsafeMutableRawPointer?, count: Int) -> (status: Int32, produced: Int) {
    // SAFETY: the destination has `count` bytes and the spare one; zlib writes no more than `avail_out`.
    let available = UInt32(max(1, min(count, 1 << 30)))
    unsafe stream.pointee.next_out = count == 0 ? spare : destination?.assumingMemoryBound(to: UInt8.self)
    unsafe stream.pointee.avail_out = available
    let status = unsafe CZlib.inflate(stream, Z_NO_FLUSH)
    return unsafe (status, Int(available - stream.pointee.avail_out))
  }
}
