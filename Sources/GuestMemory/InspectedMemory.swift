internal import CGuestMemory

/// A run of the guest's memory as the monitor itself looks into it: for a debugger, say.
///
/// No device gets one. It keeps the memory alive. All members may be used from any thread; a guest that runs meanwhile
/// may change any byte at any moment.
@safe
public final class InspectedMemory: Sendable {
  /// Where the guest sees it.
  public let range: GuestRange
  /// Whether the guest may not write it either.
  public let isReadOnly: Bool
  let mapping: MemoryMapping
  /// Where the range begins in the mapping, in bytes.
  private let start: Int

  init(_ mapping: MemoryMapping, from start: Int = 0, range: GuestRange, isReadOnly: Bool) {
    self.mapping = mapping
    self.start = start
    self.range = range
    self.isReadOnly = isReadOnly
  }

  /// The address of the first byte in this process. Valid as long as the object lives.
  @unsafe
  public var hostAddress: UnsafeMutableRawPointer {
    // SAFETY: the range lies in the mapping, and the caller vouches for no longer use.
    unsafe mapping.base + start
  }

  /// Copies bytes out.
  ///
  /// - Returns: `count` bytes, or as many as there are from `address` to the end; none where that is elsewhere.
  public func read(at address: GuestAddress, count: Int) -> [UInt8] {
    guard let (offset, count) = piece(at: address, count) else { return [] }
    // SAFETY: the piece lies in the range, which lies in the mapping from its start on; the array is this call's own.
    return unsafe [UInt8](unsafeUninitializedCapacity: count) { buffer, filled in
      if let base = buffer.baseAddress { unsafe guest_copy(base, mapping.base + start + offset, count) }
      filled = count
    }
  }

  /// Copies bytes in, so that the guest sees them in its data and executes them, whether its caches are on or off.
  ///
  /// - Returns: how many there was room for from `address` to the end.
  public func write(_ bytes: ArraySlice<UInt8>, at address: GuestAddress) -> Int {
    guard !isReadOnly, let (offset, count) = piece(at: address, bytes.count) else { return 0 }
    // SAFETY: as above; the buffer has at least as many bytes as are copied.
    unsafe bytes.withUnsafeBytes { buffer in
      guard let source = buffer.baseAddress else { return }
      unsafe guest_copy(mapping.base + start + offset, source, count)
      unsafe guest_make_executable(mapping.base + start + offset, count)
    }
    return count
  }

  /// Makes bytes zero, of private memory. Whole pages go back to the host, so that zeroing touches no memory.
  ///
  /// - Parameters:
  ///   - address: of the first byte.
  ///   - count: in bytes; all of them lie in ``range``.
  public func zero(at address: UInt64, count: UInt64) {
    precondition(range.contains(GuestAddress(address), count: count), "the bytes lie in the memory")
    mapping.zero(start + Int(address - range.start.rawValue), count: Int(count))
  }

  private func piece(at address: GuestAddress, _ count: Int) -> (offset: Int, count: Int)? {
    guard range.contains(address) else { return nil }
    let offset = address.rawValue - range.start.rawValue
    return (Int(offset), min(count, Int(range.size - offset)))
  }
}

extension PrivateRAM {
  /// The monitor's own look at this memory.
  ///
  /// - Parameter isReadOnly: whether nothing is to be written.
  public func inspected(isReadOnly: Bool = false) -> InspectedMemory {
    InspectedMemory(mapping, range: range, isReadOnly: isReadOnly)
  }
}

extension DMAWindow {
  /// The monitor's own look at this memory.
  public func inspected() -> InspectedMemory { InspectedMemory(memory.mapping, range: range, isReadOnly: false) }
}

extension HotplugMemory {
  /// The monitor's own look at what is plugged of the region.
  ///
  /// - Parameters:
  ///   - offset: of the first byte from the region's start.
  ///   - count: in bytes; all of them lie in the region.
  public func inspected(_ offset: UInt64, count: UInt64) -> InspectedMemory {
    precondition(offset <= range.size && count <= range.size - offset, "the memory lies in the region")
    return InspectedMemory(
      mapping,
      from: Int(offset),
      range: GuestRange(at: range.start.rawValue + offset, size: count),
      isReadOnly: false
    )
  }
}
