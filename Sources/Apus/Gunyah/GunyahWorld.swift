import GuestMemory
import Gunyah
import Host
import KVM

/// What the resource manager does to machines of KVM's. On the manager's thread alone.
final class GunyahWorld: ResourceManagerHost {
  private let thread: ManagerThread
  private let bell: ManagerBell
  private var residents: [VMID: GunyahGuest] = [:]
  private var secondaries: [VMID: SecondaryMachine] = [:]
  /// All memory that a parcel may be of, by the number that the manager knows it by: one for each time that a machine
  /// began, so that memory of one that has ended is never taken for its next one's.
  private var homes: [VMID: InspectedMemory] = [:]
  /// Which of them is a resident's own RAM.
  private var ownHomes: [VMID: VMID] = [:]
  /// Above all numbers of machines.
  private var lastHome = firstHome

  private static let firstHome: UInt16 = 0x8000

  init(_ thread: ManagerThread, _ bell: ManagerBell) {
    self.thread = thread
    self.bell = bell
  }

  /// The machines with a link to the manager.
  var guests: [GunyahGuest] { Array(residents.values) + secondaries.values.compactMap(\.guest) }

  /// A machine that is there at the start.
  ///
  /// - Returns: the number of its memory.
  func add(_ guest: GunyahGuest, _ ram: InspectedMemory) -> VMID {
    residents[guest.vmid] = guest
    repeat { lastHome = lastHome == .max ? Self.firstHome : lastHome + 1 } while homes[VMID(lastHome)] != nil
    homes[VMID(lastHome)] = ram
    ownHomes[guest.vmid] = VMID(lastHome)
    return VMID(lastHome)
  }

  /// Whether it is among those that are there.
  func has(_ guest: GunyahGuest) -> Bool { residents[guest.vmid] === guest }

  /// It has ended.
  func remove(_ guest: GunyahGuest) {
    residents[guest.vmid] = nil
    ownHomes[guest.vmid] = nil
    forgetsMemory = true
  }

  /// Whether there may be memory that nobody has any longer.
  private(set) var forgetsMemory = false

  /// Lets go of memory whose machine has ended and that no other one has.
  ///
  /// - Parameter isNamed: whether the manager knows of memory of that number.
  func forgetMemory(unless isNamed: (VMID) -> Bool) {
    forgetsMemory = false
    homes = homes.filter { home, memory in
      ownHomes.values.contains(home) || isNamed(home) || secondaries.values.contains { $0.has(memory) }
        || residents.values.contains { guest in guest.memory.allPieces.contains { $0.memory === memory } }
    }
  }

  private func guest(_ machine: VMID) -> GunyahGuest? { residents[machine] ?? secondaries[machine]?.guest }

  /// Under which name what a machine says is written down, and where; nil where nobody does, or it is gone.
  func record(of machine: VMID) -> GunyahRecorder.Machine? { guest(machine)?.record }

  // MARK: Memory

  func revoke(_ pieces: [MemoryPiece], leaving rights: MemoryRights, in machine: VMID) throws(RMError) {
    // A slot of KVM's has the rights to read and to run code always.
    guard !rights.contains(.write) else { return }
    try change(machine, removing: pieces, adding: rights.isEmpty ? [] : pieces, rights)
  }

  func restore(_ pieces: [MemoryPiece], in machine: VMID) {
    changeSurely(machine, removing: pieces, adding: pieces, "memory that it had lent does not come back")
  }

  func map(_ pieces: [MemoryPiece], rights: MemoryRights, in machine: VMID) throws(RMError) {
    do throws(RMError) {
      try change(machine, removing: [], adding: pieces, rights)
    } catch {
      throw error == .busy ? .busy : .mapFailed
    }
  }

  func unmap(_ pieces: [MemoryPiece], in machine: VMID) {
    changeSurely(machine, removing: pieces, adding: [], "memory that it gives back does not go")
  }

  /// Changes what cannot be left as it is: where a machine's vCPUs do not come, or KVM refuses, the machine ends, and
  /// the change is made when it has.
  private func changeSurely(
    _ machine: VMID,
    removing removed: [MemoryPiece],
    adding added: [MemoryPiece],
    _ reason: String
  ) {
    var failure = RMError.busy
    for _ in 0..<Self.patience where failure == .busy {
      do throws(RMError) {
        return try change(machine, removing: removed, adding: added, .all)
      } catch {
        failure = error
      }
    }
    guest(machine)?.fail("\(reason): \(failure == .busy ? "a vCPU does not stop for it" : "KVM changes no slot")")
    if let secondary = secondaries[machine] {
      secondary.stop()
    } else {
      residents[machine]?.vcpus.waitForEnd()
    }
    // Nothing runs that could use what does not go.
    try? change(machine, removing: removed, adding: added, .all)
  }

  /// How often a machine's vCPUs are waited for, a second each time, until it ends for it.
  private static let patience = 5

  func clear(_ pieces: [MemoryPiece]) {
    for piece in pieces { homes[piece.home]?.zero(at: piece.homeAddress, count: piece.size) }
  }

  private func change(
    _ machine: VMID,
    removing removed: [MemoryPiece],
    adding added: [MemoryPiece],
    _ rights: MemoryRights
  ) throws(RMError) {
    var pieces: [MappedMemory.Piece] = []
    for piece in added {
      guard let memory = homes[piece.home] else { throw .memoryInvalid }
      pieces.append(
        MappedMemory.Piece(
          range: GuestRange(piece.range),
          memory: memory,
          offset: piece.homeAddress - memory.range.start.rawValue,
          isWritable: rights.contains(.write)
        )
      )
    }
    let ranges = removed.map { GuestRange($0.range) }
    guard let guest = guest(machine) else {
      // Of a machine that has just ended nothing is mapped any longer.
      secondaries[machine]?.changeKept(removing: ranges, adding: pieces)
      return
    }
    try guest.changeMemory(removing: ranges, adding: pieces)
  }

  // MARK: Machines

  func create(_ machine: VMID, owner: VMID) throws(RMError) {
    secondaries[machine] = SecondaryMachine(machine, owner: owner, bell)
  }

  func destroy(_ machine: VMID) {
    secondaries[machine] = nil
    forgetsMemory = true
  }

  func configure(_ machine: VMID, image: MachineImage) throws(RMError) -> MachineConfiguration {
    guard let secondary = secondaries[machine], let owner = residents[secondary.owner] else { throw .noResource }
    let name = "machine \(machine.rawValue) of '\(owner.name)'"
    return try secondary.configure(
      read(image),
      owner: owner,
      peers: Dictionary(residents.values.map { ($0.name, $0) }, uniquingKeysWith: { first, _ in first }),
      notes: { owner.tell("\(name): \($0.plain)") },
      output: { owner.tell("\(name)| \(String(decoding: $0, as: UTF8.self).plain)") },
      room: Self.cpuLimit - secondaries.values.reduce(0) { $0 + $1.cpuCount },
      exited: { [thread, life = secondary.life + 1] exit in
        thread.post { desk in desk.exited(machine, exit, life: life) }
      }
    )
  }

  /// The device tree's bytes, copied once.
  private func read(_ image: MachineImage) throws(RMError) -> [UInt8] {
    guard image.deviceTreeSize <= SecondaryTree.sizeLimit else { throw .memoryInvalid }
    var bytes: [UInt8] = []
    var (skipped, wanted) = (image.deviceTreeOffset, image.deviceTreeSize)
    for piece in image.pieces where wanted > 0 {
      guard skipped < piece.size else {
        skipped -= piece.size
        continue
      }
      let count = min(wanted, piece.size - skipped)
      guard let memory = homes[piece.home] else { throw .memoryInvalid }
      bytes += memory.read(at: GuestAddress(piece.homeAddress + skipped), count: Int(count))
      (skipped, wanted) = (0, wanted - count)
    }
    guard wanted == 0 else { throw .memoryInvalid }
    return bytes
  }

  func patchDeviceTree(_ machine: VMID, _ layout: MachineLayout) throws(RMError) {
    guard let secondary = secondaries[machine] else { throw .noResource }
    let tree = try secondary.patchedTree(layout)
    var written = 0
    let start = layout.deviceTree
    for piece in layout.image where written < tree.count {
      let address = start + UInt64(written)
      guard piece.address <= address, address < piece.address + piece.size else { continue }
      let count = min(tree.count - written, Int(piece.address + piece.size - address))
      guard let memory = homes[piece.home] else { throw .noResource }
      let place = GuestAddress(piece.homeAddress + (address - piece.address))
      guard memory.write(tree[written..<written + count], at: place) == count else { throw .noResource }
      written += count
    }
    guard written == tree.count else { throw .noResource }
  }

  func start(_ machine: VMID, at address: UInt64, deviceTree: UInt64) throws(RMError) {
    guard let secondary = secondaries[machine] else { throw .noResource }
    try secondary.start(at: address, deviceTree: deviceTree)
  }

  /// How many vCPUs all machines that the manager has made may have: each is a descriptor and a thread.
  private static let cpuLimit = 256

  /// Which of its lives a machine is in that the manager has made.
  func life(of machine: VMID) -> Int? { secondaries[machine]?.life }

  func stop(_ machine: VMID) { secondaries[machine]?.stop() }

  func reset(_ machine: VMID) {
    guard let secondary = secondaries[machine] else { return }
    secondary.reset()
  }

  /// All machines that the manager has made end.
  func close() {
    for secondary in secondaries.values { secondary.reset() }
    secondaries = [:]
  }
}
