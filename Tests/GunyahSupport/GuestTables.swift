/// Translation tables of one granule, in a guest's memory, with 36 bits of address in both halves, which share them.
///
/// The first 32 MiB of RAM at least are mapped to themselves by one block, so that a puppet goes on there. All that is
/// mapped besides lies in the 2 MiB or more of one last table, from ``window`` on, and in a block from ``block`` on.
public struct GuestTables: Sendable {
  /// The size of a page.
  public enum Granule: UInt64, CaseIterable, Sendable {
    /// 4 KiB.
    case small = 12
    /// 16 KiB.
    case middle = 14
    /// 64 KiB.
    case large = 16
  }

  /// What may be done with a page.
  public enum Page: Sendable {
    /// Read and written.
    case writable
    /// Only read.
    case readOnly
    /// Its access flag is not set.
    case untouched
  }

  /// The granule.
  public let granule: Granule
  /// The size of a page, in bytes.
  public var pageSize: UInt64 { 1 << granule.rawValue }

  /// Where pages are mapped: virtual.
  public static let window: UInt64 = 0x8_0000_0000
  /// The same in the upper half.
  public static let upperWindow: UInt64 = 0xFFFF_FFF0_0000_0000 + window
  /// Where a block is mapped: virtual.
  public static let block: UInt64 = 0xC_0000_0000

  private let puppet: Puppet
  private let base: UInt64
  /// Where the table of the last level is.
  public let lastTable: UInt64

  /// Writes tables for a puppet, without a page in the window.
  ///
  /// - Parameters:
  ///   - base: 512 KiB of memory, at a multiple of 64 KiB.
  ///   - blockAddress: where the block leads, a multiple of its size.
  ///   - lastTable: another place for the table of the last level, a multiple of 64 KiB.
  public init(
    _ puppet: Puppet,
    _ granule: Granule,
    at base: UInt64,
    block blockAddress: UInt64 = 0x4000_0000,
    lastTable: UInt64? = nil
  ) async throws {
    self.granule = granule
    self.puppet = puppet
    self.base = base
    self.lastTable = lastTable ?? base + 0x7_0000
    _ = try await puppet.fill(base, 0x8_0000, with: 0)
    _ = try await puppet.fill(self.lastTable, 0x1_0000, with: 0)
    // The root has entries of 1 GiB with small pages, and of the size of a block otherwise.
    if granule == .small {
      try await entry(base, 0x4000_0000 >> 30, base + 0x1_0000 | Self.table)
      try await entry(base + 0x1_0000, 0, 0x4000_0000 | Self.blockEntry)
      try await entry(base, Self.window >> 30, base + 0x2_0000 | Self.table)
      try await entry(base + 0x2_0000, 0, self.lastTable | Self.table)
      try await entry(base, Self.block >> 30, base + 0x3_0000 | Self.table)
      try await entry(base + 0x3_0000, 0, blockAddress | Self.blockEntry)
    } else {
      let shift = 2 * granule.rawValue - 3
      try await entry(base, 0x4000_0000 >> shift, 0x4000_0000 | Self.blockEntry)
      try await entry(base, Self.window >> shift, self.lastTable | Self.table)
      try await entry(base, Self.block >> shift, blockAddress | Self.blockEntry)
    }
  }

  private static let table: UInt64 = 3
  /// Valid, attribute 1, inner shareable, accessed.
  private static let blockEntry: UInt64 = 1 | 1 << 2 | 3 << 8 | 1 << 10

  private func entry(_ table: UInt64, _ index: UInt64, _ value: UInt64) async throws {
    let access = try await puppet.store(value, at: table + 8 * index)
    guard access.exceptionClass == nil else { throw Puppet.Failure(line: "an entry", answer: "\(access)") }
  }

  /// Maps the page `index` of the window.
  public func map(_ index: UInt64, to address: UInt64, _ page: Page = .writable) async throws {
    var value = address | Self.blockEntry | 2
    switch page {
    case .writable: break
    case .readOnly: value |= 1 << 7
    case .untouched: value &= ~(1 << 10)
    }
    try await entry(lastTable, index, value)
  }

  /// Has the puppet's calls and accesses go by these tables from now on.
  public func use() async throws {
    let walks: UInt64 = 1 << 8 | 1 << 10 | 3 << 12
    let (lower, upper): (UInt64, UInt64) =
      switch granule {
      case .small: (0, 2)
      case .middle: (2, 1)
      case .large: (1, 3)
      }
    let control = 28 | walks | lower << 14 | (28 | walks) << 16 | upper << 30 | 2 << 32
    try await puppet.translate([base, base, control, 0xFF00, 0x30D0_1805])
  }
}

extension Puppet {
  /// Has calls and accesses go by these registers from now on: TTBR0, TTBR1, TCR, MAIR and SCTLR of EL1. By the
  /// puppet's own where there are none.
  public func translate(_ registers: [UInt64]) async throws { _ = try await numbers(Puppet.text("m", registers)) }

  /// Has calls and accesses go without translation from now on.
  public func translateNothing() async throws { try await translate([0, 0, 0, 0, 0x30D0_0800]) }
}
