import SCMI
import TestSupport
import Testing

/// Every command with a resource, a flag or a number that it cannot have. What is in ``BadInputTests`` is of no message
/// in particular.
@Suite struct BadRequestTests {
  private enum Word {
    case value(UInt32)
    /// The identifier of a resource, an agent or a device.
    case identifier(UInt32)
    /// Flags, and a bit that is reserved among them.
    case flags(UInt32, reserved: UInt32)

    init(_ text: Substring) {
      func number(_ text: some StringProtocol) -> UInt32 { UInt32(text, radix: 16) ?? 0 }
      let parts = text.dropFirst().split(separator: "/")
      self =
        switch text.first {
        case "r": .identifier(number(parts[0]))
        case "f": .flags(number(parts[0]), reserved: parts.count > 1 ? number(parts[1]) : 1 << 31)
        default: .value(number(text))
        }
    }

    var good: UInt32 {
      switch self {
      case .value(let value), .identifier(let value), .flags(let value, _): value
      }
    }
  }

  private struct Command: CustomStringConvertible {
    var identifier: UInt8
    var message: UInt8
    var words: [Word]
    var description: String { String(identifier, radix: 16) + ": " + String(message, radix: 16) }
    var good: [UInt32] { words.map(\.good) }

    func with(_ value: UInt32, at place: Int) -> [UInt32] {
      var words = good
      words[place] = value
      return words
    }
  }

  /// Protocol: message and payload words; … All hexadecimal. r is an identifier, f are flags with a reserved bit behind
  /// the stroke, where it is not bit 31. BASE_RESET_AGENT_CONFIGURATION comes last, since votes and subscriptions go
  /// with it.
  private static let commands: [Command] = {
    let text = """
      10: 7 r1; 8 f1; 9 r1 r0 f1; a r1 r0 14 f1
      11: 3 r0; 4 f0 r0 0; 5 r0; 6 r0 f1; 7 r0 f1; 8 r0
      12: 3 f1 3; 5 f1
      13: 3 r0; 4 r0 0; 5 r0 320 64; 6 r0; 7 r0 c8; 8 r0; 9 r0 f1; a r0 f1; c r0
      14: 3 r1; 4 r1 0; 5 f0 r1 c8 0; 6 r1; 7 r1 f1 0; 8 r2; 9 r1 f1; a r1 f1; b r1 f0; c r2 0; d r2 r1; e r2; f r1
      15: 4 r0 f1; 5 r0 f1 ea60 0; 6 r0 f0; 7 r1 0; 8 r0 0; 9 r0; a r0 f1/4; b r0 f1; c r1; d r1 0
      16: 3 r0; 4 r0 f1 0; 5 r0 f1; 6 r0
      17: 3 r0; 4 r0 0; 5 r0 f7; 6 r0; 7 r0 f0 c3500; 8 r0; 9 r0
      18: 3 r0; 4 r0; 5 r0 f0 bb8; 6 r0; 7 r0 f0 14; 8 r0; 9 r0; a r0 f1; b r0 f1 1 a
      19: 3 r0 f0; 4 r0 f1 0; 7 r0 f0; 6 r0 0 f0; 5 r0 f40000; 8 r0 f0; 9 r0 f0; a r1 r0 f1
      10: b r1 f0
      """
    return text.split(separator: "\n").flatMap { line in
      let parts = line.split(separator: ":")
      let identifier = UInt8(parts[0], radix: 16) ?? 0
      return parts[1].split(separator: ";").map { message in
        let words = message.split(separator: " ")
        return Command(
          identifier: identifier,
          message: UInt8(words[0], radix: 16) ?? 0,
          words: words.dropFirst().map(Word.init)
        )
      }
    }
  }()

  @Test func commandsOfTheTableSucceed() throws {
    var bench = try Bench.pair()

    for command in Self.commands {
      #expect(bench.send(command.identifier, command.message, command.good).first == 0, "\(command)")
    }
    #expect(Self.commands.count > 70)
  }

  @Test func identifiersThatDoNotExistAreNotFound() throws {
    var bench = try Bench.pair()

    for command in Self.commands {
      for (place, word) in command.words.enumerated() {
        guard case .identifier = word else { continue }
        for wrong in [100, 0xFFFF, 0x1_0000, 0x7FFF_FFFF, 0x8000_0000, 0xFFFF_FFFE] as [UInt32] {
          let reply = bench.send(command.identifier, command.message, command.with(wrong, at: place))
          #expect(reply == [Glossary.notFound], "\(command), word \(place)")
        }
      }
    }
  }

  @Test func reservedFlagsAreInvalidParameters() throws {
    var bench = try Bench.pair()

    for command in Self.commands {
      for (place, word) in command.words.enumerated() {
        guard case .flags(let flags, let reserved) = word else { continue }
        let reply = bench.send(command.identifier, command.message, command.with(flags | reserved, at: place))
        #expect(reply == [Glossary.invalidParameters], "\(command), word \(place)")
      }
    }
  }

  @Test func payloadsOfAnotherLengthAreProtocolErrors() throws {
    var bench = try Bench.pair()

    for command in Self.commands where command.words.count > 0 {
      let payloads: [[UInt32]] = [command.good.dropLast(), command.good + [0], []]
      for words in payloads {
        // PINCTRL_SETTINGS_CONFIGURE has as many settings as it says.
        if command.identifier == 0x19, command.message == 6, words.count > command.words.count { continue }
        let reply = bench.send(command.identifier, command.message, words)
        #expect(reply == [Glossary.protocolError], "\(command), \(words.count) words")
      }
    }
  }

  @Test func everyNumberAtItsLimitsGetsOneReplyAndALineInTheTranscript() throws {
    var bench = try Bench.pair()
    bench.platform.isRecording = true
    let limits: [UInt32] = [0, 1, 0x7FFF, 0xFFFF, 0x7FFF_FFFF, 0x8000_0000, .max]

    for command in Self.commands {
      for place in command.words.indices {
        for limit in limits {
          let reply = bench.send(command.identifier, command.message, command.with(limit, at: place))
          let (isKnown, lines) = (
            (-11...0).contains(Int32(bitPattern: reply.first ?? 1)), bench.platform.takeTranscript().map(\.kind)
          )
          _ = bench.outgoing()
          #expect(isKnown, "\(command), word \(place), \(limit)")
          #expect(lines.contains(.request) && lines.contains(.reply), "\(command), word \(place), \(limit)")
        }
      }
    }
  }

  @Test func anotherAgentsResourcesAreNotFoundAndTakenOnesAreDenied() throws {
    var definition = Bench.definition(agents: [AgentDefinition("one"), AgentDefinition("two")])
    definition.agents[1].resources = []
    var bench = try Bench(definition)
    let resources = Self.commands.filter { $0.identifier != 0x10 && $0.identifier != 0x12 }
    for command in resources {
      #expect(bench.send(command.identifier, command.message, command.good, agent: 1) == [Glossary.notSupported])
    }

    for kind in ResourceKind.allCases {
      for name in definition.names(kind) {
        _ = bench.platform.setAccess(.none, agent: 0, resource: ResourceName(kind, name), at: 0)
      }
    }
    for command in resources {
      // Only the trusted agent's in any case.
      let reply = bench.send(command.identifier, command.message, command.good)
      #expect(reply == [Glossary.denied], "\(command)")
    }
  }

  @Test func notificationsOfWhatCannotNotifyAreNotSupported() throws {
    var definition = Bench.definition()
    definition.clocks[0].notifies = false
    definition.powerDomains[0].notifies = false
    definition.performanceDomains[0].notifies = false
    definition.sensors[0].tripPoints = 0
    definition.sensors[0].updates = false
    definition.resets[0].notifies = false
    definition.powercaps[0].notifies = false
    var bench = try Bench(definition)
    let commands: [(UInt8, UInt8, [UInt32])] = [
      (0x11, 6, [0, 1]), (0x11, 7, [0, 1]), (0x13, 9, [0, 1]), (0x13, 0xA, [0, 1]), (0x14, 9, [0, 1]),
      (0x14, 0xA, [0, 1]), (0x15, 4, [0, 1]), (0x15, 0xB, [0, 1]), (0x16, 5, [0, 1]), (0x18, 0xA, [0, 1]),
      (0x18, 0xB, [0, 1, 1, 10]),
    ]

    for (identifier, message, words) in commands {
      #expect(bench.send(identifier, message, words) == [Glossary.notSupported], "\(identifier) \(message)")
    }
  }

  @Test func asynchronousRequestsOfWhatCannotAreNotSupported() throws {
    var definition = Bench.definition()
    definition.powerDomains[0].asynchronous = false
    definition.sensors[0].asynchronous = false
    definition.resets[0].asynchronous = false
    definition.regulators[0].asynchronous = false
    definition.powercaps[0].asynchronous = false
    var bench = try Bench(definition)
    let commands: [(UInt8, UInt8, [UInt32])] = [
      (0x11, 4, [1, 0, 0]), (0x15, 6, [0, 1]), (0x16, 4, [0, 5, 0]),
      (0x17, 7, [0, 1, 800_000]), (0x18, 5, [0, 2, 3_000]),
    ]

    for (identifier, message, words) in commands {
      #expect(bench.send(identifier, message, words) == [Glossary.notSupported], "\(identifier) \(message)")
    }
  }

  @Test func moreAsynchronousReadingsThanAdvertisedAreBusy() throws {
    var definition = Bench.definition()
    definition.sensorAsynchronousRequests = 2
    definition.sensors[0].asynchronousLatency = 1_000
    var bench = try Bench(definition)

    #expect(bench.ask(.sensor, 6, 0, 1) == [0])
    #expect(bench.ask(.sensor, 6, 0, 1) == [0])
    #expect(bench.ask(.sensor, 6, 0, 1) == [word(.busy)])
    bench.wait(1_000)
    #expect(bench.outgoing().count == 2)
    #expect(bench.ask(.sensor, 6, 0, 1) == [0])
  }
}

/// The words that replies begin with.
private enum Glossary {
  static let notSupported = word(.notSupported)
  static let invalidParameters = word(.invalidParameters)
  static let denied = word(.denied)
  static let notFound = word(.notFound)
  static let protocolError = word(.protocolError)
}
