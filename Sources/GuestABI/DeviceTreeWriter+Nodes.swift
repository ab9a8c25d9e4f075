import DeviceTree

// Nodes of a tree that somebody else made, or that are plain values.
extension DeviceTreeWriter {
  /// Adds a node with all that is in it.
  mutating func write(_ node: DeviceTreeNode) {
    self.node(node.name) { $0.write(contentOf: node) }
  }

  /// Adds what is in a node to the one that is open, with more properties behind its own.
  mutating func write(
    contentOf node: DeviceTreeNode,
    without names: [String] = [],
    _ more: (inout DeviceTreeWriter) -> Void = { _ in }
  ) {
    for property in node.properties where !names.contains(property.name) {
      self.property(property.name, bytes: property.bytes)
    }
    more(&self)
    for child in node.children { write(child) }
  }
}
