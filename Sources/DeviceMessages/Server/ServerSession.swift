internal import Host
internal import Virtio

/// One machine's connection to a served device: its frames become calls of the device's transport side.
final class ServerSession: @unchecked Sendable {
  // SAFETY: @unchecked: on the loop's thread only.

  /// How many bytes of answers that are no chain's may wait for a machine to read them.
  static let answerLimit = MessageWire.payloadLimit + 64 << 10

  let peer: MessagePeer
  private unowned let server: DeviceServer
  private let number: UInt64
  private(set) var isGreeted = false
  /// A reset or the end of a queue is under way: nothing else begins meanwhile.
  private(set) var isChanging = false
  private var isStarted = false
  private var wantsRoom = false
  /// The configuration space as the machine knows it.
  private var told: [UInt8]
  private var hasToldFault = false
  /// The bytes of such answers since nothing waited.
  private var answerBytes = 0
  /// The chain that is arriving: its queue and its first descriptor.
  private var arriving: (queue: Int, ticket: ChainTicket)?
  /// The queues with new chains, a bit for each.
  private var filled: UInt64 = 0
  /// A state to start from, and the chains that its device has taken.
  private var restored: (model: [UInt8], taken: Set<UInt32>)?

  init(_ server: DeviceServer, _ peer: MessagePeer, number: UInt64) {
    self.server = server
    self.peer = peer
    self.number = number
    told = server.hello.configuration
  }

  private var side: DeviceTransportSide { server.side }

  /// Whether nothing has come for as long as an answer may take.
  var isQuiet: Bool { HostClock.monotonic &- peer.lastArrival >= server.deadline * 9 / 10 }

  /// Greets the machine.
  func begin() throws(MessageFault) { try send(FrameHeader(.hello), server.hello.body) }

  /// Ends the session where something goes wrong.
  func attempt(_ body: () throws(MessageFault) -> Void) {
    do throws(MessageFault) {
      try body()
    } catch {
      server.end(self, error)
    }
  }

  func send(_ header: FrameHeader, _ body: [UInt8] = []) throws(MessageFault) {
    if peer.output.isEmpty { answerBytes = 0 }
    answerBytes += MessageWire.headerSize + body.count
    guard answerBytes <= Self.answerLimit else { throw .full }
    try peer.output.append(header, body)
    try flush()
  }

  func flush() throws(MessageFault) {
    let isDone = try peer.flush()
    guard isDone == wantsRoom else { return }
    wantsRoom = !isDone
    server.wantRoom(self, !isDone)
  }

  /// Takes what has come, and has the device look at its new chains.
  func receive() throws(MessageFault) {
    if wantsRoom { try flush() }
    _ = try peer.receive(into: self)
    let queues = filled
    filled = 0
    for queue in server.queues where queues & (1 << UInt64(queue.index)) != 0 {
      if side.kick(queue: queue.index) { side.post(kicks: 1 << UInt64(queue.index)) }
    }
  }

  /// Tells what is not an answer.
  func tell(_ fault: DriverFaultEvent?) throws(MessageFault) {
    guard isGreeted else { return }
    try tellConfiguration()
    guard isStarted, !hasToldFault, side.status.contains(.deviceNeedsReset) else { return }
    hasToldFault = true
    let text = fault?.fault.rawValue ?? ""
    try send(FrameHeader(.fault, queue: fault?.queue.map { UInt16($0) } ?? .max), Array(text.utf8))
  }

  private func tellConfiguration() throws(MessageFault) {
    let bytes = side.device.configuration.bytes
    guard bytes != told else { return }
    told = bytes
    try send(FrameHeader(.configuration), bytes)
  }
}

extension ServerSession: FrameTaker {
  func takeData(_ header: FrameHeader, prefix: UInt64, count: Int) throws(MessageFault) {
    guard isStarted else { throw .unexpected(header.kind) }
    switch header.kind {
    case .chain:
      guard arriving == nil else { throw .unexpected(.chain) }
      guard server.queues.indices.contains(Int(header.queue)) else { throw .unknownQueue(header.queue) }
      let readable = Int(UInt32(truncatingIfNeeded: prefix))
      let writable = Int(UInt32(truncatingIfNeeded: prefix >> 32))
      guard count <= readable, count > 0 || readable == 0 else { throw .badCount }
      let ticket = ChainTicket(rawValue: header.ticket)
      try server.queues[Int(header.queue)].open(ticket, readable: readable, writable: writable)
      arriving = (Int(header.queue), ticket)
      if readable == 0 { finishChain() }
    case .more:
      guard let arriving, arriving.queue == header.queue, arriving.ticket.rawValue == header.ticket else {
        throw .unexpected(.more)
      }
      guard 1...server.queues[arriving.queue].missing(arriving.ticket.head) ~= count else { throw .badCount }
    default: throw .unexpected(header.kind)
    }
  }

  func takeBytes(_ bytes: UnsafeRawBufferPointer) throws(MessageFault) {
    guard let arriving else { throw .badCount }
    let queue = server.queues[arriving.queue]
    guard bytes.count <= queue.missing(arriving.ticket.head) else { throw .badCount }
    // SAFETY: the bytes hold for the call.
    unsafe queue.fill(arriving.ticket.head, bytes)
    if queue.missing(arriving.ticket.head) == 0 { finishChain() }
  }

  /// All of a chain is here.
  private func finishChain() {
    guard let chain = arriving else { return }
    arriving = nil
    let name = UInt32(chain.queue) << 16 | UInt32(chain.ticket.head)
    // One that the device has taken, before its state was.
    if restored?.taken.remove(name) != nil { return }
    server.queues[chain.queue].offer(chain.ticket.head)
    filled |= 1 << UInt64(chain.queue)
  }

  func takeFrame(_ header: FrameHeader, _ body: [UInt8]) throws(MessageFault) {
    guard arriving == nil, isGreeted == (header.kind != .hello) else { throw .unexpected(header.kind) }
    var reader = BodyReader(body)
    switch header.kind {
    case .hello:
      let version = try reader.number(UInt32.self)
      guard version == MessageWire.version else { throw .version(version) }
      isGreeted = true
    case .ping: try send(FrameHeader(.done, ticket: header.ticket))
    case .start: try start(&reader)
    case .startQueue: try startQueue(header.queue)
    case .stop: try stop(header)
    case .reset: try reset(header)
    case .suspend: suspend(header)
    case .resume: side.resume()
    case .restore: try restore(&reader)
    case .configurationWrite: try writeConfiguration(at: header.ticket, body)
    default: throw .unexpected(header.kind)
    }
  }

  // MARK: What a driver does

  private func start(_ reader: inout BodyReader) throws(MessageFault) {
    guard !isStarted, !isChanging else { throw .unexpected(.start) }
    let accepted = VirtioFeatures(rawValue: try reader.number(UInt64.self)).intersection(MessageHello.typeFeatures)
    let running = try reader.number(UInt64.self)
    let flags = try reader.number(UInt32.self)
    try reader.end()
    let features = accepted.union([.version1, .indirectDescriptors])
    var configurations: [QueueConfiguration?] = []
    for queue in server.queues {
      guard running & (1 << UInt64(queue.index)) != 0 else {
        configurations.append(nil)
        continue
      }
      queue.start()
      configurations.append(queue.configuration)
    }
    isStarted = true
    if flags & 1 != 0, let restored, let coding = server.coding {
      guard let own = coding.decode(restored.model, side.device) else { throw .badDevice("its state") }
      do throws(DeviceStateError) {
        try side.restore(state(configurations), own, features: features, queues: configurations) {}
      } catch {
        throw .badDevice("\(error)")
      }
    } else {
      restored = nil
      side.start(features, queues: configurations) {}
    }
  }

  /// What there is beside the model's own state, in this process: its rings are new.
  private func state(_ queues: [QueueConfiguration?]) -> DeviceConnectionState {
    let configuration = side.device.configuration
    return DeviceConnectionState(
      status: [.acknowledge, .driver, .featuresOK, .driverOK],
      interruptStatus: 0,
      configuration: configuration.bytes,
      configurationGeneration: configuration.generation,
      positions: queues.map { $0.map { _ in QueuePosition() } }
    )
  }

  private func startQueue(_ index: UInt16) throws(MessageFault) {
    guard isStarted, !isChanging else { throw .unexpected(.startQueue) }
    guard server.queues.indices.contains(Int(index)) else { throw .unknownQueue(index) }
    let queue = server.queues[Int(index)]
    guard !queue.isRunning else { throw .unexpected(.startQueue) }
    queue.start()
    side.startQueue(Int(index), queue.configuration) {}
  }

  private func stop(_ header: FrameHeader) throws(MessageFault) {
    guard isStarted, !isChanging else { throw .unexpected(.stop) }
    guard server.queues.indices.contains(Int(header.queue)) else { throw .unknownQueue(header.queue) }
    let queue = server.queues[Int(header.queue)]
    guard queue.isRunning else { return try send(FrameHeader(.done, ticket: header.ticket)) }
    isChanging = true
    side.stopQueue(queue.index) { [self] in
      queue.clear()
      changed(header.ticket)
    }
  }

  private func reset(_ header: FrameHeader) throws(MessageFault) {
    guard !isChanging else { throw .unexpected(.reset) }
    isChanging = true
    isStarted = false
    hasToldFault = false
    restored = nil
    if side.isSuspended { side.resume() }
    side.reset { [self] in
      for queue in server.queues { queue.clear() }
      changed(header.ticket)
    }
  }

  /// The end of a change. Where the machine has gone meanwhile, the device comes to rest now.
  private func changed(_ ticket: UInt64) {
    isChanging = false
    guard server.session === self else { return server.comeToRest() }
    attempt { () throws(MessageFault) in
      try tellConfiguration()
      try send(FrameHeader(.done, ticket: ticket))
    }
  }

  private func suspend(_ header: FrameHeader) {
    side.suspend { [self] in
      guard server.session === self else { return }
      server.collect()
      attempt { () throws(MessageFault) in
        if isStarted { try sendState() }
        try send(FrameHeader(.done, ticket: header.ticket))
      }
    }
  }

  private func sendState() throws(MessageFault) {
    guard let model = server.coding?.encode(side.savedDeviceState()) else { return }
    var taken: [UInt32] = []
    for (queue, position) in zip(server.queues, side.queuePositions) {
      guard let position else { continue }
      taken += queue.taken(at: position).map { UInt32(queue.index) << 16 | UInt32($0) }
    }
    var body: [UInt8] = []
    body.append(number: UInt32(taken.count))
    for chain in taken { body.append(number: chain) }
    body += model
    guard body.count <= MessageWire.payloadLimit else { return }
    try send(FrameHeader(.state), body)
  }

  private func restore(_ reader: inout BodyReader) throws(MessageFault) {
    guard !isStarted, !isChanging, restored == nil, server.coding != nil else { throw .unexpected(.restore) }
    let count = try reader.number(UInt32.self)
    var taken: Set<UInt32> = []
    for _ in 0..<count { taken.insert(try reader.number(UInt32.self)) }
    restored = (reader.rest, taken)
  }

  private func writeConfiguration(at offset: UInt64, _ body: [UInt8]) throws(MessageFault) {
    let field = server.hello.writable
    guard !isChanging, offset <= UInt64(field.upperBound), 1...8 ~= body.count,
      field.lowerBound <= Int(offset), Int(offset) + body.count <= field.upperBound
    else { throw .badCount }
    var value: UInt64 = 0
    for (index, byte) in body.enumerated() {
      value |= UInt64(byte) << UInt64(8 * index)
      told[Int(offset) + index] = byte
    }
    guard side.writeConfiguration(at: Int(offset), width: body.count, value: value) == nil else { throw .badCount }
    side.configurationWritten(at: Int(offset), width: body.count)
    try tellConfiguration()
  }
}
