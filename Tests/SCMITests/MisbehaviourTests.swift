import SCMI
import SCMITesting
import Testing

@Suite struct MisbehaviourTests {
  /// CLOCK_RATE_GET of clock 0, whose honest payload is [0, 24000000, 0], under one rule.
  private func answer(_ action: Misbehaviour, _ configure: (inout MisbehaviourRule) -> Void = { _ in }) throws -> (
    Disposition, SCMIMessage, [Outgoing]
  ) {
    var bench = try bench(action, configure)
    var reply = SCMIMessage(header: MessageHeader(rawValue: 0))
    let request = SCMIMessage(header: MessageHeader(ClockProtocol.Message.rateGet, token: 5), payload: [0])
    let disposition = bench.platform.handle(request, from: 0, ticket: 99, at: 0, reply: &reply)
    return (disposition, reply, bench.outgoing())
  }

  private func bench(_ action: Misbehaviour, _ configure: (inout MisbehaviourRule) -> Void = { _ in }) throws -> Bench {
    var definition = Bench.definition()
    definition.rules = [MisbehaviourRule("rule", action, configure: configure)]
    return try Bench(definition)
  }

  @Test func headersCanBeWrong() throws {
    #expect(try answer(.wrongToken(1)).1.header.token == 6)
    #expect(try answer(.wrongProtocol(0x15)).1.header.protocolIdentifier == 0x15)
    #expect(try answer(.wrongType(3)).1.header.type == .notification)
  }

  @Test func lengthsCanBeWrong() throws {
    #expect(try answer(.short(6)).1.bytes.count == 10)
    #expect(try answer(.short(0)).1.bytes.count == 4)
    #expect(try answer(.long(3)).1.bytes.suffix(4) == [0, 0xA5, 0xA5, 0xA5])
    #expect(try answer(.long(128)).1.count == SCMIMessage.maximumPayload)
  }

  @Test func garbageIsTheSameForTheSameSeed() throws {
    let first = try answer(.garbage).1
    let second = try answer(.garbage).1
    let other = try answer(.garbage) { $0.seed = 2 }.1

    #expect(first == second)
    #expect(first.payload != other.payload)
    #expect(first.count == 12)
    #expect(first.payload != [0, 24_000_000, 0])
  }

  @Test func aForcedStatusHasNoEffect() throws {
    var bench = try bench(.status(.hardwareError)) { $0.message = ClockProtocol.Message.rateSet.rawValue }

    #expect(bench.ask(.clockRateSet(clock: 1, rate: 500)) == [word(.hardwareError)])
    #expect(bench.ask(.clockRateGet(clock: 1)) == [0, 100, 0])
  }

  @Test func repliesCanBeMissing() throws {
    #expect(try answer(.dropped).0 == .empty)
    #expect(try answer(.never).0 == .never)
    #expect(try answer(.never).2.isEmpty)
  }

  @Test func aLateReplyComesWithItsTicket() throws {
    var bench = try bench(.late(700))
    var reply = SCMIMessage(header: MessageHeader(rawValue: 0))
    let request = SCMIMessage(header: MessageHeader(ClockProtocol.Message.rateGet, token: 5), payload: [0])

    let disposition = bench.platform.handle(request, from: 0, ticket: 99, at: 0, reply: &reply)
    #expect(disposition == .later)
    bench.wait(699)
    #expect(bench.outgoing().isEmpty)
    bench.wait(1)

    let late = bench.outgoing()
    #expect(late.map(\.channel) == [.reply(ticket: 99)])
    #expect(late.map(\.message.payload) == [[0, 24_000_000, 0]])
  }

  @Test func aDuplicateComesAsAnEvent() throws {
    let (disposition, reply, outgoing) = try answer(.duplicated)

    #expect(disposition == .reply)
    #expect(outgoing.map(\.channel) == [.event])
    #expect(outgoing.map(\.message) == [reply])
  }

  @Test func repliesCanOvertakeEachOther() throws {
    var bench = try bench(.outOfOrder(1_000_000)) { $0.times = 1 }
    var reply = SCMIMessage(header: MessageHeader(rawValue: 0))

    let first = bench.platform.handle(
      SCMIMessage(header: MessageHeader(ClockProtocol.Message.rateGet), payload: [0]),
      from: 0,
      ticket: 1,
      at: 0,
      reply: &reply
    )
    #expect(first == .later)
    #expect(bench.outgoing().isEmpty)
    #expect(bench.ask(.clockRateGet(clock: 1)) == [0, 100, 0])
    #expect(bench.outgoing().map(\.channel) == [.reply(ticket: 1)])
  }

  @Test func aHeldReplyIsReleasedWithoutAnotherOne() throws {
    var bench = try bench(.outOfOrder(1_000))
    var reply = SCMIMessage(header: MessageHeader(rawValue: 0))

    let request = SCMIMessage(header: MessageHeader(ClockProtocol.Message.rateGet), payload: [0])
    let disposition = bench.platform.handle(request, from: 0, ticket: 1, at: 0, reply: &reply)
    #expect(disposition == .later)
    bench.wait(1_000)

    #expect(bench.outgoing().map(\.channel) == [.reply(ticket: 1)])
  }

  @Test func delayedResponsesCanOvertakeTheReply() throws {
    var bench = try bench(.delayedBeforeReply(100)) { $0.message = ClockProtocol.Message.rateSet.rawValue }
    var reply = SCMIMessage(header: MessageHeader(rawValue: 0))
    let request = SCMIMessage(
      header: MessageHeader(ClockProtocol.Message.rateSet, token: 1),
      payload: [1, 2, 2_000, 0]
    )

    let disposition = bench.platform.handle(request, from: 0, ticket: 8, at: 0, reply: &reply)
    #expect(disposition == .later)
    bench.wait(100)

    #expect(bench.outgoing().map(\.channel) == [.event, .reply(ticket: 8)])
  }

  @Test(arguments: [(Misbehaviour.delayedTwice, 2), (.delayedNever, 0), (.delayedWithoutReply, 1)])
  func delayedResponsesCanBeTooManyOrTooFew(action: Misbehaviour, count: Int) throws {
    var bench = try bench(action) { $0.message = ClockProtocol.Message.rateSet.rawValue }

    let reply = bench.ask(.clockRateSet(clock: 2, rate: 2_000, flags: [.asynchronous]))
    bench.wait(500)

    #expect(reply == (action == .delayedWithoutReply ? [] : [0]))
    #expect(bench.outgoing().count == count)
  }

  @Test func notificationsCanComeUnasked() throws {
    let storm = Misbehaviour.notificationStorm(
      protocolIdentifier: 0x15,
      message: 1,
      payload: [0, 7],
      count: 3,
      interval: 10
    )
    var bench = try bench(storm) { $0.times = 1 }

    #expect(bench.ask(.clockRateGet(clock: 0)) == [0, 24_000_000, 0])
    bench.wait(20)

    let events = bench.outgoing()
    #expect(events.count == 3)
    #expect(events.allSatisfy { $0.message.header == MessageHeader(SensorProtocol.Notification.update) })
  }

  @Test func enumerationCanLie() throws {
    var counts = try bench(.countLie(5))
    #expect(counts.ask(.protocolAttributes(.clock)) == [0, 8 | 4 << 16])
    #expect(counts.ask(.protocolAttributes(.base)) == [0, 14 | 1 << 8])
    var remaining = try bench(.remainingNeverEnds(3))
    #expect(remaining.ask(.clockDescribeRates(clock: 0))[1] == 1 | 3 << 16)
    #expect(remaining.ask(.clockPossibleParentsGet(clock: 2))[1] == 2 | 3 << 24)
    #expect(remaining.ask(.sensorAxisDescriptionGet(sensor: 1))[1] == 2 | 3 << 26)
    #expect(remaining.ask(.pinSettingsGet(element: 0, attributes: .init(rawValue: 1 << 18)))[2] == 2 | 3 << 24)
    var triplet = try bench(.rateTriplet(returned: 2))
    #expect(triplet.ask(.clockDescribeRates(clock: 1))[1] == 2 | 1 << 12)
    #expect(triplet.ask(.clockDescribeRates(clock: 0))[1] == 1)
    var version = try bench(.versionLie(0x90000))
    #expect(version.ask(.protocolVersion(.clock)) == [0, 0x90000])
  }

  @Test func rulesApplyToTheRequestsThatTheyName() throws {
    var bench = try bench(.status(.genericError)) { rule in
      rule.resource = ResourceName(.clock, "pll")
      rule.message = ClockProtocol.Message.rateGet.rawValue
      rule.firstOccurrence = 3
      rule.times = 1
    }

    #expect(bench.ask(.clockRateGet(clock: 0))[0] == 0)
    for expected in [SCMIStatus.success, .success, .genericError, .success] {
      #expect(bench.ask(.clockRateGet(clock: 1))[0] == word(expected))
    }
  }

  @Test func aChanceIsTheSameForTheSameSeed() throws {
    func run() throws -> [Bool] {
      var bench = try bench(.status(.genericError)) { $0.probability = 300_000 }
      return (0..<200).map { _ in bench.ask(.clockRateGet(clock: 0))[0] != 0 }
    }

    let first = try run()
    #expect(try run() == first)
    #expect((30...90).contains(first.count { $0 }))
  }

  @Test func rulesComeAndGoAtRunTime() throws {
    var bench = try Bench()

    let isAdded = bench.platform.addRule(MisbehaviourRule("x", .status(.busy)))
    #expect(isAdded)
    #expect(bench.ask(.clockRateGet(clock: 0)) == [word(.busy)])
    bench.platform.removeRules(named: "x")
    #expect(bench.ask(.clockRateGet(clock: 0))[0] == 0)
    let isUnknownAdded = bench.platform.addRule(MisbehaviourRule("y", .never) { $0.agent = "nobody" })
    #expect(!isUnknownAdded)
  }

  @Test func aScriptActsInItsTime() throws {
    var definition = Bench.definition()
    definition.script = [
      ScriptStep(at: 2_000, .setSensor("die", [90_000])),
      ScriptStep(at: 1_000, .set(ResourceName(.clock, "pll"), 700)),
      ScriptStep(at: 3_000, .addRule(MisbehaviourRule("x", .status(.busy)))),
      ScriptStep(at: 4_000, .removeRule("x")),
      ScriptStep(at: 5_000, .systemPower(.shutdown, graceful: true)),
    ]
    var bench = try Bench(definition)
    #expect(bench.ask(.systemPowerStateNotify(enable: [.enabled])) == [0])

    bench.wait(1_000)
    #expect(bench.ask(.clockRateGet(clock: 1)) == [0, 700, 0])
    bench.wait(1_000)
    #expect(bench.ask(.sensorReadingGet(sensor: 0))[1] == 90_000)
    bench.wait(1_000)
    #expect(bench.ask(.clockRateGet(clock: 1)) == [word(.busy)])
    bench.wait(1_000)
    #expect(bench.ask(.clockRateGet(clock: 1))[0] == 0)
    bench.wait(1_000)
    #expect(bench.outgoing().map(\.message.payload) == [[0, 1, 0, 0]])
  }
}
