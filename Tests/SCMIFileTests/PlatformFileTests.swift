import Foundation
import SCMI
import SCMIFile
import SCMITesting
import TestSupport
import Testing

@Suite struct PlatformFileTests {
  private func mistakes(_ json: String) -> [String] {
    do {
      _ = try PlatformDefinition(json: json)
      return []
    } catch {
      return error.mistakes.map(\.description)
    }
  }

  @Test(arguments: [
    "{\(String(repeating: "\"K\": 1, ", count: 9000))\"agents\": []}",
    "{\"clocks\": [\(String(repeating: "1, ", count: 30_000))1]}",
    "{\"clocks\": [\(String(repeating: "{}, ", count: 30_000)){}]}",
    "{\"agents\": [\(String(repeating: "{\"name\": \"\"}, ", count: 5_000)){\"name\": \"\"}]}",
  ])
  func aFileOfManyMistakesIsToldInAFewLines(template: String) {
    let parts = template.split(separator: "K", omittingEmptySubsequences: false)
    let json = parts.enumerated().map { $0 == 0 ? String($1) : "key\($0)" + $1 }.joined()

    let error = #expect(throws: PlatformFileError.self) { _ = try PlatformDefinition(json: json) }

    let messages = error?.messages(for: "file") ?? []
    #expect(messages.count == PlatformFileError.limit + 1)
    #expect(messages.last?.hasSuffix("more mistakes are not told") == true)
    #expect(messages.reduce(0) { $0 + $1.utf8.count } < 12_000)
  }

  @Test(
    arguments: [
      ("{\"agents\": [{\"name\": \"a\"}], \"KEY\": 1}", 1 << 20, "unknown key"),
      (
        "{\"agents\": [{\"name\": \"a\"}], \"clocks\": [{\"name\": \"KEY\", \"rates\": [1]}, {\"name\": \"KEY\", \"rates\": [1]}]}",
        1 << 20, "there twice"
      ),
    ]
  )
  func aLongNameIsToldInPart(template: String, length: Int, expected: String) {
    let name = String(repeating: "k", count: length)

    let error = #expect(throws: PlatformFileError.self) {
      _ = try PlatformDefinition(
        json: template.split(separator: "KEY", omittingEmptySubsequences: false).joined(separator: name)
      )
    }

    let messages = error?.messages(for: "file") ?? []
    #expect(messages.contains { $0.contains(expected) })
    #expect(messages.allSatisfy { $0.utf8.count < 3_000 })
  }

  @Test func aLongCycleIsToldByItsEnds() {
    let clocks = (0..<5_000).map { "{\"name\": \"c\($0)\", \"rates\": [1], \"parents\": [\"c\(($0 + 1) % 5_000)\"]}" }

    let told = mistakes("{\"agents\": [{\"name\": \"a\"}], \"clocks\": [\(clocks.joined(separator: ","))]}")

    #expect(told.count == 1)
    #expect(told.first?.contains("\"c0\" → \"c1\"") == true)
    #expect(told.first?.hasSuffix("… → \"c4996\" → \"c4997\" → \"c4998\" → \"c4999\" → \"c0\"") == true)
  }

  @Test(
    arguments: [
      (
        "\"rules\": [\(String(repeating: "{\"name\": \"r\", \"action\": \"dropped\"},", count: 1_024)){\"name\": \"r\", \"action\": \"dropped\"}]",
        "/rules: expected at most 1024 rules"
      ),
      (
        "\"deviceTree\": {\"consumers\": [{\"name\": \"d\", \"kind\": \"device\", \"compatible\": [\"a\"], \"properties\": {\((0...4_096).map { "\"p\($0)\": 1" }.joined(separator: ","))}}]}",
        "4097 properties are too many"
      ),
      (
        "\"deviceTree\": {\"consumers\": [{\"name\": \"d\", \"kind\": \"device\", \"compatible\": [\"a\"], \"properties\": {\"p\": {\"wide\": [1], \"bytes\": [1]}}}]}",
        "expected wide or bytes, found both"
      ),
    ]
  )
  func whatWouldTakeLongOrMeanTwoThingsIsRefused(member: String, expected: String) {
    let told = mistakes("{\"agents\": [{\"name\": \"a\"}], \(member)}")

    #expect(told.contains { $0.contains(expected) }, "\(told)")
  }

  @Test func allAgentsTogetherSeeSoManyResources() {
    let clocks = (0..<5_000).map { "{\"name\": \"c\($0)\", \"rates\": [1]}" }.joined(separator: ",")
    let agents = (0..<210).map { "{\"name\": \"a\($0)\"}" }.joined(separator: ",")

    let told = mistakes("{\"agents\": [\(agents)], \"clocks\": [\(clocks)]}")

    #expect(told.count == 1)
    #expect(told.first?.contains("all agents together see 1050000 resources, and 1048576 is the most") == true)
  }

  @Test func theKnownKeysAreToldOnce() {
    let told = mistakes("{\"agents\": [{\"name\": \"a\", \"x\": 1}, {\"name\": \"b\", \"y\": 1}], \"z\": 1}")

    #expect(told.count == 3)
    #expect(told.filter { $0.hasSuffix("unknown key") }.count == 1)
    #expect(told.filter { $0.contains("unknown key; expected") }.count == 2)
  }

  @Test func aFileBecomesADefinition() throws {
    let definition = try PlatformDefinition(
      json: """
        {
          "vendor": "Test", "profile": "3.1", "versions": {"clock": "3.0"},
          "clocks": [
            {"name": "osc", "rates": [1000]},
            {"name": "pll", "rates": {"minimum": 1, "maximum": 9, "step": 2}, "parents": ["osc"], "ratePolicy": "highest"}
          ],
          "sensors": [
            {"name": "t", "value": {"waveform": "triangle", "minimum": 0, "maximum": 10, "period": 1000}},
            {"name": "a", "value": [1, 2], "axes": [{"name": "x"}, {"name": "y"}]}
          ],
          "regulators": [{"name": "v", "levels": [1, 2]}],
          "devices": [{"name": "d", "resources": ["clocks/pll"]}],
          "agents": [
            {"name": "a", "trusted": true},
            {"name": "b", "resources": ["clocks/osc", {"resource": "sensors/t", "access": "read"}],
             "deniedCommands": {"clock": ["CLOCK_RATE_SET", 7]}, "devices": ["d"]}
          ],
          "rules": [{"name": "r", "protocol": "clock", "message": "CLOCK_RATE_GET", "probability": 0.5,
                     "action": {"late": 1000}}],
          "script": [{"time": 5, "set": "clocks/pll", "value": 3}]
        }
        """
    )
    var bench = try Bench(definition)

    #expect(definition.clocks[1].ratePolicy == .highest)
    #expect(definition.rules[0].action == .late(1_000))
    #expect(definition.rules[0].message == 6)
    #expect(definition.agents[1].deniedCommands == [.clock: [5, 7]])
    #expect(bench.ask(.protocolVersion(.clock)) == [0, 0x30000])
    #expect(bench.ask(.protocolVersion(.reset)) == [word(.notSupported)])
    // Without the right to CLOCK_RATE_SET there are no asynchronous rates.
    #expect(bench.ask(.protocolAttributes(.clock), agent: 1) == [0, 2])
  }

  @Test func unknownKeysAreToldWithTheKnownOnes() {
    let found = mistakes("{\"agents\": [{\"name\": \"a\"}],\n \"clocs\": []}")

    #expect(found.count == 1)
    #expect(found[0].hasPrefix("2:2: /clocs: unknown key; expected $schema, agents, clockAsynchronousRequests, clocks"))
  }

  @Test(arguments: [
    (
      "{\"agents\": [{\"name\": \"a\"}], \"clocks\": [{\"name\": \"c\", \"rates\": []}]}",
      "/clocks/0/rates: expected at"
    ),
    ("{\"agents\": [{\"name\": \"a\"}], \"clocks\": [{\"name\": \"c\"}]}", "/clocks/0: the key \"rates\" is missing"),
    ("{\"agents\": [{\"name\": \"a\"}, {\"name\": \"a\"}]}", "/agents/1/name: \"a\" is there twice"),
    ("{\"agents\": [{\"name\": \"a\", \"devices\": [\"x\"]}]}", "/agents/0/devices/0: no devices entry is named \"x\""),
    ("{\"agents\": [{\"name\": \"a\", \"resources\": [\"clocks/x\"]}]}", "/agents/0/resources/0: no clocks entry"),
    ("{\"agents\": [{\"name\": \"a\", \"resources\": [\"x\"]}]}", "/agents/0/resources/0: expected KIND/NAME"),
    ("{\"agents\": [{\"name\": 5}]}", "/agents/0/name: expected a string, found 5"),
    ("{\"agents\": []}", "/agents: expected at least one agent"),
    ("{\"agents\": [{\"name\": \"a\"}], \"gracefulTimeout\": -1}", "/gracefulTimeout: expected an integer from 0 to"),
    ("{\"agents\": [{\"name\": \"a\"}], \"profile\": \"9\"}", "/profile: expected one of 2.0, 3.0, 3.1, 3.2, found"),
    (
      "{\"agents\": [{\"name\": \"a\"}], \"rules\": [{\"name\": \"r\", \"action\": \"x\"}]}",
      "/rules/0/action: expected one"
    ),
    (
      "{\"agents\": [{\"name\": \"a\"}], \"rules\": [{\"name\": \"r\", \"action\": {\"x\": 1}}]}",
      "/rules/0/action: expected"
    ),
    ("{\"agents\": [{\"name\": \"a\"}], \"script\": [{\"time\": 1}]}", "/script/0: expected an action"),
    ("{\"agents\": [\"a\"]}", "/agents/0: expected an object, found \"a\""),
    (
      "{\"agents\": [{\"name\": \"a\"}], \"rules\": [{\"name\": \"r\", \"action\": \"late\"}]}",
      "/rules/0/action: late has an argument: expected an object"
    ),
    (
      "{\"agents\": [{\"name\": \"a\"}], \"rules\": [{\"name\": \"r\", \"action\": {\"late\": 1, \"short\": 2}}]}",
      "/rules/0/action: expected one action, found late and short"
    ),
    (
      "{\"agents\": [{\"name\": \"a\"}], \"rules\": [{\"name\": \"r\", \"protocol\": \"0x14\", \"action\": \"never\"}]}",
      "/rules/0/protocol: expected a number or one of base, "
    ),
    (
      "{\"agents\": [{\"name\": \"a\"}], \"rules\": [{\"name\": \"r\", \"protocol\": \"clock\", \"message\": \"GET\"}]}",
      "/rules/0/message: expected a number or one of PROTOCOL_VERSION, "
    ),
    ("[]", "/: expected an object, found an array"),
    ("{", "/: expected a key"),
  ])
  func mistakesAreToldWithPathAndExpectation(json: String, expected: String) {
    #expect(mistakes(json).contains { $0.contains(": " + expected) }, "\(mistakes(json))")
  }

  @Test func allMistakesAreToldAtOnce() {
    let found = mistakes(
      "{\"agents\": [{\"name\": \"a\"}],\n\"clocks\": [{\"name\": \"c\", \"rates\": [2, 1]},\n{\"name\": \"c\", \"rates\": [1]}]}"
    )

    #expect(
      found == [
        "2:39: /clocks/0/rates/1: expected ascending rates without duplicates",
        "3:10: /clocks/1/name: \"c\" is there twice",
      ]
    )
  }

  @Test func aHundredThousandClocksCanBeReadAndAskedFor() throws {
    let count = Effort.cases(100_000)
    let clocks = (0..<count).map { "{\"name\":\"c\($0)\",\"rates\":[1]}" }.joined(separator: ",")

    let definition = try PlatformDefinition(
      json: "{\"agents\":[{\"name\":\"a\",\"resources\":[\"clocks/c\(count - 1)\"]}],\"clocks\":[\(clocks)]}"
    )

    var bench = try Bench(definition)
    #expect(bench.ask(.clockRateGet(clock: 0)) == [0, 1, 0])
    #expect(bench.ask(.clockRateGet(clock: 1)) == [word(.notFound)])
  }

  @Test func moreResourcesThanAnAgentCanCountAreAMistake() {
    func definition(_ count: Int) -> PlatformDefinition {
      PlatformDefinition { platform in
        platform.resets = (0..<count).map { ResetDefinition("r\($0)") }
        platform.agents = [AgentDefinition("a")]
      }
    }

    #expect(definition(Effort.cases(0xFFFF)).validate().isEmpty)
    let mistakes = definition(0x1_0000).validate()
    #expect(mistakes.map(\.path) == ["/agents/0/resources"])
    #expect(mistakes.first?.message == "65536 resets are more than an agent can count (65535)")
  }

  @Test func theExampleInTheDocumentationIsAPlatform() throws {
    let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
      .deletingLastPathComponent()
    let json = try Data(contentsOf: root.appending(path: "Documentation/Examples/scmi-platform.json"))

    var bench = try Bench(try PlatformDefinition(json: [UInt8](json)))

    #expect(bench.ask(.protocolAttributes(.clock)) == [0, 3 | 4 << 16])
    #expect(bench.ask(.protocolAttributes(.clock), agent: 1) == [0, 3 | 4 << 16])
    #expect(bench.ask(.clockAttributes(clock: 2), agent: 1) == [word(.denied)])
    #expect(bench.ask(.baseSetDevicePermissions(agent: 2, device: 0, flags: [.allowed])) == [0])
    #expect(bench.ask(.clockAttributes(clock: 2), agent: 1)[0] == 0)
  }
}
