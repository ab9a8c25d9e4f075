internal import Host
internal import Virtio

// The other process: what it says, its death and its return.
extension MessagesDevice {
  /// How often a configuration space changes at most, in nanoseconds: each change is an interrupt of the driver's.
  private static var configurationPause: UInt64 { 10_000_000 }
  /// How often another process is looked for.
  private static var searchPause: UInt64 { 100_000_000 }
  /// How often it is looked whether an answer is late.
  private var watchPause: UInt64 { deadline / 10 }
  /// How long the process may be quiet while it owes something, before it is asked whether it is there.
  private var quietLimit: UInt64 { deadline / 2 }

  /// The socket has something, or room, or its end.
  package func ready() {
    guard let peer = state.value.peer else { return }
    attempt { () throws(MessageFault) in
      _ = try peer.receive(into: self)
      if state.value.wantsRoom { try flush() }
      if peer.isAmidFrame { armTick() }
    }
    publish()
    let starved = state.value.starved
    if starved != 0, state.value.phase == .working {
      state.value.starved = 0
      kick(all: starved)
    }
  }

  package func takeFrame(_ header: FrameHeader, _ body: [UInt8]) throws(MessageFault) {
    guard state.value.arriving == nil, state.value.isGreeting == (header.kind == .hello) else {
      throw .unexpected(header.kind)
    }
    switch header.kind {
    case .hello: try greet(try MessageHello(body: body))
    case .done:
      guard let index = state.value.operations.firstIndex(where: { $0.number == header.ticket }), body.isEmpty else {
        throw .unexpected(.done)
      }
      applyConfiguration()
      publish()
      state.value.operations.remove(at: index).finished()
    case .state:
      guard state.value.operations.contains(where: { $0.kind == .suspend }) else { throw .unexpected(.state) }
      state.value.saved = body
    case .configuration: try takeConfiguration(body)
    case .fault: takeFault(header.queue, body)
    default: throw .unexpected(header.kind)
    }
  }

  /// The driver broke a rule that only the model knows.
  private func takeFault(_ queue: UInt16, _ body: [UInt8]) {
    let index = state.value.queues.indices.contains(Int(queue)) ? Int(queue) : nil
    publish()
    guard state.value.isStarted, let connection = state.value.queues.connection, !connection.hasFailed else { return }
    if let fault = DriverFault(rawValue: String(decoding: body, as: UTF8.self)) {
      connection.fail(queue: index, fault)
    } else {
      connection.needsReset()
    }
  }

  private func takeConfiguration(_ body: [UInt8]) throws(MessageFault) {
    guard body.count == configuration.size else { throw .badCount }
    var told = hello
    told.configuration = body
    try told.check(identifier)
    state.value.pendingConfiguration = body
    if HostClock.monotonic - state.value.configurationTime >= Self.configurationPause { applyConfiguration() }
    armTick()
  }

  private func applyConfiguration() {
    guard let pending = state.value.pendingConfiguration else { return }
    state.value.pendingConfiguration = nil
    state.value.configurationTime = HostClock.monotonic
    let present = configuration.bytes
    guard pending != present else { return }
    configuration.change { $0 = pending }
    // What its driver has written itself, it knows.
    guard hello.fixed(pending) != hello.fixed(present) else { return }
    state.value.queues.connection?.interruptForConfigurationChange()
  }

  // MARK: Beginning

  func greetBack() {
    var body: [UInt8] = []
    body.append(number: MessageWire.version)
    attempt { () throws(MessageFault) in try send(FrameHeader(.hello), body) }
  }

  /// Another process is there.
  private func greet(_ other: MessageHello) throws(MessageFault) {
    if let difference = hello.difference(to: other, present: configuration.bytes) { throw .badDevice(difference) }
    state.value.isGreeting = false
    state.value.phase = .working
    greetBack()
    guard state.value.phase == .working else { return }
    told(.returned)
    guard state.value.isStarted else { return }
    let waiting = state.value.restored
    state.value.restored = []
    try sendStart(isRestored: false)
    for chain in waiting { try sendAgain(chain.head, of: chain.queue) }
    try flush()
    kick(all: .max)
  }

  // MARK: End

  /// Lets go of the connection. Nothing of the process's reaches the guest any more.
  func disconnect() {
    state.value.watcher?.unwatch()
    state.value.peer = nil
    state.value.isGreeting = false
    state.value.wantsRoom = false
    state.value.arriving = nil
    state.value.pendingConfiguration = nil
  }

  /// The connection is of no use any more.
  func end(_ fault: MessageFault) {
    guard state.value.peer != nil else { return }
    let wasGreeting = state.value.isGreeting
    disconnect()
    if wasGreeting {
      // A process that listens and does not greet: one that ends, perhaps. It is tried again, until the time is over.
      if case .badDevice = fault { return fail(fault) }
      if case .version = fault { return fail(fault) }
      armTick()
    } else if fault == .gone {
      state.value.restored = recall(.waiting)
      beAbsent()
      told(.lost(fault))
      finishOperations()
    } else {
      fail(fault)
    }
  }

  private func fail(_ fault: MessageFault) {
    state.value.phase = .failed
    _ = recall(.refused)
    refuseAll()
    if state.value.isStarted { state.value.queues.connection?.needsReset() }
    told(.failed(fault))
    finishOperations()
    armTick()
  }

  private func finishOperations() {
    let operations = state.value.operations
    state.value.operations = []
    for operation in operations { operation.finished() }
  }

  func beAbsent() {
    state.value.phase = .absent(until: HostClock.monotonic &+ patience)
    armTick()
  }

  // MARK: Time

  /// Has ``tick()`` called, where there is something to look after.
  func armTick() {
    guard !state.value.isTicking, let watcher = state.value.watcher else { return }
    state.value.isTicking = true
    let isSearching = state.value.peer == nil
    watcher.arm(after: isSearching || state.value.pendingConfiguration != nil ? Self.searchPause : watchPause)
  }

  /// The time has come that was armed for.
  package func tick() {
    state.value.isTicking = false
    let now = HostClock.monotonic
    applyConfiguration()
    attempt { () throws(MessageFault) in try lookForLateness(now) }
    switch state.value.phase {
    case .working: break
    case .failed:
      // Nobody tells of chains any longer, and a driver that waits for one would do so for ever.
      if state.value.isStarted { refuseAll() }
    case .absent(let end):
      if !state.value.isSuspended, now >= end {
        state.value.phase = .offline
        if state.value.isStarted { refuseAll() }
        told(.offline)
      }
      search(now)
    case .offline: search(now)
    }
    if needsTick { armTick() }
  }

  private var needsTick: Bool {
    state.value.phase != .working || state.value.awaited > 0 || !state.value.operations.isEmpty
      || state.value.wantsRoom || state.value.pendingConfiguration != nil
      || state.value.peer?.isAmidFrame == true
  }

  /// - Throws: ``MessageFault/silent(_:)``.
  private func lookForLateness(_ now: UInt64) throws(MessageFault) {
    guard let peer = state.value.peer else { return }
    if state.value.isGreeting {
      guard now - state.value.greetingSince < deadline else { throw .silent("hello") }
      return
    }
    if let late = state.value.operations.first(where: { $0.deadline <= now }) { throw .silent("\(late.kind)") }
    let quiet = now &- peer.lastArrival
    guard now > peer.lastArrival else { return }
    if peer.isAmidFrame, quiet >= deadline { throw .silent("the rest of a frame") }
    let owes = state.value.awaited > 0 || state.value.wantsRoom
    if owes, quiet >= quietLimit, !state.value.operations.contains(where: { $0.kind == .ping }) {
      ask(.ping, queue: nil) {}
    }
  }

  /// Looks for a process that takes the place of the one that has gone.
  private func search(_ now: UInt64) {
    guard state.value.peer == nil, !state.value.isSuspended, let socket = MessagePeer.connect(path: path) else {
      return
    }
    let room = MessagePeer.room(credit: hello.credit, queueSizes: hello.queueSizes)
    let peer = MessagePeer(socket, room: room)
    state.value.peer = peer
    state.value.isGreeting = true
    state.value.greetingSince = now
    state.value.watcher?.watch(peer)
  }
}
