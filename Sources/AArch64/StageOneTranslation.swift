/// The registers that decide how the EL1&0 regime translates an address (Arm ARM, D8.2 and D24.2).
public struct TranslationRegisters: Equatable, Sendable {
  /// SCTLR_EL1.
  public var control: UInt64
  /// TCR_EL1.
  public var translationControl: UInt64
  /// TTBR0_EL1.
  public var table0: UInt64
  /// TTBR1_EL1.
  public var table1: UInt64

  /// Takes the registers as MRS reads them.
  public init(control: UInt64, translationControl: UInt64, table0: UInt64, table1: UInt64) {
    self.control = control
    self.translationControl = translationControl
    self.table0 = table0
    self.table1 = table1
  }
}

/// Why an address leads nowhere.
public enum TranslationFault: Error, Equatable, Sendable {
  /// The address is in neither half of the address space, its half is switched off, or an entry of this level's table
  /// leads nowhere. The level is -1 to 3.
  case translation(level: Int)
  /// An address in a table, or the one that comes out, is larger than TCR_EL1.IPS says. The level is -1 to 3.
  case addressSize(level: Int)
  /// A table is where the reader finds no memory. The level is -1 to 3.
  case unreadableTable(level: Int)
  /// TCR_EL1 has a size of table or of address space that the architecture has not.
  case reservedControl
}

/// The stage-1 walk of the EL1&0 translation regime, as a debugger wants it: where a virtual address leads.
///
/// Values in, values out: the registers, the address, and a closure that reads the guest's physical memory. Granules
/// of 4, 16 and 64 KiB, blocks, both tables, the MMU off, ignored top bytes, and addresses of 52 bits (FEAT_LVA,
/// FEAT_LPA and FEAT_LPA2, as far as TCR_EL1 turns them on). Permissions and the access flag are told and not
/// enforced, since a debugger reads what the guest may not; E0PD, PAN and the indirect permissions of FEAT_S1PIE are
/// not looked at. Nothing is kept between two walks. A walk reads at most five words.
public struct StageOneTranslation: Equatable, Sendable {
  /// Where an address leads.
  public struct Mapping: Equatable, Sendable {
    /// The physical address.
    public let address: UInt64
    /// How many bytes from ``address`` on are mapped by the same entry: at least 1.
    public let count: UInt64
    /// The level of the entry, -1 to 3; nil with the MMU off.
    public let level: Int?
    /// Whether EL1 may write there: by AP and APTable, and by DBM where the processor keeps the dirty state
    /// (TCR_EL1.HD).
    public let isWritable: Bool
    /// Whether an access is no fault of the access flag: it is set, or the processor sets it (TCR_EL1.HA).
    public let isAccessible: Bool

    /// Names a place.
    public init(address: UInt64, count: UInt64, level: Int?, isWritable: Bool = true, isAccessible: Bool = true) {
      self.address = address
      self.count = count
      self.level = level
      self.isWritable = isWritable
      self.isAccessible = isAccessible
    }
  }

  private let registers: TranslationRegisters

  /// Prepares walks with these registers.
  public init(_ registers: TranslationRegisters) {
    self.registers = registers
  }

  /// Where a virtual address leads.
  ///
  /// - Parameters:
  ///   - address: virtual.
  ///   - read: the eight bytes at a physical address that is a multiple of 8, in little-endian order; nil where there
  ///     is no memory.
  /// - Throws: why it leads nowhere.
  public func translate(_ address: UInt64, read: (UInt64) -> UInt64?) throws(TranslationFault) -> Mapping {
    let isUpper = address >> 55 & 1 == 1
    let ignoresTopByte = registers.translationControl >> (isUpper ? 38 : 37) & 1 == 1
    guard registers.control & Control.mmu != 0 else {
      return try Self.untranslated(ignoresTopByte && !isUpper ? address & Self.withoutTopByte : address)
    }
    let half = try Half(registers, isUpper: isUpper)
    // The bits above the input's size are all like bit 55; with an ignored top byte, as far as that.
    let significant = ignoresTopByte ? address & Self.withoutTopByte : address
    let above = significant >> UInt64(half.inputBits)
    let expected = isUpper ? (ignoresTopByte ? Self.withoutTopByte : .max) >> UInt64(half.inputBits) : 0
    guard above == expected, !half.isOff else { throw .translation(level: max(half.startLevel, 0)) }

    var table = half.base
    var level = half.startLevel
    var tablesAreWritable = true
    while true {
      guard table <= half.outputLimit else { throw .addressSize(level: level) }
      let shift = half.shift(of: level)
      let indexBits = level == half.startLevel ? half.inputBits - shift : half.stride
      let index = address >> UInt64(shift) & (1 << UInt64(indexBits) - 1)
      guard var entry = read(table + index * 8) else { throw .unreadableTable(level: level) }
      if registers.control & Control.bigEndian != 0 { entry = entry.byteSwapped }
      guard entry & 1 == 1 else { throw .translation(level: level) }
      let isTableOrPage = entry & 2 != 0
      let output = half.output(of: entry)
      if level < 3, isTableOrPage {
        // APTable[1] (D8.4.1), which TCR_EL1.HPD0 and HPD1 switch off.
        if entry >> 62 & 1 == 1, !half.ignoresTablePermissions { tablesAreWritable = false }
        table = output
        level += 1
        continue
      }
      guard level == 3 ? isTableOrPage : half.hasBlocks(at: level) else { throw .translation(level: level) }
      let size: UInt64 = 1 << UInt64(shift)
      let start = output & ~(size - 1)
      guard start <= half.outputLimit else { throw .addressSize(level: level) }
      let offset = address & (size - 1)
      // AP[2], and DBM in bit 51.
      let isWritable = entry >> 7 & 1 == 0 || entry >> 51 & 1 == 1 && half.managesDirtyState
      return Mapping(
        address: start + offset,
        count: size - offset,
        level: level,
        isWritable: tablesAreWritable && isWritable,
        isAccessible: entry >> 10 & 1 == 1 || half.managesAccessFlag
      )
    }
  }

  /// With the MMU off an address is a physical one (D8.2.13).
  private static func untranslated(_ address: UInt64) throws(TranslationFault) -> Mapping {
    guard address < largestAddress else { throw .addressSize(level: 0) }
    return Mapping(address: address, count: largestAddress - address, level: nil)
  }

  private static let withoutTopByte: UInt64 = (1 << 56) - 1
  /// 52 bits.
  private static let largestAddress: UInt64 = 1 << 52

  /// SCTLR_EL1.
  private enum Control {
    /// M.
    static let mmu: UInt64 = 1
    /// EE: tables are big-endian.
    static let bigEndian: UInt64 = 1 << 25
  }
}

/// What TCR_EL1 and one of the TTBRs say of a half of the address space.
private struct Half {
  /// How many bits of an address the tables translate.
  let inputBits: Int
  /// The logarithm of the granule: 12, 14 or 16.
  let granuleBits: Int
  /// EPD0 or EPD1: a walk is a fault.
  let isOff: Bool
  /// The first table.
  let base: UInt64
  /// TCR_EL1.DS: entries have addresses of 52 bits with granules of 4 and 16 KiB.
  let hasWideEntries: Bool
  /// Entries have addresses of 52 bits with granules of 64 KiB.
  let hasWideLargeEntries: Bool
  /// The largest physical address.
  let outputLimit: UInt64
  /// HPD0 or HPD1: permissions in tables' entries say nothing.
  let ignoresTablePermissions: Bool
  /// HA: the processor sets the access flag.
  let managesAccessFlag: Bool
  /// HD: the processor makes entries with DBM writable.
  let managesDirtyState: Bool

  init(_ registers: TranslationRegisters, isUpper: Bool) throws(TranslationFault) {
    let control = registers.translationControl
    let size = Int(control >> (isUpper ? 16 : 0) & 0x3F)
    isOff = control >> (isUpper ? 23 : 7) & 1 == 1
    ignoresTablePermissions = control >> (isUpper ? 42 : 41) & 1 == 1
    managesAccessFlag = control >> 39 & 1 == 1
    managesDirtyState = control >> 40 & 1 == 1
    granuleBits = try Self.granuleBits(control, isUpper: isUpper)
    // IPS: seven sizes; the eighth is reserved.
    let outputBits: [UInt64] = [32, 36, 40, 42, 44, 48, 52]
    let chosen = Int(control >> 32 & 7)
    guard outputBits.indices.contains(chosen) else { throw .reservedControl }
    outputLimit = (1 << outputBits[chosen]) - 1
    hasWideEntries = control >> 59 & 1 == 1 && granuleBits != 16
    hasWideLargeEntries = granuleBits == 16 && chosen == 6
    // T0SZ and T1SZ (D24.2.156): 12 for 52 bits, 16 for 48; the smallest spaces come with FEAT_TTST.
    let smallest = hasWideEntries || granuleBits == 16 ? 12 : 16
    let largest = granuleBits == 16 ? 47 : 48
    guard smallest <= size, size <= largest else { throw .reservedControl }
    inputBits = 64 - size
    let register = isUpper ? registers.table1 : registers.table0
    let levels = Self.levels(inputBits, granuleBits)
    // The first table may be small: as large as its entries, and at least 64 bytes.
    let entryBits = inputBits - granuleBits - (levels - 1) * (granuleBits - 3)
    let tableSize = UInt64(max(64, 8 << entryBits))
    let low = register & 0xFFFF_FFFF_FFFF & ~(tableSize - 1)
    base = hasWideEntries || hasWideLargeEntries ? low | (register >> 2 & 0xF) << 48 : low
  }

  /// TG0 and TG1, which number the granules in two ways.
  private static func granuleBits(_ control: UInt64, isUpper: Bool) throws(TranslationFault) -> Int {
    switch (isUpper, control >> (isUpper ? 30 : 14) & 3) {
    case (false, 0), (true, 2): return 12
    case (false, 2), (true, 1): return 14
    case (false, 1), (true, 3): return 16
    default: throw .reservedControl
    }
  }

  private static func levels(_ inputBits: Int, _ granuleBits: Int) -> Int {
    let stride = granuleBits - 3
    return (inputBits - granuleBits + stride - 1) / stride
  }

  /// How many bits of an address a whole table translates.
  var stride: Int { granuleBits - 3 }

  /// -1 to 3.
  var startLevel: Int { 4 - Self.levels(inputBits, granuleBits) }

  /// The logarithm of what an entry of a level maps.
  func shift(of level: Int) -> Int { granuleBits + (3 - level) * stride }

  /// Table D8-16 and its like: where an entry may be a block.
  func hasBlocks(at level: Int) -> Bool {
    switch granuleBits {
    case 12: level == 1 || level == 2 || level == 0 && hasWideEntries
    case 14: level == 2 || level == 1 && hasWideEntries
    default: level == 2 || level == 1 && hasWideLargeEntries
    }
  }

  /// The address in an entry, a multiple of the granule.
  func output(of entry: UInt64) -> UInt64 {
    let granule: UInt64 = (1 << UInt64(granuleBits)) - 1
    if hasWideEntries { return entry & 0x3_FFFF_FFFF_FFFF & ~granule | (entry >> 8 & 3) << 50 }
    let low = entry & 0xFFFF_FFFF_FFFF & ~granule
    return hasWideLargeEntries ? low | (entry >> 12 & 0xF) << 48 : low
  }
}
