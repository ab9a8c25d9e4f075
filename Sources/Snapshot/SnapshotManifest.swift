/// What a snapshot is of and what belongs to it: the file that people read first.
package struct SnapshotManifest: Equatable, Sendable {
  /// The file's name.
  package static let file = "manifest.json"
  /// The number of the directory's format.
  package static let version: UInt64 = 1

  /// What was frozen, as people know it.
  package struct Machine: Equatable, Sendable {
    /// As it was called.
    package var name: String
    /// Its UUID as a text, where it had one.
    package var uuid: String?
    /// How many vCPUs.
    package var cpus: Int
    /// The version of its interrupt controller.
    package var gic: Int

    package init(name: String, uuid: String? = nil, cpus: Int, gic: Int) {
      self.name = name
      self.uuid = uuid
      self.cpus = cpus
      self.gic = gic
    }
  }

  /// A snapshot that this one has only the changes to.
  package struct Base: Equatable, Sendable {
    /// Where it is, from this one's directory.
    package var path: String
    /// Which one it was.
    package var identifier: SnapshotIdentifier

    package init(path: String, identifier: SnapshotIdentifier) {
      self.path = path
      self.identifier = identifier
    }
  }

  /// A disk, which isn't copied.
  package struct Disk: Equatable, Sendable {
    /// The device's name.
    package var device: String
    /// As it was given.
    package var path: String
    /// In bytes.
    package var size: UInt64
    /// The file's number in its file system.
    package var inode: UInt64
    /// When the file was changed last, in nanoseconds since 1970.
    package var changeTime: Int64
    /// Of its bytes, where it was asked for.
    package var checksum: String?

    package init(
      device: String,
      path: String,
      size: UInt64,
      inode: UInt64,
      changeTime: Int64,
      checksum: String? = nil
    ) {
      self.device = device
      self.path = path
      self.size = size
      self.inode = inode
      self.changeTime = changeTime
      self.checksum = checksum
    }
  }

  /// A file with a state.
  package struct Part: Equatable, Sendable {
    /// What it is the state of.
    package var name: String
    /// Its name in the directory.
    package var file: String
    /// In bytes.
    package var length: UInt64
    /// CRC-32C of the identifier's bytes and the file's.
    package var checksum: UInt32

    package init(name: String, file: String, length: UInt64, checksum: UInt32) {
      self.name = name
      self.file = file
      self.length = length
      self.checksum = checksum
    }
  }

  /// A file with memory.
  package struct Memory: Equatable, Sendable {
    /// What the region is called.
    package var name: String
    /// Its name in the directory.
    package var file: String
    /// Where the guest sees the region.
    package var start: UInt64
    /// Of the region, in bytes.
    package var size: UInt64
    /// How many bytes of it the file has; the rest is holes.
    package var stored: UInt64
    /// Whether only what has changed since the base is in the file.
    package var isChanges: Bool

    package init(name: String, file: String, start: UInt64, size: UInt64, stored: UInt64, isChanges: Bool) {
      self.name = name
      self.file = file
      self.start = start
      self.size = size
      self.stored = stored
      self.isChanges = isChanges
    }
  }

  /// Something else that is to be known, as a text.
  package struct Detail: Equatable, Sendable {
    /// By which it is found; there is no second one.
    package var name: String
    /// Any text.
    package var value: String

    package init(_ name: String, _ value: String) {
      self.name = name
      self.value = value
    }
  }

  /// Which snapshot it is; the writer's.
  package var identifier: SnapshotIdentifier
  /// The Apus that wrote it.
  package var apusVersion: String
  /// When it was taken, in seconds since 1970.
  package var created: UInt64
  /// For how long the machine was paused for it, in nanoseconds.
  package var pause: UInt64
  /// What was frozen.
  package var machine: Machine
  /// The CPU model's name.
  package var model: String
  /// The size of the host's pages, in bytes; the writer's.
  package var pageSize: UInt64
  /// The snapshot that it has only the changes to.
  package var base: Base?
  /// The machine's disks.
  package var disks: [Disk] = []
  /// What else is to be known.
  package var details: [Detail] = []
  /// The files with states; the writer's.
  package var parts: [Part] = []
  /// The files with memory; the writer's.
  package var memory: [Memory] = []

  package init(apusVersion: String, created: UInt64, machine: Machine, model: String, pause: UInt64 = 0) {
    self.init(SnapshotIdentifier(), apusVersion: apusVersion, created: created, machine: machine, model, pause)
  }

  init(
    _ identifier: SnapshotIdentifier,
    apusVersion: String,
    created: UInt64,
    machine: Machine,
    _ model: String,
    _ pause: UInt64
  ) {
    self.identifier = identifier
    self.apusVersion = apusVersion
    self.created = created
    self.pause = pause
    self.machine = machine
    self.model = model
    pageSize = 0
  }

  /// The text of that name, if there is one.
  package func detail(_ name: String) -> String? { details.first { $0.name == name }?.value }
}
