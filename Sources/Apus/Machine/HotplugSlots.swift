/// KVM's memory slots of a hot-plug region: which there are over what is plugged, and what a change does to them.
///
/// A slot never changes: KVM has no way to, and taking one away and making it anew would take memory that is in use
/// from vCPUs for a moment. So blocks that are plugged get slots of their own, cut at the borders of units; what is
/// unplugged takes slots away that are in it as a whole. Only where a slot is to lose a part, and where slots are
/// joined since there are too many, are living slots replaced, for which all vCPUs have to wait.
struct HotplugSlots {
  /// A slot over blocks that follow one another, none of them of another unit.
  struct Slot: Equatable {
    var blocks: Range<Int>
    /// KVM's number.
    var number: UInt32
  }

  /// What is to be done with KVM's slots: first those go, then these come.
  struct Change: Equatable {
    var removed: [Slot] = []
    var added: [Slot] = []
    /// Whether blocks are in slots that go and come, so that no vCPU may run meanwhile.
    var replaces = false
  }

  /// The least that a unit is, in bytes: what Linux with 4 KiB pages plugs and unplugs at once.
  static let smallestUnit: UInt64 = 128 << 20

  /// In the order of their blocks.
  private(set) var slots: [Slot] = []
  /// Those that no slot has; the last one is next.
  private var freeNumbers: [UInt32]
  private let blocksPerUnit: Int

  /// - Parameters:
  ///   - regionSize: in bytes.
  ///   - blockSize: in bytes, a power of two.
  ///   - numbers: which KVM has for the region.
  init(regionSize: UInt64, blockSize: UInt64, numbers: Range<UInt32>) {
    // Half of all slots hold the whole region, so that as many are left for what is in pieces.
    var unit = max(Self.smallestUnit, blockSize)
    while (regionSize + unit - 1) / unit > UInt64(numbers.count / 2) { unit *= 2 }
    blocksPerUnit = Int(unit / blockSize)
    freeNumbers = numbers.reversed()
    slots.reserveCapacity(numbers.count)
  }

  /// What plugging blocks takes, of which none is plugged; nil where there are too few slots.
  func plugging(_ blocks: Range<Int>) -> Change? {
    var change = Change()
    var numbers = freeNumbers[...]
    var first = blocks.lowerBound
    while first < blocks.upperBound {
      let end = min((first / blocksPerUnit + 1) * blocksPerUnit, blocks.upperBound)
      guard let number = numbers.popLast() else { return nil }
      change.added.append(Slot(blocks: first..<end, number: number))
      first = end
    }
    return change
  }

  /// What unplugging blocks takes, all of which are plugged; nil where there are too few slots.
  func unplugging(_ blocks: Range<Int>) -> Change? {
    var change = Change()
    var spare = freeNumbers.last
    for slot in slots[index(of: blocks.lowerBound)...] {
      guard slot.blocks.lowerBound < blocks.upperBound else { break }
      change.removed.append(slot)
      // What is left of it goes on under its own number, and where that are two pieces, one under another.
      var number: UInt32? = slot.number
      for (start, end) in [
        (slot.blocks.lowerBound, blocks.lowerBound), (blocks.upperBound, slot.blocks.upperBound),
      ] where start < end {
        if number == nil { (number, spare) = (spare, nil) }
        guard let given = number else { return nil }
        change.added.append(Slot(blocks: start..<end, number: given))
        change.replaces = true
        number = nil
      }
    }
    return change
  }

  /// Takes all slots away.
  func unpluggingAll() -> Change { Change(removed: slots) }

  /// What it takes to have one slot for each run of blocks within a unit; nil where that is so.
  func joining() -> Change? {
    var change = Change(replaces: true)
    var place = slots.startIndex
    while place < slots.endIndex {
      var last = place
      while last + 1 < slots.endIndex, slots[last].blocks.upperBound == slots[last + 1].blocks.lowerBound,
        slots[last].blocks.lowerBound / blocksPerUnit == slots[last + 1].blocks.lowerBound / blocksPerUnit
      {
        last += 1
      }
      if last > place {
        change.removed += slots[place...last]
        let blocks = slots[place].blocks.lowerBound..<slots[last].blocks.upperBound
        change.added.append(Slot(blocks: blocks, number: slots[place].number))
      }
      place = last + 1
    }
    return change.added.isEmpty ? nil : change
  }

  /// Notes that a change was made.
  mutating func note(_ change: Change) {
    for slot in change.removed {
      slots.remove(at: index(of: slot.blocks.lowerBound))
      freeNumbers.append(slot.number)
    }
    for slot in change.added {
      slots.insert(slot, at: index(of: slot.blocks.lowerBound))
      if freeNumbers.last == slot.number {
        freeNumbers.removeLast()
      } else {
        freeNumbers.removeAll { $0 == slot.number }
      }
    }
  }

  /// The place of the slot with a block, or of the first one behind it.
  private func index(of block: Int) -> Int {
    var (low, high) = (slots.startIndex, slots.endIndex)
    while low < high {
      let middle = (low + high) / 2
      if slots[middle].blocks.upperBound <= block { low = middle + 1 } else { high = middle }
    }
    return low
  }
}
