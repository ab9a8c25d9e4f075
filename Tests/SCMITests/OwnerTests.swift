import SCMI
import SCMIFile
import SCMITesting
import Testing

/// What a running machine's owner sees of its platform, and does to it.
@Suite struct OwnerTests {
  private static let pll = ResourceName(.clock, "pll")

  private static func bench() throws -> Bench {
    var bench = try Bench(
      Bench.definition(agents: [AgentDefinition("guest"), AgentDefinition("manager") { $0.trusted = true }])
    )
    for agent in 0..<2 { bench.platform.resetAgent(agent, events: true, at: 0) }
    return bench
  }

  @Test func aVoteInAnAgentsNameIsHarmonisedWithThoseOfOthersAndSeen() throws {
    var bench = try Self.bench()
    _ = bench.ask(.clockRateSet(clock: 1, rate: 200))

    let status = bench.platform.vote(1, for: Self.pll, value: 700, isOn: true, at: 1)

    #expect(status == .success)
    #expect(bench.platform.value(Self.pll) == 700)
    #expect(bench.platform.isEnabled(Self.pll) == true)
    let votes = bench.platform.votes(for: Self.pll) ?? []
    #expect(votes.map(\.agent) == [0, 1])
    #expect(votes.map(\.value) == [200, 700])
    #expect(votes.map(\.isOn) == [nil, true])
    #expect(votes.allSatisfy { $0.access == .full })
  }

  @Test func aVoteThatThePlatformRefusesHasItsStatus() throws {
    var bench = try Self.bench()
    bench.platform.setAccess(.read, agent: 1, resource: Self.pll, at: 0)

    #expect(bench.platform.vote(1, for: Self.pll, value: 700, isOn: nil, at: 1) == .denied)
    #expect(bench.platform.vote(0, for: Self.pll, value: -1, isOn: nil, at: 1) == .invalidParameters)
    #expect(bench.platform.vote(0, for: ResourceName(.clock, "none"), value: 1, isOn: nil, at: 1) == .notFound)
    #expect(
      bench.platform.vote(0, for: ResourceName(.powerDomain, "gpu"), value: nil, isOn: true, at: 1) == .notSupported
    )
    #expect(bench.platform.votes(for: ResourceName(.clock, "none")) == nil)
  }

  @Test func aVoteThatARuleWithholdsHasNoStatus() throws {
    var bench = try Self.bench()
    bench.platform.addRule(MisbehaviourRule("lost", .dropped) { $0.agent = "manager" })

    #expect(bench.platform.vote(1, for: Self.pll, value: 700, isOn: nil, at: 1) == nil)
    #expect(bench.platform.activeRules.map(\.rule.name) == ["lost"])
    #expect(bench.platform.activeRules.map(\.matches) == [1])
  }

  @Test func onlyTheAgentThatIsMeantIsAskedToShutDown() throws {
    var bench = try Self.bench()
    for agent in 0..<2 { _ = bench.ask(.systemPowerStateNotify(enable: .enabled), agent: agent) }
    _ = bench.outgoing()

    let told = bench.platform.requestSystemPower(.shutdown, graceful: true, to: 1, at: 1)

    #expect(told == 1)
    #expect(bench.platform.takeOutgoing()?.agent == 1)
    #expect(bench.platform.takeOutgoing() == nil)
  }
}
