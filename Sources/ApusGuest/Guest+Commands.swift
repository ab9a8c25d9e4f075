internal import AgentProtocol
internal import Host
internal import Synchronization

/// A program that ran in a guest, after its end.
public struct CommandResult: Sendable, Equatable {
  /// How it ended.
  public let end: End
  /// What it wrote to its standard output.
  public let outputBytes: [UInt8]
  /// What it wrote to its standard error output.
  public let errorOutputBytes: [UInt8]
  /// Whether it wrote more than was asked to be kept.
  public let isCutOff: Bool

  /// How a program ended.
  public enum End: Sendable, Equatable {
    /// By itself.
    case exited(status: Int32)
    /// By a signal.
    case killed(signal: Int32)
  }

  /// The exit status as a shell has it: 128 and the signal's number where one ended it.
  public var status: Int32 {
    switch end {
    case .exited(let status): status
    case .killed(let signal): 128 + signal
    }
  }

  /// The output as text; what is no UTF-8 is replaced.
  public var output: String { String(decoding: outputBytes, as: UTF8.self) }
  /// The error output as text; what is no UTF-8 is replaced.
  public var errorOutput: String { String(decoding: errorOutputBytes, as: UTF8.self) }
}

/// A program to run in a guest.
public struct GuestCommand: Sendable {
  /// Its path or name, and arguments: at least one word, and at most 4,095 of 256 KiB in all, environment included.
  public var words: [String]
  /// What it reads from its standard input.
  public var input: [UInt8] = []
  /// Variables of the form `NAME=VALUE`; where there is none, those that the kernel gives its first process.
  public var environment = [
    "HOME=/", "TERM=dumb", "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
  ]
  /// Where it runs.
  public var folder = "/"
  /// The folder that is its root.
  public var root = ""

  /// A program and its arguments, as the kernel gets them: no shell comes between.
  public init(_ words: String...) {
    self.words = words
  }

  /// A program and its arguments, as the kernel gets them.
  public init(words: [String]) {
    self.words = words
  }

  /// Lines for the guest's shell, `/bin/sh`.
  public static func shell(_ text: String) -> GuestCommand { GuestCommand("/bin/sh", "-c", text) }

  /// The command in words, for messages.
  package var name: String { "'\(words.joined(separator: " ").prefix(200))'" }

  /// What the agent gets, or nil where a text has a zero in it.
  var payload: [UInt8]? {
    guard let texts = AgentFrame.bytes(of: [folder, root] + words + environment) else { return nil }
    return AgentFrame.bytes(of: UInt32(words.count)) + AgentFrame.bytes(of: UInt32(environment.count)) + texts
  }
}

extension Guest {
  /// How much of each output is kept where the caller says nothing, in bytes.
  public static let outputLimit = 16 << 20

  /// Runs a program in the guest to its end.
  ///
  /// - Parameters:
  ///   - command: what to run.
  ///   - limit: how long it may run on a machine that has nothing else to do; then it is killed.
  ///   - outputLimit: how many bytes of each output are kept; what comes behind them is lost.
  /// - Throws: ``GuestError``.
  public func run(
    _ command: GuestCommand,
    within limit: Duration = Guest.requestLimit,
    keeping outputLimit: Int = Guest.outputLimit
  ) async throws(GuestError) -> CommandResult {
    let kept = KeptOutput(limit: outputLimit)
    let end = try await run(command, within: limit) { kept.take($0, $1) }
    let (output, errors, isCutOff) = kept.all
    return CommandResult(end: end, outputBytes: output, errorOutputBytes: errors, isCutOff: isCutOff)
  }

  /// Runs lines of the guest's shell; see ``run(_:within:keeping:)``.
  ///
  /// - Throws: ``GuestError``.
  public func run(
    _ shell: String,
    within limit: Duration = Guest.requestLimit
  ) async throws(GuestError) -> CommandResult {
    try await run(.shell(shell), within: limit)
  }

  /// Which output bytes are of.
  public enum OutputKind: Sendable {
    /// Standard output.
    case output
    /// Standard error output.
    case errorOutput
  }

  /// Runs a program in the guest to its end and hands on what it writes as it comes.
  ///
  /// - Parameters:
  ///   - command: what to run.
  ///   - limit: how long it may run on a machine that has nothing else to do; then it is killed.
  ///   - feed: gets the way to the program, for input beyond the command's own; whoever has it ends the input.
  ///   - output: is called for one piece after the other, on another thread, and must not wait.
  /// - Throws: ``GuestError``.
  public func run(
    _ command: GuestCommand,
    within limit: Duration,
    feed: (@Sendable (GuestInput) -> Void)? = nil,
    output: @escaping @Sendable (OutputKind, [UInt8]) -> Void
  ) async throws(GuestError) -> CommandResult.End {
    let name = command.name
    guard let payload = command.payload else { throw .refused(what: name, errno: Self.invalid) }
    return try await request(.start, payload, name, within: limit, input: command.input, feed: feed) { event in
      switch event {
      case .output(let bytes): output(.output, bytes)
      case .errorOutput(let bytes): output(.errorOutput, bytes)
      default: break
      }
    }
  }

  /// EINVAL.
  static let invalid: Int32 = 22
}

/// The way to a program that runs in a guest. May be used from any thread.
public struct GuestInput: Sendable {
  private let agent: AgentConnection
  private let stream: UInt32

  init(_ agent: AgentConnection, _ stream: UInt32) {
    (self.agent, self.stream) = (agent, stream)
  }

  /// Sends bytes to the program's standard input, and waits until most of them are on their way. One that has ended
  /// takes none, and keeps nobody waiting.
  public func send(_ bytes: [UInt8]) {
    let gate = Gate()
    agent.send(bytes, to: stream) { gate.open() }
    gate.wait()
  }

  /// Closes the program's standard input.
  public func end() { agent.send([], to: stream, ends: true) }

  /// Sends a signal to the program and those it has started.
  public func signal(_ number: Int32) { agent.signal(number, to: stream) }
}

/// What a program wrote, up to a limit.
final class KeptOutput: Sendable {
  private struct State {
    var output: [UInt8] = []
    var errors: [UInt8] = []
    var isCutOff = false
  }

  private let limit: Int
  private let state = Mutex(State())

  init(limit: Int) {
    self.limit = limit
  }

  func take(_ kind: Guest.OutputKind, _ bytes: [UInt8]) {
    state.withLock { state in
      switch kind {
      case .output:
        if bytes.count > limit - state.output.count { state.isCutOff = true }
        state.output += bytes.prefix(limit - state.output.count)
      case .errorOutput:
        if bytes.count > limit - state.errors.count { state.isCutOff = true }
        state.errors += bytes.prefix(limit - state.errors.count)
      }
    }
  }

  var all: ([UInt8], [UInt8], Bool) { state.withLock { ($0.output, $0.errors, $0.isCutOff) } }
}
