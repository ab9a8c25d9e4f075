internal import GuestMemory
internal import Virtio

/// One request, from the chain to the answer.
@safe
struct BlockRequest: ~Copyable {
  // SAFETY: `status` points at a byte of the chain, which is in the window as long as the request lasts.
  var chain: DescriptorChain
  var status: UnsafeMutableRawPointer?
  var queue = 0
  var work = BlockWork.data(written: 0)

  init(chainCapacity: Int) {
    chain = DescriptorChain(capacity: chainCapacity)
    unsafe status = nil
  }
}

/// What a block device keeps on the device thread.
struct BlockState {
  var queues: DeviceQueues
  var isDurable = false
  /// The configuration space's field: 1 with a cache, 0 without.
  var writeback: UInt8 = 1
  /// In sectors.
  var capacity: UInt64
  var madeRequests = 0
  var freeRequests: [UInt32] = []
  /// How many requests of each queue are with the back-end.
  var inFlight: [Int]
  /// The queues in which something was given back and not published yet, a bit for each.
  var unpublished: UInt64 = 0
  /// The queues that have chains but had no free request for them, a bit for each.
  var starved: UInt64 = 0
  var isSuspended = false
  var waiters: [BlockWaiter] = []

  init(queueCount: Int, requestCount: Int, capacity: UInt64) {
    queues = DeviceQueues(count: queueCount)
    inFlight = Array(repeating: 0, count: queueCount)
    self.capacity = capacity
    freeRequests.reserveCapacity(requestCount)
  }
}

/// Who waits until nothing is in flight.
struct BlockWaiter {
  /// `nil`: all queues.
  let queue: Int?
  let finished: @Sendable () -> Void
}

/// What a request does when the back-end has finished a piece of it.
enum BlockWork {
  /// It is done. `written`: bytes that the device wrote where it succeeded, status not counted.
  case data(written: Int)
  case discardRanges
  case writeZeroesRanges
}

extension BlockDevice {
  /// Begins the request of that number, whose chain has been taken.
  ///
  /// - Returns: what makes the queue unusable: a request without header or without room for the status.
  func begin(_ number: UInt32, of index: Int) -> DriverFault? {
    // SAFETY: the request is initialized and ours until it is released.
    let request = unsafe requests + Int(number)
    unsafe request.pointee.queue = index
    // Type and a reserved word, then the sector.
    var header: (UInt64, UInt64) = (0, 0)
    // SAFETY: two integers, whose bytes may be anything.
    let isWhole = unsafe withUnsafeMutableBytes(of: &header) { unsafe request.pointee.chain.takeReadable(into: $0) }
    guard isWhole else { return .headerIncomplete }
    let type = UInt32(truncatingIfNeeded: UInt64(littleEndian: header.0))
    let sector = UInt64(littleEndian: header.1)
    guard let status = unsafe request.pointee.chain.takeLastWritableByte() else { return .writableMissing }
    unsafe request.pointee.status = status
    switch type {
    case BlockRequestType.read: return read(number, sector: sector)
    case BlockRequestType.write: return write(number, sector: sector)
    case BlockRequestType.flush:
      unsafe request.pointee.work = .data(written: 0)
      // With the cache off, too: there may be writes from before it was switched off.
      if features.contains(BlockFeature.readOnly) {
        answer(number, .ok)
      } else {
        backend.flush(tag: number)
      }
    case BlockRequestType.getIdentifier:
      // SAFETY: the serial number's bytes are only read.
      let room = unsafe request.pointee.chain.writableBytes
      let written = unsafe serial.withUnsafeBytes { unsafe request.pointee.chain.write($0) }
      answer(number, .ok, written: written, of: room)
    case BlockRequestType.discard where state.value.queues.features.contains(BlockFeature.discard):
      unsafe request.pointee.work = .discardRanges
      beginRanges(number)
    case BlockRequestType.writeZeroes where state.value.queues.features.contains(BlockFeature.writeZeroes):
      unsafe request.pointee.work = .writeZeroesRanges
      beginRanges(number)
    default: answer(number, .unsupported)
    }
    return nil
  }

  private func read(_ number: UInt32, sector: UInt64) -> DriverFault? {
    // SAFETY: the request is in use.
    let request = unsafe requests + Int(number)
    guard unsafe request.pointee.chain.readableBytes == 0 else { return .readableUnexpected }
    let bytes = unsafe request.pointee.chain.writableBytes
    guard let offset = offset(ofSector: sector, bytes: UInt64(bytes)) else {
      answer(number, .ioError)
      return nil
    }
    unsafe request.pointee.work = .data(written: bytes)
    unsafe backend.read(tag: number, offset: offset, count: bytes, into: request.pointee.chain.writableSegments)
    return nil
  }

  private func write(_ number: UInt32, sector: UInt64) -> DriverFault? {
    // SAFETY: the request is in use.
    let request = unsafe requests + Int(number)
    guard unsafe request.pointee.chain.writableBytes == 0 else { return .writableUnexpected }
    let bytes = unsafe request.pointee.chain.readableBytes
    guard
      !features.contains(BlockFeature.readOnly),
      let offset = offset(ofSector: sector, bytes: UInt64(bytes))
    else {
      answer(number, .ioError)
      return nil
    }
    unsafe request.pointee.work = .data(written: 0)
    unsafe backend.write(
      tag: number,
      offset: offset,
      count: bytes,
      from: request.pointee.chain.readableSegments,
      isDurable: state.value.isDurable
    )
    return nil
  }

  /// `nil` where there is nothing, a part of a sector, or something behind the end.
  private func offset(ofSector sector: UInt64, bytes: UInt64) -> UInt64? {
    guard bytes > 0, bytes % 512 == 0, sector <= state.value.capacity,
      bytes / 512 <= state.value.capacity - sector
    else { return nil }
    return sector * 512
  }

  // MARK: Discard and write zeroes

  private func beginRanges(_ number: UInt32) {
    // SAFETY: the request is in use.
    let bytes = unsafe requests[Int(number)].chain.readableBytes
    guard bytes > 0, bytes % 16 == 0, bytes / 16 <= Int(BlockLimit.ranges) else {
      answer(number, .ioError)
      return
    }
    beginNextRange(number)
  }

  /// Begins the next range of the request, or answers it when there is none left. One after the other, so that a
  /// request never has more than one piece with the back-end.
  private func beginNextRange(_ number: UInt32) {
    // SAFETY: the request is in use.
    let request = unsafe requests + Int(number)
    guard
      let sector = unsafe request.pointee.chain.takeReadable(as: UInt64.self),
      let sectors = unsafe request.pointee.chain.takeReadable(as: UInt32.self),
      let flags = unsafe request.pointee.chain.takeReadable(as: UInt32.self)
    else {
      answer(number, .ok)
      return
    }
    let isDiscard = if case .discardRanges = unsafe request.pointee.work { true } else { false }
    // Bit 0 is "unmap", which a discard must not have; the others are reserved (virtio 1.3, 5.2.6.2).
    guard flags & ~1 == 0, !isDiscard || flags == 0 else {
      answer(number, .unsupported)
      return
    }
    let count = UInt64(sectors) * 512
    guard sectors <= BlockLimit.rangeSectors, let offset = offset(ofSector: sector, bytes: count) else {
      answer(number, .ioError)
      return
    }
    if isDiscard {
      backend.discard(tag: number, offset: offset, count: count)
    } else {
      backend.writeZeroes(
        tag: number,
        offset: offset,
        count: count,
        mayDiscard: flags & 1 != 0,
        isDurable: state.value.isDurable
      )
    }
  }

  // MARK: Answers

  /// The back-end has finished what it was given for a request.
  func finish(_ number: UInt32, succeeded: Bool) {
    // SAFETY: the back-end names only tags that it was given and that are not finished.
    switch unsafe requests[Int(number)].work {
    case .data(let written):
      answer(number, succeeded ? .ok : .ioError, written: succeeded ? written : 0)
    case .discardRanges, .writeZeroesRanges:
      guard succeeded, unsafe state.value.queues[requests[Int(number)].queue] != nil else {
        answer(number, .ioError)
        return
      }
      beginNextRange(number)
      backend.commit()
    }
  }

  /// Writes the status, gives the chain back and frees the request. A queue that the driver took back gets nothing.
  ///
  /// - Parameters:
  ///   - written: bytes that the device wrote, status not counted.
  ///   - room: for how many there was room; `nil`: what the chain still has.
  private func answer(_ number: UInt32, _ status: BlockStatus, written: Int = 0, of room: Int? = nil) {
    // SAFETY: the request is in use; the status byte is in the window.
    let request = unsafe requests + Int(number)
    let index = unsafe request.pointee.queue
    if let queue = state.value.queues[index] {
      unsafe request.pointee.status?.storeBytes(of: status.rawValue, as: UInt8.self)
      // So many bytes from the first one on were written: the status, the last byte, counts where there is no gap
      // before it (virtio 1.3, 2.7.8.2).
      let isWhole = unsafe written == room ?? request.pointee.chain.writableBytes
      unsafe queue.giveBack(head: request.pointee.chain.head, written: isWhole ? written + 1 : written)
      state.value.unpublished |= 1 << UInt64(index)
    }
    release(number, of: index)
  }
}
