/// How a snapshot is taken.
public struct SnapshotOptions: Sendable {
  /// The directory of the machine's latest snapshot, or of the one that it goes on from: only what has changed since
  /// then is written. Nil: everything.
  public var base: String?
  /// Whether a snapshot that is in the directory already is replaced, in one step.
  public var replaces = false
  /// Whether KVM logs from now on what changes, so that a differential may follow. That costs the guest a fault for
  /// each page that it writes first. One that follows a differential logs anyway.
  public var logsChanges = false
  /// Whether checksums of the disks are kept, and not only their sizes and times. They are read whole for it.
  public var checksumsDisks = false
  /// What the owner wants to find again, by name: ``MachineSnapshot/notes``. It is not secret.
  public var notes: [String: String] = [:]
  /// Whether the SCMI platform that the machine shares is in it, too, as it stands while the machine does. Who goes on
  /// says that it is to be found: ``MachineSnapshot/Options/restoresPlatform``.
  package var keepsSharedPlatform = false

  /// A full snapshot.
  public init() {}
}

/// What a snapshot has come to.
public struct SnapshotSummary: Sendable, Equatable {
  /// Where it is, as it was given.
  public let directory: String
  /// 32 hexadecimal digits, by which differentials know it.
  public let identifier: String
  /// Bytes on disk.
  public let size: UInt64
  /// How long the guest stood still for it, in nanoseconds; 0 where the machine was paused anyway.
  public let pausedTime: UInt64
  /// How long it took in all, in nanoseconds.
  public let duration: UInt64
}

/// Why there is no snapshot. The machine goes on, or stays paused, as it was; what was in the directory before is
/// there.
public struct SnapshotFailure: Error, Equatable, Sendable, CustomStringConvertible {
  /// Why, and what to do about it.
  public let description: String
  /// Whether the machine has ended, or ends.
  public let isEnd: Bool

  init(_ description: String, isEnd: Bool = false) {
    self.description = description
    self.isEnd = isEnd
  }

  static let shared = SnapshotFailure(
    "a machine that finds Gunyah shares queues and memory with others, and cannot be frozen alone; "
      + "take snapshots of machines with the personality 'kvm'"
  )
  static let another = SnapshotFailure(
    "another snapshot of this machine is being written; wait until it is complete"
  )
}

/// A snapshot that is to be taken of the boot that runs.
struct SnapshotWish: Sendable {
  let directory: String
  let options: SnapshotOptions
  /// Called once, on any thread.
  let finished: @Sendable (Result<SnapshotSummary, SnapshotFailure>) -> Void
}

extension Machine {
  /// Writes the whole machine into a directory, from which ``Machine/init(restoring:_:options:platform:logger:)``
  /// makes others that go on where this one stands. A machine that runs is paused for as long as the snapshot needs it
  /// to be, which is not until it is written, and goes on; one that is paused stays so.
  ///
  /// What is in it and what is not: Documentation/Snapshots.md. The directory is there whole or not at all, also where
  /// the host fails in the middle.
  ///
  /// - Parameters:
  ///   - directory: is not to be there yet; the one above it is. Only the caller's user can read it.
  ///   - options: what is to be different.
  /// - Throws: ``SnapshotFailure``.
  public func snapshot(
    to directory: String,
    _ options: SnapshotOptions = SnapshotOptions()
  ) async throws(SnapshotFailure) -> SnapshotSummary {
    let result = await withCheckedContinuation { continuation in
      let wish = SnapshotWish(directory: directory, options: options) { continuation.resume(returning: $0) }
      askBoot { boot in
        guard let boot else { return wish.finished(.failure(.ended)) }
        boot.takeSnapshot(wish)
      }
    }
    return try result.get()
  }
}

extension SnapshotFailure {
  static let ended = SnapshotFailure("the machine has ended", isEnd: true)
}
