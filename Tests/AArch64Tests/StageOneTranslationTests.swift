import AArch64
import DebuggerTesting
import TestSupport
import Testing

/// Tables in a memory of words, built by hand.
private struct Tables {
  var words: [UInt64: UInt64] = [:]
  var registers: TranslationRegisters

  init(_ control: UInt64, table0: UInt64 = 0x1000, table1: UInt64 = 0x2000, mmu: UInt64 = 1) {
    registers = TranslationRegisters(control: mmu, translationControl: control, table0: table0, table1: table1)
  }

  func translate(_ address: UInt64) -> Result<StageOneTranslation.Mapping, TranslationFault> {
    Result { () throws(TranslationFault) in
      try StageOneTranslation(registers).translate(address) { words[$0] }
    }
  }

  func address(_ virtual: UInt64) -> UInt64? { try? translate(virtual).get().address }
}

/// TCR_EL1's fields.
private enum Control {
  static func sizes(_ size0: UInt64, _ size1: UInt64? = nil) -> UInt64 { size0 | (size1 ?? size0) << 16 }
  static let granules4K: UInt64 = 2 << 30
  static let granules16K: UInt64 = 2 << 14 | 1 << 30
  static let granules64K: UInt64 = 1 << 14 | 3 << 30
  static func output(_ size: UInt64) -> UInt64 { size << 32 }
  static let ignoresTopByte0: UInt64 = 1 << 37
  static let ignoresTopByte1: UInt64 = 1 << 38
  static let off0: UInt64 = 1 << 7
  static let off1: UInt64 = 1 << 23
  static let wide: UInt64 = 1 << 59
}

/// Bits of a table's entries.
private enum Entry {
  /// AF.
  static let accessed: UInt64 = 1 << 10
}

@Suite struct StageOneTranslationTests {
  private let linux = Control.sizes(16) | Control.granules4K | Control.output(5)

  @Test func withTheMMUOffAnAddressIsAPhysicalOne() throws {
    let tables = Tables(linux, mmu: 0)

    let mapping = try tables.translate(0x4008_0123).get()

    #expect(mapping.address == 0x4008_0123 && mapping.level == nil && mapping.count > 1 << 40)
    #expect(tables.translate(0xFFFF_8000_0000_0000) == .failure(.addressSize(level: 0)))
  }

  @Test func aPageOfFourLevelsLeadsToItsAddressInEitherHalf() throws {
    var tables = Tables(linux)
    // Level 0, index 1; level 1, 2; level 2, 3; level 3, 4.
    for (base, root) in [(0x10_0000, 0x1000), (0x20_0000, 0x2000)] as [(UInt64, UInt64)] {
      tables.words[root + 1 * 8] = base | 3
      tables.words[base + 2 * 8] = base + 0x1000 | 3
      tables.words[base + 0x1000 + 3 * 8] = base + 0x2000 | 3
      tables.words[base + 0x2000 + 4 * 8] = base << 8 | 0x0040_0000_0000_0703
    }
    let offset: UInt64 = 1 << 39 | 2 << 30 | 3 << 21 | 4 << 12 | 0x567

    let lower = try tables.translate(offset).get()
    let upper = tables.address(0xFFFF_0000_0000_0000 | offset)

    #expect(lower.address == 0x1000_0567 && lower.count == 0x1000 - 0x567 && lower.level == 3)
    #expect(upper == 0x2000_0567)
  }

  @Test func blocksLeadToTheirAddressAtEachLevelThatHasThem() {
    var tables = Tables(linux)
    tables.words[0x1000] = 0x3000 | 3
    tables.words[0x3000] = 0x40_0000_0000 | Entry.accessed | 1
    tables.words[0x3008] = 0x4000 | 3
    tables.words[0x4000] = 0x8060_0000 | Entry.accessed | 1
    // A block of level 0 is none.
    tables.words[0x1008] = 0x80_0000_0000 | 1

    let gibibyte = tables.translate(0x1234_5678)
    let twoMebibytes = tables.translate(0x4001_2345)

    #expect(gibibyte == .success(.init(address: 0x40_1234_5678, count: 0x4000_0000 - 0x1234_5678, level: 1)))
    #expect(twoMebibytes == .success(.init(address: 0x8061_2345, count: 0x20_0000 - 0x1_2345, level: 2)))
    #expect(tables.translate(1 << 39) == .failure(.translation(level: 0)))
  }

  @Test func granulesOf16KiBHaveElevenBitsALevelAndBlocksOf32MiB() {
    // 47 bits: levels 1 to 3.
    var tables = Tables(Control.sizes(17) | Control.granules16K | Control.output(5), table0: 0x8000)
    tables.words[0x8000 + 5 * 8] = 0x1_0000 | 3
    tables.words[0x1_0000 + 6 * 8] = 0x1_4000 | 3
    tables.words[0x1_4000 + 7 * 8] = 0x5000_C000 | Entry.accessed | 3
    tables.words[0x1_0000 + 7 * 8] = 0x6000_0000 | 1
    let base: UInt64 = 5 << 36

    let page = tables.translate(base | 6 << 25 | 7 << 14 | 0x3FFF)
    let block = tables.address(base | 7 << 25 | 0x123_4567)

    #expect(page == .success(.init(address: 0x5000_FFFF, count: 1, level: 3)))
    #expect(block == 0x6123_4567)
  }

  @Test func granulesOf64KiBHaveThirteenBitsALevelAndBlocksOf512MiB() {
    // 42 bits: levels 2 and 3.
    var tables = Tables(Control.sizes(22) | Control.granules64K | Control.output(5), table1: 0x8_0000)
    tables.words[0x8_0000 + 3 * 8] = 0x9_0000 | 3
    tables.words[0x9_0000 + 9 * 8] = 0x7_0000_0000 | 3
    tables.words[0x8_0000 + 4 * 8] = 0x2000_0000 | 1
    let upper: UInt64 = .max << 42

    let page = tables.address(upper | 3 << 29 | 9 << 16 | 0xFEDC)
    let block = tables.address(upper | 4 << 29 | 0x1234_5678)

    #expect(page == 0x7_0000_FEDC && block == 0x3234_5678)
  }

  @Test func largeAddressesOf64KiBGranulesAreTakenApart() {
    // FEAT_LPA: bits 51 to 48 are 15 to 12 of an entry, and 5 to 2 of TTBR.
    var tables = Tables(Control.sizes(12) | Control.granules64K | Control.output(6), table0: 0x8_0000 | 0x5 << 2)
    tables.words[0x5_0000_0008_0000 + 8] = 0x9_0000 | 0x6 << 12 | 3
    tables.words[0x6_0000_0009_0000] = 0x0000_2000_0000_0000 | 0x7 << 12 | 1

    let address = tables.address(1 << 42 | 0x1234)

    #expect(address == 0x7_2000_0000_1234)
  }

  @Test func wideEntriesOf4KiBGranulesBeginAtLevelMinusOne() {
    var tables = Tables(Control.sizes(12) | Control.granules4K | Control.output(6) | Control.wide, table0: 0x1000)
    tables.words[0x1000 + 3 * 8] = 0x2000 | 3
    tables.words[0x2000] = 0x3000 | 3
    tables.words[0x3000] = 0x4000 | 3
    tables.words[0x4000] = 0x5000 | 3
    // Bits 51 and 50 are 9 and 8.
    tables.words[0x5000] = 0x2_0000_0000_6000 | 3 << 8 | Entry.accessed | 3

    let mapping = tables.translate(3 << 48 | 0x12)

    #expect(mapping == .success(.init(address: 0xE_0000_0000_6012, count: 0xFEE, level: 3)))
  }

  @Test func aSmallFirstTableIsAlignedToItsOwnSize() {
    // 32 bits: level 1 with four entries, in 64 bytes.
    var tables = Tables(Control.sizes(32) | Control.granules4K | Control.output(5), table0: 0x1040 | 1)
    tables.words[0x1040 + 3 * 8] = 0x8000_0000 | 1

    #expect(tables.address(0xC000_0010) == 0x8000_0010)
  }

  @Test func anIgnoredTopByteChangesNothingAndAnotherIsAFault() {
    var tables = Tables(linux)
    tables.words[0x1000] = 0x3000 | 3
    tables.words[0x3000] = 1
    tables.words[0x2000 + 511 * 8] = 0x3000 | 3
    let lower: UInt64 = 0x5A00_0000_0000_1234
    let upper: UInt64 = 0x5AFF_FF80_0000_1234

    let strict = [tables.translate(lower), tables.translate(upper)]
    tables.registers.translationControl |= Control.ignoresTopByte0 | Control.ignoresTopByte1
    let ignoring = [tables.address(lower), tables.address(upper)]
    let between = tables.translate(0x0001_0000_0000_0000)

    #expect(strict == [.failure(.translation(level: 0)), .failure(.translation(level: 0))])
    #expect(ignoring == [0x1234, 0x1234])
    #expect(between == .failure(.translation(level: 0)))
  }

  @Test func aHalfThatIsSwitchedOffIsAFault() {
    var tables = Tables(linux | Control.off0)
    tables.words[0x1000] = 0x3000 | 3
    tables.words[0x3000] = 1
    tables.words[0x2000] = 0x3000 | 3

    #expect(tables.translate(0) == .failure(.translation(level: 0)))
    #expect(tables.address(0xFFFF_0000_0000_0000) == 0)
  }

  @Test func faultsSayAtWhichLevelTheyAre() {
    var tables = Tables(Control.sizes(16) | Control.granules4K | Control.output(1))
    tables.words[0x1000] = 0x3000 | 3
    tables.words[0x3000] = 0
    tables.words[0x3008] = 0x4000 | 3
    // A page's entry with bit 1 clear is reserved.
    tables.words[0x4000] = 0x5000 | 3
    tables.words[0x5000] = 0x6000 | 1
    // 36 bits of output.
    tables.words[0x3010] = 1 << 36 | 1
    tables.words[0x3018] = 1 << 37 | 3

    #expect(tables.translate(0) == .failure(.translation(level: 1)))
    #expect(tables.translate(1 << 30) == .failure(.translation(level: 3)))
    #expect(tables.translate(2 << 30) == .failure(.addressSize(level: 1)))
    #expect(tables.translate(3 << 30) == .failure(.addressSize(level: 2)))
    #expect(tables.translate(4 << 30) == .failure(.unreadableTable(level: 1)))
  }

  @Test(arguments: [
    Control.sizes(11) | Control.granules4K, Control.sizes(49) | Control.granules4K,
    Control.sizes(15) | Control.granules4K,
    Control.sizes(48) | Control.granules64K, Control.sizes(16) | 3 << 14, Control.sizes(16) | Control.output(7),
  ])
  func sizesThatTheArchitectureHasNotAreToldSo(control: UInt64) {
    let tables = Tables(control)

    #expect(tables.translate(0) == .failure(.reservedControl))
  }

  @Test func bigEndianTablesAreReadAsSuch() {
    var tables = Tables(linux, mmu: 1 | 1 << 25)
    tables.words[0x1000] = (0x3000 | 3 as UInt64).byteSwapped
    tables.words[0x3000] = (0x4000_0000 | 1 as UInt64).byteSwapped

    #expect(tables.address(0x10) == 0x4000_0010)
  }

  @Test(
    "permissions are those of the page and of the tables before it, as far as TCR_EL1 lets them count",
    arguments: [
      // The table's entry beside its address, the page's, TCR_EL1's bits; whether EL1 may write, and access at all.
      (0, 0x400, 0, true, true), (0, 0x480, 0, false, true), (1 << 62, 0x400, 0, false, true),
      (1 << 62, 0x400, 1 << 41, true, true), (0, 0x000, 0, true, false), (0, 0x000, 1 << 39, true, true),
      (0, 1 << 51 | 0x480, 0, false, true), (0, 1 << 51 | 0x480, 1 << 40, true, true),
    ] as [(UInt64, UInt64, UInt64, Bool, Bool)]
  )
  func permissions(table: UInt64, page: UInt64, control: UInt64, isWritable: Bool, isAccessible: Bool) throws {
    var tables = Tables(linux | control)
    tables.words[0x1000] = table | 0x10_0003
    tables.words[0x10_0000] = 0x11_0003
    tables.words[0x11_0000] = 0x12_0003
    tables.words[0x12_0000] = page | 0x20_0003

    let mapping = try tables.translate(0x10).get()

    #expect(mapping.address == 0x20_0010)
    #expect(mapping.isWritable == isWritable)
    #expect(mapping.isAccessible == isAccessible)
  }

  @Test func anyRegistersAndTablesEndInAnAddressOrAFaultAfterFiveReads() {
    var random = SplitMix64(seed: 7)
    var found = 0

    for _ in 0..<20_000 {
      // Sizes that there are, and entries that lead on.
      let control = random.next() & ~(0x3F | 0x3F << 16) | Control.sizes(.random(in: 10...50, using: &random))
      let address = Bool.random(using: &random) ? random.next() : random.next() >> 28
      let words =
        [1 | random.next() & 1 << 25, control, random.next(), random.next(), address]
        + (0..<5).map { _ in random.next() | 1 }
      if ExerciseTranslation.run(words.flatMap { word in (0..<8).map { UInt8(truncatingIfNeeded: word >> ($0 * 8)) } })
        != nil
      {
        found += 1
      }
    }

    #expect(found > 50)
  }
}
