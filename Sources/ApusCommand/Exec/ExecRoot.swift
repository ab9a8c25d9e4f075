import Apus
import ApusGuest
import Glibc
import Host

/// What the guest's root is made of, and how.
struct ExecRoot: Sendable {
  let configuration: Configuration
  let command: GuestCommand
  /// Folders in which the command may write: their tags, and where they are in the guest.
  let writable: [(tag: String, path: String)]

  private static let rootTag = "apus.root"
  /// Where the guest's root is put together.
  static let place = "/root"

  /// - Throws: the exit status, after it has been said what is wrong.
  init(_ options: ExecRequest) throws {
    let root = try Self.resolved(options.root, "--root")
    var settings = Settings(configuration: Configuration(payload: .kernel(path: options.kernel)))
    for change in options.changes { change.apply(to: &settings) }
    var configuration = settings.complete
    configuration.console = .stream
    configuration.onReset = .stop
    configuration.measuresMemory = false
    let words = configuration.commandLine
    configuration.commandLine = "console=ttyAMA0 panic=-1 quiet\(words.isEmpty ? "" : " ")\(words)"
    var share = Configuration.Device.Share(path: root, tag: Self.rootTag)
    share.isReadOnly = true
    share.isOneFileSystem = true
    configuration.devices.append(.init(.share(share)))
    var folders: [(tag: String, path: String)] = []
    for (number, folder) in options.writable.enumerated() {
      let path = try Self.resolved(folder, "--writable")
      guard let inside = Self.inside(path, of: root) else {
        Message.say("error: --writable: '\(folder)' is not in the guest's root '\(root)'; name a folder that is")
        throw ExitStatus.of(.usage)
      }
      let tag = "apus.writable.\(number)"
      configuration.devices.append(.init(.share(.init(path: path, tag: tag))))
      folders.append((tag, inside))
    }
    self.configuration = configuration
    writable = folders

    var command = GuestCommand(words: options.command)
    command.root = Self.place
    command.folder = options.folder ?? (try? Self.resolved(".", "")).flatMap { Self.inside($0, of: root) } ?? "/"
    command.environment = Self.environment(options.variables)
    self.command = command
  }

  /// What the command has of this process's environment: where a person is, and not what they are in the middle of.
  private static func environment(_ added: [String]) -> [String] {
    let names = ["HOME", "LANG", "LC_ALL", "LOGNAME", "PATH", "SHELL", "TERM", "TZ", "USER"]
    let all = ProcessEnvironment.all
    let replaced = Set(added.compactMap { $0.split(separator: "=").first.map(String.init) })
    return names.filter { !replaced.contains($0) }.compactMap { name in all[name].map { "\(name)=\($0)" } } + added
  }

  /// A folder's path without links.
  private static func resolved(_ path: String, _ option: String) throws -> String {
    // SAFETY: the texts hold for the calls, and what the first gives is freed once.
    guard let text = unsafe realpath(path, nil) else {
      let reason = errorText(errno)
      if !option.isEmpty { Message.say("error: \(option): '\(path)': \(reason); name a folder that is there") }
      throw ExitStatus.of(.usage)
    }
    defer { unsafe free(text) }
    return unsafe String(cString: text)
  }

  /// A path as it is under another root, or nil where it is not in there.
  private static func inside(_ path: String, of root: String) -> String? {
    if root == "/" { return path }
    if path == root { return "/" }
    return path.utf8.starts(with: "\(root)/".utf8) ? String(path.dropFirst(root.count)) : nil
  }

  /// Puts the guest's root together: the host's files below, the guest's own above.
  ///
  /// - Throws: ``GuestError``.
  func mount(in guest: Guest, within limit: Duration) async throws(GuestError) {
    // The guest's first file system has these folders, or they are made.
    for folder in ["/lower", "/upper", Self.place] { try await guest.makeFolder(folder, within: limit) }
    try await guest.mount(
      Self.rootTag,
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
