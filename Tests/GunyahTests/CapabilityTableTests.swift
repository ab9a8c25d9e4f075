import Gunyah
import GunyahTesting
import TestSupport
import Testing

@Suite("Capability tables")
struct CapabilityTableTests {
  private typealias Table = CapabilityTable<TestObject>
  private let queue = TestObject(1, .messageQueue)
  private let bell = TestObject(2, .doorbell)

  private func insert(
    _ object: TestObject,
    _ rights: CapabilityRights,
    into table: inout Table
  ) throws -> CapabilityID {
    let id = table.insert(object, rights: rights)
    return try #require(id)
  }

  private func look(
    _ table: Table,
    _ id: CapabilityID,
    _ kind: CapabilityKind = .messageQueue,
    _ rights: CapabilityRights = .send
  ) -> Result<TestObject, GunyahError> {
    Result { () throws(GunyahError) in try table.object(id, kind: kind, rights: rights) }
  }

  @Test("a capability finds its object, as what it is and for what it allows")
  func capabilityFindsObject() throws {
    var table = Table(randomness: 0x1234_5678_9ABC_DEF0, 7)

    let one = try insert(queue, [.send, .receive], into: &table)
    let other = try insert(bell, .receive, into: &table)

    #expect(look(table, one) == .success(queue))
    #expect(look(table, one, .messageQueue, [.send, .receive]) == .success(queue))
    #expect(look(table, other, .doorbell, .receive) == .success(bell))
    #expect(table.count == 2)
  }

  @Test("statement 9: a sender's capability doesn't receive: 53")
  func missingRight() throws {
    var table = Table(randomness: 1 << 40, 0)
    let id = try insert(queue, .send, into: &table)

    #expect(look(table, id, .messageQueue, .receive) == .failure(.insufficientRights))
    #expect(look(table, id, .messageQueue, [.send, .receive]) == .failure(.insufficientRights))
  }

  @Test("statement 9: a doorbell is no queue: 52, before its rights")
  func wrongKind() throws {
    var table = Table(randomness: 1 << 40, 0)
    let id = try insert(bell, [], into: &table)

    #expect(look(table, id, .messageQueue, .send) == .failure(.wrongObjectType))
  }

  @Test("statement 9: another machine's capability is nothing: 1")
  func foreignCapability() throws {
    var first = Table(randomness: 0x1111_0000_0000_0000, 5)
    var second = Table(randomness: 0x2222_0000_0000_0000, 5)

    let one = try insert(queue, .send, into: &first)
    let other = try insert(queue, .send, into: &second)

    #expect(one != other)
    #expect(look(second, one) == .failure(.argumentInvalid))
    #expect(look(first, other) == .failure(.argumentInvalid))
  }

  @Test("a place of the table that has nothing is 50")
  func emptyPlace() throws {
    var table = Table(randomness: 1 << 40, 0)
    let id = try insert(queue, .send, into: &table)

    #expect(look(table, CapabilityID(rawValue: id.rawValue ^ 1)) == .failure(.capabilityNull))
    #expect(table.remove(id) == queue)
    #expect(look(table, id) == .failure(.capabilityNull))
    #expect(table.remove(id) == nil)
    #expect(table.count == 0)
  }

  @Test("what was revoked is 51, whatever it was, and 50 when it is removed")
  func revokedCapability() throws {
    var table = Table(randomness: 1 << 40, 0)
    let id = try insert(bell, [], into: &table)

    #expect(table.revoke(id) == bell)

    #expect(look(table, id) == .failure(.capabilityRevoked))
    #expect(table.revoke(id) == nil)
    #expect(table.remove(id) == nil)
    #expect(look(table, id) == .failure(.capabilityNull))
  }

  @Test("a place is used again when all others were, and a full table takes nothing")
  func placesAreUsedInTurn() throws {
    var table = Table(randomness: 1 << 40, 0x55, capacity: 4)
    let first = try insert(queue, .send, into: &table)
    table.remove(first)

    let next = (0..<3).map { _ in table.insert(bell, rights: .send) }
    #expect(!next.contains(first))
    #expect(look(table, first) == .failure(.capabilityNull))

    #expect(table.insert(queue, rights: .send) == first)
    #expect(table.insert(queue, rights: .send) == nil)
    table.revoke(try #require(next[1]))
    #expect(table.insert(queue, rights: .send) == next[1])
  }

  @Test("a table has room for 65,536 capabilities, all of them different")
  func largestTable() {
    var table = Table(randomness: .max >> 1, .max)

    let ids = Set((0..<Table.largestCapacity).compactMap { _ in table.insert(queue, rights: .send) })

    #expect(ids.count == 65_536)
    #expect(table.insert(queue, rights: .send) == nil)
  }

  @Test(
    "no number looks like an error's",
    arguments: [.max, 0xFFFF_FFFF_0000_0000, 0xFFFF_FFFF_0000_FFFF, 0xFFFF_FFFE_FFFF_FFFF, 0] as [UInt64]
  )
  func numbersAreNoErrors(randomness: UInt64) throws {
    var table = Table(randomness: randomness, randomness)

    let id = try insert(queue, .send, into: &table)

    #expect(id.rawValue >> 32 != 0xFFFF_FFFF)
    #expect(look(table, id) == .success(queue))
  }

  @Test("a million guesses find nothing")
  func guessesFindNothing() throws {
    var generator = SplitMix64(seed: 9)
    var table = Table(randomness: generator.next(), generator.next())
    for _ in 0..<1000 { _ = table.insert(queue, rights: [.send, .receive]) }

    let found = (0..<Effort.cases(1_000_000)).count { _ in
      look(table, CapabilityID(rawValue: generator.next())) != .failure(.argumentInvalid)
    }

    #expect(found == 0)
  }
}
