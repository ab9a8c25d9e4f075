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
private let modes: [VhostUserMode] = [.inPlace, .bounced]

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

  // The numbers are those of the list in the issue's facts.

  @Test(arguments: modes, HostileChain.allCases)
  func case5AForgedChainIsNoticedHereAndReachesNoBackEnd(mode: VhostUserMode, hostile: HostileChain) throws {
    let fixture = try RemoteFixture(mode)

    hostile.build(on: &fixture.queue, buffer: fixture.scratch)
    fixture.notify()
    fixture.thread.pump { !fixture.machine.faults.isEmpty }

    #expect(fixture.machine.faults.map { "\($0)" } == ["\(hostile.fault)"])
    #expect(fixture.machine.driver.status & Status.deviceNeedsReset != 0)
    fixture.start()
    fixture.request([1, 2])
    #expect(fixture.takeUsed() == .init(head: 0, written: 2))
    #expect(fixture.connector.backEnds.count == 1)
  }

  @Test(
    arguments: [
      [UInt8](VhostUserMessage(request: 99, flags: 5, payload: Array(repeating: 0, count: 8)).bytes),
      VhostUserMessage(request: 1, flags: 6, payload: Array(repeating: 0, count: 8)).bytes,
      VhostUserMessage(request: 1, flags: 5).bytes,
      VhostUserMessage(request: 1, flags: 1, payload: Array(repeating: 0, count: 8)).bytes,
      VhostUserMessage(request: 1, flags: 5).bytes[..<8] + [1, 16, 0, 0],
      VhostUserMessage(request: 1, flags: 5).bytes[..<8] + [255, 255, 255, 255],
    ]
  )
  func case6AReplyThatIsNoneOfTheRequestEndsTheConnectionAtOnce(reply: [UInt8]) throws {
    let plan = FakeBackEnd.Plan(strayReply: (.getFeatures, reply))
    let link = try VhostUserLink(FakeConnector([plan]), configurationSize: 0)
    let start = HostClock.monotonic

    let error = #expect(throws: VhostUserError.self) { _ = try link.open() }

    guard case .malformed = error else {
      Issue.record("it is \(error.map { "\($0)" } ?? "no error")")
      return
    }
    #expect(HostClock.monotonic - start < 1_000_000_000)
  }

  @Test func case6AMessageThatNobodyAskedForEndsTheConnection() throws {
    let fixture = try RemoteFixture(.bounced)
    let stray = VhostUserMessage(request: 1, flags: 5, payload: Array(repeating: 0, count: 8)).bytes

    fixture.connector.backEnds[0].perform { $0.sendUnasked(stray) }

    #expect(fixture.thread.pump { fixture.messages.contains { $0.hasSuffix("it is back") } })
    #expect(fixture.messages.first?.contains("for which nobody has asked") == true)
    fixture.request([1, 2])
    #expect(fixture.takeUsed() == .init(head: 0, written: 2))
  }

  @Test(arguments: [VhostUserRequest.setFeatures, .setMemTable, .setVringNum, .setVringKick, .setVringEnable])
  func case7ABackEndThatNeverAnswersHoldsUpNothingButItsDevice(request: VhostUserRequest) throws {
    let fixture = try RemoteFixture(
      .bounced,
      [FakeBackEnd.Plan(silentAt: request)],
      answerLimit: 200_000_000,
      starts: false
    )
    let isStarted = Flag()
    var longest: UInt64 = 0
    var last = HostClock.monotonic

    fixture.device.start([.version1], queues: [fixture.configuration]) { isStarted.set() }
    fixture.thread.pump {
      longest = max(longest, HostClock.monotonic - last)
      last = HostClock.monotonic
      return isStarted.isSet
    }

    #expect(isStarted.isSet)
    #expect(longest < 1_000_000_000)
    let said = "did not answer \(request) in time"
    #expect(fixture.thread.pump { fixture.messages.contains { $0.contains(said) } })
  }

  @Test func case8TenThousandDescriptorsThatNobodyWantsAreClosed() throws {
    let connector = FakeConnector([FakeBackEnd.Plan(configuration: [1, 2, 3, 4], descriptorsPerReply: 8)])
    let channel = FrontEndChannel(try connector.connect(try EventLoop()), answerLimit: 5_000_000_000)
    _ = try channel.begin(configurationSize: 4, wantsChanges: false)
    let before = openDescriptors()

    for _ in 0..<1250 { #expect(try channel.configuration(size: 4) == [1, 2, 3, 4]) }

    // Other tests open and close some meanwhile.
    #expect(openDescriptors() < before + 1000)
  }

  private func openDescriptors() -> Int { (0..<65_536).count { fcntl(Int32($0), F_GETFD) != -1 } }

  @Test(arguments: modes) func case9AFloodOfCallsLeavesTheDeviceThreadToOthers(mode: VhostUserMode)
    throws
  {
    let fixture = try RemoteFixture(mode, [FakeBackEnd.Plan(callsPerRequest: 100_000)])

    for number in 0..<8 {
      fixture.request([1, 2, 3], number: number)
      #expect(fixture.takeUsed()?.written == 3)
    }

    #expect(fixture.machine.faults == [])
  }

  @Test func case9AFewCallsWithoutNewsNowAndThenAreNoFlood() {
    var calls = IdleCalls()

    // One in each tenth of a millisecond, for a second.
    var floods = 0
    for number in 0..<10_000 as Range<UInt64> where calls.areTooMany(at: 100_000 * number) { floods += 1 }
    #expect(floods == 0)

    let now: UInt64 = 2_000_000_000
    for _ in 0..<IdleCalls.limit where calls.areTooMany(at: now) { floods += 1 }
    #expect(floods == 0)
    let (last, next) = (
      calls.areTooMany(at: now + IdleCalls.interval - 1), calls.areTooMany(at: now + IdleCalls.interval)
    )
    #expect(last && !next)
  }

  @Test func case10AFloodOfChangesIsReadAFewTimes() throws {
    let plan = FakeBackEnd.Plan(configuration: [1, 2, 3, 4])
    let fixture = try RemoteFixture(.bounced, [plan], configurationSize: 4)
    let get = VhostUserRequest.getConfig.rawValue
    let start = HostClock.monotonic

    fixture.connector.backEnds[0].perform { $0.tellOfChanges(10_000) }
    let backEnd = fixture.connector.backEnds[0]
    #expect(fixture.thread.pump { backEnd.seen.count { $0 == get } >= 3 })
    fixture.thread.pump(.milliseconds(300)) { false }

    // One in ten milliseconds at most, whatever the time that this took.
    let most = (HostClock.monotonic - start) / 10_000_000 + 3
    #expect(UInt64(backEnd.seen.count { $0 == get }) <= most)
    fixture.request([7])
    #expect(fixture.takeUsed()?.written == 1)
  }

  @Test(arguments: modes)
  func case11ABackEndThatSpoilsTheDescriptorsThatItSharesBlocksNobody(mode: VhostUserMode) throws {
    let fixture = try RemoteFixture(mode, [FakeBackEnd.Plan(holdsRequests: true, spoilsDescriptors: true)])
    let start = HostClock.monotonic

    fixture.request([9, 8, 7])
    fixture.thread.pump(.milliseconds(50)) { false }
    fixture.machine.driver.reset()

    #expect(HostClock.monotonic - start < 5_000_000_000)
    #expect(fixture.machine.driver.status == 0)
  }

  @Test(arguments: [UInt64(0), 0x8001, 1 << 63]) func case12AnAbsurdNumberOfQueuesIsRefused(count: UInt64) throws {
    let link = try VhostUserLink(FakeConnector([FakeBackEnd.Plan(queueCount: count)]), configurationSize: 0)
    let offer = try link.open()

    #expect(VhostUserProfile.block.problem(with: offer) != nil)
    link.close()
  }

  @Test func case12FeaturesThatAreNoneOfTheTypesOwnAreNotOffered() throws {
    let fixture = try RemoteFixture(.inPlace, [FakeBackEnd.Plan(features: .max)])

    // INDIRECT_DESC, EVENT_IDX, VERSION_1, ACCESS_PLATFORM and RING_RESET, all of which are Apus's.
    let own: UInt64 = 1 << 28 | 1 << 29 | 1 << 32 | 1 << 33 | 1 << 40
    #expect(fixture.machine.driver.offeredFeatures & ~own == 0)
  }

  @Test func case12AFileSystemsTagAndQueuesAreNotTheBackEnds() throws {
    let plan = FakeBackEnd.Plan(queueCount: 65_535, configuration: Array(repeating: 0xFF, count: 44))
    let connector = FakeConnector([plan])
    let profile = VhostUserProfile.fileSystem
    let link = try VhostUserLink(connector, configurationSize: profile.configurationSize)
    let offer = try link.open()

    #expect(profile.queueCount(offer) == 2)
    #expect(!connector.backEnds[0].seen.contains(VhostUserRequest.getConfig.rawValue))
    link.close()
  }

  @Test func case12ADiskThatIsLargerThanAnyIsRefused() throws {
    let capacity = [UInt8](repeating: 0xFF, count: 8) + [UInt8](repeating: 0, count: 52)
    let profile = VhostUserProfile.block
    let connector = FakeConnector([FakeBackEnd.Plan(configuration: capacity)])
    let link = try VhostUserLink(connector, configurationSize: profile.configurationSize)
    let offer = try link.open()

    #expect(profile.problem(with: offer) == "it says to have 18446744073709551615 sectors, more than a disk can have")
    link.close()
  }

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
    #expect(fixture.messages.contains { $0.contains("cannot be made to end") && $0.contains("end its process") })
    #expect(fixture.takeUsed(.milliseconds(20)) == nil)
    fixture.start()
    #expect(fixture.machine.driver.status & Status.deviceNeedsReset != 0)
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
    #expect(fixture.thread.pump { fixture.messages.contains { $0.hasSuffix("it is back") } })
    fixture.resume()
    fixture.request([2, 3])

    #expect(fixture.takeUsed()?.written == 2)
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
