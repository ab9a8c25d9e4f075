import Apus
import ApusTesting
import Gunyah
import GunyahSupport
import Testing

@Suite("Buffers of Gunyah's calls", .requiresKVM, .ownThread)
struct GunyahBufferTests {
  /// Memory of the primary machine's for tables, and for what they lead to.
  private static let tables = GunyahMachine.memory + 0x80_0000
  private static let pages = GunyahMachine.memory + 0xA0_0000

  private static let pattern = (0..<240).map { UInt8(truncatingIfNeeded: $0 &* 7 &+ 3) }

  /// A primary machine and one of its own with a queue in each direction.
  ///
  /// - Parameter drive: gets the puppet and the other machine's, the puppet's capabilities to send and to receive by,
  ///   and the other one's in the same order.
  private static func withQueues(
    _ drive: (Puppet, Puppet, _ send: UInt64, _ receive: UInt64, _ theirs: [UInt64]) async throws -> Void
  ) async throws {
    try await GunyahMachine.bootPair(devices: [.init("queue", "message-queue-pair", label: 7)]) {
      client,
      other,
      machine in
      let send = try #require(machine.resource(.messageQueueSender, 7)).capability
      let receive = try #require(machine.resource(.messageQueueReceiver, 7)).capability
      let theirs = try #require(await GunyahCallTests.pair(other, label: 7)).capabilities
      try await drive(client.puppet, other, send, receive, theirs)
    }
  }

  @Test(
    "3: 240 bytes come whole by tables of each granule, over two pages that lie apart, in both halves",
    arguments: GuestTables.Granule.ofThisHost
  )
  func translated(granule: GuestTables.Granule) async throws {
    try await Self.withQueues { puppet, other, send, receive, theirs in
      let tables = try await GuestTables(puppet, granule, at: Self.tables)
      let size = tables.pageSize
      let (first, second) = (Self.pages + 4 * size, Self.pages)
      try await tables.map(0, to: first)
      try await tables.map(1, to: second)
      try await puppet.write(Array(Self.pattern[..<100]), at: first + size - 100)
      try await puppet.write(Array(Self.pattern[100...]), at: second)
      try await tables.use()

      for window in [GuestTables.window, GuestTables.upperWindow] {
        #expect(try await puppet.call(Call.send, send, 240, window + size - 100)[..<2] == [0, 1])
        #expect(try await other.receive(from: theirs[1]).message == Self.pattern)
      }
      #expect(try await other.send(Self.pattern, to: theirs[0]) == [0, 1])
      #expect(
        try await puppet.call(Call.receive, receive, GuestTables.upperWindow + size - 9, 240)[..<3] == [0, 240, 0]
      )
      try await puppet.translate([])
      #expect(try await puppet.read(9, at: first + size - 9) == Array(Self.pattern[..<9]))
      #expect(try await puppet.read(231, at: second) == Array(Self.pattern[9...]))
    }
  }

  @Test(
    "3: what is not mapped, not accessed yet or read-only refuses a buffer, and the message stays",
    arguments: GuestTables.Granule.ofThisHost
  )
  func refused(granule: GuestTables.Granule) async throws {
    try await Self.withQueues { puppet, other, send, receive, theirs in
      let tables = try await GuestTables(puppet, granule, at: Self.tables)
      let (window, size) = (GuestTables.window, tables.pageSize)
      try await tables.map(0, to: Self.pages)
      try await tables.map(1, to: Self.pages + size, .readOnly)
      try await tables.map(3, to: Self.pages, .untouched)
      _ = try await puppet.fill(Self.pages, 2 * size, with: 0xA5)
      try await tables.use()

      // A page that is not mapped, at once and behind one that is; beside both halves; without the access flag.
      let wrong: [UInt64] = [
        window + 2 * size, window + 2 * size - 8, 0x10_0000_0000, 0xFFFF_FFEF_FFFF_FFF0, window + 3 * size,
      ]
      for address in wrong {
        #expect(try await puppet.call(Call.send, send, 16, address)[0] == 22, "\(String(address, radix: 16))")
      }
      #expect(try await other.receive(from: theirs[1]).error == 60)
      // A read-only page is good to send from, and not to receive to.
      #expect(try await puppet.call(Call.send, send, 16, window + size)[0] == 0)
      #expect(try await other.receive(from: theirs[1]).message == [UInt8](repeating: 0xA5, count: 16))
      #expect(try await other.send(Self.pattern, to: theirs[0]) == [0, 1])
      #expect(try await puppet.call(Call.receive, receive, window + size, 240)[..<3] == [30, 0, 0])
      #expect(try await puppet.call(Call.receive, receive, window + size - 8, 240)[0] == 30)
      #expect(try await puppet.call(Call.receive, receive, window + 2 * size, 240)[0] == 22)
      #expect(try await puppet.call(Call.receive, receive, window, 240)[..<3] == [0, 240, 0])
      try await puppet.translate([])
      #expect(try await puppet.read(240, at: Self.pages) == Self.pattern)
      #expect(try await puppet.verify(Self.pages + size, size, is: 0xA5) == .done(0))
    }
  }

  @Test("3: with the MMU off a buffer's address is where it is")
  func untranslated() async throws {
    try await Self.withQueues { puppet, other, send, receive, theirs in
      try await puppet.write(Self.pattern, at: Self.pages + 0xFF9)
      try await puppet.translateNothing()

      #expect(try await puppet.call(Call.send, send, 240, Self.pages + 0xFF9)[0] == 0)
      #expect(try await other.receive(from: theirs[1]).message == Self.pattern)
      #expect(try await other.send(Self.pattern, to: theirs[0]) == [0, 1])
      #expect(try await puppet.call(Call.receive, receive, Self.pages + 0x2001, 240)[..<3] == [0, 240, 0])
      #expect(try await puppet.call(Call.send, send, 240, 0x0900_0000)[0] == 22)
      #expect(try await puppet.call(Call.send, send, 240, 1 << 52)[0] == 22)
      #expect(try await puppet.read(240, at: Self.pages + 0x2001) == Self.pattern)
    }
  }

  @Test("3: a page of 2 MiB or more takes a message that crosses the pages in it")
  func block() async throws {
    try await Self.withQueues { puppet, other, send, _, theirs in
      let tables = try await GuestTables(puppet, .small, at: Self.tables, block: Self.pages)
      try await puppet.write(Self.pattern, at: Self.pages + 0x1FF0)
      try await tables.use()

      #expect(try await puppet.call(Call.send, send, 240, GuestTables.block + 0x1FF0)[0] == 0)
      #expect(try await other.receive(from: theirs[1]).message == Self.pattern)
      // One byte more than the block has.
      #expect(try await puppet.call(Call.send, send, 240, GuestTables.block + 0x20_0000 - 239)[0] == 22)
    }
  }
}
