import SCMI
import SCMITesting
import Testing

@Suite struct ClockTests {
  @Test func attributesNameLatencyAndCapabilities() throws {
    var bench = try Bench()

    let long = bench.ask(.clock, 3, 2)

    #expect(bench.ask(.clock, 1) == [0, 3 | 4 << 16])
    #expect(long[0] == 0)
    // Notifications, extended name, parents, extended configuration, permissions; not enabled.
    #expect(long[1] == 0xF800_0002)
    #expect(long.count == 7)
    #expect(bench.ask(.clock, 3, 3) == [word(.notFound)])
  }

  @Test func extendedNameComesWhole() throws {
    var bench = try Bench()

    let name = bench.ask(.clock, 8, 2)

    let bytes = name.dropFirst(2).flatMap { word in (0..<4).map { UInt8(truncatingIfNeeded: word >> (8 * $0)) } }
    #expect(name.count == 18)
    #expect(String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self) == "a-clock-with-a-long-name")
  }

  @Test func aRangeIsExactlyThreeRates() throws {
    var bench = try Bench()

    #expect(bench.ask(.clock, 4, 1, 0) == [0, 3 | 1 << 12, 100, 0, 1_000, 0, 50, 0])
    #expect(bench.ask(.clock, 4, 1, 1) == [word(.outOfRange)])
  }

  @Test func aLongListComesInPartsOfFifteen() throws {
    var definition = Bench.definition()
    definition.clocks[0].rates = .list((1...40).map { UInt64($0) })
    var bench = try Bench(definition)

    let first = bench.ask(.clock, 4, 0, 0)
    let last = bench.ask(.clock, 4, 0, 30)

    #expect(first.count == 32)
    #expect(first[1] == 15 | 25 << 16)
    #expect(last[1] == 10)
    #expect(last[2] == 31)
    #expect(bench.ask(.clock, 4, 0, 40) == [word(.outOfRange)])
  }

  @Test func setRateRoundsAsTheFlagsSay() throws {
    var bench = try Bench()

    #expect(bench.ask(.clock, 5, 0, 1, 120, 0) == [0])
    #expect(bench.ask(.clock, 6, 1) == [0, 100, 0])
    #expect(bench.ask(.clock, 5, 4, 1, 120, 0) == [0])
    #expect(bench.ask(.clock, 6, 1) == [0, 150, 0])
    #expect(bench.ask(.clock, 5, 8, 1, 1_000, 0) == [0])
    #expect(bench.ask(.clock, 6, 1) == [0, 1_000, 0])
  }

  @Test func setRateRefusesWhatTheClockCannotDo() throws {
    var bench = try Bench()

    #expect(bench.ask(.clock, 5, 0, 1, 99, 0) == [word(.invalidParameters)])
    #expect(bench.ask(.clock, 5, 0, 1, 1_001, 0) == [word(.invalidParameters)])
    #expect(bench.ask(.clock, 5, 0, 1, .max, .max) == [word(.invalidParameters)])
    #expect(bench.ask(.clock, 5, 0x10, 1, 100, 0) == [word(.invalidParameters)])
    #expect(bench.ask(.clock, 5, 0, 9, 100, 0) == [word(.notFound)])
    #expect(bench.ask(.clock, 6, 1) == [0, 100, 0])
  }

  @Test func anAsynchronousChangeTakesItsTimeAndAnswersWithTheRequestsToken() throws {
    var bench = try Bench()
    let request = SCMIMessage(header: MessageHeader(0x14, 5, token: 77), payload: [1, 2, 3_000, 0])
    var reply = SCMIMessage(header: request.header)

    let disposition = bench.platform.handle(request, from: 0, at: 0, reply: &reply)

    #expect(disposition == .reply)
    #expect(reply.payload == [0])
    #expect(bench.ask(.clock, 6, 2) == [0, 1_000, 0])
    #expect(bench.platform.nextDeadline == 500)
    bench.wait(500)
    let responses = bench.outgoing()
    #expect(
      responses.map(\.message) == [
        SCMIMessage(header: MessageHeader(0x14, 5, type: .delayedResponse, token: 77), payload: [0, 2, 3_000, 0])
      ]
    )
    #expect(bench.ask(.clock, 6, 2) == [0, 3_000, 0])
  }

  @Test func moreAsynchronousChangesThanAdvertisedAreBusy() throws {
    var bench = try Bench()

    for _ in 0..<4 { #expect(bench.ask(.clock, 5, 1, 2, 2_000, 0) == [0]) }

    #expect(bench.ask(.clock, 5, 1, 2, 2_000, 0) == [word(.busy)])
    bench.wait(500)
    #expect(bench.outgoing().count == 4)
    #expect(bench.ask(.clock, 5, 3, 2, 1_000, 0) == [0])
    bench.wait(500)
    #expect(bench.outgoing().isEmpty)
    #expect(bench.ask(.clock, 6, 2) == [0, 1_000, 0])
  }

  @Test func configurationTurnsTheClockOnAndSetsDutyCycleAndPhase() throws {
    var bench = try Bench()

    #expect(bench.ask(.clock, 7, 2, 1, 0) == [0])
    #expect(bench.ask(.clock, 0xB, 2, 0) == [0, 0, 1, 0])
    #expect(bench.ask(.clock, 7, 2, 1 << 16 | 3, 25) == [0])
    #expect(bench.ask(.clock, 0xB, 2, 1) == [0, 0, 1, 25])
    #expect(bench.ask(.clock, 7, 2, 2 << 16 | 3, 90) == [0])
    #expect(bench.ask(.clock, 0xB, 2, 2) == [0, 0, 1, 90])
    #expect(bench.ask(.clock, 7, 2, 0x80 << 16, 9) == [0])
    #expect(bench.ask(.clock, 0xB, 2, 0x80) == [0, 0, 0, 9])
    #expect(bench.ask(.clock, 7, 2, 1 << 16 | 3, 101) == [word(.invalidParameters)])
    #expect(bench.ask(.clock, 7, 2, 3, 0) == [word(.invalidParameters)])
    #expect(bench.ask(.clock, 7, 2, 2, 0) == [word(.invalidParameters)])
    #expect(bench.ask(.clock, 7, 0, 1 << 16 | 3, 5) == [word(.notSupported)])
    #expect(bench.ask(.clock, 0xB, 2, 0x81) == [word(.notSupported)])
    #expect(bench.ask(.clock, 0xB, 2, 0x100) == [word(.invalidParameters)])
  }

  @Test func beforeVersionThreeConfigurationHasTwoWordsAndTheStateIsAnAttribute() throws {
    var definition = Bench.definition()
    definition.versions[.clock] = ProtocolVersion(2, 0)
    var bench = try Bench(definition)

    #expect(bench.ask(.clock, 7, 0, 1, 0) == [word(.protocolError)])
    #expect(bench.ask(.clock, 7, 0, 1) == [0])
    #expect(bench.ask(.clock, 3, 0)[1] & 1 == 1)
    #expect(bench.ask(.clock, 7, 0, 3) == [word(.invalidParameters)])
  }

  @Test func parentsAreListedChosenAndRead() throws {
    var bench = try Bench()

    #expect(bench.ask(.clock, 0xC, 2, 0) == [0, 2, 0, 1])
    #expect(bench.ask(.clock, 0xE, 2) == [0, 0])
    #expect(bench.ask(.clock, 0xD, 2, 1) == [0])
    #expect(bench.ask(.clock, 0xE, 2) == [0, 1])
    #expect(bench.ask(.clock, 0xD, 2, 2) == [word(.invalidParameters)])
    #expect(bench.ask(.clock, 0xC, 0, 0) == [word(.notSupported)])
  }

  @Test func permissionsTellWhatTheDefinitionForbids() throws {
    var definition = Bench.definition()
    definition.clocks[0].rateControl = false
    var bench = try Bench(definition)

    #expect(bench.ask(.clock, 0xF, 0) == [0, 0x8000_0000])
    #expect(bench.ask(.clock, 0xF, 1) == [0, 0xA000_0000])
    #expect(bench.ask(.clock, 5, 0, 0, 24_000_000, 0) == [word(.denied)])
  }

  @Test func rateChangesReachThoseWhoAsked() throws {
    var bench = try Bench.pair()

    #expect(bench.ask(.clock, 9, 1, 1, agent: 1) == [0])
    #expect(bench.ask(.clock, 9, 1, 2, agent: 1) == [word(.invalidParameters)])
    #expect(bench.ask(.clock, 5, 0, 1, 200, 0) == [0])

    let events = bench.outgoing()
    #expect(events.map(\.agent) == [1])
    #expect(events.map(\.message.payload) == [[1, 1, 200, 0]])
    #expect(events[0].message.header == MessageHeader(0x14, 0, type: .notification))
    #expect(bench.ask(.clock, 9, 1, 0, agent: 1) == [0])
    #expect(bench.ask(.clock, 5, 0, 1, 300, 0) == [0])
    #expect(bench.outgoing().isEmpty)
  }
}
