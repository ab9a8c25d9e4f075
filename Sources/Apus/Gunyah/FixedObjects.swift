import GuestABI
import Gunyah

/// The queues and doorbells that a hypervisor's machines share from the start, as its configuration says.
///
/// They are there before and after each of the machines: one that ends, or begins anew, finds them again under new
/// capabilities, and the others keep theirs.
struct FixedObjects: Sendable {
  private struct Pair: Sendable {
    let configuration: GunyahConfiguration.QueuePair
    /// What each of both machines sends to the other one.
    let sent: [GunyahQueue]
  }

  private struct Bell: Sendable {
    let configuration: GunyahConfiguration.Doorbell
    let doorbell: GunyahDoorbell
  }

  private let configuration: GunyahConfiguration
  /// The numbers of the machines, by their names.
  private let machines: [String: VMID]
  private let pairs: [Pair]
  private let bells: [Bell]

  /// - Parameter configuration: without mistakes; the machines that it names are among `machines`.
  init(_ configuration: GunyahConfiguration, machines: [String: VMID]) {
    self.configuration = configuration
    self.machines = machines
    pairs = configuration.queues.map { pair in
      Pair(
        configuration: pair,
        sent: pair.machines.map { _ in GunyahQueue(depth: pair.depth, maximumSize: pair.messageSize) }
      )
    }
    bells = configuration.doorbells.map { Bell(configuration: $0, doorbell: GunyahDoorbell()) }
  }

  /// An end of an object, and the interrupt of the machine that has it.
  enum End: Sendable {
    case sender(GunyahQueue, UInt32?)
    case receiver(GunyahQueue, UInt32?)
    case listener(GunyahDoorbell, UInt32?)
    /// Of a doorbell, which has no interrupt there and keeps nothing of who rings.
    case source

    /// Has the object interrupt the machine from now on, or nobody.
    func bind(_ target: (UInt32?) -> InterruptTarget) {
      switch self {
      case .sender(let queue, let interrupt): queue.bind(sender: target(interrupt))
      case .receiver(let queue, let interrupt): queue.bind(receiver: target(interrupt))
      case .listener(let doorbell, let interrupt): doorbell.bind(receiver: target(interrupt))
      case .source: break
      }
    }

    /// The machine is gone: nobody is interrupted, and what waited for it is nobody's.
    func leave() {
      bind { _ in .none }
      switch self {
      case .receiver(let queue, _): queue.resetReceiver()
      case .sender(let queue, _): queue.resetSender()
      case .listener(let doorbell, _): doorbell.reset()
      case .source: break
      }
    }
  }

  /// What a machine gets of them.
  struct Ends: Sendable {
    var ends: [End] = []
    var nodes: [VirtualDevice.Node] = []
    var resources: [MachineResource] = []
    var peers: [VMID] = []
  }

  /// What a machine gets, with the interrupts that it will have.
  func plan(of name: String, _ vmid: VMID) -> Plan.Gunyah {
    Plan.Gunyah(vmid: vmid.rawValue, name: name, configuration)
  }

  /// Gives a machine its ends. A machine has interrupts and capabilities for all, which the configuration's check has
  /// seen to.
  func ends(of guest: GunyahGuest) -> Ends {
    var ends = Ends()
    let plan = plan(of: guest.name, guest.vmid)
    var (queues, doorbells) = (plan.queues[...], plan.doorbells[...])
    for pair in pairs {
      guard let side = pair.configuration.machines.firstIndex(of: guest.name) else { continue }
      let peer = machines[pair.configuration.machines[1 - side]] ?? .resourceManager
      let (sent, received) = (pair.sent[side], pair.sent[1 - side])
      let interrupts = queues.removeFirst().interrupts
      let transmit = keep(.queue(sent), .send, guest, peer, interrupts[0])
      let receive = keep(.queue(received), .receive, guest, peer, interrupts[1])
      ends.ends += [.sender(sent, transmit.interrupt), .receiver(received, receive.interrupt)]
      let label = pair.configuration.label
      ends.nodes.append(
        VirtualDevice.Node(
          VirtualDevice(
            .messageQueuePair,
            label: label,
            messageSize: pair.configuration.messageSize,
            queueDepth: pair.configuration.depth
          ),
          capabilities: [transmit.capability.rawValue, receive.capability.rawValue],
          interrupts: [transmit.interrupt, receive.interrupt].compactMap(\.self),
          peer: peer.rawValue
        )
      )
      ends.note(guest, peer, .messageQueueSender, label, transmit)
      ends.note(guest, peer, .messageQueueReceiver, label, receive)
    }
    for bell in bells {
      let (configuration, doorbell) = (bell.configuration, bell.doorbell)
      let isSource = configuration.source == guest.name
      guard isSource || configuration.receiver == guest.name else { continue }
      let peer = machines[isSource ? configuration.receiver : configuration.source] ?? .resourceManager
      let rights: CapabilityRights =
        isSource ? (configuration.sourceCanClear ? [.send, .receive] : .send) : .receive
      let end = keep(.doorbell(doorbell), rights, guest, peer, doorbells.removeFirst().interrupt)
      ends.ends.append(isSource ? .source : .listener(doorbell, end.interrupt))
      ends.nodes.append(
        VirtualDevice.Node(
          VirtualDevice(isSource ? .doorbellSource : .doorbell, label: configuration.label),
          capabilities: [end.capability.rawValue],
          interrupts: [end.interrupt].compactMap(\.self),
          peer: peer.rawValue
        )
      )
      ends.note(guest, peer, isSource ? .doorbellSource : .doorbell, configuration.label, end)
    }
    return ends
  }

  fileprivate struct Kept {
    let capability: CapabilityID
    let interrupt: UInt32?
  }

  private func keep(
    _ object: GunyahObject,
    _ rights: CapabilityRights,
    _ guest: GunyahGuest,
    _ peer: VMID,
    _ interrupt: UInt32?
  ) -> Kept {
    let taken = interrupt.flatMap { guest.takeInterrupt($0) }
    guard let capability = guest.insert(object, rights: rights, peer: peer), taken == interrupt else {
      preconditionFailure("the configuration was checked")
    }
    return Kept(capability: capability, interrupt: taken)
  }
}

extension FixedObjects.Ends {
  fileprivate mutating func note(
    _ guest: GunyahGuest,
    _ peer: VMID,
    _ kind: MachineResource.Kind,
    _ label: UInt32,
    _ end: FixedObjects.Kept
  ) {
    if !peers.contains(peer) { peers.append(peer) }
    resources.append(MachineResource(guest, peer, kind, label, end.capability, end.interrupt))
  }
}
