import Gunyah
import ResourceManagerTesting
import Testing

@Suite("The end of machines")
struct ExitTests {
  private static let neighbour = ManagerBench.neighbour

  @Test(
    "statement 13: each end has its type and size",
    arguments: [
      (MachineExit.off, [1], [0]), (.reset, [2], [0]), (.watchdog, [4], [0]), (.fault, [5], [0]),
      (.reset2(kind: 0x8000_0001, cookie: 0x1_0000_0002, is64Bit: true), [3], [0x8000, 0x8000_0001, 2, 1]),
      (.reset2(kind: 5, cookie: 0x1_0000_0002, is64Bit: false), [3], [0, 5, 2, 0]),
    ] as [(MachineExit, [UInt16], [UInt32])]
  )
  func exits(exit: MachineExit, type: [UInt16], words: [UInt32]) {
    let bench = ManagerBench()
    let machine = bench.machine(in: .running)

    bench.manager.exited(machine, exit)
    bench.manager.exited(machine, .fault)

    let told = bench.told(.primary)
    let wanted = Payload().adding(machine.rawValue, type[0]).adding(UInt32(4 * words.count)).bytes
    #expect(told.map(\.id) == [.machineStatus, .machineExited])
    #expect(told[1].payload == words.reduce(into: wanted) { $0 += Payload().adding($1).bytes })
    #expect(bench.manager.state(of: machine) == .exited)
    #expect(!bench.host.running.contains(machine))
  }

  @Test("statement 13: a forced stop tells EXITED by type 7, and answers then")
  func forcedStop() {
    let bench = ManagerBench()
    let machine = bench.machine(in: .running)

    let error = bench.ask(.stop, Request.stop(machine, force: true))

    let told = bench.told(.primary)
    #expect(error == nil)
    #expect(told.map(\.id) == [.machineStatus, .machineExited])
    #expect(told[1].payload == Payload().adding(machine.rawValue, 7).adding(UInt32(4), 0).bytes)
  }

  @Test("a stop that is not forced only tells the machine")
  func politeStop() {
    let bench = ManagerBench()
    let machine = bench.machine(in: .running)

    let error = bench.ask(.stop, Request.stop(machine, force: false, reason: 0x1234))

    #expect(error == nil)
    #expect(bench.told(machine).map(\.payload) == [Payload().adding(UInt32(0x1234)).bytes])
    #expect(bench.manager.state(of: machine) == .running)
  }

  @Test("a machine's own end has its flags and code", arguments: [0, 1, 3, 4] as [UInt8])
  func ownExit(code: UInt8) {
    let bench = ManagerBench()
    let machine = bench.machine(in: .running)

    let error = bench.ask(.exit, Request.exit(flags: 0x1234, code: code), from: machine)

    let payload = Payload().adding(machine.rawValue, 0).adding(UInt32(4), 0x1234 | UInt32(code) << 16).bytes
    #expect(error == nil)
    #expect(bench.told(.primary).last?.payload == payload)
    #expect(bench.manager.state(of: machine) == .exited)
  }

  @Test("an end with another code, and one of a machine that nobody made, is refused")
  func refusedExit() {
    let bench = ManagerBench()
    let machine = bench.machine(in: .running)

    #expect(bench.ask(.exit, Request.exit(code: 2), from: machine) == .messageInvalid)
    #expect(bench.ask(.exit, Request.exit(code: 5), from: machine) == .messageInvalid)
    #expect(bench.ask(.exit, [0, 0, 0], from: machine) == .messageInvalid)
    #expect(bench.ask(.exit, Request.exit()) == .denied)
    #expect(bench.manager.state(of: machine) == .running)
  }

  @Test("a machine's status goes to its peers that run; one that was made by number has none of its own")
  func status() {
    let bench = ManagerBench()
    let machine = bench.machine(in: .running)

    let error = bench.ask(.setStatus, Request.status(os: 4, application: 0x55AA), from: Self.neighbour)
    let denied = bench.ask(.setStatus, Request.status(os: 4, application: 1), from: machine)
    let wrong = bench.ask(.setStatus, Request.status(os: 8, application: 1), from: Self.neighbour)
    let state = bench.number(.getState, Request.machine(Self.neighbour))

    #expect(error == nil && denied == .denied && wrong == .argumentInvalid)
    #expect(
      bench.told(.primary).map(\.payload) == [
        Payload().adding(UInt16(5), 0).adding(UInt8(3), 4).adding(UInt16(0x55AA)).bytes
      ]
    )
    #expect(bench.told(machine).isEmpty)
    #expect(state == 0x55AA_0403)
  }

  @Test("the state of oneself, a peer, a stranger and nobody")
  func getState() {
    let bench = ManagerBench()
    let machine = bench.machine(in: .load)

    #expect(bench.number(.getState, Request.machine(VMID(0))) == 3)
    #expect(bench.number(.getState, Request.machine(.primary), from: Self.neighbour) == 3)
    #expect(bench.number(.getState, Request.machine(machine)) == 5)
    #expect(bench.ask(.getState, Request.machine(machine), from: Self.neighbour) == .denied)
    #expect(bench.ask(.getState, Request.machine(VMID(0x9F))) == .noResource)
    #expect(bench.ask(.getState, [0]) == .messageInvalid)
  }

  @Test("one's own number, owner and peers")
  func whoAmI() {
    let bench = ManagerBench()
    let machine = bench.machine(in: .running)

    #expect(bench.number(.getVMID, []) == 3)
    #expect(bench.number(.getVMID, [], from: machine) == 0x80)
    #expect(bench.number(.getOwner, []) == 0xFF)
    #expect(bench.number(.getOwner, [], from: machine) == 3)
    #expect(bench.payload(.getPeers, []) == Payload().adding(UInt32(0), 2, 5, 0x80).bytes)
    #expect(bench.ask(.getVMID, [0]) == .messageInvalid)
    #expect(bench.ask(.getOwner, [0]) == .messageInvalid)
    #expect(bench.ask(.getPeers, [0]) == .messageInvalid)
  }

  @Test("resources are entries of 44 bytes, each side's own")
  func resources() {
    let bench = ManagerBench()
    let machine = bench.machine(in: .initial)
    var configuration = MachineConfiguration()
    let vcpu = MachineResource(
      holder: .primary,
      partner: machine,
      kind: .virtualCPU,
      label: 0,
      capability: 0x1122_3344_5566,
      interrupt: 40
    )
    var bell = vcpu
    (bell.holder, bell.partner, bell.kind) = (machine, .primary, .doorbell)
    configuration.resources = [vcpu, bell]
    bench.host.configurations[machine] = configuration

    let early = bench.ask(.getResources, Request.machine(machine))
    _ = bench.ask(.initialize, Request.machine(machine))
    let reply = bench.payload(.getResources, Request.machine(machine))
    _ = bench.ask(.start, Request.machine(machine))
    let bells = bench.payload(.getResources, Request.machine(.primary), from: machine)

    let entry = Payload().adding(UInt32(0), 1).adding(UInt8(4), 0).adding(machine.rawValue).adding(UInt32(0), 0)
      .adding(UInt64(0x1122_3344_5566)).adding(UInt32(40), 40).adding(UInt64(0), 0).bytes
    #expect(early == .noResource)
    #expect(reply == entry && entry.count == 8 + 44)
    #expect(bells.count == 8 + 44 && bells[8] == 1)
    #expect(
      bench.payload(.getResources, Request.machine(machine), from: Self.neighbour) == [UInt8](repeating: 0, count: 8)
    )
    #expect(bench.ask(.getResources, Request.machine(VMID(0x9F))) == .argumentInvalid)
  }

  private static let states: [MachineState] = [
    .load, .initial, .authentication, .ready, .running, .exited, .initializationFailed, .reset,
  ]

  @Test(
    "statement 20: a made machine that is lost in any state can be reset, and its memory taken back",
    arguments: states
  )
  func lostInAnyState(state: MachineState) {
    let bench = ManagerBench()
    let machine = bench.machine(in: state)

    bench.manager.gone(machine)
    let after = bench.manager.state(of: machine)
    let needsReset = after != .load && after != .reset
    let reset = needsReset ? bench.ask(.reset, Request.machine(machine)) : nil
    let others = [bench.ask(.reclaim, Request.handle(1)), bench.ask(.deallocate, Request.machine(machine))]

    #expect(reset == nil && others == [nil, nil])
    #expect(bench.host.existing == [.primary, Self.neighbour])
    bench.check()
  }

  @Test(
    "statement 20: with the primary machine gone, those that run go on, the others are taken away",
    arguments: states
  )
  func ownerGone(state: MachineState) {
    let bench = ManagerBench()
    let machine = bench.machine(in: state)
    _ = bench.told(Self.neighbour)

    bench.host.lose(.primary)
    bench.manager.gone(.primary)
    bench.check()
    let isThere = bench.host.existing.contains(machine)
    bench.manager.exited(machine, .off)

    #expect(isThere == (state == .running))
    #expect(bench.states(of: .primary, toldTo: Self.neighbour) == [9])
    #expect(bench.host.existing == [Self.neighbour])
    #expect(bench.manager.parcelReports.isEmpty)
    #expect(bench.ask(.getPeers, [], from: Self.neighbour) == nil)
  }

  @Test("statement 20: a machine that runs only in its owner's calls ends with it")
  func proxyEndsWithOwner() {
    let bench = ManagerBench()
    let machine = bench.machine(in: .initial)
    var configuration = MachineConfiguration()
    configuration.isProxyScheduled = true
    bench.host.configurations[machine] = configuration
    _ = bench.ask(.initialize, Request.machine(machine))
    _ = bench.ask(.start, Request.machine(machine))

    bench.host.lose(.primary)
    bench.manager.gone(.primary)

    #expect(bench.host.existing == [Self.neighbour])
  }

  @Test("a machine with the number of one that is gone has no right to what was meant for that one")
  func numberIsUsedAgain() {
    let bench = ManagerBench()
    let (machine, image) = bench.make()
    _ = bench.ask(.deallocate, Request.machine(machine))
    let again = bench.number(.allocate, Request.machine(VMID(0)))

    let error = bench.ask(.configureImage, Request.configure(machine, handle: image))

    #expect(again == UInt32(machine.rawValue))
    #expect(error == .memoryInvalid)
    #expect(bench.ask(.reclaim, Request.handle(image)) == nil)
    bench.check()
  }

  @Test("statement 20: a borrower that is gone gives back, and a lender that is gone leaves the borrower its memory")
  func parcelsOfThoseThatAreGone() {
    let bench = ManagerBench()
    let range = (ManagerBench.memory.start, UInt64(0x1000))
    let back = (ManagerBench.neighboursMemory.start, UInt64(0x1000))
    let lent = bench.number(.lend, Request.parcel([(Self.neighbour, .all)], [range])) ?? 0
    let other = bench.number(.lend, Request.parcel([(.primary, .all)], [back]), from: Self.neighbour) ?? 0
    _ = bench.ask(.accept, Request.accept(lent), from: Self.neighbour)
    _ = bench.ask(.accept, Request.accept(other))

    bench.host.lose(Self.neighbour)
    bench.manager.gone(Self.neighbour)
    bench.check()
    let reclaimed = bench.ask(.reclaim, Request.handle(lent))
    let kept = bench.manager.parcelReports.map(\.handle)
    let stolen = bench.ask(.reclaim, Request.handle(other))
    let released = bench.ask(.release, Request.handle(other))

    #expect(reclaimed == nil)
    #expect(kept == [other])
    #expect(stolen == .denied)
    #expect(released == nil)
    #expect(bench.manager.parcelReports.isEmpty)
    bench.check()
  }
}
