import SCMI
import SCMIFile
import SCMITesting
import Testing

/// Steps of a script that are read by themselves, for what is to be done now.
@Suite struct ScriptActionTests {
  private let definition = Bench.definition()

  private func mistakes(_ json: String) -> [PlatformFileError.Mistake] {
    do {
      _ = try ScriptAction(json: json, in: definition)
      return []
    } catch {
      return error.mistakes
    }
  }

  @Test func aStepWithoutATimeIsRead() throws {
    let action = try ScriptAction(json: #"{"set": "clocks/pll", "value": 700}"#, in: definition)

    guard case .set(let resource, let value) = action else {
      Issue.record("\(action)")
      return
    }
    #expect(resource == ResourceName(.clock, "pll"))
    #expect(value == 700)
  }

  @Test func aRuleIsReadAsInAFile() throws {
    let action = try ScriptAction(addingRule: #"{"name": "slow", "action": {"late": 5000}}"#, in: definition)

    guard case .addRule(let rule) = action else {
      Issue.record("\(action)")
      return
    }
    #expect(rule.name == "slow")
  }

  @Test(arguments: [
    (#"{"set": "clocks/none", "value": 1}"#, "no clocks entry is named \"none\""),
    (#"{"set": "clocks/crystal", "value": 1}"#, "clocks/crystal cannot be 1"),
    (#"{"at": 5, "set": "clocks/pll", "value": 700}"#, "unknown key"),
    (#"{"jump": 1}"#, "expected an action"),
    (#"[1]"#, "an object"),
    (#"{"#, "expected a key"),
    (#"{"resetAgent": "nobody"}"#, "no agents entry is named \"nobody\""),
  ])
  func whatCannotBeDoneIsToldWithItsPlace(json: String, words: String) {
    let found = mistakes(json)

    #expect(found.contains { $0.message.contains(words) }, "\(found)")
    #expect(found.allSatisfy { $0.line == 1 })
  }

  @Test func aMistakeInARuleIsToldByItsPlaceInTheRule() {
    let rule = #"{"name": "x", "action": {"alter": []}}"#

    let error = #expect(throws: PlatformFileError.self) { try ScriptAction(addingRule: rule, in: definition) }

    #expect(error?.description == "1:35: /action/alter: expected at least one alteration")
    #expect(error?.withoutPositions == "/action/alter: expected at least one alteration")
    let empty = #expect(throws: PlatformFileError.self) { try ScriptAction(addingRule: "[]", in: definition) }
    #expect(empty?.withoutPositions.hasPrefix("/") == false, "\(empty?.withoutPositions ?? "")")
  }

  @Test func aRuleOfWhatIsNotThereIsRefused() {
    #expect(throws: PlatformFileError.self) {
      try ScriptAction(addingRule: #"{"name": "x", "agent": "nobody", "action": "dropped"}"#, in: definition)
    }
  }
}
