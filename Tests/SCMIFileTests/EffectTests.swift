import SCMI
import SCMIFile
import Testing

/// What a file says and nothing could come of is a mistake, or a warning.
@Suite struct EffectTests {
  /// A platform with something of each kind, and a part of the test's own.
  private func file(_ part: String, agents: String = "[{\"name\": \"a\"}]", resources: String = "") -> String {
    """
    {"agents": \(agents), \(resources)
     "clocks": [{"name": "osc", "rates": [24]}, {"name": "pll", "rates": {"minimum": 100, "maximum": 1000, "step": 50},
       "parents": ["osc"]}, {"name": "fixed", "rates": [5], "rateControl": false, "parentControl": false, "parents": ["osc"]}],
     "powerDomains": [{"name": "gpu"}, {"name": "vpu"}],
     "performanceDomains": [{"name": "cpu", "operatingPoints": [{"level": 1}, {"level": 5}]}],
     "sensors": [{"name": "die"}, {"name": "acc", "axes": [{"name": "x"}, {"name": "y"}]}], "resets": [{"name": "usb"}],
     "regulators": [{"name": "vdd", "levels": [1, 2, 3]}],
     "powercaps": [{"name": "soc", "minimumCap": 10, "maximumCap": 50, "capStep": 10}],
     "pins": [{"name": "p"}], "groups": [{"name": "g", "pins": ["p"]}, {"name": "h", "pins": ["p"]}],
     "functions": [{"name": "f", "groups": ["g"]}]\(part.isEmpty ? "" : ", ")\(part)}
    """
  }

  private func mistakes(_ json: String) -> [String] {
    do {
      _ = try PlatformDefinition(json: json)
      return []
    } catch {
      return error.mistakes.map { "\($0.path): \($0.message)" }
    }
  }

  private func warnings(_ json: String, for guest: GuestSystem? = nil) throws -> [String] {
    try PlatformDefinition.checking(json: Array(json.utf8), for: guest).warnings.map { "\($0.path): \($0.message)" }
  }

  @Test func aPlatformWithSomethingOfEachKindHasNothingToWarnOf() throws {
    #expect(mistakes(file("")) == [])
    #expect(try warnings(file("")) == [])
  }

  private func consumer(_ kind: String, _ resources: String, _ rest: String = "") -> String {
    file(
      "\"deviceTree\": {\"consumers\": [{\"name\": \"c\", \"kind\": \"\(kind)\", \"resources\": [\(resources)]\(rest)}]}"
    )
  }

  @Test(arguments: ["sensors/die", "powercaps/soc", "pins/p", "performanceDomains/cpu", "regulators/vdd"])
  func aBusHasNoUseForResourcesOfOtherKinds(resource: String) {
    let found = mistakes(consumer("bus", "\"clocks/pll\", \"\(resource)\""))

    let kind = resource.prefix { $0 != "/" }
    #expect(found.count == 1)
    #expect(
      found.first == "/deviceTree/consumers/0/resources/1: a consumer of the kind bus has no use for \(kind); "
        + "it uses clocks, powerDomains, resets, functions, groups"
    )
  }

  @Test(arguments: [
    ("bus", "\"clocks/pll\", \"groups/g\"", "", "groups do something with a function only"),
    ("bus", "\"clocks/pll\", \"functions/f\", \"groups/h\"", "", "\"h\" is no group of the function \"f\""),
    ("bus", "\"clocks/pll\", \"clocks/pll\"", "", "resources/1: clocks/pll is there twice"),
    (
      "bus", "\"clocks/pll\"", ", \"parents\": {\"pll\": \"fixed\"}",
      "\"fixed\" is no parent of \"pll\"; expected one of osc"
    ),
    ("bus", "\"clocks/osc\"", ", \"parents\": {\"osc\": \"pll\"}", "\"pll\" is no parent of \"osc\"; it has none"),
    ("bus", "\"clocks/fixed\"", ", \"parents\": {\"fixed\": \"osc\"}", "parentControl is false"),
    ("bus", "\"clocks/fixed\"", ", \"rates\": {\"fixed\": 5}", "rateControl is false"),
    (
      "bus", "\"clocks/pll\"", ", \"rates\": {\"pll\": 1001}",
      "cannot have 1001 Hz; expected 100 to 1000 in steps of 50"
    ),
    (
      "bus", "\"clocks/pll\"", ", \"compatible\": [\"x\"]",
      "a consumer of the kind bus has none; expected the kind device"
    ),
    ("outlet", "\"regulators/vdd\"", ", \"registers\": [{}]", "the kind outlet has none; expected the kind device"),
    ("device", "", "", "compatible: expected at least one string"),
    (
      "device", "", ", \"compatible\": [\"x\"], \"registers\": [{\"size\": 6}]",
      "registers/0/size: expected a multiple of 4"
    ),
    (
      "device", "", ", \"compatible\": [\"x\"], \"registers\": [{\"size\": 4, \"words\": [1, 2]}]",
      "2 words are more than"
    ),
    (
      "device", "", ", \"compatible\": [\"x\"], \"registers\": [{\"name\": \"a\"}, {}]",
      "a name for each of them or for none"
    ),
    ("device", "", ", \"compatible\": [\"x\"], \"properties\": {\"clocks\": 1}", "Apus writes this property itself"),
    ("device", "", ", \"compatible\": [\"x\"], \"properties\": {\"a b\": 1}", "expected a name of 1 to 31"),
    ("device", "", ", \"compatible\": [\"x\"], \"properties\": {\"a\": false}", "expected true, a number, a string"),
    (
      "device", "", ", \"compatible\": [\"x\"], \"names\": {\"clocks/pll\": \"c\"}",
      "is none of the consumer's resources"
    ),
    ("device", "", ", \"compatible\": [\"x\"], \"names\": {\"pll\": \"c\"}", "expected a key KIND/NAME"),
    ("device", "\"sensors/die\"", ", \"compatible\": [\"x\"]", "the kind device has no use for sensors"),
    (
      "device", "", ", \"compatible\": [\"x\"], \"children\": [{\"name\": \"@1\"}]",
      "children/0/name: expected a node's name"
    ),
    (
      "device", "",
      ", \"compatible\": [\"x\"], \"interrupts\": [\(Array(repeating: "{}", count: 65).joined(separator: ","))]",
      "expected at most 64 interrupts in all"
    ),
    (
      "device", "",
      ", \"compatible\": [\"x\"], \"registers\": [\(Array(repeating: "{\"size\": 1048576}", count: 17).joined(separator: ","))]",
      "have more than 16 MiB"
    ),
  ]) func whatAConsumerCannotDoIsAMistake(kind: String, resources: String, rest: String, expected: String) {
    let found = mistakes(consumer(kind, resources, rest))

    #expect(found.contains { $0.contains(expected) }, "\(found)")
  }

  @Test(arguments: [
    ("\"versions\": {\"clock\": \"9.0\"}", "/versions/clock: 9.0 does not exist; expected one of 1.0, 2.0, 3.0"),
    ("\"versions\": {\"base\": \"2.2\"}", "/versions/base: 2.2 does not exist; expected one of 1.0, 2.0, 2.1"),
    ("\"versions\": {\"powercap\": \"0.1\"}", "/versions/powercap: 0.1 does not exist"),
  ]) func versionsThatDoNotExistAreMistakes(part: String, expected: String) {
    #expect(mistakes(file(part)).contains { $0.hasPrefix(expected) })
  }

  @Test(arguments: [
    ("\"times\": 0, \"action\": \"never\"", "/rules/0/times: a rule that applies 0 times never does"),
    (
      "\"resource\": \"clocks/pll\", \"protocol\": \"sensor\", \"action\": \"never\"",
      "no message of this protocol is about clocks"
    ),
    (
      "\"resource\": \"clocks/pll\", \"protocol\": \"clock\", \"message\": 1, \"action\": \"never\"",
      "/rules/0/message: PROTOCOL_ATTRIBUTES names no resource, so that the rule can never match"
    ),
    (
      "\"resource\": \"sensors/die\", \"message\": 3, \"action\": \"never\"",
      "/rules/0/message: SENSOR_DESCRIPTION_GET names no resource"
    ),
    ("\"action\": {\"wrongType\": 4}", "wrongType: expected 0 to 3"),
    ("\"action\": {\"short\": -1}", "short: expected 0 to 128 bytes"),
    ("\"action\": {\"alter\": []}", "alter: expected at least one alteration"),
    ("\"action\": {\"alter\": [{\"offset\": 129, \"replace\": 1}]}", "alter/0/offset: expected 0 to 128"),
    ("\"action\": {\"alter\": [{\"offset\": 0, \"width\": 3, \"xor\": 1}]}", "alter/0/width: expected 1, 2 or 4 bytes"),
    ("\"action\": {\"alter\": [{\"offset\": 0, \"width\": 1, \"add\": 256}]}", "alter/0/add: expected -128 to 255"),
    ("\"action\": {\"alter\": [{\"offset\": 0}]}", "expected one of replace, add and xor, found 0"),
    (
      "\"action\": {\"alter\": [{\"offset\": 0, \"add\": 1, \"xor\": 1}]}",
      "expected one of replace, add and xor, found 2"
    ),
    (
      "\"target\": \"notification\", \"action\": {\"status\": \"BUSY\"}",
      "does nothing to a message that answers no request"
    ),
  ]) func rulesThatCanNeverMatchAreMistakes(rule: String, expected: String) {
    let found = mistakes(file("\"rules\": [{\"name\": \"r\", \(rule)}]"))

    #expect(found.contains { $0.contains(expected) }, "\(found)")
  }

  @Test(arguments: [
    ("\"set\": \"clocks/pll\", \"value\": 125", "clocks/pll cannot be 125; expected 100 to 1000 in steps of 50"),
    ("\"set\": \"clocks/osc\", \"value\": 25", "expected one of 24"),
    ("\"set\": \"powerDomains/gpu\", \"value\": 7", "expected one of 0, 1073741824"),
    ("\"set\": \"performanceDomains/cpu\", \"value\": 2", "expected one of 1, 5"),
    ("\"set\": \"regulators/vdd\", \"value\": 4", "expected one of 1, 2, 3"),
    ("\"set\": \"powercaps/soc\", \"value\": 15", "expected 10 to 50 in steps of 10"),
    ("\"set\": \"resets/usb\", \"value\": 2", "expected 1 (in reset) or 0"),
    ("\"set\": \"pins/p\", \"value\": 1", "pins have no value to set"),
    ("\"setSensor\": \"die\", \"values\": [1, 2]", "expected 1 value, found 2"),
    ("\"setSensor\": \"acc\", \"values\": [1, 2, 3]", "expected 1 or 2 values, found 3"),
    ("\"systemPower\": 3", "expected 0 (shutdown)"),
    ("\"interrupt\": \"x\"", "no consumer is named \"x\""),
  ]) func valuesThatAResourceCannotHaveAreMistakesOfTheScript(step: String, expected: String) {
    let found = mistakes(file("\"script\": [{\"time\": 0, \(step)}]"))

    #expect(found.contains { $0.contains(expected) }, "\(found)")
  }

  @Test func valuesAtTheStartLieOnTheirSteps() {
    func found(_ resource: String) -> [String] { mistakes("{\"agents\": [{\"name\": \"a\"}], \(resource)}") }
    let range = "{\"minimum\": 10, \"maximum\": 30, \"step\": 10}"

    #expect(
      found("\"clocks\": [{\"name\": \"c\", \"rates\": \(range), \"rate\": 15}]").first
        == "/clocks/0/rate: expected 10 to 30 in steps of 10"
    )
    #expect(
      found("\"regulators\": [{\"name\": \"c\", \"levels\": \(range), \"level\": 15}]").first
        == "/regulators/0/level: expected 10 to 30 in steps of 10"
    )
    #expect(
      found("\"powercaps\": [{\"name\": \"c\", \"minimumCap\": 10, \"maximumCap\": 30, \"capStep\": 10, \"cap\": 15}]")
        .first
        == "/powercaps/0/cap: expected 0 or 10 to 30 in steps of 10"
    )
  }

  @Test(arguments: [
    ("{\"resource\": \"clocks/pll\", \"minimum\": 1001}", "clocks/pll has no value from 1001 to its highest"),
    ("{\"resource\": \"clocks/pll\", \"minimum\": 101, \"maximum\": 149}", "clocks/pll has no value from 101 to 149"),
    ("{\"resource\": \"regulators/vdd\", \"minimum\": 3, \"maximum\": 2}", "3 is above the maximum, 2"),
    ("{\"resource\": \"sensors/die\", \"minimum\": 1}", "sensors have no bounds"),
  ]) func boundsLeaveAValue(resource: String, expected: String) {
    let found = mistakes(file("", agents: "[{\"name\": \"a\", \"resources\": [\(resource)]}]"))

    #expect(found.contains { $0.hasPrefix("/agents/0/resources/0") && $0.contains(expected) }, "\(found)")
  }

  // MARK: - Warnings

  @Test(arguments: [
    ("\"profile\": \"2.0\"", "/regulators: the profile 2.0 has no voltage protocol, so that no agent sees these"),
    ("\"profile\": \"2.0\"", "/pins: the profile 2.0 has no pinControl protocol"),
    ("\"profile\": \"2.0\"", "/clocks/1/parents: clocks have no parents before clock protocol 3.0"),
    ("\"profile\": \"2.0\"", "/sensors/1: sensor protocol 1.0 has neither axes"),
    ("\"systemPower\": false, \"gracefulTimeout\": 5", "/gracefulTimeout: systemPower is false"),
    (
      "\"rules\": [{\"name\": \"r\", \"action\": \"never\"}, {\"name\": \"s\", \"action\": \"garbage\"}]",
      "/rules/1: never applies: \"r\" before it"
    ),
    (
      "\"rules\": [{\"name\": \"r\", \"protocol\": \"clock\", \"action\": \"never\"}, "
        + "{\"name\": \"s\", \"resource\": \"clocks/pll\", \"action\": \"garbage\"}]",
      "/rules/1: never applies"
    ),
    (
      "\"rules\": [{\"name\": \"r\", \"probability\": 0, \"action\": \"never\"}]",
      "/rules/0/probability: a rule with no chance"
    ),
    (
      "\"rules\": [{\"name\": \"r\", \"protocol\": \"clock\", \"message\": 99, \"action\": \"never\"}]",
      "has no message 99"
    ),
    (
      "\"rules\": [{\"name\": \"r\", \"message\": 3, \"action\": {\"countLie\": 1}}]",
      "does something to PROTOCOL_ATTRIBUTES"
    ),
    (
      "\"rules\": [{\"name\": \"r\", \"protocol\": \"clock\", \"message\": \"CLOCK_RATE_GET\", \"action\": \"delayedTwice\"}]",
      "does something to asynchronous commands only"
    ),
    (
      "\"rules\": [{\"name\": \"r\", \"protocol\": \"voltage\", \"message\": 0, \"target\": \"notification\", \"action\": \"dropped\"}]",
      "the voltage protocol has no notifications"
    ),
    (
      "\"rules\": [{\"name\": \"r\", \"protocol\": \"clock\", \"message\": 12, \"action\": {\"remainingNeverEnds\": 256}}]",
      "CLOCK_POSSIBLE_PARENTS_GET counts to 255"
    ),
    ("\"script\": [{\"time\": 1, \"removeRule\": \"x\"}]", "/script/0/removeRule: no rule is named \"x\" at that time"),
    (
      "\"deviceTree\": {\"consumers\": [{\"name\": \"c\", \"kind\": \"bus\", \"resources\": [\"clocks/pll\", \"resets/usb\"]}]}",
      "resources/1: the driver of a consumer of the kind bus leaves resets/usb alone"
    ),
    (
      "\"deviceTree\": {\"consumers\": [{\"name\": \"c\", \"kind\": \"bus\", \"resources\": [\"clocks/pll\"], \"rates\": {\"pll\": 125}}]}",
      "rates/pll: \"pll\" gets another rate near 125 Hz"
    ),
  ]) func whatHasNoEffectIsWarnedOf(part: String, expected: String) throws {
    let found = try warnings(file(part))

    #expect(found.contains { $0.contains(expected) }, "\(found)")
  }

  @Test(arguments: [
    (
      "\"protocols\": [\"clock\", \"sensor\"], \"resources\": [\"clocks/pll\"]",
      "/agents/0/protocols/1: the agent has no resource of the sensor"
    ),
    (
      "\"protocols\": [\"clock\"], \"resources\": [\"sensors/die\", \"clocks/pll\"]",
      "/agents/0/resources/0: the agent's protocols leave out sensor"
    ),
    (
      "\"resources\": [{\"resource\": \"clocks/pll\", \"access\": \"read\", \"minimum\": 150}]",
      "its bounds say nothing"
    ),
    ("\"deniedCommands\": {\"clock\": [31]}", "the clock protocol 3.0 has no message 31"),
  ]) func whatSaysNothingAboutAnAgentIsWarnedOf(agent: String, expected: String) throws {
    let found = try warnings(file("", agents: "[{\"name\": \"a\", \(agent)}]"))

    #expect(found.contains { $0.contains(expected) }, "\(found)")
  }

  @Test func aTreeThatNoAgentSeesIsWarnedOf() throws {
    let found = try warnings(
      file(
        """
        "deviceTree": {"cpus": ["cpu"], "thermalZones": [{"name": "zone", "sensor": "die"}],
          "consumers": [{"name": "c", "kind": "outlet", "resources": ["regulators/vdd"]}]}
        """,
        agents: "[{\"name\": \"a\", \"protocols\": [\"clock\"]}]"
      )
    )

    #expect(
      found == [
        "/deviceTree/cpus/0: no agent sees performanceDomains/cpu, so that it is in no guest's tree",
        "/deviceTree/thermalZones/0/sensor: no agent sees sensors/die, so that it is in no guest's tree",
        "/deviceTree/consumers/0/resources/0: no agent sees regulators/vdd, so that it is in no guest's tree",
      ]
    )
  }

  @Test func linuxHasLimitsOfItsOwn() throws {
    let rates = (1...17).map(String.init).joined(separator: ",")
    let points = (1...33).map { "{\"level\": \($0)}" }.joined(separator: ",")
    let json = """
      {"agents": [{"name": "a"}], "clockAsynchronousRequests": 1,
       "clocks": [{"name": "a/b", "rates": [\(rates)]}],
       "performanceDomains": [{"name": "p", "operatingPoints": [\(points)]},
         {"name": "q", "operatingPoints": [{"level": 1, "frequency": 7}, {"level": 2, "frequency": 20}],
          "sustainedFrequency": 20, "sustainedLevel": 2}],
       "regulators": [{"name": "v", "levels": [-1, 2]}],
       "sensors": [{"name": "s", "type": 89, "axes": [{"name": "X", "type": 89}, {"name": "a_Y", "type": 89},
          {"name": "a_Z", "type": 1}]}],
       "powercaps": [{"name": "c", "unit": "abstract"}]}
      """

    #expect(try warnings(json) == [])
    let paths = try warnings(json, for: .linux612).map { String($0.prefix { $0 != ":" }) }
    #expect(
      paths == [
        "/clockAsynchronousRequests", "/clocks/0/rates", "/performanceDomains/0/operatingPoints",
        "/performanceDomains/1/operatingPoints/0/frequency", "/regulators/0/levels", "/sensors/0/axes/0/name",
        "/sensors/0/axes/2/type", "/sensors/0/updates", "/clocks/0/name", "/powercaps/0/unit",
      ]
    )
  }
}
