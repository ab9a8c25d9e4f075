import SCMI
import SCMIFile
import SCMITesting
import Testing

@Suite struct PolicyTests {
  /// "one" sees everything and is trusted; "two" sees the pll, with bounds, and the gpu's power domain for reading.
  private func restricted(_ configure: (inout AgentDefinition) -> Void = { _ in }) throws -> Bench {
    try Bench(
      Bench.definition(agents: [
        AgentDefinition("one") { $0.trusted = true },
        AgentDefinition("two") { agent in
          agent.resources = [
            ResourceSelection(ResourceName(.clock, "pll"), minimum: 200, maximum: 420),
            ResourceSelection(ResourceName(.powerDomain, "gpu"), access: .read),
          ]
          configure(&agent)
        },
      ])
    )
  }

  @Test func anAgentCountsOnlyWhatItMaySee() throws {
    var bench = try restricted()

    #expect(bench.ask(.baseDiscoverListProtocols(), agent: 1) == [0, 3, 0x14_1211])
    #expect(bench.ask(.protocolAttributes(.clock), agent: 1) == [0, 1 | 4 << 16])
    #expect(bench.ask(.clockRateGet(clock: 0), agent: 1) == [0, 100, 0])
    #expect(bench.ask(.clockRateGet(clock: 1), agent: 1) == [word(.notFound)])
    #expect(bench.ask(.protocolVersion(.voltage), agent: 1) == [word(.notSupported)])
  }

  @Test func boundsNarrowWhatIsDescribedAndWhatIsAccepted() throws {
    var bench = try restricted()

    #expect(bench.ask(.clockDescribeRates(clock: 0), agent: 1) == [0, 3 | 1 << 12, 200, 0, 400, 0, 50, 0])
    #expect(bench.ask(.clockRateSet(clock: 0, rate: 150), agent: 1) == [word(.invalidParameters)])
    #expect(bench.ask(.clockRateSet(clock: 0, rate: 450), agent: 1) == [word(.invalidParameters)])
    #expect(bench.ask(.clockRateSet(clock: 0, rate: 400), agent: 1) == [0])
  }

  @Test func readAccessDoesNotSet() throws {
    var bench = try restricted()

    #expect(bench.ask(.powerStateGet(domain: 0), agent: 1)[0] == 0)
    #expect(bench.ask(.powerStateSet(domain: 0, state: 0), agent: 1) == [word(.denied)])
  }

  @Test func deniedCommandsAreDeniedAndNotFound() throws {
    var bench = try restricted { $0.deniedCommands = [.clock: [5]] }

    #expect(bench.ask(.clockRateSet(clock: 0, rate: 400), agent: 1) == [word(.denied)])
    #expect(bench.ask(.messageAttributes(ClockProtocol.Message.rateSet), agent: 1) == [word(.notFound)])
    #expect(bench.ask(.messageAttributes(ClockProtocol.Message.rateGet), agent: 1) == [0, 0])
  }

  @Test func aTrustedAgentMovesADeviceWhileBothRun() throws {
    var bench = try Bench.pair()

    #expect(bench.ask(.baseSetDevicePermissions(agent: 2, device: 0)) == [0])
    #expect(bench.ask(.clockRateGet(clock: 1), agent: 1) == [word(.denied)])
    #expect(bench.ask(.clockRateGet(clock: 2), agent: 1)[0] == 0)
    #expect(bench.ask(.powerStateGet(domain: 0), agent: 1) == [word(.denied)])
    #expect(bench.ask(.baseSetDevicePermissions(agent: 2, device: 0, flags: [.allowed])) == [0])
    #expect(bench.ask(.clockRateGet(clock: 1), agent: 1)[0] == 0)
    #expect(bench.ask(.baseSetProtocolPermissions(agent: 2, device: 0, protocolIdentifier: 0x14)) == [0])
    #expect(bench.ask(.clockRateGet(clock: 1), agent: 1) == [word(.denied)])
    #expect(bench.ask(.powerStateGet(domain: 0), agent: 1)[0] == 0)
  }

  @Test func theMachinesOwnerTakesADeviceAndGivesOneProtocolOfItBack() throws {
    var bench = try Bench.pair()

    bench.platform.setDevicePermission(agent: 1, device: 0, allowed: false, at: 0)
    let taken = [bench.ask(.clockRateGet(clock: 1), agent: 1), bench.ask(.powerStateGet(domain: 0), agent: 1)]
    bench.platform.setProtocolPermission(agent: 1, device: 0, protocolIdentifier: .clock, allowed: true, at: 0)
    let given = [bench.ask(.clockRateGet(clock: 1), agent: 1), bench.ask(.powerStateGet(domain: 0), agent: 1)]

    #expect(taken == [[word(.denied)], [word(.denied)]])
    #expect(given[0].first == 0)
    #expect(given[1] == [word(.denied)])
  }

  @Test func whatIsGivenAndWasNotThereIsAddedBehindTheRest() throws {
    var bench = try restricted()

    bench.platform.setAccess(.full, agent: 1, resource: ResourceName(.clock, "crystal"), at: 0)
    bench.platform.setAccess(.full, agent: 1, resource: ResourceName(.voltageDomain, "vdd"), at: 0)

    #expect(bench.ask(.protocolAttributes(.clock), agent: 1) == [0, 2 | 4 << 16])
    #expect(bench.ask(.clockRateGet(clock: 0), agent: 1) == [0, 100, 0])
    #expect(bench.ask(.clockRateGet(clock: 1), agent: 1) == [0, 24_000_000, 0])
    #expect(bench.ask(.protocolAttributes(.voltage), agent: 1) == [0, 1])
    bench.platform.resetAgent(1, permissions: true, events: true, at: 0)
    #expect(bench.ask(.clockRateGet(clock: 1), agent: 1) == [word(.denied)])
  }

  @Test(arguments: [
    ([9, 3, 0, 0], SCMIStatus.notFound), ([9, 0, 0, 0], .notFound), ([9, 2, 1, 0], .notFound),
    ([9, 2, 0, 2], .invalidParameters), ([0xA, 2, 0, 0x10, 0], .notFound), ([0xA, 2, 0, 0x15, 0], .notFound),
    ([0xA, 2, 0, 0x14, 4], .invalidParameters), ([0xB, 3, 0], .notFound), ([0xB, 2, 2], .invalidParameters),
  ])
  func permissionCommandsRefuse(words: [UInt32], status: SCMIStatus) throws {
    var bench = try Bench.pair()

    #expect(bench.send(0x10, UInt8(words[0]), Array(words.dropFirst())) == [word(status)])
  }

  @Test func anUntrustedCallerIsDeniedButMayResetItself() throws {
    var bench = try Bench.pair()

    #expect(bench.ask(.baseSetDevicePermissions(agent: 1, device: 0), agent: 1) == [word(.denied)])
    #expect(
      bench.ask(.baseSetProtocolPermissions(agent: 1, device: 0, protocolIdentifier: 0x14), agent: 1) == [word(.denied)]
    )
    #expect(bench.ask(.baseResetAgentConfiguration(agent: 1), agent: 1) == [word(.denied)])
    #expect(bench.ask(.baseResetAgentConfiguration(agent: 2), agent: 1) == [0])
    #expect(bench.ask(.baseResetAgentConfiguration(agent: 2, flags: [.permissions]), agent: 1) == [word(.denied)])
    #expect(bench.ask(.messageAttributes(BaseProtocol.Message.setDevicePermissions), agent: 1) == [word(.notFound)])
  }

  @Test func aResetTakesVotesAndSubscriptionsWithIt() throws {
    var bench = try Bench.pair()

    #expect(bench.ask(.clockConfigSet(clock: 1, attributes: .init(.enable), extendedValue: 0), agent: 1) == [0])
    #expect(bench.ask(.clockRateNotify(clock: 1, enable: [.enabled]), agent: 1) == [0])
    #expect(bench.ask(.baseResetAgentConfiguration(agent: 2)) == [0])

    #expect(bench.platform.isEnabled(ResourceName(.clock, "pll")) == false)
    #expect(bench.ask(.clockRateSet(clock: 1, rate: 300)) == [0])
    #expect(bench.outgoing().isEmpty)
  }

  @Test func aResetDropsWhatIsUnderWay() throws {
    var bench = try Bench()

    #expect(bench.ask(.clockRateSet(clock: 2, rate: 2_000, flags: [.asynchronous])) == [0])
    bench.platform.resetAgent(0, events: true, at: 0)
    bench.wait(1_000)

    #expect(bench.outgoing().isEmpty)
    #expect(bench.ask(.clockRateGet(clock: 2)) == [0, 1_000, 0])
    for _ in 0..<4 { #expect(bench.ask(.clockRateSet(clock: 2, rate: 2_000, flags: [.asynchronous])) == [0]) }
  }

  @Test(arguments: [
    (HarmonisationPolicy.last, UInt32(300)), (.highest, 500), (.lowest, 300), (.referenceCount, 500),
  ])
  func ratesAreHarmonised(policy: HarmonisationPolicy, expected: UInt32) throws {
    var definition = Bench.definition(agents: [AgentDefinition("one"), AgentDefinition("two")])
    definition.clocks[1].ratePolicy = policy
    var bench = try Bench(definition)

    #expect(bench.ask(.clockRateSet(clock: 1, rate: 500)) == [0])
    #expect(bench.ask(.clockRateSet(clock: 1, rate: 300), agent: 1) == [0])

    #expect(bench.ask(.clockRateGet(clock: 1)) == [0, expected, 0])
  }

  @Test func anExclusiveOwnerKeepsTheOthersOut() throws {
    var definition = Bench.definition(agents: [AgentDefinition("one"), AgentDefinition("two")])
    definition.clocks[1].ratePolicy = .exclusive
    var bench = try Bench(definition)

    #expect(bench.ask(.clockRateSet(clock: 1, rate: 500)) == [0])
    #expect(bench.ask(.clockRateSet(clock: 1, rate: 300), agent: 1) == [word(.busy)])
    bench.platform.resetAgent(0, events: true, at: 0)
    #expect(bench.ask(.clockRateSet(clock: 1, rate: 300), agent: 1) == [0])
  }

  @Test func aClockRunsWhileOneAgentNeedsIt() throws {
    var bench = try Bench.pair()
    let pll = ResourceName(.clock, "pll")

    #expect(bench.ask(.clockConfigSet(clock: 1, attributes: .init(.enable), extendedValue: 0)) == [0])
    #expect(bench.ask(.clockConfigSet(clock: 1, attributes: .init(.enable), extendedValue: 0), agent: 1) == [0])
    #expect(bench.ask(.clockConfigSet(clock: 1, attributes: .init(.disable), extendedValue: 0)) == [0])
    #expect(bench.platform.isEnabled(pll) == true)
    #expect(bench.ask(.clockConfigSet(clock: 1, attributes: .init(.disable), extendedValue: 0), agent: 1) == [0])
    #expect(bench.platform.isEnabled(pll) == false)
  }

  @Test func aQuotaSlowsOneAgentAndNotTheOther() throws {
    var bench = try Bench(
      Bench.definition(agents: [AgentDefinition("one") { $0.messagesPerSecond = 2 }, AgentDefinition("two")])
    )
    bench.now = 2_000_000_000

    #expect(bench.ask(.protocolVersion(.base))[0] == 0)
    #expect(bench.ask(.protocolVersion(.base))[0] == 0)
    #expect(bench.ask(.protocolVersion(.base)) == [word(.busy)])
    #expect(bench.ask(.protocolVersion(.base), agent: 1)[0] == 0)
    bench.now += 500_000_000
    #expect(bench.ask(.protocolVersion(.base))[0] == 0)
    #expect(bench.ask(.protocolVersion(.base)) == [word(.busy)])
  }

  @Test func outstandingResponsesAreBounded() throws {
    var bench = try Bench(Bench.definition(agents: [AgentDefinition("one") { $0.outstandingResponses = 1 }]))

    #expect(bench.ask(.powerStateSet(domain: 0, state: 0, flags: [.asynchronous])) == [0])
    #expect(bench.ask(.clockRateSet(clock: 2, rate: 2_000, flags: [.asynchronous])) == [word(.busy)])
    bench.wait(1_000)
    #expect(bench.ask(.clockRateSet(clock: 2, rate: 2_000, flags: [.asynchronous])) == [0])
  }

  @Test func whatIsTakenAwayCanStayDescribed() throws {
    var bench = try Bench(
      Bench.definition(agents: [
        AgentDefinition("one") { $0.trusted = true }, AgentDefinition("two") { $0.describesDenied = true },
      ])
    )

    #expect(bench.ask(.baseSetDevicePermissions(agent: 2, device: 0)) == [0])

    #expect(bench.ask(.clockAttributes(clock: 1), agent: 1)[0] == 0)
    #expect(bench.ask(.clockGetPermissions(clock: 1), agent: 1) == [0, 0])
    #expect(bench.ask(.clockRateSet(clock: 1, rate: 300), agent: 1) == [word(.denied)])
  }
}

@Suite struct VendorTests {
  @Test func aProtocolOfDataAnswersAsItWasTold() throws {
    var definition = Bench.definition()
    definition.vendorProtocols = [
      VendorProtocolDefinition(0x80) { vendor in
        vendor.version = ProtocolVersion(1, 2)
        vendor.attributes = 5
        vendor.commands = [
          .init(3, reply: [1, 2], requestSize: 4), .init(4, status: .hardwareError),
        ]
      }
    ]
    var bench = try Bench(definition)

    #expect(bench.send(0x80, 0, []) == [0, 0x10002])
    #expect(bench.send(0x80, 1, []) == [0, 5])
    #expect(bench.send(0x80, 2, [3]) == [0, 0])
    #expect(bench.send(0x80, 2, [9]) == [word(.notFound)])
    #expect(bench.send(0x80, 3, [0]) == [0, 1, 2])
    #expect(bench.send(0x80, 3, []) == [word(.protocolError)])
    #expect(bench.send(0x80, 4, []) == [word(.hardwareError)])
    #expect(bench.send(0x81, 0, []) == [word(.notSupported)])
    #expect(bench.ask(.baseDiscoverListProtocols(skip: 8))[1...] == [2, 0x8019])
  }

  private struct Counter: VendorProtocol {
    var identifier: UInt8 { 0x90 }
    var version: ProtocolVersion { ProtocolVersion(1, 0) }
    var attributes: UInt32 { 0 }
    var count: UInt32 = 0

    func messageAttributes(_ message: UInt8) -> UInt32? { message == 3 ? 0 : nil }

    mutating func handle(_ request: SCMIMessage, agent: Int, at now: UInt64, reply: inout [UInt32]) -> SCMIStatus {
      count += 1
      reply = [count, UInt32(agent)]
      return .success
    }
  }

  @Test func aProtocolInSwiftHasItsOwnState() throws {
    var platform = try SCMIPlatform(Bench.definition(), vendors: [Counter()])
    var reply = SCMIMessage(header: MessageHeader(rawValue: 0))

    for expected in UInt32(1)...2 {
      let disposition = platform.handle(SCMIMessage(header: MessageHeader(0x90, 3)), from: 0, at: 0, reply: &reply)
      #expect(disposition == .reply)
      #expect(reply.payload == [0, expected, 0])
    }
  }
}
