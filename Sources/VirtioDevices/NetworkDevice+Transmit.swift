internal import GuestMemory
internal import Virtio

extension NetworkDevice {
  /// From the guest to the back-end.
  func transmit() -> Bool {
    guard let queue = state.value.queues[Self.transmitQueue] else { return false }
    var taken = 0
    queue.suppressNotifications()
    repeat {
      let before = taken
      var isFull = false
      taking: while taken < Self.turnLimit {
        switch queue.takeNext(into: &state.value.chain) {
        case .empty: break taking
        case .fault(let fault):
          backend.commit()
          fail(Self.transmitQueue, fault)
          return false
        case .chain:
          if let fault = state.value.chain.writableBytes > 0
            ? .writableUnexpected
            : state.value.chain.readableBytes < NetworkHeader.size ? .headerIncomplete : nil as GuestFault?
          {
            backend.commit()
            fail(Self.transmitQueue, fault)
            return false
          }
          guard send() else {
            queue.putBack(1)
            isFull = true
            break taking
          }
          queue.giveBack(head: state.value.chain.head, written: 0)
          taken += 1
        }
      }
      if taken > before { backend.commit() }
      publish(queue)
      // The back-end calls when it has room; a driver's notification of more packets would say nothing new.
      if isFull { return false }
      if taken == Self.turnLimit { return true }
    } while queue.resumeNotifications()
    return false
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
