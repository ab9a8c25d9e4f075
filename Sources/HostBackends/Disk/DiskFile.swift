package import CHost
internal import Glibc
package import GuestMemory
package import Host
import Synchronization

/// The open file of a disk. For any thread.
package final class DiskFile: Sendable {
  private let descriptor: OwnedDescriptor
  private let isDevice: Bool
  private let trouble: DiskTrouble?
  private let isStopping = Atomic(false)
  /// What went wrong when something was to go to stable storage: 0 or minus errno. Held while it is going there.
  private let lost = Mutex<Int32>(0)
  /// How often that was begun.
  private let synchronizations = Atomic(0)

  /// Large requests are done in pieces, which meet at multiples of so many bytes.
  private static let piece: UInt64 = 16 << 20

  package init(_ descriptor: consuming OwnedDescriptor, isDevice: Bool, _ trouble: DiskTrouble?) {
    self.descriptor = descriptor
    self.isDevice = isDevice
    self.trouble = trouble
  }

  /// Opens an image or a block device and looks at it.
  ///
  /// - Parameter trouble: who tells people of what fails later.
  /// - Throws: why it cannot be a disk.
  package static func open(
    _ path: String,
    isReadOnly: Bool,
    _ trouble: DiskTrouble? = nil
  ) throws(DiskError) -> (DiskFile, chost_disk) {
    // SAFETY: the path holds for the call.
    let number = unsafe path.withHostPath { unsafe chost_disk_open($0, isReadOnly) }
    switch number {
    case -ENOENT, -ENOTDIR: throw .missing(path: path)
    case -EISDIR: throw .notADisk(path: path)
    case ..<0: throw .cannotOpen(path: path, errno: -number, isReadOnly: isReadOnly)
    default: break
    }
    let descriptor = OwnedDescriptor(owning: number)
    var description = chost_disk()
    // SAFETY: the structure holds for the call.
    guard unsafe chost_disk_describe(number, &description) == 0 else { throw .notADisk(path: path) }
    guard description.size > 0, description.size % 512 == 0 else { throw .odd(path: path, size: description.size) }
    let lock = chost_disk_lock(number, isReadOnly)
    if lock == -EAGAIN { throw .inUse(path: path) }
    // A file system without locks leaves people to look after it.
    if lock != 0 { trouble?.noteLack(ofLock: -lock) }
    return (DiskFile(descriptor, isDevice: description.is_device, trouble), description)
  }

  /// Reads what is in the page cache.
  ///
  /// - Returns: whether all of it was.
  package func readWithoutWaiting(_ request: DiskRequest) -> Bool {
    // SAFETY: the device keeps the segments for the request.
    let segments = unsafe request.segments
    // SAFETY: a segment has the layout of the C library's iovec, and the device keeps them for the request.
    let count = unsafe chost_disk_read_cached(
      descriptor.rawValue,
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
    let number = descriptor.rawValue
    var result =
      switch request.work {
      case .read, .write:
        if request.count <= Self.piece {
          // SAFETY: the device keeps the segments for the request.
          unsafe move(request.segments, at: request.offset, request.work)
        } else {
          moveInPieces(request)
        }
      case .flush: synchronize()
      case .discard:
        inPieces(request.offset, request.count) { chost_disk_discard(number, isDevice, $0, $1) }
      case .writeZeroes(let mayDiscard):
        inPieces(request.offset, request.count) { chost_disk_write_zeroes(number, isDevice, $0, $1, mayDiscard) }
      }
    if result == 0, request.isDurable { result = synchronize() }
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
    let (number, count) = (descriptor.rawValue, Int32(segments.count))
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

  /// Has everything that was written go to stable storage.
  ///
  /// The host says once that this failed, and takes the data for written from then on, though it may be lost. So it is
  /// one thread at a time that asks, and the answer stays.
  ///
  /// - Returns: 0 or minus errno.
  private func synchronize() -> Int32 {
    let before = synchronizations.load(ordering: .sequentiallyConsistent)
    return lost.withLock { lost in
      // What was begun since then, and has ended by now, is enough.
      if lost == 0, synchronizations.load(ordering: .sequentiallyConsistent) == before {
        synchronizations.add(1, ordering: .sequentiallyConsistent)
        lost = chost_disk_flush(descriptor.rawValue)
      }
      return lost
    }
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
