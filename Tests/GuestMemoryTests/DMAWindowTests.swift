import GuestMemory
import TestSupport
import Testing

#if canImport(Glibc)
  import Glibc
#endif

@Suite struct DMAWindowTests {
  @Test func confinedWindowIsASealedMemoryFileOfItsSize() throws {
    let window = try DMAWindow(name: "test", range: GuestRange(at: 0x5000_0000, size: 0x10000))
    let lent = window.fileDescriptor
    let descriptor = try #require(lent)

    let shrunk = ftruncate(descriptor, 0x8000)
    let grown = ftruncate(descriptor, 0x20000)

    #expect(shrunk == -1)
    #expect(grown == -1)
    #expect(lseek(descriptor, 0, SEEK_END) == 0x10000)
  }

  @Test func confinedWindowIsAlignedForHugePages() throws {
    let window = try DMAWindow(name: "test", range: GuestRange(at: 0x4000_0000, size: 6 << 20))

    // SAFETY: the address is looked at only.
    let address = unsafe UInt64(UInt(bitPattern: window.hostAddress))
    let hugePage = PrivateRAM.pageSize * PrivateRAM.pageSize / 8

    #expect(address % hugePage == 0)
  }

  @Test func openWindowReachesTheRAMAndOutlivesItsOwner() throws {
    let bytes: [UInt8] = [1, 2, 3]
    var ram: PrivateRAM? = try PrivateRAM(range: GuestRange(at: 0x4000_0000, size: 0x10000))
    try ram?.write(bytes.span, at: GuestAddress(0x4000_0100))
    let space = try openSpace(over: ram)
    ram = nil

    #expect(space.extent == .open)
    #expect(read(space, at: 0x4000_0100, count: 3) == bytes)
  }

  @Test func writeThroughADoorIsReadThroughAnother() throws {
    let window = try DMAWindow(name: "test", range: GuestRange(at: 0x5000_0000, size: 0x10000))
    let writer = window.makeSpace()
    let reader = window.makeSpace()

    #expect(write(writer, [7, 8], at: 0x5000_FFFE))

    #expect(read(reader, at: 0x5000_FFFE, count: 2) == [7, 8])
    #expect(writer.counters.bytesWritten == 2)
    #expect(reader.counters.bytesRead == 2)
    #expect(reader.counters.bytesWritten == 0)
  }

  @Test(
    arguments: [
      (0x4FFF_FFFF, 1), (0x4FFF_FFFF, 2), (0x5000_FFFF, 2), (0x5001_0000, 1), (0, 1), (UInt64.max, 1), (.max - 3, 16),
      (0x5000_0000, 0x10001), (0x5000_0000, .max), (0x5000_0001, .max),
    ] as [(UInt64, UInt64)]
  )
  func accessOutsideTheWindowIsRefusedAndCounted(address: UInt64, count: UInt64) throws {
    let window = try DMAWindow(name: "test", range: GuestRange(at: 0x5000_0000, size: 0x10000))
    let space = window.makeSpace()

    // SAFETY: the space lives to the end of the test.
    let isRefused = unsafe space.view.pointer(to: address, count: count, for: .read) == nil

    #expect(isRefused)
    #expect(space.counters.refusedAccesses == 1)
    #expect(space.counters.bytesRead == 0)
  }

  @Test func containsAgreesWithWideArithmeticAroundEveryEdge() throws {
    let window = try DMAWindow(name: "test", range: GuestRange(at: 0x5000_0000, size: 0x10000))
    let space = window.makeSpace()
    // SAFETY: the space lives to the end of the test.
    let view = unsafe space.view
    var random = SystemRandomNumberGenerator()
    let edges: [UInt64] = [0, 0x5000_0000, 0x5001_0000, 0x10000, 1 << 32, .max]

    for _ in 0..<Effort.cases(100_000) {
      let address = (edges.randomElement(using: &random) ?? 0) &+ UInt64.random(in: 0..<8, using: &random) &- 4
      let count = (edges.randomElement(using: &random) ?? 0) &+ UInt64.random(in: 0..<8, using: &random) &- 4
      let expected = address >= 0x5000_0000 && UInt128(address) + UInt128(count) <= 0x5001_0000
      guard view.reaches(address, count: count, for: .readWrite) == expected else {
        Issue.record("\(count) bytes at \(address)")
        return
      }
    }
  }

  @Test func segmentHasTheLayoutOfAnIOVector() {
    // SAFETY: only sizes and offsets are asked.
    let sizes = unsafe [MemoryLayout<DMASegment>.size, MemoryLayout<DMASegment>.stride]
    let expectedSizes = unsafe [MemoryLayout<iovec>.size, MemoryLayout<iovec>.stride]
    let offsets = unsafe [MemoryLayout<DMASegment>.offset(of: \.base), MemoryLayout<DMASegment>.offset(of: \.count)]
    let expectedOffsets = unsafe [
      MemoryLayout<iovec>.offset(of: \.iov_base), MemoryLayout<iovec>.offset(of: \.iov_len),
    ]

    #expect(sizes == expectedSizes)
    #expect(offsets == expectedOffsets)
  }

  @Test func initializerThrowsWhenTheHostHasNoSuchMemory() {
    #expect(throws: GuestMemoryError.self) {
      _ = try DMAWindow(name: "huge", range: GuestRange(at: 0, size: 1 << 60))
    }
  }

  private func openSpace(over ram: borrowing PrivateRAM?) throws -> DMASpace {
    switch ram {
    case .some(let ram): return DMAWindow(name: "open", opening: ram).makeSpace()
    case .none: throw GuestMemoryError.hostRefused(attempt: "test", size: 0, errno: 0)
    }
  }

  private func read(_ space: DMASpace, at address: UInt64, count: Int) -> [UInt8]? {
    var bytes = [UInt8](repeating: 0, count: count)
    // SAFETY: the space is the caller's; the buffer is used within the call only.
    let done = unsafe bytes.withUnsafeMutableBytes { unsafe space.view.read(at: address, into: $0) }
    return done ? bytes : nil
  }

  private func write(_ space: DMASpace, _ bytes: [UInt8], at address: UInt64) -> Bool {
    // SAFETY: as above.
    unsafe bytes.withUnsafeBytes { unsafe space.view.write($0, at: address) }
  }
}
