import Gunyah

/// What a machine's capabilities lead to.
enum GunyahObject: Sendable {
  case queue(GunyahQueue)
  case doorbell(GunyahDoorbell)
  case virtualCPU(ProxyVCPU)
}

/// A machine's capabilities, the objects that they lead to, and who has the other ends.
///
/// One thread at a time: whoever shares it holds a lock, also while it uses an object that it got here. So a call
/// counts no references.
struct GunyahCapabilities: Sendable {
  /// An object as the table has it. ``holders`` keeps it.
  // SAFETY: @unchecked: objects are Sendable, and who follows a reference holds the lock under which they are kept.
  @safe
  private enum Reference: CapabilityObject, @unchecked Sendable {
    case queue(Unmanaged<GunyahQueue>)
    case doorbell(Unmanaged<GunyahDoorbell>)
    case virtualCPU(Unmanaged<ProxyVCPU>)

    init(_ object: GunyahObject) {
      // SAFETY: whoever puts the reference into the table keeps the object as long.
      switch object {
      case .queue(let queue): self = unsafe .queue(.passUnretained(queue))
      case .doorbell(let doorbell): self = unsafe .doorbell(.passUnretained(doorbell))
      case .virtualCPU(let proxy): self = unsafe .virtualCPU(.passUnretained(proxy))
      }
    }

    var capabilityKind: CapabilityKind {
      switch self {
      case .queue: .messageQueue
      case .doorbell: .doorbell
      case .virtualCPU: .virtualCPU
      }
    }
  }

  private struct Holder: Sendable {
    let object: GunyahObject
    let peer: VMID
  }

  private var table = CapabilityTable<Reference>(
    randomness: UInt64.random(in: 0 ... .max),
    UInt64.random(in: 0 ... .max)
  )
  /// Of each capability that was not taken back.
  private var holders: [CapabilityID: Holder] = [:]

  /// Makes a capability; nil where there are too many.
  ///
  /// - Parameter peer: who has the object's other end.
  mutating func insert(_ object: GunyahObject, rights: CapabilityRights, peer: VMID) -> CapabilityID? {
    guard let id = table.insert(Reference(object), rights: rights) else { return nil }
    holders[id] = Holder(object: object, peer: peer)
    return id
  }

  /// Takes a capability back, whose object may be gone.
  mutating func revoke(_ id: CapabilityID) {
    table.revoke(id)
    holders[id] = nil
  }

  /// Who has the other end of a capability's object; nil where there is no such capability.
  func peer(of id: CapabilityID) -> VMID? { holders[id]?.peer }

  /// Uses the message queue of a capability.
  ///
  /// Hot path, as the others: nothing is allocated and no reference is counted.
  @inline(__always)
  func withQueue<Value>(
    _ id: CapabilityID,
    _ rights: CapabilityRights,
    _ body: (GunyahQueue) throws(GunyahError) -> Value
  ) throws(GunyahError) -> Value {
    guard case .queue(let queue) = try table.object(id, kind: .messageQueue, rights: rights) else {
      throw .wrongObjectType
    }
    // SAFETY: a holder goes with the table's reference, and the caller's lock keeps both.
    return try unsafe Self.use(queue, body)
  }

  /// Uses the doorbell of a capability.
  @inline(__always)
  func withDoorbell<Value>(
    _ id: CapabilityID,
    _ rights: CapabilityRights,
    _ body: (GunyahDoorbell) throws(GunyahError) -> Value
  ) throws(GunyahError) -> Value {
    guard case .doorbell(let doorbell) = try table.object(id, kind: .doorbell, rights: rights) else {
      throw .wrongObjectType
    }
    // SAFETY: a holder goes with the table's reference, and the caller's lock keeps both.
    return try unsafe Self.use(doorbell, body)
  }

  /// Uses the vCPU of a capability.
  @inline(__always)
  func withVirtualCPU<Value>(
    _ id: CapabilityID,
    _ rights: CapabilityRights,
    _ body: (ProxyVCPU) throws(GunyahError) -> Value
  ) throws(GunyahError) -> Value {
    guard case .virtualCPU(let proxy) = try table.object(id, kind: .virtualCPU, rights: rights) else {
      throw .wrongObjectType
    }
    // SAFETY: a holder goes with the table's reference, and the caller's lock keeps both.
    return try unsafe Self.use(proxy, body)
  }

  /// - Parameter reference: of an object that lives longer than the call.
  @unsafe
  @inline(__always)
  private static func use<Object, Value>(
    _ reference: Unmanaged<Object>,
    _ body: (Object) throws(GunyahError) -> Value
  ) throws(GunyahError) -> Value {
    // SAFETY: the caller keeps the object.
    try unsafe reference._withUnsafeGuaranteedRef { object in
      Result { () throws(GunyahError) in try body(object) }
    }.get()
  }
}
