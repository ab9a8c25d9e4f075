import SCMI
import SCMIFile
import Testing

@Suite struct TreeDefinitionTests {
  private func mistakes(_ tree: String) -> [String] {
    let json = """
      {"agents": [{"name": "a"}], "clocks": [{"name": "c", "rates": [1, 2]}, {"name": "p", "rates": [1]}],
      "regulators": [{"name": "v", "levels": [1, 2]}], "sensors": [{"name": "t"}],
      "powerDomains": [{"name": "d"}, {"name": "e"}], "deviceTree": \(tree)}
      """
    do {
      _ = try PlatformDefinition(json: json)
      return []
    } catch {
      return error.mistakes.map(\.description)
    }
  }

  @Test func aTreeIsReadFromAFile() throws {
    let definition = try PlatformDefinition(
      json: """
        {"agents": [{"name": "a"}], "clocks": [{"name": "c", "rates": [1, 2]}],
         "performanceDomains": [{"name": "cpu", "operatingPoints": [{"level": 1}]}], "sensors": [{"name": "t"}],
         "deviceTree": {
           "replyTimeout": 50, "cpus": ["cpu"],
           "thermalZones": [{"name": "die", "sensor": "t", "trips": [{"kind": "hot", "temperature": 90000}]}],
           "consumers": [{"name": "rtc", "kind": "clock", "resources": ["clocks/c"], "rates": {"c": 2}}]
         }}
        """
    )

    #expect(definition.tree.replyTimeout == 50)
    #expect(definition.tree.cpus == ["cpu"])
    #expect(definition.tree.thermalZones[0].trips == [.init(.hot, temperature: 90_000)])
    #expect(definition.tree.consumers[0].rates == ["c": 2])
  }

  @Test(arguments: [
    ("{\"replyTimeout\": 0}", "/deviceTree/replyTimeout: expected 1 or more milliseconds"),
    ("{\"cpus\": [\"x\"]}", "/deviceTree/cpus/0: no performanceDomains entry is named \"x\""),
    (
      "{\"thermalZones\": [{\"name\": \"1\", \"sensor\": \"t\"}]}", "/deviceTree/thermalZones/0/name: expected a letter"
    ),
    ("{\"thermalZones\": [{\"name\": \"die\", \"sensor\": \"x\"}]}", "no sensors entry is named \"x\""),
    (
      "{\"thermalZones\": [{\"name\": \"die\", \"sensor\": \"t\", \"trips\": [{\"kind\": \"hot\", \"temperature\": 200001}]}]}",
      "/trips/0/temperature: expected -273000 to 200000"
    ),
    (
      "{\"consumers\": [{\"name\": \"A\", \"kind\": \"clock\"}]}", "/deviceTree/consumers/0/name: expected a lower-case"
    ),
    (
      "{\"consumers\": [{\"name\": \"a\", \"kind\": \"bus\", \"resources\": [\"powerDomains/d\", \"powerDomains/e\"]}]}",
      "/deviceTree/consumers/0/resources: expected at most 1 of powerDomains, found 2"
    ),
    (
      "{\"consumers\": [{\"name\": \"a\", \"kind\": \"outlet\"}]}",
      "expected 1 of regulators for the kind outlet, found 0"
    ),
    (
      "{\"consumers\": [{\"name\": \"a\", \"kind\": \"clock\", \"resources\": [\"clocks/c\"], \"rates\": {\"p\": 1}}]}",
      "/deviceTree/consumers/0/rates/p: \"p\" is none of the consumer's clocks"
    ),
    ("{\"consumers\": [{\"name\": \"a\"}]}", "the key \"kind\" is missing"),
  ])
  func mistakesAreTold(tree: String, expected: String) {
    let found = mistakes(tree)

    #expect(found.contains { $0.contains(expected) }, "\(found)")
  }

  @Test func viewNamesWhatTheAgentMaySee() throws {
    let definition = PlatformDefinition { platform in
      platform.clocks = ["a", "b", "c"].map { name in ClockDefinition(name) { $0.rates = .list([1]) } }
      platform.agents = [
        AgentDefinition("guest") { agent in
          agent.resources = ["c", "a"].map { ResourceSelection(ResourceName(.clock, $0)) }
          agent.protocols = [.clock]
        }
      ]
    }

    let view = try SCMIPlatform(definition).view(of: 0)

    #expect(view.protocols == [0x10, 0x14])
    #expect(view.identifier(.clock, "c") == 0)
    #expect(view.identifier(.clock, "a") == 1)
    #expect(view.identifier(.clock, "b") == nil)
  }
}
