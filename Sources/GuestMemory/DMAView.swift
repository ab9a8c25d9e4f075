internal import CGuestMemory

/// The checked view through which a device touches its memory: an address goes in, and either the bytes come out or the
/// access is refused and counted. There is no other way from a guest's number to memory.
///
/// An access to the space's window costs two comparisons. For whatever is not there the space is asked, out of line.
///
/// It is a plain value that costs nothing to copy; whoever holds one keeps the ``DMASpace`` that made it. For the
/// device thread only.
@safe
@frozen
public struct DMAView {
  // SAFETY: both pointers live as long as the space that made the view, which whoever stores a view keeps.
  @usableFromInline let base: UnsafeMutableRawPointer
  @usableFromInline let start: UInt64
  @usableFromInline let size: UInt64
  @usableFromInline let shared: UnsafeMutablePointer<DMAViewStorage>

  @unsafe
  @usableFromInline
  init(base: UnsafeMutableRawPointer, range: GuestRange, shared: UnsafeMutablePointer<DMAViewStorage>) {
    unsafe self.base = base
    self.start = range.start.rawValue
    self.size = range.size
    unsafe self.shared = shared
  }

  /// Whether all of the `count` bytes from `address` lie in the window.
  @inlinable
  func isInWindow(_ address: UInt64, count: UInt64) -> Bool {
    let offset = address &- start
    return offset <= size && count <= size &- offset
  }

  /// Whether all of the `count` bytes from `address` are for `access` and lie side by side, so that
  /// ``pointer(to:count:for:)`` gives their place. Counts nothing.
  public func reaches(_ address: UInt64, count: UInt64, for access: DMAPermissions) -> Bool {
    if isInWindow(address, count: count) { return true }
    // SAFETY: the space lives as long as the view; the place is not used.
    return unsafe shared.pointee.space.place(of: address, count: count, for: access) != nil
  }

  /// The place of `count` bytes at `address`, or `nil` for an access that is refused (and counted): one to what is not
  /// the device's, not for `access`, or in pieces that do not lie side by side.
  ///
  /// The pointer is valid until the space reaches less; what it points at changes under the reader.
  @unsafe
  @inlinable
  public func pointer(to address: UInt64, count: UInt64, for access: DMAPermissions) -> UnsafeMutableRawPointer? {
    guard isInWindow(address, count: count) else {
      return unsafe pointerBesideWindow(to: address, count: count, for: access)
    }
    let offset = address &- start
    // The machine-wide assertion of debug builds: whatever the arithmetic above said, this is inside.
    assert(offset.addingReportingOverflow(count).partialValue <= size, "a device reached outside its window")
    // SAFETY: the offset is inside the mapping, as was just checked.
    return unsafe base + Int(truncatingIfNeeded: offset)
  }

  @unsafe
  @inline(never)
  @usableFromInline
  func pointerBesideWindow(
    to address: UInt64,
    count: UInt64,
    for access: DMAPermissions
  ) -> UnsafeMutableRawPointer? {
    // SAFETY: the space lives as long as the view.
    if let place = unsafe shared.pointee.space.place(of: address, count: count, for: access) { return unsafe place }
    refuse(address, count: count, for: access)
    return nil
  }

  /// The place of `count` bytes at `address` in the window, which is for every access; `nil` where they are not there,
  /// which counts nothing: then ``run(at:count:for:)`` knows more. What passes through it is for the caller to note.
  @unsafe
  @inlinable
  public func segmentInWindow(at address: UInt64, count: UInt32) -> DMASegment? {
    guard isInWindow(address, count: UInt64(count)) else { return nil }
    // SAFETY: the offset is inside the mapping, as was just checked.
    return unsafe DMASegment(base: base + Int(truncatingIfNeeded: address &- start), count: Int(count))
  }

  /// The first of `count` bytes at `address`, as many as lie side by side: all, or with more to be asked for behind
  /// them. `nil`: the byte at `address` is not for `access`; for the caller to count.
  ///
  /// - Parameter count: at least 1.
  @unsafe
  public func run(at address: UInt64, count: UInt64, for access: DMAPermissions) -> DMASegment? {
    // SAFETY: the space lives as long as the view.
    unsafe shared.pointee.space.run(at: address, count: count, for: access)
  }

  /// Copies `destination.count` bytes at `address` out, once. `false`: refused, and `destination` is as it was.
  public func read(at address: UInt64, into destination: UnsafeMutableRawBufferPointer) -> Bool {
    // SAFETY: the source has as many bytes as the destination, and the copy is of raw bytes.
    guard let source = unsafe pointer(to: address, count: UInt64(destination.count), for: .read) else { return false }
    guard let target = destination.baseAddress else { return true }
    unsafe guest_copy(target, source, destination.count)
    noteRead(destination.count)
    return true
  }

  /// Copies `source` to `address`. `false`: refused, and nothing was written.
  public func write(_ source: UnsafeRawBufferPointer, at address: UInt64) -> Bool {
    // SAFETY: the target has as many bytes as the source, and the copy is of raw bytes.
    guard let target = unsafe pointer(to: address, count: UInt64(source.count), for: .write) else { return false }
    guard let bytes = source.baseAddress else { return true }
    unsafe guest_copy(target, bytes, source.count)
    noteWritten(source.count)
    return true
  }

  /// The device's address of a place in the window that a segment names: for whoever shows it to another process, which
  /// has the same memory elsewhere.
  ///
  /// - Returns: nil for a place that is not in the window.
  @unsafe
  @inlinable
  public func addressInWindow(of place: UnsafeMutableRawPointer) -> UInt64? {
    let offset = unsafe UInt64(UInt(bitPattern: place)) &- UInt64(UInt(bitPattern: base))
    return offset < size ? start &+ offset : nil
  }

  /// Notes `count` bytes that were read; a negative count takes back what was noted too early.
  @inlinable
  public func noteRead(_ count: Int) {
    // SAFETY: the counters live as long as the space.
    unsafe shared.pointee.counters.bytesRead &+= UInt64(truncatingIfNeeded: count)
  }

  /// Notes `count` bytes that were written.
  @inlinable
  public func noteWritten(_ count: Int) {
    // SAFETY: the counters live as long as the space.
    unsafe shared.pointee.counters.bytesWritten &+= UInt64(truncatingIfNeeded: count)
  }

  /// Notes a chain of `count` buffers.
  @inlinable
  public func noteChain(of count: Int) {
    // SAFETY: the counters live as long as the space.
    if unsafe UInt64(truncatingIfNeeded: count) > shared.pointee.counters.largestChain {
      unsafe shared.pointee.counters.largestChain = UInt64(truncatingIfNeeded: count)
    }
  }

  /// Counts an access that was refused elsewhere than in ``pointer(to:count:for:)``.
  @inlinable
  public func refuse() {
    // SAFETY: the counters live as long as the space.
    unsafe shared.pointee.counters.refusedAccesses &+= 1
  }
}
