import SCMI
import SCMIFile
import SCMITesting
import Testing

@Suite struct TranscriptTests {
  @Test func everyMessageIsALineWithNamesFieldsAndRawBytes() throws {
    var bench = try Bench()
    bench.platform.isRecording = true
    bench.now = 1_500

    _ = bench.ask(.clockRateSet(clock: 1, rate: 500))

    let lines = bench.platform.takeTranscript().map(\.json)
    #expect(
      lines == [
        "{\"sequence\":0,\"time\":1500,\"agent\":1,\"agentName\":\"guest\",\"kind\":\"request\",\"protocol\":20,"
          + "\"message\":5,\"name\":\"CLOCK_RATE_SET\",\"type\":0,\"token\":1,"
          + "\"fields\":{\"flags\":0,\"clock_id\":1,\"rate\":500},"
          + "\"raw\":\"0550040000000000" + "01000000f401000000000000\"}",
        "{\"sequence\":1,\"time\":1500,\"agent\":1,\"agentName\":\"guest\",\"kind\":\"reply\",\"protocol\":20,"
          + "\"message\":5,\"name\":\"CLOCK_RATE_SET\",\"type\":0,\"token\":1,\"status\":\"SUCCESS\",\"fields\":{},"
          + "\"raw\":\"0550040000000000\",\"latency\":0}",
      ]
    )
  }

  @Test func decisionsAndRulesAreExplained() throws {
    var definition = Bench.definition(agents: [AgentDefinition("one"), AgentDefinition("two")])
    definition.clocks[1].ratePolicy = .highest
    definition.rules = [
      MisbehaviourRule("short reads", .short(2)) { $0.message = ClockProtocol.Message.rateGet.rawValue }
    ]
    var bench = try Bench(definition)
    bench.platform.isRecording = true

    _ = bench.ask(.clockRateSet(clock: 1, rate: 500))
    _ = bench.ask(.clockRateSet(clock: 1, rate: 300), agent: 1)
    _ = bench.ask(.clockRateGet(clock: 1))

    let records = bench.platform.takeTranscript()
    #expect(records[3].decision == "highest of 2 requests is 500")
    #expect(records[5].rule == "short reads")
  }

  @Test func whatIsNoMessageHasALineToo() throws {
    var bench = try Bench()
    bench.platform.isRecording = true
    var reply = SCMIMessage(header: MessageHeader(rawValue: 0))

    let bytes: [UInt8] = [1, 2]
    _ = bench.platform.handle(bytes: bytes.span, from: 0, at: 0, reply: &reply)
    bench.platform.resetAgent(0, events: false, at: 5)

    let lines = bench.platform.takeTranscript().map(\.text)
    #expect(
      lines == [
        "0.000000000  guest  malformed: 2 bytes are no header",
        "0.000000005  guest  reset, without events; the votes of guest vanish",
      ]
    )
  }

  @Test func delayedResponsesKnowTheirLatency() throws {
    var bench = try Bench()
    bench.platform.isRecording = true

    _ = bench.ask(.clockRateSet(clock: 2, rate: 2_000, flags: [.asynchronous]))
    bench.wait(500)

    let record = bench.platform.takeTranscript().last
    #expect(record?.kind == .delayedResponse)
    #expect(record?.latency == 500)
    #expect(
      record?.text == "0.000000500  guest  <- CLOCK_RATE_SET token 1 delayed SUCCESS clock_id=2 rate=2000  after 500 ns"
    )
  }

  @Test func rawBytesAreDecodedReadably() {
    #expect(
      MessageDecoder.text(hexadecimal: "06 50 14 00 03 00 00 00", isRequest: true)
        == "CLOCK_RATE_GET token 5 clock_id=3"
    )
    #expect(
      MessageDecoder.text(hexadecimal: "0750000000000000", isRequest: false) == "CLOCK_CONFIG_SET token 0 SUCCESS"
    )
    #expect(MessageDecoder.text(hexadecimal: "0", isRequest: true) == "not hexadecimal")
    #expect(MessageDecoder.text(hexadecimal: "00", isRequest: true) == "1 bytes are no header")
    #expect(
      MessageDecoder.text(hexadecimal: "0340000000000000417075730000000000000000" + "00000000", isRequest: false)
        == "BASE_DISCOVER_VENDOR token 0 SUCCESS vendor=\"Apus\""
    )
    #expect(
      MessageDecoder.text(hexadecimal: "0900020001000000", isRequest: true)
        == "protocol 0x80 message 0x9 token 0 words=[0x1]"
    )
  }

  @Test func aNotificationIsReadAsOneWhoeverIsSaidToHaveSentIt() {
    let notification = "00530000" + "01000000" + "02000000" + "e803000000000000"
    let delayed = "05520000" + "00000000" + "02000000" + "e803000000000000"

    for isRequest in [false, true] {
      #expect(
        MessageDecoder.text(hexadecimal: notification, isRequest: isRequest)
          == "CLOCK_RATE_CHANGED token 0 agent_id=1 clock_id=2 rate=1000"
      )
      #expect(
        MessageDecoder.text(hexadecimal: delayed, isRequest: isRequest)
          == "CLOCK_RATE_SET token 0 delayed SUCCESS clock_id=2 rate=1000"
      )
    }
  }

  @Test(
    arguments: [
      ("06500000" + "0300", true, "CLOCK_RATE_GET token 0 clock_id=(cut after 0300)"),
      ("0650", false, "2 bytes are no header"),
      ("06500000" + "0000", false, "CLOCK_RATE_GET token 0 status=(cut after 0000)"),
      ("06500000" + "00000000" + "e8030000", false, "CLOCK_RATE_GET token 0 SUCCESS rate=(cut after e8030000)"),
      (
        "03400000" + "00000000" + "4170757300", false,
        "BASE_DISCOVER_VENDOR token 0 SUCCESS vendor=(cut after 4170757300)"
      ),
    ]
  )
  func aMessageThatEndsWithinAFieldSaysSo(bytes: String, isRequest: Bool, text: String) {
    #expect(MessageDecoder.text(hexadecimal: bytes, isRequest: isRequest) == text)
  }

  /// A session with everything in it: two agents, delayed responses, notifications, misbehaviour, a reset.
  private func session() throws -> (PlatformDefinition, [TranscriptRecord]) {
    var definition = Bench.definition(agents: [AgentDefinition("one") { $0.trusted = true }, AgentDefinition("two")])
    definition.rules = [
      MisbehaviourRule("late", .late(300)) { $0.message = ClockProtocol.Message.rateGet.rawValue },
      MisbehaviourRule("noise", .garbage) { $0.probability = 200_000 },
    ]
    var bench = try Bench(definition)
    bench.platform.isRecording = true
    _ = bench.ask(.clockRateNotify(clock: 1, enable: [.enabled]), agent: 1)
    _ = bench.ask(.sensorContinuousUpdateNotify(sensor: 0, enable: [.enabled]))
    for step in 0..<40 as Range<UInt32> {
      _ = bench.ask(
        .clockRateSet(clock: 1, rate: UInt64(100 + 50 * (step % 8)), flags: step % 2 == 1 ? [.asynchronous] : []),
        agent: Int(step % 2)
      )
      _ = bench.ask(.clockRateGet(clock: 1), agent: 1)
      bench.wait(250)
    }
    let nothing: [UInt8] = []
    var reply = SCMIMessage(header: MessageHeader(rawValue: 0))
    _ = bench.platform.handle(bytes: nothing.span, from: 0, at: bench.now, reply: &reply)
    bench.platform.resetAgent(1, events: false, at: bench.now)
    _ = bench.ask(.clockRateSet(clock: 1, rate: 900))
    _ = bench.outgoing()
    return (definition, bench.platform.takeTranscript())
  }

  @Test func aTranscriptReadsBackAsItWasWritten() throws {
    let (_, records) = try session()

    let read = try TranscriptRecord.records(lines: records.map(\.json).joined(separator: "\n"))

    #expect(read.map(\.json) == records.map(\.json))
    #expect(Set(records.map(\.kind)).isSuperset(of: [.request, .reply, .withheld, .notification, .malformed, .reset]))
  }

  /// What the words say differs from what the fields say, so that none is taken from another.
  @Test(
    arguments: [
      { $0.sequence = 9 }, { $0.time = 9 }, { $0.agent = 9 }, { $0.agentName = "nine" }, { $0.latency = 9 },
      {
        $0.kind = .reset
        $0.events = true
      },
      {
        $0.kind = .reset
        $0.events = false
      },
      { $0.decision = "with events" }, { $0.decision = nil }, { $0.rule = "nine" },
      { $0.message = SCMIMessage(header: MessageHeader(rawValue: 9), payload: [9]) },
    ] as [@Sendable (inout TranscriptRecord) -> Void]
  )
  func eachPropertyOfARecordIsReadBackFromAKeyOfItsOwn(change: @Sendable (inout TranscriptRecord) -> Void) throws {
    for words in ["with events", "without events", "time ran ahead"] {
      for kind in TranscriptRecord.Kind.allCases {
        var record = try #require(try session().1.first)
        record.kind = kind
        record.events = kind == .reset ? false : nil
        record.decision = words
        change(&record)

        let read = try #require(try TranscriptRecord.records(lines: record.json).first)

        #expect(read.sequence == record.sequence && read.time == record.time && read.agent == record.agent)
        #expect(read.agentName == record.agentName && read.kind == record.kind && read.message == record.message)
        #expect(read.latency == record.latency && read.events == record.events)
        #expect(read.decision == record.decision && read.rule == record.rule)
      }
    }
  }

  @Test(arguments: [true, false])
  func aResetIsReplayedAsItsKeySaysWhateverItsWordsSay(events: Bool) throws {
    var bench = try Bench()
    bench.platform.isRecording = true
    bench.platform.resetAgent(0, events: events, at: 5)
    var records = try TranscriptRecord.records(
      lines: bench.platform.takeTranscript().map(\.json).joined(separator: "\n")
    )
    for index in records.indices { records[index].decision = nil }
    var other = try Bench()

    _ = Replay.run(records, on: &other.platform)
    let answer = other.ask(.clockRateNotify(clock: 1, enable: [.enabled]))

    #expect(answer == [UInt32(bitPattern: (events ? SCMIStatus.success : .notSupported).rawValue)])
  }

  @Test func replayingGivesTheSameBytes() throws {
    let (definition, records) = try session()
    var platform = try SCMIPlatform(definition)

    let report = Replay.run(records, on: &platform)

    #expect(report.differences == [])
    #expect(report.requests == 83)
    #expect(report.compared == records.count)
  }

  @Test func replayingOnAnotherPlatformTellsTheDifferences() throws {
    let (original, records) = try session()
    var definition = original
    definition.clocks[1].rates = .range(minimum: 100, maximum: 1_000, step: 100)
    var platform = try SCMIPlatform(definition)

    let report = Replay.run(records, on: &platform)

    #expect(!report.differences.isEmpty)
  }

  @Test(arguments: [
    ("{", "line 1: it is cut, as where its writer was ended (column 2"), ("{,}", "line 1: column 2"),
    ("{}", "line 1: expected a kind"), ("{\"kind\": \"x\"}", "line 1: expected one of the kinds request, reply, "),
    ("text", "line 1: expected an object"),
    (
      "{\"kind\": \"call\", \"vmid\": 3}",
      "line 1: it is a transcript's of Gunyah; give the file to 'apus gunyah decode'"
    ),
    ("\n{\"kind\": \"reply\"}", "line 2: expected sequence"),
    ("{\"kind\":\"reply\",\"sequence\":0,\"time\":0,\"agent\":1,\"raw\":\"0\"}", "line 1: expected a message"),
    (
      "{\"kind\":\"reset\",\"sequence\":0,\"time\":0,\"agent\":1,\"raw\":\"00000000\",\"decision\":\"with events\"}",
      "line 1: expected events"
    ),
  ])
  func linesThatAreNoTranscriptAreTold(text: String, expected: String) {
    #expect(throws: TranscriptError.self) { try TranscriptRecord.records(lines: text) }
    do {
      _ = try TranscriptRecord.records(lines: text)
    } catch {
      #expect(error.description.hasPrefix(expected))
    }
  }

  @Test func ofATranscriptWhoseLastLineIsCutTheOthersAreRead() throws {
    var bench = try Bench()
    bench.platform.isRecording = true
    _ = bench.ask(.clockRateGet(clock: 0))
    let lines = bench.platform.takeTranscript().map(\.json)
    let text = lines[0] + "\n" + lines[1].dropLast(9)

    let error = #expect(throws: TranscriptError.self) { try TranscriptRecord.records(lines: text) }

    #expect(error?.line == 2)
    #expect(error?.before.map(\.json) == [lines[0]])
  }

  @Test func recordsThatAreMissingAreToldInTheirPlace() throws {
    var bench = try Bench()
    bench.platform.isRecording = true
    _ = bench.ask(.clockRateGet(clock: 0))
    var records = bench.platform.takeTranscript()
    records[1].sequence = 4
    var lines = TranscriptLines()

    let text = lines.lines(records)

    #expect(text == [records[0].text, "… 3 lines are missing here", records[1].text])
    #expect(SessionPicture.lines(records)[2] == String(repeating: " ", count: 16) + "… 3 lines are missing here")
  }

  @Test func aPictureHasAColumnPerAgent() throws {
    var bench = try Bench.pair()
    bench.platform.isRecording = true

    _ = bench.ask(.clockRateGet(clock: 0))
    _ = bench.ask(.clockRateGet(clock: 1), agent: 1)

    #expect(
      SessionPicture.text(bench.platform.takeTranscript(), width: 50) == """
        time            one                                               two
        0.000000000     | --> CLOCK_RATE_GET token 1 clock_id=0
        0.000000000     | <-- CLOCK_RATE_GET token 1 SUCCESS rate=24000000
        0.000000000     |                                                 | --> CLOCK_RATE_GET token 2 clock_id=1
        0.000000000     |                                                 | <-- CLOCK_RATE_GET token 2 SUCCESS rate=100

        """
    )
  }
}
