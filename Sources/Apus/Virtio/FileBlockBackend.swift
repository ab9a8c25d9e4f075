internal import CLinux
internal import Glibc
import GuestMemory
import KVM
internal import Logging
internal import Synchronization
import VirtioDevices

/// A disk in a file or on a block device.
///
/// What may wait for a disk is done by workers, so that neither a vCPU nor another device ever waits. What certainly
/// does not wait is done at once: a read of what the host has in its page cache, and everything on a file system that is
/// all memory.
final class FileBlockBackend: BlockBackend, DeviceBackend {
  /// How many threads wait for one disk at the same time.
  private static let workerCount = 4

  let capacity: UInt64
  let isReadOnly: Bool
  let blockSize: UInt32
  let physicalBlockExponent: UInt8
  let discardGranularity: UInt32?
  var canWriteZeroes: Bool { !isReadOnly }

  private let file: DiskFile
  private let neverWaits: Bool
  private var workers: [HostThread] = []
  private let queue = DiskQueue()
  private let finished: CompletionBox
  private var done: [BlockCompletion] = []
  private var firstDone = 0
  private var handed: [DiskRequest] = []
  private var reads = true

  /// - Parameters:
  ///   - name: the device's.
  ///   - logger: gets what the host refused to do.
  init(_ block: Configuration.Device.Block, name: String, logger: Logger) throws(DiskError) {
    let trouble = DiskTrouble(name: name, path: block.path, logger)
    let (file, description) = try DiskFile.open(block.path, isReadOnly: block.isReadOnly, trouble)
    self.file = file
    isReadOnly = block.isReadOnly
    capacity = description.size / 512
    blockSize = description.logical_block
    physicalBlockExponent = UInt8((description.physical_block / description.logical_block).trailingZeroBitCount)
    discardGranularity = isReadOnly || description.discard_block == 0 ? nil : description.discard_block
    neverWaits = description.never_waits
    do {
      finished = try CompletionBox()
    } catch {
      throw .host(error)
    }
  }

  /// Tells the device when a worker has finished something.
  func connect(_ loop: EventLoop, _ ready: @escaping () -> Bool) throws(HostError) {
    let finished = finished
    _ = try loop.add(
      finished.doorbell.rawValue,
      EventLoop.readable,
      ClosureHandler { _ in
        finished.doorbell.answer()
        // What is left for later comes back through the same doorbell.
        if ready() { finished.doorbell.ring() }
      }
    )
  }

  func prepare(requests: Int) {
    done.reserveCapacity(requests)
    handed.reserveCapacity(requests)
  }

  // MARK: Requests, on the device thread

  func read(tag: UInt32, offset: UInt64, into segments: UnsafeMutableBufferPointer<DMASegment>) {
    // SAFETY: the device keeps the segments until the request is finished.
    let request = unsafe DiskRequest(tag: tag, work: .read, offset: offset, segments: segments)
    if neverWaits {
      finish(tag, file.perform(request))
    } else if file.readWithoutWaiting(request) {
      finish(tag, true)
    } else {
      handed.append(request)
    }
  }

  func write(tag: UInt32, offset: UInt64, from segments: UnsafeMutableBufferPointer<DMASegment>, isDurable: Bool) {
    // SAFETY: as for reads.
    submit(unsafe DiskRequest(tag: tag, work: .write(isDurable: isDurable), offset: offset, segments: segments))
  }

  func flush(tag: UInt32) {
    submit(DiskRequest(tag: tag, work: .flush))
  }

  func discard(tag: UInt32, offset: UInt64, count: UInt64) {
    submit(DiskRequest(tag: tag, work: .discard(count: count), offset: offset))
  }

  func writeZeroes(tag: UInt32, offset: UInt64, count: UInt64, mayDiscard: Bool) {
    submit(DiskRequest(tag: tag, work: .writeZeroes(count: count, mayDiscard: mayDiscard), offset: offset))
  }

  private func submit(_ request: DiskRequest) {
    if neverWaits {
      finish(request.tag, file.perform(request))
    } else {
      handed.append(request)
    }
  }

  private func finish(_ tag: UInt32, _ succeeded: Bool) {
    done.append(BlockCompletion(tag: tag, succeeded: succeeded))
  }

  func commit() {
    guard !handed.isEmpty else { return }
    startWorkers()
    queue.add(handed)
    handed.removeAll(keepingCapacity: true)
  }

  func nextCompletion() -> BlockCompletion? {
    if firstDone == done.count {
      done.removeAll(keepingCapacity: true)
      firstDone = 0
      if !neverWaits { finished.take(into: &done) }
    }
    guard firstDone < done.count else { return nil }
    defer { firstDone += 1 }
    return done[firstDone]
  }

  // MARK: Workers

  private func startWorkers() {
    guard workers.isEmpty else { return }
    let (file, queue, finished) = (file, queue, finished)
    for _ in 0..<Self.workerCount {
      // One is enough to go on with, and a host that gives none at all fails the requests.
      guard
        let worker = try? HostThread(
          name: "disk",
          {
            while let request = queue.next() { finished.add(request.tag, file.perform(request)) }
          }
        )
      else { break }
      workers.append(worker)
    }
    if workers.isEmpty { queue.failAll(into: finished) }
  }

  func shutDown() {
    queue.close()
    for worker in workers { worker.join() }
    workers = []
  }
}

/// Why a disk could not be opened.
enum DiskError: Error {
  case missing(path: String)
  case notADisk(path: String)
  case inUse(path: String)
  case cannotOpen(path: String, errno: Int32, isReadOnly: Bool)
  case odd(path: String, size: UInt64)
  case host(HostError)
}

extension DiskError {
  /// What kind of mistake it is.
  var kind: ConfigurationError.Kind {
    switch self {
    case .missing: .inputNotFound
    case .notADisk, .odd: .badInput
    case .cannotOpen(_, let errno, _): errno == EACCES || errno == EROFS ? .inputNotFound : .hostFailure
    case .inUse, .host: .hostFailure
    }
  }
}

extension DiskError: CustomStringConvertible {
  var description: String {
    switch self {
    case .missing(let path): "disk '\(path)' does not exist; make it (truncate -s 1G '\(path)') or check the path"
    case .notADisk(let path): "disk '\(path)' is neither a regular file nor a block device; give one of these"
    case .inUse(let path):
      "disk '\(path)' is in use by another Apus; end that one, copy the image, or open it in both with readonly"
    case .cannotOpen(let path, let errno, let isReadOnly):
      "disk '\(path)' cannot be opened for \(isReadOnly ? "reading" : "reading and writing"): \(errorText(errno))"
        + (isReadOnly ? "" : "; add readonly if the guest need not write")
    case .odd(let path, 0): "disk '\(path)' is empty; make it as long as the disk is to be (truncate -s 1G '\(path)')"
    case .odd(let path, let size):
      "disk '\(path)' has \(size) bytes, which is no multiple of 512; "
        + "make it longer (truncate -s %512 '\(path)')"
    case .host(let error): "\(error)"
    }
  }
}

/// The open file of a disk. For any thread.
final class DiskFile: Sendable {
  private let descriptor: OwnedDescriptor
  private let isDevice: Bool
  private let trouble: DiskTrouble?

  private init(_ descriptor: consuming OwnedDescriptor, isDevice: Bool, _ trouble: DiskTrouble?) {
    self.descriptor = descriptor
    self.isDevice = isDevice
    self.trouble = trouble
  }

  static func open(
    _ path: String,
    isReadOnly: Bool,
    _ trouble: DiskTrouble? = nil
  ) throws(DiskError) -> (DiskFile, clinux_disk) {
    // SAFETY: the path holds for the call.
    let number = unsafe path.withCString { unsafe clinux_disk_open($0, isReadOnly) }
    switch number {
    case -ENOENT, -ENOTDIR: throw .missing(path: path)
    case -EISDIR: throw .notADisk(path: path)
    case ..<0: throw .cannotOpen(path: path, errno: -number, isReadOnly: isReadOnly)
    default: break
    }
    let descriptor = OwnedDescriptor(owning: number)
    var description = clinux_disk()
    // SAFETY: the structure holds for the call.
    guard unsafe clinux_disk_describe(number, &description) == 0 else { throw .notADisk(path: path) }
    guard description.size > 0, description.size % 512 == 0 else { throw .odd(path: path, size: description.size) }
    let lock = clinux_disk_lock(number, isReadOnly)
    if lock == -EAGAIN { throw .inUse(path: path) }
    // A file system without locks leaves the caller to look after it.
    return (DiskFile(descriptor, isDevice: description.is_device, trouble), description)
  }

  /// Reads what is in the page cache.
  ///
  /// - Returns: whether all of it was.
  func readWithoutWaiting(_ request: DiskRequest) -> Bool {
    let segments = unsafe request.segments
    // SAFETY: a segment has the layout of the C library's iovec, and the device keeps them for the request.
    let count = unsafe clinux_disk_read_cached(
      descriptor.rawValue,
      segments.baseAddress,
      Int32(segments.count),
      request.offset
    )
    return count == Int64(request.size)
  }

  /// Does a request and waits for it; what the host refuses is logged.
  ///
  /// - Returns: whether all of it was done.
  func perform(_ request: DiskRequest) -> Bool {
    let number = descriptor.rawValue
    // SAFETY: a segment has the layout of the C library's iovec, and the device keeps them for the request.
    let (vectors, count) = unsafe (request.segments.baseAddress, Int32(request.segments.count))
    let result =
      switch request.work {
      case .read: unsafe clinux_disk_read(number, vectors, count, request.offset)
      case .write(let isDurable): unsafe clinux_disk_write(number, vectors, count, request.offset, isDurable)
      case .flush: clinux_disk_flush(number)
      case .discard(let size): clinux_disk_discard(number, isDevice, request.offset, size)
      case .writeZeroes(let size, let mayDiscard):
        clinux_disk_write_zeroes(number, isDevice, request.offset, size, mayDiscard)
      }
    if result != 0 { trouble?.note(request, errno: -result) }
    return result == 0
  }
}

/// One piece of work for a disk.
@safe
struct DiskRequest: @unchecked Sendable {
  // SAFETY: @unchecked: the device leaves the segments to the request until it is finished.

  enum Work {
    case read
    case write(isDurable: Bool)
    case flush
    case discard(count: UInt64)
    case writeZeroes(count: UInt64, mayDiscard: Bool)
  }

  let tag: UInt32
  let work: Work
  let offset: UInt64
  let segments: UnsafeMutableBufferPointer<DMASegment>

  /// Work that moves no bytes of the guest's.
  init(tag: UInt32, work: Work, offset: UInt64 = 0) {
    self.tag = tag
    self.work = work
    self.offset = offset
    unsafe segments = UnsafeMutableBufferPointer(start: nil, count: 0)
  }

  /// Work on the guest's buffers, which the device keeps until it is finished.
  @unsafe
  init(tag: UInt32, work: Work, offset: UInt64, segments: UnsafeMutableBufferPointer<DMASegment>) {
    self.tag = tag
    self.work = work
    self.offset = offset
    unsafe self.segments = segments
  }

  /// In bytes.
  var size: Int {
    // SAFETY: as above.
    unsafe segments.reduce(0) { unsafe $0 + $1.count }
  }
}

/// The work that waits for a worker.
final class DiskQueue: Sendable {
  private struct State {
    var requests: [DiskRequest] = []
    var first = 0
    var isClosed = false
  }

  private let state = Mutex(State())
  private let available = Gate()

  func add(_ requests: [DiskRequest]) {
    state.withLock { state in
      if state.first == state.requests.count {
        state.requests.removeAll(keepingCapacity: true)
        state.first = 0
      }
      state.requests.append(contentsOf: requests)
    }
    for _ in requests { available.open() }
  }

  /// The next request, or nil when there will be none any more. Waits.
  func next() -> DiskRequest? {
    while true {
      available.wait()
      let (request, isClosed) = state.withLock { state -> (DiskRequest?, Bool) in
        guard state.first < state.requests.count else { return (nil, state.isClosed) }
        defer { state.first += 1 }
        return (state.requests[state.first], false)
      }
      if let request { return request }
      if isClosed {
        available.open()
        return nil
      }
    }
  }

  /// Lets the workers end once the queue is empty.
  func close() {
    state.withLock { $0.isClosed = true }
    available.open()
  }

  /// Fails what waits, where there is nobody to do it.
  func failAll(into finished: CompletionBox) {
    let requests = state.withLock { state in
      let requests = state.requests[state.first...]
      state.first = state.requests.count
      return requests
    }
    for request in requests { finished.add(request.tag, false) }
  }
}

/// What workers have finished and the device has not taken yet.
final class CompletionBox: Sendable {
  private let completions = Mutex<[BlockCompletion]>([])

  /// Rings when there is something new.
  let doorbell: Doorbell

  init() throws(HostError) {
    doorbell = try Doorbell()
  }

  func add(_ tag: UInt32, _ succeeded: Bool) {
    let wasEmpty = completions.withLock { completions in
      completions.append(BlockCompletion(tag: tag, succeeded: succeeded))
      return completions.count == 1
    }
    if wasEmpty { doorbell.ring() }
  }

  func take(into taken: inout [BlockCompletion]) {
    completions.withLock { completions in
      taken.append(contentsOf: completions)
      completions.removeAll(keepingCapacity: true)
    }
  }
}
