internal import CHost
internal import Glibc
internal import Host
internal import Synchronization
internal import VhostUser
internal import Virtio

/// What is left of a program; nothing but zeroes where there is no more.
struct ProgramBytes {
  private var rest: ArraySlice<UInt8>

  init(_ bytes: [UInt8]) { rest = bytes[...] }

  var isEmpty: Bool { rest.isEmpty }

  mutating func byte() -> UInt8 { rest.popFirst() ?? 0 }

  mutating func bytes(_ count: Int) -> [UInt8] {
    let bytes = Array(rest.prefix(count))
    rest = rest.dropFirst(count)
    return bytes
  }
}

/// An eventfd for a driver's notifications.
final class Notification {
  private let event: SharedEventDescriptor

  init() throws { event = SharedEventDescriptor(try EventDescriptor()) }

  var descriptors: QueueDescriptors { QueueDescriptors(kick: event.value.rawValue) }

  func signal() { event.value.signal() }
}

/// Has a new back-end for each connection, until there were so many. All answer by one script.
final class ScriptedConnector: VhostUserConnector {
  let subject = "the back-end"

  private struct State {
    var script: ProgramBytes
    var left: Int
    var backEnds: [ScriptedBackEnd] = []
  }

  private let state: Mutex<State>

  init(_ script: [UInt8], connections: Int) {
    state = Mutex(State(script: ProgramBytes(script), left: connections))
  }

  /// The last one.
  var present: ScriptedBackEnd? { state.withLock { $0.backEnds.last } }

  func connect(_ loop: EventLoop) throws(VhostUserError) -> VhostUserSocket {
    let isOver = state.withLock { state in
      state.left -= 1
      return state.left < 0
    }
    guard !isOver else { throw .host("there are no more") }
    let (ours, theirs) = try VhostUserSocket.pair()
    guard let backEnd = try? ScriptedBackEnd(theirs, { [self] in state.withLock { $0.script.byte() } }) else {
      throw .host("no thread")
    }
    state.withLock { $0.backEnds.append(backEnd) }
    return ours
  }

  func disconnect(_ error: VhostUserError) -> VhostUserEnd { VhostUserEnd(error: error, isDead: true) }

  /// All end, once nobody connects any more.
  func end() {
    let backEnds = state.withLock { state in
      // They hold this, for the script.
      defer { state.backEnds = [] }
      return state.backEnds
    }
    for backEnd in backEnds { backEnd.end() }
  }
}

/// A back-end that answers on a thread of its own, each message by a byte of a script: 0 to 2 as it should be, 3 not at
/// all, 4 with a payload from there (a byte with its length goes before it), 5 with another number and flags, 6 with
/// descriptors, 7 with bytes from there in place of an answer.
final class ScriptedBackEnd: @unchecked Sendable {
  // SAFETY: @unchecked: what changes is behind the mutex, or the thread's alone.

  private struct State {
    /// The file of the memory that was lent first, and the addresses of ring 0 in it.
    var memory: VhostUserDescriptor?
    var start: UInt64 = 0
    var (driver, device): (UInt64, UInt64) = (0, 0)
    var size: UInt16 = 0
    var next: UInt16 = 0
    var used: UInt16 = 0
    var call: VhostUserDescriptor?
    var requests: VhostUserSocket?
  }

  private let socket: VhostUserSocket
  private let script: @Sendable () -> UInt8
  private let state = Mutex(State())
  private let loop: EventLoop
  private let over: SharedEventDescriptor
  private var thread: HostThread?

  init(_ socket: VhostUserSocket, _ script: @escaping @Sendable () -> UInt8) throws {
    self.socket = socket
    self.script = script
    loop = try EventLoop()
    over = SharedEventDescriptor(try EventDescriptor())
    _ = try loop.add(socket.rawValue, EventLoop.readable, ClosureHandler { [unowned self] _ in arrived() })
    _ = try loop.add(over.value.rawValue, EventLoop.readable, ClosureHandler { [unowned self] _ in loop.stop() })
    thread = try HostThread(name: "back-end") { [unowned self] in try? loop.run() }
  }

  func end() {
    over.value.signal()
    thread?.join()
    thread = nil
    loop.removeAll()
  }

  // MARK: Answers

  private func arrived() {
    do throws(VhostUserError) {
      while let message = try socket.receive() { take(message) }
    } catch {
      loop.stop()
    }
  }

  private func take(_ message: VhostUserMessage) {
    guard let request = VhostUserRequest(rawValue: message.request) else { return }
    note(request, message)
    let payload: [UInt8]
    switch request {
    // INDIRECT_DESC, EVENT_IDX, the protocol features themselves and VERSION_1; MQ, REPLY_ACK, BACKEND_REQ, CONFIG,
    // RESET_DEVICE.
    case .getFeatures: payload = bytes(1 << 28 | 1 << 29 | 1 << 30 | 1 << 32)
    case .getProtocolFeatures: payload = bytes(1 | 1 << 3 | 1 << 5 | 1 << 9 | 1 << 13)
    case .getQueueNum: payload = bytes(1)
    case .getConfig: payload = message.payload
    case .getVringBase:
      payload = Array(message.payload.prefix(4)) + bytes(UInt64(state.withLock { $0.next })).prefix(4)
    default:
      guard message.needsReply else { return }
      payload = bytes(0)
    }
    answer(message, payload)
  }

  private func answer(_ message: VhostUserMessage, _ payload: [UInt8]) {
    let flags = VhostUserWire.version | VhostUserWire.replyFlag
    let how = script()
    switch how & 7 {
    case 3: break
    case 4: send(message.request, flags, scripted())
    case 5: send(UInt32(script()), UInt32(script()), payload)
    case 6: send(message.request, flags, payload, descriptors: Int(how >> 3) + 1)
    case 7: write(scripted())
    default: send(message.request, flags, payload)
    }
  }

  private func scripted() -> [UInt8] { (0..<Int(script())).map { _ in script() } }

  private func send(_ request: UInt32, _ flags: UInt32, _ payload: [UInt8], descriptors: Int = 0) {
    let files = (0..<min(descriptors, 8)).map { _ in VhostUserDescriptor(borrowing: socket.rawValue) }
    try? socket.send(VhostUserMessage(request: request, flags: flags, payload: payload, descriptors: files))
  }

  private func write(_ bytes: [UInt8]) {
    // SAFETY: the array holds for the call and its size goes along.
    _ = unsafe chost_peer_send(socket.rawValue, bytes, bytes.count)
  }

  private func bytes(_ value: UInt64) -> [UInt8] { (0..<8).map { UInt8(truncatingIfNeeded: value >> UInt64(8 * $0)) } }

  private func note(_ request: VhostUserRequest, _ message: VhostUserMessage) {
    func number(_ offset: Int, _ count: Int) -> UInt64 {
      message.payload.dropFirst(offset).prefix(count).reversed().reduce(0) { $0 << 8 | UInt64($1) }
    }
    state.withLock { state in
      switch request {
      case .setMemTable:
        state.memory = message.descriptors.first
        state.start = number(8, 8)
      case .setBackendReqFD:
        state.requests = message.descriptors.first.map { VhostUserSocket(owning: dup($0.rawValue)) }
      case .setVringNum where number(0, 4) == 0: state.size = UInt16(truncatingIfNeeded: number(4, 4))
      case .setVringBase where number(0, 4) == 0:
        state.next = UInt16(truncatingIfNeeded: number(4, 4))
        state.used = state.next
      case .setVringAddr where number(0, 4) == 0: (state.device, state.driver) = (number(16, 8), number(24, 8))
      case .setVringCall where number(0, 8) == 0: state.call = message.descriptors.first
      default: break
      }
    }
  }

  // MARK: Acts

  /// Does something that nobody has asked for: 0 gives requests back, 1 puts a used element, 2 writes into the memory,
  /// 3 into the socket, 4 sends a request of its own, 5 calls, 6 and 7 end the connection. On any thread but its own.
  func act(_ act: UInt8, _ operands: inout ProgramBytes) {
    switch act & 7 {
    case 0: giveBack(written: UInt32(operands.byte()))
    case 1: putUsed(operands.byte(), operands.byte(), operands.byte())
    case 2:
      let place = 16 * UInt64(operands.byte())
      put(operands.bytes(Int(operands.byte())), at: state.withLock { $0.start } &+ place)
    case 3: write(operands.bytes(Int(operands.byte())))
    case 4:
      let payload = operands.bytes(Int(operands.byte()))
      state.withLock { state in
        guard let requests = state.requests else { return }
        // SAFETY: the array holds for the call and its size goes along.
        let header: [UInt8] = [payload.first ?? 2, 0, 0, 0, payload.dropFirst().first ?? 1, 0, 0, 0]
        let rest = Array(payload.dropFirst(2))
        let message = header + [UInt8(rest.count), 0, 0, 0] + rest
        _ = unsafe chost_peer_send(requests.rawValue, message, message.count)
      }
    case 5: for _ in 0..<Int(operands.byte()) { call() }
    default: shutdown(socket.rawValue, Int32(SHUT_RDWR))
    }
  }

  private func call() {
    guard let call = state.withLock({ $0.call }) else { return }
    chost_eventfd_signal(call.rawValue)
  }

  private func put(_ bytes: [UInt8], at address: UInt64) {
    guard let (memory, start) = state.withLock({ state in state.memory.map { ($0, state.start) } }) else { return }
    // SAFETY: the array holds for the call and its size goes along.
    _ = unsafe pwrite(memory.rawValue, bytes, bytes.count, Int(truncatingIfNeeded: address &- start))
  }

  private func number(at address: UInt64) -> UInt16? {
    guard let (memory, start) = state.withLock({ state in state.memory.map { ($0, state.start) } }) else { return nil }
    var value: UInt16 = 0
    // SAFETY: the number holds for the call.
    let count = unsafe pread(memory.rawValue, &value, 2, Int(truncatingIfNeeded: address &- start))
    return count == 2 ? UInt16(littleEndian: value) : nil
  }

  private func giveBack(written: UInt32) {
    let (driver, device, size) = state.withLock { ($0.driver, $0.device, $0.size) }
    guard size > 0, let available = number(at: driver &+ 2) else { return }
    var (next, used) = state.withLock { ($0.next, $0.used) }
    for _ in 0..<Int(size) where next != available {
      let head = number(at: driver &+ 4 &+ 2 * UInt64(next % size)) ?? 0
      put(bytes(UInt64(head) | UInt64(written) << 32), at: device &+ 4 &+ 8 * UInt64(used % size))
      next &+= 1
      used &+= 1
    }
    show(used)
    state.withLock { ($0.next, $0.used) = (next, used) }
    call()
  }

  private func putUsed(_ identifier: UInt8, _ length: UInt8, _ ahead: UInt8) {
    let (device, size, used) = state.withLock { ($0.device, $0.size, $0.used) }
    guard size > 0 else { return }
    let identifier = identifier & 0x80 == 0 ? UInt64(identifier) : 0xFFFF_FF00 | UInt64(identifier)
    let length = length == 255 ? UInt64(UInt32.max) : UInt64(length)
    put(bytes(identifier | length << 32), at: device &+ 4 &+ 8 * UInt64(used % size))
    let index = used &+ (ahead & 0x80 == 0 ? UInt16(ahead) : UInt16(ahead) << 8)
    show(index)
    state.withLock { $0.used = index }
    call()
  }

  private func show(_ used: UInt16) {
    let device = state.withLock { $0.device }
    put([UInt8(truncatingIfNeeded: used), UInt8(truncatingIfNeeded: used >> 8)], at: device &+ 2)
  }
}
