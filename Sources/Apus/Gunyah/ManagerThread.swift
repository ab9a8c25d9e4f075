import GuestMemory
import Gunyah
import Host
import KVM
internal import Synchronization

/// What wakes the resource manager's thread. From any thread; it takes one system call.
final class ManagerBell: Sendable {
  private let event: EventDescriptor

  init() throws(HostError) { event = try EventDescriptor() }

  func ring() { event.signal() }

  /// Waits until it rings. On the manager's thread.
  func wait() {
    event.wait()
    event.clear()
  }
}

/// The thread of a hypervisor's resource manager, and how others reach it.
///
/// The manager and its world are the thread's alone: others leave work for it, and some wait until it is done.
final class ManagerThread: Sendable {
  typealias Work = @Sendable (ManagerDesk) -> Void

  private struct State {
    /// From the first machine on.
    var bell: ManagerBell?
    var thread: HostThread?
    var work: [Work] = []
    var isEnding = false
  }

  private let state = Mutex(State())
  private let allowsSharedImages: Bool
  private let records: Bool
  private let residents: Set<VMID>

  /// - Parameters:
  ///   - residents: the numbers of machines that are there at the start, or may come later.
  ///   - allowsSharedImages: whether an image may be shared, and not lent.
  ///   - records: whether messages are written down.
  init(residents: Set<VMID>, allowsSharedImages: Bool, records: Bool) {
    self.residents = residents
    self.allowsSharedImages = allowsSharedImages
    self.records = records
  }

  // MARK: For machines

  /// Adds a machine that is there at the start, with its RAM.
  ///
  /// - Parameters:
  ///   - ram: the machine's own.
  ///   - reserved: its addresses at which something else is.
  /// - Throws: ``HostError`` where there is no thread yet and the host gives none.
  func join(_ guest: GunyahGuest, _ ram: InspectedMemory, reserved: [GuestRange]) throws(HostError) {
    let bell = try begin()
    guest.link.queues.toManager.bind(receiver: .manager(bell))
    guest.link.queues.fromManager.bind(sender: .manager(bell))
    post { desk in desk.add(guest, ram, reserved: reserved) }
  }

  /// Takes a machine away whose vCPUs have ended, and waits until nothing of it is left.
  ///
  /// - Returns: the parcels that it had to do with.
  func leave(_ guest: GunyahGuest) -> [MemparcelReport] {
    guest.vcpus.close()
    let (isDone, parcels) = (Gate(), Parcels())
    post { desk in
      parcels.list.withLock { $0 = desk.parcels(of: guest.vmid) }
      desk.remove(guest)
      isDone.open()
    }
    isDone.wait()
    return parcels.list.withLock { $0 }
  }

  private final class Parcels: Sendable {
    let list = Mutex<[MemparcelReport]>([])
  }

  /// Leaves work for the thread, which has begun.
  func post(_ work: @escaping Work) {
    let bell = state.withLock { state in
      state.work.append(work)
      return state.bell
    }
    bell?.ring()
  }

  /// Ends the thread and waits for it; no machine is left.
  func end() {
    let (bell, thread) = state.withLock { state in
      state.isEnding = true
      return (state.bell, state.thread)
    }
    bell?.ring()
    thread?.join()
  }

  private func begin() throws(HostError) -> ManagerBell {
    try state.withLock { state throws(HostError) in
      if let bell = state.bell { return bell }
      let bell = try ManagerBell()
      // The thread ends before this object goes, which is what ends it.
      state.thread = try HostThread(name: "gunyah") { [unowned self] in run(bell) }
      state.bell = bell
      return bell
    }
  }

  // MARK: On the thread

  private func run(_ bell: ManagerBell) {
    let desk = ManagerDesk(
      self,
      bell,
      residents: residents,
      allowsSharedImages: allowsSharedImages,
      records: records
    )
    while true {
      bell.wait()
      let (work, isEnding) = state.withLock { state in
        defer { state.work = [] }
        return (state.work, state.isEnding)
      }
      for piece in work { piece(desk) }
      if isEnding { return desk.close() }
      // What others have left meanwhile comes before more messages.
      if desk.exchangeMessages() { bell.ring() }
    }
  }
}
