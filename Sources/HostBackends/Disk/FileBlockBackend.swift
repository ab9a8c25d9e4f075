import CHost
package import GuestMemory
package import Host
package import Logging
import Synchronization
package import VirtioDevices

/// A disk in a file or on a block device.
///
/// What may wait for a disk, or takes long, is done by workers, so that neither a vCPU nor another device ever waits.
/// What certainly does not is done at once: a read of what the host has in its page cache, and everything on a file
/// system that is all memory, up to ``inlineLimit``.
package final class FileBlockBackend: BlockBackend {
  /// How many threads wait for one disk at the same time.
  private static let workerCount = 4

  /// The most bytes of one request that the device thread moves itself.
  package static let inlineLimit = 1 << 20

  /// Starts a worker.
  package typealias StartThread = (@escaping @Sendable () -> Void) throws(HostError) -> HostThread

  private let image: DiskImage
  package var capacity: UInt64 { image.size / 512 }
  package let isReadOnly: Bool
  package let blockSize: UInt32
  package let physicalBlockExponent: UInt8
  package let discardGranularity: UInt32?
  package var canWriteZeroes: Bool { !isReadOnly }
  package let zeroesMayUnmap: Bool

  private let file: DiskFile
  private var neverWaits: Bool
  private let startThread: StartThread
  private var workers: [HostThread] = []
  private let running = WorkerCount()
  private let queue = DiskQueue()
  private let finished: CompletionBox
  private var done: [BlockCompletion] = []
  private var firstDone = 0
  private var handed: [DiskRequest] = []
  /// How many requests are with the workers.
  private var withWorkers = 0

  /// - Parameters:
  ///   - name: the device's.
  ///   - logger: gets what the host refused to do.
  ///   - startThread: how workers are started.
  package init(
    _ image: DiskImage,
    name: String,
    logger: Logger,
    startThread: @escaping StartThread = { body throws(HostError) in try HostThread(name: "disk", body) }
  ) throws(HostError) {
    self.startThread = startThread
    self.image = image
    let trouble = DiskTrouble(name: name, path: image.path, logger)
    if image.lockError != 0 { trouble.noteLack(ofLock: image.lockError) }
    file = DiskFile(image, trouble)
    isReadOnly = image.isReadOnly
    let description = image.description
    blockSize = description.logical_block
    physicalBlockExponent = UInt8((description.physical_block / description.logical_block).trailingZeroBitCount)
    discardGranularity = isReadOnly || description.discard_block == 0 ? nil : description.discard_block
    neverWaits = image.neverWaits
    // The host's call for block devices never gives space up.
    zeroesMayUnmap = !description.is_device
    finished = try CompletionBox()
  }

  /// The image has another size, or is another one.
  package func imageChanged() { neverWaits = image.neverWaits }

  /// Of the image, for messages.
  package var path: String { image.path }

  /// Tells the device when a worker has finished something.
  ///
  /// - Throws: where the loop takes no more.
  package func connect(_ loop: EventLoop, _ ready: @escaping () -> Bool) throws(HostError) {
    let finished = finished
    _ = try loop.add(
      finished.event.rawValue,
      EventLoop.readable,
      ClosureHandler { _ in
        finished.event.clear()
        // What is left for later comes back through the same event.
        if ready() { finished.event.signal() }
      }
    )
  }

  package func prepare(requests: Int) {
    done.reserveCapacity(requests)
    handed.reserveCapacity(requests)
    queue.prepare(requests: requests)
    finished.prepare(requests: requests)
  }

  // MARK: Requests, on the device thread

  package func read(tag: UInt32, offset: UInt64, count: Int, into segments: UnsafeMutableBufferPointer<DMASegment>) {
    // SAFETY: the device keeps the segments until the request is finished.
    let request = unsafe DiskRequest(tag: tag, work: .read, offset: offset, count: count, segments: segments)
    if count > Self.inlineLimit {
      handed.append(request)
    } else if neverWaits {
      finish(tag, file.perform(request))
    } else if file.readWithoutWaiting(request) {
      finish(tag, true)
    } else {
      handed.append(request)
    }
  }

  package func write(
    tag: UInt32,
    offset: UInt64,
    count: Int,
    from segments: UnsafeMutableBufferPointer<DMASegment>,
    isDurable: Bool
  ) {
    // SAFETY: as for reads.
    let request = unsafe DiskRequest(
      tag: tag,
      work: .write,
      offset: offset,
      count: count,
      isDurable: isDurable,
      segments: segments
    )
    if neverWaits, count <= Self.inlineLimit {
      finish(tag, file.perform(request))
    } else {
      handed.append(request)
    }
  }

  package func flush(tag: UInt32) {
    let request = DiskRequest(tag: tag, work: .flush)
    if neverWaits {
      finish(tag, file.perform(request))
    } else {
      handed.append(request)
    }
  }

  // A range may be the whole disk, and where the file system has no way around it its bytes are written one by one.

  package func discard(tag: UInt32, offset: UInt64, count: UInt64) {
    handed.append(DiskRequest(tag: tag, work: .discard, offset: offset, count: count))
  }

  package func writeZeroes(tag: UInt32, offset: UInt64, count: UInt64, mayDiscard: Bool, isDurable: Bool) {
    let work = DiskRequest.Work.writeZeroes(mayDiscard: mayDiscard)
    handed.append(DiskRequest(tag: tag, work: work, offset: offset, count: count, isDurable: isDurable))
  }

  private func finish(_ tag: UInt32, _ succeeded: Bool) {
    done.append(BlockCompletion(tag: tag, succeeded: succeeded))
  }

  package func commit() {
    guard !handed.isEmpty else { return }
    queue.add(handed)
    withWorkers += handed.count
    handed.removeAll(keepingCapacity: true)
    startWorkers()
  }

  package func nextCompletion() -> BlockCompletion? {
    if firstDone == done.count {
      done.removeAll(keepingCapacity: true)
      firstDone = 0
      if withWorkers > 0 { withWorkers -= finished.take(into: &done) }
    }
    guard firstDone < done.count else { return nil }
    defer { firstDone += 1 }
    return done[firstDone]
  }

  // MARK: Workers

  private func startWorkers() {
    guard workers.isEmpty else { return }
    let (file, queue, finished, running) = (file, queue, finished, running)
    for _ in 0..<Self.workerCount {
      // One is enough to go on with, and a host that gives none at all fails the requests.
      guard
        let worker = try? startThread({
          while let request = queue.next() { finished.add(request.tag, file.perform(request)) }
          running.count.subtract(1, ordering: .releasing)
        })
      else { break }
      running.count.add(1, ordering: .relaxed)
      workers.append(worker)
    }
    if workers.isEmpty { queue.failAll(into: finished) }
  }

  /// Has the workers end. What none has done yet is left, as in a power cut: the guest was not told that it is done.
  package func stop() {
    file.stop()
    queue.close()
  }

  /// Whether a worker has not ended yet: it waits for the disk.
  package var isWorking: Bool { running.count.load(ordering: .acquiring) > 0 }

  /// Leaves the workers alone, which wait for a disk that does not answer. Whoever calls this keeps the guest's memory
  /// for ever: they may still write there.
  package func abandonWorkers() {
    // SAFETY: a thread's value has to outlive the thread, which nobody joins.
    for worker in workers { _ = unsafe Unmanaged.passRetained(worker) }
    workers = []
  }

  /// Ends the workers, and waits for those that were not abandoned.
  package func shutDown() {
    stop()
    for worker in workers { worker.join() }
    workers = []
  }
}

/// How many workers have not ended.
private final class WorkerCount: Sendable {
  let count = Atomic(0)
}
