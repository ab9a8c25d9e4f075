import SCMI
import SCMIFile
import SCMITesting
import Testing

@Suite struct PowerDomainTests {
  @Test func stateIsSetReadAndAnnounced() throws {
    var bench = try Bench()

    #expect(bench.ask(.protocolAttributes(.powerDomain)) == [0, 1, 0, 0, 0])
    #expect(bench.ask(.powerAttributes(domain: 0))[1] == 0xF000_0000)
    #expect(bench.ask(.powerStateNotify(domain: 0, enable: [.enabled])) == [0])
    #expect(bench.ask(.powerStateSet(domain: 0, state: 0)) == [0])
    #expect(bench.ask(.powerStateGet(domain: 0)) == [0, 0])
    #expect(bench.outgoing().map(\.message.payload) == [[1, 0, 0]])
    #expect(bench.ask(.powerStateSet(domain: 0, state: 1)) == [word(.invalidParameters)])
    #expect(bench.ask(.powerStateSet(domain: 0, state: 0, flags: .init(rawValue: 2))) == [word(.invalidParameters)])
    #expect(bench.ask(.powerStateSet(domain: 1, state: 0)) == [word(.notFound)])
  }

  @Test func anAsynchronousChangeEndsInADelayedResponse() throws {
    var bench = try Bench()

    #expect(bench.ask(.powerStateSet(domain: 0, state: 0, flags: [.asynchronous])) == [0])
    #expect(bench.ask(.powerStateGet(domain: 0)) == [0, 0x4000_0000])
    bench.wait(1_000)

    #expect(bench.outgoing().map(\.message.payload) == [[0, 0, 0]])
    #expect(bench.ask(.powerStateGet(domain: 0)) == [0, 0])
  }

  @Test func aDomainStaysOnWhileOneAgentNeedsIt() throws {
    var bench = try Bench.pair()

    #expect(bench.ask(.powerStateChangeRequestedNotify(domain: 0, enable: [.enabled])) == [0])
    #expect(bench.ask(.powerStateSet(domain: 0, state: 0)) == [0])
    #expect(bench.ask(.powerStateSet(domain: 0, state: 0x4000_0000), agent: 1) == [0])
    #expect(bench.ask(.powerStateGet(domain: 0)) == [0, 0])
    #expect(bench.outgoing().map(\.message.payload) == [[2, 0, 0x4000_0000]])
    bench.platform.resetAgent(0, events: true, at: 0)
    #expect(bench.ask(.powerStateGet(domain: 0)) == [0, 0x4000_0000])
  }
}

@Suite struct SystemPowerTests {
  @Test(arguments: [true, false]) func aRequestIsTheCallersMachinesBusinessAlone(graceful: Bool) throws {
    var bench = try Bench.pair()
    for agent in 0...1 { #expect(bench.ask(.systemPowerStateNotify(enable: [.enabled]), agent: agent) == [0]) }

    #expect(bench.ask(.systemPower, 3, graceful ? 1 : 0, 0) == [0])

    let events = [bench.platform.takeEvent(), bench.platform.takeEvent()]
    #expect(events == [.systemPower(agent: 0, state: .shutdown, graceful: graceful), nil])
    let told = bench.outgoing()
    #expect(told.map(\.agent) == [0])
    #expect(told.map(\.message.payload) == [[1, graceful ? 1 : 0, 0, 0]])
    #expect(bench.ask(.systemPowerStateGet()) == [0, 0])
    #expect(bench.ask(.systemPowerStateGet(), agent: 1) == [0, 3])
    bench.platform.resetAgent(0, events: true, at: 0)
    #expect(bench.ask(.systemPowerStateGet()) == [0, 3])
  }

  @Test(arguments: [true, false]) func anAgentThatIsTrustedWithAllReachesEveryMachine(graceful: Bool) throws {
    var definition = Bench.definition(agents: [
      AgentDefinition("one") { $0.systemPower = .all }, AgentDefinition("two"),
    ])
    definition.gracefulTimeout = 7
    var bench = try Bench(definition)
    for agent in 0...1 { #expect(bench.ask(.systemPowerStateNotify(enable: [.enabled]), agent: agent) == [0]) }

    #expect(bench.ask(.systemPower, 3, graceful ? 1 : 0, 0) == [0])

    let events = [bench.platform.takeEvent(), bench.platform.takeEvent(), bench.platform.takeEvent()]
    let expected = (0...1).map { PlatformEvent.systemPower(agent: $0, state: .shutdown, graceful: graceful) }
    #expect(events == expected + [nil])
    #expect(bench.outgoing().map(\.agent) == [0, 1])
    for agent in 0...1 { #expect(bench.ask(.systemPowerStateGet(), agent: agent) == [0, 0]) }
  }

  @Test func aPlatformFileTrustsAnAgentWithAll() throws {
    let text = #"{"agents": [{"name": "a", "systemPower": "all"}, {"name": "b"}]}"#
    let definition = try PlatformDefinition(json: text)

    #expect(definition.agents.map(\.systemPower) == [.all, .own])
    #expect(throws: PlatformFileError.self) {
      _ = try PlatformDefinition(json: text.replacing("all", with: "some"))
    }
  }

  @Test func statesThatDoNotExistAreRefused() throws {
    var bench = try Bench()

    #expect(bench.ask(.systemPowerStateSet(state: .init(rawValue: 5))) == [word(.invalidParameters)])
    #expect(bench.ask(.systemPowerStateSet(state: .init(rawValue: 0x8000_0000))) == [word(.notSupported)])
    #expect(bench.ask(.systemPowerStateGet()) == [0, 3])
    #expect(bench.ask(.messageAttributes(SystemPowerProtocol.Message.stateSet)) == [0, 0xC000_0000])
  }

  @Test(arguments: [(ProtocolVersion(1, 0), 3), (ProtocolVersion(2, 1), 4)])
  func theTimeoutIsOnlyInNewNotifications(version: ProtocolVersion, words: Int) throws {
    var definition = Bench.definition()
    definition.versions[.systemPower] = version
    definition.gracefulTimeout = 9
    var bench = try Bench(definition)

    #expect(bench.ask(.systemPowerStateNotify(enable: [.enabled])) == [0])
    let told = bench.platform.requestSystemPower(.shutdown, graceful: true, at: 0)

    #expect(told == 1)
    #expect(bench.outgoing().map(\.message.payload) == [Array([0, 1, 0, 9].prefix(words))])
  }
}

@Suite struct PerformanceTests {
  @Test func attributesAndLevelsInTheFormOfVersionFour() throws {
    var bench = try Bench()

    #expect(bench.ask(.protocolAttributes(.performance)) == [0, 1 | 1 << 16, 0, 0, 0])
    #expect(Array(bench.ask(.performanceDomainAttributes(domain: 0)).prefix(5)) == [0, 0xF000_0000, 0, 600_000, 600])
    let first = bench.ask(.performanceDescribeLevels(domain: 0))
    #expect(first.count == 32)
    #expect(Array(first[1...6]) == [6 | 2 << 16, 100, 10, 5, 100_000, 0])
    #expect(Array(bench.ask(.performanceDescribeLevels(domain: 0, index: 6))[1...6]) == [2, 700, 70, 5, 700_000, 6])
    #expect(bench.ask(.performanceDescribeLevels(domain: 0, index: 8)) == [word(.invalidParameters)])
  }

  @Test func levelsInTheFormOfVersionThree() throws {
    var definition = Bench.definition()
    definition.versions[.performance] = ProtocolVersion(3, 0)
    var bench = try Bench(definition)

    let levels = bench.ask(.performanceDescribeLevels(domain: 0))

    #expect(levels.count == 2 + 3 * 8)
    #expect(Array(levels[1...4]) == [8, 100, 10, 5])
  }

  @Test func levelsByIndexAreIndexesEverywhere() throws {
    var definition = Bench.definition()
    definition.performanceDomains[0].levelIndexing = true
    var bench = try Bench(definition)

    #expect(bench.ask(.performanceDomainAttributes(domain: 0))[1] & 1 << 25 != 0)
    #expect(bench.ask(.performanceNotifyLevel(domain: 0, enable: [.enabled])) == [0])
    #expect(bench.ask(.performanceLevelSet(domain: 0, level: 3)) == [0])
    #expect(bench.ask(.performanceLevelGet(domain: 0)) == [0, 3])
    #expect(bench.platform.value(ResourceName(.performanceDomain, "cpu")) == 400)
    #expect(bench.outgoing().map(\.message.payload) == [[1, 0, 3]])
    #expect(bench.ask(.performanceLevelSet(domain: 0, level: 8)) == [word(.outOfRange)])
    #expect(bench.ask(.performanceLimitsSet(domain: 0, maximum: 4, minimum: 0)) == [0])
    #expect(bench.ask(.performanceLimitsGet(domain: 0)) == [0, 4, 0])
  }

  @Test func limitsIntersectAndPullTheLevel() throws {
    var bench = try Bench.pair()

    #expect(bench.ask(.performanceLevelSet(domain: 0, level: 800)) == [0])
    #expect(bench.ask(.performanceNotifyLimits(domain: 0, enable: [.enabled])) == [0])
    #expect(bench.ask(.performanceLimitsSet(domain: 0, maximum: 600, minimum: 200)) == [0])
    #expect(bench.ask(.performanceLimitsSet(domain: 0, maximum: 700, minimum: 300), agent: 1) == [0])
    #expect(bench.ask(.performanceLimitsGet(domain: 0)) == [0, 600, 300])
    #expect(bench.ask(.performanceLevelGet(domain: 0)) == [0, 600])
    #expect(bench.outgoing().map(\.message.payload) == [[1, 0, 600, 200], [2, 0, 600, 300]])
    #expect(bench.ask(.performanceLimitsSet(domain: 0, maximum: 100, minimum: 100), agent: 1) == [word(.outOfRange)])
    #expect(bench.ask(.performanceLevelSet(domain: 0, level: 700), agent: 1) == [word(.outOfRange)])
    #expect(bench.ask(.performanceLimitsSet(domain: 0, maximum: 0, minimum: 0)) == [word(.outOfRange)])
  }

  @Test func theHighestWishHoldsAndVanishesWithItsAgent() throws {
    var bench = try Bench.pair()

    #expect(bench.ask(.performanceLevelSet(domain: 0, level: 300)) == [0])
    #expect(bench.ask(.performanceLevelSet(domain: 0, level: 700), agent: 1) == [0])
    #expect(bench.ask(.performanceLevelSet(domain: 0, level: 200)) == [0])
    #expect(bench.ask(.performanceLevelGet(domain: 0)) == [0, 700])
    bench.platform.resetAgent(1, events: true, at: 0)
    #expect(bench.ask(.performanceLevelGet(domain: 0)) == [0, 200])
  }
}

@Suite struct ResetTests {
  @Test func autonomousResetIsCountedAndAnnounced() throws {
    var bench = try Bench()

    #expect(bench.ask(.resetNotify(domain: 0, enable: [.enabled])) == [0])
    #expect(bench.ask(.reset(domain: 0, state: 0, flags: [.autonomous])) == [0])
    #expect(bench.platform.resetCount("usb") == 1)
    #expect(bench.outgoing().map(\.message.payload) == [[1, 0, 0]])
    #expect(bench.ask(.reset(domain: 0, state: 0, flags: .init(rawValue: 8))) == [word(.invalidParameters)])
    #expect(bench.ask(.reset(domain: 0, state: 3, flags: [.autonomous])) == [word(.invalidParameters)])
  }

  @Test func aDomainIsInResetWhileOneAgentAssertsIt() throws {
    var bench = try Bench.pair()
    let usb = ResourceName(.resetDomain, "usb")

    #expect(bench.ask(.reset(domain: 0, state: 0, flags: [.assert])) == [0])
    #expect(bench.ask(.reset(domain: 0, state: 0, flags: [.assert]), agent: 1) == [0])
    #expect(bench.ask(.reset(domain: 0, state: 0)) == [0])
    #expect(bench.platform.value(usb) == 1)
    #expect(bench.ask(.reset(domain: 0, state: 0), agent: 1) == [0])
    #expect(bench.platform.value(usb) == 0)
  }

  @Test func thePlatformResetsADomainUntilAnAgentTakesItOut() throws {
    var bench = try Bench()
    let usb = ResourceName(.resetDomain, "usb")
    #expect(bench.ask(.resetNotify(domain: 0, enable: [.enabled])) == [0])

    let (isSet, isKnown) = (bench.platform.setValue(usb, 1, at: 0), bench.platform.setValue(usb, 2, at: 0))

    #expect(isSet)
    #expect(!isKnown)
    #expect(bench.platform.value(usb) == 1)
    #expect(bench.outgoing().map(\.message.payload) == [[0, 0, 0]])
    #expect(bench.ask(.reset(domain: 0, state: 0)) == [0])
    #expect(bench.platform.value(usb) == 0)
  }

  @Test func anAsynchronousResetAnswersWithTheDomain() throws {
    var bench = try Bench()

    #expect(bench.ask(.resetDomainAttributes(domain: 0))[1] == 0xC000_0000)
    #expect(bench.ask(.reset(domain: 0, state: 0, flags: [.autonomous, .asynchronous])) == [0])

    #expect(bench.outgoing().map(\.message.payload) == [[0, 0]])
    #expect(bench.platform.resetCount("usb") == 1)
  }
}

@Suite struct VoltageTests {
  @Test func levelsAreListsOrRangesOfSignedNumbers() throws {
    var bench = try Bench()

    #expect(bench.ask(.voltageDescribeLevels(domain: 0)) == [0, 3, 800_000, 900_000, 1_000_000])
    let range = bench.ask(.voltageDescribeLevels(domain: 1))
    #expect(range == [0, 3 | 1 << 12, UInt32(bitPattern: -1_000), 1_000, 500])
    #expect(bench.ask(.voltageDescribeLevels(domain: 0, index: 3)) == [word(.outOfRange)])
  }

  @Test func levelAndModeAreSetAndRead() throws {
    var bench = try Bench()

    #expect(bench.ask(.voltageLevelSet(domain: 0, level: 900_000)) == [0])
    #expect(bench.ask(.voltageLevelGet(domain: 0)) == [0, 900_000])
    #expect(bench.ask(.voltageLevelSet(domain: 1, level: -500)) == [0])
    #expect(bench.ask(.voltageLevelGet(domain: 1)) == [0, UInt32(bitPattern: -500)])
    #expect(bench.ask(.voltageLevelSet(domain: 0, level: 850_000)) == [word(.invalidParameters)])
    #expect(bench.ask(.voltageLevelSet(domain: 0, level: 2_000_000)) == [word(.invalidParameters)])
    #expect(bench.ask(.voltageConfigSet(domain: 0, mode: .on)) == [0])
    #expect(bench.ask(.voltageConfigGet(domain: 0)) == [0, 7])
    #expect(bench.ask(.voltageConfigSet(domain: 0, mode: .init(rawValue: 3))) == [word(.invalidParameters)])
  }

  @Test func anAsynchronousLevelEndsInADelayedResponse() throws {
    var bench = try Bench()

    #expect(bench.ask(.voltageLevelSet(domain: 0, level: 1_000_000, flags: [.asynchronous])) == [0])

    #expect(bench.outgoing().map(\.message.payload) == [[0, 0, 1_000_000]])
    #expect(bench.ask(.voltageLevelSet(domain: 1, level: 0, flags: [.asynchronous])) == [word(.notSupported)])
  }
}

@Suite struct PowercapTests {
  @Test func attributesAreWhatLinuxValidates() throws {
    var bench = try Bench()

    let board = bench.ask(.powercapDomainAttributes(domain: 0))
    let core = bench.ask(.powercapDomainAttributes(domain: 1))

    // Notifications, asynchronous, cap and interval configuration, monitoring, microwatts.
    #expect(board[1] == 0xEE80_0000)
    #expect(Array(board[6...]) == [10, 100, 10, 1_000, 9_000, 100, 0, 0, .max])
    #expect(core[1] & (1 << 27 | 1 << 25) == 0)
    #expect(Array(core[6...]) == [1, 1, 1, 10, 10, 1, 0, 0, 0])
  }

  @Test func theLowestCapHoldsAndZeroTakesOnesOwnBack() throws {
    var bench = try Bench.pair()

    #expect(bench.ask(.powercapCapNotify(domain: 0, enable: [.enabled])) == [0])
    #expect(bench.ask(.powercapCapSet(domain: 0, cap: 5_000)) == [0])
    #expect(bench.ask(.powercapCapSet(domain: 0, cap: 3_050), agent: 1) == [0])
    #expect(bench.ask(.powercapCapGet(domain: 0)) == [0, 3_000])
    #expect(bench.ask(.powercapCapSet(domain: 0, cap: 0), agent: 1) == [0])
    #expect(bench.ask(.powercapCapGet(domain: 0)) == [0, 5_000])
    #expect(bench.ask(.powercapCapSet(domain: 0, cap: 0)) == [0])
    #expect(bench.ask(.powercapCapGet(domain: 0)) == [0, 0])
    #expect(bench.outgoing().map { $0.message.payload[2] } == [5_000, 3_000, 5_000, 0])
    #expect(bench.ask(.powercapCapSet(domain: 0, cap: 999)) == [word(.outOfRange)])
    #expect(bench.ask(.powercapCapSet(domain: 1, cap: 10)) == [word(.notSupported)])
  }

  @Test func anAsynchronousCapHasItsFlagInBitOne() throws {
    var bench = try Bench()

    #expect(bench.ask(.powercapCapSet(domain: 0, cap: 4_000, flags: [.asynchronous])) == [0])
    #expect(bench.outgoing().map(\.message.payload) == [[0, 0, 4_000]])
    #expect(bench.ask(.powercapCapSet(domain: 0, cap: 2_000, flags: [.noDelayedResponse, .asynchronous])) == [0])
    #expect(bench.outgoing().isEmpty)
    #expect(bench.ask(.powercapCapGet(domain: 0)) == [0, 2_000])
  }

  @Test func averagingIntervalIsSetInSteps() throws {
    var bench = try Bench()

    #expect(bench.ask(.powercapAveragingIntervalSet(domain: 0, interval: 55)) == [0])
    #expect(bench.ask(.powercapAveragingIntervalGet(domain: 0)) == [0, 50])
    #expect(bench.ask(.powercapAveragingIntervalSet(domain: 0, interval: 101)) == [word(.outOfRange)])
    #expect(bench.ask(.powercapAveragingIntervalSet(domain: 1, interval: 1)) == [word(.notSupported)])
  }

  @Test func measurementsCrossThresholdsOnce() throws {
    var bench = try Bench()

    #expect(bench.ask(.powercapMeasurementsGet(domain: 0)) == [0, 5_000, 10])
    bench.platform.setPower("core", 7, at: 0)
    bench.platform.setPower("nothing", 7, at: 0)
    #expect(bench.ask(.powercapMeasurementsGet(domain: 1)) == [0, 7, 1])
    #expect(bench.ask(.powercapMeasurementsNotify(domain: 0, low: 1_000, high: 4_000, enable: [.enabled])) == [0])
    bench.wait(1_000_000_000)

    let events = bench.outgoing().map(\.message.payload)
    #expect(events == [[0, 0, 100], [0, 0, 5_000]])
    #expect(
      bench.ask(.powercapMeasurementsNotify(domain: 0, low: 2, high: 1, enable: [.enabled])) == [
        word(.invalidParameters)
      ]
    )
    #expect(bench.ask(.powercapMeasurementsNotify(domain: 0, low: 0, high: 0, enable: [])) == [0])
    bench.wait(2_000_000_000)
    #expect(bench.outgoing().isEmpty)
    #expect(bench.platform.nextDeadline == nil)
  }
}

@Suite struct NameTests {
  @Test(
    arguments: [
      (ProtocolIdentifier.powerDomain, UInt8(8), [], "gpu"), (.performance, 0xC, [], "cpu"), (.clock, 8, [], "crystal"),
      (.sensor, 0xC, [], "die"), (.reset, 6, [], "usb"), (.voltage, 9, [], "vdd"), (.powercap, 8, [], "board"),
      (.pinControl, 9, [0], "pin0"), (.pinControl, 9, [1], "uart"), (.pinControl, 9, [2], "serial"),
    ] as [(ProtocolIdentifier, UInt8, [UInt32], String)]
  )
  func everyKindTellsItsName(identifier: ProtocolIdentifier, message: UInt8, flags: [UInt32], name: String) throws {
    var bench = try Bench()

    let reply = bench.send(identifier.rawValue, message, [0] + flags)

    let bytes = reply.dropFirst(2).flatMap { word in (0..<4).map { UInt8(truncatingIfNeeded: word >> (8 * $0)) } }
    #expect(reply.count == 18)
    #expect(reply[0] == 0)
    #expect(String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self) == name)
    #expect(bench.send(identifier.rawValue, message, [9] + flags) == [word(.notFound)])
  }
}
