import Foundation
import Host
import TestSupport
import Testing

@testable import HostBackends

/// A disk's image while a machine runs.
@Suite struct DiskImageChangeTests {
  private let folder = try? TemporaryFolder()

  private func file(_ name: String, _ size: Int, _ byte: UInt8 = 0) throws -> String {
    let path = try #require(folder).path + "/" + name
    try Data(repeating: byte, count: size).write(to: URL(filePath: path))
    return path
  }

  private func refusal(_ body: () throws(DiskError) -> Void) -> String? {
    do throws(DiskError) {
      try body()
      return nil
    } catch {
      return "\(error)"
    }
  }

  @Test func aFileGrowsAndTheDiskWithIt() throws {
    let path = try file("disk", 4096)
    let image = try DiskImage(path: path, isReadOnly: false)

    let size = try image.grow(to: 1 << 20)

    #expect(size == 1 << 20)
    #expect(image.size == 1 << 20)
    #expect(try FileManager.default.attributesOfItem(atPath: path)[.size] as? Int == 1 << 20)
  }

  @Test func aFileThatHasGrownByItselfIsNoticedWhenAsked() throws {
    let path = try file("disk", 4096)
    let image = try DiskImage(path: path, isReadOnly: true)
    try FileHandle(forWritingTo: URL(filePath: path)).truncate(atOffset: 8192)

    #expect(image.size == 4096)
    #expect(try image.refreshSize() == 8192)
    #expect(image.size == 8192)
  }

  @Test func sizesThatLoseDataOrAreNoneAreRefused() throws {
    let image = try DiskImage(path: try file("disk", 8192), isReadOnly: false)

    #expect(refusal { () throws(DiskError) in _ = try image.grow(to: 4096) }?.contains("would lose") == true)
    #expect(refusal { () throws(DiskError) in _ = try image.grow(to: 8193) }?.contains("multiple of 512") == true)
    for size: UInt64 in [.max, .max / 512 * 512, 1 << 63] {
      let reason = refusal { () throws(DiskError) in _ = try image.grow(to: size) }
      #expect(reason?.hasSuffix("cannot have \(size) bytes; a file has at most 9223372036854775296") == true)
    }
    #expect(image.size == 8192)
  }

  @Test func anEmptyPathIsToldAsThat() {
    let error = #expect(throws: DiskError.self) { try DiskImage(path: "", isReadOnly: true) }

    #expect(error?.description == "the path of the disk's image is empty; give one")
  }

  @Test func aReadOnlyImageIsNotMadeLonger() throws {
    let image = try DiskImage(path: try file("disk", 8192), isReadOnly: true)

    #expect(refusal { () throws(DiskError) in _ = try image.grow(to: 16384) }?.contains("read-only") == true)
  }

  @Test func aFileThatHasBecomeSmallerIsNoticedAndTheDiskKeepsItsSize() throws {
    let path = try file("disk", 8192)
    let image = try DiskImage(path: path, isReadOnly: true)
    try FileHandle(forWritingTo: URL(filePath: path)).truncate(atOffset: 4096)

    #expect(refusal { () throws(DiskError) in _ = try image.refreshSize() }?.contains("smaller") == true)
    #expect(image.size == 8192)
  }

  @Test func anotherImageTakesThePlaceAndTheFormerIsFreeForOthers() throws {
    let former = try file("former", 4096, 1)
    let image = try DiskImage(path: former, isReadOnly: true)

    try image.replace(with: try DiskImage(path: try file("new", 8192, 2), isReadOnly: true))

    var byte: UInt8 = 0
    // SAFETY: the byte holds for the call.
    #expect(unsafe pread(image.descriptor.rawValue, &byte, 1, 0) == 1)
    #expect(byte == 2)
    #expect(image.size == 8192)
    // The lock on it has gone with its last descriptor.
    _ = try DiskImage(path: former, isReadOnly: false)
  }
}
