internal import GuestMemory
internal import Virtio

extension NetworkDevice {
  /// From the guest to the back-end.
  func transmit() -> Bool {
    guard let queue = state.value.queues[Self.transmitQueue], let connection = state.value.queues.connection else {
      return false
    }
    var hasSent = false
    return connection.workOff(queue, turn: Self.turnLimit) {
      queue.takeNext(into: &state.value.chain)
    } batchEnds: {
      if hasSent { backend.commit() }
      hasSent = false
    } serve: {
      guard state.value.chain.writableBytes == 0 else { return .fault(.writableUnexpected) }
      guard state.value.chain.readableBytes >= NetworkHeader.size else { return .fault(.headerIncomplete) }
      // The back-end calls when it has room.
      guard send() else { return .notNow(again: false) }
      queue.giveBack(head: state.value.chain.head, written: 0)
      hasSent = true
      return .done
    }
  }

  /// `false`: the back-end is full. Packets that are no packets, and all while the link is down, are lost as on a wire.
  private func send() -> Bool {
    guard isLinkUp else { return true }
    let size = state.value.chain.readableBytes - NetworkHeader.size
    guard size > 0, size <= NetworkPacket.largest else { return true }
    if backend.hasHeader {
      // SAFETY: the segments are this request's, which is given back after the back-end's commit.
      return unsafe backend.send(state.value.chain.readableSegments, size: size + NetworkHeader.size)
    }
    // Without offloads the header says nothing that the packet needs.
    state.value.chain.skipReadable(NetworkHeader.size)
    // SAFETY: as above.
    return unsafe backend.send(state.value.chain.readableSegments, size: size)
  }
}
