public import Gunyah

/// An object of nothing, for tests.
public struct TestObject: CapabilityObject, Equatable {
  public var number: Int
  public var capabilityKind: CapabilityKind

  public init(_ number: Int, _ kind: CapabilityKind) {
    self.number = number
    capabilityKind = kind
  }
}

/// A table and a model of it, by number.
struct ExerciseCapabilities {
  private var table: CapabilityTable<TestObject>
  private var taken: [CapabilityID: (object: TestObject, rights: CapabilityRights)] = [:]
  private var revoked: Set<CapabilityID> = []
  /// Each number that ever was, in the order of the first time.
  private var known: [CapabilityID] = []
  /// Where among those the next search for a free one begins.
  private var next = 0
  private var number = 0

  init(_ input: inout InputBytes) {
    let capacity = 1 + Int(input.byte()) % 16
    table = CapabilityTable(randomness: input.word(), input.word(), capacity: capacity)
  }

  mutating func step(_ operation: UInt8, _ input: inout InputBytes) {
    let rights = CapabilityRights(rawValue: UInt32(input.byte() % 8))
    switch operation % 6 {
    case 0, 1: insert(object(&input), rights)
    case 2:
      let id = choose(&input)
      let old = taken.removeValue(forKey: id)?.object
      precondition(table.revoke(id) == old, "what is revoked")
      if old != nil { revoked.insert(id) }
    case 3:
      let id = choose(&input)
      precondition(table.remove(id) == taken.removeValue(forKey: id)?.object, "what is removed")
      revoked.remove(id)
    default: look(choose(&input), CapabilityKind.allCases[Int(input.byte()) % 3], rights)
    }
    precondition(table.count == taken.count, "capabilities are counted")
  }

  private mutating func object(_ input: inout InputBytes) -> TestObject {
    number += 1
    return TestObject(number, CapabilityKind.allCases[Int(input.byte()) % 3])
  }

  /// One that was given some day, or a word of the input's.
  private func choose(_ input: inout InputBytes) -> CapabilityID {
    let choice = input.byte()
    if choice >= 0xF0 || known.isEmpty { return CapabilityID(rawValue: input.word()) }
    let id = known[Int(choice) % known.count]
    // A neighbour of a good one, which is in the table's numbers.
    return choice % 16 == 15 ? CapabilityID(rawValue: id.rawValue ^ UInt64(input.byte())) : id
  }

  private mutating func insert(_ object: TestObject, _ rights: CapabilityRights) {
    let id = table.insert(object, rights: rights)
    guard taken.count < table.capacity else {
      precondition(id == nil, "a full table takes nothing")
      return
    }
    guard let id else { preconditionFailure("a table that isn't full takes a capability") }
    precondition(taken[id] == nil, "a number names one object")
    precondition(id.rawValue >> 32 != 0xFFFF_FFFF, "a number isn't an error's")
    if known.count < table.capacity {
      precondition(!known.contains(id), "a place is used again when all were used")
      known.append(id)
    } else {
      while taken[known[next]] != nil { next = (next + 1) % known.count }
      precondition(id == known[next], "places are used again in turn")
      next = (next + 1) % known.count
    }
    revoked.remove(id)
    taken[id] = (object, rights)
  }

  private func look(_ id: CapabilityID, _ kind: CapabilityKind, _ rights: CapabilityRights) {
    let result = Result { () throws(GunyahError) in try table.object(id, kind: kind, rights: rights) }
    if let entry = taken[id] {
      if entry.object.capabilityKind != kind {
        precondition(result == .failure(.wrongObjectType), "another kind of object")
      } else if !entry.rights.isSuperset(of: rights) {
        precondition(result == .failure(.insufficientRights), "a right that was not given")
      } else {
        precondition(result == .success(entry.object), "a capability's object")
      }
    } else if revoked.contains(id) {
      precondition(result == .failure(.capabilityRevoked), "a capability that was taken back")
    } else if let one = known.first, one.rawValue >> 16 == id.rawValue >> 16 {
      precondition(result == .failure(.capabilityNull), "a place that has none")
    } else if !known.isEmpty {
      precondition(result == .failure(.argumentInvalid), "no number of this table")
    } else {
      precondition(result == .failure(.argumentInvalid) || result == .failure(.capabilityNull), "an empty table")
    }
  }
}
