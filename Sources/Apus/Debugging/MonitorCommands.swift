/// What gdb's command `monitor` knows: words in, a text for a person out.
///
/// On the debugger's thread, and so never one that waits for the device thread without a limit.
struct MonitorCommands: Sendable {
  /// A command.
  struct Command: Sendable {
    /// The word that it begins with.
    let name: String
    /// What it does, in a few words.
    let help: String
    /// What it says; it gets the words behind its name.
    let run: @Sendable ([String]) -> String
  }

  private let commands: [Command]

  init(_ commands: [Command]) {
    self.commands = commands
  }

  /// Answers a line that was split into its words. It ends with a line feed.
  func answer(_ words: [String]) -> String {
    guard let name = words.first, name != "help" else { return help }
    guard let command = commands.first(where: { $0.name == name }) else {
      return "'\(name)' is no command; 'monitor help' lists them\n"
    }
    return command.run(Array(words.dropFirst())) + "\n"
  }

  private var help: String {
    let width = (commands.map(\.name.count) + [4]).max() ?? 4
    func line(_ name: String, _ text: String) -> String {
      name + String(repeating: " ", count: width + 2 - name.count) + text + "\n"
    }
    return commands.map { line($0.name, $0.help) }.joined() + line("help", "this list")
  }
}
