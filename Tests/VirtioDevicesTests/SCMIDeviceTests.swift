import SCMI
import SCMIFile
import Testing
import Virtio
import VirtioDevices
import VirtioDriver
import VirtioMMIO
import VirtioTesting

/// A platform with one device that shows it to a driver.
private struct Bench {
  let clock = ManualClock()
  let platform: SharedPlatform
  let ends: SCMIEnds
  var fixture: DeviceFixture
  /// Where requests are written, and replies behind them.
  var request: UInt64 { fixture.scratch }
  func reply(_ number: UInt64 = 0) -> UInt64 { fixture.scratch + 0x1000 + 0x100 * number }
  func event(_ number: UInt64 = 0) -> UInt64 { fixture.scratch + 0x4000 + 0x100 * number }

  init(features: UInt64? = nil, _ configure: (inout PlatformDefinition) -> Void = { _ in }) throws {
    var definition = PlatformDefinition { platform in
      platform.clocks = [
        ClockDefinition("pll") { clock in
          clock.rates = .list([100, 200, 300])
          clock.asynchronousLatency = 1_000
        }
      ]
      platform.agents = [AgentDefinition("guest")]
    }
    configure(&definition)
    let clock = clock
    platform = SharedPlatform(try SCMIPlatform(definition)) { clock.now }
    ends = SCMIEnds(platform)
    fixture = try DeviceFixture(ends.device, features: features)
  }

  /// Sends a command whose reply has room for 132 bytes.
  mutating func send(_ message: SCMIMessage, head: UInt16 = 0, room: UInt32 = 132) {
    send(message.bytes, head: head, room: room)
  }

  mutating func send(_ bytes: [UInt8], head: UInt16 = 0, room: UInt32 = 132) {
    let at = request + 0x100 * UInt64(head)
    fixture.machine.store(bytes, at: at)
    let buffers: [DeviceFixture.Queue.Buffer] = [
      .init(at, UInt32(bytes.count), isWritable: false), .init(reply(UInt64(head)), room, isWritable: true),
    ]
    fixture.request(buffers, to: 0, head: head)
  }

  mutating func offerEvent(_ number: UInt16 = 0) {
    fixture.request([.init(event(UInt64(number)), 132, isWritable: true)], to: 1, head: number)
  }

  /// Lets the time come for which the timer is armed.
  func fire() {
    guard let deadline = ends.timer.deadline else { return }
    clock.now = deadline
    _ = ends.device.timerFired()
  }

  func words(at address: UInt64, _ count: Int) -> [UInt32] {
    (0..<count).map { fixture.machine.load32(address + 4 * UInt64($0)) }
  }
}

private let version = SCMIMessage(header: MessageHeader(.base, .version, token: 5))

private let rateNotify = SCMIMessage(
  header: MessageHeader(ClockProtocol.Message.rateNotify),
  ClockProtocol.Notify { $0.enable = .enabled }
)

private func rateSet(_ rate: UInt32, flags: ClockProtocol.RateFlags = [], token: UInt16 = 7) -> SCMIMessage {
  let header = MessageHeader(ClockProtocol.Message.rateSet, token: token)
  return SCMIMessage(
    header: header,
    ClockProtocol.RateSet {
      $0.flags = flags
      $0.rate = UInt64(rate)
    }
  )
}

private func misbehave(_ action: Misbehaviour, times: UInt64? = 1) -> MisbehaviourRule {
  MisbehaviourRule("rule", action) { $0.times = times }
}

@Suite struct SCMIDeviceTests {
  @Test func commandIsAnsweredInItsBuffer() throws {
    var bench = try Bench()

    bench.send(version)

    let header = version.header.rawValue
    #expect(bench.fixture.queues[0].takeUsed() == .init(head: 0, written: 12))
    #expect(bench.words(at: bench.reply(), 3) == [header, 0, 0x20001])
    #expect(bench.fixture.machine.line.count == 1)
  }

  @Test(arguments: [1, 4, 8, 11] as [UInt32])
  func replyNeverGoesBeyondItsBuffer(room: UInt32) throws {
    var bench = try Bench()
    let full = [UInt8](repeating: 0xEE, count: 16)
    bench.fixture.machine.store(full, at: bench.reply())

    bench.send(version, room: room)

    #expect(bench.fixture.queues[0].takeUsed() == .init(head: 0, written: room))
    let behind = bench.fixture.machine.bytes(at: bench.reply() + UInt64(room), count: 4)
    #expect(behind == [0xEE, 0xEE, 0xEE, 0xEE])
  }

  @Test func commandWithoutAHeaderComesBackEmpty() throws {
    var bench = try Bench()

    bench.send([0x10, 0, 0])

    #expect(bench.fixture.queues[0].takeUsed() == .init(head: 0, written: 0))
    #expect(bench.fixture.machine.faults == [])
  }

  @Test func commandThatIsTooLongIsAProtocolError() throws {
    var bench = try Bench()

    bench.send(version.bytes + [UInt8](repeating: 0, count: 500))

    let error = UInt32(bitPattern: -10)
    #expect(bench.fixture.queues[0].takeUsed() == .init(head: 0, written: 8))
    #expect(bench.words(at: bench.reply(), 2) == [version.header.rawValue, error])
  }

  @Test func commandWithoutRoomForAReplyIsAFault() throws {
    var bench = try Bench()

    bench.fixture.request([.init(bench.request, 4, isWritable: false)], to: 0)

    #expect(bench.fixture.machine.faults == [.writableMissing])
    #expect(bench.fixture.driver.status & Status.deviceNeedsReset != 0)
  }

  @Test func laterCommandsOvertakeALateReply() throws {
    var bench = try Bench { $0.rules = [misbehave(.late(5_000))] }

    bench.send(version, head: 0)
    bench.send(rateSet(200), head: 4)
    let overtaking = bench.fixture.queues[0].takeUsed()
    let deadline = bench.ends.timer.deadline
    bench.fire()

    #expect(overtaking == .init(head: 4, written: 8))
    #expect(deadline == 5_000)
    #expect(bench.fixture.queues[0].takeUsed() == .init(head: 0, written: 12))
    #expect(bench.words(at: bench.reply(), 3) == [version.header.rawValue, 0, 0x20001])
  }

  @Test func bufferOfACommandThatIsNeverAnsweredIsKept() throws {
    var bench = try Bench { $0.rules = [misbehave(.never)] }

    bench.send(version, head: 0)
    bench.send(version, head: 4)

    #expect(bench.fixture.queues[0].takeUsed() == .init(head: 4, written: 12))
    #expect(bench.fixture.queues[0].takeUsed() == nil)
  }

  @Test func driverThatOffersAKeptChainAgainAndAgainIsStopped() throws {
    var bench = try Bench { $0.rules = [misbehave(.never, times: nil)] }

    for _ in 0...16 { bench.send(version, head: 0) }

    #expect(bench.fixture.machine.faults == [.availableIndexJumped])
  }

  @Test func nothingFromBeforeAResetComesAfterIt() throws {
    var bench = try Bench { $0.rules = [misbehave(.late(5_000))] }
    bench.send(version, head: 0)
    bench.send(rateSet(200, flags: [.asynchronous]), head: 4)
    let features = bench.fixture.driver.offeredFeatures

    bench.fixture.driver.reset()
    for index in bench.fixture.queues.indices {
      let queue = bench.fixture.queues[index]
      bench.fixture.queues[index] = DriverQueue(
        bench.fixture.machine,
        index: index,
        size: queue.size,
        at: queue.descriptorTable
      )
    }
    bench.fixture.start(features)
    bench.offerEvent()
    bench.clock.now = 10_000
    _ = bench.ends.device.timerFired()
    bench.send(version, head: 0)

    #expect(bench.fixture.queues[0].takeUsed() == .init(head: 0, written: 12))
    #expect(bench.fixture.queues[0].takeUsed() == nil)
    #expect(bench.fixture.queues[1].takeUsed() == nil)
  }

  @Test func delayedResponseComesThroughTheEventQueue() throws {
    var bench = try Bench()
    bench.offerEvent()

    bench.send(rateSet(200, flags: [.asynchronous]))
    let reply = bench.fixture.queues[0].takeUsed()
    bench.fire()

    #expect(reply == .init(head: 0, written: 8))
    #expect(bench.fixture.queues[1].takeUsed() == .init(head: 0, written: 20))
    let header = rateSet(200).header.rawValue | 2 << 8
    #expect(bench.words(at: bench.event(), 5) == [header, 0, 0, 200, 0])
  }

  @Test func delayedResponseWaitsForABuffer() throws {
    var bench = try Bench()
    bench.send(rateSet(200, flags: [.asynchronous]))
    bench.fire()
    let early = bench.fixture.queues[1].takeUsed()

    bench.offerEvent()

    #expect(early == nil)
    #expect(bench.fixture.queues[1].takeUsed() == .init(head: 0, written: 20))
    #expect(bench.ends.device.counters.droppedNotifications == 0)
  }

  @Test func lateReplyThatIsDueDuringASuspensionComesBehindIt() throws {
    var bench = try Bench { $0.rules = [misbehave(.late(5_000))] }
    bench.send(version, head: 0)
    bench.fixture.machine.transport.suspend()

    bench.fire()
    let during = bench.fixture.queues[0].takeUsed()
    bench.fixture.machine.transport.resume()

    #expect(during == nil)
    #expect(bench.fixture.queues[0].takeUsed() == .init(head: 0, written: 12))
    #expect(bench.words(at: bench.reply(), 3) == [version.header.rawValue, 0, 0x20001])
    #expect(bench.fixture.queues[0].takeUsed() == nil)
  }

  @Test func lateReplyThatIsNotDueYetWaitsOverASuspension() throws {
    var bench = try Bench { $0.rules = [misbehave(.late(5_000))] }
    bench.send(version, head: 0)

    bench.fixture.machine.transport.suspend()
    bench.fixture.machine.transport.resume()
    let early = bench.fixture.queues[0].takeUsed()
    bench.fire()

    #expect(early == nil)
    #expect(bench.fixture.queues[0].takeUsed() == .init(head: 0, written: 12))
  }

  @Test func delayedResponseThatIsDueDuringASuspensionComesBehindIt() throws {
    var bench = try Bench()
    bench.offerEvent()
    bench.send(rateSet(200, flags: [.asynchronous]))
    bench.fixture.machine.transport.suspend()

    bench.fire()
    let during = bench.fixture.queues[1].takeUsed()
    bench.fixture.machine.transport.resume()

    #expect(during == nil)
    #expect(bench.fixture.queues[1].takeUsed() == .init(head: 0, written: 20))
    #expect(bench.words(at: bench.event(), 5) == [rateSet(200).header.rawValue | 2 << 8, 0, 0, 200, 0])
  }

  @Test func commandsAndKicksDuringASuspensionAreAnsweredOnceBehindIt() throws {
    var bench = try Bench()
    bench.fixture.machine.transport.suspend()
    bench.send(version, head: 0)
    bench.send(version, head: 4)
    let during = bench.fixture.queues[0].takeUsed()

    bench.fixture.machine.transport.resume()

    #expect(during == nil)
    #expect(bench.fixture.queues[0].takeUsed() == .init(head: 0, written: 12))
    #expect(bench.fixture.queues[0].takeUsed() == .init(head: 4, written: 12))
    #expect(bench.fixture.queues[0].takeUsed() == nil)
    #expect(bench.ends.device.counters.commands == 2)
  }

  @Test func suspensionLeavesTheAgentsSubscriptionsAndLosesNoNotification() throws {
    var bench = try Bench()
    bench.send(rateNotify)
    bench.fixture.machine.transport.suspend()
    let rates = (0..<100).map { [200, 300, 100][$0 % 3] }
    for rate in rates {
      _ = bench.platform.change { $0.setValue(ResourceName(.clock, "pll"), Int64(rate), at: $1) }
      _ = bench.ends.device.platformChanged()
    }

    bench.fixture.machine.transport.resume()
    var received: [UInt32] = []
    for _ in rates {
      bench.offerEvent()
      bench.fixture.driver.notify(1)
      guard bench.fixture.queues[1].takeUsed() == .init(head: 0, written: 20) else { break }
      received.append(bench.words(at: bench.event(), 5)[3])
    }
    // The driver has caught up: from now on one without a buffer is dropped, as ever.
    _ = bench.platform.change { $0.setValue(ResourceName(.clock, "pll"), 300, at: $1) }
    _ = bench.ends.device.platformChanged()

    #expect(received == rates.map { UInt32($0) })
    #expect(bench.ends.device.counters.droppedNotifications == 1)
  }

  @Test func notificationWithoutABufferIsDroppedAndCounted() throws {
    var bench = try Bench()
    bench.send(rateNotify)
    for rate in [200, 300, 100] {
      _ = bench.platform.change { $0.setValue(ResourceName(.clock, "pll"), Int64(rate), at: $1) }
    }
    _ = bench.ends.device.platformChanged()

    bench.offerEvent()

    #expect(bench.fixture.queues[1].takeUsed() == nil)
    #expect(bench.ends.device.counters.events == 0)
    #expect(bench.ends.device.counters.droppedNotifications == 3)
  }

  @Test func notificationComesThroughTheEventQueue() throws {
    var bench = try Bench()
    bench.offerEvent()
    bench.send(rateNotify)

    _ = bench.platform.change { $0.setValue(ResourceName(.clock, "pll"), 300, at: $1) }
    _ = bench.ends.device.platformChanged()

    #expect(bench.fixture.queues[1].takeUsed() == .init(head: 0, written: 20))
    let header = MessageHeader(ClockProtocol.Notification.rateChanged).rawValue
    #expect(bench.words(at: bench.event(), 5) == [header, 0, 0, 300, 0])
  }

  @Test func driverWithoutEventChannelIsOfferedNeitherNotificationsNorDelays() throws {
    var bench = try Bench(features: 0)
    let notFound = UInt32(bitPattern: -4)

    bench.send(
      SCMIMessage(
        header: MessageHeader(.clock, .messageAttributes),
        CommonMessage.MessageAttributes { $0.message = UInt32(ClockProtocol.Message.rateNotify.rawValue) }
      )
    )
    bench.send(SCMIMessage(header: MessageHeader(.clock, .attributes)), head: 4)

    #expect(bench.words(at: bench.reply() + 4, 1) == [notFound])
    let attributes = bench.words(at: bench.reply(4) + 8, 1)
    #expect(attributes == [1])
  }

  @Test func eventBufferThatCannotBeWrittenIsAFault() throws {
    var bench = try Bench()
    bench.fixture.offer([.init(bench.event(), 132, isWritable: false)], to: 1)

    bench.send(rateSet(200, flags: [.asynchronous]))
    bench.fire()

    #expect(bench.fixture.machine.faults == [.writableMissing])
  }

  @Test func whatOneAgentDoesReachesTheOther() throws {
    let definition = PlatformDefinition { platform in
      platform.clocks = [ClockDefinition("pll") { $0.rates = .list([100, 200, 300]) }]
      platform.agents = [AgentDefinition("first"), AgentDefinition("second")]
    }
    let platform = SharedPlatform(try SCMIPlatform(definition)) { 0 }
    let thread = ImmediateThread()
    var first = try DeviceFixture(SCMIEnds(platform, agent: 0).device)
    var second = try DeviceFixture(SCMIEnds(platform, agent: 1, thread: thread).device)
    let (subscribe, set) = (rateNotify.bytes, rateSet(300).bytes)
    for (fixture, bytes) in [(first, set), (second, subscribe)] { fixture.machine.store(bytes, at: fixture.scratch) }
    second.request([.init(second.scratch + 0x800, 132, isWritable: true)], to: 1)
    second.request(
      [.init(second.scratch, 12, isWritable: false), .init(second.scratch + 0x400, 8, isWritable: true)],
      to: 0
    )

    first.request(
      [.init(first.scratch, 20, isWritable: false), .init(first.scratch + 0x400, 8, isWritable: true)],
      to: 0
    )

    #expect(first.queues[0].takeUsed() == .init(head: 0, written: 8))
    #expect(second.queues[1].takeUsed() == .init(head: 0, written: 20))
    #expect(second.machine.load32(second.scratch + 0x80C) == 300)
  }

  @Test func agentIsOneMachinesOnly() throws {
    let platform = SharedPlatform(try SCMIPlatform(PlatformDefinition { $0.agents = [AgentDefinition("guest")] })) { 0 }
    let attachment = SharedPlatform.Attachment(wake: {})

    #expect(platform.attach(0, attachment))
    #expect(!platform.attach(0, attachment))
    platform.detach(0)
    #expect(platform.attach(0, attachment))
  }
}
