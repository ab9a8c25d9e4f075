import ArgumentParser
import Host

/// What `apus exec` is asked for.
struct ExecRequest {
  var kernel: String
  /// What the options of machines and devices change.
  var changes: [Setting] = []
  /// The folder that is the guest's root.
  var root = Self.root
  /// Folders in which the command may write.
  var writable: [String] = []
  /// Where the command runs; where this process does by default.
  var folder: String?
  /// Variables of the command's environment.
  var variables: [String] = []
  var timeout: String?
  var isVerbose = false
  /// The command and its arguments.
  var command: [String] = []

  static let root = "/"

  init(kernel: String) {
    self.kernel = kernel
  }

  /// Whether a text is a variable with its value.
  static func isVariable(_ text: String) -> Bool {
    text.utf8.contains(UInt8(ascii: "=")) && text.utf8.first != UInt8(ascii: "=")
  }

  /// Runs the command.
  ///
  /// - Throws: its exit status as an `ExitCode`, or a `ValidationError`.
  func run() throws {
    ProcessMemory.shareHeap()
    var limit: Duration?
    if let timeout {
      guard let time = TimeLimit(timeout)?.duration, time > .zero else {
        throw ValidationError("--timeout: \(TimeLimit.form), above 0")
      }
      limit = time
    }
    let root = try ExecRoot(self)
    let signals = try ExecCommand.orFail { () throws(HostError) in try SignalDescriptor.stop() }
    let session = ExecSession(root, limit: limit, isVerbose: isVerbose)
    session.forward(signals)
    throw ExitCode(session.run())
  }
}
