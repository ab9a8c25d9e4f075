import DeviceTree

/// A virtual device that a secondary machine's tree asks for: an end of an object that it shares with another machine.
///
/// Gunyah's resource manager, `vm_config_parser.c` for what is asked, `dto_construct.c` for what is written.
package struct VirtualDevice: Equatable, Sendable {
  /// `vdevice-type`.
  package enum Kind: String, Sendable, CaseIterable {
    /// The machine hears a doorbell.
    case doorbell
    /// The machine rings a doorbell.
    case doorbellSource = "doorbell-source"
    /// A queue in one direction.
    case messageQueue = "message-queue"
    /// A queue in each direction.
    case messageQueuePair = "message-queue-pair"
    /// The link to the resource manager, which each machine has.
    case resourceManager = "rm-rpc"
    /// Shared memory with a doorbell in each direction.
    case sharedMemoryDoorbell = "shm-doorbell"
    /// The same without doorbells.
    case sharedMemory = "shm"
  }

  /// Who is at the other end.
  package enum Peer: Equatable, Sendable {
    /// The machine's owner.
    case owner
    /// The machine with this name.
    case named(String)
  }

  /// Which of the objects it has.
  package let kind: Kind
  /// Where its node goes: the names on the way, and its own without the capability.
  package let path: [String]
  /// By which both ends know it.
  package let label: UInt32
  /// Who is at the other end.
  package let peer: Peer
  /// The interrupts that it insists on, counted from 0 among the shared ones.
  package let interrupts: [UInt32]
  /// Whether the other end of a doorbell may clear it, too.
  package let sourceCanClear: Bool
  /// Whether the machine is the sender of a queue in one direction.
  package let isSender: Bool
  /// In bytes, 1 to 1,023.
  package let messageSize: Int
  /// In messages, 1 to 255.
  package let queueDepth: Int
  /// The memory of one that has some.
  package let memory: Memory?

  /// Memory of another machine's parcel.
  package struct Memory: Equatable, Sendable {
    /// Of the parcel.
    package let label: UInt32
    /// Where it is to be; nil anywhere.
    package let base: UInt64?
    /// Whether the machine starts without it.
    package let isOptional: Bool
  }

  /// A queue or a doorbell between machines that are there from the start; its node is in `/vdevices`.
  package init(_ kind: Kind, label: UInt32, messageSize: Int = 240, queueDepth: Int = 8) {
    self.kind = kind
    path = ["vdevices", kind.rawValue]
    self.label = label
    peer = .owner
    interrupts = []
    sourceCanClear = false
    isSender = false
    self.messageSize = messageSize
    self.queueDepth = queueDepth
    memory = nil
  }

  init(_ node: DeviceTreeNode) throws(SecondaryTree.Refusal) {
    guard let type = node.text("vdevice-type"), let kind = Kind(rawValue: type) else {
      throw .invalid("\(node.name) has no vdevice-type that is known")
    }
    self.kind = kind
    let path = (node.text("generate") ?? "/hypervisor/\(node.name)").split(separator: "/").map(String.init)
    guard 1...8 ~= path.count, path.allSatisfy(Self.isName) else {
      throw .invalid("\(node.name) is to go where no node can be")
    }
    self.path = path
    let (ownLabel, vendorLabel) = (try node.number("label"), try node.number("qcom,label"))
    label = UInt32(truncatingIfNeeded: ownLabel ?? vendorLabel ?? 0)
    if let name = node.text("peer") {
      let prefix = "vm-name:"
      guard name.hasPrefix(prefix) else { throw .invalid("\(node.name) has a peer without '\(prefix)'") }
      peer = .named(String(name.dropFirst(prefix.count)))
    } else {
      peer = .owner
    }
    interrupts = try Self.interrupts(node)
    sourceCanClear = node[property: "source-can-clear"] != nil
    isSender = node[property: "is-sender"] != nil
    messageSize = Int(truncatingIfNeeded: try node.number("message-size") ?? 240)
    queueDepth = Int(truncatingIfNeeded: try node.number("queue-depth") ?? 8)
    guard 1...1023 ~= messageSize, 1...255 ~= queueDepth else {
      throw .invalid("\(node.name) is a queue of a size or depth that none has")
    }
    guard kind == .sharedMemory || kind == .sharedMemoryDoorbell else {
      memory = nil
      return
    }
    let memory = node[child: "memory"]
    let base = try memory?.number("base")
    if let base, base % 0x1000 != 0 { throw .invalid("\(node.name) has memory that begins at no page") }
    self.memory = Memory(
      label: try memory?.number("label").map { UInt32(truncatingIfNeeded: $0) } ?? label,
      base: base,
      isOptional: memory?[property: "optional"] != nil
    )
  }

  /// A node's name (Devicetree Specification 0.4, 2.2.1).
  private static func isName(_ name: String) -> Bool {
    1...31 ~= name.utf8.count && name.first.map { $0.isLetter && $0.isASCII } ?? false
      && name.utf8.allSatisfy { byte in
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
          UInt8(ascii: "0")...UInt8(ascii: "9"):
          true
        default: ",._+-".utf8.contains(byte)
        }
      }
  }

  private static func interrupts(_ node: DeviceTreeNode) throws(SecondaryTree.Refusal) -> [UInt32] {
    guard let cells = node[property: "interrupts"]?.numbers(cells: 1) else { return [] }
    guard cells.count % 3 == 0, cells.count <= 6 else { throw .invalid("\(node.name) has interrupts that are none") }
    var numbers: [UInt32] = []
    for start in stride(from: 0, to: cells.count, by: 3) {
      guard cells[start] == UInt64(MachineTree.InterruptKind.shared), cells[start + 1] < 988 else {
        throw .invalid("\(node.name) has an interrupt that is no shared one")
      }
      numbers.append(UInt32(cells[start + 1]))
    }
    return numbers
  }
}

extension VirtualDevice {
  /// What became of one: its node.
  package struct Node: Sendable {
    /// What was asked for.
    package var device: VirtualDevice
    /// The machine's capabilities, sender's first.
    package var capabilities: [UInt64]
    /// Its interrupts, counted from 0 among the shared ones, sender's first.
    package var interrupts: [UInt32]
    /// The other end's number.
    package var peer: UInt16
    /// Where shared memory is: start and size.
    package var memory: [(start: UInt64, size: UInt64)]
    /// The phandle of its node in `/reserved-memory`.
    var region: UInt32?

    package init(
      _ device: VirtualDevice,
      capabilities: [UInt64],
      interrupts: [UInt32],
      peer: UInt16,
      memory: [(start: UInt64, size: UInt64)] = []
    ) {
      self.device = device
      self.capabilities = capabilities
      self.interrupts = interrupts
      self.peer = peer
      self.memory = memory
    }

    /// The nodes that it is in.
    var path: [String] { Array(device.path.dropLast()) }

    /// - Parameter parent: the interrupt controller's phandle.
    func tree(_ parent: UInt32?) -> DeviceTreeNode {
      typealias Property = DeviceTreeNode.Property
      let unit = String(capabilities.first ?? memory.first?.start ?? 0, radix: 16)
      var properties = [Property("compatible", strings: compatible)]
      if !capabilities.isEmpty { properties.append(Property("reg", wide: capabilities)) }
      if !interrupts.isEmpty {
        properties.append(Property("interrupts", edges: interrupts))
        if let parent { properties.append(Property("interrupt-parent", cells: [parent])) }
      }
      properties.append(Property("label", cells: [device.label]))
      properties.append(Property("qcom,label", cells: [device.label]))
      properties.append(Property("peer", cells: [UInt32(peer)]))
      if let region { properties.append(Property("memory-region", cells: [region])) }
      let (size, depth) = (UInt32(device.messageSize), UInt32(device.queueDepth))
      switch device.kind {
      case .messageQueue:
        properties.append(Property(device.isSender ? "is-sender" : "is-receiver"))
        properties.append(Property("tx_message_size", cells: [size]))
        properties.append(Property("tx_queue_depth", cells: [depth]))
      case .messageQueuePair, .resourceManager:
        properties.append(Property("qcom,tx-message-size", cells: [size]))
        properties.append(Property("qcom,rx-message-size", cells: [size]))
        properties.append(Property("qcom,tx-queue-depth", cells: [depth]))
        properties.append(Property("qcom,rx-queue-depth", cells: [depth]))
        properties.append(Property("qcom,is-full-duplex"))
      case .sharedMemoryDoorbell:
        for (name, capability) in zip(["tx-doorbell", "rx-doorbell"], capabilities) {
          properties.append(Property(name, wide: [capability]))
        }
      case .doorbell, .doorbellSource, .sharedMemory: break
      }
      return DeviceTreeNode((device.path.last ?? "vdevice") + "@" + unit, properties)
    }

    private var compatible: [String] {
      switch device.kind {
      case .doorbell: ["qcom,gunyah-doorbell", "qcom,gunyah-capability"]
      case .doorbellSource: ["qcom,gunyah-doorbell-source", "qcom,gunyah-capability"]
      case .messageQueue, .messageQueuePair: ["qcom,gunyah-message-queue", "qcom,gunyah-capability"]
      case .resourceManager: ["gunyah-resource-manager", "qcom,gunyah-message-queue", "qcom,gunyah-capability"]
      case .sharedMemory: ["qcom,shared-memory"]
      case .sharedMemoryDoorbell: ["qcom,gunyah-shm-doorbell", "qcom,shared-memory"]
      }
    }
  }
}
