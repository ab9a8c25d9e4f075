internal import GuestMemory

/// A run of a domain's addresses and where it leads.
struct IOMMUMapping: Equatable, Sendable {
  /// The first address.
  var start: UInt64
  /// The last one.
  var last: UInt64
  /// Where the first one leads.
  var target: UInt64
  var permissions: DMAPermissions
}

/// The mappings of a domain in the order of their addresses; none overlaps another.
///
/// They are kept in pieces of a bounded length, so that neither a look-up nor a change walks through all: both are
/// binary searches over the pieces and then in one. A look-up allocates nothing.
struct IOMMUMappings {
  /// The most mappings of a piece; one that has them is halved.
  private static let pieceLimit = 256

  /// None is empty.
  private var pieces: [[IOMMUMapping]] = []
  private(set) var count = 0

  /// All of them, in order.
  var all: [IOMMUMapping] { pieces.flatMap(\.self) }

  /// The place of the last mapping that starts at or before an address.
  private func place(before address: UInt64) -> (piece: Int, index: Int)? {
    var (low, high) = (0, pieces.count)
    while low < high {
      let middle = (low + high) / 2
      if pieces[middle][0].start <= address { low = middle + 1 } else { high = middle }
    }
    guard low > 0 else { return nil }
    let piece = low - 1
    (low, high) = (1, pieces[piece].count)
    while low < high {
      let middle = (low + high) / 2
      if pieces[piece][middle].start <= address { low = middle + 1 } else { high = middle }
    }
    return (piece, low - 1)
  }

  /// The mapping that an address is in.
  func mapping(at address: UInt64) -> IOMMUMapping? {
    guard let place = place(before: address) else { return nil }
    let mapping = pieces[place.piece][place.index]
    return address <= mapping.last ? mapping : nil
  }

  /// Whether something is mapped in a run of addresses.
  func overlap(_ run: ClosedRange<UInt64>) -> Bool {
    guard let place = place(before: run.upperBound) else { return false }
    return pieces[place.piece][place.index].last >= run.lowerBound
  }

  /// Whether a mapping lies in a run of addresses in part only.
  func areSplit(by run: ClosedRange<UInt64>) -> Bool {
    if let first = mapping(at: run.lowerBound), first.start < run.lowerBound { return true }
    if let last = mapping(at: run.upperBound), last.last > run.upperBound { return true }
    return false
  }

  /// - Precondition: nothing is mapped where it is.
  mutating func insert(_ mapping: IOMMUMapping) {
    count += 1
    guard !pieces.isEmpty else {
      pieces = [[mapping]]
      return
    }
    let place = place(before: mapping.start) ?? (piece: 0, index: -1)
    pieces[place.piece].insert(mapping, at: place.index + 1)
    guard pieces[place.piece].count > Self.pieceLimit else { return }
    let middle = pieces[place.piece].count / 2
    pieces.insert(Array(pieces[place.piece][middle...]), at: place.piece + 1)
    pieces[place.piece].removeSubrange(middle...)
  }

  /// Removes all mappings in a run of addresses.
  ///
  /// - Precondition: the run splits none.
  mutating func remove(in run: ClosedRange<UInt64>) {
    while let place = place(before: run.upperBound), pieces[place.piece][place.index].start >= run.lowerBound {
      var first = place.index
      while first > 0, pieces[place.piece][first - 1].start >= run.lowerBound { first -= 1 }
      count -= place.index + 1 - first
      pieces[place.piece].removeSubrange(first...place.index)
      if pieces[place.piece].isEmpty { pieces.remove(at: place.piece) }
    }
  }
}
