import SCMI
import SCMITesting
import Testing

@Suite struct ClockTests {
  @Test func attributesNameLatencyAndCapabilities() throws {
    var bench = try Bench()

    let long = bench.ask(.clockAttributes(clock: 2))

    #expect(bench.ask(.protocolAttributes(.clock)) == [0, 3 | 4 << 16])
    #expect(long[0] == 0)
    // Notifications, extended name, parents, extended configuration, permissions; not enabled.
    #expect(long[1] == 0xF800_0002)
    #expect(long.count == 7)
    #expect(bench.ask(.clockAttributes(clock: 3)) == [word(.notFound)])
  }

  @Test func extendedNameComesWhole() throws {
    var bench = try Bench()

    let name = bench.ask(.clockNameGet(clock: 2))

    let bytes = name.dropFirst(2).flatMap { word in (0..<4).map { UInt8(truncatingIfNeeded: word >> (8 * $0)) } }
    #expect(name.count == 18)
    #expect(String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self) == "a-clock-with-a-long-name")
  }

  @Test func aRangeIsExactlyThreeRates() throws {
    var bench = try Bench()

    #expect(bench.ask(.clockDescribeRates(clock: 1)) == [0, 3 | 1 << 12, 100, 0, 1_000, 0, 50, 0])
    #expect(bench.ask(.clockDescribeRates(clock: 1, index: 1)) == [word(.outOfRange)])
  }

  @Test func aLongListComesInPartsOfFifteen() throws {
    var definition = Bench.definition()
    definition.clocks[0].rates = .list((1...40).map { UInt64($0) })
    var bench = try Bench(definition)

    let first = bench.ask(.clockDescribeRates(clock: 0))
    let last = bench.ask(.clockDescribeRates(clock: 0, index: 30))

    #expect(first.count == 32)
    #expect(first[1] == 15 | 25 << 16)
    #expect(last[1] == 10)
    #expect(last[2] == 31)
    #expect(bench.ask(.clockDescribeRates(clock: 0, index: 40)) == [word(.outOfRange)])
  }

  @Test func setRateRoundsAsTheFlagsSay() throws {
    var bench = try Bench()

    #expect(bench.ask(.clockRateSet(clock: 1, rate: 120)) == [0])
    #expect(bench.ask(.clockRateGet(clock: 1)) == [0, 100, 0])
    #expect(bench.ask(.clockRateSet(clock: 1, rate: 120, flags: [.roundUp])) == [0])
    #expect(bench.ask(.clockRateGet(clock: 1)) == [0, 150, 0])
    #expect(bench.ask(.clockRateSet(clock: 1, rate: 1_000, flags: [.roundToNearest])) == [0])
    #expect(bench.ask(.clockRateGet(clock: 1)) == [0, 1_000, 0])
  }

  @Test func setRateRefusesWhatTheClockCannotDo() throws {
    var bench = try Bench()

    #expect(bench.ask(.clockRateSet(clock: 1, rate: 99)) == [word(.invalidParameters)])
    #expect(bench.ask(.clockRateSet(clock: 1, rate: 1_001)) == [word(.invalidParameters)])
    #expect(bench.ask(.clockRateSet(clock: 1, rate: .max)) == [word(.invalidParameters)])
    #expect(bench.ask(.clockRateSet(clock: 1, rate: 100, flags: .init(rawValue: 0x10))) == [word(.invalidParameters)])
    #expect(bench.ask(.clockRateSet(clock: 9, rate: 100)) == [word(.notFound)])
    #expect(bench.ask(.clockRateGet(clock: 1)) == [0, 100, 0])
  }

  @Test func anAsynchronousChangeTakesItsTimeAndAnswersWithTheRequestsToken() throws {
    var bench = try Bench()
    let request = SCMIMessage(
      header: MessageHeader(ClockProtocol.Message.rateSet, token: 77),
      payload: [1, 2, 3_000, 0]
    )
    var reply = SCMIMessage(header: request.header)

    let disposition = bench.platform.handle(request, from: 0, at: 0, reply: &reply)

    #expect(disposition == .reply)
    #expect(reply.payload == [0])
    #expect(bench.ask(.clockRateGet(clock: 2)) == [0, 1_000, 0])
    #expect(bench.platform.nextDeadline == 500)
    bench.wait(500)
    let responses = bench.outgoing()
    #expect(
      responses.map(\.message) == [
        SCMIMessage(header: MessageHeader(0x14, 5, type: .delayedResponse, token: 77), payload: [0, 2, 3_000, 0])
      ]
    )
    #expect(bench.ask(.clockRateGet(clock: 2)) == [0, 3_000, 0])
  }

  @Test func moreAsynchronousChangesThanAdvertisedAreBusy() throws {
    var bench = try Bench()

    for _ in 0..<4 { #expect(bench.ask(.clockRateSet(clock: 2, rate: 2_000, flags: [.asynchronous])) == [0]) }

    #expect(bench.ask(.clockRateSet(clock: 2, rate: 2_000, flags: [.asynchronous])) == [word(.busy)])
    bench.wait(500)
    #expect(bench.outgoing().count == 4)
    #expect(bench.ask(.clockRateSet(clock: 2, rate: 1_000, flags: [.asynchronous, .noDelayedResponse])) == [0])
    bench.wait(500)
    #expect(bench.outgoing().isEmpty)
    #expect(bench.ask(.clockRateGet(clock: 2)) == [0, 1_000, 0])
  }

  @Test func configurationTurnsTheClockOnAndSetsDutyCycleAndPhase() throws {
    var bench = try Bench()

    #expect(bench.ask(.clockConfigSet(clock: 2, attributes: .init(.enable), extendedValue: 0)) == [0])
    #expect(bench.ask(.clockConfigGet(clock: 2, extendedType: 0)) == [0, 0, 1, 0])
    #expect(bench.ask(.clockConfigSet(clock: 2, attributes: .init(.unchanged, type: 1), extendedValue: 25)) == [0])
    #expect(bench.ask(.clockConfigGet(clock: 2, extendedType: 1)) == [0, 0, 1, 25])
    #expect(bench.ask(.clockConfigSet(clock: 2, attributes: .init(.unchanged, type: 2), extendedValue: 90)) == [0])
    #expect(bench.ask(.clockConfigGet(clock: 2, extendedType: 2)) == [0, 0, 1, 90])
    #expect(bench.ask(.clockConfigSet(clock: 2, attributes: .init(.disable, type: 0x80), extendedValue: 9)) == [0])
    #expect(bench.ask(.clockConfigGet(clock: 2, extendedType: 0x80)) == [0, 0, 0, 9])
    #expect(
      bench.ask(.clockConfigSet(clock: 2, attributes: .init(.unchanged, type: 1), extendedValue: 101)) == [
        word(.invalidParameters)
      ]
    )
    #expect(
      bench.ask(.clockConfigSet(clock: 2, attributes: .init(.unchanged), extendedValue: 0)) == [
        word(.invalidParameters)
      ]
    )
    #expect(
      bench.ask(.clockConfigSet(clock: 2, attributes: .init(.reserved), extendedValue: 0)) == [word(.invalidParameters)]
    )
    #expect(
      bench.ask(.clockConfigSet(clock: 0, attributes: .init(.unchanged, type: 1), extendedValue: 5)) == [
        word(.notSupported)
      ]
    )
    #expect(bench.ask(.clockConfigGet(clock: 2, extendedType: 0x81)) == [word(.notSupported)])
    #expect(bench.ask(.clockConfigGet(clock: 2, extendedType: 0x100)) == [word(.invalidParameters)])
  }

  @Test func beforeVersionThreeConfigurationHasTwoWordsAndTheStateIsAnAttribute() throws {
    var definition = Bench.definition()
    definition.versions[.clock] = ProtocolVersion(2, 0)
    var bench = try Bench(definition)

    #expect(
      bench.ask(.clockConfigSet(clock: 0, attributes: .init(.enable), extendedValue: 0)) == [word(.protocolError)]
    )
    #expect(bench.ask(.clockConfigSet(clock: 0, attributes: .init(.enable))) == [0])
    #expect(bench.ask(.clockAttributes(clock: 0))[1] & 1 == 1)
    #expect(bench.ask(.clockConfigSet(clock: 0, attributes: .init(.unchanged))) == [word(.invalidParameters)])
  }

  @Test func parentsAreListedChosenAndRead() throws {
    var bench = try Bench()

    #expect(bench.ask(.clockPossibleParentsGet(clock: 2)) == [0, 2, 0, 1])
    #expect(bench.ask(.clockParentGet(clock: 2)) == [0, 0])
    #expect(bench.ask(.clockParentSet(clock: 2, parent: 1)) == [0])
    #expect(bench.ask(.clockParentGet(clock: 2)) == [0, 1])
    #expect(bench.ask(.clockParentSet(clock: 2, parent: 2)) == [word(.invalidParameters)])
    #expect(bench.ask(.clockPossibleParentsGet(clock: 0)) == [word(.notSupported)])
  }

  @Test func permissionsTellWhatTheDefinitionForbids() throws {
    var definition = Bench.definition()
    definition.clocks[0].rateControl = false
    var bench = try Bench(definition)

    #expect(bench.ask(.clockGetPermissions(clock: 0)) == [0, 0x8000_0000])
    #expect(bench.ask(.clockGetPermissions(clock: 1)) == [0, 0xA000_0000])
    #expect(bench.ask(.clockRateSet(clock: 0, rate: 24_000_000)) == [word(.denied)])
  }

  @Test func rateChangesReachThoseWhoAsked() throws {
    var bench = try Bench.pair()

    #expect(bench.ask(.clockRateNotify(clock: 1, enable: [.enabled]), agent: 1) == [0])
    #expect(bench.ask(.clockRateNotify(clock: 1, enable: .init(rawValue: 2)), agent: 1) == [word(.invalidParameters)])
    #expect(bench.ask(.clockRateSet(clock: 1, rate: 200)) == [0])

    let events = bench.outgoing()
    #expect(events.map(\.agent) == [1])
    #expect(events.map(\.message.payload) == [[1, 1, 200, 0]])
    #expect(events[0].message.header == MessageHeader(ClockProtocol.Notification.rateChanged))
    #expect(bench.ask(.clockRateNotify(clock: 1, enable: []), agent: 1) == [0])
    #expect(bench.ask(.clockRateSet(clock: 1, rate: 300)) == [0])
    #expect(bench.outgoing().isEmpty)
  }
}
