import SCMI
import SCMIFile
import SCMITesting
import Testing

/// Nothing is described that is then refused: bounds, access and refused commands show in every description.
@Suite struct PromiseTests {
  private func bench(_ json: String) throws -> Bench { try Bench(PlatformDefinition(json: json)) }

  // MARK: - Bounds

  @Test func boundsNarrowTheDescriptionsOfTheCase() throws {
    var bench = try Bench(PlatformDefinition(json: try Cases.read("bounds-and-denials.json")))

    let levels = bench.ask(.performanceDescribeLevels(domain: 0))
    #expect(levels[1] == 3)
    #expect(stride(from: 2, to: levels.count, by: 5).map { levels[$0] } == [200, 300, 400])
    // Sustained: 500 MHz is beyond the bounds.
    #expect(bench.ask(.performanceDomainAttributes(domain: 0))[3...4] == [400_000, 400])
    #expect(bench.ask(.performanceLimitsGet(domain: 0)) == [0, 400, 200])
    #expect(bench.ask(.voltageDescribeLevels(domain: 0)) == [0, 3 | 1 << 12, 800_000, 950_000, 50_000])
    let cap = bench.ask(.powercapDomainAttributes(domain: 0))
    #expect(cap[9...11] == [2_000_000, 4_000_000, 1_000_000])
    // Bits 31 state, 30 parent, 29 rate: CLOCK_CONFIG_SET is refused.
    #expect(bench.ask(.clockGetPermissions(clock: 1)) == [0, 1 << 30 | 1 << 29])
    #expect(bench.ask(.clockGetPermissions(clock: 0)) == [0, 1 << 29])
  }

  @Test func everyLevelThatIsDescribedCanBeSet() throws {
    var bench = try Bench(PlatformDefinition(json: try Cases.read("bounds-and-denials.json")))

    for level in [200, 300, 400] as [UInt32] {
      #expect(bench.ask(.performanceLevelSet(domain: 0, level: level)) == [0])
    }
    for level in [100, 500] as [UInt32] {
      #expect(bench.ask(.performanceLevelSet(domain: 0, level: level)) == [word(.outOfRange)])
    }
    #expect(bench.ask(.performanceLimitsSet(domain: 0, maximum: 300, minimum: 0)) == [0])
    #expect(bench.ask(.performanceLimitsGet(domain: 0)) == [0, 300, 200])
    for level in [800_000, 850_000, 900_000, 950_000] as [UInt32] {
      #expect(bench.ask(.voltageLevelSet(domain: 0, level: Int32(bitPattern: level))) == [0])
    }
    for level in [750_000, 1_000_000] as [UInt32] {
      #expect(bench.ask(.voltageLevelSet(domain: 0, level: Int32(bitPattern: level))) == [word(.invalidParameters)])
    }
    for cap in [2_000_000, 3_000_000, 4_000_000] as [UInt32] {
      #expect(bench.ask(.powercapCapSet(domain: 0, cap: cap)) == [0])
    }
    for cap in [1_000_000, 5_000_000] as [UInt32] {
      #expect(bench.ask(.powercapCapSet(domain: 0, cap: cap)) == [word(.outOfRange)])
    }
  }

  @Test func indexesCountTheLevelsWithinTheBounds() throws {
    var definition = Bench.definition()
    definition.performanceDomains[0].levelIndexing = true
    definition.performanceDomains[0].level = 100
    definition.agents[0].resources = [
      ResourceSelection(ResourceName(.performanceDomain, "cpu"), minimum: 250, maximum: 600)
    ]
    var bench = try Bench(definition)

    let levels = bench.ask(.performanceDescribeLevels(domain: 0))
    #expect(stride(from: 2, to: levels.count, by: 5).map { levels[$0] } == [300, 400, 500, 600])
    #expect(stride(from: 6, to: levels.count, by: 5).map { levels[$0] } == [0, 1, 2, 3])
    #expect(bench.ask(.performanceLevelSet(domain: 0, level: 3)) == [0])
    #expect(bench.platform.value(ResourceName(.performanceDomain, "cpu")) == 600)
    #expect(bench.ask(.performanceLevelGet(domain: 0)) == [0, 3])
    #expect(bench.ask(.performanceLevelSet(domain: 0, level: 4)) == [word(.outOfRange)])
  }

  @Test(
    arguments: [(-900, 900, -500, 500), (-1_000, 0, -1_000, 0), (-400, 400, 0, 0)] as [(Int64, Int64, Int32, Int32)]
  )
  func aRangeOfVoltagesKeepsItsSteps(minimum: Int64, maximum: Int64, lowest: Int32, highest: Int32) throws {
    var definition = Bench.definition()
    definition.agents[0].resources = [
      ResourceSelection(ResourceName(.voltageDomain, "vddio"), minimum: minimum, maximum: maximum)
    ]
    var bench = try Bench(definition)

    let reply = bench.ask(.voltageDescribeLevels(domain: 0))

    #expect(reply.dropFirst(2).map { Int32(bitPattern: $0) } == [lowest, highest, 500])
    for level in [lowest, highest] { #expect(bench.ask(.voltageLevelSet(domain: 0, level: level)) == [0]) }
  }

  @Test func aCapThatCannotBeSetHasNoRoom() throws {
    var definition = Bench.definition()
    definition.agents[0].resources = [ResourceSelection(ResourceName(.powercapDomain, "board"), access: .read)]
    var bench = try Bench(definition)

    let reply = bench.ask(.powercapDomainAttributes(domain: 0))

    // Neither asynchronous nor configurable, neither cap nor averaging interval; monitored.
    #expect(reply[1] >> 25 & 0x1F == 0b00010)
    #expect(reply[6] == reply[7])
    #expect(reply[9] == reply[10])
  }

  // MARK: - Commands that are refused

  /// The word that describes the resource of index `word` in the reply to `message`.
  private struct Promise: CustomStringConvertible {
    var identifier: ProtocolIdentifier
    var message: UInt8
    var resource: UInt32
    var word: Int
    /// Bits of the word, by the commands that they promise: one that is refused clears it.
    var bits: [UInt32: [UInt8]]
    var description: String { "\(identifier.name) \(message)" }
  }

  private static let promises = [
    Promise(
      identifier: .powerDomain,
      message: 3,
      resource: 0,
      word: 1,
      bits: [
        31: [6], 30: [4], 29: [4], 28: [7], 27: [8],
      ]
    ),
    Promise(
      identifier: .performance,
      message: 3,
      resource: 0,
      word: 1,
      bits: [
        31: [5], 30: [7], 29: [9], 28: [0xA], 26: [0xC],
      ]
    ),
    Promise(
      identifier: .clock,
      message: 3,
      resource: 2,
      word: 1,
      bits: [
        31: [9], 30: [0xA], 29: [8], 28: [0xC], 27: [7, 0xB], 1: [0xF],
      ]
    ),
    Promise(identifier: .clock, message: 0xF, resource: 2, word: 1, bits: [31: [7], 30: [0xD], 29: [5]]),
    Promise(identifier: .clock, message: 1, resource: 0, word: 1, bits: [18: [5]]),
    Promise(identifier: .sensor, message: 3, resource: 0, word: 3, bits: [31: [6], 30: [0xB], 29: [0xC], 1: [5]]),
    Promise(identifier: .sensor, message: 1, resource: 0, word: 1, bits: [18: [6]]),
    Promise(identifier: .reset, message: 3, resource: 0, word: 1, bits: [31: [4], 30: [5], 29: [6]]),
    Promise(identifier: .voltage, message: 3, resource: 0, word: 1, bits: [31: [7], 30: [9]]),
    Promise(
      identifier: .powercap,
      message: 3,
      resource: 0,
      word: 1,
      bits: [
        31: [0xA], 30: [0xB], 29: [5], 28: [8], 27: [5], 26: [9], 25: [7],
      ]
    ),
    Promise(identifier: .pinControl, message: 3, resource: 0, word: 1, bits: [31: [9]]),
  ]

  /// Everything can do everything, and has a long name.
  private static func definition() -> PlatformDefinition {
    var definition = Bench.definition()
    let long = "-with-a-long-name"
    definition.powerDomains[0].name += long
    definition.performanceDomains[0].name += long
    definition.sensors[0].name += long
    definition.resets[0].name += long
    definition.regulators[0].name += long
    definition.powercaps[0].name += long
    definition.powercaps[1].parent = definition.powercaps[0].name
    definition.pins[3].name += long
    definition.groups[1].pins[2] = definition.pins[3].name
    definition.devices = []
    return definition
  }

  private func described(_ promise: Promise, _ bench: inout Bench) -> UInt32 {
    let words: [UInt32] =
      switch (promise.identifier, promise.message) {
      case (_, 1): []
      case (.pinControl, _): [3, 0]
      default: [promise.resource]
      }
    let reply = bench.send(promise.identifier.rawValue, promise.message, words)
    return reply.count > promise.word ? reply[promise.word] : 0
  }

  @Test func aRefusedCommandIsNotPromised() throws {
    var free = try Bench(Self.definition())
    for promise in Self.promises {
      let allowed = described(promise, &free)
      for (bit, commands) in promise.bits {
        #expect(allowed & 1 << bit != 0, "\(promise), bit \(bit)")
        for command in commands {
          var definition = Self.definition()
          definition.agents[0].deniedCommands = [promise.identifier: [command]]
          var bench = try Bench(definition)
          #expect(described(promise, &bench) & 1 << bit == 0, "\(promise), bit \(bit), command \(command) refused")
        }
      }
    }
  }

  @Test func whatMayOnlyBeReadPromisesNoChange() throws {
    let changes: [String: UInt32] = [
      "powerDomain 3": 3 << 29, "performance 3": 3 << 30, "clock 3": 1 << 27, "clock 15": 7 << 29, "sensor 3": 3,
      "reset 3": 1 << 31, "voltage 3": 1 << 31, "powercap 3": 1 << 29 | 1 << 27 | 1 << 25,
    ]
    var definition = Self.definition()
    definition.agents[0].resources = ResourceKind.allCases.flatMap { kind in
      definition.names(kind).map { ResourceSelection(ResourceName(kind, $0), access: .read) }
    }
    var bench = try Bench(definition)

    for promise in Self.promises {
      let found = described(promise, &bench)
      #expect(found & changes["\(promise)", default: 0] == 0, "\(promise)")
    }
  }

  @Test func withoutEventsNothingOfThemIsPromised() throws {
    var bench = try Bench(Self.definition())
    bench.platform.resetAgent(0, events: false, at: 0)
    let events: [String: UInt32] = [
      "powerDomain 3": 1 << 31 | 1 << 30 | 1 << 28, "performance 3": 3 << 28, "clock 3": 3 << 30, "clock 1": 0xFF << 16,
      "sensor 3": 3 << 30, "sensor 1": 0xFF << 16, "reset 3": 3 << 30, "voltage 3": 1 << 31, "powercap 3": 7 << 29,
    ]

    for promise in Self.promises {
      #expect(described(promise, &bench) & events["\(promise)", default: 0] == 0, "\(promise)")
    }
  }

  @Test func axesThatCannotBeAskedForAreNotThere() throws {
    var definition = Bench.definition()
    definition.agents[0].deniedCommands = [.sensor: [7]]
    var bench = try Bench(definition)

    let all = bench.ask(.sensorDescriptionGet())

    // The second sensor's descriptor comes behind the first one's 13 words.
    #expect(all[15] == 1)
    #expect(all[17] >> 8 & 1 == 0)
    #expect(all[17] >> 16 & 0x3F == 0)
  }

  // MARK: - Defaults, versions, rounding

  @Test func aSustainedFrequencyThatIsNotGivenIsThatOfTheHighestPoint() throws {
    var definition = Bench.definition()
    definition.performanceDomains[0].sustainedFrequency = 0
    definition.performanceDomains[0].sustainedLevel = 0
    var bench = try Bench(definition)
    #expect(bench.ask(.performanceDomainAttributes(domain: 0))[3...4] == [800_000, 800])

    definition.performanceDomains[0].sustainedLevel = 300
    var other = try Bench(definition)
    #expect(other.ask(.performanceDomainAttributes(domain: 0))[3...4] == [300_000, 300])
  }

  @Test func levelZeroMeansNothingBeforeVersionThree() throws {
    for (version, status) in [(ProtocolVersion(2, 0), SCMIStatus.outOfRange), (ProtocolVersion(3, 0), .success)] {
      var definition = Bench.definition()
      definition.versions[.performance] = version
      var bench = try Bench(definition)

      #expect(bench.ask(.performanceLevelSet(domain: 0, level: 0)) == [word(status)])
      #expect(bench.ask(.performanceLimitsSet(domain: 0, maximum: 500, minimum: 0)) == [word(status)])
    }
  }

  @Test func powerTwoHasTheNotificationOfRequestedChanges() throws {
    var definition = Bench.definition()
    definition.versions[.powerDomain] = ProtocolVersion(2, 0)
    var bench = try Bench(definition)

    #expect(bench.ask(.messageAttributes(PowerDomainProtocol.Message.stateChangeRequestedNotify)) == [0, 0])
    #expect(bench.ask(.powerAttributes(domain: 0))[1] >> 27 == 0b11110)
    #expect(bench.ask(.powerStateChangeRequestedNotify(domain: 0, enable: [.enabled])) == [0])
  }

  @Test(arguments: [
    (145, 8, 150), (124, 8, 125), (112, 8, 100), (113, 8, 125), (130, 4, 150), (149, 0, 125), (987, 8, 975),
  ])
  func ratesAreRoundedDownUpOrToTheNearest(wanted: UInt32, flags: UInt32, expected: UInt32) throws {
    var definition = Bench.definition()
    definition.clocks[1].rates = .range(minimum: 100, maximum: 1_000, step: 25)
    var bench = try Bench(definition)

    #expect(bench.ask(.clockRateSet(clock: 1, rate: UInt64(wanted), flags: .init(rawValue: flags))) == [0])

    #expect(bench.ask(.clockRateGet(clock: 1)) == [0, expected, 0])
  }

  @Test(arguments: [(1_499, 1_000), (1_500, 2_000), (2_700, 3_000)] as [(UInt32, UInt32)])
  func listedRatesAreRoundedToTheNearest(wanted: UInt32, expected: UInt32) throws {
    var bench = try Bench()

    #expect(bench.ask(.clockRateSet(clock: 2, rate: UInt64(wanted), flags: [.roundToNearest])) == [0])

    #expect(bench.ask(.clockRateGet(clock: 2)) == [0, expected, 0])
  }
}
