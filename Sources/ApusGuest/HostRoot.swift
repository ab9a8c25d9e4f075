package import Apus
internal import Glibc

/// A guest's root that is a folder of the host's: the host's files below, the guest's own above, and folders in which
/// both write.
package struct HostRoot: Sendable {
  /// Where the guest's root is put together, for ``GuestCommand/root``.
  package static let place = "/root"
  private static let tag = "apus.root"

  /// Their tags, and where they are in the guest's root.
  private var writable: [(tag: String, path: String)] = []

  /// Has a machine share the folder that is to be its guest's root.
  package init(_ folder: String, _ configuration: inout Configuration) {
    configuration.addLowerLayer(folder, tag: Self.tag)
  }

  /// Has the guest write into a folder of the host's.
  ///
  /// - Parameters:
  ///   - folder: of the host's.
  ///   - path: where it is in the guest's root.
  ///   - configuration: the machine's.
  package mutating func addWritable(_ folder: String, at path: String, _ configuration: inout Configuration) {
    let tag = "apus.writable.\(writable.count)"
    configuration.addShare(of: folder, tag: tag)
    writable.append((tag, path))
  }

  /// Whether the guest writes anything of the host's.
  package var isWritten: Bool { !writable.isEmpty }

  /// Puts the guest's root together: the host's files below, the guest's own above.
  ///
  /// - Parameters:
  ///   - guest: which has the configuration's shares.
  ///   - limit: how long each step may take.
  /// - Throws: ``GuestError``.
  package func mount(in guest: Guest, within limit: Duration) async throws(GuestError) {
    // The guest's first file system has these folders, or they are made.
    for folder in ["/lower", "/upper", Self.place] { try await guest.makeFolder(folder, within: limit) }
    try await guest.mount(
      Self.tag,
      at: "/lower",
      type: "virtiofs",
      flags: UInt64(MS_RDONLY),
      within: limit
    )
    try await guest.mount("tmpfs", at: "/upper", type: "tmpfs", within: limit)
    for folder in ["/upper/files", "/upper/work"] { try await guest.makeFolder(folder, within: limit) }
    let layers = "lowerdir=/lower,upperdir=/upper/files,workdir=/upper/work"
    try await guest.mount("overlay", at: Self.place, type: "overlay", options: layers, within: limit)
    for (type, folder) in [("proc", "proc"), ("sysfs", "sys"), ("tmpfs", "run")] {
      try await guest.makeFolder("\(Self.place)/\(folder)", within: limit)
      try await guest.mount(type, at: "\(Self.place)/\(folder)", type: type, within: limit)
    }
    try await guest.makeFolder("\(Self.place)/dev", within: limit)
    try await guest.mount(
      "/dev",
      at: "\(Self.place)/dev",
      type: "none",
      flags: UInt64(MS_BIND | MS_REC),
      within: limit
    )
    for folder in writable {
      try await guest.makeFolder("\(Self.place)\(folder.path)", within: limit)
      try await guest.mount(folder.tag, at: "\(Self.place)\(folder.path)", type: "virtiofs", within: limit)
    }
  }
}
