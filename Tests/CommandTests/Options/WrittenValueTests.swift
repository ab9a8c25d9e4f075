import Apus
import TestSupport
import Testing

@testable import ApusCommand

@Suite struct WrittenValueTests {
  @Test(
    arguments: [
      ("512M", 512 << 20), ("2G", 2 << 30), ("1T", 1 << 40), ("64K", 64 << 10), ("100", 100 << 20), ("1g", 1 << 30),
      ("3GiB", 3 << 30), ("3gb", 3 << 30), ("12B", 12), ("0", 0), ("007M", 7 << 20), ("16777215T", 16_777_215 << 40),
    ] as [(String, UInt64)]
  )
  func aSizeIsReadWithItsUnit(text: String, bytes: UInt64) {
    #expect(ByteCount(text)?.bytes == bytes)
  }

  @Test(arguments: [
    "", "M", "12XB", "-1", "+1", "1.5G", " 1", "1 M", "1M ", "0x10", "1e3", "١M", "1\u{212A}", "1İB", "1MM", "1BB",
    "16777216T", "18446744073709551616B", "99999999999999999999",
  ])
  func whatIsNoSizeIsRefused(text: String) {
    #expect(ByteCount(text) == nil)
  }

  @Test(
    arguments: [
      ("10", .seconds(10)), ("1.5s", .milliseconds(1500)), ("250ms", .milliseconds(250)), ("2m", .seconds(120)),
      ("1h", .seconds(3600)), ("0", .zero), ("0.000000001", .nanoseconds(1)), ("0.5m", .seconds(30)),
      ("1.25ms", .microseconds(1250)), ("9223372036", .seconds(9_223_372_036)),
    ] as [(String, Duration)]
  )
  func aTimeIsReadWithItsUnit(text: String, duration: Duration) {
    #expect(TimeLimit(text)?.duration == duration)
  }

  @Test(arguments: [
    "", "s", "abc", "-1", "+1", "1.", ".5", "1e3", "0x10", "nan", "inf", "infinity", "1 s", " 1", "1d", "1.5.5",
    "1.0000000001", "9223372037", "99999999999999999999h", "٣s",
  ])
  func whatIsNoTimeIsRefused(text: String) {
    #expect(TimeLimit(text) == nil)
  }

  @Test(arguments: [
    ("host", true, true, true), ("sve=off", false, true, true), ("pmu=off,pauth=off", true, false, false),
    ("sve=off,sve=on", true, true, true), ("host,sve=off", false, true, true), ("sve=off,host", true, true, true),
    ("sve=off,pmu=off,pauth=off", false, false, false),
  ])
  func cpuFeaturesAreReadAndTheLastWordWins(text: String, sve: Bool, pmu: Bool, pointerAuthentication: Bool) throws {
    let features = try #require(Configuration.CPUFeatures(text))

    #expect(features.sve == sve)
    #expect(features.pmu == pmu)
    #expect(features.pointerAuthentication == pointerAuthentication)
  }

  @Test(arguments: [
    "", "sve", "sve=", "sve=no", "sme=off", "sve=off,", ",", "SVE=off", "sve=off pmu=off", "sve=off=on",
  ])
  func whatAreNoCPUFeaturesIsRefused(text: String) {
    #expect(Configuration.CPUFeatures(text) == nil)
  }

  @Test(
    arguments: [
      ("stdio", .standardStreams), ("none", .none), ("pty", .pseudoTerminal()),
      ("pty=/run/c", .pseudoTerminal(link: "/run/c")),
      ("file=a=b", .file(path: "a=b")), ("file= ", .file(path: " ")),
    ] as [(String, Configuration.Console)]
  )
  func aConsoleIsRead(text: String, console: Configuration.Console) {
    #expect(Configuration.Console(text) == console)
  }

  @Test(arguments: ["", "stdio=", "none=1", "file", "file=", "pty=", "tty", "stream", "=", "Stdio"])
  func whatIsNoConsoleIsRefused(text: String) {
    #expect(Configuration.Console(text) == nil)
  }

  /// Texts of the characters that matter, so that many are well-formed.
  @Test func whateverIsReadIsWrittenAndReadAsTheSame() {
    var random = SplitMix64(seed: 2)
    var read = 0
    for _ in 0..<Effort.cases(50_000) {
      read += expectRoundTrip(ByteCount.self, random.text(of: "0123456789KMGTBikmgtb.- ", limit: 6))
      read += expectRoundTrip(TimeLimit.self, random.text(of: "0123456789.mshe-", limit: 8))
      read += expectRoundTrip(Configuration.UUID.self, random.text(of: "0123456789abcdefABCDEF-g", limit: 40))
      let words = (0..<3).compactMap { _ in cpuWords.randomElement(using: &random) }
      read += expectRoundTrip(Configuration.CPUFeatures.self, words.joined(separator: ","))
      let choice = ["pty", "file=", "pty=", "none", "="].randomElement(using: &random) ?? ""
      read += expectRoundTrip(Configuration.Console.self, choice + random.text(of: "a/=é\u{0} ", limit: 3))
    }

    #expect(read > Effort.cases(50_000))
  }

  @Test func anyTextIsReadOrRefusedWithoutACrash() {
    var random = SplitMix64(seed: 3)
    var refused = 0
    for _ in 0..<Effort.cases(20_000) {
      let bytes = (0..<Int.random(in: 0...24, using: &random)).map { _ in UInt8.random(in: 0...255, using: &random) }
      let text = String(decoding: bytes, as: UTF8.self)

      refused += ByteCount(text) == nil ? 1 : 0
      refused += TimeLimit(text) == nil ? 1 : 0
      refused += Configuration.UUID(text) == nil ? 1 : 0
      refused += Configuration.CPUFeatures(text) == nil ? 1 : 0
      refused += Configuration.Console(text) == nil ? 1 : 0
    }

    #expect(refused > Effort.cases(90_000))
  }
}

private let cpuWords = ["host", "sve=on", "sve=off", "pmu=on", "pmu=off", "pauth=on", "pauth=off"]

/// - Returns: 1 where the text was read.
private func expectRoundTrip<Value: WrittenValue>(_ type: Value.Type, _ text: String) -> Int {
  guard let value = Value(text) else { return 0 }
  #expect(Value(value.description) == value, "\(text) became \(value)")
  return 1
}
