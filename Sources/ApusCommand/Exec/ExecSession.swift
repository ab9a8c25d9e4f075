import Apus
import ApusGuest
import ApusHarness
import Glibc
import Host
import Synchronization

/// One command in one guest.
final class ExecSession: Sendable {
  private let root: ExecRoot
  private let limit: Duration?
  private let output: GuestOutput
  private let state = Mutex(State())

  private struct State {
    var guest: Guest?
    var input: GuestInput?
    var signal: Int32?
  }

  /// How long the guest may take until the command runs, where the caller says nothing.
  private static let startLimit: Duration = .seconds(120)
  /// For a command without a limit: some thirty years.
  private static let endless: Duration = .seconds(1_000_000_000)

  init(_ root: ExecRoot, limit: Duration?, isVerbose: Bool) {
    self.root = root
    self.limit = limit
    let lines = isVerbose ? OutputLines { for line in $0 { Message.say(line) } } : nil
    output = GuestOutput(lines: lines) { _ in }
  }

  /// Hands signals on to the command. The second one ends the guest.
  func forward(_ signals: SignalDescriptor) {
    try? HostThread.startDetached(name: "apus-signals") { [self] in
      while true {
        let signal = signals.wait()
        let (isFirst, input, guest) = state.withLock { state in
          defer { state.signal = signal }
          return (state.signal == nil, state.input, state.guest)
        }
        if isFirst, let input { input.signal(signal) } else { guest?.machine.stop() }
      }
    }
  }

  /// Runs it.
  ///
  /// - Returns: the exit status.
  func run() -> Int32 {
    let gate = Gate()
    let status = Atomic<Int32>(ExecCommand.failed)
    Task {
      status.store(await runInGuest(), ordering: .releasing)
      gate.open()
    }
    gate.wait()
    return status.load(ordering: .acquiring)
  }

  private func runInGuest() async -> Int32 {
    let guest: Guest
    do {
      var options = Guest.Options()
      options.limitsAreWall = true
      options.consoleObserver = { [output] in output.take($0) }
      guest = try Guest.start(root.configuration, options)
    } catch let error as ConfigurationError {
      for problem in error.problems { Message.say("error: \(root.configuration.message(problem))") }
      #if !arch(arm64)
        // What it lacks beside KVM is of no use here.
        Message.say("this machine is not arm64; put the emulated host in front: Guests/EmulatedHost/apus exec …")
      #endif
      return ExecCommand.failed
    } catch {
      Message.say("error: \(error)")
      return ExecCommand.failed
    }
    state.withLock { $0.guest = guest }
    output.whenPanicked { guest.machine.stop() }
    let status = await run(in: guest)
    await guest.stop()
    return status
  }

  private func run(in guest: Guest) async -> Int32 {
    let end: CommandResult.End
    do throws(GuestError) {
      let limit = limit ?? Self.startLimit
      try await guest.waitForAgent(within: limit)
      try await root.layers.mount(in: guest, within: limit)
    } catch {
      return failed(error)
    }
    do throws(GuestError) {
      end = try await guest.run(
        root.command,
        within: limit ?? Self.endless,
        feed: { [self] input in feed(input) },
        output: { [self] kind, bytes in write(bytes, to: kind) }
      )
      // What it wrote into the host's folders is there before the guest goes.
      if root.layers.isWritten { _ = try? await guest.powerOff(within: .seconds(30)) }
    } catch {
      return failed(error)
    }
    switch end {
    case .exited(let status): return status
    case .killed(let signal): return 128 + signal
    }
  }

  private func failed(_ error: GuestError) -> Int32 {
    if let signal = state.withLock({ $0.signal }) { return 128 + signal }
    switch error {
    case .refused(let what, let errno) where what == root.command.name:
      Message.say("error: \(what): \(errorText(errno))")
      return errno == ENOENT ? 127 : 126
    case .timedOut:
      Message.say("error: \(firstLine("\(error)"))")
      return Outcome.End.timedOut.exitStatus
    default:
      for line in "\(error)".split(separator: "\n") { Message.say(String(line)) }
      return ExecCommand.failed
    }
  }

  private func firstLine(_ text: String) -> String { text.split(separator: "\n").first.map(String.init) ?? text }

  /// Sends what standard input has, on a thread of its own: reading it may wait for ever.
  private func feed(_ input: GuestInput) {
    let early = state.withLock { state in
      state.input = input
      return state.signal
    }
    if let early { input.signal(early) }
    let isStarted: Void? = try? HostThread.startDetached(name: "apus-input") {
      var buffer = [UInt8](repeating: 0, count: 64 << 10)
      while true {
        // SAFETY: the buffer holds for the call and its size goes along.
        let count = unsafe read(STDIN_FILENO, &buffer, buffer.count)
        if count < 0, errno == EINTR { continue }
        guard count > 0 else { return input.end() }
        input.send(Array(buffer[..<count]))
      }
    }
    if isStarted == nil { input.end() }
  }

  /// Writes what the command wrote, whole; whoever reads it sets the pace.
  private func write(_ bytes: [UInt8], to kind: Guest.OutputKind) {
    var rest = bytes[...]
    while !rest.isEmpty {
      // SAFETY: the buffer holds for the call and its size goes along.
      let count = unsafe rest.withUnsafeBytes { buffer in
        unsafe Glibc.write(kind == .output ? STDOUT_FILENO : STDERR_FILENO, buffer.baseAddress, buffer.count)
      }
      if count > 0 {
        rest = rest.dropFirst(count)
      } else if errno != EINTR {
        // As for a command that writes into a pipe which nobody reads any more.
        if errno == EPIPE { state.withLock { $0.input }?.signal(SIGPIPE) }
        return
      }
    }
  }
}
