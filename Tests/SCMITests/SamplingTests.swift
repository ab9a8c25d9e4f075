import SCMI
import SCMIFile
import SCMITesting
import Synchronization
import Testing

/// What the clock, a rule or a guest could make more of than the host has time or memory for.
@Suite struct SamplingTests {
  private static let hour: UInt64 = 3_600_000_000_000

  /// Sensors of a millisecond with updates that one agent asked for.
  private static func sampled(_ count: Int, configure: (inout PlatformDefinition) -> Void = { _ in }) throws -> Bench {
    var definition = PlatformDefinition { platform in
      platform.agents = [AgentDefinition("guest")]
      platform.sensors = (0..<count).map { index in
        SensorDefinition("s\(index)") { sensor in
          sensor.updates = true
          sensor.intervals = [UpdateInterval(1, exponent: -3)]
        }
      }
    }
    configure(&definition)
    var bench = try Bench(definition)
    for index in 0..<UInt32(count) {
      #expect(bench.ask(.sensorContinuousUpdateNotify(sensor: index, enable: [.enabled])) == [0])
    }
    return bench
  }

  @Test func samplesThatAStallMissedAreSkippedAndCounted() throws {
    var bench = try Self.sampled(1)

    bench.wait(Self.hour + 500_000)

    #expect(bench.platform.missedSamples == 3_600_000 - UInt64(SCMIPlatform.maximumSamples))
    // The grid stays: the next one is half a millisecond away.
    #expect(bench.platform.nextDeadline == Self.hour + 1_000_000)
    #expect(bench.outgoing().count == SCMIPlatform.maximumQueued)
    bench.wait(10_000_000)
    #expect(bench.outgoing().count == 10)
  }

  @Test func twoThousandSensorsOfAMillisecondCostABudgetPerCall() throws {
    var bench = try Self.sampled(2_000)

    for _ in 0..<10 { bench.wait(Self.hour) }

    // Each call computed its budget, and the rest of the millisecond that it ended in.
    let computed = 10 * 2_000 * (Self.hour / 1_000_000) - bench.platform.missedSamples
    #expect(computed >= 10 * UInt64(SCMIPlatform.maximumSamples))
    #expect(computed <= 10 * (UInt64(SCMIPlatform.maximumSamples) + 2_000))
  }

  @Test func measurementsOfPowerCapsAreSkippedToo() throws {
    var definition = Bench.definition()
    definition.powercaps[0].measurementInterval = UpdateInterval.least
    var bench = try Bench(definition)
    #expect(bench.ask(.powercapMeasurementsNotify(domain: 0, low: 1_000, high: 4_000, enable: [.enabled])) == [0])

    bench.wait(Self.hour)

    #expect(bench.platform.missedSamples == Self.hour / UpdateInterval.least - UInt64(SCMIPlatform.maximumSamples))
  }

  @Test func whatIsDueBetweenSkippedSamplesHappensAtItsTime() throws {
    var bench = try Self.sampled(1) { platform in
      platform.clocks = [
        ClockDefinition("c") { clock in
          clock.rates = .list([1, 2])
          clock.asynchronousLatency = 1_800_000_000_000
        }
      ]
    }
    bench.platform.isRecording = true
    #expect(bench.ask(.clockRateSet(clock: 0, rate: 2, flags: [.asynchronous])) == [0])

    bench.wait(Self.hour)

    let response = bench.platform.takeTranscript().first { $0.kind == .delayedResponse }
    #expect(response?.time == 1_800_000_000_000)
  }

  @Test func aReplaySkipsWhatTheSessionSkipped() throws {
    var bench = try Self.sampled(3)
    bench.platform.resetAgent(0, events: true, at: 0)
    bench.platform.isRecording = true
    for index in 0..<UInt32(3) { _ = bench.ask(.sensorContinuousUpdateNotify(sensor: index, enable: [.enabled])) }
    for _ in 0..<5 { bench.wait(1_000_000) }
    while bench.platform.takeOutgoing() != nil {}
    bench.wait(Self.hour)
    _ = bench.ask(.sensorContinuousUpdateNotify(sensor: 0, enable: []))
    let records = bench.platform.takeTranscript()

    var platform = try SCMIPlatform(bench.platform.definition)
    let report = Replay.run(records, on: &platform)

    #expect(bench.platform.missedSamples > 0)
    #expect(report.skipped == 0)
    #expect(report.missedSamples == 0)
    // The receiver's queue was full at another time; what is said is the same until then.
    #expect(report.differences.first.map { $0.sequence >= 1_024 } ?? true)
    #expect(records.contains { $0.text.contains("time ran ahead") })
  }

  /// What a replay of 2,000 sensors' samples reports, where requests come after so many hours.
  private static func replay(after hours: ClosedRange<UInt64>, samples: Int) throws -> Replay.Report {
    var bench = try sampled(2_000)
    bench.platform.isRecording = true
    bench.platform.resetAgent(0, events: true, at: 0)
    for index in 0..<UInt32(2_000) { _ = bench.ask(.sensorContinuousUpdateNotify(sensor: index, enable: [.enabled])) }
    var records = bench.platform.takeTranscript()
    _ = bench.ask(.protocolVersion(.base))
    var last = bench.platform.takeTranscript()
    for number in hours {
      for index in last.indices { last[index].time = number * hour }
      records += last
    }
    var platform = try SCMIPlatform(bench.platform.definition)
    return Replay.run(records, on: &platform, samples: samples)
  }

  @Test func aReplayOfALineAnHourLaterEnds() throws {
    let report = try Self.replay(after: 1...1, samples: 20_000)

    #expect(report.missedSamples > 2_000 * (Self.hour / 1_000_000) - 2 * 20_000)
  }

  @Test func aReplayOfManyLinesFarApartComputesNoMoreThanItsBudget() throws {
    let report = try Self.replay(after: 1...100, samples: 5_000)

    // A budget for each of the lines would be thirty times as many.
    let all = 2_000 * (100 * Self.hour / 1_000_000)
    #expect(report.missedSamples > all - 2 * 5_000)
  }

  // MARK: - Rules

  private static func rule(_ action: Misbehaviour, _ target: MisbehaviourRule.Target = .reply) throws -> Bench {
    var definition = Bench.definition()
    definition.rules = [MisbehaviourRule("r", action) { $0.target = target }]
    return try Bench(definition)
  }

  @Test func aStormIsOneTimerWithACount() throws {
    let storm = Misbehaviour.notificationStorm(
      protocolIdentifier: 0x15,
      message: 0,
      payload: [],
      count: 10_000,
      interval: Self.hour
    )
    var bench = try Self.rule(storm)

    for _ in 0..<5_000 { _ = bench.ask(.sensorReadingGet(sensor: 0)) }

    // Those of 64 storms; the notifications of the others are dropped.
    #expect(bench.outgoing().count == 64)
    #expect(bench.platform.droppedNotifications(agent: 0) == (5_000 - 64) * 10_000)
    bench.wait(Self.hour)
    #expect(bench.outgoing().count == 64)
    bench.platform.resetAgent(0, events: true, at: bench.now)
    #expect(bench.platform.nextDeadline == nil)
  }

  @Test func aStormOfAllAtOnceFillsNoMoreThanTheQueue() throws {
    let storm = Misbehaviour.notificationStorm(
      protocolIdentifier: 0x15,
      message: 0,
      payload: [],
      count: 10_000,
      interval: 0
    )
    var bench = try Self.rule(storm)

    _ = bench.ask(.sensorReadingGet(sensor: 0))

    #expect(bench.outgoing().count == SCMIPlatform.maximumQueued)
    #expect(bench.platform.droppedNotifications(agent: 0) == 10_000 - UInt64(SCMIPlatform.maximumQueued))
    #expect(bench.platform.nextDeadline == nil)
  }

  @Test func duplicatesThatNobodyFetchesAreDroppedAndCounted() throws {
    var bench = try Self.rule(.duplicated)

    for _ in 0..<36_000 { _ = bench.ask(.sensorReadingGet(sensor: 0)) }

    #expect(bench.outgoing().count == SCMIPlatform.maximumQueued)
    #expect(bench.platform.droppedNotifications(agent: 0) == 36_000 - UInt64(SCMIPlatform.maximumQueued))
  }

  @Test func lateNotificationsAreBounded() throws {
    var bench = try Self.rule(.late(Self.hour), .notification)
    #expect(bench.ask(.clockRateNotify(clock: 1, enable: [.enabled])) == [0])

    for index in 0..<5_000 {
      bench.platform.setValue(ResourceName(.clock, "pll"), index % 2 == 0 ? 200 : 300, at: 0)
    }
    bench.wait(Self.hour)

    #expect(bench.outgoing().count == SCMIPlatform.maximumQueued)
    #expect(bench.platform.droppedNotifications(agent: 0) == 5_000 - UInt64(SCMIPlatform.maximumQueued))
  }

  @Test func delayedResponsesThatNobodyFetchesAreBounded() throws {
    var bench = try Bench()

    for _ in 0..<5_000 {
      #expect(bench.ask(.sensorReadingGet(sensor: 0, flags: [.asynchronous])) == [0])
      bench.wait(0)
    }

    // They have as much room again as notifications, which any other agent could make.
    #expect(bench.outgoing().count == 2 * SCMIPlatform.maximumQueued)
  }

  @Test func aSharedPlatformKeepsSoManyMessagesForAnAgent() throws {
    let platform = SharedPlatform(try SCMIPlatform(Bench.definition())) { 0 }
    let isAttached = platform.attach(0, .init {})
    platform.resetAgent(0, events: true)
    let request = SCMIMessage(header: MessageHeader(ClockProtocol.Message.rateNotify), payload: [1, 1]).bytes
    var reply = SCMIMessage(header: MessageHeader(rawValue: 0))
    _ = platform.handle(bytes: request.span, from: 0, ticket: 1, reply: &reply)

    for index in 0..<3_000 {
      platform.change { _ = $0.setValue(ResourceName(.clock, "pll"), index % 2 == 0 ? 200 : 300, at: $1) }
    }
    var count = 0
    while case .message = platform.next(for: 0) { count += 1 }

    #expect(isAttached)
    #expect(count == SCMIPlatform.maximumQueued)
    #expect(platform.droppedNotifications(agent: 0) == 3_000 - UInt64(SCMIPlatform.maximumQueued))
  }

  @Test func aTranscriptThatNobodyReadsKeepsTheLatestLines() async throws {
    let platform = SharedPlatform(try SCMIPlatform(Bench.definition())) { 0 }
    let transcript = platform.transcript
    let request = SCMIMessage(header: MessageHeader(.clock, .version)).bytes
    var reply = SCMIMessage(header: MessageHeader(rawValue: 0))

    // A line for each request and one for its reply.
    for ticket in 0..<UInt64(SharedPlatform.maximumUnread / 2 + 100) {
      _ = platform.handle(bytes: request.span, from: 0, ticket: ticket, reply: &reply)
    }

    var lines = transcript.makeAsyncIterator()
    #expect(await lines.next()?.sequence == 200)
    #expect(await lines.next()?.sequence == 201)
  }

  @Test func aRecordingThatHasEndedGetsNothingAndTheOthersGoOn() throws {
    let platform = SharedPlatform(try SCMIPlatform(Bench.definition())) { 0 }
    let counts = Mutex([0, 0])
    let request = SCMIMessage(header: MessageHeader(.clock, .version)).bytes
    var reply = SCMIMessage(header: MessageHeader(rawValue: 0))

    let recordings = (0..<2).map { index in platform.record { _ in counts.withLock { $0[index] += 1 } } }
    _ = platform.handle(bytes: request.span, from: 0, ticket: 0, reply: &reply)
    platform.end(recordings[0])
    platform.end(recordings[0])
    _ = platform.handle(bytes: request.span, from: 0, ticket: 1, reply: &reply)
    let isRecordingForOne = platform.change { platform, _ in platform.isRecording }
    platform.end(recordings[1])

    // A line for each request and one for its reply.
    #expect(counts.withLock { $0 } == [2, 4])
    #expect(isRecordingForOne)
    #expect(platform.change { platform, _ in !platform.isRecording })
  }

  @Test func aTranscriptWhoseReaderIsCancelledIsNotRecordedAnyMore() async throws {
    let platform = SharedPlatform(try SCMIPlatform(Bench.definition())) { 0 }
    let reader = Task { [transcript = platform.transcript] in for await _ in transcript {} }

    reader.cancel()
    await reader.value

    #expect(platform.change { platform, _ in !platform.isRecording })
  }

  @Test func theEndOfTimeIsReached() throws {
    var bench = try Bench()

    bench.platform.advance(to: .max)

    #expect(bench.platform.nextDeadline == nil)
    #expect(bench.ask(.protocolVersion(.clock)) == [0, 0x30000])
  }

  // MARK: - Files

  @Test func anIntervalOfAMicrosecondIsRefused() throws {
    let error = #expect(throws: PlatformFileError.self) {
      _ = try PlatformDefinition(json: try Cases.read("interval-1us.json"))
    }

    #expect(error?.mistakes.map(\.path) == ["/sensors/0/intervals/0"])
    #expect(error?.mistakes.first?.message == "expected 100000 ns or more, found 1 × 10^-6 s")
  }

  @Test(arguments: ["storm.json", "duplicated-without-buffers.json"])
  func casesStayWithinTheirBounds(file: String) throws {
    var bench = try Bench(PlatformDefinition(json: try Cases.read(file)))

    for _ in 0..<36_000 { _ = bench.ask(.sensorReadingGet(sensor: 0)) }
    bench.wait(Self.hour)

    #expect(bench.outgoing().count <= SCMIPlatform.maximumQueued)
    #expect(bench.platform.droppedNotifications(agent: 0) > 0)
  }
}
