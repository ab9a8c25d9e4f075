import GuestMemory
import Gunyah

/// The resource manager with its world, and the machines' queues on its desk. On the manager's thread alone.
final class ManagerDesk {
  private let world: GunyahWorld
  private let manager: ResourceManager<GunyahWorld>

  /// How many fragments of one machine are taken before the others' turn.
  private static let turn = 64

  init(
    _ thread: ManagerThread,
    _ bell: ManagerBell,
    residents: Set<VMID>,
    allowsSharedImages: Bool,
    records: Bool
  ) {
    world = GunyahWorld(thread, bell)
    manager = ResourceManager(host: world)
    manager.allowsSharedImages = allowsSharedImages
    manager.isRecording = records
    manager.residents = residents
  }

  // MARK: Machines that come and go

  /// Adds a machine that is there at the start.
  func add(_ guest: GunyahGuest, _ ram: InspectedMemory, reserved: [GuestRange]) {
    let home = world.add(guest, ram)
    manager.add(
      guest.vmid,
      memory: [PageRange(ram.range)],
      home: home,
      reserved: reserved.map { PageRange($0.wholePages) },
      addressEnd: 1 << 40
    )
    for resource in guest.fixed.resources { manager.add(resource) }
    for peer in guest.fixed.peers { manager.connect(guest.vmid, peer) }
    manager.announce(guest.vmid)
  }

  /// The parcels that a machine owns or has accepted.
  func parcels(of machine: VMID) -> [MemparcelReport] {
    manager.parcelReports.filter { $0.owner == machine || $0.borrowers.contains(machine) }
  }

  /// Removes one whose vCPUs have ended.
  func remove(_ guest: GunyahGuest) {
    guard world.has(guest) else { return }
    for end in guest.fixed.ends { end.leave() }
    manager.gone(guest.vmid)
    world.remove(guest)
  }

  /// A machine that the manager has started has ended by itself, in that of its lives.
  func exited(_ machine: VMID, _ exit: MachineExit, life: Int) {
    if world.life(of: machine) == life { manager.exited(machine, exit) }
  }

  /// All machines that the manager has made end.
  func close() { world.close() }

  // MARK: Messages

  /// Takes what machines have sent, and gives them what waits for them, each in its turn.
  ///
  /// - Returns: whether anything has moved: then there may be more, behind the work that others have left meanwhile.
  func exchangeMessages() -> Bool {
    var hasMoved = false
    for guest in world.guests {
      if take(from: guest) { hasMoved = true }
      if give(to: guest) { hasMoved = true }
    }
    if world.forgetsMemory { world.forgetMemory(unless: manager.hasMemory) }
    return hasMoved
  }

  private func take(from guest: GunyahGuest) -> Bool {
    var count = 0
    while count < Self.turn, manager.isReady(for: guest.vmid), let fragment = guest.link.queues.toManager.take() {
      manager.receive(fragment, from: guest.vmid)
      // Before anybody gets the answer.
      record()
      count += 1
    }
    return count > 0
  }

  /// Writes down what was said since the last time.
  private func record() {
    guard manager.isRecording else { return }
    for record in manager.takeRecords() {
      guard let message = GunyahRecord.Message(record.message) else { continue }
      world.record(of: record.machine)?.record(.message(message), of: record.machine, vcpu: nil)
    }
  }

  private func give(to guest: GunyahGuest) -> Bool {
    var hasGiven = false
    while let fragment = manager.nextFragment(for: guest.vmid), guest.link.queues.fromManager.put(fragment) {
      manager.fragmentSent(to: guest.vmid)
      hasGiven = true
    }
    return hasGiven
  }
}

extension GuestRange {
  /// The range with the rest of the pages that it begins and ends in.
  fileprivate var wholePages: GuestRange {
    let mask = PageRange.pageSize - 1
    let first = start.rawValue & ~mask
    return GuestRange(at: first, size: (start.rawValue + size + mask) & ~mask - first)
  }
}

extension PageRange {
  /// - Parameter range: of whole pages.
  init(_ range: GuestRange) { self.init(start: range.start.rawValue, size: range.size) }
}

extension GuestRange {
  init(_ range: PageRange) { self.init(at: range.start, size: range.size) }
}
