internal import CHost
internal import Glibc
package import GuestMemory
import Host
import Synchronization

/// The image of a disk as one boot of a machine uses it. For any thread.
package final class DiskFile: Sendable {
  private let image: DiskImage
  /// The image's.
  private let descriptor: Int32
  private let isDevice: Bool
  private let trouble: DiskTrouble?
  private let isStopping = Atomic(false)

  /// Large requests are done in pieces, which meet at multiples of so many bytes.
  private static let piece: UInt64 = 16 << 20

  /// - Parameter trouble: hears what the host refuses.
  package init(_ image: DiskImage, _ trouble: DiskTrouble?) {
    self.image = image
    descriptor = image.descriptor.rawValue
    isDevice = image.isDevice
    self.trouble = trouble
  }

  /// Reads what is in the page cache.
  ///
  /// - Returns: whether all of it was.
  package func readWithoutWaiting(_ request: DiskRequest) -> Bool {
    // SAFETY: the device keeps the segments for the request.
    let segments = unsafe request.segments
    // SAFETY: a segment has the layout of the C library's iovec, and the device keeps them for the request.
    let count = unsafe chost_disk_read_cached(
      descriptor,
      segments.baseAddress,
      Int32(segments.count),
      request.offset
    )
    return count == Int64(request.count)
  }

  /// Does a request and waits for it; what the host refuses is logged.
  ///
  /// - Returns: whether all of it was done.
  package func perform(_ request: DiskRequest) -> Bool {
    let number = descriptor
    var result =
      switch request.work {
      case .read, .write:
        if request.count <= Self.piece {
          // SAFETY: the device keeps the segments for the request.
          unsafe move(request.segments, at: request.offset, request.work)
        } else {
          moveInPieces(request)
        }
      case .flush: image.synchronize()
      case .discard:
        inPieces(request.offset, request.count) { chost_disk_discard(number, isDevice, $0, $1) }
      case .writeZeroes(let mayDiscard):
        inPieces(request.offset, request.count) { chost_disk_write_zeroes(number, isDevice, $0, $1, mayDiscard) }
      }
    if result == 0, request.isDurable { result = image.synchronize() }
    if result != 0, !isStopping.load(ordering: .relaxed) { trouble?.note(request, errno: -result) }
    return result == 0
  }

  /// Has large requests fail at their next piece. Whoever waits for the end of one does not wait for all of it.
  package func stop() {
    isStopping.store(true, ordering: .relaxed)
  }

  /// Moves between the file and memory that holds for the call.
  ///
  /// - Returns: 0 or minus errno.
  @unsafe
  private func move(
    _ segments: UnsafeMutableBufferPointer<DMASegment>,
    at offset: UInt64,
    _ work: DiskRequest.Work
  ) -> Int32 {
    let (number, count) = (descriptor, Int32(segments.count))
    // SAFETY: a segment has the layout of the C library's iovec.
    return if case .write = work {
      unsafe chost_disk_write(number, segments.baseAddress, count, offset)
    } else {
      unsafe chost_disk_read(number, segments.baseAddress, count, offset)
    }
  }

  private func moveInPieces(_ request: DiskRequest) -> Int32 {
    var offset = request.offset
    // SAFETY: the device keeps the segments for the request; a piece lies in its segment.
    for index in unsafe request.segments.indices {
      let segment = unsafe request.segments[index]
      let start = offset
      let result = inPieces(start, unsafe UInt64(segment.count)) { position, count in
        var piece = unsafe DMASegment(base: segment.base + Int(position - start), count: Int(count))
        return unsafe withUnsafeMutablePointer(to: &piece) {
          unsafe move(UnsafeMutableBufferPointer(start: $0, count: 1), at: position, request.work)
        }
      }
      guard result == 0 else { return result }
      offset += unsafe UInt64(segment.count)
    }
    return 0
  }

  /// Has `body` do a part of the file piece by piece, until it fails or ``stop()`` was called.
  private func inPieces(_ offset: UInt64, _ count: UInt64, _ body: (UInt64, UInt64) -> Int32) -> Int32 {
    var position = offset
    while position < offset + count {
      guard !isStopping.load(ordering: .relaxed) else { return -ECANCELED }
      let next = min(offset + count, (position / Self.piece + 1) * Self.piece)
      let result = body(position, next - position)
      guard result == 0 else { return result }
      position = next
    }
    return 0
  }
}

/// One piece of work for a disk.
@safe
package struct DiskRequest: @unchecked Sendable {
  // SAFETY: @unchecked: the device leaves the segments to the request until it is finished.

  /// What the device asks for.
  package enum Work {
    /// From the file into the buffers.
    case read
    /// From the buffers into the file.
    case write
    /// What was written before goes to stable storage.
    case flush
    /// The range's content is needed no more.
    case discard
    /// The range reads as zeroes; its space may be given up where the device says so.
    case writeZeroes(mayDiscard: Bool)
  }

  /// What its device knows it by.
  package let tag: UInt32
  /// What is asked for.
  package let work: Work
  /// In bytes.
  package let offset: UInt64
  /// In bytes; as many as the segments have.
  package let count: UInt64
  /// Whether it is done only when it is on stable storage.
  package let isDurable: Bool
  /// The guest's buffers, in order; none but for reads and writes.
  package let segments: UnsafeMutableBufferPointer<DMASegment>

  /// Work that moves no bytes of the guest's.
  package init(tag: UInt32, work: Work, offset: UInt64 = 0, count: UInt64 = 0, isDurable: Bool = false) {
    self.tag = tag
    self.work = work
    self.offset = offset
    self.count = count
    self.isDurable = isDurable
    unsafe segments = UnsafeMutableBufferPointer(start: nil, count: 0)
  }

  /// Work on the guest's buffers, which the device keeps until it is finished.
  @unsafe
  package init(
    tag: UInt32,
    work: Work,
    offset: UInt64,
    count: Int,
    isDurable: Bool = false,
    segments: UnsafeMutableBufferPointer<DMASegment>
  ) {
    self.tag = tag
    self.work = work
    self.offset = offset
    self.count = UInt64(count)
    self.isDurable = isDurable
    unsafe self.segments = segments
  }
}
