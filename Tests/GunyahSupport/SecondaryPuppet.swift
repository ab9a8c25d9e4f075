public import Apus
internal import DeviceTree
public import Gunyah
internal import ResourceManagerTesting
internal import Synchronization

/// A secondary machine with a puppet in it, as its owner makes it.
public struct SecondaryPuppet: Sendable {
  /// A virtual device of the machine's `gunyah-vm-config`.
  public struct Device: Sendable {
    /// Its name, and that of its node in the machine's tree.
    public var name: String
    /// `vdevice-type`.
    public var kind: String
    /// `label`.
    public var label: UInt32
    /// Properties without a value.
    public var flags: [String]
    /// `queue-depth` and others of one cell.
    public var cells: [String: UInt32]
    /// The memory of one that has some: where it is to be.
    public var memory: UInt64?

    /// One of these parts.
    public init(
      _ name: String,
      _ kind: String,
      label: UInt32,
      flags: [String] = [],
      cells: [String: UInt32] = [:],
      memory: UInt64? = nil
    ) {
      self.name = name
      self.kind = kind
      self.label = label
      self.flags = flags
      self.cells = cells
      self.memory = memory
    }
  }

  /// Which machine it is.
  public let vmid: VMID
  /// The handle of the parcel with its image.
  public let handle: UInt32
  /// What the owner holds that leads to it.
  public let resources: [MachineResource]

  /// Where its memory is in the machine's own addresses.
  public static let base: UInt64 = 0x4000_0000
  /// How much the puppet's image and stacks need, in bytes.
  public static let size: UInt64 = 4 << 20
  /// Where its image is in the parcel.
  public static let imageOffset: UInt64 = 0x8_0000
  /// How much room its tree has, in bytes.
  public static let treeSize: UInt64 = 0x1_0000
  /// Of the queue pair that carries command lines.
  public static let controlLabel: UInt32 = 0x63

  /// What the owner's initramfs has to be: the puppet's headerless binary, then trees, each at a multiple of
  /// ``treeSize``.
  public static func initramfs(_ image: [UInt8], _ trees: [[UInt8]]) -> [UInt8] {
    var bytes = image
    for tree in trees {
      bytes += [UInt8](repeating: 0, count: (Int(treeSize) - bytes.count % Int(treeSize)) % Int(treeSize))
      bytes += tree
    }
    bytes += [UInt8](repeating: 0, count: (Int(treeSize) - bytes.count % Int(treeSize)) % Int(treeSize))
    return bytes
  }

  /// A device tree of a machine with this interrupt controller and these virtual devices besides the lines' queues.
  ///
  /// - Parameters:
  ///   - cpus: how many vCPUs, with affinities from 0.
  ///   - gic: the version; nil for none.
  ///   - affinity: `proxy`, or nothing.
  ///   - devices: behind the queue pair that carries command lines.
  public static func tree(
    cpus: UInt32 = 1,
    gic: Configuration.GIC?,
    affinity: String? = nil,
    devices: [Device] = []
  ) throws -> [UInt8] {
    let control = Device("control", "message-queue-pair", label: controlLabel)
    var writer = DeviceTreeWriter()
    writer.node("") { root in
      root.property("#address-cells", cells: [2])
      root.property("#size-cells", cells: [2])
      root.property("compatible", "linux,dummy-virt")
      if gic != nil { root.property("interrupt-parent", cells: [1]) }
      root.node("cpus") { node in
        node.property("#address-cells", cells: [1])
        node.property("#size-cells", cells: [0])
        for index in 0..<cpus {
          node.node("cpu@\(index)") { cpu in
            cpu.property("device_type", "cpu")
            cpu.property("compatible", "arm,armv8")
            cpu.property("reg", cells: [index])
            cpu.property("enable-method", "psci")
          }
        }
      }
      root.node("psci") { node in
        node.property("compatible", "arm,psci-1.0")
        node.property("method", "hvc")
      }
      if let gic { interruptController(gic, cpus, &root) }
      root.node("gunyah-vm-config") { node in
        node.property("image-name", "puppet")
        node.node("memory") { memory in
          memory.property("#address-cells", cells: [2])
          memory.property("#size-cells", cells: [0])
          memory.property("base-address", wide: [base])
        }
        if let affinity { node.node("vcpus") { $0.property("affinity", affinity) } }
        node.node("vdevices") { vdevices in
          for device in [control] + devices { write(device, &vdevices) }
        }
      }
    }
    return try writer.finish()
  }

  private static func interruptController(_ gic: Configuration.GIC, _ cpus: UInt32, _ root: inout DeviceTreeWriter) {
    root.node("interrupt-controller@8000000") { node in
      node.property("#interrupt-cells", cells: [3])
      node.property("interrupt-controller")
      node.property("phandle", cells: [1])
      if gic == .v2 {
        node.property("compatible", "arm,cortex-a15-gic")
        node.property("reg", wide: [0x800_0000, 0x1_0000, 0x801_0000, 0x1_0000])
      } else {
        node.property("compatible", "arm,gic-v3")
        node.property("reg", wide: [0x800_0000, 0x1_0000, 0x80A_0000, UInt64(cpus) * 0x2_0000])
      }
    }
  }

  private static func write(_ device: Device, _ parent: inout DeviceTreeWriter) {
    parent.node(device.name) { node in
      node.property("vdevice-type", device.kind)
      node.property("generate", "/hypervisor/\(device.name)")
      node.property("label", cells: [device.label])
      node.property("peer-default")
      for flag in device.flags { node.property(flag) }
      for (name, cell) in device.cells.sorted(by: { $0.key < $1.key }) { node.property(name, cells: [cell]) }
      if let base = device.memory {
        node.node("memory") { memory in
          memory.property("label", cells: [device.label])
          memory.property("base", wide: [base])
        }
      }
    }
  }

  /// Allocates a machine, puts the puppet and a tree into memory of the owner's, lends it and gets to READY.
  ///
  /// - Parameters:
  ///   - client: the owner's.
  ///   - memory: of the owner's, ``size`` bytes from a multiple of 4 KiB on.
  ///   - tree: which of the initramfs's.
  public init(_ client: RMClient, memory: UInt64, tree: UInt64 = 0) async throws {
    let vmid = try await client.allocate()
    try await self.init(client, vmid, memory: memory, tree: tree)
  }

  /// The same for a machine that has been allocated.
  public init(_ client: RMClient, _ vmid: VMID, memory: UInt64, tree: UInt64 = 0) async throws {
    let handle = try await Self.lendImage(client, to: vmid, memory: memory, tree: tree)
    try await Self.configure(client, vmid, handle: handle)
    self.vmid = vmid
    self.handle = handle
    resources = try await client.resources(of: vmid)
  }

  /// Puts image and tree into memory, and lends it: the handle.
  public static func lendImage(
    _ client: RMClient,
    to vmid: VMID,
    memory: UInt64,
    tree: UInt64 = 0
  ) async throws -> UInt32 {
    let places = try await client.puppet.numbers("a")
    guard places.count == 5, places[4] > places[3] else { throw RMClient.Problem("the owner has no initramfs") }
    // Trees follow the image, which has less than the room of one.
    let firstTree = places[3] + treeSize
    for (from, to) in [
      (places[3], memory + imageOffset), (firstTree + tree * treeSize, memory),
    ] {
      let numbers = [from, to, treeSize].map { String($0, radix: 16) }.joined(separator: " ")
      _ = try await client.puppet.numbers("k \(numbers)")
    }
    return try await client.parcel(.lend, [(vmid, .all)], [(memory, size)], label: UInt32(vmid.rawValue))
  }

  /// CONFIG_IMAGE and INIT.
  public static func configure(_ client: RMClient, _ vmid: VMID, handle: UInt32) async throws {
    let image = PageRange(start: imageOffset, size: treeSize)
    let deviceTree = PageRange(start: 0, size: treeSize)
    try await client.success(
      .configureImage,
      Request.configure(vmid, handle: handle, image: image, deviceTree: deviceTree)
    )
    try await client.success(.initialize, Request.machine(vmid))
  }

  /// START, and waits for the puppet to say that it is there. A machine that its owner schedules is run once.
  public func start(_ client: RMClient) async throws -> Puppet {
    try await client.success(.start, Request.machine(vmid))
    if let vcpu = resources.first(where: { $0.kind == .virtualCPU }) {
      let number = CallNumber.firstHypercall + UInt32(Hypercall.vcpuRun.rawValue)
      let turn = try await client.puppet.call(UInt64(number), vcpu.capability)
      guard turn[0] == 0 else { throw RMClient.Problem("vcpu_run answers \(turn)") }
    }
    let puppet = Puppet(over: try wire(client.puppet))
    try await puppet.hello()
    return puppet
  }

  /// The owner's ends of what carries command lines.
  private func wire(_ owner: Puppet) throws -> QueueWire {
    guard
      let send = resource(.messageQueueSender, Self.controlLabel),
      let receive = resource(.messageQueueReceiver, Self.controlLabel)
    else { throw RMClient.Problem("the machine's owner has no queues to it: \(resources)") }
    return QueueWire(owner, send: send.capability, receive: receive.capability)
  }

  /// What the owner holds of a device.
  public func resource(_ kind: MachineResource.Kind, _ label: UInt32) -> MachineResource? {
    resources.first { $0.kind == kind && $0.label == label }
  }
}

/// A pair of message queues, by another puppet's hypercalls.
private final class QueueWire: PuppetWire {
  private let owner: Puppet
  private let sendQueue: UInt64
  private let receiveQueue: UInt64
  /// What has come and is no whole line yet.
  private let incoming = Mutex<[UInt8]>([])

  init(_ owner: Puppet, send: UInt64, receive: UInt64) {
    self.owner = owner
    sendQueue = send
    receiveQueue = receive
  }

  func send(_ line: String) async throws {
    var rest = (Array(line.utf8) + [0x0A])[...]
    while !rest.isEmpty {
      let part = Array(rest.prefix(240))
      let result = try await owner.send(part, to: sendQueue)
      switch result[0] {
      case 0: rest = rest.dropFirst(part.count)
      case UInt64(GunyahError.messageQueueFull.rawValue): continue
      default: throw RMClient.Problem("the queue to the secondary machine answers \(result[0])")
      }
    }
  }

  func line(within limit: Duration) async throws -> String {
    var waits = 0
    while true {
      if let line = takeLine() { return line }
      let received = try await owner.receive(from: receiveQueue, milliseconds: 5000)
      if received.error == 0 {
        incoming.withLock { $0 += received.message }
      } else {
        waits += 1
        // The owner's counter runs while it has a processor, so this is no short time on a busy host either.
        guard received.error == UInt64(GunyahError.messageQueueEmpty.rawValue), .seconds(5 * waits) < limit else {
          throw RMClient.Problem("no line of the secondary machine's: error \(received.error)")
        }
      }
    }
  }

  private func takeLine() -> String? {
    incoming.withLock { incoming in
      guard let end = incoming.firstIndex(of: 0x0A) else { return nil }
      let line = incoming[..<end].filter { $0 != 0x0D }
      incoming.removeSubrange(...end)
      return String(decoding: line, as: UTF8.self)
    }
  }
}
