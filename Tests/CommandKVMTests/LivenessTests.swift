import ApusTesting
import CTestSupport
import Glibc
import GuestSupport
import Host
import TestSupport
import Testing

/// A machine can always be ended, whoever has stopped reading what it writes. Only a machine that hangs fails: how
/// soon it ends depends on the host. They wait most of the time, so they run beside the other tests of the command.
@Suite("Machines can always be ended", .requiresKVM, .ownThread, .serialized)
struct LivenessTests {
  /// What ends a machine.
  enum Cause: CaseIterable {
    case timeLimit
    case signal
  }

  /// Longer than any host takes to end a machine, and shorter than for ever.
  private static let hang: Duration = .seconds(60)

  /// Waits for the end that the cause makes, and prints how long that took: people compare it with what is promised.
  private func expectEnd(
    _ process: CommandProcess,
    _ cause: Cause,
    from start: ContinuousClock.Instant,
    _ what: String
  )
    throws
  {
    let end = try process.wait(within: Self.hang)
    print("liveness: \(what), \(cause): \(ContinuousClock.now - start)")
    #expect(end == .exited(cause == .signal ? 143 : 124), "\(what)")
  }

  /// Runs a guest, ends it, and looks how it ended.
  private func check(
    _ what: String,
    _ arguments: [String],
    _ cause: Cause,
    input: CommandProcess.Stream = .null,
    output: CommandProcess.Stream,
    error: CommandProcess.Stream
  ) throws {
    let limit = cause == .timeLimit ? ["--timeout", "1"] : []
    var start = ContinuousClock.now
    let process = try CommandProcess(arguments + limit, input: input, output: output, error: error)
    if cause == .signal {
      try waitUntilSignalsAreHeld(process)
      sleep(1)
      start = .now
      process.signal(SIGTERM)
    }
    try expectEnd(process, cause, from: start, what)
  }

  /// Waits until the process takes SIGTERM itself: until then it ends of it as any process does, and a busy host
  /// takes its time to start one.
  private func waitUntilSignalsAreHeld(_ process: CommandProcess) throws {
    let isHeld = becomesTrue(within: Self.hang, for: process.processID) {
      let lines = HostFiles.text("/proc/\(process.processID)/status").split(separator: "\n")
      let blocked = lines.first { $0.hasPrefix("SigBlk:") }?.split(separator: "\t").last
      return (blocked.flatMap { UInt64($0, radix: 16) } ?? 0) & 1 << UInt64(SIGTERM - 1) != 0
    }
    try #require(isHeld, "the process does not come to its machine")
  }

  @Test(
    "where nobody reads any of its outputs, time limit and signal end a machine that writes without end or has left",
    arguments: StalledOutput.Kind.allCases,
    Cause.allCases
  )
  func allOutputs(kind: StalledOutput.Kind, cause: Cause) throws {
    let workspace = try Workspace()
    let output = try StalledOutput(kind, workspace, "output")
    let error = try StalledOutput(kind, workspace, "error")
    let named = try StalledOutput(kind == .pipe ? .fifo : kind, workspace, "named")
    let path = try #require(named.path)

    for guest in ["flood", "leave"] {
      try check(
        "\(kind) for standard output, standard error and report, \(guest)",
        try CommandKVMTests.run("spin", "--append", guest, "--report", path),
        cause,
        output: .descriptor(output.writing),
        error: .descriptor(error.writing)
      )
    }
    // The console as a file that is none.
    try check(
      "\(kind) for the console's file, flood",
      try CommandKVMTests.run("spin", "--append", "flood", "--console", "file=\(path)"),
      cause,
      output: .descriptor(output.writing),
      error: .descriptor(error.writing)
    )
    // Nobody gets a description with other flags than it had.
    #expect(fcntl(output.writing, F_GETFL) & O_NONBLOCK == 0)
    #expect(fcntl(error.writing, F_GETFL) & O_NONBLOCK == 0)
  }

  @Test("a pseudo-terminal that somebody has opened and does not read keeps no machine", arguments: Cause.allCases)
  func pseudoTerminal(cause: Cause) throws {
    let workspace = try Workspace()
    let link = workspace.file("console")
    let limit = cause == .timeLimit ? ["--timeout", "10"] : []
    var start = ContinuousClock.now
    let process = try CommandProcess(
      try CommandKVMTests.run("spin", "--append", "flood", "--console", "pty=\(link)") + limit
    )
    try process.expectError("the console is on \(link)")
    // SAFETY: the path holds for the call.
    let terminal = unsafe open(link, O_RDWR | O_NOCTTY | O_CLOEXEC)
    try #require(terminal >= 0)
    defer { close(terminal) }
    if cause == .signal {
      sleep(1)
      start = .now
      process.signal(SIGTERM)
    }

    try expectEnd(process, cause, from: start, "pty that is open, of 10 s")
    #expect(workspace.files.isEmpty)
  }

  @Test("on a terminal that shows nothing any more Ctrl-A x ends a machine that takes no input")
  func escape() throws {
    let terminal = try TestTerminal()
    let stream = CommandProcess.Stream.terminal(terminal.path)
    let process = try CommandProcess(
      try CommandKVMTests.run("spin", "--append", "flood"),
      input: stream,
      output: stream,
      error: stream
    )
    try terminal.expect("A line of a guest")
    // More than a guest is offered at a time, in pieces that the terminal takes.
    for _ in 0..<20 {
      terminal.type(String(repeating: "k", count: 200))
      usleep(20_000)
    }

    terminal.type("\u{1}x")

    #expect(try process.wait(within: Self.hang) == .exited(0))
    #expect(terminal.isAsBefore)
  }

  @Test("standard error that nobody reads holds up neither the guest nor its console")
  func standardErrorAlone() throws {
    let workspace = try Workspace()
    let error = try StalledOutput(.pipe, workspace, "error")
    let process = try CommandProcess(
      try CommandKVMTests.run("spin", "--append", "leave", "--no-reboot"),
      error: .descriptor(error.writing)
    )

    #expect(try process.wait(within: Self.hang) == .exited(0))
    #expect(process.outputText == String(repeating: "A line of a guest that leaves\n", count: 200))
  }

  @Test("a Linux guest that floods console and port, whose transcript nobody reads either, is ended by a signal")
  func linux() throws {
    let workspace = try Workspace()
    let port = try StalledOutput(.fifo, workspace, "port")
    let transcript = try StalledOutput(.fifo, workspace, "transcript")
    let example = "/Documentation/Examples/scmi-platform.json,agent=owner"
    let root = "/" + #filePath.split(separator: "/").dropLast(3).joined(separator: "/")
    let process = try CommandProcess(
      [
        "run", "--memory", "128M", "--kernel", try GuestFile.linux(), "--initrd", try GuestFile.initramfs(),
        "--console", "virtio", "--append", "quiet initcall_blacklist=trace_eval_init apus_mode=shell",
        "--port", "out=file=\(try #require(port.path))",
        "--scmi", root + example, "--scmi-transcript", try #require(transcript.path),
      ],
      input: .pipe
    )
    // The ring of the port is full, its writer waits, and the console is written to without end and not read from
    // here.
    try process.send("for p in /sys/class/virtio-ports/*; do grep -q out $p/name && dev=/dev/${p##*/}; done\n")
    try process.send("yes >$dev & sleep 1; echo $((6 * 7)) comes; yes\n")
    try process.expect("42 comes\n")
    sleep(2)

    let start = ContinuousClock.now
    process.signal(SIGTERM)

    try expectEnd(process, .signal, from: start, "Linux with console, port and transcript")
  }

  @Test("a machine whose device thread does not come back is ended by time limit and signal, with a report")
  func hungDeviceThread() throws {
    for cause in Cause.allCases {
      let workspace = try Workspace()
      let limit = cause == .timeLimit ? ["--timeout", "10"] : []
      let process = try CommandProcess(
        try CommandKVMTests.run("spin", "--report", workspace.file("report")) + limit
      )
      try process.expect("Waiting\n")
      sleep(1)
      // The process's first thread is the machine's device thread.
      try #require(ctest_stop_thread(process.processID) == 0)

      let start = ContinuousClock.now
      if cause == .signal { process.signal(SIGTERM) }

      try expectEnd(process, cause, from: start, "device thread that hangs, of some 9 s")
      #expect(process.errorText.contains("is left behind"))
      #expect(workspace.text("report").contains("\"exitStatus\" : \(cause == .signal ? 143 : 124)"))
      #expect(workspace.text("report").contains("\"boots\" : 1"))
    }
  }
}
