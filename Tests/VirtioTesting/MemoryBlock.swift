public import GuestMemory
public import VirtioDevices

/// A block back-end in memory, which finishes requests at once or when it is told to.
@safe
public final class MemoryBlock: BlockBackend, @unchecked Sendable {
  // SAFETY: @unchecked: used on one thread.

  public enum Call: Equatable {
    case read(offset: UInt64, count: Int)
    case write(offset: UInt64, count: Int, isDurable: Bool)
    case flush
    case discard(offset: UInt64, count: UInt64)
    case writeZeroes(offset: UInt64, count: UInt64, mayDiscard: Bool, isDurable: Bool)
    case commit
  }

  public var bytes: [UInt8]
  public private(set) var calls: [Call] = []
  /// Whether what is begun is finished by ``finishAll()`` only.
  public var isDeferred = false
  /// Whether requests fail.
  public var fails = false
  /// Called whenever a request is begun.
  public var onBegin: () -> Void = {}
  public let isReadOnly: Bool
  public var blockSize: UInt32 { 512 }
  public var physicalBlockExponent: UInt8 { 3 }
  public let discardGranularity: UInt32? = 4096
  public let canWriteZeroes = true
  public var zeroesMayUnmap = true

  private var waiting: [BlockCompletion] = []
  private var finished: [BlockCompletion] = []

  public init(sectors: Int, isReadOnly: Bool = false) {
    bytes = (0..<sectors * 512).map { UInt8(truncatingIfNeeded: $0 / 512 &+ $0) }
    self.isReadOnly = isReadOnly
  }

  public var capacity: UInt64 { UInt64(bytes.count / 512) }
  public private(set) var maximumRequests = 0
  public var inFlight: Int { waiting.count }

  public func finishAll() {
    finished += waiting
    waiting = []
  }

  public func prepare(requests: Int) { maximumRequests = requests }

  public func read(tag: UInt32, offset: UInt64, count: Int, into segments: UnsafeMutableBufferPointer<DMASegment>) {
    var position = Int(offset)
    for index in segments.indices {
      // SAFETY: the segments are valid until the request is finished.
      let segment = unsafe segments[index]
      unsafe UnsafeMutableRawBufferPointer(start: segment.base, count: segment.count)
        .copyBytes(from: bytes[position..<position + segment.count])
      position += unsafe segment.count
    }
    precondition(position - Int(offset) == count, "the segments have what the device says")
    note(.read(offset: offset, count: count), tag)
  }

  public func write(
    tag: UInt32,
    offset: UInt64,
    count: Int,
    from segments: UnsafeMutableBufferPointer<DMASegment>,
    isDurable: Bool
  ) {
    var position = Int(offset)
    for index in segments.indices {
      // SAFETY: as above; the bytes are copied once.
      let segment = unsafe segments[index]
      unsafe bytes.replaceSubrange(
        position..<position + segment.count,
        with: UnsafeRawBufferPointer(start: segment.base, count: segment.count)
      )
      position += unsafe segment.count
    }
    precondition(position - Int(offset) == count, "the segments have what the device says")
    note(.write(offset: offset, count: count, isDurable: isDurable), tag)
  }

  public func flush(tag: UInt32) { note(.flush, tag) }

  public func discard(tag: UInt32, offset: UInt64, count: UInt64) {
    note(.discard(offset: offset, count: count), tag)
  }

  public func writeZeroes(tag: UInt32, offset: UInt64, count: UInt64, mayDiscard: Bool, isDurable: Bool) {
    for index in Int(offset)..<Int(offset + count) { bytes[index] = 0 }
    note(.writeZeroes(offset: offset, count: count, mayDiscard: mayDiscard, isDurable: isDurable), tag)
  }

  public func commit() { calls.append(.commit) }

  public func nextCompletion() -> BlockCompletion? { finished.isEmpty ? nil : finished.removeFirst() }

  public func forgetCalls() { calls = [] }

  private func note(_ call: Call, _ tag: UInt32) {
    precondition(Int(tag) < maximumRequests && !waiting.contains { $0.tag == tag }, "a tag is used once at a time")
    calls.append(call)
    let completion = BlockCompletion(tag: tag, succeeded: !fails)
    if isDeferred { waiting.append(completion) } else { finished.append(completion) }
    onBegin()
  }
}
