import GuestMemory
internal import Synchronization

/// All memory that the guest has, as the monitor looks into it. From any thread.
final class GuestMemoryMap: Sendable {
  private let pieces: Mutex<[InspectedMemory]>

  init(_ pieces: [InspectedMemory]) {
    self.pieces = Mutex(pieces)
  }

  /// There is more memory.
  func add(_ piece: InspectedMemory) {
    pieces.withLock { $0.append(piece) }
  }

  /// The memory of a range, which was added as one piece, is there no longer.
  func remove(_ range: GuestRange) {
    pieces.withLock { pieces in pieces.removeAll { $0.range == range } }
  }

  /// Reads from a physical address.
  ///
  /// - Returns: `count` bytes, or fewer where the piece of memory ends before that; none where there is none.
  func read(at address: UInt64, count: Int) -> [UInt8] {
    piece(at: address)?.read(at: GuestAddress(address), count: count) ?? []
  }

  /// A word of a translation table, in little-endian order.
  func word(at address: UInt64) -> UInt64? {
    let bytes = read(at: address, count: 8)
    guard bytes.count == 8 else { return nil }
    return bytes.reversed().reduce(0) { $0 << 8 | UInt64($1) }
  }

  /// Writes to a physical address.
  ///
  /// - Returns: how many bytes were written: all, or fewer where the piece of memory ends before that.
  func write(_ bytes: ArraySlice<UInt8>, at address: UInt64) -> Int {
    piece(at: address)?.write(bytes, at: GuestAddress(address)) ?? 0
  }

  /// The piece of memory that an address is in.
  func piece(at address: UInt64) -> InspectedMemory? {
    pieces.withLock { pieces in pieces.first { $0.range.contains(GuestAddress(address)) } }
  }
}
