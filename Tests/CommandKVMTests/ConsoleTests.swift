import Glibc
import GuestSupport
import Host
import TestLimits
import TestSupport
import Testing

extension CommandKVMTests {
  @Suite("Consoles")
  struct ConsoleTests {
    @Test("a console to a file replaces the file's content and leaves standard output empty")
    func file() throws {
      let workspace = try Workspace()
      workspace.write("what was there before, and longer than the guest's line", to: "console")
      let process = try CommandProcess(CommandKVMTests.run("hello", "--console", "file=\(workspace.file("console"))"))

      #expect(try process.wait() == .exited(0))
      #expect(workspace.text("console") == "Hello from bare metal\n")
      #expect(process.outputText == "")
    }

    @Test("a console to nowhere leaves standard output empty")
    func none() throws {
      let process = try CommandProcess(CommandKVMTests.run("hello", "--console", "none"))

      #expect(try process.wait() == .exited(0))
      #expect(process.outputText == "")
    }

    @Test("a reader that opens the pseudo-terminal late talks with the guest, and the link goes with the machine")
    func pseudoTerminal() throws {
      let workspace = try Workspace()
      let link = workspace.file("console")
      let process = try CommandProcess(CommandKVMTests.run("echo", "--console", "pty=\(link)"))
      try process.expectError("the console is on \(link)")
      // Long enough, also on a busy host, that the guest has written its first line to nobody.
      sleep(3)

      // SAFETY: texts and buffers hold for the calls and their sizes go along.
      let terminal = unsafe open(link, O_RDWR | O_NOCTTY | O_CLOEXEC)
      try #require(terminal >= 0)
      defer { close(terminal) }
      _ = unsafe write(terminal, "late", 4)
      var answer: [UInt8] = []
      let limit = TestLimit(.seconds(60), for: process.processID)
      while answer.count < 4, !limit.hasPassed {
        var request = pollfd(fd: terminal, events: Int16(POLLIN), revents: 0)
        guard unsafe poll(&request, 1, 100) > 0 else { continue }
        var chunk = [UInt8](repeating: 0, count: 64)
        let count = unsafe read(terminal, &chunk, chunk.count)
        answer += chunk[..<max(0, count)]
      }
      _ = unsafe write(terminal, "q", 1)

      #expect(String(decoding: answer, as: UTF8.self) == "late")
      #expect(try process.wait() == .exited(0))
      #expect(workspace.files.isEmpty)
    }

    @Test("a second machine on the same link is refused and leaves the first alone")
    func secondOnLink() throws {
      let workspace = try Workspace()
      let link = workspace.file("console")
      let first = try CommandProcess(CommandKVMTests.run("spin", "--console", "pty=\(link)"))
      try first.expectError("the console is on")

      let second = try CommandProcess(CommandKVMTests.run("spin", "--console", "pty=\(link)", "--timeout", "20"))

      #expect(try second.wait() == .exited(73))
      #expect(second.errorText.contains("'\(link)' exists already"))
      #expect(workspace.files == ["console"])
      first.signal(SIGTERM)
      #expect(try first.wait() == .exited(143))
      #expect(workspace.files.isEmpty)
    }

    @Test("a link that a killed machine left behind is taken over")
    func staleLink() throws {
      let workspace = try Workspace()
      let link = workspace.file("console")
      let killed = try CommandProcess(CommandKVMTests.run("spin", "--console", "pty=\(link)"))
      try killed.expectError("the console is on")
      killed.signal(SIGKILL)
      #expect(try killed.wait() == .killed(signal: SIGKILL))
      #expect(workspace.files == ["console"])

      let next = try CommandProcess(CommandKVMTests.run("hello", "--console", "pty=\(link)"))

      #expect(try next.wait() == .exited(0))
      #expect(workspace.files.isEmpty)
    }

    @Test("a standard output that is closed from the start is a host failure")
    func closedOutput() throws {
      let process = try CommandProcess(CommandKVMTests.run("hello"), output: .closed)

      #expect(try process.wait() == .exited(71))
      #expect(process.errorText.contains("writing the guest's console"))
    }

    @Test("a reader that goes away ends the machine")
    func readerGoes() throws {
      let process = try CommandProcess(CommandKVMTests.run("echo"), input: .pipe)
      try process.expect("Echo\n")

      process.closeOutput()
      try process.send("more")

      #expect(try process.wait() == .exited(71))
      #expect(process.errorText.contains("writing the guest's console"))
    }

    @Test("a guest that prints nothing runs with all standard streams closed")
    func everythingClosed() throws {
      let process = try CommandProcess(
        CommandKVMTests.run("off"),
        input: .closed,
        output: .closed,
        error: .closed
      )

      #expect(try process.wait() == .exited(0))
    }

    @Test("what stands in a pipe reaches the guest whole, and the guest goes on when it ends")
    func pipedInput() throws {
      let text = String(repeating: "0123456789abcdefghijklmnoprstuvwxyz", count: 60)
      let process = try CommandProcess(CommandKVMTests.run("echo"), input: .pipe)

      try process.send(text + "q")
      process.closeInput()

      #expect(try process.wait() == .exited(0))
      #expect(firstDifference(process.outputText, "Echo\n\(text)\nBye\n") == nil)
    }

    @Test("a script in a pipe runs in the guest's shell")
    func pipedShell() throws {
      let process = try CommandProcess(
        [
          "run", "--kernel", try GuestFile.linux(), "--initrd", try GuestFile.initramfs(), "--memory", "128M",
          "--append", "console=ttyAMA0 quiet initcall_blacklist=trace_eval_init apus_mode=shell",
        ],
        input: .pipe
      )

      try process.send("echo $((6 * 7)) is the answer\nexit\n")
      process.closeInput()

      #expect(try process.wait(within: .seconds(60)) == .exited(0))
      #expect(process.outputText.contains("\n42 is the answer\n"))
    }
  }
}
