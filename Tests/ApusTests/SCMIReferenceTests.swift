import DeviceTree
import Foundation
import SCMI
import Testing

@testable import Apus

/// Every node that a tree's properties name is there, whatever an agent lacks.
@Suite struct SCMIReferenceTests {
  private static let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    .deletingLastPathComponent()

  private static let names = [
    "clocks", "assigned-clocks", "assigned-clock-parents", "power-domains", "resets", "thermal-sensors", "pinctrl-0",
    "interrupt-parent", "memory-region",
  ]

  /// Checks the tree of each agent.
  ///
  /// - Returns: how many nodes were named.
  private func check(_ definition: PlatformDefinition, _ name: String) throws -> Int {
    let platform = SharedPlatform(try Platform(definition)) { 0 }
    var count = 0
    for agent in definition.agents {
      var configuration = Configuration(kernel: "")
      configuration.devices = [Configuration.Device(.scmi(.init(platform, agent: agent.name)))]
      let source = try configuration.deviceTreeSource()
      for line in source.split(separator: "\n").map({ $0.drop { $0 == "\t" } }) {
        guard let equals = line.range(of: " = <") else { continue }
        let property = String(line[..<equals.lowerBound])
        guard Self.names.contains(property) || property.hasSuffix("-supply") else { continue }
        // The text has a number where no node has the phandle; 0 is an entry left out.
        let words = line[equals.upperBound...].dropLast(2).split(separator: " ")
        let named = words.count { $0.hasPrefix("&") }
        count += named
        if named == 0, !words.allSatisfy({ $0 == "0x0" }) {
          Issue.record("\(name), \(agent.name): \(line) names what is not there")
        }
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

  /// A protocol, or one resource.
  @Test func everyReferenceHasItsNodeWhateverAnAgentLacks() throws {
    let example = Self.root.appending(path: "Documentation/Examples/scmi-platform.json")
    var definition = try PlatformDefinition(json: [UInt8](try Data(contentsOf: example)))
    let resources = ResourceKind.allCases.flatMap { kind in definition.names(kind).map { ResourceName(kind, $0) } }
    definition.script = []
    definition.rules = []
    definition.tree.consumers.append(
      ConsumerDefinition("device", .device, resources.filter { ![.sensor, .powercapDomain, .pin].contains($0.kind) }) {
        $0.compatible = ["vendor,device"]
        $0.resources.removeAll { $0.kind == .function || $0.kind == .group }
        $0.node.children = [ChildDefinition("child")]
        $0.node.children[0].resources = $0.resources
      }
    )
    definition.agents = ProtocolIdentifier.allCases.map { missing in
      AgentDefinition("p\(missing.rawValue)") { agent in
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
