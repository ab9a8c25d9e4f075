internal import GuestMemory
internal import Virtio

extension IOMMUDevice {
  func serve(_ queue: SplitVirtqueue) -> ServedChain {
    guard state.value.chain.readableBytes >= IOMMUMessage.headSize else { return .fault(.headerIncomplete) }
    let type = IOMMURequestType(rawValue: UInt8(truncatingIfNeeded: word()))
    guard let type else {
      // "The device SHOULD NOT write the buffer and SHOULD set the used length to zero" (5.13.6.2).
      queue.giveBack(head: state.value.chain.head, written: 0)
      return .done
    }
    guard state.value.chain.readableBytes >= type.size else { return .fault(.headerIncomplete) }
    guard state.value.chain.writableBytes >= IOMMUMessage.tailSize else { return .fault(.writableMissing) }
    let (status, release) = perform(type)
    settle(release, status)
    guard state.value.pending?.left == 0 else {
      state.value.isWaiting = true
      iommu.counters.waits &+= 1
      return .lastOfTurn
    }
    answerPending(queue)
    return .done
  }

  private func perform(_ type: IOMMURequestType) -> (IOMMUStatus, IOMMU.Release) {
    switch type {
    case .attach:
      let (domain, endpoint, flags, reserved) = (word(), word(), word(), word())
      guard flags == 0, reserved == 0 else { return (.invalid, .nothing) }
      return note(iommu.attach(domain: domain, endpoint: endpoint), &iommu.counters.attaches)
    case .detach:
      let (domain, endpoint, reserved) = (word(), word(), longWord())
      guard reserved == 0 else { return (.invalid, .nothing) }
      return note(iommu.detach(domain: domain, endpoint: endpoint), &iommu.counters.detaches)
    case .map:
      let (domain, start, last, target, flags) = (word(), longWord(), longWord(), longWord(), word())
      let status = iommu.map(domain: domain, start, last, to: target, flags: flags)
      return note((status, .nothing), &iommu.counters.maps)
    case .unmap:
      let (domain, start, last, reserved) = (word(), longWord(), longWord(), word())
      guard reserved == 0 else { return (.invalid, .nothing) }
      return note(iommu.unmap(domain: domain, start, last), &iommu.counters.unmaps)
    case .probe: return (probe(), .nothing)
    }
  }

  private func note(
    _ outcome: (IOMMUStatus, IOMMU.Release),
    _ count: inout UInt64
  ) -> (IOMMUStatus, IOMMU.Release) {
    if outcome.0 == .ok { count &+= 1 }
    return outcome
  }

  /// Writes the properties, of which there are none, as many as there is room for before the tail.
  private func probe() -> IOMMUStatus {
    let endpoint = word()
    var isReservedZero = true
    for _ in 0..<8 where longWord() != 0 { isReservedZero = false }
    let room = state.value.chain.writableBytes - IOMMUMessage.tailSize
    write(min(room, IOMMUMessage.probeSize))
    guard isReservedZero, room >= IOMMUMessage.probeSize else { return .invalid }
    return iommu.endpoint(endpoint) == nil ? .noEntry : .ok
  }

  /// Gives the request back that was served last.
  func answerPending(_ queue: SplitVirtqueue) {
    guard let pending = state.value.pending else { return }
    state.value.pending = nil
    if pending.status != .ok { iommu.counters.refusals &+= 1 }
    let before = state.value.written
    write(IOMMUMessage.tailSize, first: pending.status.rawValue)
    state.value.written = 0
    queue.giveBack(head: state.value.chain.head, written: before + IOMMUMessage.tailSize)
  }

  /// Writes a byte and zeroes behind it.
  ///
  /// - Parameter count: of all bytes, for which there is room.
  private func write(_ count: Int, first: UInt8 = 0) {
    // SAFETY: the buffer is this call's own, all of it is written, and it is copied before the call ends.
    unsafe withUnsafeTemporaryAllocation(byteCount: max(1, count), alignment: 8) { buffer in
      unsafe buffer.initializeMemory(as: UInt8.self, repeating: 0)
      unsafe buffer.storeBytes(of: first, as: UInt8.self)
      let bytes = unsafe UnsafeRawBufferPointer(rebasing: UnsafeRawBufferPointer(buffer)[..<count])
      state.value.written += unsafe state.value.chain.write(bytes)
    }
  }

  private func word() -> UInt32 { state.value.chain.takeReadable(as: UInt32.self) ?? 0 }

  private func longWord() -> UInt64 { state.value.chain.takeReadable(as: UInt64.self) ?? 0 }

  // MARK: Events

  /// Keeps a fault for the driver. One that does not take what it is told is told no more.
  func note(_ fault: IOMMUFault) {
    guard state.value.faults.count < Self.faultLimit else {
      iommu.counters.lostFaults &+= 1
      return
    }
    state.value.faults.append(fault)
    guard !state.value.isSuspended else { return }
    deliverFaults()
  }

  /// Writes faults to the event queue as long as it has buffers. Only while it has none, and there are faults, the
  /// driver's notifications are news.
  func deliverFaults() {
    guard let queue = state.value.queues[Self.eventQueue], let connection = state.value.queues.connection,
      !connection.hasFailed, !state.value.faults.isEmpty
    else { return }
    queue.suppressNotifications()
    repeat {
      while let fault = state.value.faults.first {
        let next = queue.takeNext(into: &state.value.eventChain)
        if next == .empty { break }
        if let wrong = wrong(next) { return connection.fail(queue: Self.eventQueue, wrong) }
        // SAFETY: the bytes are copied before the call ends.
        let written = unsafe fault.bytes.withUnsafeBytes { unsafe state.value.eventChain.write($0) }
        queue.giveBack(head: state.value.eventChain.head, written: written)
        state.value.faults.removeFirst()
      }
      connection.publish(queue)
    } while !state.value.faults.isEmpty && queue.resumeNotifications()
  }

  private func wrong(_ next: SplitVirtqueue.Next) -> DriverFault? {
    if case .fault(let fault) = next { return fault }
    if state.value.eventChain.readableBytes > 0 { return .readableUnexpected }
    return state.value.eventChain.writableBytes < IOMMUMessage.faultSize ? .writableMissing : nil
  }
}
