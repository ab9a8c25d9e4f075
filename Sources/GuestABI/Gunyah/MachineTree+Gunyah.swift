import DeviceTree
import Host

extension MachineTree {
  /// What a guest finds of the hypervisor Gunyah: the queues of its resource manager.
  ///
  /// Linux, Documentation/devicetree/bindings/firmware/gunyah-hypervisor.yaml.
  package struct Gunyah: Sendable {
    /// The capability of the queue to the resource manager.
    package var transmit: UInt64
    /// The capability of the queue from it.
    package var receive: UInt64
    /// The objects that the machine shares with others from the start.
    package var devices: [VirtualDevice.Node]

    package init(transmit: UInt64, receive: UInt64, devices: [VirtualDevice.Node] = []) {
      self.transmit = transmit
      self.receive = receive
      self.devices = devices
    }

    /// For a tree that no guest gets: capabilities that are none.
    package static let example = Gunyah(transmit: 0x1, receive: 0x2)

    /// The interrupt of the queue to the resource manager: there is room again. Counted from 0.
    package static let transmitInterrupt = MemoryMap.SharedInterrupt.hypervisor
    /// The interrupt of the queue from it: there are messages.
    package static let receiveInterrupt = MemoryMap.SharedInterrupt.hypervisor + 1

    /// The resource manager's node.
    ///
    /// - Parameter parent: the interrupt controller's phandle; nil where it is that of the whole tree.
    func manager(_ parent: UInt32?) -> DeviceTreeNode {
      typealias Property = DeviceTreeNode.Property
      var properties = [
        Property("compatible", strings: ["gunyah-resource-manager"]), Property("reg", wide: [transmit, receive]),
        Property("interrupts", edges: [Self.transmitInterrupt, Self.receiveInterrupt]),
      ]
      if let parent { properties.append(Property("interrupt-parent", cells: [parent])) }
      return DeviceTreeNode("gunyah-resource-mgr@\(hexadecimalDigits(receive))", properties)
    }

    func write(_ root: inout DeviceTreeWriter) {
      root.node("hypervisor") { hypervisor in
        hypervisor.property("compatible", "gunyah-hypervisor")
        hypervisor.property("#address-cells", cells: [2])
        hypervisor.property("#size-cells", cells: [0])
        hypervisor.write(manager(nil))
      }
      guard !devices.isEmpty else { return }
      root.node("vdevices") { parent in
        parent.property("#address-cells", cells: [2])
        parent.property("#size-cells", cells: [0])
        for device in devices { parent.write(device.tree(nil)) }
      }
    }
  }
}
