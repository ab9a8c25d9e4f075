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

/// Back-ends that say what none may, or too much, or nothing. What becomes of requests whose back-end is gone, and of
/// hostile rings, is in ``VhostUserDeviceTests``.
@Suite(.timeLimit(.minutes(5))) struct BadBackEndTests {
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

    let problem = "it says to have 18446744073709551615 sectors, more than a disk can have; look at its image"
    #expect(profile.problem(with: offer) == problem)
    link.close()
  }
}
