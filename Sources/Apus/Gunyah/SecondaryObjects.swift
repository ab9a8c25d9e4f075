import GuestABI
import Gunyah

/// The objects that a secondary machine's tree asks for, and who holds which end.
struct SecondaryObjects {
  /// What became of one virtual device, for the machine's tree.
  struct Made {
    let device: VirtualDevice
    var capabilities: [CapabilityID] = []
    /// The machine's, counted from 0 among the shared ones.
    var interrupts: [UInt32] = []
    let peer: VMID
  }

  private let guest: GunyahGuest
  private let owner: GunyahGuest
  private(set) var made: [Made] = []
  private(set) var resources: [MachineResource] = []
  private(set) var peers: [VMID] = []
  /// What other machines got.
  private var given: [(to: GunyahGuest, capability: CapabilityID, interrupt: UInt32?)] = []

  init(_ guest: GunyahGuest, owner: GunyahGuest) {
    self.guest = guest
    self.owner = owner
  }

  /// Makes all. What was made is there also where it throws; see ``remove()``.
  ///
  /// - Parameters:
  ///   - peers: machines by their names.
  ///   - proxies: the vCPUs that the owner schedules.
  mutating func make(
    _ tree: SecondaryTree,
    peers: [String: GunyahGuest],
    proxies: [ProxyVCPU]
  ) throws(RMError) {
    for (index, proxy) in proxies.enumerated() {
      let (capability, interrupt) = try give(.virtualCPU(proxy), .run, to: owner, interrupts: true)
      proxy.bind(owner: owner.target(interrupt))
      resources.append(MachineResource(owner, guest.vmid, .virtualCPU, UInt32(index), capability, interrupt))
    }
    for device in tree.devices where device.kind != .resourceManager {
      let peer: GunyahGuest
      switch device.peer {
      case .owner: peer = owner
      case .named(let name):
        guard let named = peers[name], named !== guest else { throw .argumentInvalid }
        peer = named
      }
      if !self.peers.contains(peer.vmid) { self.peers.append(peer.vmid) }
      try make(device, peer)
    }
  }

  private mutating func make(_ device: VirtualDevice, _ peer: GunyahGuest) throws(RMError) {
    var result = Made(device: device, peer: peer.vmid)
    switch device.kind {
    case .doorbell: try hear(device, peer, &result)
    case .doorbellSource: try ring(device, peer, &result)
    case .sharedMemoryDoorbell:
      try ring(device, peer, &result)
      try hear(device, peer, &result)
    case .messageQueue:
      if device.isSender { try send(device, peer, &result) } else { try receive(device, peer, &result) }
    case .messageQueuePair:
      try send(device, peer, &result)
      try receive(device, peer, &result)
    case .sharedMemory, .resourceManager: break
    }
    made.append(result)
  }

  /// The machine hears a doorbell of the peer's.
  private mutating func hear(_ device: VirtualDevice, _ peer: GunyahGuest, _ made: inout Made) throws(RMError) {
    let doorbell = GunyahDoorbell()
    let rights: CapabilityRights = device.sourceCanClear ? [.send, .receive] : .send
    let (theirs, _) = try give(.doorbell(doorbell), rights, to: peer, interrupts: false)
    resources.append(MachineResource(peer, guest.vmid, .doorbellSource, device.label, theirs, nil))
    let (mine, interrupt) = try keep(.doorbell(doorbell), .receive, device, &made, interrupts: true)
    doorbell.bind(receiver: guest.target(interrupt))
    resources.append(MachineResource(guest, peer.vmid, .doorbell, device.label, mine, interrupt))
  }

  /// The machine rings a doorbell of the peer's.
  private mutating func ring(_ device: VirtualDevice, _ peer: GunyahGuest, _ made: inout Made) throws(RMError) {
    let doorbell = GunyahDoorbell()
    let (theirs, interrupt) = try give(.doorbell(doorbell), .receive, to: peer, interrupts: true)
    doorbell.bind(receiver: peer.target(interrupt))
    resources.append(MachineResource(peer, guest.vmid, .doorbell, device.label, theirs, interrupt))
    let rights: CapabilityRights = device.sourceCanClear ? [.send, .receive] : .send
    let (mine, _) = try keep(.doorbell(doorbell), rights, device, &made, interrupts: false)
    resources.append(MachineResource(guest, peer.vmid, .doorbellSource, device.label, mine, nil))
  }

  /// The machine sends to the peer.
  private mutating func send(_ device: VirtualDevice, _ peer: GunyahGuest, _ made: inout Made) throws(RMError) {
    let queue = GunyahQueue(depth: device.queueDepth, maximumSize: device.messageSize)
    let (theirs, theirInterrupt) = try give(.queue(queue), .receive, to: peer, interrupts: true)
    resources.append(MachineResource(peer, guest.vmid, .messageQueueReceiver, device.label, theirs, theirInterrupt))
    let (mine, interrupt) = try keep(.queue(queue), .send, device, &made, interrupts: true)
    resources.append(MachineResource(guest, peer.vmid, .messageQueueSender, device.label, mine, interrupt))
    queue.bind(sender: guest.target(interrupt), receiver: peer.target(theirInterrupt))
  }

  /// The machine receives from the peer.
  private mutating func receive(_ device: VirtualDevice, _ peer: GunyahGuest, _ made: inout Made) throws(RMError) {
    let queue = GunyahQueue(depth: device.queueDepth, maximumSize: device.messageSize)
    let (theirs, theirInterrupt) = try give(.queue(queue), .send, to: peer, interrupts: true)
    resources.append(MachineResource(peer, guest.vmid, .messageQueueSender, device.label, theirs, theirInterrupt))
    let (mine, interrupt) = try keep(.queue(queue), .receive, device, &made, interrupts: true)
    resources.append(MachineResource(guest, peer.vmid, .messageQueueReceiver, device.label, mine, interrupt))
    queue.bind(sender: peer.target(theirInterrupt), receiver: guest.target(interrupt))
  }

  private mutating func give(
    _ object: GunyahObject,
    _ rights: CapabilityRights,
    to machine: GunyahGuest,
    interrupts: Bool
  ) throws(RMError) -> (CapabilityID, UInt32?) {
    let interrupt = interrupts ? machine.takeInterrupt() : nil
    guard interrupt != nil || !interrupts else { throw .noResource }
    guard let capability = machine.insert(object, rights: rights, peer: guest.vmid) else {
      if let interrupt { machine.give(interrupt: interrupt) }
      throw .noResource
    }
    given.append((machine, capability, interrupt))
    return (capability, interrupt)
  }

  /// The machine's own end, which goes with it: nothing is to be given back.
  private func keep(
    _ object: GunyahObject,
    _ rights: CapabilityRights,
    _ device: VirtualDevice,
    _ made: inout Made,
    interrupts: Bool
  ) throws(RMError) -> (CapabilityID, UInt32?) {
    var interrupt: UInt32?
    if interrupts {
      let place = made.interrupts.count
      if place < device.interrupts.count {
        // A machine's own serial port has one already.
        guard
          device.interrupts[place] != MemoryMap.SharedInterrupt.pl011,
          let wanted = guest.takeInterrupt(device.interrupts[place])
        else { throw .noResource }
        interrupt = wanted
      } else {
        interrupt = guest.takeInterrupt()
      }
      guard let interrupt else { throw .noResource }
      made.interrupts.append(interrupt)
    }
    guard let capability = guest.insert(object, rights: rights, peer: made.peer) else { throw .noResource }
    made.capabilities.append(capability)
    return (capability, interrupt)
  }

  /// Takes back what other machines got.
  mutating func remove() {
    for (machine, capability, interrupt) in given {
      machine.revoke(capability)
      if let interrupt { machine.give(interrupt: interrupt) }
    }
    given = []
    made = []
    resources = []
  }
}
