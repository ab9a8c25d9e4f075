import SCMI
import SCMIFile
import SCMITesting
import Testing

@Suite struct PowerDomainTests {
  @Test func stateIsSetReadAndAnnounced() throws {
    var bench = try Bench()

    #expect(bench.ask(.powerDomain, 1) == [0, 1, 0, 0, 0])
    #expect(bench.ask(.powerDomain, 3, 0)[1] == 0xF000_0000)
    #expect(bench.ask(.powerDomain, 6, 0, 1) == [0])
    #expect(bench.ask(.powerDomain, 4, 0, 0, 0) == [0])
    #expect(bench.ask(.powerDomain, 5, 0) == [0, 0])
    #expect(bench.outgoing().map(\.message.payload) == [[1, 0, 0]])
    #expect(bench.ask(.powerDomain, 4, 0, 0, 1) == [word(.invalidParameters)])
    #expect(bench.ask(.powerDomain, 4, 2, 0, 0) == [word(.invalidParameters)])
    #expect(bench.ask(.powerDomain, 4, 0, 1, 0) == [word(.notFound)])
  }

  @Test func anAsynchronousChangeEndsInADelayedResponse() throws {
    var bench = try Bench()

    #expect(bench.ask(.powerDomain, 4, 1, 0, 0) == [0])
    #expect(bench.ask(.powerDomain, 5, 0) == [0, 0x4000_0000])
    bench.wait(1_000)

    #expect(bench.outgoing().map(\.message.payload) == [[0, 0, 0]])
    #expect(bench.ask(.powerDomain, 5, 0) == [0, 0])
  }

  @Test func aDomainStaysOnWhileOneAgentNeedsIt() throws {
    var bench = try Bench.pair()

    #expect(bench.ask(.powerDomain, 7, 0, 1) == [0])
    #expect(bench.ask(.powerDomain, 4, 0, 0, 0) == [0])
    #expect(bench.ask(.powerDomain, 4, 0, 0, 0x4000_0000, agent: 1) == [0])
    #expect(bench.ask(.powerDomain, 5, 0) == [0, 0])
    #expect(bench.outgoing().map(\.message.payload) == [[2, 0, 0x4000_0000]])
    bench.platform.resetAgent(0, events: true, at: 0)
    #expect(bench.ask(.powerDomain, 5, 0) == [0, 0x4000_0000])
  }
}

@Suite struct SystemPowerTests {
  @Test(arguments: [true, false]) func aRequestIsTheCallersMachinesBusinessAlone(graceful: Bool) throws {
    var bench = try Bench.pair()
    for agent in 0...1 { #expect(bench.ask(.systemPower, 5, 1, agent: agent) == [0]) }

    #expect(bench.ask(.systemPower, 3, graceful ? 1 : 0, 0) == [0])

    let events = [bench.platform.takeEvent(), bench.platform.takeEvent()]
    #expect(events == [.systemPower(agent: 0, state: 0, graceful: graceful), nil])
    let told = bench.outgoing()
    #expect(told.map(\.agent) == [0])
    #expect(told.map(\.message.payload) == [[1, graceful ? 1 : 0, 0, 0]])
    #expect(bench.ask(.systemPower, 4) == [0, 0])
    #expect(bench.ask(.systemPower, 4, agent: 1) == [0, 3])
    bench.platform.resetAgent(0, events: true, at: 0)
    #expect(bench.ask(.systemPower, 4) == [0, 3])
  }

  @Test(arguments: [true, false]) func anAgentThatIsTrustedWithAllReachesEveryMachine(graceful: Bool) throws {
    var definition = Bench.definition(agents: [
      AgentDefinition("one") { $0.systemPower = .all }, AgentDefinition("two"),
    ])
    definition.gracefulTimeout = 7
    var bench = try Bench(definition)
    for agent in 0...1 { #expect(bench.ask(.systemPower, 5, 1, agent: agent) == [0]) }

    #expect(bench.ask(.systemPower, 3, graceful ? 1 : 0, 0) == [0])

    let events = [bench.platform.takeEvent(), bench.platform.takeEvent(), bench.platform.takeEvent()]
    let expected = (0...1).map { PlatformEvent.systemPower(agent: $0, state: 0, graceful: graceful) }
    #expect(events == expected + [nil])
    #expect(bench.outgoing().map(\.agent) == [0, 1])
    for agent in 0...1 { #expect(bench.ask(.systemPower, 4, agent: agent) == [0, 0]) }
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

    #expect(bench.ask(.systemPower, 3, 0, 5) == [word(.invalidParameters)])
    #expect(bench.ask(.systemPower, 3, 0, 0x8000_0000) == [word(.notSupported)])
    #expect(bench.ask(.systemPower, 4) == [0, 3])
    #expect(bench.ask(.systemPower, 2, 3) == [0, 0xC000_0000])
  }

  @Test(arguments: [(ProtocolVersion(1, 0), 3), (ProtocolVersion(2, 1), 4)])
  func theTimeoutIsOnlyInNewNotifications(version: ProtocolVersion, words: Int) throws {
    var definition = Bench.definition()
    definition.versions[.systemPower] = version
    definition.gracefulTimeout = 9
    var bench = try Bench(definition)

    #expect(bench.ask(.systemPower, 5, 1) == [0])
    let told = bench.platform.requestSystemPower(state: 0, graceful: true, at: 0)

    #expect(told == 1)
    #expect(bench.outgoing().map(\.message.payload) == [Array([0, 1, 0, 9].prefix(words))])
  }
}

@Suite struct PerformanceTests {
  @Test func attributesAndLevelsInTheFormOfVersionFour() throws {
    var bench = try Bench()

    #expect(bench.ask(.performance, 1) == [0, 1 | 1 << 16, 0, 0, 0])
    #expect(Array(bench.ask(.performance, 3, 0).prefix(5)) == [0, 0xF000_0000, 0, 600_000, 600])
    let first = bench.ask(.performance, 4, 0, 0)
    #expect(first.count == 32)
    #expect(Array(first[1...6]) == [6 | 2 << 16, 100, 10, 5, 100_000, 0])
    #expect(Array(bench.ask(.performance, 4, 0, 6)[1...6]) == [2, 700, 70, 5, 700_000, 6])
    #expect(bench.ask(.performance, 4, 0, 8) == [word(.invalidParameters)])
  }

  @Test func levelsInTheFormOfVersionThree() throws {
    var definition = Bench.definition()
    definition.versions[.performance] = ProtocolVersion(3, 0)
    var bench = try Bench(definition)

    let levels = bench.ask(.performance, 4, 0, 0)

    #expect(levels.count == 2 + 3 * 8)
    #expect(Array(levels[1...4]) == [8, 100, 10, 5])
  }

  @Test func levelsByIndexAreIndexesEverywhere() throws {
    var definition = Bench.definition()
    definition.performanceDomains[0].levelIndexing = true
    var bench = try Bench(definition)

    #expect(bench.ask(.performance, 3, 0)[1] & 1 << 25 != 0)
    #expect(bench.ask(.performance, 0xA, 0, 1) == [0])
    #expect(bench.ask(.performance, 7, 0, 3) == [0])
    #expect(bench.ask(.performance, 8, 0) == [0, 3])
    #expect(bench.platform.value(ResourceName(.performanceDomain, "cpu")) == 400)
    #expect(bench.outgoing().map(\.message.payload) == [[1, 0, 3]])
    #expect(bench.ask(.performance, 7, 0, 8) == [word(.outOfRange)])
    #expect(bench.ask(.performance, 5, 0, 4, 0) == [0])
    #expect(bench.ask(.performance, 6, 0) == [0, 4, 0])
  }

  @Test func limitsIntersectAndPullTheLevel() throws {
    var bench = try Bench.pair()

    #expect(bench.ask(.performance, 7, 0, 800) == [0])
    #expect(bench.ask(.performance, 9, 0, 1) == [0])
    #expect(bench.ask(.performance, 5, 0, 600, 200) == [0])
    #expect(bench.ask(.performance, 5, 0, 700, 300, agent: 1) == [0])
    #expect(bench.ask(.performance, 6, 0) == [0, 600, 300])
    #expect(bench.ask(.performance, 8, 0) == [0, 600])
    #expect(bench.outgoing().map(\.message.payload) == [[1, 0, 600, 200], [2, 0, 600, 300]])
    #expect(bench.ask(.performance, 5, 0, 100, 100, agent: 1) == [word(.outOfRange)])
    #expect(bench.ask(.performance, 7, 0, 700, agent: 1) == [word(.outOfRange)])
    #expect(bench.ask(.performance, 5, 0, 0, 0) == [word(.outOfRange)])
  }

  @Test func theHighestWishHoldsAndVanishesWithItsAgent() throws {
    var bench = try Bench.pair()

    #expect(bench.ask(.performance, 7, 0, 300) == [0])
    #expect(bench.ask(.performance, 7, 0, 700, agent: 1) == [0])
    #expect(bench.ask(.performance, 7, 0, 200) == [0])
    #expect(bench.ask(.performance, 8, 0) == [0, 700])
    bench.platform.resetAgent(1, events: true, at: 0)
    #expect(bench.ask(.performance, 8, 0) == [0, 200])
  }
}

@Suite struct ResetTests {
  @Test func autonomousResetIsCountedAndAnnounced() throws {
    var bench = try Bench()

    #expect(bench.ask(.reset, 5, 0, 1) == [0])
    #expect(bench.ask(.reset, 4, 0, 1, 0) == [0])
    #expect(bench.platform.resetCount("usb") == 1)
    #expect(bench.outgoing().map(\.message.payload) == [[1, 0, 0]])
    #expect(bench.ask(.reset, 4, 0, 8, 0) == [word(.invalidParameters)])
    #expect(bench.ask(.reset, 4, 0, 1, 3) == [word(.invalidParameters)])
  }

  @Test func aDomainIsInResetWhileOneAgentAssertsIt() throws {
    var bench = try Bench.pair()
    let usb = ResourceName(.resetDomain, "usb")

    #expect(bench.ask(.reset, 4, 0, 2, 0) == [0])
    #expect(bench.ask(.reset, 4, 0, 2, 0, agent: 1) == [0])
    #expect(bench.ask(.reset, 4, 0, 0, 0) == [0])
    #expect(bench.platform.value(usb) == 1)
    #expect(bench.ask(.reset, 4, 0, 0, 0, agent: 1) == [0])
    #expect(bench.platform.value(usb) == 0)
  }

  @Test func thePlatformResetsADomainUntilAnAgentTakesItOut() throws {
    var bench = try Bench()
    let usb = ResourceName(.resetDomain, "usb")
    #expect(bench.ask(.reset, 5, 0, 1) == [0])

    let (isSet, isKnown) = (bench.platform.setValue(usb, 1, at: 0), bench.platform.setValue(usb, 2, at: 0))

    #expect(isSet)
    #expect(!isKnown)
    #expect(bench.platform.value(usb) == 1)
    #expect(bench.outgoing().map(\.message.payload) == [[0, 0, 0]])
    #expect(bench.ask(.reset, 4, 0, 0, 0) == [0])
    #expect(bench.platform.value(usb) == 0)
  }

  @Test func anAsynchronousResetAnswersWithTheDomain() throws {
    var bench = try Bench()

    #expect(bench.ask(.reset, 3, 0)[1] == 0xC000_0000)
    #expect(bench.ask(.reset, 4, 0, 5, 0) == [0])

    #expect(bench.outgoing().map(\.message.payload) == [[0, 0]])
    #expect(bench.platform.resetCount("usb") == 1)
  }
}

@Suite struct VoltageTests {
  @Test func levelsAreListsOrRangesOfSignedNumbers() throws {
    var bench = try Bench()

    #expect(bench.ask(.voltage, 4, 0, 0) == [0, 3, 800_000, 900_000, 1_000_000])
    let range = bench.ask(.voltage, 4, 1, 0)
    #expect(range == [0, 3 | 1 << 12, UInt32(bitPattern: -1_000), 1_000, 500])
    #expect(bench.ask(.voltage, 4, 0, 3) == [word(.outOfRange)])
  }

  @Test func levelAndModeAreSetAndRead() throws {
    var bench = try Bench()

    #expect(bench.ask(.voltage, 7, 0, 0, 900_000) == [0])
    #expect(bench.ask(.voltage, 8, 0) == [0, 900_000])
    #expect(bench.ask(.voltage, 7, 1, 0, UInt32(bitPattern: -500)) == [0])
    #expect(bench.ask(.voltage, 8, 1) == [0, UInt32(bitPattern: -500)])
    #expect(bench.ask(.voltage, 7, 0, 0, 850_000) == [word(.invalidParameters)])
    #expect(bench.ask(.voltage, 7, 0, 0, 2_000_000) == [word(.invalidParameters)])
    #expect(bench.ask(.voltage, 5, 0, 7) == [0])
    #expect(bench.ask(.voltage, 6, 0) == [0, 7])
    #expect(bench.ask(.voltage, 5, 0, 3) == [word(.invalidParameters)])
  }

  @Test func anAsynchronousLevelEndsInADelayedResponse() throws {
    var bench = try Bench()

    #expect(bench.ask(.voltage, 7, 0, 1, 1_000_000) == [0])

    #expect(bench.outgoing().map(\.message.payload) == [[0, 0, 1_000_000]])
    #expect(bench.ask(.voltage, 7, 1, 1, 0) == [word(.notSupported)])
  }
}

@Suite struct PowercapTests {
  @Test func attributesAreWhatLinuxValidates() throws {
    var bench = try Bench()

    let board = bench.ask(.powercap, 3, 0)
    let core = bench.ask(.powercap, 3, 1)

    // Notifications, asynchronous, cap and interval configuration, monitoring, microwatts.
    #expect(board[1] == 0xEE80_0000)
    #expect(Array(board[6...]) == [10, 100, 10, 1_000, 9_000, 100, 0, 0, .max])
    #expect(core[1] & (1 << 27 | 1 << 25) == 0)
    #expect(Array(core[6...]) == [1, 1, 1, 10, 10, 1, 0, 0, 0])
  }

  @Test func theLowestCapHoldsAndZeroTakesOnesOwnBack() throws {
    var bench = try Bench.pair()

    #expect(bench.ask(.powercap, 0xA, 0, 1) == [0])
    #expect(bench.ask(.powercap, 5, 0, 0, 5_000) == [0])
    #expect(bench.ask(.powercap, 5, 0, 0, 3_050, agent: 1) == [0])
    #expect(bench.ask(.powercap, 4, 0) == [0, 3_000])
    #expect(bench.ask(.powercap, 5, 0, 0, 0, agent: 1) == [0])
    #expect(bench.ask(.powercap, 4, 0) == [0, 5_000])
    #expect(bench.ask(.powercap, 5, 0, 0, 0) == [0])
    #expect(bench.ask(.powercap, 4, 0) == [0, 0])
    #expect(bench.outgoing().map { $0.message.payload[2] } == [5_000, 3_000, 5_000, 0])
    #expect(bench.ask(.powercap, 5, 0, 0, 999) == [word(.outOfRange)])
    #expect(bench.ask(.powercap, 5, 1, 0, 10) == [word(.notSupported)])
  }

  @Test func anAsynchronousCapHasItsFlagInBitOne() throws {
    var bench = try Bench()

    #expect(bench.ask(.powercap, 5, 0, 2, 4_000) == [0])
    #expect(bench.outgoing().map(\.message.payload) == [[0, 0, 4_000]])
    #expect(bench.ask(.powercap, 5, 0, 3, 2_000) == [0])
    #expect(bench.outgoing().isEmpty)
    #expect(bench.ask(.powercap, 4, 0) == [0, 2_000])
  }

  @Test func averagingIntervalIsSetInSteps() throws {
    var bench = try Bench()

    #expect(bench.ask(.powercap, 7, 0, 0, 55) == [0])
    #expect(bench.ask(.powercap, 6, 0) == [0, 50])
    #expect(bench.ask(.powercap, 7, 0, 0, 101) == [word(.outOfRange)])
    #expect(bench.ask(.powercap, 7, 1, 0, 1) == [word(.notSupported)])
  }

  @Test func measurementsCrossThresholdsOnce() throws {
    var bench = try Bench()

    #expect(bench.ask(.powercap, 9, 0) == [0, 5_000, 10])
    bench.platform.setPower("core", 7, at: 0)
    bench.platform.setPower("nothing", 7, at: 0)
    #expect(bench.ask(.powercap, 9, 1) == [0, 7, 1])
    #expect(bench.ask(.powercap, 0xB, 0, 1, 1_000, 4_000) == [0])
    bench.wait(1_000_000_000)

    let events = bench.outgoing().map(\.message.payload)
    #expect(events == [[0, 0, 100], [0, 0, 5_000]])
    #expect(bench.ask(.powercap, 0xB, 0, 1, 2, 1) == [word(.invalidParameters)])
    #expect(bench.ask(.powercap, 0xB, 0, 0, 0, 0) == [0])
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
