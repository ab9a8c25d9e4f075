import Glibc
import GuestMemory
import Testing

@Suite struct PrivateRAMTests {
  @Test func readReturnsWhatWasWrittenAndZeroElsewhere() throws {
    let ram = try PrivateRAM(range: GuestRange(at: 0x4000_0000, size: 0x10000))
    let bytes: [UInt8] = [1, 2, 3]

    try ram.write(bytes.span, at: GuestAddress(0x4000_FFFD))

    #expect(try ram.read(at: GuestAddress(0x4000_FFFC), count: 4) == [0, 1, 2, 3])
  }

  @Test func writeAcrossTheEndThrowsAndWritesNothing() throws {
    let ram = try PrivateRAM(range: GuestRange(at: 0x4000_0000, size: 0x10000))
    let bytes: [UInt8] = [1, 2, 3]

    #expect(throws: GuestMemoryError.outOfRange(GuestAddress(0x4000_FFFE), count: 3, in: ram.range)) {
      try ram.write(bytes.span, at: GuestAddress(0x4000_FFFE))
    }
    #expect(try ram.read(at: GuestAddress(0x4000_FFFE), count: 2) == [0, 0])
  }

  @Test(arguments: [(0, 4096), (1, 4095), (4000, 200), (4095, 8194), (100, 20000), (0, 0)] as [(UInt64, UInt64)])
  func zeroClearsTheBytesNamedAndNoOther(offset: UInt64, size: UInt64) throws {
    let ram = try PrivateRAM(range: GuestRange(at: 0x4000_0000, size: 0x10000))
    let before = [UInt8](repeating: 0xAA, count: 0x10000)
    try ram.write(before.span, at: ram.range.start)

    try ram.zero(GuestRange(at: 0x4000_0000 + offset, size: size))

    let zeroed = Int(offset)..<Int(offset + size)
    let after = before.indices.map { zeroed.contains($0) ? 0 : before[$0] }
    #expect(try ram.read(at: ram.range.start, count: 0x10000) == after)
  }

  @Test func zeroGivesWholePagesBack() throws {
    let ram = try PrivateRAM(range: GuestRange(at: 0x4000_0000, size: 0x10000))
    try ram.write([UInt8](repeating: 0xAA, count: 0x10000).span, at: ram.range.start)

    try ram.zero(ram.range)

    #expect(try ram.residentSize() == 0)
  }

  @Test func zeroAcrossTheEndThrows() throws {
    let ram = try PrivateRAM(range: GuestRange(at: 0x4000_0000, size: 0x10000))

    #expect(throws: GuestMemoryError.outOfRange(GuestAddress(0x4000_F000), count: 0x1001, in: ram.range)) {
      try ram.zero(GuestRange(at: 0x4000_F000, size: 0x1001))
    }
  }

  @Test func residentSizeGrowsOnlyWithTouchedPages() throws {
    let ram = try PrivateRAM(range: GuestRange(at: 0x4000_0000, size: 64 << 20))
    let before = try ram.residentSize()

    try ram.write([1].span, at: GuestAddress(0x4000_0000))

    #expect(before == 0)
    #expect(try ram.residentSize() >= PrivateRAM.pageSize)
  }

  @Test func initializerThrowsWhenTheHostHasNoSuchAddressSpace() {
    #expect(throws: GuestMemoryError.self) {
      _ = try PrivateRAM(range: GuestRange(at: 0, size: 1 << 60))
    }
  }

  @Test(arguments: [.huge, .hugeWherePossible] as [PrivateRAM.Pages])
  func memoryForHugePagesIsAlignedForThemAndZero(pages: PrivateRAM.Pages) throws {
    // No multiple of a huge page's size: kernels that align large mappings by themselves leave others as they come.
    let size: UInt64 = 7 << 20
    let ram = try PrivateRAM(range: GuestRange(at: 0x4000_0000, size: size), pages: pages)

    // SAFETY: the address is looked at only.
    let address = unsafe UInt64(UInt(bitPattern: ram.hostAddress))
    let last = try ram.read(at: GuestAddress(0x4000_0000 + size - 8), count: 8)
    let hugePage = PrivateRAM.pageSize * PrivateRAM.pageSize / 8

    #expect(address % hugePage == 0)
    #expect(last == [UInt8](repeating: 0, count: 8))
  }

  @Test func coreDumpsHaveNothingOfGuestMemory() throws {
    let ram = try PrivateRAM(range: GuestRange(at: 0x4000_0000, size: 0x10000))
    let window = try DMAWindow(name: "dump", range: GuestRange(at: 0x8000_0000, size: 0x20_0000))

    // SAFETY: only the addresses are looked at.
    for address in unsafe [UInt(bitPattern: ram.hostAddress), UInt(bitPattern: window.hostAddress)] {
      let flags = try #require(try flags(ofMappingAt: address))
      #expect(flags.contains("dd"), "\(flags)")
    }
    #expect(ram.range.size + window.range.size > 0)
  }

  /// What the kernel knows of a mapping of this process, such as that no core dump has it ("dd").
  private func flags(ofMappingAt address: UInt) throws -> [Substring]? {
    var isWanted = false
    for line in try #require(smaps()).split(separator: "\n") {
      let words = line.split(separator: " ")
      let ends = words.first?.split(separator: "-").compactMap { UInt($0, radix: 16) } ?? []
      if ends.count == 2 { isWanted = ends[0]..<ends[1] ~= address }
      if isWanted, words.first == "VmFlags:" { return Array(words.dropFirst()) }
    }
    return nil
  }

  private func smaps() -> String? {
    // SAFETY: the texts hold for the call, and the buffer's size goes along.
    guard let file = unsafe fopen("/proc/self/smaps", "r") else { return nil }
    defer { unsafe fclose(file) }
    var text: [UInt8] = []
    var chunk = [UInt8](repeating: 0, count: 1 << 16)
    while true {
      let count = unsafe fread(&chunk, 1, chunk.count, file)
      guard count > 0 else { return String(decoding: text, as: UTF8.self) }
      text += chunk[..<count]
    }
  }
}
