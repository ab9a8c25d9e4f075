import Apus
import ApusTesting
import Gunyah
import GunyahSupport
import ResourceManagerTesting
import Testing

@Suite("Memory that Gunyah's machines lend", .requiresKVM, .ownThread)
struct GunyahMemoryTests {
  /// Memory of the primary machine's that is lent.
  private static let lent = GunyahMachine.memory + 0x80_0000
  private static let size: UInt64 = 0x1_0000
  /// Where the borrower has it.
  private static let place: UInt64 = 0x8000_0000

  /// An access to memory that is gone, or not to be written: an abort at this exception level, of an access's or of a
  /// fetch's class, with the address.
  private static func isAbort(_ access: Puppet.Access, at address: UInt64, isFetch: Bool = false) -> Bool {
    access.exceptionClass == (isFetch ? 0x21 : 0x25) && access.faultAddress == address
  }

  @Test("15: whatever a lender does with a page that it has lent is an abort, and it has all of it back at a reclaim")
  func lender() async throws {
    let run = try await GunyahMachine.bootPair { client, other, machine in
      let (puppet, lent, size) = (client.puppet, Self.lent, Self.size)
      let borrower = try await RMClient(other)
      let tables = try await GuestTables(puppet, .small, at: lent - 0x10_0000, lastTable: lent + 0x2000)
      try await tables.map(0, to: lent - 0x20_0000)
      // RET, for a call.
      try await puppet.write([0xC0, 0x03, 0x5F, 0xD6], at: lent)
      #expect(try await puppet.access("f \(Self.hexadecimal(lent))").exceptionClass == nil)
      try await puppet.write([1, 2, 3, 4], at: lent + 0x1000)
      let handle = try await client.parcel(.lend, [(machine.vmid, .all)], [(lent, size)])

      for bytes in [1, 2, 4, 8] as [UInt64] {
        #expect(Self.isAbort(try await puppet.load(lent + 8, bytes: bytes), at: lent + 8))
        #expect(Self.isAbort(try await puppet.store(1, at: lent + 8, bytes: bytes), at: lent + 8))
      }
      for command in ["lp", "tp", "x"] {
        let address = lent + size - 16
        #expect(
          Self.isAbort(try await puppet.access("\(command) \(Self.hexadecimal(address))"), at: address),
          "\(command)"
        )
      }
      #expect(Self.isAbort(try await puppet.access("f \(Self.hexadecimal(lent))"), at: lent, isFetch: true))
      try await tables.use()
      #expect(try await puppet.load(GuestTables.window).exceptionClass == 0x25, "a walk through a lent table")
      #expect(try await puppet.call(Call.send, client.link.capabilities[0], 8, GuestTables.window)[0] == 22)
      try await puppet.translate([])
      #expect(try await puppet.call(Call.send, client.link.capabilities[0], 8, lent)[0] == 22)
      // On both sides of it everything is as it was.
      #expect(try await puppet.load(lent - 8).exceptionClass == nil)
      #expect(try await puppet.load(lent + size).exceptionClass == nil)

      try await borrower.success(.accept, Request.accept(handle, ranges: [(Self.place, size)]))
      #expect(try await other.read(4, at: Self.place + 0x1000) == [1, 2, 3, 4])
      try await other.write([5, 6, 7, 8], at: Self.place + 0x1004)
      #expect(try await client.request(.reclaim, Request.handle(handle)).error == .memoryInUse)
      try await borrower.success(.release, Request.handle(handle))
      #expect(Self.isAbort(try await other.load(Self.place), at: Self.place))
      try await client.success(.reclaim, Request.handle(handle))
      #expect(try await puppet.read(8, at: lent + 0x1000) == [1, 2, 3, 4, 5, 6, 7, 8])
      #expect(try await puppet.access("f \(Self.hexadecimal(lent))").exceptionClass == nil)
    }

    #expect(run.outcome.end == .stopped)
  }

  @Test("15: memory that is sanitised when it is lent, or at its reclaim, is all zero")
  func sanitised() async throws {
    try await GunyahMachine.bootPair { client, other, machine in
      let (puppet, lent, size) = (client.puppet, Self.lent, Self.size)
      let borrower = try await RMClient(other)
      _ = try await puppet.fill(lent, size, with: 0xEE)

      let first = try await client.parcel(.lend, [(machine.vmid, .all)], [(lent, size)], flags: 1)
      try await borrower.success(.accept, Request.accept(first, flags: 128 | 1, ranges: [(Self.place, size)]))
      #expect(try await other.verify(Self.place, size, is: 0) == .done(0))
      _ = try await other.fill(Self.place, size, with: 0x77)
      try await borrower.success(.release, Request.handle(first, flags: 1))
      try await client.success(.reclaim, Request.handle(first))
      #expect(try await puppet.verify(lent, size, is: 0) == .done(0))

      _ = try await puppet.fill(lent, size, with: 0xEE)
      let second = try await client.parcel(.lend, [(machine.vmid, .all)], [(lent, size)])
      try await client.success(.reclaim, Request.handle(second, flags: 1))
      #expect(try await puppet.verify(lent, size, is: 0) == .done(0))
    }
  }

  @Test("15: many pieces that lie apart come in their order, and all come back")
  func pieces() async throws {
    try await GunyahMachine.bootPair { client, other, machine in
      let (puppet, lent) = (client.puppet, Self.lent)
      let borrower = try await RMClient(other)
      let pieces = [5, 1, 3, 7].map { (lent + $0 * 0x4000, UInt64(0x2000)) }
      _ = try await puppet.fill(lent, 0x4_0000, with: 0)
      for (index, piece) in pieces.enumerated() { try await puppet.write([UInt8(index + 1)], at: piece.0) }

      let handle = try await client.parcel(.lend, [(machine.vmid, .all)], pieces)
      // One range of the borrower's.
      let accept = Request.accept(handle, flags: 128 | 16, ranges: [(Self.place, 0x8000)])
      try await borrower.success(.accept, accept)

      for index in 0..<4 {
        #expect(try await other.load(Self.place + UInt64(index) * 0x2000, bytes: 1) == .done(UInt64(index + 1)))
        #expect(Self.isAbort(try await puppet.load(pieces[index].0), at: pieces[index].0))
        #expect(try await puppet.load(pieces[index].0 + 0x2000).exceptionClass == nil)
      }
      try await borrower.success(.release, Request.handle(handle))
      try await client.success(.reclaim, Request.handle(handle))
      for (index, piece) in pieces.enumerated() {
        #expect(try await puppet.load(piece.0, bytes: 1) == .done(UInt64(index + 1)))
      }
    }
  }

  @Test("16: who shares memory with the right to read alone reads it and writes nothing, owner and borrower alike")
  func readOnly() async throws {
    try await GunyahMachine.bootPair { client, other, machine in
      let (puppet, lent, size) = (client.puppet, Self.lent, Self.size)
      let borrower = try await RMClient(other)
      _ = try await puppet.fill(lent, 2 * size, with: 0x31)
      let ownersRead = try await client.parcel(.share, [(.primary, .read), (machine.vmid, .all)], [(lent, size)])
      let access: [(VMID, MemoryRights)] = [(.primary, .all), (machine.vmid, .read)]
      let theirsRead = try await client.parcel(.share, access, [(lent + size, size)])
      for (index, handle) in [ownersRead, theirsRead].enumerated() {
        let place = Self.place + UInt64(index) * size
        try await borrower.success(.accept, Request.accept(handle, transfer: 2, ranges: [(place, size)]))
      }

      for (reader, shared) in [(puppet, lent), (other, Self.place + size)] {
        #expect(try await reader.load(shared, bytes: 1) == .done(0x31))
        #expect(Self.isAbort(try await reader.store(1, at: shared), at: shared))
        #expect(Self.isAbort(try await reader.access("tp \(Self.hexadecimal(shared)) 1"), at: shared))
        #expect(Self.isAbort(try await reader.access("x \(Self.hexadecimal(shared + 8))"), at: shared + 8))
      }
      // A message is received by a copy of the hypervisor's, which may write no more than the guest.
      let control = try #require(machine.resource(.messageQueueReceiver, SecondaryPuppet.controlLabel)).capability
      #expect(try await puppet.call(Call.receive, control, lent, 240)[0] == 60)
      _ = try await other.store(0x1234, at: Self.place, bytes: 2)
      _ = try await puppet.store(0x5678, at: lent + size, bytes: 2)
      #expect(try await puppet.load(lent, bytes: 2) == .done(0x1234))
      #expect(try await other.load(Self.place + size, bytes: 2) == .done(0x5678))

      for handle in [ownersRead, theirsRead] {
        try await borrower.success(.release, Request.handle(handle))
        try await client.success(.reclaim, Request.handle(handle))
      }
      #expect(try await puppet.store(1, at: lent).exceptionClass == nil)
    }
  }

  @Test("3: a message for a read-only page is refused, and waits")
  func receiveIntoReadOnly() async throws {
    try await GunyahMachine.bootPair(devices: [.init("queue", "message-queue-pair", label: 7)]) {
      client,
      other,
      machine in
      let (puppet, lent) = (client.puppet, Self.lent)
      let receive = try #require(machine.resource(.messageQueueReceiver, 7)).capability
      let theirs = try #require(await GunyahCallTests.pair(other, label: 7)).capabilities[0]
      _ = try await client.parcel(.share, [(.primary, .read), (machine.vmid, .all)], [(lent, 0x1000)])
      #expect(try await other.send([1, 2, 3], to: theirs) == [0, 1])

      #expect(try await puppet.call(Call.receive, receive, lent, 240)[..<3] == [30, 0, 0])
      #expect(try await puppet.call(Call.receive, receive, lent - 1, 240)[0] == 30)
      #expect(try await puppet.receive(from: receive).message == [1, 2, 3])
    }
  }

  @Test("17: what was donated has no handle, goes on to whom its new owner gives it, and outlives that one")
  func donation() async throws {
    try await GunyahMachine.bootPair { client, other, machine in
      let (puppet, lent, size) = (client.puppet, Self.lent, Self.size)
      let borrower = try await RMClient(other)
      _ = try await puppet.fill(lent, size, with: 0x21)
      let handle = try await client.parcel(.donate, [(machine.vmid, .all)], [(lent, size)])
      #expect(Self.isAbort(try await puppet.load(lent), at: lent))
      let accept = Request.accept(handle, transfer: 0, ranges: [(Self.place, size)])
      try await borrower.success(.accept, accept)
      #expect(try await client.request(.reclaim, Request.handle(handle)).error == .handleInvalid)
      #expect(try await other.verify(Self.place, size, is: 0x21) == .done(0))

      _ = try await other.fill(Self.place, size, with: 0x22)
      let back = try await borrower.parcel(.donate, [(.primary, .all)], [(Self.place, size)])
      let elsewhere: UInt64 = 0x10_0000_0000
      try await client.success(.accept, Request.accept(back, transfer: 0, ranges: [(elsewhere, size)]))
      #expect(Self.isAbort(try await other.load(Self.place), at: Self.place))
      try await client.success(.stop, Request.stop(machine.vmid, force: true))
      try await client.success(.reset, Request.machine(machine.vmid))
      _ = try await client.notification(.machineStatus) { $0[4] == MachineState.reset.rawValue }
      try await client.success(.deallocate, Request.machine(machine.vmid))
      try await client.success(.reclaim, Request.handle(machine.handle))
      try await puppet.translateNothing()
      #expect(try await puppet.verify(elsewhere, size, is: 0x22) == .done(0))
    }
  }

  @Test("17: a reclaim while the borrower has it is refused, and done when the borrower was reset")
  func reclaimAfterReset() async throws {
    try await GunyahMachine.bootPair { client, other, machine in
      let (puppet, lent, size) = (client.puppet, Self.lent, Self.size)
      let borrower = try await RMClient(other)
      let handle = try await client.parcel(.lend, [(machine.vmid, .all)], [(lent, size)])
      try await borrower.success(.accept, Request.accept(handle, ranges: [(Self.place, size)]))
      _ = try await other.fill(Self.place, size, with: 0x44)
      for handle in [handle, machine.handle] {
        #expect(try await client.request(.reclaim, Request.handle(handle)).error == .memoryInUse)
      }

      try await client.success(.stop, Request.stop(machine.vmid, force: true))
      #expect(try await client.request(.reclaim, Request.handle(handle)).error == .memoryInUse)
      try await client.success(.reset, Request.machine(machine.vmid))
      for handle in [handle, machine.handle] { try await client.success(.reclaim, Request.handle(handle)) }
      #expect(try await puppet.verify(lent, size, is: 0x44) == .done(0))
      #expect(try await puppet.load(GunyahMachine.memory).exceptionClass == nil)
    }
  }

  @Test("18: memory that devices reach cannot be lent, shared or donated, nor can what is no memory")
  func window() async throws {
    let tree = try SecondaryPuppet.tree(gic: KVMHost.interruptControllers[0])
    let devices: (inout Configuration) -> Void = { $0.devices = [.init(.entropy)] }
    try await GunyahMachine.boot(trees: [tree], configure: devices) { puppet, _ in
      let client = try await RMClient(puppet)
      let machine = try await client.allocate()
      let window = try #require(await puppet.node("restricted-dma-pool")).capabilities
      #expect(window[1] >= 0x1000)

      for start in [window[0], window[0] + window[1] - 0x1000, 0x0900_0000, 0x0A00_0000, 0x0800_0000] {
        let lend = Request.parcel([(machine, .all)], [(start, 0x1000)])
        #expect(try await client.request(.lend, lend).error == .memoryInvalid, "\(String(start, radix: 16))")
        #expect(try await client.request(.donate, lend).error == .memoryInvalid)
        let share = Request.parcel([(.primary, .all), (machine, .all)], [(start, 0x1000)])
        #expect(try await client.request(.share, share).error == .memoryInvalid)
        let behind = Request.parcel([(machine, .all)], [(Self.lent, 0x1000), (start, 0x1000)])
        #expect(try await client.request(.lend, behind).error == .memoryInvalid)
      }
      #expect(try await puppet.load(Self.lent).exceptionClass == nil)
      #expect(try await puppet.load(window[0]).exceptionClass == nil)
    }
  }

  @Test("15: a device works while memory is lent, writes nothing to what is lent, and works again after a reset")
  func deviceAtWork() async throws {
    let tree = try SecondaryPuppet.tree(gic: KVMHost.interruptControllers[0])
    let devices: (inout Configuration) -> Void = { $0.devices = [.init(.entropy)] }
    let run = try await GunyahMachine.boot(trees: [tree], configure: devices) { puppet, _ in
      let client = try await RMClient(puppet)
      let machine = try await client.allocate()
      let window = try #require(await puppet.node("restricted-dma-pool")).capabilities
      var queue = try await PuppetQueue(puppet, at: window[0])
      _ = try await puppet.fill(Self.lent, Self.size, with: 0x31)

      for _ in 0..<3 {
        let handle = try await client.parcel(.lend, [(machine, .all)], [(Self.lent, Self.size)])
        #expect(try await queue.fill(queue.reachable) == .used(PuppetQueue.length))
        try await client.success(.reclaim, Request.handle(handle))
        #expect(try await queue.fill(queue.reachable) == .used(PuppetQueue.length))
      }
      let handle = try await client.parcel(.lend, [(machine, .all)], [(Self.lent, Self.size)])
      #expect(try await queue.fill(Self.lent) == .needsReset)
      try await client.success(.reclaim, Request.handle(handle))

      #expect(try await puppet.verify(Self.lent, Self.size, is: 0x31) == .done(0))
      queue = try await PuppetQueue(puppet, at: window[0])
      #expect(try await queue.fill(queue.reachable) == .used(PuppetQueue.length))
    }

    let device = try #require(run.report.devices.first)
    let heard = device.faults >= 1 && device.refusedAccesses >= 1
    #expect(heard)
  }

  static func hexadecimal(_ number: UInt64) -> String { String(number, radix: 16) }
}
