import GuestABI
import GuestMemory
internal import Host
import KVM
import VirtioDevices

/// A hot-plug region of a boot: its memory, and KVM's slots over what the guest has of it. On the device thread.
///
/// It keeps memory and slots together: there is no slot over what is unplugged, so that an access to it comes to user
/// space and ends the machine, and the host has its memory back.
final class HotplugRegion: MemoryBackend, @unchecked Sendable {
  // SAFETY: @unchecked: on the device thread only; the place is immutable.

  let place: Board.HotplugRegion
  private let memory: HotplugMemory
  private let blockSize: UInt64
  private var slots: HotplugSlots
  private let machine: SharedMachine
  private let mailbox: Mailbox
  private unowned let budget: MemoryBudget
  private var hold = Hold.none
  /// Whether vCPUs wait for what cannot be done while they run.
  private enum Hold {
    case none
    case wanted
    case there
    case failed
  }

  /// How much the guest has, in bytes.
  private(set) var pluggedSize: UInt64 = 0
  /// Called when the guest has more or less.
  var onChange: () -> Void = {}
  /// Called once the region can answer what it was asked to do later.
  var onReady: () -> Void = {}

  /// Reserves the region, of which the guest has nothing yet.
  ///
  /// - Throws: ``GuestMemoryError``.
  init(
    _ place: Board.HotplugRegion,
    blockSize: UInt64,
    machine: SharedMachine,
    mailbox: Mailbox,
    budget: MemoryBudget
  ) throws(GuestMemoryError) {
    self.place = place
    self.blockSize = blockSize
    self.machine = machine
    self.mailbox = mailbox
    self.budget = budget
    memory = try HotplugMemory(name: place.name, range: place.range)
    slots = HotplugSlots(regionSize: place.range.size, blockSize: blockSize, numbers: place.memorySlots)
  }

  /// How many slots of KVM's there are.
  var slotCount: Int { slots.slots.count }

  /// How much of the host's memory it has, in bytes; 0 where the host does not say.
  var residentSize: UInt64 { (try? memory.residentSize()) ?? 0 }

  /// How much the guest has and has not touched, in bytes.
  var untouchedSize: UInt64 {
    pluggedSize - min(pluggedSize, residentSize)
  }

  /// What of it is a part of the machine's memory.
  var copied: CopiedMemory {
    var runs: [Range<UInt64>] = []
    for slot in slots.slots {
      let (start, end) = (UInt64(slot.blocks.lowerBound) * blockSize, UInt64(slot.blocks.upperBound) * blockSize)
      if let last = runs.last, last.upperBound == start {
        runs[runs.count - 1] = last.lowerBound..<end
      } else {
        runs.append(start..<end)
      }
    }
    // SAFETY: the boot keeps this object, and with it the mapping.
    return unsafe CopiedMemory(
      name: "hotplug-\(place.name)",
      range: place.range,
      hostAddress: memory.hostAddress,
      descriptor: memory.fileDescriptor,
      runs: runs
    )
  }

  // MARK: For the device

  func plug(_ blocks: Range<Int>) -> MemoryAnswer {
    guard budget.take(size(of: blocks)) else { return .busy }
    let answer = makeSlots(for: blocks)
    guard answer == .done else {
      budget.giveBack(size(of: blocks))
      return answer
    }
    pluggedSize += size(of: blocks)
    onChange()
    return .done
  }

  private func makeSlots(for blocks: Range<Int>) -> MemoryAnswer {
    if slots.plugging(blocks) == nil, let change = slots.joining() {
      guard hold == .there else { return waitForVCPUs() }
      guard make(change) else { return .busy }
    }
    guard let change = slots.plugging(blocks), make(change) else { return .busy }
    return .done
  }

  func unplug(_ blocks: Range<Int>) -> MemoryAnswer {
    guard let change = slots.unplugging(blocks) else {
      guard let change = slots.joining() else { return .busy }
      guard hold == .there else { return waitForVCPUs() }
      guard make(change), let change = slots.unplugging(blocks) else { return .busy }
      return unplug(blocks, by: change)
    }
    return unplug(blocks, by: change)
  }

  private func unplug(_ blocks: Range<Int>, by change: HotplugSlots.Change) -> MemoryAnswer {
    guard hold == .there || !change.replaces else { return waitForVCPUs() }
    guard make(change) else { return .busy }
    giveBack(blocks)
    onChange()
    return .done
  }

  func unplugAll() -> MemoryAnswer {
    let change = slots.unpluggingAll()
    guard make(change) else { return .busy }
    for slot in change.removed { giveBack(slot.blocks) }
    onChange()
    return .done
  }

  // MARK: Memory

  private func size(of blocks: Range<Int>) -> UInt64 { UInt64(blocks.count) * blockSize }

  private func giveBack(_ blocks: Range<Int>) {
    budget.giveBack(size(of: blocks))
    pluggedSize -= size(of: blocks)
    do {
      try memory.giveBack(UInt64(blocks.lowerBound) * blockSize, count: size(of: blocks))
    } catch {
      // The guest no longer reaches it, but finds its own bytes there when it plugs it again.
      mailbox.give(Outcome(.hostFailure, "hot-plug memory '\(place.name)' cannot be given back: \(error)"))
    }
  }

  // MARK: Slots

  /// Has KVM make a change.
  ///
  /// - Returns: whether it did. Where it did not, all is as before, or the machine ends.
  private func make(_ change: HotplugSlots.Change) -> Bool {
    var removed = 0
    var added = 0
    do {
      for slot in change.removed {
        try set(slot, isThere: false)
        removed += 1
      }
      for slot in change.added {
        try set(slot, isThere: true)
        added += 1
      }
    } catch {
      undo(change, removed: removed, added: added)
      return false
    }
    slots.note(change)
    return true
  }

  private func undo(_ change: HotplugSlots.Change, removed: Int, added: Int) {
    do {
      for slot in change.added[..<added] { try set(slot, isThere: false) }
      for slot in change.removed[..<removed] { try set(slot, isThere: true) }
    } catch {
      mailbox.give(Outcome(.hostFailure, "hot-plug memory '\(place.name)' is lost to the guest: \(error)"))
    }
  }

  private func set(_ slot: HotplugSlots.Slot, isThere: Bool) throws(KVMError) {
    let offset = UInt64(slot.blocks.lowerBound) * blockSize
    // SAFETY: the blocks lie in the region, whose mapping lives as long as this object, which the boot keeps until all
    // vCPUs have ended.
    try unsafe machine.machine.setUserMemoryRegion(
      slot: slot.number,
      guestAddress: place.range.start.rawValue + offset,
      size: isThere ? size(of: slot.blocks) : 0,
      hostAddress: memory.hostAddress + Int(offset)
    )
    let piece = memory.inspected(offset, count: size(of: slot.blocks))
    if isThere { machine.memory.add(piece) } else { machine.memory.remove(piece.range) }
  }

  // MARK: vCPUs

  /// Has all vCPUs wait, and then the device ask once more. Where they do not come, the answer is that it is busy.
  private func waitForVCPUs() -> MemoryAnswer {
    guard hold != .failed else { return .busy }
    guard hold == .none else { return .later }
    hold = .wanted
    mailbox.ask { [weak self] boot in
      boot?.whileVCPUsWait { [weak self] isHeld in self?.askAgain(isHeld: isHeld) }
    }
    return .later
  }

  private func askAgain(isHeld: Bool) {
    hold = isHeld ? .there : .failed
    onReady()
    hold = .none
  }
}
