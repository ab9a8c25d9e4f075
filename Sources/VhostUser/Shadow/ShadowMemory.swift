internal import GuestMemory

/// Memory that Apus shares with one process and with no guest: the shadow queues' rings, and behind them, where buffers
/// are bounced, the bytes of those. A memfd of its own, sealed as a window's.
@safe
final class ShadowMemory: @unchecked Sendable {
  // SAFETY: @unchecked: the device thread's alone, but for what is immutable.

  /// Where the other process has it: no address of a guest's is as high.
  static let address: UInt64 = 1 << 52
  /// What is handed out: a page of every machine that Apus runs on.
  static let granule = 4096

  private let window: DMAWindow
  private let base: UnsafeMutableRawPointer
  /// The bytes that rings have taken, from the start.
  private var ringEnd = 0
  /// Behind the rings: whether each granule is in use.
  private var isTaken: [Bool] = []
  /// Where to look first.
  private var hint = 0

  /// - Parameters:
  ///   - name: of the memfd, behind `apus-dma-`.
  ///   - size: in bytes, a multiple of the granule.
  /// - Throws: `GuestMemoryError`, where the host has no memory.
  init(name: String, size: UInt64) throws(GuestMemoryError) {
    window = try DMAWindow(name: name, range: GuestRange(at: Self.address, size: size))
    // SAFETY: the window lives as long as this object.
    unsafe base = window.hostAddress
  }

  /// The bytes in all.
  var size: UInt64 { window.range.size }

  /// The memfd. Valid as long as the object.
  var descriptor: Int32 {
    guard let descriptor = window.fileDescriptor else { preconditionFailure("a confined window has a memfd") }
    return descriptor
  }

  /// What a device of this process sees of it: all.
  func makeSpace() -> DMASpace { window.makeSpace() }

  /// What is at an offset, for this process.
  @unsafe
  func place(_ offset: Int) -> UnsafeMutableRawPointer {
    // SAFETY: offsets are handed out here and lie inside.
    unsafe base + offset
  }

  /// Takes memory for a ring, for good. Before the first ``take(_:)``.
  ///
  /// - Returns: its offset.
  func takeForRing(_ count: Int) -> Int {
    precondition(isTaken.isEmpty, "rings come before buffers")
    let offset = ringEnd
    ringEnd += (count + Self.granule - 1) / Self.granule * Self.granule
    precondition(UInt64(ringEnd) <= size, "the memory was made for its rings")
    return offset
  }

  /// The rest is for buffers.
  func openBuffers() {
    isTaken = Array(repeating: false, count: (Int(size) - ringEnd) / Self.granule)
  }

  /// The most bytes that a buffer can have.
  var bufferLimit: Int { isTaken.count * Self.granule }

  /// Takes a buffer.
  ///
  /// - Parameter count: in bytes, not 0.
  /// - Returns: its offset; nil: there is no room now.
  func take(_ count: Int) -> Int? {
    let needed = (count + Self.granule - 1) / Self.granule
    if let first = firstRun(of: needed, from: hint, to: isTaken.count)
      ?? firstRun(of: needed, from: 0, to: isTaken.count)
    {
      for index in first..<first + needed { isTaken[index] = true }
      hint = first + needed
      return ringEnd + first * Self.granule
    }
    return nil
  }

  private func firstRun(of needed: Int, from start: Int, to end: Int) -> Int? {
    var first = start
    var index = start
    while index < end {
      if isTaken[index] {
        first = index + 1
      } else if index - first + 1 == needed {
        return first
      }
      index += 1
    }
    return nil
  }

  /// Gives a buffer back.
  func give(_ offset: Int, count: Int) {
    let first = (offset - ringEnd) / Self.granule
    for index in first..<first + (count + Self.granule - 1) / Self.granule {
      assert(isTaken[index], "what is given back was taken")
      isTaken[index] = false
    }
  }
}
