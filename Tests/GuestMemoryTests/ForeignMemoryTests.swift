import Glibc
import GuestMemory
import TestSupport
import Testing

@Suite struct ForeignMemoryTests {
  private static let page = PrivateRAM.pageSize

  /// A file of so many pages, open.
  private func file(pages: UInt64, in folder: TemporaryFolder) throws -> Int32 {
    // SAFETY: the path holds for the call.
    let number = unsafe open(folder.path("memory"), O_RDWR | O_CREAT, 0o600)
    try #require(number >= 0 && ftruncate(number, Int(pages * Self.page)) == 0)
    return number
  }

  private func read(_ space: DMASpace, at address: UInt64) -> [UInt8]? {
    var bytes: [UInt8] = [0xAA]
    // SAFETY: the array holds for the call.
    let isRead = unsafe bytes.withUnsafeMutableBytes { unsafe space.view.read(at: address, into: $0) }
    return isRead ? bytes : nil
  }

  private func write(_ space: DMASpace, _ bytes: [UInt8], at address: UInt64) -> Bool {
    // SAFETY: the array holds for the call.
    unsafe bytes.withUnsafeBytes { unsafe space.view.write($0, at: address) }
  }

  @Test func itIsSharedWithTheFileFromItsOffset() throws {
    let folder = try TemporaryFolder()
    let number = try file(pages: 3, in: folder)
    defer { close(number) }
    let memory = try ForeignMemory(descriptor: number, offset: Self.page, size: 2 * Self.page)
    let space = DMASpace(extent: .open)
    space.add(memory, at: GuestAddress(0x4000_0000))

    #expect(write(space, [7], at: 0x4000_0000 + 2 * Self.page - 1))
    #expect(!write(space, [7], at: 0x4000_0000 + 2 * Self.page))

    #expect(folder.read("memory")?.firstIndex(of: 7) == Int(3 * Self.page) - 1)
    #expect(!memory.isLost)
  }

  @Test func whatAShortenedFileLacksIsZeroAndTold() throws {
    let folder = try TemporaryFolder()
    let number = try file(pages: 4, in: folder)
    defer { close(number) }
    let memory = try ForeignMemory(descriptor: number, offset: 0, size: 4 * Self.page)
    let other = try ForeignMemory(descriptor: number, offset: 0, size: Self.page)
    let space = DMASpace(extent: .open)
    space.add(memory, at: GuestAddress(0x4000_0000))
    #expect(write(space, [1], at: 0x4000_0000))
    #expect(write(space, [2], at: 0x4000_0000 + 2 * Self.page))
    let before = ForeignMemory.losses

    try #require(ftruncate(number, Int(Self.page)) == 0)

    #expect(read(space, at: 0x4000_0000) == [1])
    #expect(!memory.isLost)
    #expect(read(space, at: 0x4000_0000 + 2 * Self.page) == [0])
    #expect(memory.isLost)
    #expect(!other.isLost)
    #expect(ForeignMemory.losses > before)
    #expect(write(space, [3], at: 0x4000_0000 + 3 * Self.page))
  }

  @Test func filesThatAreTooShortOrNoneAreRefused() throws {
    let folder = try TemporaryFolder()
    let number = try file(pages: 1, in: folder)
    defer { close(number) }
    let size = Self.page
    #expect(throws: ForeignMemoryError.short(size: size, needed: size + 1)) {
      try ForeignMemory(descriptor: number, offset: 0, size: size + 1)
    }
    #expect(throws: ForeignMemoryError.short(size: size, needed: .max)) {
      try ForeignMemory(descriptor: number, offset: .max - size + 1, size: size + 1)
    }
    #expect(throws: ForeignMemoryError.refused(errno: EBADF)) {
      try ForeignMemory(descriptor: -1, offset: 0, size: size)
    }
    // SAFETY: the path is a constant.
    let device = unsafe open("/dev/zero", O_RDWR)
    defer { close(device) }
    #expect(throws: ForeignMemoryError.notAFile) { try ForeignMemory(descriptor: device, offset: 0, size: size) }
  }
}
