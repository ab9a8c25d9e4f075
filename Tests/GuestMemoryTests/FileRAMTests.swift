import Glibc
import GuestMemory
import TestSupport
import Testing

@Suite struct FileRAMTests {
  static let page = Int(PrivateRAM.pageSize)
  let folder: TemporaryFolder
  let range = GuestRange(at: 0x4000_0000, size: UInt64(64 * FileRAMTests.page))

  init() throws {
    folder = try TemporaryFolder()
  }

  /// A file of pages that are filled with their numbers and one more.
  private func file(_ name: String, pages: Int = 64) throws -> Int32 {
    var bytes: [UInt8] = []
    for page in 0..<pages { bytes += [UInt8](repeating: UInt8(page + 1), count: Self.page) }
    let path = try folder.write(name, bytes)
    // SAFETY: the path holds for the call.
    return unsafe open(path, O_RDWR)
  }

  private func byte(_ ram: borrowing PrivateRAM, page: Int) throws -> UInt8 {
    try ram.read(at: GuestAddress(range.start.rawValue + UInt64(page * Self.page)), count: 1)[0]
  }

  @Test func memoryBeginsAsTheFileAndIsWrittenPrivately() throws {
    let file = try file("ram")
    let first = try PrivateRAM(range: range, mapping: file)
    let second = try PrivateRAM(range: range, mapping: file)
    close(file)

    try first.write([99].span, at: range.start)

    #expect(try byte(first, page: 0) == 99)
    #expect(try byte(first, page: 63) == 64)
    #expect(try byte(second, page: 0) == 1)
    #expect(folder.read("ram")?.first == 1)
  }

  @Test func overlaysArePutOverTheFile() throws {
    let file = try file("ram")
    let other = try self.file("other", pages: 3)
    defer {
      close(file)
      close(other)
    }
    let page = UInt64(Self.page)

    let ram = try PrivateRAM(
      range: range,
      mapping: file,
      overlays: [
        .init(descriptor: other, bytes: page..<3 * page), .init(descriptor: nil, bytes: 10 * page..<12 * page),
        .init(descriptor: nil, bytes: 20 * page..<60 * page),
      ]
    )

    let found = try [0, 1, 2, 3, 9, 10, 11, 12, 19, 20, 59, 60].map { try byte(ram, page: $0) }
    #expect(found == [1, 2, 3, 4, 10, 0, 0, 13, 20, 0, 0, 61])
  }

  @Test func anOverlayThatIsCutIsRefused() throws {
    let file = try file("ram")
    let other = try self.file("other", pages: 1)
    defer {
      close(file)
      close(other)
    }
    let bytes = 0..<UInt64(2 * Self.page)

    #expect(throws: GuestMemoryError.hostRefused(attempt: "pread of a file", size: UInt64(2 * Self.page), errno: EIO)) {
      _ = try PrivateRAM(range: range, mapping: file, overlays: [.init(descriptor: other, bytes: bytes)])
    }
  }

  @Test(arguments: [(0, 64), (3, 1), (1, 40), (5, 15), (5, 16)])
  func zeroDoesNotBringTheFileBack(first: Int, count: Int) throws {
    let file = try file("ram")
    defer { close(file) }
    let ram = try PrivateRAM(range: range, mapping: file)
    try ram.write([UInt8](repeating: 7, count: Int(range.size)).span, at: range.start)

    try ram.zero(GuestRange(at: range.start.rawValue + UInt64(first * Self.page), size: UInt64(count * Self.page)))

    for page in 0..<64 {
      let expected: UInt8 = (first..<first + count).contains(page) ? 0 : 7
      #expect(try byte(ram, page: page) == expected, "page \(page)")
    }
  }

  @Test func zeroClearsPartsOfPagesAtBothEnds() throws {
    let file = try file("ram")
    defer { close(file) }
    let ram = try PrivateRAM(range: range, mapping: file)
    let start = range.start.rawValue + 5

    try ram.zero(GuestRange(at: start, size: range.size - 10))

    let bytes = try ram.read(at: range.start, count: Int(range.size))
    #expect(bytes.filter { $0 != 0 }.count == 10)
    #expect(bytes[4] == 1)
    #expect(bytes[bytes.count - 5] == 64)
    let replaced = ram.pagesWithoutFile
    #expect(replaced == [0x7FFF_FFFF_FFFF_FFFE])
  }

  @Test func aFileThatIsCutReadsAsZeroAndIsTold() throws {
    let file = try file("ram")
    defer { close(file) }
    let ram = try PrivateRAM(range: range, mapping: file)
    #expect(try byte(ram, page: 40) == 41)

    #expect(ftruncate(file, off_t(10 * Self.page)) == 0)

    #expect(try byte(ram, page: 40) == 0)
    #expect(try byte(ram, page: 9) == 10)
    let isLost = ram.isLost
    #expect(isLost)
  }
}
