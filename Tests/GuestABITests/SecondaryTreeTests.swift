import DeviceTree
import GuestMemory
import SecondaryTreeTesting
import Testing

@testable import GuestABI

/// A secondary machine's tree, with what it asks of its manager.
private func blob(
  cpus: [UInt32] = [0],
  statuses: [UInt32: String] = [:],
  configuration: (inout DeviceTreeWriter) -> Void = { _ in },
  root: (inout DeviceTreeWriter) -> Void = { _ in }
) throws -> [UInt8] {
  var tree = DeviceTreeWriter()
  tree.node("") { node in
    node.property("#address-cells", cells: [2])
    node.property("#size-cells", cells: [2])
    node.node("cpus") { list in
      list.property("#address-cells", cells: [1])
      list.property("#size-cells", cells: [0])
      for cpu in cpus {
        list.node("cpu@\(cpu)") { node in
          node.property("device_type", "cpu")
          node.property("reg", cells: [cpu])
          if let status = statuses[cpu] { node.property("status", status) }
        }
      }
    }
    root(&node)
    node.node("gunyah-vm-config") { configuration(&$0) }
  }
  return try tree.finish()
}

/// An interrupt controller of a secondary machine's own.
private func controller(_ root: inout DeviceTreeWriter) {
  root.node("intc@8000000", phandle: 7) { node in
    node.property("compatible", "arm,gic-v3")
    node.property("interrupt-controller")
    node.property("#interrupt-cells", cells: [3])
    node.property("reg", wide: [0x0800_0000, 0x1_0000, 0x080A_0000, 0x20_0000])
  }
}

/// A virtual device that a tree asks for.
private func device(_ name: String, _ body: @escaping (inout DeviceTreeWriter) -> Void) -> (inout DeviceTreeWriter) ->
  Void
{
  { configuration in
    configuration.node("vdevices") { $0.node(name) { body(&$0) } }
  }
}

@Suite("Device trees of secondary machines")
struct SecondaryTreeTests {
  @Test("a tree that asks for nothing has vCPUs, the first of which boots")
  func plainTree() throws {
    let tree = try SecondaryTree(try blob(cpus: [0, 1]))

    #expect(tree.cpus.map(\.boots) == [true, false])
    #expect(!tree.isProxyScheduled)
    #expect(tree.devices.isEmpty)
    #expect(tree.interruptController == nil)
  }

  @Test("the first vCPU without a status boots")
  func bootProcessor() throws {
    let tree = try SecondaryTree(try blob(cpus: [0, 1, 2], statuses: [0: "disabled"]))

    #expect(tree.cpus.map(\.boots) == [false, true, false])
  }

  @Test("a GICv3 of the tree is where the tree has it, with a redistributor for each vCPU")
  func interruptController() throws {
    let tree = try SecondaryTree(try blob(cpus: [0, 1], root: controller))

    let redistributors = [GuestRange(at: 0x080A_0000, size: 0x4_0000)]
    #expect(
      tree.interruptController
        == .v3(distributor: GuestRange(at: 0x0800_0000, size: 0x1_0000), redistributors: redistributors)
    )
  }

  @Test("what the manager is asked for is read, with the defaults for what is not said")
  func configuration() throws {
    let bytes = try blob { configuration in
      configuration.property("image-name", "image")
      configuration.node("memory") { $0.property("base-address", wide: [0x8000_0000]) }
      configuration.node("vcpus") { $0.property("affinity", "proxy") }
      configuration.node("vdevices") { devices in
        devices.node("queues") { node in
          node.property("vdevice-type", "message-queue-pair")
          node.property("generate", "/hypervisor/talk")
          node.property("label", cells: [5])
        }
        devices.node("bell") { node in
          node.property("vdevice-type", "doorbell")
          node.property("source-can-clear")
          node.property("peer", "vm-name:other")
          node.property("interrupts", cells: [0, 200, 1])
        }
      }
    }

    let tree = try SecondaryTree(bytes)

    #expect(tree.imageName == "image")
    #expect(tree.baseAddress == 0x8000_0000)
    #expect(tree.isProxyScheduled)
    let (queues, bell) = (tree.devices[0], tree.devices[1])
    #expect(queues.kind == .messageQueuePair && queues.path == ["hypervisor", "talk"] && queues.label == 5)
    #expect(queues.messageSize == 240 && queues.queueDepth == 8 && queues.peer == .owner)
    #expect(bell.kind == .doorbell && bell.sourceCanClear && bell.interrupts == [200])
    #expect(bell.peer == .named("other"))
  }

  @Test("a tree that asks for one device of each kind is taken, and taken again when it was patched")
  func everyDevice() {
    #expect(ExerciseSecondaryTree.seeds.count == 2)
    for seed in ExerciseSecondaryTree.seeds { #expect(ExerciseSecondaryTree.run(seed)) }
  }

  @Test("bytes that are no tree are refused, and every cut of one is", arguments: [0, 1, 39, 40, 100])
  func cutTree(size: Int) throws {
    let bytes = try blob()

    #expect(throws: SecondaryTree.Refusal.unreadable) { try SecondaryTree(Array(bytes.prefix(size))) }
  }

  @Test("what stands behind the tree is left alone")
  func roomBehindTree() throws {
    let bytes = try blob()

    #expect(try SecondaryTree(bytes + [UInt8](repeating: 0xFF, count: 4096)).cpus.count == 1)
  }

  @Test("10,000 virtual devices are too many")
  func manyDevices() throws {
    let bytes = try blob { configuration in
      configuration.node("vdevices") { devices in
        for index in 0..<10_000 {
          devices.node("bell-\(index)") { node in
            node.property("vdevice-type", "doorbell")
            node.property("label", cells: [UInt32(index)])
          }
        }
      }
    }

    #expect(throws: SecondaryTree.Refusal.tooMuch("10000 virtual devices")) { try SecondaryTree(bytes) }
  }

  @Test(
    "a virtual device that cannot be is refused",
    arguments: [
      ("vdevice-type", "teapot"), ("generate", "/../.."), ("generate", "/"), ("peer", "other"),
      ("generate", "/a/b/c/d/e/f/g/h/i"),
    ]
  )
  func impossibleDevice(property: String, value: String) throws {
    let bytes = try blob(
      configuration: device("x") { node in
        if property != "vdevice-type" { node.property("vdevice-type", "doorbell") }
        node.property(property, value)
      }
    )

    #expect {
      try SecondaryTree(bytes)
    } throws: {
      if case SecondaryTree.Refusal.invalid = $0 { true } else { false }
    }
  }

  @Test(
    "queues of impossible sizes are refused",
    arguments: [("message-size", 0), ("message-size", 1024), ("queue-depth", 256)]
  )
  func impossibleQueue(property: String, value: UInt32) throws {
    let bytes = try blob(
      configuration: device("x") { node in
        node.property("vdevice-type", "message-queue")
        node.property(property, cells: [value])
      }
    )

    #expect {
      try SecondaryTree(bytes)
    } throws: {
      if case SecondaryTree.Refusal.invalid = $0 { true } else { false }
    }
  }

  @Test("no vCPU, two of one place, and more than there can be are refused")
  func impossibleProcessors() throws {
    let trees = [try blob(cpus: []), try blob(cpus: Array(0..<200))]

    #expect(throws: SecondaryTree.Refusal.invalid("no vCPU")) { try SecondaryTree(trees[0]) }
    #expect(throws: SecondaryTree.Refusal.tooMuch("200 vCPUs")) { try SecondaryTree(trees[1]) }
  }

  @Test("the patched tree has the memory, the link and the objects, and keeps all else")
  func patchedTree() throws {
    let tree = try SecondaryTree(
      try blob(
        configuration: device("queues") { node in
          node.property("vdevice-type", "message-queue-pair")
          node.property("generate", "/hypervisor/talk")
          node.property("label", cells: [5])
        },
        root: { root in
          controller(&root)
          root.node("memory@0") { $0.property("reg", wide: [0, 0x1000]) }
          root.node("keeps") { $0.property("this", "that") }
        }
      )
    )
    let node = VirtualDevice.Node(tree.devices[0], capabilities: [0x11, 0x22], interrupts: [180, 181], peer: 3)
    let result = SecondaryTree.Result(
      vmid: 0x80,
      owner: 3,
      memory: [(start: 0x4000_0000, size: 0x400_0000)],
      link: MachineTree.Gunyah(transmit: 0x33, receive: 0x44),
      nodes: [node]
    )

    let root = try DeviceTreeContent(try tree.patched(result)).root

    #expect(root[child: "memory@0"] == nil)
    #expect(root[child: "memory@40000000"]?[property: "reg"]?.numbers(cells: 2) == [0x4000_0000, 0x400_0000])
    #expect(root[child: "keeps"]?.text("this") == "that")
    let hypervisor = try #require(root[child: "hypervisor"])
    #expect(hypervisor[property: "compatible"]?.strings.first == "gunyah-hypervisor")
    let manager = try #require(hypervisor[child: "gunyah-resource-mgr@44"])
    #expect(manager[property: "reg"]?.numbers(cells: 2) == [0x33, 0x44])
    #expect(manager[property: "interrupt-parent"]?.cell == 7)
    let talk = try #require(hypervisor[child: "talk@11"])
    #expect(talk[property: "compatible"]?.strings.first == "qcom,gunyah-message-queue")
    #expect(talk[property: "interrupts"]?.numbers(cells: 1) == [0, 180, 1, 0, 181, 1])
    #expect(talk[property: "label"]?.cell == 5)
    #expect(hypervisor[child: "qcom,gunyah-vm"]?[property: "qcom,vmid"]?.cell == 0x80)
  }

  @Test("shared memory is reserved, and its device leads there")
  func sharedMemory() throws {
    let tree = try SecondaryTree(
      try blob(
        configuration: device("shared") { node in
          node.property("vdevice-type", "shm")
          node.property("label", cells: [9])
          node.node("memory") { $0.property("label", cells: [77]) }
        },
        root: controller
      )
    )
    let place = (start: UInt64(0x9000_0000), size: UInt64(0x1000))
    let result = SecondaryTree.Result(
      vmid: 0x80,
      owner: 3,
      memory: [],
      link: .example,
      nodes: [VirtualDevice.Node(tree.devices[0], capabilities: [], interrupts: [], peer: 3, memory: [place])]
    )

    let root = try DeviceTreeContent(try tree.patched(result)).root

    #expect(tree.devices[0].memory?.label == 77)
    let region = try #require(root[child: "reserved-memory"]?[child: "gunyah-shm@90000000"])
    #expect(region[property: "reg"]?.numbers(cells: 2) == [0x9000_0000, 0x1000])
    let node = try #require(root[child: "hypervisor"]?[child: "shared@90000000"])
    #expect(node[property: "memory-region"]?.cell == region[property: "phandle"]?.cell)
  }
}
