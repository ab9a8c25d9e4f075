internal import Virtio

extension NetworkDevice {
  /// The control queue (virtio 1.3, 5.1.6.5).
  func control() -> Bool {
    guard let queue = state.value.queues[Self.controlQueue], let connection = state.value.queues.connection else {
      return false
    }
    return connection.workOff(queue, turn: Self.turnLimit) {
      queue.takeNext(into: &state.value.chain)
    } serve: {
      carryOut(queue)
    }
  }

  private func carryOut(_ queue: SplitVirtqueue) -> ServedChain {
    guard let kind = state.value.chain.takeReadable(as: UInt8.self),
      let command = state.value.chain.takeReadable(as: UInt8.self)
    else { return .fault(.headerIncomplete) }
    // SAFETY: the place is in the window and one byte long.
    guard let answer = unsafe state.value.chain.takeLastWritableByte() else { return .fault(.writableMissing) }
    let result = carryOut(kind, command) ? NetworkControl.ok : NetworkControl.error
    unsafe answer.storeBytes(of: result, as: UInt8.self)
    queue.giveBack(head: state.value.chain.head, written: 1)
    return .done
  }

  private func carryOut(_ kind: UInt8, _ command: UInt8) -> Bool {
    switch (kind, command) {
    case (NetworkControl.receive, 0...NetworkControl.receiveNoBroadcast):
      // Every packet is passed on whatever the mode says.
      return state.value.queues.features.contains(NetworkFeature.controlReceive)
        && state.value.chain.readableBytes == 1
    case (NetworkControl.mac, NetworkControl.macTableSet):
      return state.value.queues.features.contains(NetworkFeature.controlReceive) && isTableOfAddresses()
    case (NetworkControl.mac, NetworkControl.macAddressSet): return setAddress()
    case (NetworkControl.announce, NetworkControl.announceAcknowledge):
      guard state.value.queues.features.contains(NetworkFeature.guestAnnounce), isLinkUp else { return false }
      setStatus(NetworkStatus.linkUp)
      return true
    case (NetworkControl.guestOffloads, NetworkControl.guestOffloadsSet): return changeOffloads()
    default: return false
    }
  }

  /// Two tables, unicast and multicast, each a count and as many addresses.
  private func isTableOfAddresses() -> Bool {
    for _ in 0..<2 {
      guard let count = state.value.chain.takeReadable(as: UInt32.self),
        Int(count) <= state.value.chain.readableBytes / 6
      else { return false }
      state.value.chain.skipReadable(6 * Int(count))
    }
    return state.value.chain.readableBytes == 0
  }

  private func setAddress() -> Bool {
    guard state.value.queues.features.contains(NetworkFeature.controlMAC), state.value.chain.readableBytes == 6
    else { return false }
    var address = [UInt8](repeating: 0, count: 6)
    // SAFETY: the buffer is this call's own.
    guard unsafe address.withUnsafeMutableBytes({ unsafe state.value.chain.takeReadable(into: $0) }),
      address[0] & 1 == 0
    else {
      return false
    }
    configuration.change { $0.replaceSubrange(NetworkField.mac, with: address) }
    return true
  }

  private func changeOffloads() -> Bool {
    guard
      state.value.queues.features.contains(NetworkFeature.controlGuestOffloads),
      state.value.chain.readableBytes == 8,
      let offloads = state.value.chain.takeReadable(as: UInt64.self).map(VirtioFeatures.init(rawValue:)),
      offloads.isSubset(of: NetworkFeature.guestOffloads.intersection(state.value.queues.features)),
      accepts(offloads)
    else { return false }
    setGuestOffloads(offloads)
    return true
  }
}
