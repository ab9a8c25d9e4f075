public import Gunyah
internal import ResourceManagerTesting

/// Speaks to the resource manager through a puppet's hypercalls.
///
/// One task at a time uses it.
public final class RMClient {
  /// Who calls.
  public let puppet: Puppet
  /// The link's node: the queue to the manager first.
  public let link: Puppet.Node
  /// What the manager has told by itself, and nobody has taken yet.
  public private(set) var notifications: [RPCMessage] = []

  private var assembler = RPCAssembler(of: [.reply, .notification])
  private var sequence: UInt16 = 0

  /// The client of a puppet that finds a resource manager in its device tree.
  ///
  /// - Throws: ``Problem`` where there is none.
  public init(_ puppet: Puppet) async throws {
    guard let link = try await puppet.node() else { throw Problem("no resource manager in the device tree") }
    self.puppet = puppet
    self.link = link
  }

  /// What a test cannot go on from.
  public struct Problem: Error, CustomStringConvertible {
    /// In words.
    public let description: String

    /// One in words.
    public init(_ description: String) { self.description = description }
  }

  /// A reply.
  public struct Reply: Equatable, Sendable {
    /// nil for success.
    public let error: RMError?
    /// What comes behind the error.
    public let payload: [UInt8]

    /// The number of 32 bits at an offset.
    public func word(_ offset: Int = 0) -> UInt32 { Payload.number(payload, at: offset) }
  }

  /// Asks, and waits for the reply.
  public func request(_ id: MessageID, _ payload: [UInt8] = []) async throws -> Reply {
    sequence &+= 1
    let request = RPCMessage(kind: .request, sequence: sequence, id: id, payload: payload)
    for fragment in request.fragments { try await send(fragment) }
    while true {
      guard let message = try await message(milliseconds: 20_000) else {
        throw Problem("no reply to \(String(id.rawValue, radix: 16))")
      }
      guard message.kind == .reply else {
        notifications.append(message)
        continue
      }
      guard message.sequence == sequence, message.id == id, message.payload.count >= 4 else {
        throw Problem("a reply to another request: \(message)")
      }
      let word: UInt32 = Payload.number(message.payload, at: 0)
      guard word == 0 || RMError(rawValue: word) != nil else { throw Problem("an error that is none: \(word)") }
      return Reply(error: RMError(rawValue: word), payload: Array(message.payload.dropFirst(4)))
    }
  }

  /// Asks for what has to succeed.
  ///
  /// - Throws: the manager's error.
  @discardableResult
  public func success(_ id: MessageID, _ payload: [UInt8] = []) async throws -> Reply {
    let reply = try await request(id, payload)
    if let error = reply.error { throw Refusal(id: id, error: error) }
    return reply
  }

  /// An error where none was expected.
  public struct Refusal: Error, CustomStringConvertible {
    /// The request's.
    public let id: MessageID
    /// The reply's.
    public let error: RMError

    public var description: String { "\(String(id.rawValue, radix: 16)) was answered \(error)" }
  }

  /// Sends a fragment, and waits while the queue is full.
  public func send(_ fragment: [UInt8]) async throws {
    for _ in 0..<1000 {
      let result = try await puppet.send(fragment, to: link.capabilities[0])
      switch result[0] {
      case 0: return
      case UInt64(GunyahError.messageQueueFull.rawValue): continue
      default: throw Problem("the queue to the manager answers \(result[0])")
      }
    }
    throw Problem("the queue to the manager stays full")
  }

  /// The manager's next message, or nil where none comes in time.
  public func message(milliseconds: UInt64) async throws -> RPCMessage? {
    while true {
      let received = try await puppet.receive(from: link.capabilities[1], milliseconds: milliseconds)
      guard received.error == 0 else { return nil }
      if let message = assembler.take(received.message) { return message }
    }
  }

  /// Waits for a notification, and takes it; others before it stay.
  public func notification(
    _ id: MessageID,
    milliseconds: UInt64 = 20_000,
    where isWanted: ([UInt8]) -> Bool = { _ in true }
  ) async throws -> [UInt8] {
    while true {
      if let index = notifications.firstIndex(where: { $0.id == id && isWanted($0.payload) }) {
        return notifications.remove(at: index).payload
      }
      guard let message = try await message(milliseconds: milliseconds) else {
        throw Problem("no notification \(String(id.rawValue, radix: 16)), but \(notifications)")
      }
      notifications.append(message)
    }
  }

  /// Everything that the manager has told until now.
  public func takeNotifications() async throws -> [RPCMessage] {
    while let message = try await message(milliseconds: 0) { notifications.append(message) }
    defer { notifications = [] }
    return notifications
  }
}

// What tests ask for again and again.
extension RMClient {
  /// ALLOC: any number.
  public func allocate() async throws -> VMID {
    VMID(UInt16(truncatingIfNeeded: try await success(.allocate, Request.machine(VMID(0))).word()))
  }

  /// LEND, SHARE or DONATE: the handle.
  public func parcel(
    _ id: MessageID,
    _ access: [(VMID, MemoryRights)],
    _ ranges: [(UInt64, UInt64)],
    label: UInt32 = 0,
    flags: UInt8 = 0
  ) async throws -> UInt32 {
    try await success(id, Request.parcel(access, ranges, flags: flags, label: label)).word()
  }

  /// GET_STATE.
  public func state(of machine: VMID) async throws -> MachineState? {
    let word = try await success(.getState, Request.machine(machine)).word()
    return MachineState(rawValue: UInt8(truncatingIfNeeded: word))
  }

  /// The states that STATUS notifications tell of a machine, taken out of what waits.
  public func takeStates(of machine: VMID) async throws -> [MachineState] {
    while let message = try await message(milliseconds: 50) { notifications.append(message) }
    let mine = notifications.filter { $0.id == .machineStatus && Payload.number($0.payload, at: 0) == machine.rawValue }
    notifications.removeAll { mine.contains($0) }
    return mine.compactMap { MachineState(rawValue: $0.payload[4]) }
  }

  /// What the caller holds that leads to a machine: GET_HYP_RESOURCES.
  public func resources(of machine: VMID) async throws -> [MachineResource] {
    let reply = try await success(.getResources, Request.machine(machine))
    return (0..<Int(reply.word())).compactMap { index in
      let entry = Array(reply.payload.dropFirst(4 + 44 * index))
      guard let kind = entry.first.flatMap({ MachineResource.Kind(rawValue: $0) }) else { return nil }
      return MachineResource(
        holder: .primary,
        partner: VMID(Payload.number(entry, at: 2)),
        kind: kind,
        label: Payload.number(entry, at: 8),
        capability: Payload.number(entry, at: 12),
        interrupt: Payload.number(entry, at: 24)
      )
    }
  }
}
