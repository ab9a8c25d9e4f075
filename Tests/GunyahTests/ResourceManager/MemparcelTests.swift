import Gunyah
import ResourceManagerTesting
import Testing

@Suite("Memory parcels")
struct MemparcelTests {
  private static let neighbour = ManagerBench.neighbour
  private static let start = ManagerBench.memory.start

  @Test("statement 15: lent memory is gone for its lender at once, and is back with the borrower's bytes")
  func lend() {
    let bench = ManagerBench()
    let address = Self.start + 0x3000
    _ = bench.host.store(.primary, address, 1)

    let handle = bench.number(.lend, Request.parcel([(Self.neighbour, .all)], [(address, 0x2000)])) ?? 0
    let whileLent = bench.host.load(.primary, address)
    let accepted = bench.payload(.accept, Request.accept(handle), from: Self.neighbour)
    let place: UInt64 = Payload.number(accepted, at: 8)
    let seen = bench.host.load(Self.neighbour, place)
    _ = bench.host.store(Self.neighbour, place, 2)
    let early = bench.ask(.reclaim, Request.handle(handle))
    let released = bench.ask(.release, Request.handle(handle), from: Self.neighbour)
    let afterRelease = bench.host.load(Self.neighbour, place)
    let reclaimed = bench.ask(.reclaim, Request.handle(handle))

    #expect(handle == 1)
    #expect(whileLent == nil && seen == 1 && afterRelease == nil)
    #expect(early == .memoryInUse && released == nil && reclaimed == nil)
    #expect(bench.host.load(.primary, address) == 2)
    #expect(bench.ask(.reclaim, Request.handle(handle)) == .handleInvalid)
    bench.check()
  }

  @Test("statement 15: where any side asks for it, zeroes come back", arguments: ["accept", "release", "reclaim"])
  func zeroes(side: String) {
    let bench = ManagerBench()
    let handle = bench.number(.lend, Request.parcel([(Self.neighbour, .all)], [(Self.start, 0x1000)])) ?? 0
    let accept = Request.accept(handle, flags: 128 | (side == "accept" ? 32 : 0))
    let accepted = bench.payload(.accept, accept, from: Self.neighbour)
    _ = bench.host.store(Self.neighbour, Payload.number(accepted, at: 8), 2)

    _ = bench.ask(.release, Request.handle(handle, flags: side == "release" ? 1 : 0), from: Self.neighbour)
    _ = bench.ask(.reclaim, Request.handle(handle, flags: side == "reclaim" ? 1 : 0))

    #expect(bench.host.load(.primary, Self.start) == 0)
  }

  @Test("memory that is lent cleared is zeroes for the borrower, and others are not")
  func clearedFirst() {
    let bench = ManagerBench()
    for page in 0..<2 as Range<UInt64> { _ = bench.host.store(.primary, Self.start + page * 0x1000, 7) }
    let cleared = Request.parcel([(Self.neighbour, .all)], [(Self.start, 0x1000)], flags: 1)
    let plain = Request.parcel([(Self.neighbour, .all)], [(Self.start + 0x1000, 0x1000)])

    let first = bench.number(.lend, cleared) ?? 0
    let second = bench.number(.lend, plain) ?? 0
    let seen = [first, second].map { handle in
      let accepted = bench.payload(.accept, Request.accept(handle), from: Self.neighbour)
      return bench.host.load(Self.neighbour, Payload.number(accepted, at: 8))
    }

    #expect(seen == [0, 7])
  }

  @Test("statement 16: shared memory is with both by their own rights", arguments: [MemoryRights.read, .all])
  func share(rights: MemoryRights) {
    let bench = ManagerBench()
    let access: [(VMID, MemoryRights)] = [(.primary, rights), (Self.neighbour, .read)]

    let handle = bench.number(.share, Request.parcel(access, [(Self.start, 0x1000)])) ?? 0
    let accepted = bench.payload(.accept, Request.accept(handle, transfer: 2), from: Self.neighbour)
    let place: UInt64 = Payload.number(accepted, at: 8)
    let stores = [bench.host.store(.primary, Self.start, 1), bench.host.store(Self.neighbour, place, 1)]
    bench.check()
    _ = bench.ask(.release, Request.handle(handle), from: Self.neighbour)
    let reclaimed = bench.ask(.reclaim, Request.handle(handle))

    #expect(stores == [rights.contains(.write), false])
    #expect(bench.host.load(.primary, Self.start) != nil)
    #expect(reclaimed == nil && bench.host.store(.primary, Self.start, 1))
    bench.check()
  }

  @Test("statement 17: a donation is the receiver's own, outlives the donor, and can be lent on")
  func donate() {
    let bench = ManagerBench()
    _ = bench.host.store(.primary, Self.start, 9)
    let handle = bench.number(.donate, Request.parcel([(Self.neighbour, .all)], [(Self.start, 0x2000)])) ?? 0
    let place: UInt64 = 0x20_0000

    let accept = Request.accept(handle, transfer: 0, ranges: [(place, 0x2000)])
    let accepted = bench.ask(.accept, accept, from: Self.neighbour)
    let dead = [
      bench.ask(.reclaim, Request.handle(handle)), bench.ask(.release, Request.handle(handle), from: Self.neighbour),
    ]
    let lentOn = bench.number(.lend, Request.parcel([(.primary, .all)], [(place, 0x1000)]), from: Self.neighbour)
    bench.check()
    bench.host.lose(.primary)
    bench.manager.gone(.primary)
    let back = bench.ask(.reclaim, Request.handle(lentOn ?? 0), from: Self.neighbour)

    #expect(accepted == nil)
    #expect(dead == [.handleInvalid, .handleInvalid])
    #expect(lentOn != nil && back == nil)
    #expect(bench.host.load(Self.neighbour, place) == 9)
    bench.check()
  }

  @Test("statement 17: a donation that nobody has accepted can be taken back")
  func donationTakenBack() {
    let bench = ManagerBench()

    let handle = bench.number(.donate, Request.parcel([(Self.neighbour, .all)], [(Self.start, 0x2000)])) ?? 0
    let away = bench.host.load(.primary, Self.start)
    let reclaimed = bench.ask(.reclaim, Request.handle(handle))

    #expect(away == nil && reclaimed == nil && bench.host.load(.primary, Self.start) != nil)
    bench.check()
  }

  @Test("statement 17: what a machine has accepted is in use until it is reset")
  func reclaimAfterReset() {
    let bench = ManagerBench()
    let machine = bench.machine(in: .running)

    let whileRunning = bench.ask(.reclaim, Request.handle(1))
    bench.manager.exited(machine, .off)
    let whileExited = bench.ask(.reclaim, Request.handle(1))
    _ = bench.ask(.reset, Request.machine(machine))
    let afterReset = bench.ask(.reclaim, Request.handle(1))

    #expect(whileRunning == .memoryInUse && whileExited == .memoryInUse && afterReset == nil)
    bench.check()
  }

  @Test("what a machine was given for good stays through a reset, and goes with it")
  func donationToAMachine() {
    let bench = ManagerBench()
    let (machine, image) = bench.make()
    _ = bench.number(.donate, Request.parcel([(machine, .all)], [(Self.start + 0x10_0000, 0x20_0000)]))
    _ = bench.ask(.configureImage, Request.configure(machine, handle: image))
    _ = bench.ask(.initialize, Request.machine(machine))

    let started = bench.ask(.start, Request.machine(machine))
    let memory = bench.host.layouts[machine]?.memory
    bench.manager.exited(machine, .off)
    _ = bench.ask(.reset, Request.machine(machine))
    let kept = bench.host.mappings[machine]?.count
    bench.check()
    let gone = bench.ask(.deallocate, Request.machine(machine))

    #expect(started == nil && gone == nil)
    #expect(memory?.reduce(0) { $0 + $1.size } == 0x21_0000)
    #expect(kept == 0x200)
    bench.check()
  }

  @Test("statement 18: memory that touches a DMA window, lies in a hole, or is away already, is refused whole")
  func notOwned() {
    let bench = ManagerBench()
    let window = ManagerBench.window.start
    let end = ManagerBench.memory.end
    _ = bench.number(.lend, Request.parcel([(Self.neighbour, .all)], [(Self.start + 0x8000, 0x1000)]))
    let good = (Self.start, UInt64(0x1000))
    let bad: [(UInt64, UInt64)] = [
      (window, 0x1000), (window - 0x1000, 0x2000), (end, 0x1000), (end - 0x1000, 0x2000), (0, 0x1000), good,
      (Self.start + 0x7000, 0x3000), (Self.start + 0x8000, 0x1000),
    ]

    for range in bad {
      for id in [MessageID.lend, .share] {
        let access: [(VMID, MemoryRights)] = [(Self.neighbour, .all)] + (id == .share ? [(.primary, .read)] : [])
        let error = bench.ask(id, Request.parcel(access, [good, range]))
        #expect(error == .memoryInvalid)
        #expect(bench.host.store(.primary, good.0, 1))
      }
    }
    #expect(bench.manager.parcelReports.count == 1)
    bench.check()
  }

  @Test("borrowed memory cannot be lent on")
  func borrowedIsNotOwned() {
    let bench = ManagerBench()
    let handle = bench.number(.lend, Request.parcel([(Self.neighbour, .all)], [(Self.start, 0x1000)])) ?? 0
    let accepted = bench.payload(.accept, Request.accept(handle), from: Self.neighbour)
    let place: UInt64 = Payload.number(accepted, at: 8)

    let error = bench.ask(.lend, Request.parcel([(.primary, .all)], [(place, 0x1000)]), from: Self.neighbour)

    #expect(error == .memoryInvalid)
  }

  @Test("statement 14: a host that cannot take pages away leaves them where they are", arguments: [RMError.noMemory])
  func hostCannotRevoke(error: RMError) {
    let bench = ManagerBench()
    bench.host.failures["revoke"] = error

    let answer = bench.ask(.lend, Request.parcel([(Self.neighbour, .all)], [(Self.start, 0x1000)]))
    bench.host.failures = [:]

    #expect(answer == error)
    #expect(bench.host.store(.primary, Self.start, 1))
    #expect(bench.manager.parcelReports.isEmpty)
    bench.check()
  }

  @Test("statement 14: the 65th parcel of an owner is refused, and another one fits after a reclaim")
  func sixtyFiveParcels() {
    let bench = ManagerBench()
    let requests = (0..<65).map { index in
      Request.parcel([(Self.neighbour, .all)], [(Self.start + UInt64(index) * 0x1000, 0x1000)])
    }

    let errors = requests.map { bench.ask(.lend, $0) }
    _ = bench.ask(.reclaim, Request.handle(1))
    let again = bench.ask(.lend, requests[64])

    #expect(errors == [RMError?](repeating: nil, count: 64) + [.denied])
    #expect(again == nil)
    bench.check()
  }

  @Test("statement 14: 600 entries come by APPEND, in any order, and go back whole")
  func sixHundredEntries() {
    let bench = ManagerBench()
    let ranges = (0..<600).map { (Self.start + UInt64($0 * 7 % 600) * 0x2000, UInt64(0x1000)) }

    let first = Request.parcel([(Self.neighbour, .all)], Array(ranges.prefix(512)), flags: 2)
    let handle = bench.number(.lend, first) ?? 0
    let early = bench.ask(.accept, Request.accept(handle), from: Self.neighbour)
    let appended = bench.ask(.append, Request.append(handle, isDone: true, Array(ranges.suffix(88))))
    let late = bench.ask(.append, Request.append(handle, isDone: true, [(Self.start + 0x1000, 0x1000)]))
    // All of it does not fit one reply: the rest comes with a second ACCEPT, which maps it.
    let incomplete = bench.payload(.accept, Request.accept(handle, flags: 0), from: Self.neighbour)
    let mapped = bench.host.mappings[Self.neighbour]?.count
    let rest = bench.payload(.accept, Request.accept(handle), from: Self.neighbour)
    bench.check()

    #expect(early == .denied && appended == nil && late == .denied)
    #expect(Payload.number(incomplete, at: 4) as UInt16 == 512 && incomplete[6] == 1)
    #expect(mapped == 0x100)
    #expect(Payload.number(rest, at: 4) as UInt16 == 88 && rest[6] == 0)
    #expect(bench.host.mappings[Self.neighbour]?.count == 0x100 + 600)
    #expect(bench.ask(.release, Request.handle(handle), from: Self.neighbour) == nil)
    #expect(bench.ask(.reclaim, Request.handle(handle)) == nil)
    #expect(bench.manager.ownership(of: .primary)?.segments.count == 2)
    bench.check()
  }

  @Test("statement 19: four ranges are accepted as one, and released")
  func contiguous() {
    let bench = ManagerBench()
    let ranges = [5, 1, 9, 3].map { (Self.start + UInt64($0) * 0x1000, UInt64(0x1000)) }
    for (index, range) in ranges.enumerated() { _ = bench.host.store(.primary, range.0, UInt8(index + 1)) }
    let handle = bench.number(.lend, Request.parcel([(Self.neighbour, .all)], ranges)) ?? 0
    let place: UInt64 = 0x4000_0000

    let lists: [[(UInt64, UInt64)]] = [
      [(place, 0x3000)], [(place, 0x2000), (place + 0x2000, 0x2000)], [(place + 1, 0x4000)],
    ]
    let wrong = lists.map { list in
      bench.ask(.accept, Request.accept(handle, flags: 128 | 16, ranges: list), from: Self.neighbour)
    }
    let accept = Request.accept(handle, flags: 128 | 16, ranges: [(place, 0x4000)])
    let accepted = bench.payload(.accept, accept, from: Self.neighbour)
    let bytes = (0..<4 as Range<UInt64>).map { bench.host.load(Self.neighbour, place + $0 * 0x1000) }
    bench.check()
    let released = bench.ask(.release, Request.handle(handle), from: Self.neighbour)

    #expect(wrong.allSatisfy { $0 == .argumentInvalid })
    #expect(accepted == [0, 0, 0, 0])
    #expect(bytes == [1, 2, 3, 4])
    #expect(released == nil && bench.host.load(Self.neighbour, place) == nil)
    bench.check()
  }

  @Test("memory that the manager places is aligned to blocks, and does not overlap")
  func placedByTheManager() {
    let bench = ManagerBench()
    let ranges: [(UInt64, UInt64)] = [(Self.start + 0x1000, 0x1000), (Self.start + 0x20_0000, 0x20_0000)]
    let handle = bench.number(.lend, Request.parcel([(Self.neighbour, .all)], ranges)) ?? 0

    let reply = bench.payload(.accept, Request.accept(handle), from: Self.neighbour)

    let numbers = (0..<4).map { Payload.number(reply, at: 8 + 8 * $0) as UInt64 }
    #expect(numbers == [0x20_0000, 0x1000, 0x40_0000, 0x20_0000])
    bench.check()
  }

  @Test(
    "a machine's parcels have so many pieces and no more, and all go back",
    arguments: [0x1000, 0x2000] as [UInt64]
  )
  func manyPieces(distance: UInt64) {
    let bench = ManagerBench(size: 0x1000)
    let machine = VMID(6)
    let memory = PageRange(start: 0x10_0000_0000, size: 0x8000_0000)
    bench.host.add(machine, memory: [])
    bench.manager.add(machine, memory: [memory], reserved: [], addressEnd: 1 << 40)
    // With gaps between them, each is a range of its own; a few of those are enough.
    let parts = distance == 0x1000 ? ResourceManager<FakeHost>.maximumPieces / 512 : 16
    func ranges(_ part: Int) -> [(UInt64, UInt64)] {
      (0..<512).map { (memory.start + UInt64(part * 512 + $0) * distance, UInt64(0x1000)) }
    }
    let access: [(VMID, MemoryRights)] = [(machine, .all), (.primary, .read)]
    let handle = bench.number(.share, Request.parcel(access, ranges(0), flags: 2), from: machine) ?? 0

    let errors = (1..<parts).map { part in
      bench.ask(.append, Request.append(handle, isDone: false, ranges(part)), from: machine)
    }
    let last = bench.ask(.append, Request.append(handle, isDone: true, ranges(parts)), from: machine)
    let segments = bench.manager.ownership(of: machine)?.segments.count
    let reclaimed = bench.ask(.reclaim, Request.handle(handle), from: machine)

    #expect(errors.allSatisfy { $0 == nil } && reclaimed == nil)
    #expect(last == (distance == 0x1000 ? .noMemory : nil))
    #expect(segments == (distance == 0x1000 ? 2 : 17 * 1024))
    #expect(bench.manager.ownership(of: machine)?.segments.count == 1)
  }

  @Test("64 MiB lent in 2 MiB pieces, used and reclaimed, are few changes")
  func fewChanges() {
    let bench = ManagerBench()
    let ranges = (0..<32).map { (Self.start + UInt64($0) * 0x20_0000, UInt64(0x20_0000)) }
    bench.host.forgetChanges()

    let handle = bench.number(.lend, Request.parcel([(Self.neighbour, .all)], ranges)) ?? 0
    _ = bench.ask(.accept, Request.accept(handle, flags: 128 | 16), from: Self.neighbour)
    _ = bench.ask(.release, Request.handle(handle), from: Self.neighbour)
    _ = bench.ask(.reclaim, Request.handle(handle))

    let changes: [FakeHost.Change] = [
      .revoke(.primary), .map(Self.neighbour), .unmap(Self.neighbour), .restore(.primary),
    ]
    #expect(bench.host.changes == changes)
  }
}
