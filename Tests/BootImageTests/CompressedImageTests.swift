import BootImage
import BootImageTesting
import GuestMemory
import TestSupport
import Testing

/// Images of which one page compresses well and the rest does not.
private let image = linuxImage(size: 300_000, imageSize: 400_000)

/// One image in each packaging.
private let packagings: [(name: String, bytes: [UInt8], packaging: BootImageDescription.Packaging)] = [
  ("Image.gz", gzip(image), .gzip),
  ("zboot gzip", zboot(gzip(image), compression: "gzip"), .efiZboot(.gzip)),
  ("zboot zstd", zboot(zstd(image), compression: "zstd", trailer: [0xE0, 0x93, 4, 0]), .efiZboot(.zstd)),
  ("zboot zstd22", zboot(zstd(image), compression: "zstd22", trailer: [0xE0, 0x93, 4, 0]), .efiZboot(.zstd)),
  ("zboot with a 128 MiB window", zboot(zstd(image, windowLog: 27), compression: "zstd"), .efiZboot(.zstd)),
]

@Suite struct CompressedImageTests {
  @Test(arguments: packagings.indices)
  func loadDecompressesToWhereTheImageBelongs(index: Int) throws {
    let ram = try makeRAM()

    let loaded = try load(packagings[index].bytes, into: ram)

    #expect(try inspect(packagings[index].bytes).packaging == packagings[index].packaging)
    #expect(loaded.segments == [GuestRange(at: ramStart, size: 400_000)])
    #expect(loaded.loadedSize == 300_000)
    #expect(try firstDifference(ram.read(at: loaded.entry, count: 300_001), image + [0]) == nil)
  }

  @Test func loadTouchesNoMoreMemoryThanTheImageHas() throws {
    let ram = try makeRAM()

    _ = try load(gzip(image), into: ram)

    // Beside the data, the page in which the zeroed data ends.
    #expect(try ram.residentSize() <= 300_000 + 2 * PrivateRAM.pageSize)
  }

  @Test(arguments: [Compression.gzip, .zstd])
  func aStreamThatEndsEarlyIsRefusedAtTheLatestWhenLoaded(compression: Compression) throws {
    let stream = compression == .gzip ? gzip(image) : zstd(image)
    let cut = zboot(stream.dropLast(5), compression: compression.rawValue)

    guard case .cutShort(compression, let size) = try loadFailure(cut) else {
      return #expect(Bool(false), "cut short")
    }
    #expect(size > 0 && size <= 300_000)
  }

  @Test func aGzipFileThatEndsInItsFirstBytesIsRefusedByInspection() {
    #expect(inspectionFailure([UInt8](gzip(image).prefix(20))) == .cutShort(.gzip, after: 0))
  }

  @Test func theMessageForACutGzipNamesFileAndRemedy() throws {
    let cut = [UInt8](gzip(image).dropLast(9))
    let file = try BootImageFile(name: "boot/Image.gz", contents: cut.span)
    let ram = try makeRAM()
    let description = try file.inspect()

    var message = ""
    do { _ = try file.load(description, into: ram) } catch { message = "\(error)" }

    #expect(message.hasPrefix("'boot/Image.gz' is truncated: its gzip stream ends in the middle, after "))
    #expect(message.hasSuffix("decompressed bytes; copy it again"))
  }

  @Test func aWrongGzipChecksumIsRefused() throws {
    var damaged = gzip(image)
    damaged[damaged.count - 8] ^= 1

    #expect(try loadFailure(damaged) == .damaged(.gzip, detail: "incorrect data check"))
  }

  @Test func aWrongZstdChecksumIsRefused() throws {
    var stream = zstd(image)
    stream[stream.count - 1] ^= 1

    let failure = try loadFailure(zboot(stream, compression: "zstd"))
    #expect(failure == .damaged(.zstd, detail: "Restored data doesn't match checksum"))
  }

  @Test(arguments: [Compression.gzip, .zstd])
  func aStreamThatExpandsBeyondTheAnnouncedSizeIsStopped(compression: Compression) throws {
    let bomb = linuxImage(size: 1000, imageSize: 400_000) + [UInt8](repeating: 0, count: Effort.cases(64 << 20))
    let stream = compression == .gzip ? gzip(bomb) : zstd(bomb)
    let ram = try makeRAM()

    let failure = reason { () throws(BootImageError) in
      _ = try load(zboot(stream, compression: compression.rawValue), into: ram)
    }

    #expect(failure == .expandsBeyond(compression, limit: 400_000))
    #expect(try ram.residentSize() <= 400_000 + PrivateRAM.pageSize)
  }

  @Test func aStreamThatExpandsToExactlyTheAnnouncedSizeIsLoaded() throws {
    let ram = try makeRAM()
    let full = linuxImage(size: 200_000, imageSize: 200_000)

    #expect(try load(gzip(full), into: ram).loadedSize == 200_000)
    #expect(try load(zboot(zstd(full), compression: "zstd"), into: ram).loadedSize == 200_000)
  }

  @Test func oneByteMoreThanTheAnnouncedSizeIsRefused() throws {
    let more = linuxImage(size: 200_001, imageSize: 200_000)

    #expect(try loadFailure(gzip(more)) == .expandsBeyond(.gzip, limit: 200_000))
    #expect(try loadFailure(zboot(zstd(more), compression: "zstd")) == .expandsBeyond(.zstd, limit: 200_000))
  }

  @Test func gzipMembersThatFollowEachOtherAreOneImage() throws {
    let ram = try makeRAM()
    let bytes = gzip([UInt8](image[..<100_000])) + gzip([UInt8](image[100_000...]))

    let loaded = try load(bytes, into: ram)

    #expect(loaded.loadedSize == 300_000)
    #expect(loaded.ignoredSize == 0)
    #expect(try firstDifference(ram.read(at: loaded.entry, count: 300_000), image) == nil)
  }

  @Test func aSecondGzipMemberThatIsCutIsRefused() throws {
    let bytes = gzip([UInt8](image[..<100_000])) + gzip([UInt8](image[100_000...])).dropLast(1)

    #expect(try loadFailure(bytes) == .cutShort(.gzip, after: 300_000))
  }

  @Test func whatFollowsTheGzipStreamIsIgnored() throws {
    let ram = try makeRAM()

    let loaded = try load(gzip(image) + [0xD0, 0x0D, 0xFE, 0xED, 0, 0], into: ram)

    #expect(loaded.loadedSize == 300_000)
    #expect(loaded.ignoredSize == 6)
  }

  @Test func anOldKernelWithoutImageSizeMayExpandToWhatTheStreamAnnounces() throws {
    let ram = try makeRAM()
    let old = linuxImage(size: 100_000, imageSize: 0)

    #expect(try load(gzip(old), into: ram).segments == [GuestRange(at: ramStart + 0x8_0000, size: 100_000)])
    #expect(
      try load(zboot(zstd(old), compression: "zstd", trailer: [0xA0, 0x86, 1, 0]), into: ram).segments
        == [GuestRange(at: ramStart + 0x8_0000, size: 100_000)]
    )
  }

  @Test func aZbootKernelWithAnotherCompressionIsRefusedByName() {
    let bytes = zboot([1, 2, 3, 4], compression: "lz4")

    #expect(inspectionFailure(bytes) == .unsupportedCompression("lz4"))
  }

  @Test func aZbootPayloadBehindTheEndOfTheFileIsRefused() {
    let bytes = [UInt8](zboot(gzip(image), compression: "gzip").dropLast())

    #expect(
      inspectionFailure(bytes) == .truncated(size: UInt64(bytes.count), expected: UInt64(bytes.count + 1))
    )
  }

  @Test func aCompressedFileThatIsNoKernelIsRefusedWithWhatIsInside() {
    #expect(inspectionFailure(gzip([UInt8]("070701 and more".utf8))) == .foreign(.initramfs, inside: .gzip))
    #expect(inspectionFailure(gzip(simpleELF())) == .foreign(.executable, inside: .gzip))
    #expect(
      inspectionFailure(gzip([1, 2, 3])) == .unrecognized(startsWith: [1, 2, 3], inside: .gzip)
    )
  }

  @Test func aBigEndianKernelInsideIsRefused() {
    #expect(inspectionFailure(gzip(linuxImage(flags: 1))) == .bigEndian)
  }
}
