/// A machine's capabilities: which objects it may name, and what it may do with each.
///
/// The numbers look random, as the hypervisor's do: 48 bits that are the table's own above 16 that say where in the
/// table. What a machine makes up, or heard of from another one, is nothing here. A place is used again only when all
/// others have been, so that a capability that went stays nothing for long.
public struct CapabilityTable<Object: CapabilityObject>: Sendable {
  @usableFromInline
  enum Slot: Sendable {
    case empty
    case revoked
    case taken(Object, CapabilityKind, CapabilityRights)
  }

  /// The most capabilities that a table can have.
  public static var largestCapacity: Int { 1 << 16 }

  /// How many capabilities there can be at once.
  public let capacity: Int
  /// How many there are.
  public private(set) var count = 0

  /// Bits 63:16 of each number.
  @usableFromInline let base: UInt64
  /// What bits 15:0 are changed by.
  @usableFromInline let mask: UInt16
  /// Those that were in use some day; the others are empty.
  @usableFromInline var slots: [Slot] = []
  /// Where the search for a place that is used again begins.
  private var next = 0

  /// - Parameters:
  ///   - first: random, and another one for each table.
  ///   - second: random.
  ///   - capacity: how many capabilities there can be at once, in 1…``largestCapacity``.
  public init(randomness first: UInt64, _ second: UInt64, capacity: Int = Self.largestCapacity) {
    precondition(1...Self.largestCapacity ~= capacity, "a table has 1 to 65,536 places")
    self.capacity = capacity
    // Numbers whose upper 32 bits are ones are errors and nothing else.
    base = (first >> 16 >= 0xFFFF_FFFF_0000 ? ~first : first) >> 16
    mask = UInt16(truncatingIfNeeded: second)
  }

  /// The object of a capability. Takes neither memory nor more than one look.
  ///
  /// - Parameters:
  ///   - kind: what it has to be.
  ///   - rights: all of which the capability has to give.
  /// - Throws: in this order, ``GunyahError/argumentInvalid`` for what is no number of this table,
  ///   ``GunyahError/capabilityNull``, ``GunyahError/capabilityRevoked``, ``GunyahError/wrongObjectType``,
  ///   ``GunyahError/insufficientRights``.
  @inlinable
  public func object(
    _ id: CapabilityID,
    kind: CapabilityKind,
    rights: CapabilityRights
  ) throws(GunyahError) -> Object {
    guard id.rawValue >> 16 == base else { throw .argumentInvalid }
    let index = Int(UInt16(truncatingIfNeeded: id.rawValue) ^ mask)
    guard index < slots.count else { throw .capabilityNull }
    switch slots[index] {
    case .empty: throw .capabilityNull
    case .revoked: throw .capabilityRevoked
    case .taken(let object, let actualKind, let given):
      guard actualKind == kind else { throw .wrongObjectType }
      guard given.isSuperset(of: rights) else { throw .insufficientRights }
      return object
    }
  }

  /// Makes a capability of `object`.
  ///
  /// - Returns: its number, or nil where the table is full.
  public mutating func insert(_ object: Object, rights: CapabilityRights) -> CapabilityID? {
    guard let index = takePlace() else { return nil }
    slots[index] = .taken(object, object.capabilityKind, rights)
    count += 1
    return CapabilityID(rawValue: base << 16 | UInt64(UInt16(index) ^ mask))
  }

  /// Takes a capability back: from now on it is ``GunyahError/capabilityRevoked``.
  ///
  /// - Returns: its object, or nil where it had none.
  @discardableResult
  public mutating func revoke(_ id: CapabilityID) -> Object? { empty(id, to: .revoked) }

  /// Removes a capability: from now on it is ``GunyahError/capabilityNull``. One that was revoked can be removed, too.
  ///
  /// - Returns: its object, or nil where it had none.
  @discardableResult
  public mutating func remove(_ id: CapabilityID) -> Object? {
    if let index = index(id), case .revoked = slots[index] { slots[index] = .empty }
    return empty(id, to: .empty)
  }

  private mutating func empty(_ id: CapabilityID, to slot: Slot) -> Object? {
    guard let index = taken(id), case .taken(let object, _, _) = slots[index] else { return nil }
    slots[index] = slot
    count -= 1
    return object
  }

  private func index(_ id: CapabilityID) -> Int? {
    let index = Int(UInt16(truncatingIfNeeded: id.rawValue) ^ mask)
    return id.rawValue >> 16 == base && index < slots.count ? index : nil
  }

  private func taken(_ id: CapabilityID) -> Int? {
    guard let index = index(id), case .taken = slots[index] else { return nil }
    return index
  }

  private mutating func takePlace() -> Int? {
    if slots.count < capacity {
      slots.append(.empty)
      return slots.count - 1
    }
    guard count < capacity else { return nil }
    while case .taken = slots[next] { next = (next + 1) % capacity }
    defer { next = (next + 1) % capacity }
    return next
  }
}
