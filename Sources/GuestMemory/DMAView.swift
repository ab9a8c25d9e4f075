internal import CGuestMemory

/// The checked view through which a device touches its window: an address goes in, and either the bytes come out or
/// the access is refused and counted. There is no other way from a guest's number to memory.
///
/// It is a plain value that costs nothing to copy; whoever holds one keeps the ``DMADoor`` that made it. For the device
/// thread only.
@safe
@frozen
public struct DMAView {
  // SAFETY: both pointers live as long as the door that made the view, which whoever stores a view keeps.
  @usableFromInline let base: UnsafeMutableRawPointer
  @usableFromInline let start: UInt64
  @usableFromInline let size: UInt64
  @usableFromInline let counters: UnsafeMutablePointer<DMACounters>

  @unsafe
  @usableFromInline
  init(base: UnsafeMutableRawPointer, range: GuestRange, counters: UnsafeMutablePointer<DMACounters>) {
    unsafe self.base = base
    self.start = range.start.rawValue
    self.size = range.size
    unsafe self.counters = counters
  }

  /// Whether all of the `count` bytes from `address` lie in the window. Counts nothing.
  @inlinable
  public func contains(_ address: UInt64, count: UInt64) -> Bool {
    let offset = address &- start
    return offset <= size && count <= size &- offset
  }

  /// The place of `count` bytes at `address`, or `nil` for an access that is refused (and counted).
  ///
  /// The pointer is valid as long as the door; what it points at changes under the reader.
  @unsafe
  @inlinable
  public func pointer(to address: UInt64, count: UInt64) -> UnsafeMutableRawPointer? {
    guard contains(address, count: count) else {
      refuse()
      return nil
    }
    let offset = address &- start
    // The machine-wide assertion of debug builds: whatever the arithmetic above said, this is inside.
    assert(offset.addingReportingOverflow(count).partialValue <= size, "a device reached outside its window")
    // SAFETY: the offset is inside the mapping, as was just checked.
    return unsafe base + Int(truncatingIfNeeded: offset)
  }

  /// As ``pointer(to:count:)``. What passes through it is for the caller to note.
  @unsafe
  @inlinable
  public func segment(at address: UInt64, count: UInt32) -> DMASegment? {
    // SAFETY: handed on with the same conditions.
    guard let pointer = unsafe pointer(to: address, count: UInt64(count)) else { return nil }
    return unsafe DMASegment(base: pointer, count: Int(count))
  }

  /// Copies `destination.count` bytes at `address` out, once. `false`: refused, and `destination` is as it was.
  public func read(at address: UInt64, into destination: UnsafeMutableRawBufferPointer) -> Bool {
    // SAFETY: the source has as many bytes as the destination, and the copy is of raw bytes.
    guard let source = unsafe pointer(to: address, count: UInt64(destination.count)) else { return false }
    guard let target = destination.baseAddress else { return true }
    unsafe guest_copy(target, source, destination.count)
    noteRead(destination.count)
    return true
  }

  /// Copies `source` to `address`. `false`: refused, and nothing was written.
  public func write(_ source: UnsafeRawBufferPointer, at address: UInt64) -> Bool {
    // SAFETY: the target has as many bytes as the source, and the copy is of raw bytes.
    guard let target = unsafe pointer(to: address, count: UInt64(source.count)) else { return false }
    guard let bytes = source.baseAddress else { return true }
    unsafe guest_copy(target, bytes, source.count)
    noteWritten(source.count)
    return true
  }

  /// Notes `count` bytes that were read; a negative count takes back what was noted too early.
  @inlinable
  public func noteRead(_ count: Int) {
    // SAFETY: the counters live as long as the door.
    unsafe counters.pointee.bytesRead &+= UInt64(truncatingIfNeeded: count)
  }

  /// Notes `count` bytes that were written.
  @inlinable
  public func noteWritten(_ count: Int) {
    // SAFETY: the counters live as long as the door.
    unsafe counters.pointee.bytesWritten &+= UInt64(truncatingIfNeeded: count)
  }

  /// Notes a chain of `count` buffers.
  @inlinable
  public func noteChain(of count: Int) {
    // SAFETY: the counters live as long as the door.
    if unsafe UInt64(truncatingIfNeeded: count) > counters.pointee.largestChain {
      unsafe counters.pointee.largestChain = UInt64(truncatingIfNeeded: count)
    }
  }

  /// Counts an access that was refused elsewhere than in ``pointer(to:count:)``.
  @inlinable
  public func refuse() {
    // SAFETY: the counters live as long as the door.
    unsafe counters.pointee.refusedAccesses &+= 1
  }
}
