import SCMI
import SCMITesting
import Testing

@Suite struct BaseTests {
  @Test func attributesCountProtocolsWithoutBaseAndAgents() throws {
    var bench = try Bench()

    #expect(bench.ask(.protocolVersion(.base)) == [0, 0x20001])
    #expect(bench.ask(.protocolAttributes(.base)) == [0, 9 | 1 << 8])
  }

  @Test func namesFillSixteenBytes() throws {
    var bench = try Bench()

    #expect(bench.ask(.baseDiscoverVendor()) == [0, 0x7375_7041, 0, 0, 0])
    #expect(bench.ask(.baseDiscoverImplementationVersion()) == [0, 1])
  }

  @Test func protocolListIsPaddedToWords() throws {
    var bench = try Bench()

    #expect(bench.ask(.baseDiscoverListProtocols()) == [0, 9, 0x1413_1211, 0x1817_1615, 0x19])
    #expect(bench.ask(.baseDiscoverListProtocols(skip: 8)) == [0, 1, 0x19])
    #expect(bench.ask(.baseDiscoverListProtocols(skip: 9)) == [0, 0])
    #expect(bench.ask(.baseDiscoverListProtocols(skip: 10)) == [word(.invalidParameters)])
  }

  @Test func agentsAreDiscoveredByNumberAndAsMyself() throws {
    var bench = try Bench.pair()

    #expect(bench.ask(.baseDiscoverAgent(agent: 0))[1] == 0)
    #expect(bench.ask(.baseDiscoverAgent(agent: 2)) == [0, 2, 0x006F_7774, 0, 0, 0])
    #expect(bench.ask(.baseDiscoverAgent(agent: .max), agent: 1) == [0, 2, 0x006F_7774, 0, 0, 0])
    #expect(bench.ask(.baseDiscoverAgent(agent: 3)) == [word(.notFound)])
  }

  @Test func anAgentThatMayNotSeeOthersCountsOnlyItself() throws {
    var bench = try Bench(
      Bench.definition(agents: [AgentDefinition("one"), AgentDefinition("two") { $0.seesOtherAgents = false }])
    )

    #expect(bench.ask(.protocolAttributes(.base), agent: 1) == [0, 9 | 1 << 8])
    #expect(bench.ask(.baseDiscoverAgent(agent: .max), agent: 1) == [0, 1, 0x006F_7774, 0, 0, 0])
    #expect(bench.ask(.baseDiscoverAgent(agent: 2), agent: 1) == [word(.notFound)])
  }

  @Test func messageAttributesFindsExactlyTheMessagesThatAreAnswered() throws {
    var bench = try Bench.pair()

    for identifier in ProtocolIdentifier.allCases {
      for message in UInt8(0)...0x20 {
        let found = bench.ask(identifier, 2, UInt32(message))
        let answer = bench.send(identifier.rawValue, message, [])
        if found[0] == 0 {
          #expect(answer[0] != word(.notSupported), "\(identifier) \(message)")
        } else {
          #expect(found == [word(.notFound)])
          #expect(
            [word(.notFound), word(.notSupported), word(.denied)].contains(answer[0]),
            "\(identifier) \(message)"
          )
        }
      }
    }
  }

  @Test func withoutAnEventChannelNothingOffersNotificationsOrDelayedResponses() throws {
    var bench = try Bench()

    bench.platform.resetAgent(0, events: false, at: 0)

    #expect(bench.ask(.messageAttributes(ClockProtocol.Message.rateNotify)) == [word(.notFound)])
    #expect(bench.ask(.protocolAttributes(.clock)) == [0, 3])
    #expect(bench.ask(.powerAttributes(domain: 0))[1] == 1 << 29)
    #expect(bench.ask(.messageAttributes(SensorProtocol.Message.continuousUpdateNotify)) == [word(.notFound)])
    #expect(bench.ask(.clockRateSet(clock: 0, rate: 24_000_000, flags: [.asynchronous])) == [word(.notSupported)])
  }

  @Test func errorsReachWhoAskedForThem() throws {
    var bench = try Bench.pair()

    #expect(bench.ask(.baseNotifyErrors(enable: [.enabled]), agent: 1) == [0])
    #expect(bench.ask(.baseNotifyErrors(enable: .init(rawValue: 2)), agent: 1) == [word(.invalidParameters)])
    bench.platform.reportError(agent: 0, fatal: true, reports: [5], at: 0)

    let events = bench.outgoing()
    #expect(events.map(\.agent) == [1])
    #expect(events[0].message.header == MessageHeader(BaseProtocol.Notification.errorEvent))
    #expect(events[0].message.payload == [1, 1 << 31 | 1, 5, 0])
  }

  @Test func negotiationChangesTheFormOfReplies() throws {
    var bench = try Bench()

    #expect(bench.ask(.clockAttributes(clock: 0)).count == 7)
    #expect(bench.ask(.negotiateVersion(.clock, 0x10000)) == [0])
    #expect(bench.ask(.clockAttributes(clock: 0)).count == 6)
    #expect(bench.ask(.clockConfigGet(clock: 0, extendedType: 0)) == [word(.notSupported)])
    #expect(bench.ask(.negotiateVersion(.clock, 0x50000)) == [word(.notSupported)])
    #expect(bench.ask(.negotiateVersion(.clock, 0x30000)) == [0])
    #expect(bench.ask(.clockAttributes(clock: 0)).count == 7)
  }

  @Test(arguments: VersionProfile.allCases) func everyProfileAdvertisesItsVersions(profile: VersionProfile) throws {
    var definition = Bench.definition()
    definition.profile = profile
    var bench = try Bench(definition)

    for identifier in ProtocolIdentifier.allCases {
      let expected: [UInt32] = profile[identifier].map { [0, $0.rawValue] } ?? [word(.notSupported)]
      #expect(bench.ask(identifier, 0) == expected)
    }
  }
}
