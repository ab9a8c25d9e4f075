import SCMI
import SCMIFile
import SCMITesting
import Testing

/// What an agent configures belongs to it: the others' stays, and it is gone with its agent.
@Suite struct SettingsTests {
  private static let die = ResourceName(.sensor, "die")

  // MARK: - Sensors

  @Test func aSensorThatOneAgentSwitchesOffStaysOnForTheOthers() throws {
    var bench = try Bench.pair()

    #expect(bench.ask(.sensorConfigSet(sensor: 0, configuration: .init(enabled: false)), agent: 1) == [0])

    #expect(bench.ask(.sensorReadingGet(sensor: 0)) == [0, 42_000, 0, 0, 0])
    #expect(bench.ask(.sensorConfigSet(sensor: 0, configuration: .init(enabled: false))) == [0])
    #expect(bench.ask(.sensorReadingGet(sensor: 0)) == [word(.protocolError)])
    bench.platform.resetAgent(1, events: true, at: 0)
    #expect(bench.ask(.sensorReadingGet(sensor: 0))[0] == 0)
  }

  @Test func aSensorThatIsOffAtBootIsOnWhileOneAgentWantsIt() throws {
    var definition = Bench.definition(agents: [AgentDefinition("one"), AgentDefinition("two")])
    definition.sensors[0].enabled = false
    var bench = try Bench(definition)
    #expect(bench.ask(.sensorReadingGet(sensor: 0)) == [word(.protocolError)])

    #expect(bench.ask(.sensorConfigSet(sensor: 0, configuration: .init(enabled: true)), agent: 1) == [0])
    #expect(bench.ask(.sensorConfigSet(sensor: 0, configuration: .init(enabled: false))) == [0])

    #expect(bench.ask(.sensorReadingGet(sensor: 0))[0] == 0)
    bench.platform.resetAgent(1, events: true, at: 0)
    #expect(bench.ask(.sensorReadingGet(sensor: 0)) == [word(.protocolError)])
  }

  @Test func theShortestIntervalHoldsAndGoesWithItsAgent() throws {
    var bench = try Bench.pair()
    let (one, ten) = (UInt32(1 << 16 | 0x1D << 11 | 1), UInt32(10 << 16 | 0x1D << 11 | 1))

    #expect(bench.ask(.sensorConfigSet(sensor: 0, configuration: .init(rawValue: ten))) == [0])
    #expect(bench.ask(.sensorConfigGet(sensor: 0)) == [0, ten])
    #expect(bench.ask(.sensorConfigSet(sensor: 0, configuration: .init(rawValue: one | 2)), agent: 1) == [0])
    #expect(bench.ask(.sensorConfigGet(sensor: 0)) == [0, one | 2])
    bench.platform.resetAgent(1, events: true, at: 0)
    #expect(bench.ask(.sensorConfigGet(sensor: 0)) == [0, ten])
    bench.platform.resetAgent(0, events: true, at: 0)
    #expect(bench.ask(.sensorConfigGet(sensor: 0)) == [0, one])
  }

  @Test func eachAgentHasTripPointsOfItsOwn() throws {
    var bench = try Bench.pair()
    for agent in 0...1 {
      #expect(bench.ask(.sensorTripPointNotify(sensor: 0, enable: [.enabled]), agent: agent) == [0])
    }

    #expect(bench.ask(.sensorTripPointConfig(sensor: 0, control: .init(rawValue: 1), value: 50_000)) == [0])
    #expect(bench.ask(.sensorTripPointConfig(sensor: 0, control: .init(rawValue: 1), value: 60_000), agent: 1) == [0])

    bench.platform.setSensor("die", values: [55_000], at: 0)
    #expect(bench.outgoing().map(\.agent) == [0])
    bench.platform.setSensor("die", values: [65_000], at: 0)
    #expect(bench.outgoing().map(\.agent) == [1])
    bench.platform.resetAgent(1, events: true, at: 0)
    #expect(bench.ask(.sensorTripPointNotify(sensor: 0, enable: [.enabled]), agent: 1) == [0])
    bench.platform.setSensor("die", values: [0], at: 0)
    bench.platform.setSensor("die", values: [65_000], at: 0)
    #expect(bench.outgoing().map(\.agent) == [0])
  }

  @Test func aTripPointOfOneAgentLosesNothingOfAnothers() throws {
    var definition = Bench.definition(agents: [AgentDefinition("one"), AgentDefinition("two")])
    definition.sensors[0].binding = .replay(values: [0, 100_000], interval: 500_000)
    var bench = try Bench(definition)
    #expect(bench.ask(.sensorTripPointNotify(sensor: 0, enable: [.enabled])) == [0])
    #expect(bench.ask(.sensorTripPointConfig(sensor: 0, control: .init(rawValue: 1), value: 50_000)) == [0])

    // The value has crossed the first one's trip point between two samples.
    bench.now = 600_000
    #expect(bench.ask(.sensorTripPointConfig(sensor: 0, control: .init(rawValue: 1), value: 50_000), agent: 1) == [0])

    #expect(bench.outgoing().map(\.message.payload) == [[0, 0, 1 << 16]])
  }

  @Test(
    arguments: [
      // Rounding down, up and to the nearest; then beyond the ends.
      (4, 0, 1), (4, 1, 10), (4, 2, 1), (6, 2, 10), (10, 1, 10), (200, 1, 10),
    ] as [(UInt32, UInt32, UInt32)]
  )
  func anIntervalIsRoundedToOneThatExists(wanted: UInt32, rounding: UInt32, expected: UInt32) throws {
    var bench = try Bench()

    #expect(
      bench.ask(
        .sensorConfigSet(sensor: 0, configuration: .init(rawValue: wanted << 16 | 0x1D << 11 | rounding << 9 | 1))
      ) == [0]
    )

    #expect(bench.ask(.sensorConfigGet(sensor: 0)) == [0, expected << 16 | 0x1D << 11 | 1])
  }

  @Test(arguments: [(24, 0, 20, -3), (24, 1, 3, -2), (24, 2, 20, -3), (27, 2, 3, -2), (1, 0, 1, -2), (999, 0, 1, -1)])
  func anIntervalOfASegmentIsRoundedToAStep(wanted: Int, rounding: Int, seconds: Int, exponent: Int) throws {
    var definition = Bench.definition()
    definition.sensors[0].intervals = [
      UpdateInterval(10, exponent: -3), UpdateInterval(100, exponent: -3), UpdateInterval(10, exponent: -3),
    ]
    definition.sensors[0].intervalsAreSegment = true
    var bench = try Bench(definition)

    let word = UInt32(wanted) << 16 | 0x1D << 11 | UInt32(rounding) << 9 | 1
    #expect(bench.ask(.sensorConfigSet(sensor: 0, configuration: .init(rawValue: word))) == [0])

    let configuration = bench.ask(.sensorConfigGet(sensor: 0))[1]
    var found = Double(configuration >> 16)
    for _ in 0..<(32 - (configuration >> 11 & 0x1F)) { found /= 10 }
    var expected = Double(seconds)
    for _ in 0..<(-exponent) { expected /= 10 }
    #expect(abs(found - expected) < 1e-9)
  }

  // MARK: - Clocks, power caps, pins

  @Test func parentDutyCyclePhaseAndValuesOfAClockGoWithTheirAgent() throws {
    var bench = try Bench.pair()
    func state(_ bench: inout Bench) -> [UInt32] {
      [bench.ask(.clockParentGet(clock: 2))[1]]
        + [1, 2, 0x80].map { bench.ask(.clockConfigGet(clock: 2, extendedType: $0))[3] }
    }
    let boot = state(&bench)

    #expect(bench.ask(.clockParentSet(clock: 2, parent: 1), agent: 1) == [0])
    for (type, value) in [(1, 20), (2, 90), (0x80, 9)] as [(UInt8, UInt32)] {
      #expect(
        bench.ask(.clockConfigSet(clock: 2, attributes: .init(.unchanged, type: type), extendedValue: value), agent: 1)
          == [0]
      )
    }
    #expect(state(&bench) == [1, 20, 90, 9])
    // What another agent has set too stays.
    #expect(bench.ask(.clockConfigSet(clock: 2, attributes: .init(.unchanged, type: 2), extendedValue: 45)) == [0])
    bench.platform.resetAgent(1, events: true, at: 0)
    #expect(state(&bench) == [1, 20, 45, 9])
    bench.platform.resetAgent(0, events: true, at: 0)
    #expect(state(&bench) == boot)
  }

  @Test func anExclusiveClocksSettingsKeepTheOthersOut() throws {
    var definition = Bench.definition(agents: [AgentDefinition("one"), AgentDefinition("two")])
    definition.clocks[2].ratePolicy = .exclusive
    var bench = try Bench(definition)

    #expect(bench.ask(.clockConfigSet(clock: 2, attributes: .init(.unchanged, type: 1), extendedValue: 20)) == [0])

    #expect(
      bench.ask(.clockConfigSet(clock: 2, attributes: .init(.unchanged, type: 2), extendedValue: 45), agent: 1) == [
        word(.busy)
      ]
    )
    #expect(bench.ask(.clockParentSet(clock: 2, parent: 1), agent: 1) == [word(.busy)])
    #expect(bench.ask(.clockRateSet(clock: 2, rate: 2_000), agent: 1) == [word(.busy)])
    bench.platform.resetAgent(0, events: true, at: 0)
    #expect(bench.ask(.clockRateSet(clock: 2, rate: 2_000), agent: 1) == [0])
  }

  @Test func anAveragingIntervalGoesWithItsAgent() throws {
    var bench = try Bench.pair()
    #expect(bench.ask(.powercapAveragingIntervalSet(domain: 0, interval: 50), agent: 1) == [0])
    #expect(bench.ask(.powercapAveragingIntervalGet(domain: 0)) == [0, 50])

    bench.platform.resetAgent(1, events: true, at: 0)

    #expect(bench.ask(.powercapAveragingIntervalGet(domain: 0)) == [0, 10])
  }

  @Test func aPinsConfigurationGoesWithItsAgent() throws {
    var bench = try Bench.pair()
    #expect(
      bench.ask(
        .pinSettingsConfigure(
          element: 0,
          function: 0,
          attributes: .init(rawValue: 1 << 10 | 1 << 2 | 1),
          settings: [11, 5]
        ),
        agent: 1
      ) == [0]
    )
    #expect(bench.ask(.pinSettingsGet(element: 1, attributes: .init(rawValue: 11))) == [0, 0, 1, 11, 5])

    bench.platform.resetAgent(1, events: true, at: 0)

    #expect(bench.ask(.pinSettingsGet(element: 1, attributes: .init(rawValue: 11))) == [word(.notFound)])
    #expect(bench.ask(.pinSettingsGet(element: 1, attributes: .init(rawValue: 1 << 18))) == [0, .max, 2, 4, 1, 10, 8])
    #expect(bench.ask(.pinSettingsGet(element: 0, attributes: .init(rawValue: 1 << 16 | 2 << 18))) == [0, .max, 0])
  }

  // MARK: - Parents at run time

  @Test func parentsThatWouldLeadBackAreInvalidParameters() throws {
    var bench = try Bench(PlatformDefinition(json: try Cases.read("clock-cycle-at-run-time.json")))

    #expect(bench.ask(.clockParentSet(clock: 1, parent: 2)) == [0])
    #expect(bench.ask(.clockParentSet(clock: 2, parent: 1)) == [word(.invalidParameters)])

    #expect(bench.ask(.clockParentGet(clock: 2)) == [0, 0])
    #expect(bench.ask(.clockParentSet(clock: 1, parent: 0)) == [0])
    #expect(bench.ask(.clockParentSet(clock: 2, parent: 1)) == [0])
  }

  @Test func aParentDoesNotGoBackToOneThatLeadsBack() throws {
    var definition = PlatformDefinition { platform in
      platform.agents = [AgentDefinition("one"), AgentDefinition("two")]
      platform.clocks = [("osc", []), ("b", ["c", "osc"]), ("c", ["osc", "b"])].map { name, parents in
        ClockDefinition(name) { clock in
          clock.rates = .list([1])
          clock.parents = parents
          clock.parent = parents.first
        }
      }
    }
    definition.clocks[0].parent = nil
    var bench = try Bench(definition)
    #expect(bench.ask(.clockParentSet(clock: 1, parent: 0)) == [0])
    #expect(bench.ask(.clockParentSet(clock: 2, parent: 1), agent: 1) == [0])

    bench.platform.resetAgent(0, events: true, at: 0)

    #expect(bench.ask(.clockParentGet(clock: 1)) == [0, 0])
  }

  // MARK: - Under way

  @Test func pendingAsynchronousRequestsAreEachAgentsOwn() throws {
    var bench = try Bench.pair()
    for _ in 0..<4 { #expect(bench.ask(.clockRateSet(clock: 2, rate: 2_000, flags: [.asynchronous])) == [0]) }
    #expect(bench.ask(.clockRateSet(clock: 2, rate: 2_000, flags: [.asynchronous])) == [word(.busy)])

    #expect(bench.ask(.clockRateSet(clock: 2, rate: 3_000, flags: [.asynchronous]), agent: 1) == [0])
  }

  @Test func aResetOfTheConfigurationDropsWhatIsUnderWay() throws {
    var bench = try Bench.pair()
    for _ in 0..<4 { #expect(bench.ask(.clockRateSet(clock: 2, rate: 2_000, flags: [.asynchronous]), agent: 1) == [0]) }

    #expect(bench.ask(.baseResetAgentConfiguration(agent: 2)) == [0])
    bench.wait(1_000)

    #expect(bench.outgoing().isEmpty)
    #expect(bench.ask(.clockRateGet(clock: 2)) == [0, 1_000, 0])
    for _ in 0..<4 { #expect(bench.ask(.clockRateSet(clock: 2, rate: 2_000, flags: [.asynchronous]), agent: 1) == [0]) }
  }
}
