public import SCMI

/// Entry points for a fuzzer: each takes any bytes, and traps where a promise is broken.
public enum SCMIFuzzing {
  /// Two agents, the first one trusted, and something of each kind.
  public static var definition: PlatformDefinition {
    PlatformDefinition { platform in
      platform.clocks = [
        ClockDefinition("list") { $0.rates = .list([1_000, 2_000, 3_000]) },
        ClockDefinition("range-with-a-long-name") { clock in
          clock.rates = .range(minimum: 100, maximum: 1_000, step: 50)
          clock.parents = ["list"]
          clock.dutyCycle = 50
        },
      ]
      platform.powerDomains = [PowerDomainDefinition("power") { $0.asynchronous = true }]
      platform.performanceDomains = [
        PerformanceDomainDefinition("cpu") { domain in
          domain.operatingPoints = (1...12).map { OperatingPoint(level: $0, frequency: $0 * 1_000) }
          domain.levelIndexing = true
        }
      ]
      platform.sensors = [
        SensorDefinition("scalar") { sensor in
          sensor.binding = .waveform(Waveform(.sine, minimum: -9, maximum: 9, period: 1_000))
          sensor.tripPoints = 2
          sensor.updates = true
          sensor.asynchronous = true
          sensor.timestamps = true
          sensor.intervals = [UpdateInterval(1, exponent: 0)]
        },
        SensorDefinition("axes") { $0.axes = [AxisDefinition("x"), AxisDefinition("y")] },
      ]
      platform.resets = [ResetDefinition("reset") { $0.asynchronous = true }]
      platform.regulators = [VoltageDomainDefinition("vdd") { $0.levels = .list([1, 2, 3]) }]
      platform.powercaps = [PowercapDefinition("cap") { $0.maximumCap = 9_000 }]
      platform.pins = [PinDefinition("p0"), PinDefinition("p1")]
      platform.groups = [GroupDefinition("g") { $0.pins = ["p0", "p1"] }]
      platform.functions = [FunctionDefinition("f") { $0.groups = ["g"] }]
      platform.devices = [DeviceDefinition("d", [ResourceName(.clock, "list"), ResourceName(.pin, "p0")])]
      platform.agents = [AgentDefinition("one") { $0.trusted = true }, AgentDefinition("two")]
    }
  }

  /// Bytes as a session: records of agent and length (one byte), pause (one byte, in microseconds), message.
  ///
  /// Promises: one disposition per request; a reply echoes the header, has whole words and, unless it is a success,
  /// only its status; what goes to an agent is never more than a message.
  public static func session(_ bytes: [UInt8], definition: PlatformDefinition) {
    guard var platform = try? Platform(definition) else { preconditionFailure("the fuzzer's platform is valid") }
    platform.isRecording = true
    var now: UInt64 = 0
    var index = 0
    while index + 2 <= bytes.count {
      let agent = Int(bytes[index] >> 7) % definition.agents.count
      let length = min(Int(bytes[index] & 0x7F), bytes.count - index - 2)
      now += UInt64(bytes[index + 1]) * 1_000
      let request = Array(bytes[(index + 2)..<(index + 2 + length)])
      index += 2 + length
      var reply = Message(header: MessageHeader(rawValue: 0))
      let disposition = platform.handle(bytes: request.span, from: agent, at: now, reply: &reply)
      if length < 4 {
        precondition(disposition == .empty, "what has no header has no reply")
      } else if disposition == .reply {
        precondition(Array(reply.bytes.prefix(4)) == Array(request.prefix(4)), "the header is echoed")
        precondition(reply.count >= 4 && reply.count % 4 == 0, "a reply has whole words")
        precondition(reply.status == .success || reply.count == 4, "an error has only its status")
      }
      platform.advance(to: now)
      while let outgoing = platform.takeOutgoing() {
        precondition(definition.agents.indices.contains(outgoing.agent), "messages go to agents")
        precondition(outgoing.message.size <= Message.maximumSize, "messages have their bounds")
      }
      while platform.takeEvent() != nil {}
      let lines = platform.takeTranscript().map(\.json).joined(separator: "\n")
      precondition((try? TranscriptRecord.records(lines: lines)) != nil, "a transcript reads back")
    }
  }

  /// Bytes as a platform file: a platform that answers, and warnings, or mistakes that say where.
  public static func platformFile(_ bytes: [UInt8]) {
    do {
      let (definition, warnings, _) = try PlatformDefinition.checking(json: bytes, for: .linux612)
      precondition(warnings.allSatisfy { $0.line > 0 && $0.column > 0 }, "a warning has a place")
      guard var platform = try? Platform(definition) else {
        preconditionFailure("a file without mistakes is a platform")
      }
      for agent in definition.agents.indices.prefix(2) {
        _ = platform.view(of: agent)
        ask(&platform, agent)
      }
    } catch {
      precondition(!error.mistakes.isEmpty, "a refusal has a reason")
      precondition(error.mistakes.allSatisfy { $0.line > 0 && $0.column > 0 }, "a mistake has a place")
    }
  }

  /// Each command of each protocol about the first resource, with small numbers and the file's own time.
  private static func ask(_ platform: inout Platform, _ agent: Int) {
    for identifier in ProtocolIdentifier.allCases {
      for message in UInt8(0)..<0x11 {
        for length in 0..<5 {
          let request = Message(
            header: MessageHeader(identifier.rawValue, message),
            payload: [0, 0, 1, 0].prefix(length) + []
          )
          var reply = Message(header: request.header)
          _ = platform.handle(request, from: agent, at: 1_000, reply: &reply)
          precondition(reply.size <= Message.maximumSize, "messages have their bounds")
        }
      }
    }
    while platform.takeOutgoing() != nil {}
    while platform.takeEvent() != nil {}
  }

  /// Bytes as a transcript and as a raw message: text or a reason.
  public static func decoder(_ bytes: [UInt8]) {
    let text = String(decoding: bytes, as: UTF8.self)
    if let records = try? TranscriptRecord.records(lines: text) { _ = SessionPicture.text(records) }
    _ = MessageDecoder.text(hexadecimal: text, isRequest: true)
    guard let message = try? Message(bytes: bytes) else { return }
    for isRequest in [true, false] { _ = MessageDecoder.text(message, isRequest: isRequest) }
  }
}
