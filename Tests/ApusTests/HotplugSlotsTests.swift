import TestSupport
import Testing

@testable import Apus

@Suite struct HotplugSlotsTests {
  private static let block: UInt64 = 2 << 20
  /// Blocks of a unit.
  private static let unit = 64

  private func slots(blocks: Int = 256, count: UInt32 = 16) -> HotplugSlots {
    HotplugSlots(regionSize: UInt64(blocks) * Self.block, blockSize: Self.block, numbers: 100..<100 + count)
  }

  private func ranges(_ slots: [HotplugSlots.Slot]) -> [Range<Int>] { slots.map(\.blocks) }

  @Test func aPlugGetsASlotForEachUnitAndTouchesNone() throws {
    var slots = slots()

    let first = try #require(slots.plugging(10..<200))
    slots.note(first)
    let second = try #require(slots.plugging(200..<210))
    slots.note(second)

    #expect(ranges(first.added) == [10..<64, 64..<128, 128..<192, 192..<200])
    #expect(ranges(second.added) == [200..<210])
    #expect(first.removed == [] && second.removed == [])
    #expect(!first.replaces && !second.replaces)
    #expect(Set(slots.slots.map(\.number)).count == 5)
  }

  @Test func whatIsUnpluggedAsAWholeOnlyTakesSlotsAway() throws {
    var slots = slots()
    slots.note(try #require(slots.plugging(0..<192)))

    let change = try #require(slots.unplugging(64..<192))
    slots.note(change)

    #expect(ranges(change.removed) == [64..<128, 128..<192])
    #expect(change.added == [])
    #expect(!change.replaces)
    #expect(ranges(slots.slots) == [0..<64])
  }

  @Test(
    arguments: [
      (0..<8, [8..<64]), (56..<64, [0..<56]), (8..<16, [0..<8, 16..<64]), (60..<70, [0..<60, 70..<128]),
    ] as [(Range<Int>, [Range<Int>])]
  )
  func whatIsUnpluggedInPartReplacesOnlyItsOwnSlots(blocks: Range<Int>, left: [Range<Int>]) throws {
    var slots = slots()
    slots.note(try #require(slots.plugging(0..<192)))

    let change = try #require(slots.unplugging(blocks))
    slots.note(change)

    #expect(change.replaces)
    #expect(ranges(change.added) == left)
    #expect(ranges(slots.slots).suffix(1) == [128..<192])
    #expect(Set(slots.slots.map(\.number)).count == slots.slots.count)
  }

  @Test func whereThereAreTooFewSlotsNothingIsPluggedOrCut() throws {
    var slots = slots(blocks: 128, count: 4)
    for start in stride(from: 0, to: 16, by: 4) { slots.note(try #require(slots.plugging(start..<start + 3))) }

    #expect(slots.plugging(20..<21) == nil)
    #expect(slots.unplugging(1..<2) == nil)
    #expect(slots.unplugging(0..<1) != nil)
    #expect(slots.joining() == nil)
  }

  @Test func joiningMakesOneSlotOfThoseThatFollowOneAnotherInAUnit() throws {
    var slots = slots(blocks: 128, count: 8)
    for start in [0, 1, 2, 62, 64, 65] { slots.note(try #require(slots.plugging(start..<start + 1))) }
    slots.note(try #require(slots.plugging(63..<64)))

    let change = try #require(slots.joining())
    slots.note(change)

    #expect(change.replaces)
    #expect(ranges(slots.slots) == [0..<3, 62..<64, 64..<66])
    #expect(slots.joining() == nil)
    #expect(slots.plugging(70..<71) != nil)
  }

  @Test func aLargeRegionHasLargeUnits() throws {
    var slots = HotplugSlots(regionSize: 4 << 40, blockSize: Self.block, numbers: 0..<1024)

    let all = try #require(slots.plugging(0..<(2 << 20)))
    slots.note(all)

    #expect(all.added.count == 512)
    #expect(all.added.allSatisfy { $0.blocks.count == 4096 })
  }

  @Test func aBlockThatIsLargerThanAUnitIsOne() throws {
    let slots = HotplugSlots(regionSize: 4 << 30, blockSize: 1 << 30, numbers: 0..<1024)

    let all = try #require(slots.plugging(0..<4))

    #expect(ranges(all.added) == [0..<1, 1..<2, 2..<3, 3..<4])
  }

  @Test func afterAnyPlugsAndUnplugsTheSlotsAreOverWhatIsPluggedAndNumbersAreOnce() throws {
    var random = SplitMix64(seed: 7)
    var slots = slots(blocks: 512, count: 64)
    var plugged: Set<Int> = []
    for _ in 0..<Effort.cases(4000) {
      let first = Int.random(in: 0..<512, using: &random)
      let blocks = first..<min(512, first + Int.random(in: 1...80, using: &random))
      var change: HotplugSlots.Change?
      if plugged.isDisjoint(with: blocks) {
        change = slots.plugging(blocks)
        if change != nil { plugged.formUnion(blocks) }
      } else if plugged.isSuperset(of: blocks) {
        change = slots.unplugging(blocks)
        if let change {
          let living = Set(change.removed.flatMap(\.blocks)).subtracting(blocks)
          #expect(change.replaces == !living.isEmpty)
          #expect(Set(change.added.flatMap(\.blocks)) == living)
          plugged.subtract(blocks)
        }
      } else if Int.random(in: 0..<8, using: &random) == 0 {
        change = slots.joining()
      }
      if let change { slots.note(change) }

      let blocksOfSlots = slots.slots.flatMap(\.blocks)
      #expect(blocksOfSlots == plugged.sorted())
      #expect(Set(slots.slots.map(\.number)).count == slots.slots.count)
      #expect(slots.slots.allSatisfy { $0.blocks.lowerBound / Self.unit == ($0.blocks.upperBound - 1) / Self.unit })
      #expect(slots.slots.count <= 64)
    }
  }
}
