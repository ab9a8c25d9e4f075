import CGuestMemory
import CHost
import Glibc
import Host
import Synchronization

@testable import VhostUser

/// A back-end on a thread of its own, of which each part can be made to misbehave. What it serves is an echo: it writes
/// what it read, the last byte first.
@safe
final class FakeBackEnd: @unchecked Sendable {
  // SAFETY: @unchecked: `plan` is set before the thread begins; what the thread has is its own; `seen` has a lock.

  /// What it is and does.
  struct Plan: Sendable {
    var features: UInt64 = 1 << 28 | 1 << 29 | 1 << 30 | 1 << 32
    var protocolFeatures: UInt64 = 1 | 1 << 3 | 1 << 5 | 1 << 9 | 1 << 13
    var queueCount: UInt64 = 1
    var configuration: [UInt8] = []
    /// It never answers this one.
    var silentAt: VhostUserRequest?
    /// Bytes in place of the reply to it, as they go over the socket.
    var strayReply: (at: VhostUserRequest, bytes: [UInt8])?
    /// It says that it did not do this one.
    var refusesAt: VhostUserRequest?
    /// It takes 50 ms for this one.
    var slowAt: VhostUserRequest?
    /// It closes the connection instead of an answer to it.
    var closesAt: VhostUserRequest?
    /// It takes requests and answers none.
    var holdsRequests = false
    /// What it writes into the used ring in place of an answer: identifier, length, and how far the index goes.
    var usedElement: (identifier: UInt32, length: UInt32, ahead: UInt16)?
    /// How often it calls for each request.
    var callsPerRequest = 1
    /// It takes the flag from the descriptors that it shares, and fills or drains them.
    var spoilsDescriptors = false
    /// Its process cannot be made to end.
    var outlivesItsConnection = false
    /// For how long its process goes on when its connection is given up, in milliseconds.
    var endsAfter: Int64 = 0
    /// How many descriptors come along with each of its replies.
    var descriptorsPerReply = 0
    /// What it knows of its guest, to hand over.
    var knowledge: [UInt8]?
    /// What it does with what is available when it is told to stop, and with what it had taken before.
    var atStop = AtStop.nothing
  }

  /// What becomes of available requests when a ring is stopped.
  enum AtStop: Sendable {
    /// They are left.
    case nothing
    /// They are answered before it says where it stands.
    case answers
    /// It says that it has taken them, and answers them a little later.
    case answersLater
  }

  private struct Ring {
    var size: UInt16 = 0
    var next: UInt16 = 0
    var used: UInt16 = 0
    var (descriptors, driver, device): (UInt64, UInt64, UInt64) = (0, 0, 0)
    var kick: VhostUserDescriptor?
    var call: VhostUserDescriptor?
    var isEnabled = false
  }

  @safe
  private struct Region {
    // SAFETY: mapped with its size, and kept until the back-end goes.
    let address: UInt64
    let size: UInt64
    let base: UnsafeMutableRawPointer
  }

  let plan: Plan
  private let socket: VhostUserSocket
  private let loop: EventLoop
  private var thread: HostThread?
  private var rings: [Int: Ring] = [:]
  private var regions: [Region] = []
  private var requests: VhostUserSocket?
  private let log = Mutex<[Heard]>([])
  private let known = Mutex<[UInt8]>([])
  private let wish = Mutex<[@Sendable (FakeBackEnd) -> Void]>([])
  private let wake: SharedEventDescriptor
  private let ended = Atomic<Bool>(false)

  init(_ socket: VhostUserSocket, _ plan: Plan) throws {
    self.socket = socket
    self.plan = plan
    loop = try EventLoop()
    wake = SharedEventDescriptor(try EventDescriptor())
    _ = try loop.add(socket.rawValue, EventLoop.readable, ClosureHandler { [unowned self] _ in arrived() })
    _ = try loop.add(wake.value.rawValue, EventLoop.readable, ClosureHandler { [unowned self] _ in woken() })
    thread = try HostThread(name: "back-end") { [unowned self] in
      try? loop.run()
      ended.store(true, ordering: .releasing)
    }
  }

  deinit {
    precondition(thread == nil, "a back-end is ended before it goes")
    for region in regions { _ = unsafe chost_unmap(region.base, Int(region.size)) }
  }

  /// A message that came: its number, and the first number of its payload.
  struct Heard: Sendable {
    var request: UInt32
    var value: UInt64
    /// Of SET_VRING_CALL, what came along.
    var file: String?
  }

  /// The messages that came.
  var heard: [Heard] { log.withLock { $0 } }

  /// The numbers of the messages that came.
  var seen: [UInt32] { heard.map(\.request) }

  /// Has the thread do something.
  func perform(_ body: @escaping @Sendable (FakeBackEnd) -> Void) {
    wish.withLock { $0.append(body) }
    wake.value.signal()
  }

  /// The connection goes, as if the process had died.
  func end() {
    perform { $0.loop.stop() }
    thread?.join()
    thread = nil
    socket.shutDown()
  }

  private func woken() {
    wake.value.clear()
    let bodies = wish.withLock { wishes in
      defer { wishes = [] }
      return wishes
    }
    for body in bodies { body(self) }
  }

  // MARK: Messages

  private func arrived() {
    do throws(VhostUserError) {
      while let message = try socket.receive() { answer(message) }
    } catch {
      loop.stop()
    }
  }

  private func answer(_ message: VhostUserMessage) {
    let heard = Heard(request: message.request, value: message.payload.number(at: 0, as: UInt64.self) ?? 0)
    log.withLock { $0.append(heard) }
    guard let request = VhostUserRequest(rawValue: message.request) else { return }
    if plan.silentAt == request { return }
    if plan.slowAt == request { chost_pause(50) }
    if plan.closesAt == request {
      socket.shutDown()
      return loop.stop()
    }
    if let stray = plan.strayReply, stray.at == request {
      _ = unsafe stray.bytes.withUnsafeBytes { unsafe write(socket.rawValue, $0.baseAddress, $0.count) }
      return
    }
    if plan.refusesAt == request { return reply(message, number(1)) }
    switch request {
    case .setDeviceStateFD: transfer(message)
    case .checkDeviceState: reply(message, number(0))
    case .getFeatures: reply(message, number(plan.features))
    case .getProtocolFeatures: reply(message, number(plan.protocolFeatures))
    case .getQueueNum: reply(message, number(plan.queueCount))
    case .getConfig: reply(message, Array(message.payload[..<12]) + plan.configuration)
    case .getVringBase: stop(Int(message.payload.number(at: 0, as: UInt32.self) ?? 0), message)
    default:
      take(request, message)
      if message.needsReply { reply(message, number(0)) }
    }
  }

  private func stop(_ index: Int, _ message: VhostUserMessage) {
    if plan.atStop == .answers { serve(index) }
    var payload: [UInt8] = []
    payload.append(number: UInt32(index))
    payload.append(number: UInt32(plan.atStop == .answersLater ? available(index) : rings[index]?.next ?? 0))
    if let kick = rings[index]?.kick { loop.remove(kick.rawValue) }
    rings[index]?.isEnabled = false
    reply(message, payload)
    guard plan.atStop == .answersLater else { return }
    chost_pause(30)
    serve(index)
  }

  /// Its state goes out or comes in before it says so.
  private func transfer(_ message: VhostUserMessage) {
    guard let pipe = message.descriptors.first else { return reply(message, number(1)) }
    reply(message, number(0x100))
    if message.payload.number(at: 0, as: UInt32.self) == 0 {
      let bytes = plan.knowledge ?? []
      var done = 0
      while done < bytes.count {
        // SAFETY: the bytes hold for the call.
        let count = unsafe bytes[done...].withUnsafeBytes { unsafe write(pipe.rawValue, $0.baseAddress, $0.count) }
        if count <= 0 { break }
        done += count
      }
    } else {
      var (learned, chunk): ([UInt8], [UInt8]) = ([], Array(repeating: 0, count: 4096))
      while true {
        // SAFETY: the array holds for the call and its size goes along.
        let count = unsafe read(pipe.rawValue, &chunk, chunk.count)
        if count <= 0 { break }
        learned += chunk[..<count]
      }
      known.withLock { $0 = learned }
    }
  }

  /// What it was handed over.
  var learned: [UInt8] { known.withLock { $0 } }

  private func number(_ value: UInt64) -> [UInt8] {
    var bytes: [UInt8] = []
    bytes.append(number: value)
    return bytes
  }

  private func reply(_ message: VhostUserMessage, _ payload: [UInt8]) {
    try? socket.send(
      VhostUserMessage(
        request: message.request,
        flags: VhostUserWire.version | VhostUserWire.replyFlag,
        payload: payload,
        descriptors: (0..<plan.descriptorsPerReply).map { _ in VhostUserDescriptor(borrowing: socket.rawValue) }
      )
    )
  }

  private func take(_ request: VhostUserRequest, _ message: VhostUserMessage) {
    let first = message.payload.number(at: 0, as: UInt32.self) ?? 0
    let second = message.payload.number(at: 4, as: UInt32.self) ?? 0
    let index = Int(first & 0xFF)
    switch request {
    case .setBackendReqFD:
      requests = message.descriptors.first.map { VhostUserSocket(owning: dup($0.rawValue)) }
    case .setMemTable: map(message, count: Int(first))
    case .setVringNum: rings[index, default: Ring()].size = UInt16(second)
    case .setVringBase:
      rings[index, default: Ring()].next = UInt16(second)
      rings[index, default: Ring()].used = UInt16(second)
    case .setVringAddr:
      rings[index]?.descriptors = message.payload.number(at: 8, as: UInt64.self) ?? 0
      rings[index]?.device = message.payload.number(at: 16, as: UInt64.self) ?? 0
      rings[index]?.driver = message.payload.number(at: 24, as: UInt64.self) ?? 0
    case .setVringCall:
      rings[index]?.call = message.descriptors.first
      log.withLock { $0[$0.count - 1].file = message.descriptors.first.map { file($0) } }
      guard plan.spoilsDescriptors, let call = message.descriptors.first else { return }
      // As full as it gets: who writes to it now waits, and so does who empties it and reads once more.
      var most = UInt64.max - 1
      _ = unsafe write(call.rawValue, &most, 8)
      _ = fcntl(call.rawValue, F_SETFL, 0)
    case .setVringKick:
      guard let kick = message.descriptors.first else { return }
      rings[index]?.kick = kick
      if plan.spoilsDescriptors {
        _ = fcntl(kick.rawValue, F_SETFL, 0)
        return fill(kick)
      }
      _ = try? loop.add(kick.rawValue, EventLoop.readable, ClosureHandler { [unowned self] _ in kicked(index) })
    case .setVringEnable: rings[index]?.isEnabled = second != 0
    default: break
    }
  }

  /// What a descriptor is of, as the kernel calls it.
  private func file(_ descriptor: VhostUserDescriptor) -> String {
    var name = [CChar](repeating: 0, count: 64)
    // SAFETY: the path and the array hold for the call, and its size goes along.
    let count = unsafe readlink("/proc/self/fd/\(descriptor.rawValue)", &name, name.count)
    return String(decoding: name.prefix(max(count, 0)).map { UInt8(bitPattern: $0) }, as: UTF8.self)
  }

  /// Opens what it was given to read from for writing, and leaves no room in it.
  private func fill(_ kick: VhostUserDescriptor) {
    // SAFETY: the path holds for the call.
    let number = unsafe open("/proc/self/fd/\(kick.rawValue)", O_WRONLY | O_NONBLOCK | O_CLOEXEC)
    precondition(number >= 0, "a pipe's end can be opened anew")
    let one: [UInt8] = [1, 0, 0, 0, 0, 0, 0, 0]
    // SAFETY: the array holds for the call and its size goes along.
    while unsafe write(number, one, one.count) > 0 {}
    close(number)
  }

  private func map(_ message: VhostUserMessage, count: Int) {
    for number in 0..<count {
      let place = 8 + 32 * number
      guard let address = message.payload.number(at: place + 16, as: UInt64.self),
        let size = message.payload.number(at: place + 8, as: UInt64.self),
        let base = unsafe chost_map_shared(message.descriptors[number].rawValue, Int(size))
      else { preconditionFailure("a region can be mapped") }
      unsafe regions.append(Region(address: address, size: size, base: base))
    }
  }

  /// The memory at an address, of the region that was lent last; nil: none was lent there.
  @unsafe
  private func place(_ address: UInt64, _ count: Int) -> UnsafeMutableRawPointer? {
    for region in regions.reversed()
    where address >= region.address && address - region.address < region.size {
      let offset = address - region.address
      return unsafe UInt64(count) <= region.size - offset ? region.base + Int(offset) : nil
    }
    return nil
  }

  /// Of a ring whose parts lie in what was lent.
  @unsafe
  private func ringPlace(_ address: UInt64) -> UnsafeMutableRawPointer {
    guard let place = unsafe place(address, 6) else { preconditionFailure("an address that was lent: \(address)") }
    return unsafe place
  }

  private func available(_ index: Int) -> UInt16 {
    guard let ring = rings[index] else { return 0 }
    // SAFETY: the ring's parts lie in what was lent.
    return unsafe guest_load_acquire_u16(ringPlace(ring.driver) + 2)
  }

  // MARK: Rings

  private func kicked(_ index: Int) {
    guard let ring = rings[index], let kick = ring.kick else { return }
    var count: UInt64 = 0
    _ = unsafe read(kick.rawValue, &count, 8)
    guard ring.isEnabled, !plan.holdsRequests else { return }
    serve(index)
  }

  /// Answers what is available.
  func serve(_ index: Int) {
    guard var ring = rings[index] else { return }
    // SAFETY: the ring's parts lie in what was lent.
    let available = unsafe ringPlace(ring.driver)
    while unsafe guest_load_acquire_u16(available + 2) != ring.next {
      let head = unsafe guest_load_relaxed_u16(available + 4 + 2 * Int(ring.next % ring.size))
      ring.next &+= 1
      // One that trusts the rings is at its end where they lead elsewhere: so it is with virtiofsd.
      guard let written = echo(head, ring) else {
        socket.shutDown()
        return loop.stop()
      }
      let used = unsafe ringPlace(ring.device)
      let element = plan.usedElement.map { UInt64($0.identifier) | UInt64($0.length) << 32 }
      unsafe guest_store_used_element(
        used + 4 + 8 * Int(ring.used % ring.size),
        element ?? UInt64(head) | UInt64(written) << 32
      )
      ring.used &+= plan.usedElement?.ahead ?? 1
      // avail_event: every chain is to be told.
      unsafe guest_store_relaxed_u16(used + 4 + 8 * Int(ring.size), ring.next)
      unsafe guest_store_release_u16(used + 2, ring.used)
      guest_full_fence()
      for _ in 0..<plan.callsPerRequest { signal(ring.call) }
    }
    rings[index] = ring
  }

  /// Calls, whether or not there is anything new.
  func call(_ index: Int) { signal(rings[index]?.call) }

  private func signal(_ call: VhostUserDescriptor?) {
    guard let call else { return }
    var one: UInt64 = 1
    _ = unsafe write(call.rawValue, &one, 8)
  }

  /// Tells that the configuration space has changed, so many times.
  func tellOfChanges(_ count: Int) {
    for _ in 0..<count {
      try? requests?.send(VhostUserMessage(request: VhostUserBackEndRequest.configChangeMsg.rawValue))
    }
  }

  /// Sends what nobody has asked for.
  func sendUnasked(_ bytes: [UInt8]) {
    _ = unsafe bytes.withUnsafeBytes { unsafe write(socket.rawValue, $0.baseAddress, $0.count) }
  }

  /// nil: the chain leads where no memory is, or nowhere.
  private func echo(_ head: UInt16, _ ring: Ring) -> UInt32? {
    var bytes: [UInt8] = []
    var written = 0
    var index = head
    for _ in 0..<ring.size {
      guard index < ring.size else { return nil }
      // SAFETY: the table lies in what was lent, and so does the buffer where there is one.
      let descriptor = unsafe guest_load_descriptor(ringPlace(ring.descriptors) + 16 * Int(index))
      guard let buffer = unsafe place(descriptor.address, Int(descriptor.length)) else { return nil }
      // Of what is to be written no more is looked at than there is to write.
      let length = descriptor.flags & 2 == 0 ? Int(descriptor.length) : min(Int(descriptor.length), bytes.count)
      for offset in 0..<length {
        if descriptor.flags & 2 == 0 {
          unsafe bytes.append(buffer.load(fromByteOffset: offset, as: UInt8.self))
        } else if let byte = bytes.popLast() {
          unsafe buffer.storeBytes(of: byte, toByteOffset: offset, as: UInt8.self)
          written += 1
        }
      }
      guard descriptor.flags & 1 != 0 else { return UInt32(written) }
      index = descriptor.next
    }
    return nil
  }
}
