/// Which of a region's blocks are plugged: a bit for each, allocated once.
struct BlockSet: Equatable {
  /// How many blocks there are.
  let capacity: Int
  /// How many are in the set.
  private(set) var count = 0
  private var words: [UInt64]

  private static var bits: Int { UInt64.bitWidth }

  /// An empty set.
  init(capacity: Int) {
    self.capacity = capacity
    words = Array(repeating: 0, count: (capacity + Self.bits - 1) / Self.bits)
  }

  /// How many of the blocks are in the set.
  ///
  /// - Precondition: the blocks exist.
  func count(in blocks: Range<Int>) -> Int {
    var total = 0
    var block = blocks.lowerBound
    while let (word, mask, next) = part(of: blocks, from: block) {
      total += (words[word] & mask).nonzeroBitCount
      block = next
    }
    return total
  }

  /// Puts blocks in of which none is there.
  mutating func insert(_ blocks: Range<Int>) {
    var block = blocks.lowerBound
    while let (word, mask, next) = part(of: blocks, from: block) {
      words[word] |= mask
      block = next
    }
    count += blocks.count
  }

  /// Takes blocks out of which each is there.
  mutating func remove(_ blocks: Range<Int>) {
    var block = blocks.lowerBound
    while let (word, mask, next) = part(of: blocks, from: block) {
      words[word] &= ~mask
      block = next
    }
    count -= blocks.count
  }

  /// Takes all blocks out.
  mutating func removeAll() {
    for word in words.indices { words[word] = 0 }
    count = 0
  }

  /// The first run of blocks that are in the set and not before `start`, or nil where there is none.
  func run(from start: Int) -> Range<Int>? {
    guard let first = firstBlock(from: start, inSet: true) else { return nil }
    return first..<(firstBlock(from: first, inSet: false) ?? capacity)
  }

  private func firstBlock(from start: Int, inSet isWanted: Bool) -> Int? {
    var block = start
    while block < capacity {
      let word = isWanted ? words[block / Self.bits] : ~words[block / Self.bits]
      let rest = word >> UInt64(block % Self.bits)
      if rest != 0 {
        block += rest.trailingZeroBitCount
        return block < capacity ? block : nil
      }
      block += Self.bits - block % Self.bits
    }
    return nil
  }

  /// The bits of one word for the blocks from `block` on, and the first block behind them; nil behind the last.
  @inline(__always)
  private func part(of blocks: Range<Int>, from block: Int) -> (word: Int, mask: UInt64, next: Int)? {
    precondition(blocks.lowerBound >= 0 && blocks.upperBound <= capacity, "a set knows its blocks")
    guard block < blocks.upperBound else { return nil }
    let bit = block % Self.bits
    let count = min(Self.bits - bit, blocks.upperBound - block)
    let mask = (count == Self.bits ? UInt64.max : (1 << UInt64(count)) - 1) << UInt64(bit)
    return (block / Self.bits, mask, block + count)
  }
}
