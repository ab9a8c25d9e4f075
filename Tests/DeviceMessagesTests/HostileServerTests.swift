import Host
import TestSupport
import Testing
import Virtio
import VirtioDevices
import VirtioDriver
import VirtioTesting

@testable import DeviceMessages

/// A device's process that breaks the rules, is silent, or dies.
@Suite("Case 19: a hostile process that serves a device by messages") struct HostileServerTests {
  enum Attack: String, CaseIterable {
    case badTicket, answeredTwice, tooLong, tooLongWithStatus, fewerBytes, moreOfNothing, unknownQueue, unknownKind
    case tooLarge, chainToMe, startToMe, doneUnasked, stateUnasked, secondHello, wrongConfiguration, hugeDisk
    case interleaved

    var fault: MessageFault {
      switch self {
      case .badTicket, .answeredTwice: .badTicket
      case .tooLong, .tooLongWithStatus, .fewerBytes, .wrongConfiguration: .badCount
      case .moreOfNothing: .unexpected(.more)
      case .unknownQueue: .unknownQueue(7)
      case .unknownKind: .unknownKind(999)
      case .tooLarge: .badLength(.complete, .max)
      case .chainToMe: .unexpected(.chain)
      case .startToMe: .unexpected(.start)
      case .doneUnasked: .unexpected(.done)
      case .stateUnasked: .unexpected(.state)
      case .secondHello: .unexpected(.hello)
      case .hugeDisk: .badDevice("a disk of \(UInt64.max) sectors")
      case .interleaved: .unexpected(.configuration)
      }
    }

    func run(_ peer: FakePeer, _ ticket: UInt64) {
      let sector = [UInt8](repeating: 7, count: 512)
      switch self {
      case .badTicket: peer.complete(ticket + 1, used: 0, [])
      case .answeredTwice:
        peer.complete(ticket, used: 513, sector + [0])
        peer.complete(ticket, used: 513, sector + [0])
      case .tooLong: peer.complete(ticket, used: 514, sector + [0, 0])
      case .tooLongWithStatus: peer.complete(ticket, used: 513, last: 0, sector + [0])
      case .fewerBytes: peer.complete(ticket, used: 0, [1])
      case .moreOfNothing: peer.send(.more, ticket: ticket, [1])
      case .unknownQueue: peer.complete(ticket, queue: 7, used: 0, [])
      case .unknownKind: peer.send(FakePeer.frame(999, 0))
      case .tooLarge: peer.send(FakePeer.frame(MessageKind.complete.rawValue, .max))
      case .chainToMe: peer.send(.chain, ticket: ticket, [UInt8](repeating: 1, count: 9))
      case .startToMe: peer.send(.start, [UInt8](repeating: 0, count: 20))
      case .doneUnasked: peer.send(.done, ticket: 77)
      case .stateUnasked: peer.send(.state, [0])
      case .secondHello: peer.send(.hello, MessageHello.block.body)
      case .wrongConfiguration: peer.send(.configuration, [1, 2, 3])
      case .hugeDisk: peer.send(.configuration, [UInt8](repeating: 0xFF, count: 60))
      case .interleaved:
        var body: [UInt8] = []
        body.append(number: UInt64(513))
        peer.send(.complete, ticket: ticket, body + [1])
        peer.send(.configuration, [UInt8](repeating: 0, count: 60))
      }
    }
  }

  @Test("a peer that breaks the rules fails its device, and open requests get an error", arguments: Attack.allCases)
  func attack(_ attack: Attack) throws {
    let fixture = try FakeServerFixture(.block, .block)
    let ticket = fixture.offer()
    #expect(ticket != 0)

    attack.run(fixture.peer, ticket)
    let hasFailed = fixture.loop.turn(until: { fixture.failure != nil })

    #expect(hasFailed)
    #expect(fixture.failure == attack.fault)
    #expect(fixture.driver.needsReset)
    _ = fixture.peer.take()
    #expect(fixture.peer.isClosed)
    let used = fixture.driver.queues[0].takeUsed()
    if attack == .answeredTwice {
      #expect(used == .init(head: 0, written: 513))
    } else {
      #expect(used == .init(head: 0, written: 0))
      #expect(fixture.driver.machine.load8(fixture.driver.scratch + 16) == 1)
    }
    #expect(fixture.driver.queues[0].takeUsed() == nil)
  }

  @Test(arguments: [Attack.badTicket, .unknownQueue, .unknownKind, .doneUnasked, .fewerBytes])
  func aSourceOfEntropyThatLiesFailsItsDeviceToo(attack: Attack) throws {
    let fixture = try FakeServerFixture(.entropy, .entropy)
    let ticket = fixture.offer()

    attack.run(fixture.peer, ticket)

    #expect(fixture.loop.turn(until: { fixture.failure != nil }))
    #expect(fixture.failure == attack.fault)
    #expect(fixture.driver.needsReset)
    #expect(fixture.driver.queues[0].takeUsed() == .init(head: 0, written: 0))
  }

  @Test func aDriverOfAFailedDeviceGetsAnswersStill() throws {
    let fixture = try FakeServerFixture(.block, .block)
    fixture.peer.send(FakePeer.frame(999, 0))
    #expect(fixture.loop.turn(until: { fixture.failure != nil }))

    _ = fixture.offer()
    var used: TestDriver.Queue.Used?
    let isAnswered = fixture.loop.turn {
      used = fixture.driver.queues[0].takeUsed()
    } until: {
      used != nil
    }

    #expect(isAnswered)
    #expect(fixture.driver.machine.load8(fixture.driver.scratch + 16) == 1)
  }

  @Test func aFailedDeviceStaysSoOverASuspensionUntilAReset() throws {
    let fixture = try FakeServerFixture(.block, .block)
    fixture.peer.send(FakePeer.frame(999, 0))
    #expect(fixture.loop.turn(until: { fixture.failure != nil }))

    fixture.device.suspend {}
    fixture.device.resume()

    #expect(fixture.device.state.value.phase == .failed)
    fixture.driver.machine.driver.reset()
    #expect(fixture.device.state.value.phase != .failed)
  }

  @Test func answersOfAnEarlierEpochAreDropped() throws {
    let fixture = try FakeServerFixture(.block, .block)
    let ticket = fixture.offer()
    fixture.driver.start()
    let at = fixture.driver.scratch + 0x1000
    let before = fixture.driver.machine.bytes(at: at, count: 512)

    fixture.peer.complete(ticket, used: 513, [UInt8](repeating: 7, count: 513))
    fixture.loop.turn(milliseconds: 20)

    #expect(fixture.failure == nil)
    #expect(!fixture.driver.needsReset)
    #expect(fixture.device.state.value.late == 1)
    #expect(firstDifference(fixture.driver.machine.bytes(at: at, count: 512), before) == nil)
    #expect(fixture.driver.queues[0].takeUsed() == nil)
    // And the present epoch's are not.
    let next = fixture.offer()
    fixture.peer.complete(next, used: 513, [UInt8](repeating: 9, count: 512) + [0])
    var used: TestDriver.Queue.Used?
    #expect(
      fixture.loop.turn {
        used = fixture.driver.queues[0].takeUsed()
      } until: {
        used != nil
      }
    )
    #expect(used == .init(head: 0, written: 513))
    #expect(fixture.driver.machine.load8(at) == 9)
  }

  @Test func anAnswerInTheMiddleOfWhichTheDriverResetsLeavesNothing() throws {
    let fixture = try FakeServerFixture(.block, .block)
    let ticket = fixture.offer()
    var body: [UInt8] = []
    body.append(number: UInt64(513))
    let bytes = FakePeer.frame(MessageKind.complete.rawValue, 521, ticket: ticket) + body + [1]
    fixture.peer.send(bytes)
    fixture.loop.turn(milliseconds: 5)
    // The rest of the frame, and then the end of the reset.
    fixture.answers = false
    var isFirst = true
    let (peer, loop) = (fixture.peer, fixture.loop)
    fixture.thread.whileWaiting = {
      for frame in peer.take() where frame.kind == .reset {
        if isFirst { peer.send([UInt8](repeating: 7, count: 512)) }
        isFirst = false
        peer.send(.done, ticket: frame.ticket)
      }
      loop.turn()
    }

    fixture.driver.machine.driver.reset()

    #expect(!isFirst)
    #expect(fixture.failure == nil)
    let at = fixture.driver.scratch + 0x1000
    #expect(fixture.driver.machine.bytes(at: at, count: 4) == [1, 0, 0, 0])
  }

  @Test(arguments: [false, true]) func silenceAtARequestEndsInAFailedDevice(isAmidFrame: Bool) throws {
    let fixture = try FakeServerFixture(.block, .block)
    _ = fixture.offer()
    if isAmidFrame { fixture.peer.send([1, 2, 3]) }

    let hasFailed = fixture.loop.turn(until: { fixture.failure != nil }, within: .seconds(5))

    #expect(hasFailed)
    #expect(fixture.failure == .silent(isAmidFrame ? "the rest of a frame" : "ping"))
    #expect(fixture.driver.needsReset)
    #expect(fixture.driver.queues[0].takeUsed()?.head == 0)
  }

  @Test func aResetThatIsNotAnsweredEndsAllTheSame() throws {
    let fixture = try FakeServerFixture(.block, .block)
    let ticket = fixture.offer()
    fixture.answers = false
    let start = HostClock.monotonic

    fixture.driver.machine.driver.reset()

    #expect(HostClock.monotonic - start < 3_000_000_000)
    #expect(fixture.failure == .silent("reset"))
    fixture.peer.complete(ticket, used: 513, [UInt8](repeating: 7, count: 513))
    fixture.loop.turn(milliseconds: 20)
    #expect(fixture.driver.machine.load8(fixture.driver.scratch + 0x1000) == 0)
  }

  @Test func aFloodOfConfigurationsIsAFewInterrupts() throws {
    let fixture = try FakeServerFixture(.block, .block, deadline: .seconds(5))
    let before = fixture.driver.machine.line.count
    let start = HostClock.monotonic
    var bytes = [UInt8](repeating: 0, count: 60)
    for round in 0..<2000 {
      bytes[0] = UInt8(truncatingIfNeeded: round)
      fixture.peer.send(.configuration, ticket: 1, bytes)
      if round % 100 == 0 { fixture.loop.turn() }
    }
    bytes[0] = 77
    fixture.peer.send(.configuration, ticket: 1, bytes)

    let isApplied = fixture.loop.turn(until: { fixture.device.configuration.load(0, as: UInt8.self) == 77 })

    #expect(isApplied)
    let pauses = Int((HostClock.monotonic - start) / 10_000_000)
    #expect(fixture.driver.machine.line.count - before <= pauses + 2)
    #expect(fixture.failure == nil)
  }

  @Test func aDeadPeerWithoutSuccessorIsAnIOErrorAfterAWhile() throws {
    let gone = try FakeServerFixture(.block, .block)
    _ = gone.offer()
    gone.peer.close()

    let isOffline = gone.loop.turn(until: { gone.events.contains(.offline) }, within: .seconds(5))

    #expect(isOffline)
    #expect(gone.events.first == .lost(.gone))
    #expect(gone.driver.queues[0].takeUsed() == .init(head: 0, written: 0))
    #expect(gone.driver.machine.load8(gone.driver.scratch + 16) == 1)
    #expect(!gone.driver.needsReset)
  }

  @Test(arguments: [
    ([UInt8]([2]), MessageFault.version(2)), ([UInt8]([0]), MessageFault.version(0)),
  ]) func anotherVersionIsRefused(first: [UInt8], fault: MessageFault) {
    var body = MessageHello.block.body
    body[0] = first[0]
    #expect(throws: fault) { try MessageHello(body: body) }
  }

  @Test func liesAboutADeviceAreRefused() throws {
    func expectRefusal(_ type: VirtioDeviceIdentifier = .block, _ change: (inout MessageHello) -> Void) {
      var hello = MessageHello.block
      change(&hello)
      #expect(throws: MessageFault.self) { try MessageHello(body: hello.body).check(type) }
    }
    try MessageHello(body: MessageHello.block.body).check(.block)
    expectRefusal { $0.identifier = 4 }
    expectRefusal { $0.features = VirtioFeatures(bit: 0) }
    expectRefusal { $0.features = VirtioFeatures(bit: 63) }
    expectRefusal { $0.queueSizes = [] }
    expectRefusal { $0.queueSizes = [3] }
    expectRefusal { $0.queueSizes = [2048] }
    expectRefusal { $0.queueSizes = Array(repeating: 128, count: 17) }
    expectRefusal { $0.configuration = [UInt8](repeating: 0xFF, count: 60) }
    expectRefusal { $0.configuration = [] }
    expectRefusal { $0.credit = 0 }
    expectRefusal { $0.granule = 0 }
    expectRefusal { $0.granule = 1 << 30 }
    expectRefusal(.entropy) { _ in }
    var forbidden = MessageHello.block
    forbidden.features = .accessPlatform
    #expect(try MessageHello(body: forbidden.body).features == [])
  }

  @Test func anyBytesAtAllAreADeviceOrAnError() {
    var random = SplitMix64(seed: UInt64.random(in: 0...UInt64.max))
    for _ in 0..<2000 {
      var body = MessageHello.block.body
      for _ in 0..<Int.random(in: 1...4, using: &random) {
        body[Int.random(in: 0..<body.count, using: &random)] = UInt8.random(in: 0...255, using: &random)
      }
      if Bool.random(using: &random) { body.removeLast(Int.random(in: 0...body.count, using: &random)) }
      if let hello = try? MessageHello(body: body) { try? hello.check(.block) }
    }
  }
}

/// Death and return.
@Suite struct ReturningServerTests {
  private func read(_ fixture: MessagesFixture) {
    let at = fixture.driver.scratch
    fixture.driver.machine.store64(0, at: at)
    fixture.driver.machine.store64(3, at: at + 8)
    fixture.driver.request([
      .init(at, 16, isWritable: false), .init(at + 0x1000, 512, isWritable: true), .init(at + 16, 1, isWritable: true),
    ])
  }

  @Test func anOpenRequestOfADiskIsDoneByTheNextProcess() throws {
    let first = MemoryBlock(sectors: 64)
    first.isDeferred = true
    let fixture = try MessagesFixture(.block, BlockDevice(name: "disk", backend: first))
    read(fixture)
    #expect(fixture.loop.turn(until: { first.inFlight == 1 }))

    fixture.killServer()
    #expect(fixture.loop.turn(until: { fixture.log.events.contains(.lost(.gone)) }))
    let second = MemoryBlock(sectors: 64)
    try fixture.serve(BlockDevice(name: "disk", backend: second))
    var used: TestDriver.Queue.Used?
    let isAnswered = fixture.loop.turn {
      used = fixture.driver.queues[0].takeUsed()
    } until: {
      used != nil
    }

    #expect(isAnswered)
    #expect(used == .init(head: 0, written: 513))
    #expect(fixture.log.events == [.lost(.gone), .returned])
    #expect(second.calls.first == .read(offset: 3 * 512, count: 512))
    let data = fixture.driver.machine.bytes(at: fixture.driver.scratch + 0x1000, count: 512)
    #expect(firstDifference(data, second.bytes[3 * 512..<4 * 512]) == nil)
  }

  @Test func aHundredDeathsUnderLoadLoseNothing() throws {
    var backend = MemoryBlock(sectors: 64)
    let fixture = try MessagesFixture(.block, BlockDevice(name: "disk", backend: backend))
    for round in 0..<100 {
      backend.isDeferred = round % 2 == 0
      read(fixture)
      if round % 3 == 0 { fixture.loop.turn() }
      fixture.killServer()
      if round % 5 == 0 { fixture.loop.turn() }
      backend = MemoryBlock(sectors: 64)
      backend.bytes[3 * 512] = UInt8(round)
      try fixture.serve(BlockDevice(name: "disk", backend: backend))
      var used: TestDriver.Queue.Used?
      let isAnswered = fixture.loop.turn {
        used = fixture.driver.queues[0].takeUsed()
      } until: {
        used != nil
      }
      #expect(isAnswered, "round \(round)")
      #expect(used == .init(head: 0, written: 513), "round \(round)")
      #expect(fixture.driver.queues[0].takeUsed() == nil, "round \(round)")
    }
    #expect(!fixture.driver.needsReset)
  }

  @Test func aLesserProcessIsRefusedWithAMessage() throws {
    let backend = MemoryBlock(sectors: 64)
    backend.isDeferred = true
    let fixture = try MessagesFixture(.block, BlockDevice(name: "disk", backend: backend))
    read(fixture)
    #expect(fixture.loop.turn(until: { backend.inFlight == 1 }))

    fixture.killServer()
    try fixture.serve(BlockDevice(name: "disk", backend: MemoryBlock(sectors: 32)))
    let hasFailed = fixture.loop.turn(until: { fixture.driver.needsReset })

    #expect(hasFailed)
    #expect(fixture.log.events.last == .failed(.badDevice("its configuration space is another one")))
    #expect(fixture.driver.queues[0].takeUsed()?.head == 0)
  }

  @Test func aDriverStartsAgainWithTheNextProcess() throws {
    let fixture = try MessagesFixture(.entropy, EntropyDevice(name: "rng", source: CountingEntropy()))
    fixture.killServer()
    #expect(fixture.loop.turn(until: { !fixture.log.events.isEmpty }))
    fixture.driver.start()
    fixture.driver.request([.init(fixture.driver.scratch, 4, isWritable: true)])

    try fixture.serve(EntropyDevice(name: "rng", source: CountingEntropy()))
    var used: TestDriver.Queue.Used?
    let isAnswered = fixture.loop.turn {
      used = fixture.driver.queues[0].takeUsed()
    } until: {
      used != nil
    }

    #expect(isAnswered)
    #expect(fixture.driver.machine.bytes(at: fixture.driver.scratch, count: 4) == [1, 2, 3, 4])
  }
}
