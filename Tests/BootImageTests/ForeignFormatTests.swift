import BootImage
import BootImageTesting
import GuestMemory
import TestSupport
import Testing

/// The start of a file of 1,024 zero bytes but for what is put there.
private func file(_ text: String = "", _ bytes: [UInt8] = [], at offset: Int = 0) -> [UInt8] {
  var file = [UInt8](repeating: 0, count: 1024)
  file.replaceSubrange(offset..<offset + text.utf8.count + bytes.count, with: [UInt8](text.utf8) + bytes)
  return file
}

/// The first bytes of U-Boot 2025.01 for QEMU's arm64 board, as Debian 13 has it.
private let uBootHead: [UInt8] =
  [0x0A, 0x00, 0x00, 0x14, 0x1F, 0x20, 0x03, 0xD5] + [UInt8](repeating: 0, count: 8)
  + [0x30, 0xA7, 0x11, 0, 0, 0, 0, 0, 0x30, 0xA7, 0x11, 0, 0, 0, 0, 0, 0xF8, 0x86, 0x12, 0, 0, 0, 0, 0]

@Suite struct ForeignFormatTests {
  @Test(arguments: [0x00, 0x04, 0x10, 0x18, 0x24])
  func aProgramThatOnlyStartsLikeUBootIsNotTakenForIt(offset: Int) {
    var bytes = file("", uBootHead)
    bytes.replaceSubrange(offset..<offset + 4, with: [0xFE, 0xFF, 0xFF, 0x7F])

    let error = #expect(throws: BootImageError.self) { try inspect(bytes) }

    #expect(error?.reason == .unrecognized(startsWith: Array(bytes.prefix(8)), inside: nil))
  }

  @Test(
    arguments: [
      (file("", [0x18, 0x28, 0x6F, 0x01], at: 0x24), .armZImage, "32-bit Arm"),
      (file("HdrS", at: 0x202), .x86Linux, "x86"),
      (file("RSC\u{5}", at: 0x38), .riscvLinux, "RISC-V"),
      (file("MZ"), .efiProgram, "EFI program"),
      (file("", uBootHead), .uBoot, "as a headerless binary"),
      (file("_FVH", at: 0x28), .edk2, "no flash memory"),
      (file("", [0x01, 0x00, 0x64, 0xAA, 0x78, 0x56, 0x34, 0x12]), .trustedFirmware, "starts at EL1"),
      (file("070701"), .initramfs, "initramfs"),
      (file("", [0xD0, 0x0D, 0xFE, 0xED]), .deviceTree, "device tree"),
      (file("", [0x28, 0xB5, 0x2F, 0xFD]), .zstd, "zstd -d"),
      (file("", [0xFD, 0x37, 0x7A, 0x58, 0x5A, 0]), .xz, "xz -d"),
      (file("BZh9"), .bzip2, "bunzip2"),
      (file("", [0x02, 0x21, 0x4C, 0x18]), .lz4, "lz4 -d"),
      (file("", [0x5D, 0, 0, 0x80]), .lzma, "lzma"),
      (file("", [0x89, 0x4C, 0x5A, 0x4F]), .lzo, "lzop -d"),
      (file("", [0x27, 0x05, 0x19, 0x56]), .uImage, "dumpimage"),
      (file("ANDROID!"), .androidBootImage, "unpack_bootimg"),
      (file("!<arch>\ndebian-binary"), .archive, "package"),
      (file("ustar", at: 257), .archive, "archive"),
      (file("", [0x51, 0x46, 0x49, 0xFB]), .diskImage, "disk image"),
      (file("", [0x55, 0xAA], at: 510), .diskImage, "disk image"),
      (file("<!DOCTYPE html>"), .text, "text file"),
    ] as [([UInt8], ForeignFormat, String)]
  )
  func aCommonMixUpIsRecognizedAndToldWhatToDo(bytes: [UInt8], format: ForeignFormat, word: String) {
    let error = #expect(throws: BootImageError.self) { try inspect(bytes) }

    #expect(error?.reason == .foreign(format, inside: nil))
    #expect(error?.description.hasPrefix("'image' is ") == true)
    #expect(error?.description.contains(word) == true)
  }

  @Test func anythingElseIsRefusedWithItsFirstBytesAndWhatWouldBeRight() {
    let error = #expect(throws: BootImageError.self) {
      try inspect([0x1B, 0x5B] + [UInt8]("Apus".utf8) + [UInt8](repeating: 9, count: 100))
    }

    #expect(
      error?.description == """
        'image' is no kernel: it starts with the bytes 1b 5b 41 70 75 73 09 09 (".[Apus.."); give an arm64 Linux Image \
        (also as Image.gz or EFI zboot), an AArch64 ELF executable, or say that it is a raw binary
        """
    )
  }

  @Test func aRawBinaryIsTakenWhateverItLooksLike() throws {
    let ram = try makeRAM()
    let bytes = gzip([1, 2, 3])

    let loaded = try load(bytes, raw: true, into: ram)

    #expect(loaded.entry.rawValue == ramStart + (512 << 10))
    #expect(try firstDifference(ram.read(at: loaded.entry, count: bytes.count), bytes) == nil)
  }
}
