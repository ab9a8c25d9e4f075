import SCMI
import SCMIFuzzing
import SCMITesting
import TestSupport
import Testing

/// The fuzzer's entry points under a little noise, so that they themselves stay right.
@Suite struct FuzzEntryTests {
  @Test(arguments: 1...4 as ClosedRange<UInt64>) func sessionsOfNoiseKeepThePromises(seed: UInt64) {
    var dice = Dice(state: seed)
    let definition = Bench.definition(agents: [AgentDefinition("one") { $0.trusted = true }, AgentDefinition("two")])
    var requests = 0
    for _ in 0..<Effort.cases(50) {
      var bytes: [UInt8] = []
      for _ in 0..<20 {
        let message = dice.request().bytes
        bytes += [UInt8(message.count) | UInt8(dice.roll(2)) << 7, UInt8(dice.roll(256))] + message
        requests += 1
      }
      SCMIFuzzing.session(bytes, definition: definition)
    }
    #expect(requests == 20 * Effort.cases(50))
  }

  @Test func platformFilesWithFlippedBytesArePlatformsOrMistakes() {
    let text =
      "{\"agents\":[{\"name\":\"a\",\"resources\":[\"clocks/c\"]}],\"clocks\":[{\"name\":\"c\",\"rates\":[1,2]}]}"
    var dice = Dice(state: 9)
    var tried = 0
    for _ in 0..<2_000 {
      var bytes = Array(text.utf8)
      for _ in 0...dice.roll(3) { bytes[Int(dice.roll(UInt64(bytes.count)))] = UInt8(dice.roll(128)) }
      SCMIFuzzing.platformFile(bytes)
      SCMIFuzzing.decoder(bytes)
      tried += 1
    }
    #expect(tried == 2_000)
  }
}
