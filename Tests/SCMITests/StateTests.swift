import Foundation
import SCMI
import SCMIFile
import SCMITesting
import TestSupport
import Testing

/// A platform's state, taken out, sent through JSON and put into another platform.
@Suite struct StateTests {
  private static func bench() throws -> Bench {
    var definition = Bench.definition(agents: [
      AgentDefinition("one") { $0.trusted = true },
      AgentDefinition("two") { $0.messagesPerSecond = 1_000_000 },
    ])
    definition.rules = [
      MisbehaviourRule("sometimes", .late(3_000)) { $0.probability = 100_000 },
      MisbehaviourRule(
        "storms",
        .notificationStorm(protocolIdentifier: 0x14, message: 0, payload: [1], count: 9, interval: 700)
      ) {
        $0.probability = 10_000
      },
      MisbehaviourRule("held", .outOfOrder(5_000)) { $0.probability = 20_000 },
      MisbehaviourRule("altered", .alter([Alteration(.xor, 1, at: 8)])) { $0.probability = 50_000 },
    ]
    definition.script = [ScriptStep(at: 9_000_000, .set(ResourceName(.clock, "pll"), 700))]
    var bench = try Bench(definition)
    bench.platform.isRecording = true
    for agent in 0..<2 {
      bench.platform.resetAgent(agent, events: true, at: 0)
      for request: Request in [
        .clockRateNotify(clock: 1, enable: .enabled), .sensorTripPointNotify(sensor: 0, enable: .enabled),
        .sensorContinuousUpdateNotify(sensor: 0, enable: .enabled), .baseNotifyErrors(enable: .enabled),
        .powercapMeasurementsNotify(domain: 0, low: 1_000, high: 4_000, enable: .enabled),
        .systemPowerStateNotify(enable: .enabled), .clockRateSet(clock: 2, rate: 2_000, flags: .asynchronous),
      ] {
        _ = bench.ask(request, agent: agent)
      }
    }
    return bench
  }

  /// Requests of anybody, and time that passes.
  private static func go(on bench: inout Bench, _ dice: inout Dice, _ count: Int) -> [String] {
    for step in 0..<count {
      let request = dice.request()
      var reply = SCMIMessage(header: request.header)
      bench.now += 1_000 * dice.roll(50)
      _ = bench.platform.handle(request, from: step % 2, ticket: UInt64(step), at: bench.now, reply: &reply)
      if dice.roll(10) == 0 { _ = bench.outgoing() }
    }
    bench.wait(100_000_000)
    let outgoing = bench.outgoing().map { "\($0.agent) \($0.channel) \($0.message.bytes)" }
    var events: [String] = []
    while let event = bench.platform.takeEvent() { events.append("\(event)") }
    return bench.platform.takeTranscript().map(\.json) + outgoing + events
  }

  private static func encoded(_ bench: borrowing Bench) throws -> Data {
    try JSONEncoder().encode(bench.platform.state)
  }

  private static func restored(_ data: Data) throws -> Bench {
    var other = try bench()
    try other.platform.restore(try JSONDecoder().decode(SCMIPlatform.State.self, from: data))
    other.now = other.platform.now
    _ = other.platform.takeTranscript()
    return other
  }

  @Test(arguments: 1...6 as ClosedRange<UInt64>) func aPlatformGoesOnWhereItsStateWasTaken(seed: UInt64) throws {
    var first = try Self.bench()
    var dice = Dice(state: seed &* 0x9E37_79B9)
    _ = Self.go(on: &first, &dice, 400)

    var second = try Self.restored(try Self.encoded(first))

    var (left, right) = (dice, dice)
    let (before, after) = (Self.go(on: &first, &left, 400), Self.go(on: &second, &right, 400))
    #expect(before.count > 800)
    #expect(before == after)
    #expect(second.platform.value(ResourceName(.clock, "pll")) == first.platform.value(ResourceName(.clock, "pll")))
  }

  @Test func whatIsUnderWayArrivesAtTheOtherPlatform() throws {
    var first = try Bench()
    #expect(first.ask(.clockRateSet(clock: 2, rate: 3_000, flags: .asynchronous)) == [0])
    let data = try Self.encoded(first)

    var second = try Bench()
    try second.platform.restore(try JSONDecoder().decode(SCMIPlatform.State.self, from: data))
    second.wait(500)

    #expect(second.outgoing().map(\.message.payload) == [[0, 2, 3_000, 0]])
    #expect(second.ask(.clockRateGet(clock: 2)) == [0, 3_000, 0])
  }

  @Test func anotherVersionAndAnotherDefinitionAreRefused() throws {
    let data = try Self.encoded(try Bench())
    let text = String(decoding: data, as: UTF8.self)
    #expect(text.contains("\"version\":1"))
    let later = try JSONDecoder().decode(
      SCMIPlatform.State.self,
      from: Data(
        text.replacing("\"version\":1,", with: "\"version\":2,").replacing("\"version\":1}", with: "\"version\":2}")
          .utf8
      )
    )
    var smaller = Bench.definition()
    smaller.clocks.removeLast()
    smaller.devices = []
    var same = try Bench()
    var other = try Bench(smaller)

    #expect(throws: SCMIStateError.unknownVersion(2)) { try same.platform.restore(later) }
    #expect(throws: SCMIStateError.self) {
      try other.platform.restore(try JSONDecoder().decode(SCMIPlatform.State.self, from: data))
    }
    #expect(other.ask(.clockRateGet(clock: 1)) == [0, 100, 0])
  }

  /// Numbers that no platform would have written are refused, or do no harm.
  @Test func damagedStatesAreRefusedOrHarmless() throws {
    var first = try Self.bench()
    var dice = Dice(state: 77)
    _ = Self.go(on: &first, &dice, 200)
    _ = first.ask(.clockRateSet(clock: 2, rate: 3_000, flags: .asynchronous))
    let text = Array(String(decoding: try Self.encoded(first), as: UTF8.self).utf8)
    let places = text.indices.filter { (0x30...0x39).contains(text[$0]) && !(0x30...0x39).contains(text[$0 - 1]) }
    var refused = 0
    var restored = 0
    for _ in 0..<Effort.cases(400) {
      let place = places[Int(dice.roll(UInt64(places.count)))]
      let end = text[place...].firstIndex { !(0x30...0x39).contains($0) } ?? text.endIndex
      let number = ["0", "1", "255", "4294967295", "9223372036854775807", "18446744073709551615"][Int(dice.roll(6))]
      let damaged = text[..<place] + Array(number.utf8) + text[end...]
      guard var other = try? Self.restored(Data(damaged)) else {
        refused += 1
        continue
      }
      restored += 1
      other.now = min(other.now, 1 << 62)
      _ = Self.go(on: &other, &dice, 20)
    }
    #expect(refused > 0)
    #expect(restored > 0)
  }
}
