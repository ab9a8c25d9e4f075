internal import CFDT

/// Whether the bytes are one whole blob that every function of libfdt can take: 0, or libfdt's error.
///
/// fdt_check_full goes wrong itself over the layouts before version 17, which nothing has made since 2007.
func checkWholeBlob(_ bytes: UnsafeRawBufferPointer) -> Int32 {
  let headerSize = 40
  let versionOffset = 20
  // SAFETY: libfdt is told the buffer's size; the header lies within it.
  let checked = unsafe bytes.count < headerSize ? -FDT_ERR_TRUNCATED : fdt_check_header(bytes.baseAddress)
  guard checked == 0 else { return checked }
  let version = unsafe UInt32(bigEndian: bytes.loadUnaligned(fromByteOffset: versionOffset, as: UInt32.self))
  return version == 17 ? unsafe fdt_check_full(bytes.baseAddress, bytes.count) : -FDT_ERR_BADVERSION
}
