internal import DeviceTree
internal import GuestABI

/// Gives the reader of secondary machines' trees any bytes, and looks that what it takes can be patched, and that the
/// result is a tree that it takes again.
public enum ExerciseSecondaryTree {
  /// - Parameter bytes: a tree, with what may stand behind it.
  /// - Returns: whether it was taken.
  @discardableResult
  public static func run(_ bytes: [UInt8]) -> Bool {
    guard let tree = try? SecondaryTree(bytes) else { return false }
    precondition(!tree.cpus.isEmpty && tree.cpus.count { $0.boots } == 1, "one vCPU boots")
    var nodes: [VirtualDevice.Node] = []
    for device in tree.devices {
      let index = UInt64(nodes.count)
      var node = VirtualDevice.Node(device, capabilities: [], interrupts: [UInt32(index)], peer: 3)
      if device.memory == nil {
        node.capabilities = [2 * index, 2 * index + 1]
      } else {
        node.memory = [(start: index << 20, size: 0x1000)]
      }
      nodes.append(node)
    }
    let result = SecondaryTree.Result(
      vmid: 0x80,
      owner: 3,
      memory: [(start: 0x4000_0000, size: 0x10_0000)],
      link: MachineTree.Gunyah(transmit: 1 << 40, receive: 1 << 41),
      nodes: nodes
    )
    guard let patched = try? tree.patched(result) else { preconditionFailure("a tree that was read is not written") }
    guard let again = try? SecondaryTree(patched) else { preconditionFailure("a patched tree is not read") }
    precondition(again.cpus == tree.cpus && again.devices == tree.devices, "patching changes what was asked for")
    return true
  }

  /// Trees to begin with.
  public static var seeds: [[UInt8]] { [seed(proxy: false), seed(proxy: true)].compactMap(\.self) }

  private static func seed(proxy: Bool) -> [UInt8]? {
    var tree = DeviceTreeWriter()
    tree.node("") { root in
      root.node("cpus") { cpus in
        cpus.property("#address-cells", cells: [1])
        for cpu in 0..<2 as Range<UInt32> {
          cpus.node("cpu@\(cpu)") { node in
            node.property("device_type", "cpu")
            node.property("reg", cells: [cpu])
          }
        }
      }
      root.node("intc@8000000", phandle: 1) { node in
        node.property("compatible", proxy ? "arm,gic-v3" : "arm,cortex-a15-gic")
        node.property("interrupt-controller")
        node.property("reg", wide: [0x0800_0000, 0x1_0000, 0x080A_0000, 0x4_0000])
      }
      root.node(SecondaryTree.configurationName) { configuration in
        configuration.property("image-name", "image")
        configuration.node("memory") { $0.property("base-address", wide: [0x4000_0000]) }
        if proxy { configuration.node("vcpus") { $0.property("affinity", "proxy") } }
        configuration.node("vdevices") { devices in
          for (index, kind) in VirtualDevice.Kind.allCases.enumerated() {
            devices.node("device-\(index)") { node in
              node.property("vdevice-type", kind.rawValue)
              node.property("label", cells: [UInt32(index)])
              node.property("generate", "/hypervisor/device-\(index)")
            }
          }
        }
      }
    }
    return try? tree.finish()
  }
}
