import Gunyah
import ResourceManagerTesting
import TestSupport
import Testing

@Suite("Ownership of pages")
struct PageOwnershipTests {
  private static let pages = 64
  private static let size = PageRange.pageSize

  private func range(_ first: Int, _ count: Int) -> PageRange {
    PageRange(start: UInt64(first) * Self.size, size: UInt64(count) * Self.size)
  }

  @Test("after any changes, each page is what a plain list of pages says", arguments: 0..<50)
  func asAPlainList(seed: UInt64) {
    var random = SplitMix64(seed: seed)
    var ownership = PageOwnership()
    var plain = [PageOwnership.Use?](repeating: nil, count: Self.pages)
    let uses: [PageOwnership.Use] = [.own, .lent(1), .lent(2), .borrowed(3, .all), .claimed(4), .reserved]

    for _ in 0..<200 {
      let first = Int.random(in: 0..<Self.pages, using: &random)
      let count = Int.random(in: 1...(Self.pages - first), using: &random)
      let use = uses[Int.random(in: 0..<uses.count, using: &random)]
      let pages = range(first, count)
      let isFree = plain[first..<(first + count)].allSatisfy { $0 == nil }
      #expect(ownership.isFree(pages) == isFree)
      switch Int.random(in: 0..<5, using: &random) {
      case 3:
        let ranges = stride(from: first, to: Self.pages - 1, by: count + 1).map { range($0, 1) }
        ownership.change(ranges, to: use)
        for range in ranges where plain[Int(range.start / Self.size)] != nil {
          plain[Int(range.start / Self.size)] = use
        }
      case 4:
        let ranges = stride(from: first, to: Self.pages - 2, by: count + 2).map { range($0, 2) }
        ownership.remove(ranges)
        for range in ranges {
          for page in Int(range.start / Self.size)..<Int(range.end / Self.size) { plain[page] = nil }
        }
        let pieces = ranges.map { MemoryPiece(address: $0.start, size: $0.size, home: .primary, homeAddress: 0) }
        ownership.insert(pieces, .lent(9))
        for range in ranges {
          for page in Int(range.start / Self.size)..<Int(range.end / Self.size) { plain[page] = .lent(9) }
        }
      case 0 where isFree:
        let piece = MemoryPiece(
          address: pages.start,
          size: pages.size,
          home: .primary,
          homeAddress: pages.start + 0x1_0000_0000
        )
        ownership.insert(piece, use)
        for page in first..<(first + count) { plain[page] = use }
      case 1:
        ownership.remove([pages])
        for page in first..<(first + count) { plain[page] = nil }
      default:
        ownership.change([pages], to: use)
        for page in first..<(first + count) where plain[page] != nil { plain[page] = use }
      }
      for page in 0..<Self.pages { #expect(ownership.use(at: UInt64(page) * Self.size + 0xFFF) == plain[page]) }
      for (one, next) in zip(ownership.segments, ownership.segments.dropFirst()) {
        #expect(one.piece.range.end <= next.piece.address)
      }
    }
  }

  @Test("ranges of one use and adjacent memory are one, and those of other memory are not")
  func merges() {
    var ownership = PageOwnership()

    ownership.insert(MemoryPiece(address: 0, size: 0x1000, home: .primary, homeAddress: 0x5000), .own)
    ownership.insert(MemoryPiece(address: 0x2000, size: 0x1000, home: .primary, homeAddress: 0x9000), .own)
    ownership.insert(MemoryPiece(address: 0x1000, size: 0x1000, home: .primary, homeAddress: 0x6000), .own)

    #expect(ownership.segments.map(\.piece.size) == [0x2000, 0x1000])
    #expect(ownership.pieces(of: range(0, 3), .own)?.map(\.homeAddress) == [0x5000, 0x9000])
    #expect(ownership.pieces(of: range(0, 4), .own) == nil)
  }

  @Test("a change of 100,000 pages in pieces leaves one range when it is undone")
  func manyPieces() {
    var ownership = PageOwnership()
    ownership.insert(MemoryPiece(address: 0, size: 100_000 * Self.size, home: .primary, homeAddress: 0), .own)

    for page in stride(from: 0, to: 2_000, by: 2) { ownership.change([range(page, 1)], to: .lent(1)) }
    let count = ownership.segments.count
    for page in stride(from: 0, to: 2_000, by: 2) { ownership.change([range(page, 1)], to: .own) }

    #expect(count == 2_000)
    #expect(ownership.segments.count == 1)
  }

  @Test("the first free range is aligned, between others, and below the end")
  func firstFree() {
    var ownership = PageOwnership()
    ownership.insert(range(1, 1), .reserved)
    ownership.insert(range(5, 1), .reserved)

    #expect(ownership.firstFree(size: Self.size, alignment: Self.size, from: 0, below: 1 << 40) == range(0, 1))
    #expect(ownership.firstFree(size: 3 * Self.size, alignment: Self.size, from: 0, below: 1 << 40) == range(2, 3))
    #expect(ownership.firstFree(size: 2 * Self.size, alignment: 4 * Self.size, from: 0, below: 1 << 40) == range(8, 2))
    #expect(ownership.firstFree(size: Self.size, alignment: Self.size, from: 0x5000, below: 0x6000) == nil)
    #expect(
      ownership.firstFree(size: 0x8000, alignment: Self.size, from: ~0xFFFF, below: .max)
        == range(0xF_FFFF_FFFF_FFF0, 8)
    )
    #expect(ownership.firstFree(size: 0x10000, alignment: Self.size, from: ~0xFFFF, below: .max) == nil)
  }
}
