import Glibc
import GuestSupport
import TestSupport
import Testing

extension CommandKVMTests {
  @Suite("Terminals")
  struct TerminalTests {
    @Test("the terminal is raw while the machine runs, and Ctrl-A x ends it and brings the settings back")
    func escape() throws {
      let terminal = try TestTerminal()
      let stream = CommandProcess.Stream.terminal(terminal.path)
      let process = try CommandProcess(CommandKVMTests.run("echo"), input: stream, output: stream, error: stream)
      try terminal.expect("Echo")
      #expect(terminal.isRaw)
      // Ctrl-C is the guest's, and Ctrl-A twice is one for the guest.
      terminal.type("a\u{3}\u{1}\u{1}b")
      try terminal.expect("a\u{3}\u{1}b")

      terminal.type("\u{1}x")

      #expect(try process.wait() == .exited(0))
      #expect(terminal.isAsBefore)
    }

    @Test(
      "the terminal is restored whatever ends the process",
      arguments: [SIGTERM, SIGHUP, SIGINT, SIGSEGV, SIGABRT, SIGBUS, SIGQUIT, SIGXCPU, SIGUSR1, SIGALRM]
    )
    func signals(signal: Int32) throws {
      let terminal = try TestTerminal()
      let stream = CommandProcess.Stream.terminal(terminal.path)
      let process = try CommandProcess(CommandKVMTests.run("spin"), input: stream, output: stream, error: stream)
      try terminal.expect("Waiting")
      #expect(terminal.isRaw)

      process.signal(signal)

      #expect(try process.wait().status == 128 + signal)
      #expect(terminal.isAsBefore)
    }

    @Test("a machine that is stopped gives its shell the terminal as it was, and has it raw again when it goes on")
    func stopping() throws {
      let terminal = try TestTerminal()
      let stream = CommandProcess.Stream.terminal(terminal.path)
      let apus = try "\(GuestFile.command()) \(CommandKVMTests.run("echo").joined(separator: " "))"
      let script = "set -m; \(apus); echo stopped $?; read line; fg; echo ended $?"
      let shell = try CommandProcess(["-c", script], program: "/bin/sh", input: stream, output: stream, error: stream)
      try terminal.expect("Echo")
      #expect(terminal.isRaw)
      let process = try #require(HostProcess.children(of: shell.processID, named: "apus").first)

      kill(process, SIGTSTP)
      try terminal.expect("stopped 148")
      #expect(terminal.isAsBefore)
      terminal.type("go on\n")
      #expect(becomesTrue(for: process) { terminal.isRaw })
      terminal.type("still here")
      try terminal.expect("still here")
      terminal.type("\u{1}x")

      try terminal.expect("ended 0")
      _ = try shell.wait()
      #expect(terminal.isAsBefore)
    }

    @Test("a virtio console on a terminal has its size, and Ctrl-A x ends the machine")
    func virtioConsole() throws {
      let terminal = try TestTerminal()
      let stream = CommandProcess.Stream.terminal(terminal.path)
      try resize(terminal, columns: 100, rows: 30)
      let process = try CommandProcess(
        [
          "run", "--memory", "128M", "--kernel", GuestFile.linux(), "--initrd", GuestFile.initramfs(),
          "--console", "virtio", "--append", "quiet initcall_blacklist=trace_eval_init apus_mode=shell",
        ],
        input: stream,
        output: stream,
        error: stream
      )
      try terminal.expect("# ")
      #expect(terminal.isRaw)

      terminal.type("echo $(tty) $(stty size)\r")
      try terminal.expect("/dev/hvc0 30 100")
      try resize(terminal, columns: 120, rows: 40)
      terminal.type("until stty size | grep '40 120'; do sleep 0.1; done\r")
      try terminal.expect("40 120\r")
      terminal.type("\u{1}x")

      #expect(try process.wait() == .exited(0))
      #expect(terminal.isAsBefore)
    }

    private func resize(_ terminal: TestTerminal, columns: Int, rows: Int) throws {
      let arguments = ["-c", "stty cols \(columns) rows \(rows) <\(terminal.path)"]
      let shell = try CommandProcess(arguments, program: "/bin/sh")
      #expect(try shell.wait() == .exited(0))
    }

    @Test("a second machine on the same terminal is refused, and the first keeps it")
    func second() throws {
      let terminal = try TestTerminal()
      let workspace = try Workspace()
      let stream = CommandProcess.Stream.terminal(terminal.path)
      let apus = try "\(GuestFile.command()) \(CommandKVMTests.run("spin").joined(separator: " "))"
      // A script's background job is in the group that owns the terminal.
      let script = """
        exec 3<&0
        \(apus) <&3 &
        until [ -e \(workspace.file("go")) ]; do sleep 0.1; done
        \(apus)
        echo status $?
        kill $!
        wait $!
        echo first $?
        """

      let shell = try CommandProcess(["-c", script], program: "/bin/sh", input: stream, output: stream, error: stream)
      try terminal.expect("Waiting")
      workspace.write("", to: "go")

      try terminal.expect("another Apus uses this terminal")
      try terminal.expect("status 71")
      try terminal.expect("first 143")
      _ = try shell.wait()
      #expect(terminal.isAsBefore)
    }
  }
}
