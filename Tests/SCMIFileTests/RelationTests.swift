import Foundation
import SCMI
import SCMIFile
import SCMITesting
import Testing

@Suite struct RelationTests {
  private func mistakes(_ file: String) throws -> [PlatformFileError.Mistake] {
    let folder = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    do {
      _ = try PlatformDefinition(json: [UInt8](try Data(contentsOf: folder.appending(path: "Cases/\(file)"))))
      return []
    } catch let error as PlatformFileError {
      return error.mistakes
    }
  }

  @Test func aCycleOfClocksIsToldWithItsNames() throws {
    let found = try mistakes("clock-cycle.json")

    #expect(found.map(\.path) == ["/clocks/0/parents/0"])
    #expect(found.map(\.message) == ["the clocks' parents lead back: \"b\" → \"c\" → \"b\""])
  }

  @Test func aCycleOfPowerCapsIsToldWithItsNames() throws {
    let found = try mistakes("powercap-cycle.json")

    #expect(found.map(\.path) == ["/powercaps/0/parent"])
    #expect(found.map(\.message) == ["the power caps' parents lead back: \"a\" → \"b\" → \"a\""])
  }

  private func clocks(_ parents: [(String, [String], String?)]) -> PlatformDefinition {
    PlatformDefinition { platform in
      platform.agents = [AgentDefinition("a")]
      platform.clocks = parents.map { name, possible, parent in
        ClockDefinition(name) { clock in
          clock.rates = .list([1])
          clock.parents = possible
          clock.parent = parent
        }
      }
    }
  }

  @Test func onlyTheParentsThatClocksBeginWithCount() {
    #expect(clocks([("a", ["osc", "b"], nil), ("b", ["osc", "a"], nil), ("osc", [], nil)]).validate().isEmpty)
    #expect(clocks([("a", ["osc", "b"], "b"), ("b", ["osc", "a"], nil), ("osc", [], nil)]).validate().isEmpty)
    let found = clocks([("a", ["osc", "b"], "b"), ("b", ["osc", "a"], "a"), ("osc", [], nil)]).validate()
    #expect(found.map(\.path) == ["/clocks/0/parent"])
  }

  @Test func everyCycleIsToldOnceHoweverLongAndWhateverLeadsThere() {
    let found = clocks([
      ("into", ["x"], nil), ("self", ["self"], nil), ("y", ["z"], nil), ("x", ["y"], nil), ("z", ["x"], nil),
    ]).validate()

    #expect(
      found.map(\.message) == [
        "the clocks' parents lead back: \"y\" → \"z\" → \"x\" → \"y\"",
        "the clocks' parents lead back: \"self\" → \"self\"",
      ]
    )
  }

  @Test func parentsThatConsumersChooseMustNotLeadBack() {
    var definition = clocks([("a", ["osc", "b"], nil), ("b", ["osc", "a"], nil), ("osc", [], nil)])
    definition.tree.consumers = [
      ConsumerDefinition("one", .bus, [ResourceName(.clock, "a")]) { $0.parents = ["a": "b"] },
      ConsumerDefinition("two", .bus, [ResourceName(.clock, "b")]) { $0.parents = ["b": "a"] },
    ]

    let found = definition.validate()

    #expect(found.map(\.path) == ["/deviceTree/consumers/1/parents/b"])
    #expect(found.first?.message == "the clocks' parents lead back: \"b\" → \"a\" → \"b\"")
  }

  @Test func aLineOfAHundredThousandClocksIsNoCycle() {
    let line = (0..<100_000).map { ("c\($0)", $0 == 0 ? [] : ["c\($0 - 1)"], nil as String?) }

    #expect(clocks(line.map { ($0.0, $0.1, $0.2) }).validate().map(\.path) == ["/agents/0/resources"])
  }
}
