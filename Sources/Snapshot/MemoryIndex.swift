internal import CSnapshot

/// Pages one after the other.
package struct PageRun: Equatable, Sendable {
  /// The first one's index in its region.
  package var first: Int
  /// How many there are, at least one.
  package var count: Int
  /// Whether they are zero, and holes in the file, where they were something else in the base.
  package var isZero: Bool

  package init(first: Int, count: Int, isZero: Bool = false) {
    self.first = first
    self.count = count
    self.isZero = isZero
  }

  /// As the file's index has it.
  init(coded: UInt64) {
    first = Int(coded & 0xFFFF_FFFF)
    count = Int(coded >> 32 & 0x7FFF_FFFF)
    isZero = coded >> 63 == 1
  }

  var end: Int { first + count }
}

/// Which pages of a region its file has, and their checksums.
struct MemoryIndex: Equatable {
  /// The region's.
  var name: String
  /// As `CSNAPSHOT_RUN_ZERO` says, in the pages' order.
  var runs: [UInt64]
  /// Of each block of ``blockSize`` bytes: the CRC-32C of what the file has of it; 0 where it has nothing. Empty where
  /// none were made.
  var blocks: [UInt32]

  init(name: String, runs: [UInt64], blocks: [UInt32]) {
    self.name = name
    self.runs = runs
    self.blocks = blocks
  }

  static let blockSize = Int(CSNAPSHOT_BLOCK)
  /// The part that has the indices of all regions.
  static let part = "memory"

  /// What is wrong with an index that was read, or nil.
  func mistake(_ memory: SnapshotManifest.Memory, pageSize: UInt64) -> String? {
    let pages = Int(memory.size / pageSize)
    var end = 0
    var stored: UInt64 = 0
    for run in runs.lazy.map(PageRun.init(coded:)) {
      guard run.count > 0, run.first >= end, run.count <= pages, run.first <= pages - run.count else {
        return "its index names pages that it can't have"
      }
      guard memory.isChanges || !run.isZero else { return "its index has zeroes without anything below them" }
      end = run.end
      if !run.isZero { stored += UInt64(run.count) * pageSize }
    }
    guard stored == memory.stored else { return "its index has another number of pages than the manifest" }
    let count = (Int(memory.size) + Self.blockSize - 1) / Self.blockSize
    guard blocks.isEmpty || blocks.count == count else { return "its index has another number of checksums" }
    return nil
  }

  /// What ties a file of memory to its snapshot and its index: it stands behind the region's bytes.
  func trailer(_ identifier: SnapshotIdentifier) -> [UInt8] {
    var trailer: [UInt8] = Array("APUSMEM\u{1}".utf8) + identifier.bytes
    var checksum = identifier.seed
    // SAFETY: the buffers hold for their calls, and their sizes go along.
    checksum = unsafe runs.withUnsafeBytes { unsafe csnapshot_crc32c(checksum, $0.baseAddress, $0.count) }
    checksum = unsafe blocks.withUnsafeBytes { unsafe csnapshot_crc32c(checksum, $0.baseAddress, $0.count) }
    checksum = Checksum.of(Array(name.utf8), after: checksum)
    for shift in [0, 8, 16, 24] as [UInt32] { trailer.append(UInt8(truncatingIfNeeded: checksum >> shift)) }
    return trailer + [UInt8](repeating: 0, count: Self.trailerSize - trailer.count)
  }

  static let trailerSize = 64
}

// Without names of fields: the types that they are looked up with cost more at a restore than all the rest of it.
extension MemoryIndex: Codable {
  init(from decoder: any Decoder) throws {
    var container = try decoder.unkeyedContainer()
    name = try container.decode(String.self)
    runs = try container.decode([UInt64].self)
    blocks = try container.decode([UInt32].self)
  }

  func encode(to encoder: any Encoder) throws {
    var container = encoder.unkeyedContainer()
    try container.encode(name)
    try container.encode(runs)
    try container.encode(blocks)
  }
}
