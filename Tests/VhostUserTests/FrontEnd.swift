import CHost
import Glibc
import GuestMemory
import Host
import Synchronization
import TestLimits
import TestSupport
import Testing
import Virtio
import VirtioDriver
import VirtioTesting

@testable import VhostUser

/// A small front-end: a driver's memory in a file, and the messages that show it to a back-end. It sends what it is
/// told to, also what none may.
final class FrontEnd: WindowMachine {
  static let start: UInt64 = 0x4000_0000
  /// Where it has its memory, as it says.
  static let userStart: UInt64 = 0x7000_0000_0000
  static let size: UInt64 = 1 << 20

  let socket: VhostUserSocket
  let file: VhostUserDescriptor
  let space: DMASpace
  let kicks: [VhostUserDescriptor]
  let calls: [VhostUserDescriptor]
  private let folder: TemporaryFolder

  /// - Parameter isReady: whether features are negotiated and the memory is shown; otherwise it says nothing yet.
  init(_ path: String, isReady: Bool = false) throws {
    // SAFETY: the path holds for the call.
    let number = unsafe chost_socket_connect(path, 1000)
    try #require(number >= 0)
    socket = VhostUserSocket(owning: number)
    folder = try TemporaryFolder()
    // SAFETY: the path holds for the call.
    file = VhostUserDescriptor(owning: unsafe open(folder.path("memory"), O_RDWR | O_CREAT | O_CLOEXEC, 0o600))
    try #require(ftruncate(file.rawValue, Int(Self.size)) == 0)
    space = DMASpace(extent: .open)
    space.add(
      try ForeignMemory(descriptor: file.rawValue, offset: 0, size: Self.size),
      at: GuestAddress(Self.start)
    )
    kicks = (0..<2).map { _ in VhostUserDescriptor(owning: chost_eventfd()) }
    calls = (0..<2).map { _ in VhostUserDescriptor(owning: chost_eventfd()) }
    guard isReady else { return }
    try negotiate()
    try showMemory()
  }

  func readRegister(_ offset: UInt64, width: Int) -> UInt64 { preconditionFailure("there are no registers") }
  func writeRegister(_ offset: UInt64, width: Int, _ value: UInt64) { preconditionFailure("there are no registers") }

  private static var deadline: UInt64 { HostClock.monotonic + 20_000_000_000 }

  // MARK: Messages

  func send(_ request: VhostUserRequest, _ payload: [UInt8] = [], _ files: [VhostUserDescriptor] = []) throws {
    try socket.send(VhostUserMessage(request, payload, descriptors: files), by: Self.deadline)
  }

  /// Sends a message and waits for what it asks.
  func ask(_ request: VhostUserRequest, _ payload: [UInt8] = []) throws -> [UInt8] {
    try send(request, payload)
    let reply = try socket.receive("\(request)", by: Self.deadline)
    try #require(reply.request == request.rawValue && reply.isReply)
    return reply.payload
  }

  func number(_ request: VhostUserRequest) throws -> UInt64 {
    try #require(try ask(request).number(at: 0, as: UInt64.self))
  }

  /// Sends a message that wants an answer.
  ///
  /// - Returns: 0 where it was done.
  func acknowledged(
    _ request: VhostUserRequest,
    _ payload: [UInt8],
    _ files: [VhostUserDescriptor] = []
  ) throws -> UInt64? {
    let flags = VhostUserWire.version | VhostUserWire.needReplyFlag
    let message = VhostUserMessage(request: request.rawValue, flags: flags, payload: payload, descriptors: files)
    try socket.send(message, by: Self.deadline)
    return try socket.receive("\(request)", by: Self.deadline).payload.number(at: 0, as: UInt64.self)
  }

  /// Whether the back-end ends the conversation, and not only after a while.
  func isSentAway() -> Bool {
    do throws(VhostUserError) {
      while true { _ = try socket.receive("the end", by: Self.deadline) }
    } catch {
      return error == .disconnected
    }
  }

  // MARK: What a good front-end does

  static func state(_ ring: Int, _ value: UInt32) -> [UInt8] {
    var bytes: [UInt8] = []
    bytes.append(number: UInt32(ring))
    bytes.append(number: value)
    return bytes
  }

  static func numbers(_ values: UInt64...) -> [UInt8] {
    var bytes: [UInt8] = []
    for value in values { bytes.append(number: value) }
    return bytes
  }

  /// SET_MEM_TABLE's payload.
  static func table(_ regions: [[UInt64]], count: UInt32? = nil) -> [UInt8] {
    var bytes: [UInt8] = []
    bytes.append(number: UInt64(count ?? UInt32(regions.count)))
    for number in regions.joined() { bytes.append(number: number) }
    return bytes
  }

  static var region: [UInt64] { [start, size, userStart, 0] }

  /// Up to the features, with answers to everything that wants them.
  func negotiate(_ features: UInt64 = 0x1_4000_0000) throws {
    _ = try number(.getFeatures)
    try send(.setOwner)
    _ = try number(.getProtocolFeatures)
    let wanted: VhostUserProtocolFeatures = [.multipleQueues, .replyAck, .configuration, .resetDevice, .memorySlots]
    try send(.setProtocolFeatures, Self.numbers(wanted.rawValue))
    try send(.setFeatures, Self.numbers(features))
  }

  func showMemory() throws { try send(.setMemTable, Self.table([Self.region]), [file]) }

  func queue(_ index: Int, size: UInt16 = 64) -> DriverQueue<FrontEnd> {
    DriverQueue(self, index: index, size: size, at: Self.start + 0x1_0000 * UInt64(index))
  }

  func user(_ address: UInt64) -> UInt64 { address &- Self.start &+ Self.userStart }

  func addresses(of queue: DriverQueue<FrontEnd>) -> [UInt8] {
    Self.state(queue.index, 0)
      + Self.numbers(user(queue.descriptorTable), user(queue.deviceArea), user(queue.driverArea), 0)
  }

  /// Starts a ring as QEMU does.
  func start(_ queue: DriverQueue<FrontEnd>, base: UInt16 = 0) throws {
    try send(.setVringNum, Self.state(queue.index, UInt32(queue.size)))
    try send(.setVringBase, Self.state(queue.index, UInt32(base)))
    try send(.setVringAddr, addresses(of: queue))
    try send(.setVringKick, Self.numbers(UInt64(queue.index)), [kicks[queue.index]])
    try send(.setVringCall, Self.numbers(UInt64(queue.index)), [calls[queue.index]])
    try send(.setVringEnable, Self.state(queue.index, 1))
  }

  /// Stops a ring as QEMU does.
  ///
  /// - Returns: where it stands.
  func stop(_ ring: Int) throws -> UInt32? {
    try send(.setVringEnable, Self.state(ring, 0))
    return try ask(.getVringBase, Self.state(ring, 0)).number(at: 4, as: UInt32.self)
  }

  func kick(_ ring: Int) { chost_eventfd_signal(kicks[ring].rawValue) }

  /// Waits for an interrupt of a ring.
  func waitForCall(_ ring: Int) throws {
    try #require(chost_wait(calls[ring].rawValue, Int16(POLLIN), 20_000))
    _ = chost_counter_take(calls[ring].rawValue)
  }

  /// Sends bytes as a request, and gives the answer.
  func request(_ bytes: [UInt8], _ queue: inout DriverQueue<FrontEnd>) throws -> [UInt8] {
    let (question, answer) = (Self.start + 0x8_0000, Self.start + 0x9_0000)
    store(bytes, at: question)
    queue.writeChain([
      .init(question, UInt32(bytes.count), isWritable: false), .init(answer, 64, isWritable: true),
    ])
    queue.offer(0)
    kick(queue.index)
    try waitForCall(queue.index)
    let next = queue.takeUsed()
    let used = try #require(next)
    return self.bytes(at: answer, count: Int(used.written))
  }
}

/// Answers with a request's bytes in the opposite order, but a single 0xFF with how often a driver began.
final class Reversing: VhostUserService {
  let name = "reversing"
  let identifier = VirtioDeviceIdentifier.entropy
  let queueCount = 2
  let configuration: [UInt8] = [1, 2, 3, 4, 5, 6, 7, 8]
  private(set) var resets = 0

  func answer(_ request: [UInt8], queue: Int, room: Int) -> [UInt8] {
    request == [0xFF] || request.isEmpty ? [UInt8(resets)] : request.reversed()
  }

  func reset() { resets += 1 }
}

/// A server with a device on a thread of its own.
final class RunningServer {
  let path: String
  private let folder: TemporaryFolder
  private let lines = Lines()
  private let held: Held
  private let thread: HostThread

  private struct Held: @unchecked Sendable {
    // SAFETY: @unchecked: only its thread uses it once that has begun, but for what is for any thread.
    let server: VhostUserServer
  }

  private final class Lines: Sendable {
    let all = Mutex<[String]>([])
  }

  init(_ service: any VhostUserService = Reversing()) throws {
    folder = try TemporaryFolder()
    path = folder.path("socket")
    let lines = lines
    held = Held(server: try VhostUserServer { line in lines.all.withLock { $0.append(line) } })
    try held.server.listen(at: path, answering: service)
    let held = held
    thread = try HostThread(name: "vhost-user") { try? held.server.run() }
  }

  deinit {
    held.server.stop()
    thread.join()
  }

  /// Whether a line with these words comes.
  func says(_ words: String) -> Bool {
    for _ in 0..<4000 {
      if lines.all.withLock({ $0.contains { $0.contains(words) } }) { return true }
      chost_pause(5)
    }
    Issue.record("no '\(words)' in \(lines.all.withLock { $0 })")
    return false
  }

  /// Whether a good front-end is served.
  func serves() throws -> Bool {
    let front = try FrontEnd(path, isReady: true)
    var queue = front.queue(0)
    try front.start(queue)
    return try front.request([1, 2, 3], &queue) == [3, 2, 1]
  }
}
