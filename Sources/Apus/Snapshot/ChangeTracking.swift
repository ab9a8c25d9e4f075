import GuestABI
import GuestMemory
import Host
import KVM
import Snapshot

/// What has changed of a boot's RAM since its latest snapshot, as far as that is known. On the device thread.
///
/// A machine that goes on from a snapshot knows without any cost: what was written is no longer the mapped file's. Any
/// other one has to have KVM log what its vCPUs write, which each of them pays with a fault for the first write to a
/// page. What the monitor itself writes is not in that log; so only machines whose devices keep to windows have one.
final class ChangeTracking {
  /// The snapshot that changes are counted from.
  private struct Base {
    let identifier: String
    /// Absolute.
    let path: String
    /// How many stand upon each other with it.
    let depth: Int
  }

  private let configuration: Configuration
  private let machine: SharedMachine
  private let memory: InspectedMemory
  /// The RAM's files, where it goes on from a snapshot.
  private let files: ChainedMemory?
  /// The latest snapshot.
  private var base: Base?
  /// Whether the RAM is a mapped file's where it has not changed: then what is not is at least what has changed since
  /// any later snapshot.
  private var isMapped: Bool { files != nil }
  /// What KVM has logged and is in no snapshot yet, as far as it was read; nil where it does not log.
  private var log: [UInt64]?
  /// Whether KVM has logged since the latest snapshot.
  private var logCovers = false
  /// Whether a snapshot is being finished, which may still fail.
  private var isTaking = false

  /// - Parameter restored: the snapshot that the boot goes on from, or nil.
  init(_ assembly: Assembly, _ configuration: Configuration, restored: MachineSnapshot?) {
    self.configuration = configuration
    machine = assembly.machine.machine
    memory = assembly.machine.ram.inspected()
    files = restored?.chain.memory(MachineSnapshot.MemoryName.ram)
    base = restored.map {
      Base(identifier: $0.identifier, path: HostPath.absolute($0.directory), depth: $0.chain.count)
    }
  }

  /// What is to be written of the RAM, and what that is the changes to.
  struct Content: Sendable {
    let region: MemoryRegion
    let pages: MemoryPages
    let base: SnapshotManifest.Base?
    fileprivate let logged: [UInt64]

    /// Whether it is known to be so little that the machine may stand until it is written.
    var isSmall: Bool {
      guard case .changed = pages else { return false }
      return logged.reduce(0) { $0 + $1.nonzeroBitCount } <= Self.smallCount
    }

    /// In pages.
    private static let smallCount = 1024
  }

  /// - Parameter writer: of the snapshot.
  /// - Throws: ``SnapshotFailure`` where the changes since the wanted base are not known, ``SnapshotError`` for a base
  ///   that the snapshot would replace, or ``KVMError``.
  func begin(_ wish: SnapshotWish, _ writer: SnapshotWriter) throws -> Content {
    guard !isTaking else { throw SnapshotFailure.another }
    if wish.options.logsChanges, let logObstacle { throw SnapshotFailure(logObstacle) }
    let base = try describedBase(wish, writer)
    guard base == nil || logCovers || isMapped else {
      throw SnapshotFailure(
        "what has changed since '\(wish.options.base ?? "")' is not known, since it was not logged; take a full snapshot, "
          + "and have changes logged from then on (log)"
      )
    }
    let logged = try takeLog()
    // SAFETY: the number is an address for as long as the boot lasts, in which it is used.
    let address = unsafe UInt(bitPattern: memory.hostAddress)
    let pages: MemoryPages =
      base == nil
      ? .all(base: address, backed: files?.backed ?? [])
      : logCovers
        ? .changed(base: address, logged)
        : .privately(base: address, unmapped: memory.pagesWithoutFile ?? [])
    let region = MemoryRegion(MachineSnapshot.MemoryName.ram, memory.range)
    return Content(region: region, pages: pages, base: base, logged: logged)
  }

  /// The base as the manifest has it.
  private func describedBase(_ wish: SnapshotWish, _ writer: SnapshotWriter) throws -> SnapshotManifest.Base? {
    guard let wanted = wish.options.base else { return nil }
    guard let base else {
      throw SnapshotFailure(
        "this boot of the machine has no snapshot yet; take a full one, and have changes logged from then on (log)"
      )
    }
    let identifier = try SnapshotReader.identifier(of: wanted)
    guard "\(identifier)" == base.identifier else {
      throw SnapshotFailure(
        "'\(wanted)' is not this machine's latest snapshot, which is '\(base.path)'; give that, or none"
      )
    }
    guard base.depth < SnapshotChain.limit else {
      throw SnapshotFailure("\(base.depth) snapshots stand upon each other already; take a full one")
    }
    return SnapshotManifest.Base(path: try writer.path(to: wanted), identifier: identifier)
  }

  /// The content is on its way: what changes from now on belongs to the next snapshot. While the vCPUs wait.
  func taken(_ wish: SnapshotWish) throws(KVMError) {
    isTaking = true
    guard wish.options.logsChanges || wish.options.base != nil, log == nil, logObstacle == nil else { return }
    // SAFETY: the slot's memory is what it was, and lives as long as the machine; only its flags change.
    try unsafe machine.machine.setUserMemoryRegion(
      slot: Board.MemorySlot.ram,
      guestAddress: memory.range.start.rawValue,
      size: memory.range.size,
      hostAddress: memory.hostAddress,
      logsWrites: true
    )
    log = []
  }

  /// A snapshot is complete, or there is none.
  func finished(_ content: Content, as summary: SnapshotSummary?) {
    isTaking = false
    guard let summary else {
      if let log { self.log = Self.union(log, content.logged) }
      return
    }
    let depth = content.base == nil ? 0 : base?.depth ?? 0
    base = Base(identifier: summary.identifier, path: HostPath.absolute(summary.directory), depth: depth + 1)
    logCovers = log != nil
  }

  private func takeLog() throws(KVMError) -> [UInt64] {
    guard let pending = log else { return [] }
    let pages = Int(memory.range.size / PrivateRAM.pageSize)
    let new = try machine.machine.takeDirtyLog(slot: Board.MemorySlot.ram, pages: pages)
    log = []
    return Self.union(new, pending)
  }

  private static func union(_ one: [UInt64], _ other: [UInt64]) -> [UInt64] {
    guard !other.isEmpty else { return one }
    guard !one.isEmpty else { return other }
    return zip(one, other).map { $0 | $1 }
  }

  /// Why KVM's log would not have all that changes; nil where it has.
  private var logObstacle: String? {
    guard case .confined = configuration.dma, configuration.iommu == nil else {
      return "the machine's devices reach its RAM, so that KVM's log of changes is not whole; take full snapshots, or "
        + "confine the devices to windows"
    }
    guard configuration.debugger == nil else {
      return "a debugger may write the machine's RAM, which KVM's log of changes does not have; take full snapshots"
    }
    return nil
  }
}
