import GuestMemory
import Testing

@Suite struct GuestRangeTests {
  @Test func containsIsFalseForARunThatEndsBehindTheRange() {
    let range = GuestRange(at: 0x4000_0000, size: 0x1000)

    #expect(range.contains(GuestAddress(0x4000_0FFF)))
    #expect(!range.contains(GuestAddress(0x4000_0FFF), count: 2))
    #expect(!range.contains(GuestAddress(0x4000_1000)))
    #expect(!range.contains(GuestAddress(0x3FFF_FFFF)))
  }

  @Test func containsDoesNotWrapForHugeCounts() {
    let range = GuestRange(at: 0x4000_0000, size: 0x1000)

    #expect(!range.contains(GuestAddress(0x4000_0800), count: .max))
  }

  @Test func initializerRefusesARangeBeyondTheLastAddress() {
    #expect(GuestRange(start: GuestAddress(.max), size: 1) != nil)
    #expect(GuestRange(start: GuestAddress(.max), size: 2) == nil)
  }

  @Test(arguments: [
    (GuestRange(at: 0x1000, size: 0x1000), GuestRange(at: 0x2000, size: 0x1000), false),
    (GuestRange(at: 0x1000, size: 0x1001), GuestRange(at: 0x2000, size: 0x1000), true),
    (GuestRange(at: 0x1000, size: 0), GuestRange(at: 0x0, size: 0x4000), false),
    (GuestRange(at: 0xFFFF_FFFF_FFFF_F000, size: 0x1000), GuestRange(at: 0xFFFF_FFFF_FFFF_FFFF, size: 1), true),
  ])
  func overlapIsSymmetric(first: GuestRange, second: GuestRange, expected: Bool) {
    #expect(first.overlaps(second) == expected)
    #expect(second.overlaps(first) == expected)
  }
}
