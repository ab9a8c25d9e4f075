import BootImage
import BootImageTesting
import GuestMemory
import TestSupport
import Testing

@Suite struct LinuxImageTests {
  @Test func inspectTellsWhatTheHeaderSays() throws {
    let image = try inspect(linuxImage(textOffset: 0x8_0000, imageSize: 1 << 20, flags: 0b1010))

    guard case .linux(let linux) = image.kind else { return #expect(Bool(false), "a Linux Image") }
    #expect(image.packaging == .plain)
    #expect(linux.textOffset == 0x8_0000)
    #expect(linux.memorySize == 1 << 20)
    #expect(linux.pageSize == 4096)
    #expect(linux.runsAnywhere)
    #expect(linux.leastSize == 64)
  }

  @Test(arguments: [(0, nil), (1, 4096), (2, 16384), (3, 65536)] as [(UInt64, UInt64?)])
  func inspectTellsThePageSize(field: UInt64, size: UInt64?) throws {
    let image = try inspect(linuxImage(flags: field << 1))

    guard case .linux(let linux) = image.kind else { return #expect(Bool(false), "a Linux Image") }
    #expect(linux.pageSize == size)
  }

  @Test func aKernelOlderThanImageSizeGoesToTheOldOffsetAndTakesItsFileSize() throws {
    let ram = try makeRAM()
    let bytes = linuxImage(textOffset: 0x1_0000, imageSize: 0)

    let loaded = try load(bytes, into: ram)

    #expect(loaded.segments == [GuestRange(at: ramStart + 0x8_0000, size: 3000)])
  }

  @Test func loadCopiesTheImageToItsOffsetAndStartsThere() throws {
    let ram = try makeRAM()
    let bytes = linuxImage(textOffset: 0x8_0000, imageSize: 8192)

    let loaded = try load(bytes, into: ram)

    #expect(loaded.entry == GuestAddress(ramStart + 0x8_0000))
    #expect(loaded.segments == [GuestRange(at: ramStart + 0x8_0000, size: 8192)])
    #expect(loaded.loadedSize == 3000)
    #expect(loaded.ignoredSize == 0)
    #expect(try firstDifference(ram.read(at: loaded.entry, count: 3001), bytes + [0]) == nil)
  }

  @Test func whatFollowsTheImageInTheFileIsIgnored() throws {
    let ram = try makeRAM()

    let loaded = try load(linuxImage(size: 3000, imageSize: 2048), into: ram)

    #expect(loaded.loadedSize == 2048)
    #expect(loaded.ignoredSize == 952)
    let behind = try ram.read(at: GuestAddress(ramStart + 2048), count: 952)
    #expect(firstDifference(behind, repeatElement(0, count: 952)) == nil)
  }

  @Test func aBigEndianKernelIsRefused() {
    #expect(inspectionFailure(linuxImage(flags: 1)) == .bigEndian)
  }

  @Test func anImageShorterThanItsHeaderIsRefused() {
    #expect(inspectionFailure([UInt8](linuxImage().prefix(63))) == .truncated(size: 63, expected: 64))
  }

  @Test func anImageShorterThanItsEFISectionsIsRefused() throws {
    let whole = linuxImageWithEFIStub(size: 5000, sectionEnd: 5000)
    let cut = [UInt8](whole.dropLast())

    #expect(inspectionFailure(whole) == nil)
    #expect(inspectionFailure(cut) == .truncated(size: 4999, expected: 5000))
  }

  @Test(arguments: [(0xD503_201F, 0x1400_00FF), (0x1400_0100, 0)] as [(UInt32, UInt32)])
  func anImageShorterThanWhereItsFirstInstructionBranchesToIsRefused(code0: UInt32, code1: UInt32) {
    var image = linuxImage(size: 1028)
    image.put(code0, at: 0)
    image.put(code1, at: 4)

    #expect(inspectionFailure(image) == nil)
    #expect(inspectionFailure([UInt8](image.dropLast())) == .truncated(size: 1027, expected: 1028))
  }

  @Test func aBranchBackwardsSaysNothingOfTheSize() {
    var image = linuxImage(size: 64)
    image.put(UInt32(0x17FF_FFFF), at: 0)

    #expect(inspectionFailure(image) == nil)
  }

  @Test func anImageThatWasCutBeforeItWasCompressedIsRefused() throws {
    let cut = [UInt8](linuxImageWithEFIStub(size: 5000, sectionEnd: 5000).dropLast())

    #expect(try loadFailure(gzip(cut)) == .truncated(size: 4999, expected: 5000))
  }

  @Test func anImageSizeBelowTheSectionsIsRefused() {
    var image = linuxImageWithEFIStub(size: 5000, sectionEnd: 5000)
    image.put(UInt64(4999), at: 16)

    #expect(inspectionFailure(image) == .damagedHeader("image_size is 4999 bytes, and the image alone has 5000"))
  }

  @Test(arguments: [(0, 8 << 20 + 1), (1, 8 << 20), (.max, 8192), (8 << 20, 8192)] as [(UInt64, UInt64)])
  func anImageLargerThanRAMIsRefusedWithBothSizes(offset: UInt64, size: UInt64) throws {
    let image = linuxImage(textOffset: offset, imageSize: size)

    let ram = GuestRange(at: ramStart, size: 8 << 20)
    #expect(try loadFailure(image) == .doesNotFit(size: size, offset: offset, ram: ram))
  }

  @Test func theMessageForAnOversizedImageNamesWhatItNeedsAndWhatThereIs() throws {
    let ram = GuestRange(at: ramStart, size: 8 << 20)
    let image = try inspect(linuxImage(textOffset: 0x8_0000, imageSize: 20_761_804))

    let error = #expect(throws: BootImageError.self) { try image.segments(in: ram) }

    #expect(error?.category == .doesNotFit)
    #expect(
      error?.description
        == "'image' does not fit: it needs 19.8 MiB from 512 KiB into RAM, and RAM has 8 MiB; give the guest more memory"
    )
  }
}
