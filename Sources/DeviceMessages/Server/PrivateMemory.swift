internal import CHost
internal import GuestMemory

/// The memory that a served device takes for its guest's: this process's own. Rings are at its beginning, and behind
/// them granules that chains are put into.
@safe
final class PrivateMemory {
  // SAFETY: `base` is the first byte of the window, which lives as long as the object; offsets are below its size.

  /// In bytes: what a chain's parts are rounded up to.
  static let granule = 64 << 10

  private let window: DMAWindow
  private let base: UnsafeMutableRawPointer
  private let firstGranule: Int
  private let size: Int
  private var free: [UInt32]
  /// Granules below this one were used.
  private var touched: UInt32 = 0

  /// - Parameters:
  ///   - ringSize: for rings, in bytes.
  ///   - credit: for chains, in bytes.
  /// - Throws: where the host has no memory.
  init(ringSize: Int, credit: Int) throws(GuestMemoryError) {
    firstGranule = (ringSize + Self.granule - 1) / Self.granule * Self.granule
    size = firstGranule + credit
    let ram = try PrivateRAM(range: GuestRange(at: 1 << 30, size: UInt64(size)))
    window = DMAWindow(name: "private", opening: ram)
    unsafe base = window.hostAddress
    free = (0..<UInt32(credit / Self.granule)).reversed()
  }

  /// What the device sees: all of it. Nothing here is lent to anybody, so that there is no descriptor of it.
  func makeSpace() -> DMASpace { window.makeSpace() }

  /// The address of a byte, as the device knows it.
  func address(_ offset: Int) -> UInt64 { window.range.start.rawValue + UInt64(offset) }

  /// The same in this process.
  @unsafe
  func place(_ offset: Int) -> UnsafeMutableRawPointer {
    precondition(0..<size ~= offset, "an offset is inside")
    // SAFETY: as was just checked.
    return unsafe base + offset
  }

  /// Where a granule is.
  func offset(ofGranule granule: UInt32) -> Int { firstGranule + Int(granule) * Self.granule }

  /// Takes granules. `false`: there are not as many.
  func take(_ count: Int, into granules: inout [UInt32]) -> Bool {
    guard count <= free.count else { return false }
    for _ in 0..<count {
      let granule = free.removeLast()
      touched = max(touched, granule + 1)
      granules.append(granule)
    }
    return true
  }

  /// Gives granules back.
  func give(_ granules: [UInt32]) { free.append(contentsOf: granules.reversed()) }

  /// Forgets what one machine has left there before another comes: all of it is zero again.
  func clear() {
    // SAFETY: the whole of the private mapping up to what was used, which nothing is in any more.
    unsafe chost_zero_private(base, firstGranule + Int(touched) * Self.granule)
    touched = 0
  }
}
