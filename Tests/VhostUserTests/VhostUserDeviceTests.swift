import Glibc
import Host
import TestLimits
import TestSupport
import Testing
import VhostUserTesting
import Virtio
import VirtioDriver
import VirtioMMIO
import VirtioTesting

@testable import VhostUser

/// Those in which Apus reads the guest's rings.
let modes: [VhostUserMode] = [.inPlace, .bounced]

extension VhostUserMode {
  static let all: [VhostUserMode] = [.inPlace, .bounced, .direct]
}

@Suite(.timeLimit(.minutes(5))) struct VhostUserDeviceTests {
  @Test(arguments: modes) func aRequestGoesToTheBackEndAndComesBack(mode: VhostUserMode) throws {
    let fixture = try RemoteFixture(mode)

    fixture.request([1, 2, 3, 4, 5])
    let used = fixture.takeUsed()

    #expect(used == .init(head: 0, written: 5))
    #expect(fixture.answer(5) == [5, 4, 3, 2, 1])
    #expect(fixture.machine.faults == [])
  }

  @Test(arguments: modes) func manyRequestsOfAllShapesComeBackAsTheyShould(mode: VhostUserMode) throws {
    let fixture = try RemoteFixture(mode)
    var random = SplitMix64(seed: 7)

    for _ in 0..<Effort.cases(2000) {
      let count = Int.random(in: 1...8, using: &random)
      var texts: [[UInt8]] = []
      for number in 0..<count {
        let size = Int.random(in: 1...2048, using: &random)
        texts.append((0..<size).map { _ in UInt8.random(in: 0...255, using: &random) })
        fixture.request(texts[number], number: number)
      }
      for _ in 0..<count {
        let used = try #require(fixture.takeUsed())
        let number = Int(used.head) / 2
        #expect(Int(used.written) == texts[number].count)
        #expect(fixture.answer(texts[number].count, number: number) == texts[number].reversed())
      }
    }
    #expect(fixture.machine.faults == [])
  }

  @Test(arguments: modes) func whatIsAnsweredFindsTheBuffersThatWereGivenForItBefore(mode: VhostUserMode) throws {
    var plan = FakeBackEnd.Plan(holdsRequests: true)
    plan.queueCount = 2
    let fixture = try RemoteFixture(mode, [plan], receiveQueueSize: 64, starts: false)
    let (driver, scratch) = (fixture.machine.driver, fixture.scratch)
    var transmit = DriverQueue(fixture.machine, index: 1, size: 64, at: scratch + 0x8000)
    #expect(driver.negotiate(driver.offeredFeatures) && driver.enable(fixture.queue) && driver.enable(transmit))
    driver.start()
    fixture.thread.pump { fixture.device.state.value.running == 0b11 }
    fixture.queue.writeChain([.init(scratch, 64, isWritable: true)], from: 0)
    fixture.queue.offer(0)
    transmit.writeChain([.init(scratch + 64, 64, isWritable: false)], from: 0)
    transmit.offer(0)

    // The driver tells of what it sends alone.
    _ = fixture.machine.transport.kick(queue: 1)

    #expect(fixture.device.state.value.queues.map(\.shadow.ring.open) == [1, 1])
  }

  // The numbers are those of the list in the facts.

  @Test(arguments: modes) func case13ARequestOfABackEndThatIsGoneIsDoneByTheNextOne(
    mode: VhostUserMode
  ) throws {
    let fixture = try RemoteFixture(mode, [FakeBackEnd.Plan(holdsRequests: true), FakeBackEnd.Plan()])
    fixture.request([1, 2, 3])
    fixture.thread.pump(.milliseconds(50)) { false }

    fixture.connector.backEnds[0].end()

    #expect(fixture.takeUsed() == .init(head: 0, written: 3))
    #expect(fixture.answer(3) == [3, 2, 1])
  }

  @Test(arguments: modes) func case13WhereRequestsAreAnsweredInItsPlaceTheyAreAnsweredOnce(
    mode: VhostUserMode
  ) throws {
    let fixture = try RemoteFixture(
      mode,
      [FakeBackEnd.Plan(holdsRequests: true), FakeBackEnd.Plan()],
      loss: .answer(FUSELoss.answer)
    )
    let header: [UInt8] = [40, 0, 0, 0, 26, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8] + Array(repeating: 0, count: 24)
    fixture.request(header)
    fixture.thread.pump(.milliseconds(50)) { false }

    fixture.connector.backEnds[0].end()

    #expect(fixture.takeUsed() == .init(head: 0, written: 16))
    #expect(fixture.answer(16) == [16, 0, 0, 0, 0x95, 0xFF, 0xFF, 0xFF, 1, 2, 3, 4, 5, 6, 7, 8])
    #expect(fixture.takeUsed(.milliseconds(100)) == nil)
  }

  @Test(arguments: modes) func case14ABackEndThatDiesAgainAndAgainLosesNothing(mode: VhostUserMode)
    throws
  {
    let fixture = try RemoteFixture(mode)

    for round in 0..<max(10, Effort.cases(40)) {
      let text = [UInt8(round), 1, 2, 3]
      fixture.request(text)
      fixture.connector.backEnds.last?.end()
      #expect(fixture.takeUsed() == .init(head: 0, written: 4))
      #expect(fixture.answer(4) == text.reversed())
    }
    #expect(fixture.takeUsed(.milliseconds(50)) == nil)
  }

  @Test func case14ABackEndThatCannotBeHadAgainIsToldOnceWithTheReason() throws {
    let plans = [FakeBackEnd.Plan(), .init(closesAt: .getFeatures), .init(closesAt: .getFeatures), .init()]
    let fixture = try RemoteFixture(.bounced, plans)

    fixture.connector.backEnds[0].end()

    #expect(fixture.thread.pump { fixture.messages.contains { $0.hasSuffix("it is back") } })
    let reason = "the back-end: it closed the connection; it is tried again and again until it is back"
    #expect(fixture.messages.count { $0 == reason } == 1)
    fixture.request([1, 2])
    #expect(fixture.takeUsed()?.written == 2)
  }

  @Test(arguments: [VhostUserMode.inPlace, .direct])
  func case14ABackEndThatCannotBeMadeToEndLeavesADeviceThatNoResetMends(mode: VhostUserMode) throws {
    let fixture = try RemoteFixture(mode, [FakeBackEnd.Plan(holdsRequests: true, outlivesItsConnection: true)])
    fixture.request([1, 2, 3])
    fixture.thread.pump(.milliseconds(20)) { false }

    fixture.connector.backEnds[0].end()

    #expect(fixture.thread.pump { fixture.machine.driver.status & Status.deviceNeedsReset != 0 })
    let advice = "the device takes no further requests; end that process, and start the machine anew"
    #expect(fixture.messages.last == "the back-end cannot be made to end: \(advice)")
    #expect(fixture.takeUsed(.milliseconds(20)) == nil)
    fixture.start()
    #expect(fixture.machine.driver.status & Status.deviceNeedsReset != 0)
    // The next ones come and go, and help nobody.
    for number in 1...2 {
      #expect(fixture.thread.pump { fixture.connector.backEnds.count > number })
      fixture.thread.pump(.milliseconds(20)) { false }
      fixture.connector.backEnds[number].end()
    }
    #expect(fixture.messages.count == 2)
  }

  @Test(arguments: VhostUserMode.all, [VhostUserRequest.setFeatures, .setMemTable, .setVringAddr, .setVringEnable])
  func case14ABackEndThatRefusesItsRingsIsBackWhenTheyRun(mode: VhostUserMode, request: VhostUserRequest) throws {
    let refusing = FakeBackEnd.Plan(refusesAt: request)
    let plans = [FakeBackEnd.Plan(), refusing, refusing, refusing, FakeBackEnd.Plan()]
    let fixture = try RemoteFixture(mode, plans, starts: mode != .direct)
    fixture.connector.backEnds[0].end()
    // Where the rings are the guest's own, the loss of any that run would need a reset.
    if mode == .direct {
      #expect(fixture.thread.pump { fixture.messages.contains { $0.hasSuffix("it is back") } })
      fixture.start()
    }

    #expect(fixture.thread.pump { fixture.connector.backEnds.count == 5 })
    #expect(fixture.thread.pump { fixture.messages.last?.hasSuffix("it is back") == true })

    fixture.thread.pump(.milliseconds(20)) { false }
    #expect(fixture.messages.count { $0 == "the back-end: it refused \(request)" } == 1)
    #expect(fixture.messages.count { $0.hasSuffix("it is back") } == (mode == .direct ? 2 : 1))
    fixture.request([1, 2])
    #expect(fixture.takeUsed()?.written == 2)
  }

  @Test func thePausesGrowWhileNoRingComesToRunHoweverLongABackEndTakesToEnd() throws {
    let refusing = FakeBackEnd.Plan(refusesAt: .setMemTable, endsAfter: 20)
    let fixture = try RemoteFixture(.inPlace, [FakeBackEnd.Plan(), refusing], goodLife: 10_000_000)

    fixture.connector.backEnds[0].end()
    #expect(fixture.thread.pump { fixture.connector.pauses.count >= 9 })

    // A host with much else to do makes pauses longer, and never shorter.
    for (pause, milliseconds) in zip(fixture.connector.pauses, [1, 2, 4, 8, 16, 32, 50, 50, 50]) {
      #expect(pause >= .milliseconds(milliseconds))
    }
    #expect(fixture.messages.count { $0.contains("it refused setMemTable") } == 1)
    #expect(!fixture.messages.contains { $0.hasSuffix("it is back") })
  }

  @Test func case15ALesserBackEndIsRefusedWithAMessage() throws {
    let fixture = try RemoteFixture(
      .bounced,
      [FakeBackEnd.Plan(configuration: [1, 2]), FakeBackEnd.Plan(protocolFeatures: 1, queueCount: 0)],
      configurationSize: 2
    )

    fixture.connector.backEnds[0].end()

    #expect(fixture.thread.pump { fixture.machine.driver.status & Status.deviceNeedsReset != 0 })
    #expect(fixture.messages.last?.contains("came back and") == true)
  }

  @Test func case16AfterAResetABackEndThatWorksOnReachesNoneOfTheGuestsMemory() throws {
    let fixture = try RemoteFixture(.bounced, [FakeBackEnd.Plan(holdsRequests: true)])
    fixture.request([1, 2, 3])
    fixture.thread.pump(.milliseconds(50)) { false }

    fixture.machine.driver.reset()
    let place = fixture.answerPlace(0)
    fixture.machine.store([42, 42, 42], at: place)
    fixture.connector.backEnds[0].perform { $0.serve(0) }
    fixture.thread.pump(.milliseconds(100)) { false }

    #expect(fixture.machine.bytes(at: place, count: 3) == [42, 42, 42])
    fixture.start()
    #expect(fixture.machine.driver.status & Status.deviceNeedsReset == 0)
  }

  @Test(
    arguments: [
      (UInt32(1024), UInt32(0), UInt16(1)), (.max, 0, 1), (5, 0, 1), (0, 0, 40_000), (0, 0, 2),
    ] as [(UInt32, UInt32, UInt16)]
  )
  func case17AHostileUsedRingIsNoticedAndTheNextBackEndGoesOn(
    identifier: UInt32,
    length: UInt32,
    ahead: UInt16
  ) throws {
    let hostile = FakeBackEnd.Plan(usedElement: (identifier, length, ahead))
    let fixture = try RemoteFixture(.inPlace, [hostile, FakeBackEnd.Plan()])

    fixture.request([1, 2, 3])

    #expect(fixture.takeUsed() == .init(head: 0, written: 3))
    #expect(fixture.messages.first?.contains("a used ring in which") == true)
  }

  @Test(arguments: modes) func case17ALengthBeyondTheRoomIsCutOff(mode: VhostUserMode) throws {
    let fixture = try RemoteFixture(mode, [FakeBackEnd.Plan(usedElement: (0, .max, 1))])

    fixture.request([1, 2, 3])

    #expect(fixture.takeUsed() == .init(head: 0, written: 3))
  }

  @Test func case21WhatIsNotListedIsNeverOnTheWire() throws {
    let fixture = try RemoteFixture(.inPlace, [FakeBackEnd.Plan(features: .max, protocolFeatures: .max)])
    fixture.request([1])
    _ = fixture.takeUsed()

    func values(_ request: VhostUserRequest) -> [UInt64] {
      fixture.connector.backEnds[0].heard.filter { $0.request == request.rawValue }.map(\.value)
    }
    // MQ, REPLY_ACK and RESET_DEVICE: this type has no configuration space, and so no changes of it.
    #expect(values(.setProtocolFeatures) == [1 | 1 << 3 | 1 << 13])
    // EVENT_IDX, the protocol features themselves and VERSION_1.
    #expect(values(.setFeatures) == [1 << 29 | 1 << 30 | 1 << 32])
  }

  @Test(arguments: VhostUserMode.all) func case21ARebootKeepsTheBackEnd(mode: VhostUserMode) throws {
    let fixture = try RemoteFixture(mode)
    fixture.request([1, 2])
    #expect(fixture.takeUsed()?.written == 2)

    for round in 1...3 as ClosedRange<UInt8> {
      try fixture.reboot()
      fixture.request([1, 2, round])
      #expect(fixture.takeUsed() == .init(head: 0, written: 3))
      #expect(fixture.answer(3) == [round, 2, 1])
    }

    #expect(fixture.connector.backEnds.count == 1)
  }

  @Test(arguments: VhostUserMode.all) func case21ARebootAmidAStartLendsNothingOfTheNextBoots(mode: VhostUserMode) throws
  {
    let fixture = try RemoteFixture(mode, [FakeBackEnd.Plan(slowAt: .setVringNum)], starts: false)
    let backEnd = fixture.connector.backEnds[0]
    fixture.device.start([.version1], queues: [fixture.configuration]) {}
    func times(_ request: VhostUserRequest) -> Int { backEnd.seen.count { $0 == request.rawValue } }
    #expect(fixture.thread.pump { times(.setVringNum) == 1 })

    try fixture.reboot()
    // They take the numbers that the device before it has left.
    let others = (0..<64).map { _ in VhostUserDescriptor(owning: dup(0)) }
    fixture.request([1, 2])

    #expect(fixture.takeUsed()?.written == 2)
    withExtendedLifetime(others) {}
    let files = backEnd.heard.compactMap(\.file)
    #expect(files.count == 2 && files.allSatisfy { $0 == "anon_inode:[eventfd]" }, "\(files)")
    #expect(fixture.connector.backEnds.count == 1)
  }

  @Test(arguments: modes) func aSuspensionTakesNothingAndAResumptionGoesOn(mode: VhostUserMode) throws {
    let fixture = try RemoteFixture(mode)
    fixture.request([1])
    #expect(fixture.takeUsed()?.written == 1)

    fixture.suspend()
    fixture.request([2, 3])
    #expect(fixture.takeUsed(.milliseconds(50)) == nil)
    fixture.resume()

    #expect(fixture.takeUsed()?.written == 2)
  }

  @Test(arguments: VhostUserMode.all) func aBackEndThatIsLostAndReplacedDuringASuspensionIsStartedAfterIt(
    mode: VhostUserMode
  ) throws {
    let fixture = try RemoteFixture(mode)
    fixture.request([1])
    #expect(fixture.takeUsed()?.written == 1)

    fixture.suspend()
    fixture.connector.backEnds[0].end()
    #expect(fixture.thread.pump { fixture.connector.backEnds.count == 2 })
    fixture.thread.pump(.milliseconds(20)) { false }
    #expect(!fixture.messages.contains { $0.hasSuffix("it is back") })
    fixture.resume()
    fixture.request([2, 3])

    #expect(fixture.takeUsed()?.written == 2)
    // Where the rings are the guest's own, an answer may be there before the device has heard that they run.
    #expect(fixture.thread.pump { fixture.messages.last?.hasSuffix("it is back") == true })
  }

  @Test(arguments: modes) func aDriverThatBeginsAnewIsServedAnew(mode: VhostUserMode) throws {
    let fixture = try RemoteFixture(mode)

    for round in 0..<20 {
      fixture.request([UInt8(round), 5])
      #expect(fixture.takeUsed()?.written == 2)
      fixture.machine.driver.reset()
      fixture.start()
    }

    #expect(fixture.connector.backEnds.count == 1)
  }

  @Test func aQueueThatFoundNoRoomGoesOnWhenAnotherOneLeavesIt() throws {
    let plan = FakeBackEnd.Plan(queueCount: 2, holdsRequests: true)
    let fixture = try RemoteFixture(.bounced, [plan], starts: false)
    let (machine, backEnd) = (fixture.machine, fixture.connector.backEnds[0])
    var (first, second) = (fixture.queue, DriverQueue(machine, index: 1, size: 64, at: fixture.scratch))
    #expect(machine.driver.negotiate(machine.driver.offeredFeatures))
    #expect(machine.driver.enable(first) && machine.driver.enable(second))
    machine.driver.start()
    let (buffer, half) = (fixture.scratch + 0x1000, UInt32(512 << 10))
    // One more than there is memory for.
    for number in 0..<33 as Range<UInt16> {
      first.writeChain([.init(buffer, half, isWritable: true)], from: number)
      first.offer(number)
    }
    _ = machine.transport.kick(queue: 0)
    second.writeChain([.init(buffer, half, isWritable: true)])
    second.offer(0)
    _ = machine.transport.kick(queue: 1)
    backEnd.perform { $0.serve(1) }
    fixture.thread.pump(.milliseconds(50)) { false }
    #expect(second.takeUsed() == nil)

    backEnd.perform { $0.serve(0) }

    #expect(
      fixture.thread.pump {
        backEnd.perform { $0.serve(1) }
        return second.takeUsed() != nil
      }
    )
  }

  @Test func theFuzzTargetsSeedsRun() {
    for seed in ExerciseVhostUserDevice.seeds { ExerciseVhostUserDevice.run(seed) }
  }
}
