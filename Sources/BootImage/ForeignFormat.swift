/// A file that is taken for an arm64 kernel by mistake often enough to be told what to do with it.
public enum ForeignFormat: Sendable, CaseIterable {
  case armZImage
  case x86Linux
  case riscvLinux
  case executable
  case efiProgram
  case uBoot
  case edk2
  case trustedFirmware
  case initramfs
  case deviceTree
  case zstd
  case gzip
  case xz
  case bzip2
  case lz4
  case lzma
  case lzo
  case uImage
  case androidBootImage
  case archive
  case diskImage
  case text
}

extension ForeignFormat {
  init?(_ head: ImageBytes) {
    guard let format = Self.allCases.first(where: { $0.matches(head) }) else { return nil }
    self = format
  }

  private func matches(_ head: ImageBytes) -> Bool {
    switch self {
    case .armZImage: head.field(UInt32.self, at: 0x24) == 0x016F_2818
    case .x86Linux: head.has("HdrS", at: 0x202)
    case .riscvLinux: head.has([0x52, 0x53, 0x43, 0x05], at: 0x38)
    case .executable: ELFExecutable.isRecognized(head)
    case .efiProgram: head.has("MZ")
    case .uBoot: Self.isUBoot(head)
    // A firmware volume: EFI_FIRMWARE_VOLUME_HEADER.Signature (UEFI Platform Initialization 1.8, volume 3, 3.2.1).
    case .edk2: head.has("_FVH", at: 0x28)
    // The table of contents of a firmware image package.
    case .trustedFirmware: head.has([0x01, 0x00, 0x64, 0xAA])
    case .initramfs: head.has("070701") || head.has("070702") || head.has("070707") || head.has([0xC7, 0x71])
    case .deviceTree: head.has([0xD0, 0x0D, 0xFE, 0xED])
    case .zstd: head.has([0x28, 0xB5, 0x2F, 0xFD])
    case .gzip: head.has(gzipMagic)
    case .xz: head.has([0xFD, 0x37, 0x7A, 0x58, 0x5A, 0x00])
    case .bzip2: head.has("BZh")
    case .lz4: head.has([0x02, 0x21, 0x4C, 0x18]) || head.has([0x04, 0x22, 0x4D, 0x18])
    case .lzma: head.has([0x5D, 0x00, 0x00])
    case .lzo: head.has([0x89, 0x4C, 0x5A, 0x4F])
    case .uImage: head.has([0x27, 0x05, 0x19, 0x56])
    case .androidBootImage: head.has("ANDROID!")
    case .archive: head.has("!<arch>") || head.has("PK\u{3}\u{4}") || head.has("ustar", at: 257)
    case .diskImage: head.has([0x51, 0x46, 0x49, 0xFB]) || head.has([0x55, 0xAA], at: 510)
    case .text: head.has("#!") || head.has("<!") || head.has("<html")
    }
  }

  /// U-Boot for arm64 starts with a branch over its addresses: where it is linked, then where it and its zeroed data
  /// end, counted from its start (arch/arm/cpu/armv8/start.S).
  private static func isUBoot(_ head: ImageBytes) -> Bool {
    guard head.field(UInt32.self, at: 0) == 0x1400_000A, head.field(UInt32.self, at: 4) == 0xD503_201F,
      let end = head.field(UInt64.self, at: 0x10), let zeroedStart = head.field(UInt64.self, at: 0x18),
      let zeroedEnd = head.field(UInt64.self, at: 0x20)
    else { return false }
    return 0x30 < end && end <= zeroedStart && zeroedStart <= zeroedEnd && zeroedEnd < 1 << 30
  }

  /// What the file is and what to do: "… is", then this.
  var advice: String {
    switch self {
    case .armZImage: "a kernel for 32-bit Arm (zImage), and the guest is 64-bit; give an arm64 Image"
    case .x86Linux: "a kernel for x86 (bzImage), and the guest is arm64; give an arm64 Image"
    case .riscvLinux: "a kernel for RISC-V, and the guest is arm64; give an arm64 Image"
    case .executable: "an ELF executable; give the ELF file itself, not compressed"
    case .efiProgram:
      "an EFI program but no arm64 kernel; take the Image out of a unified kernel image (objcopy --dump-section "
        + ".linux=Image)"
    case .uBoot:
      "U-Boot, and firmware as such is not supported yet; give the kernel that it would load, or run it as a headerless "
        + "binary whose devices reach all of RAM, with zeros where nothing is"
    case .edk2:
      "UEFI firmware (EDK2), which is not supported yet: the machine has no flash memory for it; give the kernel that it "
        + "would load"
    case .trustedFirmware:
      "a package of Trusted Firmware-A, which is not supported: a guest starts at EL1; give the kernel that it would load"
    case .initramfs: "a cpio archive; give it as the initramfs, and a kernel beside it"
    case .deviceTree: "a device tree or a FIT image; give the kernel in it (dumpimage takes it out)"
    case .zstd: "compressed with zstd outside an EFI image; decompress it first (zstd -d)"
    case .gzip: "compressed with gzip twice; decompress it first (gunzip)"
    case .xz: "compressed with xz; decompress it first (xz -d)"
    case .bzip2: "compressed with bzip2; decompress it first (bunzip2)"
    case .lz4: "compressed with lz4; decompress it first (lz4 -d)"
    case .lzma: "compressed with lzma; decompress it first (xz -d --format=lzma)"
    case .lzo: "compressed with lzo; decompress it first (lzop -d)"
    case .uImage: "wrapped for U-Boot (uImage); take the Image out first (dumpimage)"
    case .androidBootImage: "an Android boot image; take the kernel out first (unpack_bootimg)"
    case .archive: "an archive or a package; give the kernel in it"
    case .diskImage: "a disk image; give the kernel in it"
    case .text: "a text file; give an arm64 Image"
    }
  }
}
