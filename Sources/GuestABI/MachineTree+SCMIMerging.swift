package import DeviceTree
import Host
package import SCMI

/// Why a platform's nodes cannot go into a tree. The description goes on after the tree's file.
package enum SCMIMergeError: Error, Equatable, Sendable, CustomStringConvertible {
  /// It is no device tree.
  case unreadable(DeviceTreeError)
  /// It has a platform already.
  case hasPlatform
  /// Its root has other numbers of cells.
  case otherCells
  /// No phandles are left.
  case noHandles

  package var description: String {
    switch self {
    case .unreadable(let error): "cannot be used: \(error)"
    case .hasPlatform: "has a node /firmware/scmi already; give the tree as the other monitor made it"
    case .otherCells: "has a root whose addresses and sizes are not of two cells each, as those of arm64 machines are"
    case .noHandles: "has phandles up to the highest that there may be"
    }
  }
}

extension MachineTree.SCMI {
  /// Puts an agent's part of a platform into a tree that another monitor made: the platform's nodes and those that use
  /// its resources; CPUs get their performance domain, and a PL031 the platform's clock, where the platform's tree says
  /// so.
  ///
  /// Devices of the platform's tree that have registers or interrupts are left out: there is nobody to serve them.
  ///
  /// - Parameter blob: the tree, such as QEMU's.
  /// - Returns: the tree with them.
  /// - Throws: ``SCMIMergeError``.
  package static func merged(
    into blob: [UInt8],
    _ platform: SharedPlatform,
    agent: Int
  ) throws(SCMIMergeError) -> [UInt8] {
    let content: DeviceTreeContent
    do throws(DeviceTreeError) {
      content = try DeviceTreeContent(blob)
    } catch {
      throw .unreadable(error)
    }
    let root = content.root
    guard root[child: "firmware"]?[child: "scmi"] == nil else { throw .hasPlatform }
    guard root[property: "#address-cells"]?.cell == 2, root[property: "#size-cells"]?.cell == 2 else {
      throw .otherCells
    }
    var firstHandle: UInt32 = 0
    if root.phandles.contains(where: Handles.mayHave) {
      let highest = root.phandles.max() ?? 0
      guard highest < 0x8000_0000 else { throw .noHandles }
      firstHandle = highest + 1
    }
    let platform = MachineTree.SCMI(platform, agent: agent, firstHandle: firstHandle)
    var tree = DeviceTreeWriter(reservations: content.reservations.map { ($0.address, $0.size) })
    tree.node("") { platform.write(root, &$0) }
    do throws(DeviceTreeError) {
      return try tree.finish()
    } catch {
      throw .unreadable(error)
    }
  }

  /// Devices of the platform's tree that only Apus's own machine has.
  package var devicesLeftOut: [String] {
    definition.tree.consumers.filter { !isElsewhere($0) && hasDevice($0) }.map(\.name)
  }

  private func isElsewhere(_ consumer: ConsumerDefinition) -> Bool {
    consumer.registers.isEmpty && consumer.interrupts.isEmpty
  }

  /// Writes what is in the root, and what belongs there.
  private func write(_ root: DeviceTreeNode, _ tree: inout DeviceTreeWriter) {
    for property in root.properties { tree.property(property.name, bytes: property.bytes) }
    var hasClockConsumer = false
    for child in root.children {
      tree.node(child.name) { node in
        switch child.name {
        case "cpus": writeCPUs(child, &node)
        case "firmware":
          node.write(contentOf: child)
          writePlatform(&node)
        case "thermal-zones":
          node.write(contentOf: child)
          writeThermalZones(&node)
        default:
          if !hasClockConsumer, let consumer = clockConsumer,
            child[property: "compatible"]?.strings.contains("arm,pl031") == true
          {
            hasClockConsumer = true
            node.write(contentOf: child, without: ["clocks"]) { use(by: consumer, &$0) }
          } else {
            node.write(contentOf: child)
          }
        }
      }
    }
    if root[child: "firmware"] == nil { tree.node("firmware") { writePlatform(&$0) } }
    if hasThermalZones, root[child: "thermal-zones"] == nil { tree.node("thermal-zones") { writeThermalZones(&$0) } }
    for (index, consumer) in definition.tree.consumers.enumerated() where isElsewhere(consumer) {
      node(of: consumer, at: index, &tree)
    }
  }

  private func writeCPUs(_ cpus: DeviceTreeNode, _ tree: inout DeviceTreeWriter) {
    for property in cpus.properties { tree.property(property.name, bytes: property.bytes) }
    var index = 0
    for child in cpus.children {
      tree.node(child.name) { node in
        guard child[property: "device_type"]?.strings == ["cpu"], child[property: "power-domains"] == nil else {
          return node.write(contentOf: child)
        }
        node.write(contentOf: child) { describe(cpu: index, &$0) }
        index += 1
      }
    }
  }
}
