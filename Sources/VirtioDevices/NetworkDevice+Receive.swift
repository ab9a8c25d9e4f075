internal import GuestMemory
internal import Virtio

extension NetworkDevice {
  /// From the back-end to the guest.
  func receive() -> Bool {
    guard let queue = state.value.queues[Self.receiveQueue] else { return false }
    var taken = 0
    queue.suppressNotifications()
    repeat {
      // The chains that wait for others, without which the next packet does not fit.
      var waiting: Int?
      while taken < Self.turnLimit, let size = backend.nextPacketSize() {
        taken += 1
        let header = backend.hasHeader ? NetworkHeader.size : 0
        guard isLinkUp, header...header + largestReceived ~= size else {
          backend.dropPacket()
          continue
        }
        switch gather(queue, room: NetworkHeader.size + size - header) {
        case .packet(let buffers, let segmentCount):
          deliver(queue, buffers: buffers, segmentCount: segmentCount)
          continue
        case .fault(let fault):
          fail(Self.receiveQueue, fault)
          return false
        case .never:
          backend.dropPacket()
          continue
        case .later(let chains): waiting = chains
        }
        break
      }
      publish(queue)
      if taken == Self.turnLimit { return true }
      // Nothing to receive: the back-end calls, whatever buffers the driver adds.
      guard let waiting else { return false }
      guard queue.resumeNotifications(ahead: waiting) else { return false }
    } while true
  }

  private enum Gathered {
    case packet(buffers: Int, segmentCount: Int)
    /// The driver has not made enough buffers available; it notifies when it has.
    case later(chains: Int)
    /// The packet can't fit the driver's buffers.
    case never
    case fault(DriverFault)
  }

  /// Takes as many chains as hold `room` bytes: one, or with mergeable buffers several (virtio 1.3, 5.1.6.4).
  private func gather(_ queue: SplitVirtqueue, room: Int) -> Gathered {
    let most = state.value.queues.features.contains(NetworkFeature.mergeableBuffers) ? state.value.heads.count : 1
    var buffers = 0
    var segmentCount = 0
    var gathered = 0
    while gathered < room {
      guard buffers < most else {
        // The packet is given up; without merging its buffer, too, stays for a smaller one.
        queue.putBack(buffers)
        return .never
      }
      switch queue.takeNext(into: &state.value.chain) {
      case .empty:
        queue.putBack(buffers)
        return buffers == Int(queue.size) ? .never : .later(chains: buffers)
      case .fault(let fault): return .fault(fault)
      case .chain: break
      }
      guard state.value.chain.readableBytes == 0 else { return .fault(.readableUnexpected) }
      // SAFETY: the segments are this packet's until it is given back; the array has room as checked.
      let parts = unsafe state.value.chain.writableSegments
      guard segmentCount + parts.count <= segmentCapacity else {
        queue.putBack(buffers + 1)
        return .never
      }
      for index in parts.indices {
        let part = unsafe parts[index]
        unsafe segments[segmentCount] = part
        segmentCount += 1
      }
      state.value.heads[buffers] = state.value.chain.head
      state.value.sizes[buffers] = state.value.chain.writableBytes
      gathered += state.value.chain.writableBytes
      buffers += 1
    }
    return .packet(buffers: buffers, segmentCount: segmentCount)
  }

  /// Receives a packet into what was gathered, and gives back the chains that it took.
  private func deliver(_ queue: SplitVirtqueue, buffers: Int, segmentCount: Int) {
    // SAFETY: so many segments were gathered, with room for the header.
    let all = unsafe UnsafeMutableBufferPointer(start: segments, count: segmentCount)
    let low = unsafe byte(NetworkHeader.bufferCountOffset, of: all)
    let high = unsafe byte(NetworkHeader.bufferCountOffset + 1, of: all)
    var written: Int
    if backend.hasHeader {
      written = unsafe backend.receive(into: all)
    } else {
      let body = unsafe writeEmptyHeader(to: all)
      let size = unsafe backend.receive(into: body)
      written = size == 0 ? 0 : size + NetworkHeader.size
    }
    guard written >= NetworkHeader.size else {
      queue.putBack(buffers)
      return
    }
    var used = 0
    while used < buffers, written > 0 {
      let part = min(written, state.value.sizes[used])
      queue.giveBack(head: state.value.heads[used], written: part)
      written -= part
      used += 1
    }
    queue.putBack(buffers - used)
    // num_buffers, which the device sets whether or not buffers may be merged (virtio 1.3, 5.1.6.4.1).
    // SAFETY: both bytes lie in the packet's buffers, which are the device's until the queue publishes them.
    unsafe low.storeBytes(of: UInt8(truncatingIfNeeded: used), as: UInt8.self)
    unsafe high.storeBytes(of: UInt8(truncatingIfNeeded: used >> 8), as: UInt8.self)
  }

  /// The place of a byte of the packet. A header may be split over buffers.
  @unsafe
  private func byte(_ offset: Int, of parts: UnsafeMutableBufferPointer<DMASegment>) -> UnsafeMutableRawPointer {
    var left = offset
    for index in parts.indices {
      // SAFETY: the index is one of the buffer's, and a byte is asked for within its segment.
      let part = unsafe parts[index]
      if unsafe left < part.count { return unsafe part.base + left }
      left -= unsafe part.count
    }
    preconditionFailure("what was gathered has room for a header")
  }

  /// Zeroes the header and gives the segments behind it.
  @unsafe
  private func writeEmptyHeader(
    to parts: UnsafeMutableBufferPointer<DMASegment>
  ) -> UnsafeMutableBufferPointer<DMASegment> {
    var left = NetworkHeader.size
    var first = 0
    while left > 0 {
      // SAFETY: what was gathered has room for a header, so there is a segment as long as something is left of it.
      let piece = unsafe min(left, parts[first].count)
      unsafe parts[first].base.initializeMemory(as: UInt8.self, repeating: 0, count: piece)
      unsafe parts[first].base += piece
      unsafe parts[first].count -= piece
      left -= piece
      if unsafe parts[first].count == 0 { first += 1 }
    }
    // SAFETY: as above; behind the last segment the rest is empty.
    return unsafe UnsafeMutableBufferPointer(rebasing: parts[first...])
  }
}
