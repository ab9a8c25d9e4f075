import Apus
import ApusGuest
import Glibc
import Host

/// What the guest's root is made of, and how.
struct ExecRoot: Sendable {
  let configuration: Configuration
  let command: GuestCommand
  /// How the guest's root is put together.
  let layers: HostRoot

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
    var layers = HostRoot(root, &configuration)
    for folder in options.writable {
      let path = try Self.resolved(folder, "--writable")
      guard let inside = Self.inside(path, of: root) else {
        Message.say("error: --writable: '\(folder)' is not in the guest's root '\(root)'; name a folder that is")
        throw ExitStatus.of(.usage)
      }
      layers.addWritable(path, at: inside, &configuration)
    }
    self.configuration = configuration
    self.layers = layers

    var command = GuestCommand(words: options.command)
    command.root = HostRoot.place
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
}
