import CPUModel
import GuestMemory
import Host
import HostBackends
import KVM
import Snapshot
import Virtio

// Snapshots of the boot that runs. On the device thread; what takes long is another thread's and another process's.
extension Boot {
  /// Pauses the machine where it is not paused, takes a snapshot, and lets the machine go on. What does not need the
  /// machine to stand is done then.
  func takeSnapshot(_ wish: SnapshotWish) {
    guard pendingSnapshot == nil else { return wish.finished(.failure(.another)) }
    guard configuration.personality == .kvm else { return wish.finished(.failure(.shared)) }
    let pending = PendingSnapshot(wish, wasPaused: isPaused)
    pendingSnapshot = pending
    pause(isOfBoot: true) { [self] isPaused in
      guard pendingSnapshot === pending else { return }
      guard isPaused else {
        pendingSnapshot = nil
        return wish.finished(.failure(SnapshotFailure("the machine goes on: somebody else resumed it")))
      }
      // What other processes know of the guest, which may take its time.
      assembly.prepareState { [self] error in
        guard pendingSnapshot === pending else { return }
        pendingSnapshot = nil
        take(pending, obstacle: error)
      }
    }
  }

  /// The boot ends: a snapshot that waits for it to stand is one of the next boot's.
  func handOverSnapshot() {
    guard let wish = pendingSnapshot?.wish else { return }
    pendingSnapshot = nil
    mailbox.ask { boot in if let boot { boot.takeSnapshot(wish) } else { wish.finished(.failure(.ended)) } }
  }

  private func take(_ pending: PendingSnapshot, obstacle: MachineStateError?) {
    let (wish, begun, wasPaused) = (pending.wish, pending.begun, pending.wasPaused)
    do {
      if let obstacle { throw obstacle }
      guard isPaused else { throw SnapshotFailure("the machine goes on: somebody else resumed it") }
      let taking = try SnapshotTaking(wish, self, begun: begun)
      if !wasPaused { resume() }
      taking.stood(wasPaused ? 0 : HostClock.monotonic - begun)
      try snapshots.finish(taking, mailbox)
    } catch {
      if !wasPaused, isPaused { resume() }
      wish.finished(.failure(error as? SnapshotFailure ?? SnapshotFailure("\(error)")))
    }
  }
}

/// A snapshot that waits for the machine to stand.
final class PendingSnapshot: @unchecked Sendable {
  // SAFETY: @unchecked: it never changes, and is told apart on the device thread alone.

  let wish: SnapshotWish
  /// In the host's monotonic nanoseconds.
  let begun = HostClock.monotonic
  /// Whether the machine stood before somebody asked.
  let wasPaused: Bool

  init(_ wish: SnapshotWish, wasPaused: Bool) {
    self.wish = wish
    self.wasPaused = wasPaused
  }
}

/// A snapshot of which all is written but what a child process writes, and what follows then. The machine may run.
final class SnapshotTaking: @unchecked Sendable {
  // SAFETY: @unchecked: handed from the device thread to the one that finishes it.

  private let wish: SnapshotWish
  private let writer: SnapshotWriter
  private let child: MemoryChild?
  private let images: [MemoryImage]
  private var manifest: SnapshotManifest
  private let begun: UInt64
  private let content: ChangeTracking.Content
  private let changes: ChangeTracking
  private let disks: [DiskImage]

  /// Writes what the machine has to stand for, and begins the rest. On the device thread, of a paused machine.
  ///
  /// - Throws: ``SnapshotError``, ``MachineStateError``, or ``KVMError``.
  init(_ wish: SnapshotWish, _ boot: Boot, begun: UInt64) throws {
    self.wish = wish
    self.begun = begun
    try boot.checkRegisters()
    var wishes = SnapshotWishes()
    wishes.hasDiskChecksums = wish.options.checksumsDisks
    wishes.keepsSharedPlatform = wish.options.keepsSharedPlatform
    let parts = try boot.assembly.takeState(wishes)
    disks = boot.assembly.devices.images
    let processors = try boot.processorsState()
    writer = try SnapshotWriter(wish.directory, replacing: wish.options.replaces)
    let pieces = try parts.map { MachineSnapshot.Piece(name: $0.name, bytes: try StateCoding.encode($0)) }
    try writer.addPart(MachineSnapshot.PartName.configuration, boot.codedFrozenConfiguration())
    try writer.addPart(MachineSnapshot.PartName.processors, StateCoding.encode(Versioned(processors)))
    try writer.addPart(MachineSnapshot.PartName.devices, StateCoding.encode(pieces))
    var images: [MemoryImage] = []
    for memory in boot.assembly.devices.copiedMemory {
      let image = try writer.addMemory(MemoryRegion(memory.name, memory.range), memory.pages)
      try image.write()
      images.append(image)
    }
    let content = try boot.changes.begin(wish, writer)
    let image = try writer.addMemory(content.region, content.pages)
    images.append(image)
    // Few pages are written sooner than a process is made that has the memory as it is.
    if content.isSmall {
      try image.write()
      child = nil
    } else {
      child = try MemoryChild(writing: [image])
    }
    try boot.changes.taken(wish)
    self.images = images
    self.content = content
    changes = boot.changes
    manifest = SnapshotManifest(
      apusVersion: ApusVersion.current,
      created: UInt64(max(0, HostClock.wallSeconds)),
      machine: boot.describedMachine,
      model: boot.assembly.model?.name ?? "host"
    )
    manifest.base = content.base
    manifest.disks = parts.compactMap { part in (part.state as? DiskIdentity).map { Self.disk(part.name, $0) } }
    manifest.details = wish.options.notes.sorted { $0.key < $1.key }.map { .init($0.key, $0.value) }
  }

  /// - Parameter part: the name of what a state has of what stands behind the disk.
  private static func disk(_ part: String, _ identity: DiskIdentity) -> SnapshotManifest.Disk {
    SnapshotManifest.Disk(
      device: String(part.prefix { $0 != "." }),
      path: identity.path,
      size: identity.size,
      inode: identity.inode,
      changeTime: identity.changeTime,
      checksum: identity.checksum.map(Hexadecimal.text)
    )
  }

  /// The machine has stood still for so long, in nanoseconds.
  func stood(_ time: UInt64) { manifest.pause = time }

  /// Waits for the child, and makes a snapshot of all. On a thread that may wait.
  ///
  /// - Parameter mailbox: for what the device thread is to know of it.
  func finish(_ mailbox: Mailbox) {
    let result: Result<SnapshotSummary, SnapshotFailure>
    do {
      try child?.end()
      // What the guest believes to be on its disks is there before anybody goes on from here.
      for disk in disks { try disk.flush() }
      let written = try writer.commit(manifest)
      let summary = SnapshotSummary(
        directory: wish.directory,
        identifier: "\(written.identifier)",
        size: written.parts.reduce(0) { $0 + $1.length } + images.reduce(0) { $0 + $1.stored },
        pausedTime: manifest.pause,
        duration: HostClock.monotonic - begun
      )
      result = .success(summary)
    } catch {
      // Whoever hears of it finds nothing of it.
      writer.discard()
      result = .failure(SnapshotFailure("\(error)"))
    }
    // Whoever asks for the next one finds the changes counted from this one.
    mailbox.ask { [self, wish] _ in
      changes.finished(content, as: try? result.get())
      wish.finished(result)
    }
  }
}

/// The snapshots of a run that are being finished, each on a thread of its own. On the device thread.
final class SnapshotThreads {
  /// Opened by each thread at its end.
  private let gate = Gate()
  private var begun = 0

  /// Has a snapshot finished.
  ///
  /// - Throws: ``HostError`` where the host gives no thread.
  func finish(_ taking: SnapshotTaking, _ mailbox: Mailbox) throws(HostError) {
    try HostThread.startDetached(name: "snapshot") { [gate] in
      taking.finish(mailbox)
      gate.open()
    }
    begun += 1
  }

  /// Waits for those that are not finished. At the end of the run.
  func end() {
    for _ in 0..<begun { gate.wait() }
    begun = 0
  }
}

extension Boot {
  /// A guest with a model was promised registers by name: one that this program knows nothing of is none of them.
  ///
  /// - Throws: ``MachineStateError`` with all of them; ``KVMError``.
  fileprivate func checkRegisters() throws {
    guard let model = assembly.model else { return }
    let unknown = Contract.unknown(in: try assembly.runners[0].vcpu.registerList())
    guard !unknown.isEmpty else { return }
    let names = unknown.map { SystemRegisters.name($0) }.joined(separator: ", ")
    throw MachineStateError([
      "this kernel has registers that the model '\(model.name)' and Apus \(ApusVersion.current) know nothing of: \(names); "
        + "use an Apus or a host's kernel with which the guest has none of them, or start it with the model 'host', which "
        + "promises them"
    ])
  }

  /// The vCPUs as they stand.
  func processorsState() throws(KVMError) -> ProcessorsState {
    let runners = assembly.runners
    var processors: [VCPUState] = []
    var affinities: [UInt64] = []
    for runner in runners {
      processors.append(try VCPUState(runner.vcpu))
      affinities.append(try runner.vcpu.register(.multiprocessorAffinity))
    }
    return ProcessorsState(
      contract: Contract.version,
      features: assembly.features.rawValue,
      counterFrequency: System.counterFrequency,
      virtualCounter: time.virtualCounter,
      wallTime: HostClock.wallNanoseconds,
      processors: processors,
      interrupts: try assembly.machine.machine.interruptController.state(
        version: UInt32(assembly.board.gic.rawValue),
        affinities: affinities,
        interruptCount: assembly.board.interruptCount
      )
    )
  }

  /// The configuration of machines that go on from here, without what is this process's alone.
  var frozenConfiguration: Configuration {
    var frozen = configuration.withAbsolutePaths.withCardAddresses
    frozen.uuid = identity
    // A file may be another one when the machine goes on, and a name another model in another version.
    if let model = assembly.model { frozen.cpuModel = .model(model) }
    frozen.gic = assembly.board.gic == .v2 ? .v2 : .v3
    frozen.console = .none
    frozen.control = nil
    frozen.debugger = nil
    frozen.timeout = nil
    frozen.scmiTranscript = nil
    frozen.gunyahTranscript = nil
    frozen.deviceTreeDump = nil
    frozen.measuresMemory = false
    return frozen
  }

  /// Its coded form, which stays the same.
  func codedFrozenConfiguration() throws -> [UInt8] {
    if let codedConfiguration { return codedConfiguration }
    let coded = try StateCoding.encode(frozenConfiguration)
    codedConfiguration = coded
    return coded
  }

  /// The machine in a few words.
  var describedMachine: SnapshotManifest.Machine {
    SnapshotManifest.Machine(
      name: configuration.name,
      uuid: "\(identity)",
      cpus: configuration.cpuCount,
      gic: assembly.board.gic.rawValue
    )
  }
}
