import Apus
import ApusGuest
import ApusTesting
import Glibc
import GuestSupport
import Gunyah
import GunyahSupport
import ResourceManagerTesting
import TestSupport
import Testing

@Suite("Lives of Gunyah's machines", .requiresKVM, .ownThread)
struct GunyahLifeTests {
  @Test("7: two vCPUs send to one queue at once, and every message comes once, in its sender's order, without a stall")
  func twoSenders() async throws {
    let count = UInt64(Effort.cases(500_000) / (Effort.isBrief ? 25 : 1))
    let devices: [SecondaryPuppet.Device] = [.init("queue", "message-queue-pair", label: 7)]
    try await GunyahMachine.bootPair(cpus: 3, devices: devices) { client, other, machine in
      let (puppet, buffer) = (client.puppet, GunyahMachine.memory + 0x80_0000)
      let end = try #require(machine.resource(.messageQueueSender, 7))
      let theirs = try #require(await GunyahCallTests.pair(other, label: 7))
      try await other.enable(interrupt: theirs.interrupts[1])
      for sender in [1, 2] as [UInt64] {
        #expect(try await puppet.start(processor: sender) == 0)
        let numbers = [end.capability, buffer + sender * 0x1000, 240, count, sender << 56]
        try await puppet.post("ms " + numbers.map { String($0, radix: 16) }.joined(separator: " "), to: sender)
      }
      let numbers = [theirs.capabilities[1], 0x4030_0000, 240, 2 * count] as [UInt64]
      let line = "mr " + numbers.map { String($0, radix: 16) }.joined(separator: " ")
      let received = try await other.numbers(line, within: .seconds(1200))

      let frequency = try await puppet.numbers("a")[2]
      #expect(received[0] == 2 * count && received[1] == 0 && received[3] == 0, "\(received)")
      #expect(received[5] < frequency, "the longest gap")
      for sender in [1, 2] as [UInt64] {
        let sent = try await puppet.answer(of: sender)
        #expect(sent[0] == count && sent[2] == 0 && sent[4] < frequency, "\(sent)")
      }
      print("gunyah: \(2 * count) messages in \(received[4] * 1000 / frequency) ms")
    }
  }

  /// How many of something this process has.
  private static func entries(of folder: String) -> Int {
    // SAFETY: the folder's text holds for the call, and the stream is this function's own.
    guard let stream = unsafe opendir(folder) else { return -1 }
    defer { unsafe closedir(stream) }
    var count = 0
    while unsafe readdir(stream) != nil { count += 1 }
    return count
  }

  @Test("11: machines live and end again and again; each state is told once, and nothing is left of them")
  func lives() async throws {
    let tree = try SecondaryPuppet.tree(
      gic: KVMHost.interruptControllers[0],
      devices: [.init("bell", "doorbell", label: 3)]
    )
    let rounds = Effort.isBrief ? 4 : 100
    try await GunyahMachine.boot(trees: [tree]) { puppet, _ in
      let client = try await RMClient(puppet)
      let extra = GunyahMachine.memory + 0x80_0000
      var left: [[Int]] = []
      for round in 0..<rounds {
        let vmid = try await client.allocate()
        let lent = try await client.parcel(.lend, [(vmid, .all)], [(extra, 0x20_0000)])
        let access: [(VMID, MemoryRights)] = [(.primary, .all), (vmid, .all)]
        let shared = try await client.parcel(.share, access, [(extra + 0x20_0000, 0x1000)])
        let machine = try await SecondaryPuppet(client, vmid, memory: GunyahMachine.memory)
        let other = try await machine.start(client)
        let theirs = try await RMClient(other)
        try await theirs.success(.accept, Request.accept(shared, transfer: 2, ranges: [(0x9000_0000, 0x1000)]))
        _ = try await other.store(UInt64(round), at: 0x9000_0000)
        #expect(try await puppet.load(extra + 0x20_0000) == .done(UInt64(round)))
        let bell = try #require(machine.resource(.doorbellSource, 3))
        #expect(try await puppet.call(Call.bellSend, bell.capability, 1)[..<2] == [0, 0])
        try await other.end()
        _ = try await client.notification(.machineExited)
        try await client.success(.reset, Request.machine(vmid))
        #expect(
          try await client.takeStates(of: vmid) == [.initial, .ready, .running, .exited, .resetting, .reset]
        )
        for handle in [lent, shared, machine.handle] { try await client.success(.reclaim, Request.handle(handle)) }
        try await client.success(.deallocate, Request.machine(vmid))
        #expect(try await puppet.load(extra).exceptionClass == nil)
        #expect(try await puppet.call(Call.bellSend, bell.capability, 1)[0] == 51)
        left.append([Self.entries(of: "/proc/self/fd"), Self.entries(of: "/proc/self/task")])
      }
      // Other tests run in this process, too, where it has the processors for it.
      #expect(left.suffix(2).contains { $0[0] <= left[0][0] + 2 && $0[1] <= left[0][1] + 2 }, "\(left)")
    }
  }

  @Test("11: a machine that was reset is configured and started again")
  func again() async throws {
    try await GunyahMachine.bootPair { client, other, machine in
      try await other.end()
      _ = try await client.notification(.machineExited)
      try await client.success(.reset, Request.machine(machine.vmid))
      _ = try await client.notification(.machineStatus) { $0[4] == MachineState.reset.rawValue }
      try await client.success(.reclaim, Request.handle(machine.handle))

      let second = try await SecondaryPuppet(client, machine.vmid, memory: GunyahMachine.memory)
      let puppet = try await second.start(client)
      #expect(try await puppet.call(Call.identify)[1] == 0x866)
    }
  }

  @Test("19: four ranges lent to a machine that takes no interrupt are one range of its own, and come back")
  func polling() async throws {
    let tree = try SecondaryPuppet.tree(gic: nil)
    try await GunyahMachine.boot(trees: [tree]) { puppet, _ in
      let client = try await RMClient(puppet)
      let machine = try await SecondaryPuppet(client, memory: GunyahMachine.memory)
      let other = try await machine.start(client)
      let theirs = try await RMClient(other)
      let start = GunyahMachine.memory + 0x80_0000
      let ranges = [3, 0, 6, 1].map { (start + $0 * 0x20_0000, UInt64(0x8_0000)) }
      for (index, range) in ranges.enumerated() { _ = try await puppet.store(UInt64(index) + 1, at: range.0) }
      let handle = try await client.parcel(.lend, [(machine.vmid, .all)], ranges, label: 0x99)

      let accept = Request.accept(handle, flags: 128 | 16 | 4, label: 0x99)
      let reply = try await theirs.success(.accept, accept)
      #expect(reply.word() & 0xFFFF == 1 && reply.payload.count == 4 + 16)
      let place: UInt64 = Payload.number(reply.payload, at: 4)
      #expect(place % 0x20_0000 == 0 && Payload.number(reply.payload, at: 12) == UInt64(0x20_0000))
      for index in 0..<4 as Range<UInt64> {
        #expect(try await other.load(place + index * 0x8_0000) == .done(index + 1))
      }
      try await theirs.success(.release, Request.handle(handle))
      try await client.success(.reclaim, Request.handle(handle))
      #expect(try await puppet.load(ranges[0].0) == .done(1))
    }
  }

  @Test("20: who sends to, receives from or rings a machine that is killed and reset has an answer, and never hangs")
  func killed() async throws {
    let devices: [SecondaryPuppet.Device] = [
      .init("queue", "message-queue-pair", label: 7), .init("bell", "doorbell", label: 3),
    ]
    try await GunyahMachine.bootPair(cpus: 2, devices: devices) { client, other, machine in
      let puppet = client.puppet
      let send = try #require(machine.resource(.messageQueueSender, 7)).capability
      let receive = try #require(machine.resource(.messageQueueReceiver, 7)).capability
      let bell = try #require(machine.resource(.doorbellSource, 3)).capability
      #expect(try await puppet.start(processor: 1) == 0)
      let numbers = [receive, GunyahMachine.memory + 0x80_0000, 240, 10]
      try await puppet.post("mr " + numbers.map { String($0, radix: 16) }.joined(separator: " "), to: 1)
      let theirs = try #require(await GunyahCallTests.pair(other, label: 7)).capabilities[0]
      // The machine is killed while it waits for room.
      let flood = [theirs, 0x4030_0000, 240, 1_000_000].map { String($0, radix: 16) }.joined(separator: " ")
      try await other.end("ms \(flood)")
      let first = try await puppet.answer(of: 1)
      #expect(first[0] == 10 && first[1] == 0)
      try await puppet.post("mr " + numbers.map { String($0, radix: 16) }.joined(separator: " "), to: 1)
      _ = try await puppet.answer(of: 1)

      try await client.success(.stop, Request.stop(machine.vmid, force: true))
      var errors: [UInt64] = []
      for _ in 0..<9 { errors.append(try await puppet.send([1], to: send)[0]) }
      #expect(errors.last == 61)
      try await puppet.post(
        "mr " + [receive, numbers[1], 240, 100].map { String($0, radix: 16) }.joined(separator: " "),
        to: 1
      )
      try await client.success(.reset, Request.machine(machine.vmid))
      let last = try await puppet.answer(of: 1)
      #expect([50, 51].contains(last[3]), "\(last)")
      for call in [
        try await puppet.call(Call.send, send, 8, numbers[1]),
        try await puppet.call(Call.receive, receive, numbers[1], 240),
        try await puppet.call(Call.bellSend, bell, 1),
      ] {
        #expect([50, 51].contains(call[0]))
      }
      #expect(try await client.state(of: machine.vmid) == .reset)
    }
  }

  @Test("20: a primary machine that ends takes its machines with it, whatever they do")
  func primaryEnds() async throws {
    let run = try await GunyahMachine.bootPair(endsItself: true) { client, other, machine in
      let flood = [0x8600_FF01, 0, 0, 0, 0].map { String($0, radix: 16) }.joined(separator: " ")
      try await other.end("h \(flood)")
      try await client.puppet.end()
    }

    #expect(run.outcome.end == .poweredOff)
  }

  @Test("21: two machines of four vCPUs find queue, doorbell and shared memory by their labels, and talk")
  func labels() async throws {
    let place: UInt64 = 0x9000_0000
    let devices: [SecondaryPuppet.Device] = [
      .init("queue", "message-queue-pair", label: 7), .init("to", "doorbell", label: 3),
      .init("from", "doorbell-source", label: 4), .init("shared", "shm", label: 9, memory: place),
    ]
    let gic = KVMHost.interruptControllers[0]
    let tree = try SecondaryPuppet.tree(cpus: 4, gic: gic, devices: devices)
    try await GunyahMachine.boot(cpus: 4, trees: [tree]) { puppet, _ in
      let client = try await RMClient(puppet)
      let vmid = try await client.allocate()
      let shared = GunyahMachine.memory + 0x80_0000
      let access: [(VMID, MemoryRights)] = [(.primary, .all), (vmid, .all)]
      _ = try await client.parcel(.share, access, [(shared, 0x1000)], label: 9)
      let machine = try await SecondaryPuppet(client, vmid, memory: GunyahMachine.memory)
      let other = try await machine.start(client)
      let queue = try #require(await GunyahCallTests.pair(other, label: 7))
      let hears = try #require(await GunyahCallTests.node(other, "qcom,gunyah-doorbell", label: 3))
      let rings = try #require(await GunyahCallTests.node(other, "qcom,gunyah-doorbell-source", label: 4))
      #expect(try await GunyahCallTests.node(other, "qcom,shared-memory", label: 9) != nil)
      for processor in [1, 2, 3] as [UInt64] {
        #expect(try await other.start(processor: processor) == 0)
        #expect(try await puppet.start(processor: processor) == 0)
      }

      // Each vCPU of one machine adds to what all vCPUs of both see.
      for processor in [1, 2, 3] as [UInt64] {
        try await other.post("x \(String(place, radix: 16))", to: processor)
        try await puppet.post("x \(String(shared, radix: 16))", to: processor)
        _ = try await other.answer(of: processor)
        _ = try await puppet.answer(of: processor)
      }
      #expect(try await puppet.load(shared) == .done(6))
      #expect(try await other.load(place) == .done(6))

      try await other.enable(interrupt: hears.interrupts[0])
      let source = try #require(machine.resource(.doorbellSource, 3)).capability
      #expect(try await puppet.numbers("bs \(String(source, radix: 16)) 1 1")[0] == 1)
      #expect(try await other.interrupts(hears.interrupts[0], reaching: 1, milliseconds: 2000) == 1)
      let mine = try #require(machine.resource(.doorbell, 4))
      try await puppet.enable(interrupt: UInt64(mine.interrupt))
      #expect(try await other.call(Call.bellSend, rings.capabilities[0], 1)[0] == 0)
      #expect(try await puppet.interrupts(UInt64(mine.interrupt), reaching: 1, milliseconds: 2000) == 1)
      let send = try #require(machine.resource(.messageQueueSender, 7)).capability
      #expect(try await puppet.send([1, 2], to: send) == [0, 1])
      #expect(try await other.receive(from: queue.capabilities[1]).message == [1, 2])
    }
  }

  @Test("a machine that its owner schedules stops at each access to a device, and goes on with the owner's answer")
  func proxy() async throws {
    let tree = try SecondaryPuppet.tree(gic: KVMHost.interruptControllers[0], affinity: "proxy")
    try await GunyahMachine.boot(trees: [tree]) { puppet, _ in
      let client = try await RMClient(puppet)
      let machine = try await SecondaryPuppet(client, memory: GunyahMachine.memory)
      let vcpu = try #require(machine.resources.first { $0.kind == .virtualCPU })
      let interrupt = UInt64(vcpu.interrupt)
      try await puppet.enable(interrupt: interrupt)
      let other = try await machine.start(client)
      #expect(vcpu.label == 0 && vcpu.interrupt >= 32)
      let before = try await puppet.interrupts(interrupt)
      #expect(try await puppet.call(Call.vcpuRun, vcpu.capability)[..<2] == [0, 1])

      try await other.end("l 4 a000000")
      #expect(try await puppet.interrupts(interrupt, reaching: before + 1, milliseconds: 5000) == before + 1)
      #expect(try await puppet.call(Call.vcpuRun, vcpu.capability) == [0, 4, 0xA00_0000, 4, 0])
      #expect(try await puppet.call(Call.vcpuRun, vcpu.capability, 0x1234)[..<2] == [0, 1])
      #expect(try await other.answer() == ["ok", "1234"])
      try await other.end("t 2 a000010 77")
      #expect(try await puppet.interrupts(interrupt, reaching: before + 2, milliseconds: 5000) == before + 2)
      #expect(try await puppet.call(Call.vcpuRun, vcpu.capability) == [0, 5, 0xA00_0010, 2, 0x77])
      #expect(try await puppet.call(Call.vcpuRun, vcpu.capability)[..<2] == [0, 1])
      #expect(try await other.answer().first == "ok")
      try await other.end()
      #expect(try await puppet.interrupts(interrupt, reaching: before + 3, milliseconds: 5000) >= before + 3)
      #expect(try await puppet.call(Call.vcpuRun, vcpu.capability)[..<3] == [0, 2, 1])
      _ = try await client.notification(.machineExited)
    }
  }

  @Test("20, 21: two machines of a fleet talk by what their labels lead to, and one that is stopped leaves answers")
  func fleet() async throws {
    let machines = try ["one", "two"].map { name in
      var configuration = try BareMetalTests.configuration("puppet", .bin, cpus: 2)
      configuration.personality = .gunyah
      configuration.name = name
      return configuration
    }
    var shared = GunyahConfiguration()
    shared.queues = [.init(label: 7, machines: ["one", "two"])]
    shared.doorbells = [.init(label: 3, source: "two", receiver: "one")]
    let fleet = try Fleet(.init(machines: machines, gunyah: shared))
    let consoles = fleet.machines.map { ConsoleTranscript($0.console) }
    fleet.start()
    let one = try await Puppet(consoles[0])
    let two = try await Puppet(consoles[1])
    #expect(try await RMClient(one).success(.getVMID).word() == 3)
    let second = try await RMClient(two).success(.getVMID).word()
    #expect(4...31 ~= second)

    let ends = [
      try #require(await GunyahCallTests.pair(one, label: 7)), try #require(await GunyahCallTests.pair(two, label: 7)),
    ]
    #expect(Set(ends.flatMap(\.capabilities)).count == 4)
    let plans = ["one", "two"].map { fleet.plan.machines[$0]?.gunyah }
    // The guest tells the GIC's numbers, in which shared interrupts begin at 32.
    let planned: [[UInt64]?] = plans.map { plan in plan?.queues[0].interrupts.map { UInt64($0) + 32 } }
    #expect(ends.map(\.interrupts) == planned)
    try await two.enable(interrupt: ends[1].interrupts[1])
    #expect(try await one.send([1, 2, 3], to: ends[0].capabilities[0]) == [0, 1])
    #expect(try await two.interrupts(ends[1].interrupts[1], reaching: 1, milliseconds: 2000) == 1)
    #expect(try await two.receive(from: ends[1].capabilities[1]).message == [1, 2, 3])
    #expect(try await two.send([4], to: ends[1].capabilities[0]) == [0, 1])
    #expect(try await one.receive(from: ends[0].capabilities[1]).message == [4])
    let hears = try #require(await GunyahCallTests.node(one, "qcom,gunyah-doorbell", label: 3))
    let rings = try #require(await GunyahCallTests.node(two, "qcom,gunyah-doorbell-source", label: 3))
    let plannedBell: UInt64? = plans[0]?.doorbells[0].interrupt.map { UInt64($0) + 32 }
    #expect(hears.interrupts.first == plannedBell)
    try await one.enable(interrupt: hears.interrupts[0])
    #expect(try await two.call(Call.bellSend, rings.capabilities[0], 6)[..<2] == [0, 0])
    #expect(try await one.interrupts(hears.interrupts[0], reaching: 1, milliseconds: 2000) == 1)
    #expect(try await one.call(Call.bellReceive, hears.capabilities[0], .max)[..<2] == [0, 6])

    fleet.stop("two")
    _ = await fleet.machines[1].outcome
    var errors: [UInt64] = []
    for _ in 0..<9 { errors.append(try await one.send([5], to: ends[0].capabilities[0])[0]) }
    #expect(errors.last.map { [50, 51, 61].contains($0) } == true, "\(errors)")
    #expect([50, 51, 60].contains(try await one.receive(from: ends[0].capabilities[1]).error))
    try await one.end()
    #expect(await fleet.machines[0].outcome.end == .poweredOff)
  }
}
