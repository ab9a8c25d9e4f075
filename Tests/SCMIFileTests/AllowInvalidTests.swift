import SCMI
import SCMIFile
import SCMITesting
import TestSupport
import Testing

/// A resource may be told to break the rules of order and duplicates.
@Suite struct AllowInvalidTests {
  /// Every check that `allowInvalid` lifts, once with it and once without.
  private func json(_ allowed: Bool) -> String {
    """
    {"agents": [{"name": "a"}],
     "clocks": [{"name": "list", "rates": [3, 1, 1], "allowInvalid": \(allowed)},
       {"name": "range", "rates": {"minimum": 9, "maximum": 1, "step": 20}, "allowInvalid": \(allowed)}],
     "performanceDomains": [{"name": "cpu", "operatingPoints": [{"level": 5}, {"level": 2}, {"level": 2}],
       "allowInvalid": \(allowed)}],
     "sensors": [{"name": "s", "axes": [{"name": "x"}, {"name": "x"}], "range": {"minimum": 2, "maximum": 1},
       "allowInvalid": \(allowed)}],
     "regulators": [{"name": "list", "levels": [3, 3, 1], "allowInvalid": \(allowed)},
       {"name": "range", "levels": {"minimum": 9, "maximum": 1, "step": 20}, "allowInvalid": \(allowed)}],
     "powercaps": [{"name": "c", "minimumCap": 9, "maximumCap": 0, "capStep": 0, "minimumAveragingInterval": 0,
       "averagingIntervalStep": 0, "cap": 77, "allowInvalid": \(allowed)}],
     "pins": [{"name": "p"}], "groups": [{"name": "g", "pins": ["p", "p"], "allowInvalid": \(allowed)}],
     "functions": [{"name": "f", "groups": ["g", "g"], "allowInvalid": \(allowed)}]}
    """
  }

  @Test func withoutItEachOfTheseIsAMistake() {
    let error = #expect(throws: PlatformFileError.self) { try PlatformDefinition(json: json(false)) }

    let resources = Set((error?.mistakes ?? []).map { $0.path.split(separator: "/").prefix(2).joined(separator: "/") })
    #expect(
      resources == [
        "clocks/0", "clocks/1", "performanceDomains/0", "sensors/0", "regulators/0", "regulators/1", "powercaps/0",
        "groups/0", "functions/0",
      ]
    )
  }

  @Test func withItTheWrongValuesAreOnTheWire() throws {
    var bench = try Bench(try PlatformDefinition(json: json(true)))

    #expect(bench.ask(.clockDescribeRates(clock: 0)) == [0, 3, 3, 0, 1, 0, 1, 0])
    #expect(bench.ask(.clockDescribeRates(clock: 1)) == [0, 3 | 1 << 12, 9, 0, 1, 0, 20, 0])
    #expect(bench.ask(.performanceDescribeLevels(domain: 0))[2] == 5)
    #expect(bench.ask(.performanceDescribeLevels(domain: 0))[7] == 2)
    #expect(bench.ask(.voltageDescribeLevels(domain: 0)) == [0, 3, 3, 3, 1])
    #expect(bench.ask(.powercapDomainAttributes(domain: 0))[9...11] == [9, 0, 0])
  }

  /// Whatever is asked of it: a reply, and nothing traps.
  @Test(arguments: 1...8 as ClosedRange<UInt64>) func anInvalidPlatformAnswersAnyRequest(seed: UInt64) throws {
    var bench = try Bench(try PlatformDefinition(json: json(true)))
    var random = SplitMix64(seed: seed)

    for _ in 0..<Effort.cases(20_000) {
      let identifier = UInt8(0x11 + random.next() % 9)
      let small = [0, 1, 2, 3, 5, 9, 20, .max] as [UInt32]
      let words = (0..<Int(random.next() % 5)).map { _ in small[Int(random.next() % 8)] }
      let request = SCMIMessage(header: MessageHeader(identifier, UInt8(random.next() % 16)), payload: words)
      var reply = SCMIMessage(header: MessageHeader(rawValue: 0))
      let disposition = bench.platform.handle(request, from: 0, at: 0, reply: &reply)
      #expect(disposition == .reply && reply.count >= 4)
      while bench.platform.takeOutgoing() != nil {}
    }
  }
}
