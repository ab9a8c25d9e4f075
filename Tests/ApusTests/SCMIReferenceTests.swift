import DeviceTree
import Foundation
import SCMI
import SCMIFile
import Testing

@testable import Apus

/// The nodes of a tree's text, with their properties of cells. Where a property names nodes, the text has `&label` or
/// `&{/path}` for those that there are and a number for one that is not.
private struct TreeText {
  struct Node {
    var path: String
    var label: Substring?
    var cells: [String: [Substring]] = [:]

    func number(_ property: String) -> Int? { cells[property]?.first.flatMap { Int($0.dropFirst(2), radix: 16) } }
  }

  private(set) var nodes: [Node] = []

  init(_ source: String) {
    var open: [Int] = []
    for line in source.split(separator: "\n").map({ $0.drop { $0 == "\t" } }) {
      if line.hasSuffix(" {") {
        let parent = open.last.map { nodes[$0].path == "/" ? "/" : nodes[$0].path + "/" } ?? ""
        let words = line.dropLast(2).split(separator: ": ")
        open.append(nodes.count)
        nodes.append(Node(path: parent + words[words.count - 1], label: words.count > 1 ? words[0] : nil))
      } else if line == "};" {
        open.removeLast()
      } else if let node = open.last, let equals = line.range(of: " = <") {
        nodes[node].cells[String(line[..<equals.lowerBound])] =
          line[equals.upperBound...].dropLast(2).split(separator: " ")
      }
    }
  }

  /// By what a property names other nodes, each followed by as many cells as that node says in another property.
  private static func specifier(_ property: String) -> String?? {
    switch property {
    case "clocks", "assigned-clocks", "assigned-clock-parents": "#clock-cells"
    case "power-domains": "#power-domain-cells"
    case "resets": "#reset-cells"
    case "thermal-sensors": "#thermal-sensor-cells"
    case "interrupt-parent", "memory-region", "pinctrl-0": .some(nil)
    default: property.hasSuffix("-supply") ? .some(nil) : nil
    }
  }

  /// Every reference to another node.
  var references: [(from: String, property: String, handle: Substring, node: Node?)] {
    var handles: [Substring: Node] = [:]
    for node in nodes {
      if let label = node.label { handles["&" + label] = node }
      handles["&{\(node.path)}"] = node
    }
    var references: [(from: String, property: String, handle: Substring, node: Node?)] = []
    for node in nodes {
      for (property, cells) in node.cells {
        guard let specifier = Self.specifier(property) else { continue }
        var index = 0
        while index < cells.count {
          let target = handles[cells[index]]
          // A 0 leaves an assigned clock alone.
          if cells[index] != "0x0" { references.append((node.path, property, cells[index], target)) }
          index += 1 + (specifier.flatMap { target?.number($0) } ?? 0)
        }
      }
    }
    return references
  }
}

@Suite struct SCMIReferenceTests {
  private static let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    .deletingLastPathComponent()

  private func check(_ definition: PlatformDefinition, _ name: String) throws -> Int {
    let platform = SharedPlatform(try SCMIPlatform(definition)) { 0 }
    var count = 0
    for agent in definition.agents {
      var configuration = Configuration(kernel: "")
      configuration.devices = [Configuration.Device(.scmi(.shared(agent: agent.name)))]
      let references = TreeText(try configuration.deviceTreeSource(platform: platform)).references
      count += references.count
      for reference in references where reference.node == nil {
        Issue.record(
          "\(name), \(agent.name): \(reference.from) names in \(reference.property) the node \(reference.handle)"
        )
      }
    }
    return count
  }

  @Test(arguments: [
    "Tests/Cases/dangling-supply.json", "Tests/Cases/dangling-many.json", "Tests/Cases/bounds-and-denials.json",
    "Documentation/Examples/scmi-platform.json",
  ]) func everyReferenceOfAFilesTreesHasItsNode(file: String) throws {
    let definition = try PlatformDefinition(json: [UInt8](try Data(contentsOf: Self.root.appending(path: file))))

    let count = try check(definition, file)

    #expect(count > 3)
  }

  /// Whatever an agent lacks: a protocol, or one resource.
  @Test func everyReferenceHasItsNodeWhateverAnAgentLacks() throws {
    let example = Self.root.appending(path: "Documentation/Examples/scmi-platform.json")
    var definition = try PlatformDefinition(json: [UInt8](try Data(contentsOf: example)))
    let resources = ResourceKind.allCases.flatMap { kind in definition.names(kind).map { ResourceName(kind, $0) } }
    definition.script = []
    definition.rules = []
    definition.agents = ProtocolIdentifier.allCases.map { missing in
      AgentDefinition("\(missing)".prefix(12) + "") { agent in
        agent.protocols = ProtocolIdentifier.allCases.filter { $0 != missing }
      }
    }
    definition.agents += resources.enumerated().map { number, missing in
      AgentDefinition("r\(number)") { agent in
        agent.resources = resources.filter { $0 != missing }.map { ResourceSelection($0) }
      }
    }

    let count = try check(definition, "the example")

    #expect(count > 100)
    for profile in VersionProfile.allCases {
      definition.profile = profile
      definition.versions = [:]
      _ = try check(definition, profile.rawValue)
    }
  }
}
