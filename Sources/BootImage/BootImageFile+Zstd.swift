internal import CZstd

extension BootImageFile {
  /// Undoes Zstandard (RFC 8878): one frame; what follows it is left alone, as the kernel's own decompressor does.
  @unsafe
  func unzstd(
    _ payload: CompressedPayload,
    into destination: UnsafeMutableRawBufferPointer,
    _ extent: Extent
  ) throws(BootImageError) -> Decompressed {
    let context = try DecompressionContext(path: path, extent)
    var blocks = CompressedBlocks(payload)
    // SAFETY: the destination holds for the call, and neither pointer nor size change between the steps.
    var output = unsafe ZSTD_outBuffer(dst: destination.baseAddress, size: destination.count, pos: 0)
    var input = unsafe ZSTD_inBuffer(src: blocks.buffer.baseAddress, size: 0, pos: 0)

    while true {
      if unsafe input.pos == input.size {
        let count = try blocks.readNext(from: self)
        guard count > 0 else { throw unsafe BootImageError(path, .cutShort(.zstd, after: UInt64(output.pos))) }
        unsafe input.size = count
        unsafe input.pos = 0
      }

      // SAFETY: input and output are the buffers above with their sizes.
      let hint = unsafe ZSTD_decompressStream(context.context, &output, &input)
      if ZSTD_isError(hint) != 0 {
        throw BootImageError(path, reason(hint, limit: UInt64(destination.count)))
      }
      let produced = unsafe UInt64(output.pos)
      if hint == 0 {
        let rest = unsafe payload.size - blocks.position + UInt64(input.size - input.pos)
        return Decompressed(size: produced, ignoredSize: rest)
      }
      if extent == .prefix && produced == destination.count {
        return Decompressed(size: produced, ignoredSize: 0)
      }
    }
  }

  private func reason(_ result: Int, limit: UInt64) -> BootImageError.Reason {
    switch ZSTD_getErrorCode(result) {
    case ZSTD_error_dstSize_tooSmall: .expandsBeyond(.zstd, limit: limit)
    case ZSTD_error_memory_allocation: .outOfMemory(.zstd)
    // SAFETY: the name is a constant of the library.
    default: .damaged(.zstd, detail: unsafe String(cString: ZSTD_getErrorName(result)))
    }
  }
}

/// Owns a Zstandard decompressor.
@safe
private struct DecompressionContext: ~Copyable {
  let context: OpaquePointer

  init(path: String, _ extent: Extent) throws(BootImageError) {
    // SAFETY: the context is owned by this value and freed with it.
    guard let context = unsafe ZSTD_createDCtx() else { throw BootImageError(path, .outOfMemory(.zstd)) }
    unsafe self.context = context
    if extent == .whole {
      // The whole frame goes to one place, which then is the window too. A kernel's window may have 128 MiB.
      unsafe ZSTD_DCtx_setParameter(context, czstd_stable_out_buffer, 1)
    }
  }

  deinit {
    // SAFETY: created by the initializer, and nobody can hold it any longer.
    unsafe ZSTD_freeDCtx(context)
  }
}
