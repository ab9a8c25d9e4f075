/// What one device did through its ``DMADoor``.
public struct DMACounters: Equatable, Sendable {
  /// Bytes that the device read, and wrote, in all.
  public var bytesRead: UInt64 = 0
  public var bytesWritten: UInt64 = 0
  /// Accesses that did not lie in the window. The device got nothing for them.
  public var refusedAccesses: UInt64 = 0
  /// The most buffers in one descriptor chain.
  public var largestChain: UInt64 = 0

  @inlinable
  public init() {}
}

/// The one way of a device to its window. It keeps the window's memory alive and counts what passes.
///
/// A door belongs to one device. Everything but ``range`` and ``extent`` is for the thread that runs the device.
@safe
public final class DMADoor: @unchecked Sendable {
  // SAFETY: @unchecked: the counters are the device thread's alone, as the documentation says; all else is immutable.

  /// The guest addresses behind the door.
  public let range: GuestRange
  public let extent: DMAWindow.Extent

  private let mapping: MemoryMapping
  private let storage: UnsafeMutablePointer<DMACounters>

  init(mapping: MemoryMapping, range: GuestRange, extent: DMAWindow.Extent) {
    precondition(UInt64(mapping.size) == range.size, "a door is as large as its memory")
    self.mapping = mapping
    self.range = range
    self.extent = extent
    // SAFETY: freed in deinit only, and initialized before anyone can see it.
    unsafe storage = .allocate(capacity: 1)
    unsafe storage.initialize(to: DMACounters())
  }

  deinit {
    // SAFETY: views are used only by those who keep the door.
    unsafe storage.deallocate()
  }

  public var counters: DMACounters {
    // SAFETY: the storage lives as long as the door.
    unsafe storage.pointee
  }

  /// The checked view, for the hot path.
  ///
  /// The view is valid only as long as the door lives: who stores it stores the door beside it.
  @unsafe
  public var view: DMAView {
    // SAFETY: the pointers live as long as the door, which is what the caller vouches for.
    unsafe DMAView(base: mapping.base, range: range, counters: storage)
  }
}
