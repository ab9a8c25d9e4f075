internal import CHost
internal import GuestMemory
package import Host
internal import Synchronization
package import Virtio

/// How a device's state is written: its own structure as bytes that this library need not understand.
package struct StateCoding: Sendable {
  /// - Returns: nil where it can't be written.
  package let encode: @Sendable (any VersionedState) -> [UInt8]?
  /// - Returns: nil where it can't be read.
  package let decode: @Sendable ([UInt8], any VirtioDevice) -> (any VersionedState)?

  package init(
    encode: @escaping @Sendable (any VersionedState) -> [UInt8]?,
    decode: @escaping @Sendable ([UInt8], any VirtioDevice) -> (any VersionedState)?
  ) {
    self.encode = encode
    self.decode = decode
  }
}

/// Serves a device to machines in other processes: any model, which notices nothing of it. One machine at a time.
///
/// The model works in memory of this process's own, into which the bytes of a machine's chains are put; what it gives
/// back goes out as messages. No descriptor comes with a connection, and no memory of a guest. What a machine sends is
/// checked as a guest's is: one that breaks the rules of the protocol loses its connection. On the thread of its loop.
package final class DeviceServer: @unchecked Sendable {
  // SAFETY: @unchecked: on the loop's thread only.

  /// How many bytes a machine may have under way.
  package static let credit = 32 << 20

  let side: DeviceTransportSide
  let queues: [PrivateQueue]
  let hello: MessageHello
  let coding: StateCoding?
  /// How long the rest of something is waited for, in nanoseconds.
  let deadline: UInt64
  /// A chain's last byte is a status, written apart from the data.
  let hasStatus: Bool

  private let memory: PrivateMemory
  private let line: ServerLine
  private var listener: ListeningSocket?
  private let loop: EventLoop
  private let thread: ServerThread
  private let timer: HostTimer
  private let log: (String) -> Void
  private(set) var session: ServerSession?
  private var sessions: UInt64 = 0
  private var isClosed = false

  /// - Parameters:
  ///   - device: not attached to anything.
  ///   - listener: on which machines connect; nil where they are handed over: ``take(_:)``.
  ///   - thread: of the same loop; what stands behind the device posts its work there.
  ///   - coding: nil where the device's state can't be taken.
  ///   - deadline: how long the rest of something is waited for.
  ///   - log: is told of machines that come and go, for people.
  /// - Throws: where the host has no memory or no descriptor left.
  package init(
    _ device: any VirtioDevice,
    _ listener: ListeningSocket?,
    loop: EventLoop,
    thread: ServerThread,
    coding: StateCoding? = nil,
    deadline: Duration = .nanoseconds(MessageWire.deadline),
    log: @escaping (String) -> Void = { _ in }
  ) throws {
    var ringSize = 0
    var places: [Int] = []
    for size in device.queueSizes {
      places.append(ringSize)
      ringSize += (PrivateQueue.size(size) + 63) & ~63
    }
    let memory = try PrivateMemory(ringSize: ringSize, credit: Self.credit)
    self.memory = memory
    queues = device.queueSizes.enumerated().map { index, size in
      PrivateQueue(index: index, size: size, memory, at: places[index])
    }
    line = ServerLine()
    hasStatus = device.identifier == .block
    side = DeviceTransportSide(
      device: device,
      space: memory.makeSpace(),
      line: line,
      thread: thread,
      observer: line
    )
    hello = MessageHello(
      identifier: device.identifier.rawValue,
      features: device.features,
      queueSizes: device.queueSizes,
      configuration: device.configuration.bytes,
      writable: device.configuration.writableField,
      granule: PrivateMemory.granule,
      credit: Self.credit
    )
    self.listener = listener
    self.loop = loop
    self.thread = thread
    self.coding = coding
    self.deadline = deadline.nanoseconds
    self.log = log
    timer = try HostTimer()
    line.raised = { [unowned self] in thread.post { self.collect() } }
    _ = try loop.add(
      timer.rawValue,
      EventLoop.readable,
      ClosureHandler { [unowned self] _ in
        timer.clear()
        timeIsOver()
      }
    )
    listen()
  }

  /// Serves nobody any longer.
  package func close() {
    if let listener { loop.remove(listener.rawValue) }
    listener = nil
    loop.remove(timer.rawValue)
    if let session { loop.remove(session.peer.rawValue) }
    session = nil
    isClosed = true
  }

  // MARK: Machines

  private func listen() {
    guard !isClosed, let listener else { return }
    let handler = ClosureHandler { [unowned self] _ in accept() }
    _ = try? loop.add(listener.rawValue, EventLoop.readable, handler)
  }

  private func accept() {
    guard let listener else { return }
    let number = chost_socket_accept(listener.rawValue)
    guard number >= 0 else { return }
    loop.remove(listener.rawValue)
    take(OwnedDescriptor(owning: number))
  }

  /// Serves a machine that has connected. While there is none.
  ///
  /// - Parameter connection: a stream socket that does not block.
  package func take(_ connection: consuming OwnedDescriptor) {
    let room = MessagePeer.room(credit: Self.credit, queueSizes: hello.queueSizes)
    let peer = MessagePeer(connection, room: room)
    sessions += 1
    let session = ServerSession(self, peer, number: sessions)
    let handler = ClosureHandler { [unowned self] _ in ready(session) }
    guard (try? loop.add(peer.rawValue, EventLoop.readable, handler)) == true else { return listen() }
    self.session = session
    timer.arm(after: deadline)
    log("a machine has connected")
    session.attempt { () throws(MessageFault) in try session.begin() }
  }

  private func ready(_ session: ServerSession) {
    session.attempt { () throws(MessageFault) in
      line.isQuiet = true
      defer { line.isQuiet = false }
      try session.receive()
      if session.peer.isAmidFrame { timer.arm(after: deadline) }
    }
    collect()
  }

  /// Half a greeting, or half a frame, for ever would keep others out.
  private func timeIsOver() {
    guard let session else { return }
    if !session.isGreeted || session.peer.isAmidFrame && session.isQuiet {
      end(session, .silent(session.isGreeted ? "the rest of a frame" : "hello"))
    } else if session.peer.isAmidFrame {
      timer.arm(after: deadline)
    }
  }

  /// Watches for room, too.
  func wantRoom(_ session: ServerSession, _ wants: Bool) {
    loop.change(session.peer.rawValue, wants ? EventLoop.readable | ServerLine.room : EventLoop.readable)
  }

  /// The machine has gone, or is sent away. The device comes to rest, and is there for the next one.
  func end(_ session: ServerSession, _ fault: MessageFault) {
    guard self.session === session else { return }
    self.session = nil
    loop.remove(session.peer.rawValue)
    log(fault == .gone ? "the machine has gone" : "a machine was sent away: \(fault)")
    // What was begun is waited for.
    guard !session.isChanging else { return }
    comeToRest()
  }

  /// The device goes back to its beginning, and others may connect then.
  func comeToRest() {
    if side.isSuspended { side.resume() }
    side.reset { [self] in
      for queue in queues { queue.clear() }
      memory.clear()
      _ = line.take()
      listen()
    }
  }

  // MARK: The device's word

  /// Brings what the device has done to the machine.
  func collect() {
    let raised = line.take()
    guard let session else { return }
    session.attempt { () throws(MessageFault) in
      for queue in queues where raised.queues & (1 << UInt64(queue.index)) != 0 {
        try queue.collect(into: session.peer.output, hasStatus: hasStatus)
      }
      try session.tell(raised.fault)
      try session.flush()
    }
  }
}

/// What a served device says beside its queues: noted, and brought out when there is time.
final class ServerLine: InterruptLine, DriverFaultObserver, @unchecked Sendable {
  // SAFETY: @unchecked: devices raise interrupts on their thread, which is the loop's; and so are faults found there.

  static let room: UInt32 = 4

  /// Called when there is something that nobody collects soon.
  var raised: () -> Void = {}
  /// Somebody will collect.
  var isQuiet = false
  private var queues: UInt64 = 0
  private var fault: DriverFaultEvent?
  private var isTold = false

  func raise(_ cause: InterruptCause) {
    // The configuration space is compared with what was told of it.
    if case .usedBuffers(let indices) = cause { queues |= indices }
    call()
  }

  func driverMisbehaved(_ event: DriverFaultEvent) {
    if fault == nil { fault = event }
    call()
  }

  private func call() {
    guard !isQuiet, !isTold else { return }
    isTold = true
    raised()
  }

  func take() -> (queues: UInt64, fault: DriverFaultEvent?) {
    defer { (queues, fault, isTold) = (0, nil, false) }
    return (queues, fault)
  }
}
