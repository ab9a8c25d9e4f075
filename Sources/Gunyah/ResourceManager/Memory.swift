/// What may be done with memory; the bits are those of the manager's messages.
public struct MemoryRights: OptionSet, Hashable, Sendable {
  /// The bits.
  public var rawValue: UInt8

  /// Rights of these bits.
  public init(rawValue: UInt8) { self.rawValue = rawValue }

  /// Fetches succeed. A KVM memory slot cannot tell this from reading, so it is not enforced.
  public static let execute = MemoryRights(rawValue: 1)
  /// Stores succeed.
  public static let write = MemoryRights(rawValue: 2)
  /// Loads succeed.
  public static let read = MemoryRights(rawValue: 4)
  /// All of them.
  public static let all: MemoryRights = [.read, .write, .execute]

  /// Whether a machine can have these: nothing is written or run that cannot be read.
  var isValid: Bool { contains(.read) && isSubset(of: .all) }
}

/// A range of a machine's addresses, of whole pages of 4 KiB.
public struct PageRange: Hashable, Sendable {
  /// The size of a page, in bytes.
  public static let pageSize: UInt64 = 0x1000

  /// The first address, a multiple of ``pageSize``.
  public var start: UInt64
  /// The size in bytes, a multiple of ``pageSize``.
  public var size: UInt64

  /// A range that starts at `start` and has `size` bytes, both multiples of ``pageSize``, and does not wrap.
  public init(start: UInt64, size: UInt64) {
    self.start = start
    self.size = size
  }

  /// The first address behind it.
  public var end: UInt64 { start + size }

  /// A guest's range, or nil where it is empty, not of whole pages, or runs over the end of the addresses.
  init?(checking start: UInt64, size: UInt64) {
    guard
      size > 0, (start | size) % PageRange.pageSize == 0, !start.addingReportingOverflow(size).overflow
    else { return nil }
    self.init(start: start, size: size)
  }
}

/// Pages of a machine, and whose memory is behind them.
///
/// Memory keeps its home wherever it is lent or given to: the machine that had it when it was added, and its address
/// there. The host finds its own address of the memory by that.
public struct MemoryPiece: Hashable, Sendable {
  /// The address in the machine that the piece is of, a multiple of ``PageRange/pageSize``.
  public var address: UInt64
  /// The size in bytes, a multiple of ``PageRange/pageSize``.
  public var size: UInt64
  /// The machine that the memory was of at first.
  public var home: VMID
  /// The address there, a multiple of ``PageRange/pageSize``.
  public var homeAddress: UInt64

  /// A piece of these parts.
  public init(address: UInt64, size: UInt64, home: VMID, homeAddress: UInt64) {
    self.address = address
    self.size = size
    self.home = home
    self.homeAddress = homeAddress
  }

  /// The piece's addresses.
  public var range: PageRange { PageRange(start: address, size: size) }
}

extension [MemoryPiece] {
  /// The pieces with those made one that follow each other in both their addresses and their memory.
  func merged() -> [MemoryPiece] {
    var result: [MemoryPiece] = []
    for piece in self {
      if let last = result.last, last.address + last.size == piece.address, last.home == piece.home,
        last.homeAddress + last.size == piece.homeAddress
      {
        result[result.count - 1].size += piece.size
      } else {
        result.append(piece)
      }
    }
    return result
  }

  /// The pieces in the order of their addresses.
  func inOrder() -> [MemoryPiece] {
    sorted { $0.address < $1.address }
  }

  /// The same, merged.
  func sortedAndMerged() -> [MemoryPiece] {
    inOrder().merged()
  }

  /// The pieces one behind the other from an address on.
  func placed(at address: UInt64) -> [MemoryPiece] {
    var position = address
    return map { piece in
      defer { position += piece.size }
      return MemoryPiece(address: position, size: piece.size, home: piece.home, homeAddress: piece.homeAddress)
    }
  }
}

extension [PageRange] {
  /// Whether two of the ranges have a page in common.
  var overlapEachOther: Bool {
    let ranges = sorted { $0.start < $1.start }
    return zip(ranges, ranges.dropFirst()).contains { $0.end > $1.start }
  }
}
