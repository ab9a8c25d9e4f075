import TestSupport
import Testing

/// A gzip stream of `zeros` KiB of zeros behind `start`, made without a compressor: stored blocks do not expand, so
/// this is one fixed Huffman block that repeats the last byte.
private func gzip(_ start: [UInt8], zeros: Int = 0, isCut: Bool = false) -> [UInt8] {
  var bits = BitWriter()
  bits.put(zeros == 0 ? 1 : 0, count: 1)
  bits.put(0, count: 2)
  bits.align()
  bits.bytes += [UInt8(start.count & 0xFF), UInt8(start.count >> 8)]
  bits.bytes += [UInt8(~start.count & 0xFF), UInt8(~start.count >> 8 & 0xFF)] + start
  if zeros > 0 {
    bits.put(1, count: 1)
    bits.put(1, count: 2)
    bits.putCode(0b0011_0000, count: 8)
    for _ in 0..<zeros * 4 {
      // Length 258 is code 285, of eight bits; distance 1 is code 0, of five.
      bits.putCode(0b1100_0101, count: 8)
      bits.putCode(0, count: 5)
    }
    bits.putCode(0, count: 7)
    bits.align()
  }
  let header: [UInt8] = [0x1F, 0x8B, 8, 0, 0, 0, 0, 0, 0, 3]
  if isCut { return header + bits.bytes.dropLast(100) }
  // The checksum is wrong, which is told last.
  return header + bits.bytes + [0, 0, 0, 0] + (0..<4).map { UInt8(truncatingIfNeeded: start.count >> (8 * $0)) }
}

/// Bits in the order of RFC 1951.
private struct BitWriter {
  var bytes: [UInt8] = []
  private var free = 0

  mutating func put(_ value: Int, count: Int) {
    for index in 0..<count {
      if free == 0 {
        bytes.append(0)
        free = 8
      }
      bytes[bytes.count - 1] |= UInt8(value >> index & 1) << (8 - free)
      free -= 1
    }
  }

  /// Huffman codes go from their highest bit.
  mutating func putCode(_ value: Int, count: Int) {
    for index in (0..<count).reversed() { put(value >> index & 1, count: 1) }
  }

  mutating func align() { free = 0 }
}

@Suite struct KernelTests {
  /// Runs a dry run with a kernel, or one with more arguments.
  private func dryRun(_ kernel: String, _ arguments: String...) throws -> ProgramResult {
    try apus(["run", "--dry-run", "--kernel", kernel] + arguments)
  }

  @Test(arguments: [false, true])
  func aMissingKernelIsNamed(isDry: Bool) throws {
    let result = try apus(["run", "--kernel", "/nonexistent/Image"] + (isDry ? ["--dry-run"] : []))

    expectRefusal(result, status: 66, "'/nonexistent/Image' does not exist; check the path")
  }

  @Test func aFolderIsNoKernel() throws {
    let folder = try TemporaryFolder()

    expectRefusal(try dryRun(folder.path), status: 66, "'\(folder.path)' is a directory; give a regular file")
  }

  @Test(.enabled(if: nobodyCanRun, "the build folder is closed to other users"))
  func aKernelThatTheUserMayNotReadIsNamed() throws {
    let folder = try TemporaryFolder()
    let kernel = try folder.write("Image", linuxImage(), permissions: 0)

    let result = try apus(["run", "--dry-run", "--kernel", kernel], user: nobody)

    expectRefusal(result, status: 66, "'\(kernel)' cannot be read: permission denied; make it readable")
  }

  @Test func anEmptyKernelIsNamed() throws {
    let kernel = try TemporaryFile([])

    expectRefusal(try dryRun(kernel.path), status: 65, "'\(kernel.path)' is empty; build or copy it again")
  }

  @Test func aTruncatedKernelIsNamed() throws {
    var image = linuxImage()
    // The code starts with a branch 10 KiB further, behind the end of the file.
    image.put(UInt32(0x1400_0A00), at: 4)
    let kernel = try TemporaryFile(image)

    expectRefusal(try dryRun(kernel.path), status: 65, "'\(kernel.path)' is truncated", "copy it again")
  }

  @Test(arguments: [1, 20, 63])
  func aKernelWithoutAWholeHeaderIsNamed(size: Int) throws {
    let kernel = try TemporaryFile(Array(linuxImage().prefix(size)))

    expectRefusal(try dryRun(kernel.path), status: 65, "'\(kernel.path)' is truncated", "copy it again")
  }

  @Test func aTextIsNoKernel() throws {
    let kernel = try TemporaryFile(Array(String(repeating: "no kernel ", count: 100).utf8))

    expectRefusal(try dryRun(kernel.path), status: 65, "'\(kernel.path)' is no kernel", "Image.gz", "raw binary")
  }

  @Test func a32BitExecutableIsToldApart() throws {
    let kernel = try TemporaryFile(elfExecutable(elfClass: 1, machine: 40))

    expectRefusal(try dryRun(kernel.path), status: 65, "is an ELF file for 32-bit Arm", "give one for AArch64")
  }

  @Test func anExecutableOf32BitAddressesIsToldApart() throws {
    let kernel = try TemporaryFile(elfExecutable(elfClass: 1))

    expectRefusal(try dryRun(kernel.path), status: 65, "'\(kernel.path)' is a 32-bit ELF file", "give an ELF64")
  }

  @Test func anX86ExecutableIsToldApart() throws {
    let kernel = try TemporaryFile(elfExecutable(machine: 62))

    expectRefusal(try dryRun(kernel.path), status: 65, "is an ELF file for x86-64", "give one for AArch64")
  }

  @Test func anX86KernelIsToldApart() throws {
    var image = [UInt8](repeating: 0, count: 4096)
    image.replaceSubrange(0x202..<0x206, with: "HdrS".utf8)
    let kernel = try TemporaryFile(image)

    expectRefusal(try dryRun(kernel.path), status: 65, "is a kernel for x86 (bzImage)", "give an arm64 Image")
  }

  @Test func aBigEndianKernelIsToldApart() throws {
    let kernel = try TemporaryFile(linuxImage(flags: 1))

    expectRefusal(try dryRun(kernel.path), status: 65, "'\(kernel.path)' is big-endian", "give a little-endian image")
  }

  @Test func aKernelThatNeedsMoreThanThereIsSaysHowMuch() throws {
    let kernel = try TemporaryFile(linuxImage(memorySize: 600 << 20))

    expectRefusal(
      try dryRun(kernel.path),
      status: 65,
      "'\(kernel.path)' does not fit: it needs 600 MiB",
      "RAM has 512 MiB",
      "give the guest more memory"
    )
  }

  @Test func memoryTooSmallForTheKernelSaysHowMuchItNeeds() throws {
    let kernel = try TemporaryFile(linuxImage(memorySize: 2 << 20))

    expectRefusal(
      try dryRun(kernel.path, "--memory", "1M"),
      status: 65,
      "it needs 2 MiB",
      "RAM has 1 MiB",
      "give the guest more memory"
    )
  }

  @Test func aCompressedKernelThatIsCutIsNamed() throws {
    let kernel = try TemporaryFile(gzip(linuxImage(), isCut: true))

    expectRefusal(
      try dryRun(kernel.path),
      status: 65,
      "'\(kernel.path)' is truncated: its gzip stream",
      "copy it again"
    )
  }

  @Test func aCompressedKernelThatExpandsWithoutEndIsStopped() throws {
    let kernel = try TemporaryFile(gzip(linuxImage(), zeros: 64 << 10))

    expectRefusal(
      try dryRun(kernel.path),
      status: 65,
      "'\(kernel.path)' is damaged: its gzip stream expands to more than the 16384 bytes"
    )
  }

  @Test func aCompressedKernelWithAWrongChecksumIsNamed() throws {
    let kernel = try TemporaryFile(gzip(linuxImage()))

    expectRefusal(try dryRun(kernel.path), status: 65, "'\(kernel.path)' is damaged", "copy it again")
  }

  @Test func aMissingInitramfsIsNamed() throws {
    let kernel = try TemporaryFile(linuxImage())

    expectRefusal(
      try dryRun(kernel.path, "--initrd", "/nonexistent/initrd"),
      status: 66,
      "'/nonexistent/initrd' does not"
    )
  }

  @Test func anInitramfsThatDoesNotFitSaysHowMuchRoomThereIs() throws {
    let kernel = try TemporaryFile(linuxImage())
    let initramfs = try TemporaryFile([UInt8](repeating: 1, count: 8 << 20))

    expectRefusal(
      try dryRun(kernel.path, "--memory", "8M", "--initrd", initramfs.path),
      status: 65,
      "'\(initramfs.path)' does not fit: the initramfs needs 8 MiB",
      "give the guest more memory"
    )
  }

  @Test func howUBootRunsIsToldInOptions() throws {
    // A branch over the addresses of U-Boot for arm64, as its start.S has them.
    let head: [UInt8] = [0x0A, 0, 0, 0x14, 0x1F, 0x20, 0x03, 0xD5]
    let ends = [UInt64(0), 0x1000, 0x1000, 0x2000].flatMap { number in (0..<8).map { UInt8(number >> (8 * $0) & 0xFF) }
    }
    let kernel = try TemporaryFile(head + ends + [UInt8](repeating: 0, count: 0x1000))

    expectRefusal(try dryRun(kernel.path), status: 65, "is U-Boot", "(--raw --dma open --unmapped zero)")
  }

  @Test func kernelAndInitramfsAreBothNamedWhereBothAreWrong() throws {
    let result = try dryRun("/nonexistent/Image", "--initrd", "/nonexistent/initrd")

    #expect(
      result.error == """
        apus: error: --kernel: '/nonexistent/Image' does not exist; check the path
        apus: error: --initrd: '/nonexistent/initrd' does not exist; check the path

        """
    )
  }
}

/// One file in a folder of its own.
struct TemporaryFile {
  let path: String
  let folder: TemporaryFolder

  init(_ bytes: [UInt8]) throws {
    folder = try TemporaryFolder()
    path = try folder.write("input", bytes)
  }
}
