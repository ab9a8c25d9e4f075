import GuestABI
import GuestMemory
import Gunyah
import Host
import KVM

/// A machine that the resource manager has made for another one. On the manager's thread alone.
final class SecondaryMachine {
  let vmid: VMID
  let owner: VMID
  private let bell: ManagerBell
  private var parts: Parts?
  /// Memory that it was given for good, while it is not configured.
  private var kept: [MappedMemory.Piece] = []

  /// What there is from its configuration to its reset.
  private struct Parts {
    let tree: SecondaryTree
    let machine: SecondaryVM
    var objects: SecondaryObjects
  }

  init(_ vmid: VMID, owner: VMID, _ bell: ManagerBell) {
    self.vmid = vmid
    self.owner = owner
    self.bell = bell
  }

  /// The machine as a guest, while it is configured.
  var guest: GunyahGuest? { parts?.machine.guest }

  /// Makes the machine and its objects of its device tree; see ``ResourceManagerHost/configure(_:image:)``.
  ///
  /// - Parameters:
  ///   - blob: the tree's bytes, with what is behind them.
  ///   - owner: gets the other ends.
  ///   - peers: machines by their names.
  ///   - notes: takes what people should know, in words.
  ///   - output: takes each line of its serial port, on any thread.
  ///   - room: how many vCPUs it may have.
  ///   - exited: called once, on any thread, when the machine has ended by itself.
  func configure(
    _ blob: [UInt8],
    owner: GunyahGuest,
    peers: [String: GunyahGuest],
    notes: (String) -> Void,
    output: @escaping @Sendable ([UInt8]) -> Void,
    room: Int,
    exited: @escaping @Sendable (MachineExit) -> Void
  ) throws(RMError) -> MachineConfiguration {
    let tree: SecondaryTree
    do throws(SecondaryTree.Refusal) {
      tree = try SecondaryTree(blob)
    } catch {
      notes("its device tree cannot be used: \(error)")
      switch error {
      case .unreadable: throw .memoryInvalid
      case .invalid: throw .argumentInvalid
      case .tooMuch: throw .noResource
      }
    }
    guard tree.cpus.count <= room else {
      notes("it has \(tree.cpus.count) vCPUs, and there is room for \(room)")
      throw .noResource
    }
    let machine: SecondaryVM
    do {
      machine = try SecondaryVM(vmid, tree, owner: owner, memory: kept, output: output, exited: exited)
    } catch {
      notes("it cannot be made: \(error)")
      throw .noResource
    }
    machine.guest.link.queues.toManager.bind(receiver: .manager(bell))
    machine.guest.link.queues.fromManager.bind(sender: .manager(bell))
    var objects = SecondaryObjects(machine.guest, owner: owner)
    do throws(RMError) {
      try objects.make(tree, peers: peers, proxies: machine.proxies)
    } catch {
      objects.remove()
      throw error
    }
    parts = Parts(tree: tree, machine: machine, objects: objects)
    kept = []
    life += 1
    var configuration = MachineConfiguration()
    configuration.imageAddress = tree.baseAddress
    configuration.isProxyScheduled = tree.isProxyScheduled
    configuration.reserved = machine.reserved
    configuration.addressEnd = machine.addressEnd
    configuration.resources = objects.resources
    configuration.peers = objects.peers
    configuration.sharedMemory = tree.devices.compactMap(\.memory).map {
      SharedMemoryRequest(label: $0.label, address: $0.base, isOptional: $0.isOptional)
    }
    return configuration
  }

  /// The machine's tree with what became of its wishes.
  func patchedTree(_ layout: MachineLayout) throws(RMError) -> [UInt8] {
    guard let parts else { throw .noResource }
    let shared = layout.sharedMemory.map { memory in
      (label: memory.label, ranges: memory.ranges.map { (start: $0.start, size: $0.size) })
    }
    let nodes = parts.objects.made.map { made in
      VirtualDevice.Node(
        made.device,
        capabilities: made.capabilities.map(\.rawValue),
        interrupts: made.interrupts,
        peer: made.peer.rawValue,
        memory: shared.first { $0.label == made.device.memory?.label }?.ranges ?? []
      )
    }
    let result = SecondaryTree.Result(
      vmid: vmid.rawValue,
      owner: owner.rawValue,
      memory: layout.memory.map { (start: $0.start, size: $0.size) },
      link: parts.machine.guest.node,
      nodes: nodes
    )
    // libfdt refuses nothing of a tree that it has read.
    guard let blob = try? parts.tree.patched(result), blob.count <= Int(layout.deviceTreeSize) else {
      throw .noResource
    }
    return blob
  }

  /// Lets the first vCPU run.
  func start(at address: UInt64, deviceTree: UInt64) throws(RMError) {
    guard let machine = parts?.machine else { throw .noResource }
    do {
      try machine.start(at: address, deviceTree: deviceTree)
    } catch {
      // Some may run already.
      machine.stop()
      throw .noResource
    }
  }

  /// Stops all vCPUs for good.
  func stop() { parts?.machine.stop() }

  /// How many vCPUs it has while it is configured.
  var cpuCount: Int { parts?.tree.cpus.count ?? 0 }

  /// Which of its lives it is in: an end of an earlier one comes too late.
  private(set) var life = 0

  /// Takes away what configuring made.
  func reset() {
    guard var parts else { return }
    parts.machine.stop()
    parts.objects.remove()
    kept = parts.machine.guest.memory.allPieces
    self.parts = nil
  }

  /// Changes what it has while it is not configured.
  func changeKept(removing ranges: [GuestRange], adding pieces: [MappedMemory.Piece]) {
    kept = MappedMemory.changed(kept, removing: ranges, adding: pieces)
  }

  /// Whether anything of this memory is its.
  func has(_ memory: InspectedMemory) -> Bool {
    kept.contains { $0.memory === memory } || guest?.memory.allPieces.contains { $0.memory === memory } ?? false
  }
}
