internal import GuestMemory
internal import Virtio

/// What a memory device keeps on the device thread.
struct MemoryState: ~Copyable {
  var queues = DeviceQueues(count: 1)
  var chain = DescriptorChain(capacity: Int(QueueSize.memory))
  var plugged: BlockSet
  /// In bytes.
  var requestedSize: UInt64 = 0
  /// In bytes.
  var usableSize: UInt64 = 0
  var counters = MemoryCounters()
  var isSuspended = false

  init(blockCount: Int) {
    plugged = BlockSet(capacity: blockCount)
  }
}

/// The answer to a request, before it is written.
private enum MemoryReply {
  case response(MemoryResponseType, MemoryBlockState = .plugged)
  /// The back-end is not ready, and the request stays in the queue.
  case later
}

extension MemoryDevice {
  func serve(_ queue: SplitVirtqueue) -> ServedChain {
    guard state.value.chain.readableBytes >= MemoryMessage.requestSize else { return .fault(.headerIncomplete) }
    guard state.value.chain.writableBytes >= MemoryMessage.responseSize else { return .fault(.writableMissing) }
    // "struct virtio_mem_req": the type and six bytes that mean nothing, an address, a number of blocks.
    guard let type = state.value.chain.takeReadable(as: UInt64.self),
      let address = state.value.chain.takeReadable(as: UInt64.self),
      let count = state.value.chain.takeReadable(as: UInt64.self)
    else { preconditionFailure("as many bytes are taken as there are") }
    let reply = answer(
      MemoryRequestType(rawValue: UInt16(truncatingIfNeeded: type)),
      address: address,
      count: UInt16(truncatingIfNeeded: count)
    )
    guard case .response(let response, let blocks) = reply else { return .notNow(again: false) }
    note(response)
    let head = state.value.chain.head
    queue.giveBack(head: head, written: write(response, blocks))
    return .done
  }

  private func answer(_ type: MemoryRequestType?, address: UInt64, count: UInt16) -> MemoryReply {
    guard let type else { return .response(.error) }
    if type == .unplugAll { return unplugAll() }
    guard let blocks = blocks(at: address, count: count) else { return .response(.error) }
    let plugged = state.value.plugged.count(in: blocks)
    switch type {
    case .plug: return plugged == 0 ? plug(blocks) : .response(.error)
    case .unplug: return plugged == blocks.count ? unplug(blocks) : .response(.error)
    case .state, .unplugAll:
      let state: MemoryBlockState = plugged == 0 ? .unplugged : plugged == blocks.count ? .plugged : .mixed
      return .response(.acknowledged, state)
    }
  }

  /// Those that a request names; nil where it names none, or not whole ones, or not of the usable region only.
  private func blocks(at address: UInt64, count: UInt16) -> Range<Int>? {
    guard address >= region.start.rawValue, address % blockSize == 0, count > 0 else { return nil }
    let first = (address - region.start.rawValue) / blockSize
    let usable = usableSize / blockSize
    guard first < usable, UInt64(count) <= usable - first else { return nil }
    return Int(first)..<Int(first) + Int(count)
  }

  private func plug(_ blocks: Range<Int>) -> MemoryReply {
    let size = UInt64(blocks.count) * blockSize
    guard pluggedSize < requestedSize, size <= requestedSize - pluggedSize else { return .response(.refused) }
    return settle(backend.plug(blocks)) { $0.insert(blocks) }
  }

  private func unplug(_ blocks: Range<Int>) -> MemoryReply {
    settle(backend.unplug(blocks)) { $0.remove(blocks) }
  }

  private func unplugAll() -> MemoryReply {
    guard state.value.plugged.count > 0 else {
      shrinkUsableRegion()
      return .response(.acknowledged)
    }
    let reply = settle(backend.unplugAll()) { $0.removeAll() }
    if state.value.plugged.count == 0 { shrinkUsableRegion() }
    return reply
  }

  /// The usable region shrinks with such a request and with no other (5.15.4).
  private func shrinkUsableRegion() {
    state.value.usableSize = usableSize(for: requestedSize)
    showSizes()
  }

  private func settle(_ answer: MemoryAnswer, _ change: (inout BlockSet) -> Void) -> MemoryReply {
    switch answer {
    case .done:
      change(&state.value.plugged)
      showSizes()
      return .response(.acknowledged)
    case .busy: return .response(.busy)
    case .later: return .later
    }
  }

  private func note(_ response: MemoryResponseType) {
    switch response {
    case .acknowledged: state.value.counters.acknowledged &+= 1
    case .refused: state.value.counters.refused &+= 1
    case .busy: state.value.counters.busy &+= 1
    case .error: state.value.counters.errors &+= 1
    }
  }

  /// "struct virtio_mem_resp": the type, six bytes of zero, and the state of the blocks.
  ///
  /// - Returns: how many bytes were written.
  private func write(_ response: MemoryResponseType, _ blocks: MemoryBlockState) -> Int {
    // SAFETY: the buffer is this call's own, all of it is written, and it is copied before the call ends.
    unsafe withUnsafeTemporaryAllocation(byteCount: MemoryMessage.responseSize, alignment: 8) { buffer in
      unsafe buffer.storeBytes(of: UInt64(response.rawValue).littleEndian, as: UInt64.self)
      unsafe buffer.storeBytes(of: blocks.rawValue.littleEndian, toByteOffset: 8, as: UInt16.self)
      return unsafe state.value.chain.write(UnsafeRawBufferPointer(buffer))
    }
  }
}
