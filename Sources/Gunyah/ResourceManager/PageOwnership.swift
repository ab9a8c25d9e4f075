/// What each page of a machine is: its own, lent, shared, borrowed or reserved, or nothing.
///
/// Ranges with the same use and adjacent memory are one; looking a page up takes the logarithm of their number.
public struct PageOwnership: Equatable, Sendable {
  /// What pages are to a machine.
  public enum Use: Hashable, Sendable {
    /// The machine's own.
    case own
    /// Its own, and away by the parcel with this handle.
    case lent(UInt32)
    /// Its own, with others beside it by the parcel with this handle; the rights are the machine's.
    case shared(UInt32, MemoryRights)
    /// Another machine's, by the parcel with this handle, with these rights.
    case borrowed(UInt32, MemoryRights)
    /// Set aside for the parcel with this handle; nothing is there yet.
    case claimed(UInt32)
    /// Devices, DMA windows, and all else that no parcel may touch.
    case reserved

    fileprivate var hasMemory: Bool {
      switch self {
      case .own, .lent, .shared, .borrowed: true
      case .claimed, .reserved: false
      }
    }
  }

  /// Pages of the same use with adjacent memory.
  public struct Segment: Hashable, Sendable {
    /// The pages, and the memory. Without memory, the home says nothing.
    public var piece: MemoryPiece
    /// What they are.
    public var use: Use

    var start: UInt64 { piece.address }
    var end: UInt64 { piece.address + piece.size }

    fileprivate func part(from start: UInt64, to end: UInt64) -> Segment {
      Segment(
        piece: MemoryPiece(
          address: start,
          size: end - start,
          home: piece.home,
          homeAddress: use.hasMemory ? piece.homeAddress + (start - piece.address) : 0
        ),
        use: use
      )
    }

    fileprivate func continues(_ other: Segment) -> Bool {
      use == other.use && start == other.end && piece.home == other.piece.home
        && (!use.hasMemory || piece.homeAddress == other.piece.homeAddress + other.piece.size)
    }
  }

  /// The ranges, in the order of their addresses.
  public private(set) var segments: [Segment] = []

  /// No pages at all.
  public init() {}

  /// What the page with this address is, or nil where there is nothing.
  public func use(at address: UInt64) -> Use? {
    let index = indexAfter(address)
    return index < segments.count && segments[index].start <= address ? segments[index].use : nil
  }

  /// The memory of a range, in pieces that are adjacent each in itself, or nil where a page of it is not `use`.
  public func pieces(of range: PageRange, _ use: Use) -> [MemoryPiece]? {
    var pieces: [MemoryPiece] = []
    var position = range.start
    var index = indexAfter(position)
    while position < range.end {
      guard index < segments.count, segments[index].start <= position, segments[index].use == use else { return nil }
      let end = min(segments[index].end, range.end)
      pieces.append(segments[index].part(from: position, to: end).piece)
      position = end
      index += 1
    }
    return pieces
  }

  /// Whether nothing is in a range.
  public func isFree(_ range: PageRange) -> Bool {
    let index = indexAfter(range.start)
    return index == segments.count || segments[index].start >= range.end
  }

  /// The lowest free range of this size that starts at `lowest` or above and ends below `end`.
  ///
  /// - Parameters:
  ///   - size: in bytes, a multiple of ``PageRange/pageSize``, not 0.
  ///   - alignment: a power of two.
  public func firstFree(size: UInt64, alignment: UInt64, from lowest: UInt64, below end: UInt64) -> PageRange? {
    var position = lowest
    var index = indexAfter(lowest)
    while true {
      let (sum, overflow) = position.addingReportingOverflow(alignment - 1)
      position = sum & ~(alignment - 1)
      guard !overflow, position <= end, size <= end - position else { return nil }
      while index < segments.count, segments[index].end <= position { index += 1 }
      guard index < segments.count, segments[index].start < position + size else {
        return PageRange(start: position, size: size)
      }
      position = segments[index].end
    }
  }

  /// Puts pages where nothing is.
  public mutating func insert(_ piece: MemoryPiece, _ use: Use) {
    precondition(isFree(piece.range), "pages are put where nothing is")
    replace(indexAfter(piece.address)..<indexAfter(piece.address), with: [Segment(piece: piece, use: use)])
  }

  /// Puts pages without memory where nothing is.
  public mutating func insert(_ range: PageRange, _ use: Use) {
    let none = VMID(0)
    insert(MemoryPiece(address: range.start, size: range.size, home: none, homeAddress: 0), use)
  }

  /// Puts pages where nothing is, in one pass.
  ///
  /// - Parameter pieces: in the order of their addresses.
  public mutating func insert(_ pieces: [MemoryPiece], _ use: Use) {
    var result: [Segment] = []
    result.reserveCapacity(segments.count + pieces.count)
    var index = 0
    for piece in pieces {
      while index < segments.count, segments[index].start < piece.address {
        Self.append(segments[index], to: &result)
        index += 1
      }
      Self.append(Segment(piece: piece, use: use), to: &result)
    }
    for segment in segments[index...] { Self.append(segment, to: &result) }
    segments = result
  }

  /// Changes what the pages of ranges are, in one pass; where nothing is, nothing comes.
  ///
  /// - Parameter ranges: in the order of their addresses, apart from each other.
  public mutating func change(_ ranges: [PageRange], to use: Use) {
    rebuild(ranges) { part in
      var part = part
      part.use = use
      return part
    }
  }

  /// Takes the pages of ranges away, in one pass.
  ///
  /// - Parameter ranges: in the order of their addresses, apart from each other.
  public mutating func remove(_ ranges: [PageRange]) {
    rebuild(ranges) { _ in nil }
  }

  private mutating func rebuild(_ ranges: [PageRange], _ change: (Segment) -> Segment?) {
    if ranges.count == 1 { return rebuild(ranges[0], change) }
    var result: [Segment] = []
    result.reserveCapacity(segments.count + ranges.count)
    var next = 0
    for segment in segments {
      var position = segment.start
      while next < ranges.count, ranges[next].start < segment.end {
        let start = max(ranges[next].start, position)
        let end = min(ranges[next].end, segment.end)
        if start < end {
          if position < start { Self.append(segment.part(from: position, to: start), to: &result) }
          if let changed = change(segment.part(from: start, to: end)) { Self.append(changed, to: &result) }
          position = end
        }
        guard ranges[next].end <= segment.end else { break }
        next += 1
      }
      if position < segment.end { Self.append(segment.part(from: position, to: segment.end), to: &result) }
    }
    segments = result
  }

  private static func append(_ segment: Segment, to result: inout [Segment]) {
    if let last = result.last {
      precondition(last.end <= segment.start, "pages are put where nothing is")
      if segment.continues(last) {
        result[result.count - 1].piece.size += segment.piece.size
        return
      }
    }
    result.append(segment)
  }

  private mutating func rebuild(_ range: PageRange, _ change: (Segment) -> Segment?) {
    let first = indexAfter(range.start)
    var last = first
    var parts: [Segment] = []
    while last < segments.count, segments[last].start < range.end {
      let segment = segments[last]
      if segment.start < range.start { parts.append(segment.part(from: segment.start, to: range.start)) }
      let middle = segment.part(from: max(segment.start, range.start), to: min(segment.end, range.end))
      if let changed = change(middle) { parts.append(changed) }
      if segment.end > range.end { parts.append(segment.part(from: range.end, to: segment.end)) }
      last += 1
    }
    replace(first..<last, with: parts)
  }

  private mutating func replace(_ indices: Range<Int>, with parts: [Segment]) {
    let before = indices.lowerBound > 0 ? [segments[indices.lowerBound - 1]] : []
    let after = indices.upperBound < segments.count ? [segments[indices.upperBound]] : []
    var merged: [Segment] = []
    for part in before + parts + after { Self.append(part, to: &merged) }
    segments.replaceSubrange((indices.lowerBound - before.count)..<(indices.upperBound + after.count), with: merged)
  }

  /// The first range that ends behind an address.
  private func indexAfter(_ address: UInt64) -> Int {
    var low = 0
    var high = segments.count
    while low < high {
      let middle = (low + high) / 2
      if segments[middle].end <= address { low = middle + 1 } else { high = middle }
    }
    return low
  }
}
