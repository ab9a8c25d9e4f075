package import DeviceTree
import GuestMemory

/// The device tree of a machine that a resource manager makes: what its image comes with, and asks for.
///
/// The node `/gunyah-vm-config` is the manager's input (Gunyah's resource manager, `vm_config_parser.c`). It is a
/// guest's, read with limits: ``sizeLimit`` bytes, ``deviceLimit`` virtual devices.
package struct SecondaryTree: Sendable {
  /// The most bytes that are read.
  package static let sizeLimit: UInt64 = 2 << 20
  /// The most virtual devices that a tree may ask for.
  package static let deviceLimit = 256
  /// The most vCPUs: what a GICv3 in one run of redistributors serves here.
  package static let cpuLimit = MemoryMap.lowRedistributorCount

  /// The most names that its properties may have: libfdt looks for each among all of them where the tree is written.
  package static let nameLimit = 4096

  /// Why a tree cannot be used.
  package enum Refusal: Error, Equatable, Sendable {
    /// The bytes are no tree.
    case unreadable
    /// It says what cannot be, in words for people.
    case invalid(String)
    /// It asks for more than there is.
    case tooMuch(String)
  }

  /// A vCPU of `/cpus`.
  package struct CPU: Equatable, Sendable {
    /// Its affinity, as MPIDR_EL1 has it.
    package let affinity: UInt64
    /// Whether it boots: the first one whose node has no `status`, or one that says so.
    package var boots = false
  }

  /// The name of the image, or an empty one.
  package private(set) var imageName = ""
  /// `vm-uri`.
  package private(set) var uri = ""
  /// `vm-guid`.
  package private(set) var guid = ""
  /// Where the image is to be, or nil.
  package private(set) var baseAddress: UInt64?
  /// The vCPUs in the order of their nodes: 1 or more.
  package private(set) var cpus: [CPU] = []
  /// Whether the machine's owner schedules them.
  package private(set) var isProxyScheduled = false
  /// The interrupt controller, where the machine has one.
  package private(set) var interruptController: MemoryMap.InterruptControllerMap?
  /// What it asks for, in the tree's order.
  package private(set) var devices: [VirtualDevice] = []

  private let content: DeviceTreeContent

  /// Reads a tree. What comes behind the blob's own end is left alone.
  ///
  /// - Throws: why it cannot be used.
  package init(_ bytes: [UInt8]) throws(Refusal) {
    guard let size = Self.wholeSize(bytes), size <= Int(Self.sizeLimit), size <= bytes.count else { throw .unreadable }
    do throws(DeviceTreeError) {
      content = try DeviceTreeContent(Array(bytes[..<size]))
    } catch {
      throw .unreadable
    }
    var names: Set<String> = []
    content.root.collectNames(&names)
    guard names.count <= Self.nameLimit else { throw .tooMuch("properties of \(names.count) names") }
    try readCPUs()
    try readInterruptController()
    guard let configuration = content.root[child: Self.configurationName] else { return }
    imageName = configuration.text("image-name") ?? ""
    uri = configuration.text("vm-uri") ?? ""
    guid = configuration.text("vm-guid") ?? ""
    if let memory = configuration[child: "memory"] { baseAddress = try memory.number("base-address") }
    isProxyScheduled = configuration[child: "vcpus"]?.text("affinity") == "proxy"
    let nodes = configuration[child: "vdevices"]?.children ?? []
    guard nodes.count <= Self.deviceLimit else { throw .tooMuch("\(nodes.count) virtual devices") }
    for node in nodes { devices.append(try VirtualDevice(node)) }
    let labels = devices.compactMap { $0.kind == .resourceManager ? nil : "\($0.kind) \($0.label)" }
    guard Set(labels).count == labels.count else { throw .invalid("two virtual devices have the same label") }
  }

  /// The name of the manager's input.
  package static let configurationName = "gunyah-vm-config"

  /// `totalsize` of the header (Devicetree Specification 0.4, 5.2).
  private static func wholeSize(_ bytes: [UInt8]) -> Int? {
    guard bytes.count >= 40 else { return nil }
    return bytes[4..<8].reduce(0) { $0 << 8 | Int($1) }
  }

  private mutating func readCPUs() throws(Refusal) {
    guard let node = content.root[child: "cpus"] else { throw .invalid("no /cpus") }
    let cells = node[property: "#address-cells"]?.cell ?? 1
    guard 1...2 ~= cells else { throw .invalid("/cpus has addresses of \(cells) cells") }
    var hasBoot = false
    for child in node.children where child.text("device_type") == "cpu" {
      guard let affinity = child[property: "reg"]?.numbers(cells: Int(cells))?.first else {
        throw .invalid("\(child.name) has no reg")
      }
      let isOn = !hasBoot && child[property: "status"] == nil
      if isOn { hasBoot = true }
      cpus.append(CPU(affinity: affinity, boots: isOn))
    }
    guard !cpus.isEmpty else { throw .invalid("no vCPU") }
    guard cpus.count <= Self.cpuLimit else { throw .tooMuch("\(cpus.count) vCPUs") }
    for (index, cpu) in cpus.enumerated() where cpu.affinity != UInt64(MachineTree.affinity(of: index)) {
      throw .invalid("vCPU \(index) has another reg than KVM gives it, \(MachineTree.affinity(of: index))")
    }
    if !hasBoot { cpus[0].boots = true }
  }

  private mutating func readInterruptController() throws(Refusal) {
    guard let node = content.root.first(where: { $0.isInterruptController }) else { return }
    let compatible = node[property: "compatible"]?.strings ?? []
    guard let reg = node[property: "reg"]?.numbers(cells: 2), reg.count >= 4 else {
      throw .invalid("\(node.name) has no two registers of 64-bit addresses and sizes")
    }
    let ranges = stride(from: 0, to: 4, by: 2).map { (start: reg[$0], size: reg[$0 + 1]) }
    let areWithin = ranges.allSatisfy { range in
      range.size > 0 && range.size < 1 << 32 && range.start % 0x1_0000 == 0 && range.start < 1 << 39
    }
    guard areWithin else { throw .invalid("\(node.name) has registers where none can be") }
    if compatible.contains("arm,gic-v3") {
      let room = UInt64(cpus.count) * MemoryMap.redistributorSize
      guard ranges[1].size >= room else { throw .invalid("\(node.name) has redistributors for fewer vCPUs") }
      interruptController = .v3(
        distributor: .init(at: ranges[0].start, size: 0x1_0000),
        redistributors: [.init(at: ranges[1].start, size: room)]
      )
    } else {
      guard cpus.count <= MemoryMap.v2CPULimit else { throw .tooMuch("\(cpus.count) vCPUs at a GICv2") }
      interruptController = .v2(
        distributor: .init(at: ranges[0].start, size: 0x1_0000),
        cpuInterface: .init(at: ranges[1].start, size: 0x1_0000)
      )
    }
  }
}

extension DeviceTreeNode {
  fileprivate var isInterruptController: Bool {
    let known = ["arm,gic-v3", "arm,cortex-a15-gic", "arm,gic-400"]
    return self[property: "interrupt-controller"] != nil
      && (self[property: "compatible"]?.strings ?? []).contains(where: known.contains)
  }

  fileprivate func collectNames(_ names: inout Set<String>) {
    for property in properties { names.insert(property.name) }
    for child in children { child.collectNames(&names) }
  }

  /// The first node that is such, in the tree's order.
  fileprivate func first(where isWanted: (DeviceTreeNode) -> Bool) -> DeviceTreeNode? {
    if isWanted(self) { return self }
    for child in children {
      if let found = child.first(where: isWanted) { return found }
    }
    return nil
  }

  func text(_ name: String) -> String? { self[property: name]?.strings.first }

  /// A number of one cell or two; nil where there is no such property.
  func number(_ name: String) throws(SecondaryTree.Refusal) -> UInt64? {
    guard let property = self[property: name] else { return nil }
    guard [4, 8].contains(property.bytes.count) else { throw .invalid("\(name) of \(self.name) is no number") }
    return property.bytes.reduce(0) { $0 << 8 | UInt64($1) }
  }
}

extension DeviceTreeNode.Property {
  /// Numbers of so many cells each; nil where a part of one is left.
  func numbers(cells: Int) -> [UInt64]? {
    let size = 4 * cells
    guard bytes.count % size == 0 else { return nil }
    return stride(from: 0, to: bytes.count, by: size).map { start in
      bytes[start..<start + size].reduce(0) { $0 << 8 | UInt64($1) }
    }
  }
}

extension SecondaryTree {
  /// Where a machine's memory and objects are, for its tree.
  package struct Result: Sendable {
    /// The machine's number.
    package var vmid: UInt16
    /// Its owner's number.
    package var owner: UInt16
    /// Its own memory, in order: start and size.
    package var memory: [(start: UInt64, size: UInt64)]
    /// The link to the resource manager.
    package var link: MachineTree.Gunyah
    /// What became of its virtual devices, in any order.
    package var nodes: [VirtualDevice.Node]

    package init(
      vmid: UInt16,
      owner: UInt16,
      memory: [(start: UInt64, size: UInt64)],
      link: MachineTree.Gunyah,
      nodes: [VirtualDevice.Node]
    ) {
      self.vmid = vmid
      self.owner = owner
      self.memory = memory
      self.link = link
      self.nodes = nodes
    }
  }

  /// The tree with what became of its wishes, as the resource manager writes it (`vm_creation.c`, `dto_construct.c`).
  ///
  /// - Throws: what libfdt refused.
  package func patched(_ result: Result) throws(DeviceTreeError) -> [UInt8] {
    var root = content.root
    root.children.removeAll { $0.name == "memory" || $0.name.hasPrefix("memory@") }
    root.children.append(memoryNode(result.memory))
    let parent = content.root.first { $0.isInterruptController }?[property: "phandle"]?.cell
    var nodes = result.nodes
    reserve(&nodes, in: &root)
    for node in nodes { root.add(node.tree(parent), along: node.path) }
    root.add(hypervisorNode(result, parent), along: [])
    var tree = DeviceTreeWriter(
      reservations: content.reservations.map { (address: $0.address, size: $0.size) }
    )
    tree.write(root)
    return try tree.finish()
  }

  private func memoryNode(_ ranges: [(start: UInt64, size: UInt64)]) -> DeviceTreeNode {
    typealias Property = DeviceTreeNode.Property
    let name = ranges.first.map { "memory@" + String($0.start, radix: 16) } ?? "memory"
    let reg = ranges.flatMap { [$0.start, $0.size] }
    return DeviceTreeNode(name, [Property("device_type", strings: ["memory"]), Property("reg", wide: reg)])
  }

  private func hypervisorNode(_ result: Result, _ parent: UInt32?) -> DeviceTreeNode {
    typealias Property = DeviceTreeNode.Property
    let machine: [Property] = [
      Property("compatible", strings: ["qcom,gunyah-vm-id-1.0", "qcom,gunyah-vm-id"]),
      Property("qcom,vmid", cells: [UInt32(result.vmid)]),
      Property("qcom,owner-vmid", cells: [UInt32(result.owner)]),
      Property("qcom,image-name", strings: [imageName]),
      Property("qcom,vm-uri", strings: [uri]),
      Property("qcom,vm-guid", strings: [guid]),
    ]
    let names = ["gunyah-hypervisor", "qcom,gunyah-hypervisor-1.0", "qcom,gunyah-hypervisor", "simple-bus"]
    let own: [Property] = [
      Property("compatible", strings: names), Property("#address-cells", cells: [2]),
      Property("#size-cells", cells: [0]),
    ]
    return DeviceTreeNode(
      "hypervisor",
      own,
      children: [DeviceTreeNode("qcom,gunyah-vm", machine), result.link.manager(parent)]
    )
  }

  /// Shared memory, by phandles of its own above all that there are: `reserved-memory/reserved-memory.yaml`.
  private func reserve(_ nodes: inout [VirtualDevice.Node], in root: inout DeviceTreeNode) {
    typealias Property = DeviceTreeNode.Property
    var next = (root.phandles.filter { $0 < .max - UInt32(Self.deviceLimit) }.max() ?? 0) + 1
    for index in nodes.indices where !nodes[index].memory.isEmpty {
      let reg = nodes[index].memory.flatMap { [$0.start, $0.size] }
      let properties: [Property] = [
        Property("reg", wide: reg), Property("no-map"), Property("phandle", cells: [next]),
      ]
      let parent = [
        Property("#address-cells", cells: [2]), Property("#size-cells", cells: [2]), Property("ranges"),
      ]
      if root[child: "reserved-memory"] == nil { root.children.append(DeviceTreeNode("reserved-memory", parent)) }
      let name = "gunyah-shm@" + String(reg[0], radix: 16)
      root.add(DeviceTreeNode(name, properties), along: ["reserved-memory"])
      nodes[index].region = next
      next += 1
    }
  }
}

extension DeviceTreeNode.Property {
  /// Shared peripheral interrupts, counted from 0, that are rising edges.
  init(_ name: String, edges: [UInt32]) {
    self.init(name, cells: edges.flatMap { [MachineTree.InterruptKind.shared, $0, MachineTree.edgeRising] })
  }
}

extension DeviceTreeNode {
  /// Adds a node where a path leads; nodes on the way are made where there are none. A node of the same name gets what
  /// this one has.
  fileprivate mutating func add(_ node: DeviceTreeNode, along path: [String]) {
    if let first = path.first {
      if let index = children.firstIndex(where: { $0.name == first }) {
        children[index].add(node, along: Array(path.dropFirst()))
      } else {
        var between = DeviceTreeNode(
          first,
          [DeviceTreeNode.Property("#address-cells", cells: [2]), DeviceTreeNode.Property("#size-cells", cells: [0])]
        )
        between.add(node, along: Array(path.dropFirst()))
        children.append(between)
      }
      return
    }
    guard let index = children.firstIndex(where: { $0.name == node.name }) else { return children.append(node) }
    for property in node.properties {
      children[index].properties.removeAll { $0.name == property.name }
      children[index].properties.append(property)
    }
    children[index].children += node.children
  }
}
