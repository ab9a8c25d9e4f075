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
}
