import SCMI
import SCMITesting
import TestSupport
import Testing

@Suite struct PropertyTests {
  @Test(arguments: 1...8 as ClosedRange<UInt64>) func everyRequestGetsExactlyOneReply(seed: UInt64) throws {
    var bench = try Bench.pair()
    var dice = Dice(state: seed &* 0x9E37_79B9)

    for step in 0..<UInt64(Effort.cases(5_000)) {
      let request = dice.request()
      var reply = SCMIMessage(header: MessageHeader(rawValue: 0))
      let agent = Int(dice.roll(2))

      let disposition = bench.platform.handle(request, from: agent, at: step * 1_000, reply: &reply)

      #expect(disposition == .reply)
      #expect(reply.header == request.header)
      #expect(reply.count >= 4 && reply.count % 4 == 0)
      #expect(reply.status == .success || reply.count == 4)
      while let outgoing = bench.platform.takeOutgoing() {
        #expect(outgoing.channel == .event)
        #expect([.delayedResponse, .notification].contains(outgoing.message.header.type))
      }
    }
  }

  /// Two agents share a platform of which each sees a half. Names tell whose half it is.
  private func halves() -> PlatformDefinition {
    var definition = Bench.definition(agents: [AgentDefinition("one"), AgentDefinition("two")])
    func mark(_ index: Int) -> String { index % 2 == 0 ? "FIRST\(index)" : "OTHER\(index)" }
    definition.clocks = (0..<8).map { index in
      ClockDefinition(mark(index)) { clock in
        clock.rates = .list([1_000, 2_000, 3_000])
        clock.parents = [mark((index + 1) % 8), mark((index + 2) % 8)]
        // The one that it begins with: a line of all, which leads back nowhere.
        if index >= 6 { clock.parents = [] }
      }
    }
    definition.powerDomains = (0..<4).map { PowerDomainDefinition(mark($0)) }
    definition.resets = (0..<4).map { ResetDefinition(mark($0)) }
    definition.regulators = (0..<4).map { index in
      VoltageDomainDefinition(mark(index)) { $0.levels = .list([1, 2, 3]) }
    }
    definition.sensors = (0..<4).map { SensorDefinition(mark($0)) }
    definition.performanceDomains = (0..<4).map { index in
      PerformanceDomainDefinition(mark(index)) {
        $0.operatingPoints = [OperatingPoint(level: 1), OperatingPoint(level: 4)]
      }
    }
    definition.powercaps = (0..<4).map { index in
      PowercapDefinition(mark(index)) { domain in
        domain.maximumCap = 5_000
        domain.parent = index < 3 ? mark(index + 1) : nil
      }
    }
    definition.pins = (0..<4).map { PinDefinition(mark($0)) }
    definition.groups = (0..<4).map { index in GroupDefinition(mark(index)) { $0.pins = (0..<4).map(mark) } }
    definition.functions = (0..<4).map { index in FunctionDefinition(mark(index)) { $0.groups = (0..<4).map(mark) } }
    definition.devices = []
    for (agent, prefix) in ["FIRST", "OTHER"].enumerated() {
      definition.agents[agent].resources = ResourceKind.allCases.flatMap { kind in
        definition.names(kind).filter { $0.hasPrefix(prefix) }.map { ResourceSelection(ResourceName(kind, $0)) }
      }
    }
    return definition
  }

  private func state(_ platform: borrowing SCMIPlatform, _ prefix: String) -> [Int64?] {
    let definition = platform.definition
    var result: [Int64?] = []
    for kind in ResourceKind.allCases {
      for name in definition.names(kind) where name.hasPrefix(prefix) {
        result.append(platform.value(ResourceName(kind, name)))
      }
    }
    return result
  }

  @Test(arguments: 1...8 as ClosedRange<UInt64>) func noAgentObservesOrChangesWhatItMayNotSee(seed: UInt64) throws {
    var bench = try Bench(halves())
    var dice = Dice(state: seed &* 0x51_7CC1)
    let before = state(bench.platform, "OTHER")

    for step in 0..<UInt64(Effort.cases(5_000)) {
      var reply = SCMIMessage(header: MessageHeader(rawValue: 0))
      _ = bench.platform.handle(dice.request(), from: 0, at: step * 1_000, reply: &reply)
      let text = String(decoding: reply.bytes, as: UTF8.self)
      #expect(!text.contains("OTHER"))
      while let outgoing = bench.platform.takeOutgoing() {
        #expect(outgoing.agent == 0)
      }
    }

    #expect(state(bench.platform, "OTHER") == before)
  }

  @Test(arguments: 1...4 as ClosedRange<UInt64>) func theSameRequestsAtTheSameTimesGiveTheSameBytes(seed: UInt64) throws
  {
    func run() throws -> [[UInt8]] {
      var definition = Bench.definition(agents: [AgentDefinition("one") { $0.trusted = true }, AgentDefinition("two")])
      definition.rules = [
        MisbehaviourRule("noise", .garbage) { $0.probability = 100_000 },
        MisbehaviourRule("late", .late(5_000)) { $0.probability = 100_000 },
      ]
      var bench = try Bench(definition)
      var dice = Dice(state: seed)
      var result: [[UInt8]] = []
      for step in 0..<UInt64(Effort.cases(2_000)) {
        var reply = SCMIMessage(header: MessageHeader(rawValue: 0))
        let disposition = bench.platform.handle(
          dice.request(),
          from: Int(dice.roll(2)),
          ticket: step,
          at: step * 1_000,
          reply: &reply
        )
        if disposition == .reply { result.append(reply.bytes) }
        while let outgoing = bench.platform.takeOutgoing() { result.append(outgoing.message.bytes) }
      }
      return result
    }

    #expect(try run() == run())
  }
}
