import SCMI
import SCMITesting
import Testing

/// A rule that changes words and bytes of any message.
@Suite struct AlterationTests {
  /// CLOCK_RATE_GET of clock 0, whose honest payload is [0, 24000000, 0].
  private func altered(_ alterations: [Alteration]) throws -> SCMIMessage {
    var definition = Bench.definition()
    definition.rules = [MisbehaviourRule("rule", .alter(alterations))]
    var bench = try Bench(definition)
    var reply = SCMIMessage(header: MessageHeader(rawValue: 0))
    let request = SCMIMessage(header: MessageHeader(ClockProtocol.Message.rateGet, token: 5), payload: [0])
    let disposition = bench.platform.handle(request, from: 0, at: 0, reply: &reply)
    #expect(disposition == .reply)
    return reply
  }

  @Test func wordsAreReplacedAddedToAndTurnedOver() throws {
    #expect(try altered([Alteration(.replace, 7, at: 8)]).payload == [0, 7, 0])
    #expect(try altered([Alteration(.add, -1, at: 8)]).payload == [0, 23_999_999, 0])
    #expect(try altered([Alteration(.add, -1, at: 12)]).payload == [0, 24_000_000, .max])
    #expect(try altered([Alteration(.xor, 0xFFFF_FFFF, at: 12)]).payload == [0, 24_000_000, .max])
  }

  @Test func bytesAndHalfWordsStandAtAnyOffset() throws {
    #expect(try altered([Alteration(.replace, 0xAB, at: 7, width: 1)]).payload == [0xAB00_0000, 24_000_000, 0])
    #expect(try altered([Alteration(.replace, 0xABCD, at: 11, width: 2)]).payload == [0, 0xCD6E_3600, 0xAB])
    #expect(try altered([Alteration(.replace, 0x0102_0304, at: 6)]).payload == [0x0304_0000, 0x016E_0102, 0])
  }

  @Test func theHeaderIsTheMessagesFirstWord() throws {
    let reply = try altered([Alteration(.xor, 0x8000_0000, at: 0)])

    #expect(reply.header.rawValue == MessageHeader(ClockProtocol.Message.rateGet, token: 5).rawValue | 0x8000_0000)
    #expect(reply.payload == [0, 24_000_000, 0])
  }

  @Test func whatIsBehindTheEndMakesTheMessageLonger() throws {
    #expect(try altered([Alteration(.replace, 9, at: 24)]).payload == [0, 24_000_000, 0, 0, 0, 9])
    #expect(try altered([Alteration(.replace, 9, at: 16, width: 1)]).count == 13)
    #expect(try altered([Alteration(.replace, 9, at: 131, width: 1)]).count == SCMIMessage.maximumPayload)
  }

  @Test func alterationsFollowEachOther() throws {
    let reply = try altered([Alteration(.replace, 5, at: 8), Alteration(.add, 5, at: 8), Alteration(.xor, 1, at: 8)])

    #expect(reply.payload == [0, 11, 0])
  }

  // MARK: - Messages that answer no request

  private func notified(_ action: Misbehaviour, _ configure: (inout MisbehaviourRule) -> Void = { _ in }) throws -> (
    messages: [SCMIMessage], later: [SCMIMessage], rules: [String?]
  ) {
    var definition = Bench.definition()
    definition.rules = [
      MisbehaviourRule("rule", action) { rule in
        rule.target = .notification
        configure(&rule)
      }
    ]
    var bench = try Bench(definition)
    bench.platform.isRecording = true
    #expect(bench.ask(.clockRateNotify(clock: 1, enable: [.enabled])) == [0])
    _ = bench.platform.takeTranscript()
    let isSet = bench.platform.setValue(ResourceName(.clock, "pll"), 500, at: bench.now)
    #expect(isSet)
    let messages = bench.outgoing().map(\.message)
    bench.wait(1_000)
    let later = bench.outgoing().map(\.message)
    return (messages, later, bench.platform.takeTranscript().map(\.rule))
  }

  @Test func notificationsCanBeAltered() throws {
    let (messages, _, rules) = try notified(.alter([Alteration(.replace, 77, at: 8)]))

    #expect(messages.map(\.payload) == [[0, 77, 500, 0]])
    #expect(rules == ["rule"])
  }

  @Test func notificationsCanBeLostLateDoubledAndCut() throws {
    let lost = try notified(.dropped)
    #expect(lost.messages.isEmpty && lost.later.isEmpty)
    #expect(lost.rules == ["rule"])
    let late = try notified(.late(1_000))
    #expect(late.messages.isEmpty)
    #expect(late.later.map(\.payload) == [[0, 1, 500, 0]])
    let twice = try notified(.duplicated)
    #expect(twice.messages.count + twice.later.count == 2)
    #expect(try notified(.short(4)).messages.map(\.count) == [4])
    #expect(try notified(.wrongType(1)).messages.map(\.header.type) == [.reserved])
  }

  @Test func aRuleTakesTheNotificationsThatItNames() throws {
    func isAltered(_ configure: (inout MisbehaviourRule) -> Void) throws -> Bool {
      try notified(.alter([Alteration(.replace, 77, at: 8)]), configure).messages.map(\.payload) == [[0, 77, 500, 0]]
    }
    #expect(try isAltered { $0.resource = ResourceName(.clock, "pll") })
    #expect(try !isAltered { $0.resource = ResourceName(.clock, "crystal") })
    #expect(try isAltered { ($0.protocolIdentifier, $0.message) = (0x14, 0) })
    #expect(try !isAltered { ($0.protocolIdentifier, $0.message) = (0x14, 1) })
    #expect(try !isAltered { ($0.target, $0.message) = (.reply, 6) })
    #expect(try !isAltered { $0.target = .delayedResponse })
  }

  @Test func delayedResponsesCanBeAltered() throws {
    var definition = Bench.definition()
    definition.rules = [
      MisbehaviourRule("rule", .alter([Alteration(.add, 1, at: 8)])) { rule in
        rule.target = .delayedResponse
        rule.resource = ResourceName(.clock, "a-clock-with-a-long-name")
      }
    ]
    var bench = try Bench(definition)

    #expect(bench.ask(.clockRateSet(clock: 2, rate: 2_000, flags: [.asynchronous])) == [0])
    bench.wait(500)

    #expect(bench.outgoing().map(\.message.payload) == [[0, 3, 2_000, 0]])
  }

  @Test func rulesOfNotificationsLeaveRepliesAlone() throws {
    var definition = Bench.definition()
    definition.rules = [MisbehaviourRule("rule", .dropped) { $0.target = .notification }]
    var bench = try Bench(definition)

    #expect(bench.ask(.clockRateGet(clock: 0)) == [0, 24_000_000, 0])
  }
}
