import BootImage
import BootImageTesting
import GuestMemory
import TestSupport
import Testing

private let mebibyte: UInt64 = 1 << 20

/// A file of `size` bytes that takes no memory.
private func initramfs(size: Int) throws -> BootPlacement.Initramfs {
  let file = try BootImageFile(name: "initramfs", contents: [UInt8](repeating: 0, count: size).span)
  return BootPlacement.Initramfs(file)
}

private func ram(_ size: UInt64) -> GuestRange { GuestRange(at: ramStart, size: size) }

@Suite struct BootPlacementTests {
  @Test(arguments: [32, 33, 64, 128, 511, 512, 513, 3072, 32 << 10, 33 << 10, 512 << 10] as [UInt64])
  func aKernelHasEverythingInRAMAndNothingOverlaps(mebibytes: UInt64) throws {
    let image = try inspect(linuxImage(textOffset: 0x8_0000, imageSize: 19 * mebibyte))
    let ram = ram(mebibytes * mebibyte)

    let placement = try BootPlacement(
      image,
      initramfs: try initramfs(size: 5_000_001),
      deviceTreeSize: 70_000,
      in: ram
    )

    let initramfs = try #require(placement.initramfs)
    #expect(placement.entry == GuestAddress(ramStart + 0x8_0000))
    #expect(placement.segments == [GuestRange(at: ramStart + 0x8_0000, size: 19 * mebibyte)])
    #expect(ram.contains(initramfs) && ram.contains(placement.deviceTree))
    #expect(!initramfs.overlaps(placement.deviceTree))
    #expect(!initramfs.overlaps(placement.segments[0]))
    #expect(initramfs.start.rawValue % 4096 == 0)
    #expect(placement.deviceTree.start.rawValue % (2 * mebibyte) == 0)
    #expect(placement.deviceTree.start.rawValue - ramStart >= 20 * mebibyte)
    #expect(placement.deviceTree.start.rawValue - ramStart < 512 * mebibyte)
    #expect(initramfs.start.rawValue + initramfs.size <= ramStart + 32 << 30)
  }

  @Test func anInitramfsThatFillsWhatIsLeftFits() throws {
    let image = try inspect(linuxImage(imageSize: 10 * mebibyte))
    let room = 32 * mebibyte - 10 * mebibyte - 2 * mebibyte

    let placement = try BootPlacement(
      image,
      initramfs: try initramfs(size: Int(room)),
      deviceTreeSize: 4096,
      in: ram(32 * mebibyte)
    )

    #expect(placement.initramfs == GuestRange(at: ramStart + 10 * mebibyte, size: room))
    #expect(placement.deviceTree == GuestRange(at: ramStart + 30 * mebibyte, size: 4096))
  }

  @Test func anInitramfsThatDoesNotFitIsRefusedWithTheLargestThatWould() throws {
    let image = try inspect(linuxImage(imageSize: 10 * mebibyte))
    let room = 20 * mebibyte
    let large = try initramfs(size: Int(room) + 1)

    let error = #expect(throws: BootImageError.self) {
      try BootPlacement(image, initramfs: large, deviceTreeSize: 4096, in: ram(32 * mebibyte))
    }

    #expect(
      error?.reason == .initramfsDoesNotFit(size: room + 1, largest: room, ram: ram(32 * mebibyte))
    )
    #expect(error?.path == "initramfs")
    #expect(error?.category == .doesNotFit)
  }

  @Test func aKernelThatLeavesNoBlockForTheDeviceTreeIsRefused() throws {
    let image = try inspect(linuxImage(imageSize: 30 * mebibyte + 1))

    let error = #expect(throws: BootImageError.self) {
      try BootPlacement(image, initramfs: nil, deviceTreeSize: 4096, in: ram(32 * mebibyte))
    }

    #expect(error?.reason == .deviceTreeDoesNotFit(size: 4096, ram: ram(32 * mebibyte)))
  }

  @Test func anExecutableFindsItsDeviceTreeAtTheStartOfRAM() throws {
    let placement = try BootPlacement(
      try inspect(simpleELF()),
      initramfs: nil,
      deviceTreeSize: 2 * mebibyte,
      in: ram(32 * mebibyte)
    )

    #expect(placement.deviceTree == GuestRange(at: ramStart, size: 2 * mebibyte))
    #expect(placement.entry == GuestAddress(ramStart + 2 * mebibyte))
    #expect(placement.initramfs == nil)
  }

  @Test func anExecutableAtTheStartOfRAMFindsItsDeviceTreeAbove() throws {
    let bytes = elf(
      entry: ramStart,
      [SegmentToBuild(virtual: ramStart, physical: ramStart, bytes: pattern(100), memorySize: 4096)]
    )

    let placement = try BootPlacement(
      try inspect(bytes),
      initramfs: nil,
      deviceTreeSize: 4096,
      in: ram(32 * mebibyte)
    )

    #expect(placement.deviceTree == GuestRange(at: ramStart + 32 * mebibyte - 4096, size: 4096))
  }

  @Test(arguments: [1, 32, 4096] as [UInt64])
  func aRawBinaryFindsItsDeviceTreeAtTheStartOfRAM(mebibytes: UInt64) throws {
    let placement = try BootPlacement(
      try inspect(pattern(5000), raw: true),
      initramfs: try initramfs(size: 100_000),
      deviceTreeSize: 512 << 10,
      in: ram(mebibytes * mebibyte)
    )

    #expect(placement.entry == GuestAddress(ramStart + 512 << 10))
    #expect(placement.deviceTree == GuestRange(at: ramStart, size: 512 << 10))
    #expect(placement.initramfs?.overlaps(placement.deviceTree) == false)
  }

  @Test func aDeviceTreeThatReachesIntoTheRawBinaryIsRefused() throws {
    let image = try inspect(pattern(5000), raw: true)

    let error = #expect(throws: BootImageError.self) {
      try BootPlacement(image, initramfs: nil, deviceTreeSize: 512 << 10 + 1, in: ram(32 * mebibyte))
    }

    #expect(error?.reason == .deviceTreeBeforeBinaryTooLarge(size: 512 << 10 + 1))
    #expect(error?.category == .doesNotFit)
    #expect(error?.description.hasPrefix("'image' has 512 KiB before it in RAM for its device tree") == true)
  }

  @Test func loadPutsTheInitramfsWhereItIsToldTo() throws {
    let ram = try makeRAM()
    let bytes = pattern(5000)
    let file = try BootImageFile(name: "initramfs", contents: bytes.span)

    let range = try file.load(into: ram, at: GuestAddress(ramStart + 0x10_0000))

    #expect(range == GuestRange(at: ramStart + 0x10_0000, size: 5000))
    #expect(try firstDifference(ram.read(at: range.start, count: 5001), bytes + [0]) == nil)
  }

  @Test func loadRefusesAnInitramfsOutsideRAM() throws {
    let ram = try makeRAM()
    let file = try BootImageFile(name: "initramfs", contents: pattern(5000).span)
    let address = GuestAddress(ramStart + (8 << 20) - 4999)

    let failure = reason { () throws(BootImageError) in _ = try file.load(into: ram, at: address) }

    #expect(failure == .doesNotFit(size: 5000, offset: (8 << 20) - 4999, ram: ram.range))
  }
}
