import Foundation
import TestSupport
import Testing

private let platform = """
  {"agents": [{"name": "guest"}], "clocks": [{"name": "c", "rates": [1, 2]}]}
  """

/// CLOCK_RATE_SET to 2 Hz, its reply, and the reply that comes from another platform.
private let session = """
  {"sequence":0,"time":1500,"agent":1,"agentName":"guest","kind":"request","raw":"05500400000000000000000002000000\
  00000000"}
  {"sequence":1,"time":1500,"agent":1,"agentName":"guest","kind":"reply","raw":"0550040000000000"}

  """

@Suite struct SCMICommandTests {
  @Test func schemaIsThePublishedOne() throws {
    let file = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
      .deletingLastPathComponent().appending(path: "Documentation/SCMIPlatform.schema.json")
    let published = try String(contentsOf: file, encoding: .utf8)

    let result = try apus(["scmi", "schema"])

    #expect(result.status == 0)
    let isThePublishedOne = result.output == published
    #expect(isThePublishedOne)
  }

  @Test func checkCountsWhatAPlatformHas() throws {
    let file = try TemporaryFile(Array(platform.utf8))

    let result = try apus(["scmi", "check", file.path])

    #expect(result.status == 0)
    #expect(result.output == "\(file.path): 1 clocks, 1 agents\n")
  }

  @Test func checkWarnsOfWhatHasNoEffectWithItsPlace() throws {
    let file = try TemporaryFile(
      Array("{\"agents\": [{\"name\": \"a\"}],\n\"profile\": \"2.0\", \"pins\": [{\"name\": \"p\"}]}".utf8)
    )

    let result = try apus(["scmi", "check", file.path])

    #expect(result.status == 0)
    #expect(result.output == "\(file.path): 1 pins, 1 agents\n")
    #expect(
      result.error.hasPrefix("apus: warning: \(file.path):2:27: /pins: the profile 2.0 has no pinControl protocol")
    )
  }

  @Test func checkForLinuxWarnsOfItsLimits() throws {
    let rates = (1...17).map(String.init).joined(separator: ",")
    let file = try TemporaryFile(
      Array("{\"agents\": [{\"name\": \"a\"}], \"clocks\": [{\"name\": \"c\", \"rates\": [\(rates)]}]}".utf8)
    )

    let plain = try apus(["scmi", "check", file.path])
    let linux = try apus(["scmi", "check", "--for", "linux-6.12", file.path])

    #expect(plain.status == 0 && plain.error.isEmpty)
    #expect(linux.status == 0)
    #expect(linux.error.contains("/clocks/0/rates: Linux 6.12 takes at most 16 rates"))
    expectRefusal(try apus(["scmi", "check", "--for", "x", file.path]), status: 64, "expected one of linux-6.12")
  }

  @Test func checkTellsEachMistakeInALineOfItsOwn() throws {
    let file = try TemporaryFile(Array("{\"agents\": 1,\n\"clocks\": 2}".utf8))

    let result = try apus(["scmi", "check", file.path])

    expectRefusal(
      result,
      status: 65,
      ":1:12: /agents: expected an array",
      "\napus: error: ",
      ":2:11: /clocks: expected"
    )
  }

  @Test func decodePrintsATranscriptReadably() throws {
    let file = try TemporaryFile(Array(session.utf8))

    let result = try apus(["scmi", "decode", file.path])

    #expect(result.status == 0)
    let lines = result.output.split(separator: "\n")
    #expect(lines.count == 2)
    #expect(lines.first == "0.000001500  guest  -> CLOCK_RATE_SET token 1 flags=0x0 clock_id=0 rate=2")
    #expect(lines.last == "0.000001500  guest  <- CLOCK_RATE_SET token 1 SUCCESS")
  }

  @Test func decodeDrawsAPicture() throws {
    let file = try TemporaryFile(Array(session.utf8))

    let result = try apus(["scmi", "decode", "--picture", file.path])

    #expect(result.output.contains("| --> CLOCK_RATE_SET"))
    #expect(result.output.contains("| <-- CLOCK_RATE_SET"))
  }

  @Test func decodeReadsRawBytes() throws {
    let request = try apus(["scmi", "decode", "--hex", "06500000 00000000"])
    let reply = try apus(["scmi", "decode", "--hex", "--reply", "0650000000000000" + "0200000000000000"])

    #expect(request.output == "CLOCK_RATE_GET token 0 clock_id=0\n")
    #expect(reply.output == "CLOCK_RATE_GET token 0 SUCCESS rate=2\n")
  }

  @Test(arguments: ["zz", "065", "0650", ""])
  func decodeRefusesWhatIsNoMessage(bytes: String) throws {
    expectRefusal(try apus(["scmi", "decode", "--hex", bytes]), status: 65, "is no message: give 4 to 132 bytes")
  }

  @Test func replayOfTheSamePlatformFindsNoDifference() throws {
    let (file, recorded) = (try TemporaryFile(Array(platform.utf8)), try TemporaryFile(Array(session.utf8)))

    let result = try apus(["scmi", "replay", recorded.path, "--platform", file.path])

    #expect(result.status == 0, "\(result.error)")
    #expect(result.output == "1 requests, 2 lines compared, 0 differ\n")
  }

  @Test func replayOnAnotherPlatformTellsWhatDiffers() throws {
    let other = "{\"agents\": [{\"name\": \"guest\"}], \"clocks\": [{\"name\": \"c\", \"rates\": [1]}]}"
    let (file, recorded) = (try TemporaryFile(Array(other.utf8)), try TemporaryFile(Array(session.utf8)))

    let result = try apus(["scmi", "replay", recorded.path, "--platform", file.path])

    #expect(result.status == 1)
    #expect(result.output.contains("1: recorded"))
    #expect(result.output.contains("1 requests, 2 lines compared, 1 differ"))
  }

  @Test func aTranscriptThatIsNoneIsToldWithItsLine() throws {
    let file = try TemporaryFile(Array("\n{}\n".utf8))

    expectRefusal(try apus(["scmi", "decode", file.path]), status: 65, "line 2: expected a kind")
  }

  @Test(arguments: [[], ["--picture"]])
  func whatIsBeforeAMistakeIsShown(options: [String]) throws {
    let file = try TemporaryFile(Array(session.dropLast(20).utf8))

    let result = try apus(["scmi", "decode"] + options + [file.path])

    #expect(result.status == 65)
    #expect(result.output.contains("CLOCK_RATE_SET token 1 flags"))
    #expect(result.error.contains("\(file.path): line 2: it is cut, as where its writer was ended"))
  }

  @Test func aMissingFileIsToldWithItsPath() throws {
    expectRefusal(try apus(["scmi", "check", "/nowhere/p.json"]), status: 66, "'/nowhere/p.json' cannot be read")
  }
}
