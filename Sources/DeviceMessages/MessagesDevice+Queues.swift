internal import GuestMemory
internal import Virtio

// Chains out, answers in.
extension MessagesDevice {
  /// Buffers that the driver gives for what may come some time: nobody waits for them.
  private func isForEvents(_ queue: Int) -> Bool { identifier == .scmi && queue == 1 }

  /// The most granules of one chain, which the other side's queues have room for.
  private func largestCost(_ queue: Int) -> Int { min(Int(hello.queueSizes[queue]), hello.credit / hello.granule) }

  private func place(_ queue: Int, _ head: UInt16) -> Int { firstOpen[queue] + Int(head) }

  package func kick(_ index: Int) -> Bool {
    guard !state.value.isSuspended, let queue = state.value.queues[index],
      let connection = state.value.queues.connection, !connection.hasFailed
    else { return false }
    switch state.value.phase {
    case .absent, .failed: return false
    case .offline:
      return connection.workOff(queue, turn: Self.turnLimit) {
        queue.takeNext(into: &state.value.chain)
      } serve: {
        refuse(queue)
        return .done
      }
    case .working: break
    }
    var fault: MessageFault?
    let hasMore = connection.workOff(queue, turn: Self.turnLimit) {
      queue.takeNext(into: &state.value.chain)
    } serve: {
      do throws(MessageFault) {
        return try serve(queue)
      } catch {
        fault = error
        return .notNow(again: false)
      }
    }
    attempt { () throws(MessageFault) in
      if let fault { throw fault }
      try flush()
    }
    return hasMore
  }

  private func serve(_ queue: SplitVirtqueue) throws(MessageFault) -> ServedChain {
    let index = queue.index
    let (readable, writable) = (state.value.chain.readableBytes, state.value.chain.writableBytes)
    let cost = hello.cost(readable: readable, writable: writable)
    guard cost <= largestCost(index) else {
      refuse(queue)
      return .done
    }
    guard (state.value.outstanding + cost) * hello.granule <= hello.credit else {
      state.value.starved |= 1 << UInt64(index)
      return .notNow(again: false)
    }
    let place = place(index, state.value.chain.head)
    // A driver that offers a chain again that it has not got back.
    guard state.value.open[place].ticket == 0 else { return .fault(.availableIndexJumped) }
    state.value.sequence &+= 1
    let ticket = ChainTicket(
      epoch: state.value.epochs[index],
      sequence: max(1, state.value.sequence),
      head: state.value.chain.head
    ).rawValue
    try sendChain(index, ticket)
    state.value.open[place] = .init(ticket: ticket, writable: UInt32(writable), cost: Int32(cost))
    state.value.outstanding += cost
    if !isForEvents(index) {
      state.value.awaited += 1
      armTick()
    }
    return .done
  }

  /// Puts the chain's frames into what waits to be sent.
  private func sendChain(_ queue: Int, _ ticket: UInt64) throws(MessageFault) {
    guard let peer = state.value.peer else { throw .gone }
    let (readable, writable) = (state.value.chain.readableBytes, state.value.chain.writableBytes)
    let prefix = UInt64(UInt32(readable)) | UInt64(UInt32(writable)) << 32
    var left = readable
    var head = MessageWire.headerSize + MessageWire.chainPrefix
    var kind = MessageKind.chain
    repeat {
      let piece = min(left, MessageWire.dataLimit)
      let length = UInt32(head - MessageWire.headerSize + piece)
      // SAFETY: the place is filled at once; there is room for header, prefix and piece, and the chain has as many
      // bytes to read.
      guard let place = unsafe peer.output.append(head + piece) else { throw .full }
      unsafe FrameHeader(kind, length: length, queue: UInt16(queue), ticket: ticket).store(at: place)
      if kind == .chain {
        unsafe (place + MessageWire.headerSize).storeBytes(of: prefix.littleEndian, as: UInt64.self)
      }
      let room = unsafe UnsafeMutableRawBufferPointer(start: place + head, count: piece)
      let isCopied = unsafe state.value.chain.takeReadable(into: room)
      precondition(isCopied, "as many bytes are taken as there are")
      left -= piece
      head = MessageWire.headerSize
      kind = .more
    } while left > 0
  }

  /// Sends a chain that is with nobody now: it was taken for a process that has gone, or elsewhere.
  func sendAgain(_ head: UInt16, of index: Int) throws(MessageFault) {
    guard let queue = state.value.queues[index] else { return }
    if let fault = queue.takeAgain(head: head, into: &state.value.chain) {
      state.value.queues.connection?.fail(queue: index, fault)
      return
    }
    switch try serve(queue) {
    case .fault(let fault): state.value.queues.connection?.fail(queue: index, fault)
    // It is in no ring that it could go back to.
    case .notNow: refuse(queue)
    case .done, .lastOfTurn: break
    }
  }

  /// Answers the chain that was taken with an error, as far as its type has one.
  private func refuse(_ queue: SplitVirtqueue) {
    var written = 0
    // SAFETY: the byte is in the window. VIRTIO_BLK_S_IOERR (virtio 1.3, 5.2.6).
    if identifier == .block, let status = unsafe state.value.chain.takeLastWritableByte() {
      unsafe status.storeBytes(of: 1, as: UInt8.self)
      if state.value.chain.writableBytes == 0 { written = 1 }
    }
    queue.giveBack(head: state.value.chain.head, written: written)
    state.value.unpublished |= 1 << UInt64(queue.index)
  }

  // MARK: Open chains

  /// The first descriptors of a queue's open chains, in the order in which they were sent.
  func openChains(of queue: Int) -> [UInt16] {
    let places = firstOpen[queue]..<firstOpen[queue] + Int(hello.queueSizes[queue])
    return places.filter { state.value.open[$0].ticket != 0 }
      .sorted { state.value.open[$0].ticket & 0xFFFF_FFFF_FFFF < state.value.open[$1].ticket & 0xFFFF_FFFF_FFFF }
      .map { UInt16($0 - firstOpen[queue]) }
  }

  private func close(_ queue: Int, _ head: UInt16) {
    let place = place(queue, head)
    state.value.outstanding -= Int(state.value.open[place].cost)
    if !isForEvents(queue) { state.value.awaited -= 1 }
    state.value.open[place] = .init()
  }

  /// Forgets what is open of a queue that the driver takes back. What comes for it later is of an earlier epoch.
  func forget(_ queue: Int) {
    for head in openChains(of: queue) { close(queue, head) }
    state.value.restored.removeAll { $0.queue == queue }
    state.value.epochs[queue] &+= 1
    state.value.starved &= ~(1 << UInt64(queue))
    state.value.unpublished &= ~(1 << UInt64(queue))
    if state.value.arriving?.queue == queue { state.value.arriving?.isDropped = true }
  }

  /// What is to become of the open chains of a process that has gone.
  enum Fate {
    /// Those that can be done twice wait for another one.
    case waiting
    /// All get an error.
    case refused
  }

  /// Takes the open chains back from a process that has gone, answering those for which nobody can wait.
  ///
  /// - Returns: the others.
  func recall(_ fate: Fate) -> [MessagesDeviceState.Chain] {
    var waiting: [MessagesDeviceState.Chain] = []
    state.value.arriving = nil
    for index in hello.queueSizes.indices {
      guard let queue = state.value.queues[index] else { continue }
      // A command of SCMI may have had its effect already.
      let canWait = identifier != .scmi || isForEvents(index)
      for head in openChains(of: index) {
        close(index, head)
        if fate == .waiting, canWait {
          waiting.append(.init(queue: index, head: head))
        } else if queue.takeAgain(head: head, into: &state.value.chain) == nil {
          refuse(queue)
        }
      }
    }
    state.value.starved = 0
    publish()
    return waiting
  }

  /// Answers with an error what the driver has made available meanwhile, and what waited.
  func refuseAll() {
    for chain in state.value.restored {
      guard let queue = state.value.queues[chain.queue],
        queue.takeAgain(head: chain.head, into: &state.value.chain) == nil
      else { continue }
      refuse(queue)
    }
    state.value.restored = []
    for index in hello.queueSizes.indices {
      guard let queue = state.value.queues[index] else { continue }
      var left = Int(queue.size)
      while left > 0, case .chain = queue.takeNext(into: &state.value.chain) {
        refuse(queue)
        left -= 1
      }
    }
    publish()
  }

  func publish() {
    guard state.value.unpublished != 0 else { return }
    for index in hello.queueSizes.indices where state.value.unpublished & (1 << UInt64(index)) != 0 {
      if let queue = state.value.queues[index] { state.value.queues.connection?.publish(queue) }
    }
    state.value.unpublished = 0
  }

  /// Looks at queues, and again when other devices had their turn.
  func kick(all queues: UInt64) {
    for index in hello.queueSizes.indices where queues & (1 << UInt64(index)) != 0 {
      if kick(index) { state.value.later |= 1 << UInt64(index) }
    }
    if state.value.later != 0 { state.value.watcher?.callSoon() }
  }

  /// It is the device's turn again.
  package func soon() {
    let queues = state.value.later
    state.value.later = 0
    kick(all: queues)
  }
}

extension MessagesDevice: FrameTaker {
  package func takeData(_ header: FrameHeader, prefix: UInt64, count: Int) throws(MessageFault) {
    guard !state.value.isGreeting else { throw .unexpected(header.kind) }
    switch header.kind {
    case .complete: try beginAnswer(header, prefix, count)
    case .more:
      guard let arriving = state.value.arriving, arriving.ticket == header.ticket, arriving.queue == header.queue else {
        throw .unexpected(.more)
      }
      guard 1...arriving.left ~= count else { throw .badCount }
    default: throw .unexpected(header.kind)
    }
  }

  private func beginAnswer(_ header: FrameHeader, _ prefix: UInt64, _ count: Int) throws(MessageFault) {
    guard state.value.arriving == nil else { throw .unexpected(.complete) }
    let index = Int(header.queue)
    guard hello.queueSizes.indices.contains(index) else { throw .unknownQueue(header.queue) }
    let used = Int(UInt32(truncatingIfNeeded: prefix))
    let (hasLast, last) = (prefix >> 32 & 0xFF, UInt8(truncatingIfNeeded: prefix >> 40))
    guard prefix >> 48 == 0, hasLast <= 1, count <= used, count > 0 || used == 0 else { throw .badCount }
    let ticket = ChainTicket(rawValue: header.ticket)
    var arriving = FrontState.Arriving(
      queue: index,
      head: ticket.head,
      ticket: header.ticket,
      left: used,
      used: used,
      last: hasLast == 1 ? last : nil,
      isDropped: ticket.epoch != state.value.epochs[index]
    )
    if arriving.isDropped {
      guard used <= MessageWire.creditLimit else { throw .badCount }
      state.value.late &+= 1
    } else {
      guard ticket.head < hello.queueSizes[index] else { throw .badTicket }
      let open = state.value.open[place(index, ticket.head)]
      guard open.ticket == header.ticket else { throw .badTicket }
      guard used + Int(hasLast) <= open.writable else { throw .badCount }
      guard let queue = state.value.queues[index] else { throw .badTicket }
      // The driver may have changed what it has lent: all of it is checked anew.
      if let fault = queue.takeAgain(head: ticket.head, into: &state.value.answered) {
        state.value.queues.connection?.fail(queue: index, fault)
        arriving.isDropped = true
      }
    }
    state.value.arriving = used == 0 ? nil : arriving
    if used == 0 { finish(arriving) }
  }

  package func takeBytes(_ bytes: UnsafeRawBufferPointer) throws(MessageFault) {
    guard var arriving = state.value.arriving else { throw .badCount }
    guard bytes.count <= arriving.left else { throw .badCount }
    // SAFETY: the bytes hold for the call.
    if !arriving.isDropped { _ = unsafe state.value.answered.write(bytes) }
    arriving.left -= bytes.count
    state.value.arriving = arriving.left > 0 ? arriving : nil
    if arriving.left == 0 { finish(arriving) }
  }

  /// All of an answer is in the driver's buffers.
  private func finish(_ arriving: FrontState.Arriving) {
    guard !arriving.isDropped, let queue = state.value.queues[arriving.queue] else { return }
    // SAFETY: the byte is in the window.
    if let last = arriving.last, let place = unsafe state.value.answered.takeLastWritableByte() {
      unsafe place.storeBytes(of: last, as: UInt8.self)
    }
    queue.giveBack(head: arriving.head, written: arriving.used)
    close(arriving.queue, arriving.head)
    state.value.unpublished |= 1 << UInt64(arriving.queue)
  }
}
