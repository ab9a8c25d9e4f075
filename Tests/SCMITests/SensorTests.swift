import SCMI
import SCMITesting
import Testing

@Suite struct SensorTests {
  @Test func descriptorsHaveTheLengthThatTheirAttributesSay() throws {
    var bench = try Bench()

    #expect(bench.ask(.protocolAttributes(.sensor)) == [0, 2 | 4 << 16, 0, 0, 0])
    let all = bench.ask(.sensorDescriptionGet())

    #expect(all[1] == 2)
    // id; asynchronous, updates, timestamps in nanoseconds, extended attributes, two trip points.
    #expect(all[2] == 0)
    #expect(all[3] == 0xC000_0000 | 0x17 << 10 | 1 << 9 | 1 << 8 | 2)
    #expect(all[4] == 2 | 0x1D << 11)
    // 52 bytes for the first one, 28 for the second, whose three axes have the ranges.
    #expect(all.count == 2 + 13 + 7)
    #expect(all[15] == 1)
    #expect(all[16] == 1 << 29)
    #expect(all[17] == 3 << 16 | 1 << 8 | 0x4E)
    #expect(bench.ask(.sensorDescriptionGet(index: 2)) == [word(.invalidParameters)])
  }

  @Test func versionOneHasShortDescriptorsAndOneValue() throws {
    var definition = Bench.definition()
    definition.versions[.sensor] = ProtocolVersion(1, 0)
    var bench = try Bench(definition)

    let all = bench.ask(.sensorDescriptionGet())

    #expect(all.count == 2 + 7 + 7)
    #expect(all[4] == 1 << 27 | 0x1D << 22 | 0x1D << 11 | 2)
    #expect(bench.ask(.sensorReadingGet(sensor: 0)) == [0, 42_000, 0])
    #expect(bench.ask(.sensorConfigGet(sensor: 0)) == [word(.notSupported)])
  }

  @Test func axesComeInPartsAndHaveNames() throws {
    var bench = try Bench()

    let first = bench.ask(.sensorAxisDescriptionGet(sensor: 1))
    let second = bench.ask(.sensorAxisDescriptionGet(sensor: 1, index: 2))

    #expect(first[1] == 2 | 1 << 26)
    #expect(first.count == 2 + 24)
    #expect(second[1] == 1)
    #expect(second[2] == 2)
    #expect(bench.ask(.sensorAxisNameGet(sensor: 1, index: 1))[1...2] == [1 | 1 << 26, 1])
    #expect(bench.ask(.sensorAxisDescriptionGet(sensor: 0)) == [word(.notSupported)])
    #expect(bench.ask(.sensorAxisDescriptionGet(sensor: 1, index: 3)) == [word(.outOfRange)])
  }

  @Test func intervalsAreListed() throws {
    var bench = try Bench()

    #expect(bench.ask(.sensorListUpdateIntervals(sensor: 0)) == [0, 2, 1 << 5 | 0x1D, 10 << 5 | 0x1D])
    #expect(bench.ask(.sensorListUpdateIntervals(sensor: 1)) == [0, 0])
  }

  @Test func readingsHaveValueAndTimestampPerAxis() throws {
    var bench = try Bench()

    #expect(bench.ask(.sensorReadingGet(sensor: 1)) == [0, 1, 0, 0, 0, UInt32(bitPattern: -2), .max, 0, 0, 3, 0, 0, 0])
    #expect(bench.ask(.sensorConfigSet(sensor: 0, configuration: .init(enabled: true, timestamps: true))) == [0])
    bench.now = 77
    #expect(bench.ask(.sensorReadingGet(sensor: 0)) == [0, 42_000, 0, 77, 0])
    #expect(bench.ask(.sensorReadingGet(sensor: 0, flags: .init(rawValue: 2))) == [word(.invalidParameters)])
  }

  @Test func aDisabledSensorCannotBeRead() throws {
    var bench = try Bench()

    #expect(bench.ask(.sensorConfigSet(sensor: 0, configuration: .init(enabled: false))) == [0])

    #expect(bench.ask(.sensorReadingGet(sensor: 0)) == [word(.protocolError)])
    #expect(bench.ask(.sensorConfigSet(sensor: 1, configuration: .init(rawValue: 2))) == [word(.notSupported)])
    #expect(bench.ask(.sensorConfigSet(sensor: 0, configuration: .init(rawValue: 4))) == [word(.invalidParameters)])
  }

  @Test func anAsynchronousReadingComesAsADelayedResponse() throws {
    var bench = try Bench()

    #expect(bench.ask(.sensorReadingGet(sensor: 0, flags: [.asynchronous])) == [0])

    #expect(bench.outgoing().map(\.message.payload) == [[0, 0, 42_000, 0, 0, 0]])
    #expect(bench.ask(.sensorReadingGet(sensor: 1, flags: [.asynchronous])) == [word(.notSupported)])
  }

  @Test func tripPointsFireInTheirDirection() throws {
    var bench = try Bench()

    #expect(bench.ask(.sensorTripPointNotify(sensor: 0, enable: [.enabled])) == [0])
    #expect(bench.ask(.sensorTripPointConfig(sensor: 0, control: .init(rawValue: 1), value: 50_000)) == [0])
    #expect(bench.ask(.sensorTripPointConfig(sensor: 0, control: .init(rawValue: 1 << 4 | 2), value: 45_000)) == [0])
    bench.platform.setSensor("die", values: [60_000], at: 0)
    bench.platform.setSensor("die", values: [40_000], at: 0)

    #expect(bench.outgoing().map(\.message.payload) == [[0, 0, 1 << 16], [0, 0, 1]])
    #expect(
      bench.ask(.sensorTripPointConfig(sensor: 0, control: .init(rawValue: 2 << 4 | 1), value: 0)) == [
        word(.invalidParameters)
      ]
    )
    #expect(
      bench.ask(.sensorTripPointConfig(sensor: 1, control: .init(rawValue: 1), value: 0)) == [word(.invalidParameters)]
    )
    #expect(bench.ask(.sensorTripPointNotify(sensor: 1, enable: [.enabled])) == [word(.notSupported)])
  }

  @Test func continuousUpdatesComeAtTheConfiguredInterval() throws {
    var bench = try Bench()

    #expect(bench.ask(.sensorContinuousUpdateNotify(sensor: 0, enable: [.enabled])) == [0])
    bench.wait(10_000_000)
    #expect(bench.outgoing().count == 10)
    // 10 × 10⁻³ s.
    #expect(bench.ask(.sensorConfigSet(sensor: 0, configuration: .init(rawValue: 10 << 16 | 0x1D << 11 | 1))) == [0])
    bench.wait(100_000_000)
    let updates = bench.outgoing()
    #expect((9...11).contains(updates.count))
    #expect(updates.last?.message.payload == [0, 0, 42_000, 0, 0, 0])
    #expect(bench.ask(.sensorContinuousUpdateNotify(sensor: 0, enable: [])) == [0])
    bench.wait(100_000_000)
    #expect(bench.outgoing().isEmpty)
    #expect(bench.platform.nextDeadline == nil)
  }

  @Test func updatesThatNobodyFetchesAreDroppedAndCounted() throws {
    var bench = try Bench()

    #expect(bench.ask(.sensorContinuousUpdateNotify(sensor: 0, enable: [.enabled])) == [0])
    // 10⁻¹⁵ s: the sensor's fastest is a millisecond.
    #expect(bench.ask(.sensorConfigSet(sensor: 0, configuration: .init(rawValue: 1 << 16 | 0x11 << 11 | 1))) == [0])
    bench.wait(3_000_000_000)

    #expect(bench.platform.droppedNotifications(agent: 0) == 3_000 - UInt64(SCMIPlatform.maximumQueued))
    #expect(bench.outgoing().count == SCMIPlatform.maximumQueued)
    bench.wait(5_000_000)
    #expect(bench.outgoing().count == 5)
  }

  @Test func bindingsAreFunctionsOfTime() throws {
    var definition = Bench.definition()
    definition.sensors = [
      SensorDefinition("saw") {
        $0.binding = .waveform(Waveform(.sawtooth, minimum: 0, maximum: 100, period: 100))
      },
      SensorDefinition("tape") { $0.binding = .replay(values: [7, 8, 9], interval: 10) },
      SensorDefinition("code") { $0.binding = .closure { now, _ in Int64(now) * 2 } },
      SensorDefinition("host") { $0.binding = .host("hwmon:soc/temp1_input") },
    ]
    var bench = try Bench(definition)
    bench.now = 25

    #expect(bench.ask(.sensorReadingGet(sensor: 0))[1] == 25)
    #expect(bench.ask(.sensorReadingGet(sensor: 1))[1] == 9)
    #expect(bench.ask(.sensorReadingGet(sensor: 2))[1] == 50)
    #expect(bench.ask(.sensorReadingGet(sensor: 3))[1] == 0)
    bench.platform.setSensor("host", values: [5], at: 25)
    #expect(bench.ask(.sensorReadingGet(sensor: 3))[1] == 5)
  }
}

@Suite struct PinControlTests {
  @Test func elementsAreCountedNamedAndAssociated() throws {
    var bench = try Bench()

    #expect(bench.ask(.protocolAttributes(.pinControl)) == [0, 4 | 2 << 16, 1])
    #expect(bench.ask(.pinAttributes(element: 1, selector: 1))[1] == 3)
    #expect(bench.ask(.pinAttributes(element: 0, selector: 2))[1] == 2)
    #expect(bench.ask(.pinListAssociations(element: 1, selector: 1)) == [0, 3, 1 | 2 << 16, 3])
    #expect(bench.ask(.pinListAssociations(element: 0, selector: 2)) == [0, 2, 0 | 1 << 16])
    #expect(bench.ask(.pinListAssociations(element: 0, selector: 0)) == [word(.notSupported)])
    #expect(bench.ask(.pinAttributes(element: 0, selector: 3)) == [word(.invalidParameters)])
    #expect(bench.ask(.pinAttributes(element: 9, selector: 0)) == [word(.notFound)])
  }

  @Test func settingsAreReadOneByOneAndAllTogether() throws {
    var bench = try Bench()

    #expect(bench.ask(.pinSettingsGet(element: 0, attributes: .init(rawValue: 10))) == [0, .max, 1, 10, 8])
    #expect(bench.ask(.pinSettingsGet(element: 0, attributes: .init(rawValue: 1 << 18))) == [0, .max, 2, 4, 1, 10, 8])
    #expect(
      bench.ask(.pinSettingsGet(element: 0, attributes: .init(rawValue: 1 << 18 | 1 << 8))) == [0, .max, 1, 10, 8]
    )
    #expect(bench.ask(.pinSettingsGet(element: 0, attributes: .init(rawValue: 2 << 18))) == [0, .max, 0])
    #expect(bench.ask(.pinSettingsGet(element: 0, attributes: .init(rawValue: 11))) == [word(.notFound)])
  }

  @Test func configuringAGroupConfiguresItsPins() throws {
    var bench = try Bench()

    // Function 0, one setting, group 0.
    #expect(
      bench.ask(
        .pinSettingsConfigure(
          element: 0,
          function: 0,
          attributes: .init(rawValue: 1 << 10 | 1 << 2 | 1),
          settings: [11, 5]
        )
      ) == [0]
    )
    #expect(bench.ask(.pinSettingsGet(element: 0, attributes: .init(rawValue: 1 << 16 | 2 << 18))) == [0, 0, 0])
    #expect(bench.ask(.pinSettingsGet(element: 1, attributes: .init(rawValue: 11))) == [0, 0, 1, 11, 5])
    #expect(
      bench.ask(.pinSettingsConfigure(element: 0, function: 0, attributes: .init(rawValue: 2 << 2), settings: [11, 5]))
        == [word(.protocolError)]
    )
    #expect(
      bench.ask(
        .pinSettingsConfigure(element: 0, function: 0, attributes: .init(rawValue: 1 << 2), settings: [100, 5])
      ) == [word(.invalidParameters)]
    )
  }

  @Test func controlIsExclusiveToOneAgent() throws {
    var bench = try Bench.pair()

    #expect(bench.ask(.pinRequest(element: 0, selector: 1)) == [0])
    #expect(bench.ask(.pinRequest(element: 0, selector: 1), agent: 1) == [word(.inUse)])
    #expect(bench.ask(.pinRequest(element: 1, selector: 0), agent: 1) == [word(.inUse)])
    #expect(
      bench.ask(.pinSettingsConfigure(element: 0, function: 0, attributes: .init(rawValue: 1), settings: []), agent: 1)
        == [word(.inUse)]
    )
    #expect(bench.ask(.pinRelease(element: 0, selector: 1), agent: 1) == [word(.invalidParameters)])
    #expect(bench.ask(.pinRelease(element: 0, selector: 1)) == [0])
    #expect(bench.ask(.pinRequest(element: 0, selector: 1), agent: 1) == [0])
    bench.platform.resetAgent(1, events: true, at: 0)
    #expect(bench.ask(.pinRequest(element: 1, selector: 0)) == [0])
  }

  @Test func onlyATrustedAgentSetsPermissions() throws {
    var bench = try Bench.pair()

    #expect(bench.ask(.pinSetPermissions(agent: 1, element: 0, flags: .init(rawValue: 0)), agent: 1) == [word(.denied)])
    #expect(bench.ask(.pinSetPermissions(agent: 2, element: 0, flags: .init(rawValue: 0))) == [0])
    #expect(bench.ask(.pinAttributes(element: 0, selector: 0), agent: 1) == [word(.denied)])
    #expect(bench.ask(.pinSetPermissions(agent: 2, element: 0, flags: .init(rawValue: 4))) == [0])
    #expect(bench.ask(.pinAttributes(element: 0, selector: 0), agent: 1)[0] == 0)
  }
}
