public import GuestMemory

/// One finished request of a block device's back-end.
public struct BlockCompletion: Equatable, Sendable {
  /// The number that the request was begun with.
  public var tag: UInt32
  /// Whether the host did it. The guest gets an I/O error otherwise.
  public var succeeded: Bool

  @inlinable
  public init(tag: UInt32, succeeded: Bool) {
    self.tag = tag
    self.succeeded = succeeded
  }
}

/// What stands behind a ``BlockDevice``: a file, a block device, something in memory. All on the device thread; nothing
/// may block.
///
/// A request is begun by one of the five calls and is finished when ``nextCompletion()`` gave its tag. Offsets and
/// counts are in bytes, multiples of 512, and lie inside the capacity that the back-end states.
public protocol BlockBackend: AnyObject, SendableMetatype {
  /// In sectors of 512 bytes. When it changes, ``BlockDevice/capacityChanged()`` is to be called.
  var capacity: UInt64 { get }
  /// Whether the guest may write nothing. It never changes.
  var isReadOnly: Bool { get }
  /// The size of a logical block, in bytes: a power of two from 512 on.
  var blockSize: UInt32 { get }
  /// The size of a physical block, in logical blocks, as a power of two's exponent.
  var physicalBlockExponent: UInt8 { get }
  /// Whether ``discard(tag:offset:count:)`` works, and in what granularity in bytes; `nil`: not.
  var discardGranularity: UInt32? { get }
  /// Whether ``writeZeroes(tag:offset:count:mayDiscard:isDurable:)`` works.
  var canWriteZeroes: Bool { get }
  /// Whether they can give space up.
  var zeroesMayUnmap: Bool { get }

  /// Told once, before anything else: at most so many requests are in flight at a time; tags are below it.
  func prepare(requests: Int)

  /// Reads into the segments, which stay as they are until the request is finished. Succeeds when all was read.
  /// `count` is what the segments have together.
  func read(tag: UInt32, offset: UInt64, count: Int, into segments: UnsafeMutableBufferPointer<DMASegment>)

  /// Writes from the segments, which stay as they are until the request is finished. Succeeds when all was written,
  /// and with `isDurable` when it is on stable storage. `count` is what the segments have together.
  func write(
    tag: UInt32,
    offset: UInt64,
    count: Int,
    from segments: UnsafeMutableBufferPointer<DMASegment>,
    isDurable: Bool
  )

  /// Succeeds when everything that was written by finished requests is on stable storage.
  func flush(tag: UInt32)

  /// The bytes are not needed any longer.
  func discard(tag: UInt32, offset: UInt64, count: UInt64)

  /// The bytes read as zero afterwards. With `mayDiscard` their space may be given up. `isDurable` as for writes.
  func writeZeroes(tag: UInt32, offset: UInt64, count: UInt64, mayDiscard: Bool, isDurable: Bool)

  /// The end of a batch: whatever was begun is on its way now.
  func commit()

  /// A request that is finished, each once, in any order; `nil` when there is none at present. When some finish later,
  /// ``BlockDevice/backendReady()`` is to be called.
  func nextCompletion() -> BlockCompletion?
}
