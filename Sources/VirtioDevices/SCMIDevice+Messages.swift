internal import GuestMemory
internal import SCMI
internal import Virtio

enum SCMIQueue {
  static let command = 0
  static let event = 1
}

/// What an SCMI device keeps on the device thread.
struct SCMIState: ~Copyable {
  var queues = DeviceQueues(count: 2)
  var command: DescriptorChain
  var event: DescriptorChain
  var reply = SCMIMessage(header: MessageHeader(rawValue: 0))
  /// The heads of commands whose replies are late, by ticket. Those from before a reset are not found any more.
  var kept: [UInt64: UInt16] = [:]
  var ticket: UInt64 = 0
  /// What waits for a buffer of the event queue, delayed responses mostly: at most ``SCMIPlatform/maximumQueued``.
  var waiting: [SCMIMessage] = []
  var counters = SCMICounters()
  var isSuspended = false
  /// The state is that of a device on another platform.
  var isElsewhere = false
  /// What came during a suspension comes all at once behind it, before the driver can give buffers for it: then
  /// notifications wait for some, too, until nothing waits any longer.
  var isCatchingUp = false

  /// - Parameters:
  ///   - command: the size of the queue of commands, in descriptors.
  ///   - event: that of the queue of events.
  init(command: UInt16, event: UInt16) {
    self.command = DescriptorChain(capacity: Int(command))
    self.event = DescriptorChain(capacity: Int(event))
  }
}

extension SCMIDevice {
  /// - Returns: whether commands were left for later.
  func takeCommands() -> Bool {
    guard let queue = state.value.queues[SCMIQueue.command], let connection = state.value.queues.connection else {
      return false
    }
    return connection.workOff(queue, turn: Self.turnLimit) {
      queue.takeNext(into: &state.value.command)
    } serve: {
      serve(queue)
    }
  }

  private func serve(_ queue: SplitVirtqueue) -> ServedChain {
    guard state.value.command.writableBytes > 0 else { return .fault(.writableMissing) }
    state.value.counters.commands &+= 1
    state.value.ticket &+= 1
    let head = state.value.command.head
    switch ask() {
    case .reply:
      let written = state.value.reply.write(to: &state.value.command)
      queue.giveBack(head: head, written: written)
    case .empty:
      queue.giveBack(head: head, written: 0)
    case .later, .never:
      // A driver that offers a chain again that it has not got back would keep more than there are.
      guard state.value.kept.count < Int(queue.size) else { return .fault(.availableIndexJumped) }
      state.value.kept[state.value.ticket] = head
    }
    return .done
  }

  /// Hands the command to the platform.
  private func ask() -> Disposition {
    // One byte more than the longest message shows the platform one that is too long.
    let count = min(state.value.command.readableBytes, SCMIMessage.maximumSize + 1)
    // SAFETY: the buffer is this call's own; the chain has as many bytes, and all of them are copied into it.
    return unsafe withUnsafeTemporaryAllocation(byteCount: SCMIMessage.maximumSize + 1, alignment: 4) { buffer in
      let bytes = unsafe UnsafeMutableRawBufferPointer(rebasing: buffer[..<count])
      let isCopied = unsafe state.value.command.takeReadable(into: bytes)
      precondition(isCopied, "as many bytes are taken as there are")
      let view = unsafe UnsafeRawBufferPointer(bytes).bindMemory(to: UInt8.self)
      return platform.handle(
        bytes: unsafe view.span,
        from: agent,
        ticket: state.value.ticket,
        reply: &state.value.reply
      )
    }
  }

  /// Brings what the platform has for the agent to the driver.
  ///
  /// - Returns: whether messages were left for later.
  func deliver() -> Bool {
    var delivered = 0
    var hasMore = false
    deliverWaiting()
    delivering: while true {
      if delivered == Self.turnLimit {
        hasMore = true
        break
      }
      switch platform.next(for: agent) {
      case .deadline(let deadline):
        arm(deadline)
        if state.value.waiting.isEmpty { state.value.isCatchingUp = false }
        break delivering
      case .message(let outgoing):
        delivered += 1
        switch outgoing.channel {
        case .reply(let ticket): giveBack(ticket, outgoing.message)
        case .event: send(outgoing.message)
        }
      }
    }
    publishAll()
    return hasMore
  }

  private func publishAll() {
    for index in state.value.queues.indices {
      if let queue = state.value.queues[index] { publish(queue) }
    }
  }

  private func giveBack(_ ticket: UInt64, _ message: SCMIMessage) {
    guard let queue = state.value.queues[SCMIQueue.command],
      let head = state.value.kept.removeValue(forKey: ticket)
    else { return }
    // The memory may have gone meanwhile, so that only the number was kept.
    if let fault = queue.takeAgain(head: head, into: &state.value.command) {
      state.value.queues.connection?.fail(queue: SCMIQueue.command, fault)
      return
    }
    queue.giveBack(head: head, written: message.write(to: &state.value.command))
  }

  /// Answers the commands whose replies no platform has any longer: it could not be reached.
  func failLateCommands() {
    let late = state.value.kept.sorted { $0.key < $1.key }.map(\.value)
    state.value.kept = [:]
    guard let queue = state.value.queues[SCMIQueue.command] else { return }
    for head in late {
      if let fault = queue.takeAgain(head: head, into: &state.value.command) {
        state.value.queues.connection?.fail(queue: SCMIQueue.command, fault)
        return
      }
      let header = state.value.command.takeReadable(as: UInt32.self) ?? 0
      let status = UInt32(bitPattern: SCMIStatus.communicationError.rawValue)
      let reply = SCMIMessage(header: MessageHeader(rawValue: header), payload: [status])
      queue.giveBack(head: head, written: reply.write(to: &state.value.command))
    }
    publish(queue)
  }

  /// Delayed responses keep their order, and what comes after one must not overtake it.
  private func send(_ message: SCMIMessage) {
    if state.value.waiting.isEmpty, put(message) { return }
    guard isWorking || message.header.type == .notification else { return }
    let mayWait = message.header.type != .notification || state.value.isCatchingUp
    // What a platform says twice on purpose may wait as well, and a driver may never give buffers.
    if !mayWait || state.value.waiting.count == SCMIPlatform.maximumQueued {
      state.value.counters.droppedNotifications &+= 1
    } else {
      state.value.waiting.append(message)
    }
  }

  private func deliverWaiting() {
    guard let queue = state.value.queues[SCMIQueue.event], !state.value.waiting.isEmpty else { return }
    queue.suppressNotifications()
    repeat {
      while let message = state.value.waiting.first, put(message) { state.value.waiting.removeFirst() }
    } while isWorking && !state.value.waiting.isEmpty && queue.resumeNotifications()
  }

  /// Puts a message into the next buffer of the event queue.
  ///
  /// - Returns: `false` where there is none.
  private func put(_ message: SCMIMessage) -> Bool {
    guard let queue = state.value.queues[SCMIQueue.event], let connection = state.value.queues.connection,
      isWorking
    else { return false }
    switch queue.takeNext(into: &state.value.event) {
    case .empty: return false
    case .fault(let fault):
      connection.fail(queue: SCMIQueue.event, fault)
      return false
    case .chain:
      guard state.value.event.writableBytes > 0 else {
        connection.fail(queue: SCMIQueue.event, .writableMissing)
        return false
      }
      guard state.value.event.readableBytes == 0 else {
        connection.fail(queue: SCMIQueue.event, .readableUnexpected)
        return false
      }
      state.value.counters.events &+= 1
      queue.giveBack(head: state.value.event.head, written: message.write(to: &state.value.event))
      return true
    }
  }
}

extension SCMIMessage {
  /// Writes the message, and never beyond the chain's end: what does not fit is cut off.
  ///
  /// - Returns: how many bytes were written.
  fileprivate func write(to chain: inout DescriptorChain) -> Int {
    // SAFETY: the buffer is this call's own, and only what was written to it goes on.
    unsafe withUnsafeTemporaryAllocation(byteCount: SCMIMessage.maximumSize, alignment: 4) { buffer in
      let bytes = unsafe buffer.bindMemory(to: UInt8.self)
      var span = unsafe bytes.mutableSpan
      let count = write(to: &span)
      return unsafe chain.write(UnsafeRawBufferPointer(rebasing: buffer[..<count]))
    }
  }
}
