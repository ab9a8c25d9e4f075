import ApusControl
import ApusTesting
import Glibc
import GuestSupport
import Host
import TestSupport
import Testing

extension CommandKVMTests {
  /// `--detach`, and the commands that find what it started.
  @Suite("Machines in the background")
  struct BackgroundTests {
    /// What a client of the command's said, which has ended.
    private func ask(_ words: String...) throws -> (status: Int32, output: String, error: String) {
      let client = try CommandProcess(words)
      let end = try client.wait()
      return (end.status, client.outputText, client.errorText)
    }

    /// A name that no other test's machine has.
    private func name(_ word: String) -> String { "test-\(word)-\(getpid())" }

    @Test("--detach returns with the machine's name when the guest has begun, and the shell's pipe ends")
    func detach() throws {
      let name = name("detach")
      let words = try CommandKVMTests.run("echo", "--detach", "--name", name).joined(separator: " ")
      let shell = try CommandProcess(
        ["-c", "name=$(\(GuestFile.command()) \(words) 2>&1); echo \"[$name]\""],
        program: "/bin/sh"
      )

      #expect(try shell.wait() == .exited(0))
      #expect(shell.outputText == "[\(name)]\n", "\(shell.errorText)")
      let info = try ask("control", name, "info")
      #expect(info.status == 0 && info.output.contains("state: running"), "\(info)")
      let list = try ask("list", "--names")
      #expect(list.output.split(separator: "\n").contains(Substring(name)))
      #expect(try ask("control", name, "kill").status == 0)
      #expect(becomesTrue { (try? ask("list", "--names").output.contains(name)) == false })
    }

    @Test("a person at the console types and reads, leaves with the escape keys, and the machine goes on")
    func console() throws {
      let name = name("console")
      let start = try CommandProcess(CommandKVMTests.run("echo", "--detach", "--name", name))
      #expect(try start.wait() == .exited(0))
      let terminal = try TestTerminal()
      let process = try CommandProcess(
        ["console", name],
        input: .terminal(terminal.path),
        output: .terminal(terminal.path),
        error: .terminal(terminal.path)
      )
      try terminal.expect("Ctrl-A x: leave the console")
      // Before that the terminal itself would show what is typed.
      #expect(becomesTrue(for: process.processID) { terminal.isRaw })
      terminal.type("typed")
      try terminal.expect("typed")

      terminal.type("\u{01}x")

      #expect(try process.wait() == .exited(0))
      #expect(terminal.isAsBefore)
      #expect(try ask("control", name, "info").output.contains("state: running"))
      // The guest powers off at this letter.
      let last = try ask("control", name, "console.send", "q")
      #expect(last.status == 0)
      #expect(becomesTrue { (try? ask("control", name, "info").status) == 69 })
    }

    @Test("two machines of one name are steered apart, paused, resumed and ended; one that is killed is forgotten")
    func twoMachines() throws {
      let name = name("two")
      for _ in 0..<2 {
        let start = try CommandProcess(CommandKVMTests.run("spin", "--detach", "--name", name))
        #expect(try start.wait() == .exited(0))
      }
      let names = try ask("list", "--names").output.split(separator: "\n").map(String.init)
      #expect(names.contains(name) && names.contains(name + "-2"))

      #expect(try ask("control", name, "pause").output == "state: paused\n")
      #expect(try ask("control", name, "info").output.contains("state: paused"))
      #expect(try ask("control", name + "-2", "info").output.contains("state: running"))
      #expect(try ask("control", name, "resume").output == "state: running\n")
      let refused = try ask("control", name, "powerButton")
      #expect(refused.status == 1 && !refused.error.isEmpty, "\(refused)")
      #expect(try ask("control", name, "frob").status == 64)

      #expect(try ask("control", name, "powerOff").status == 0)
      _ = kill(try ControlClient(name + "-2").call(Control.Info.self).pid, SIGKILL)
      #expect(becomesTrue { (try? ask("list", "--names").output.contains(name)) == false })
      #expect(try ask("control", name + "-2", "info").status == 69)
    }

    @Test("the signal that ends who waits for a machine in the background ends that machine")
    func interrupted() throws {
      let workspace = try Workspace()
      // A guest whose start takes its time: the initramfs is large.
      workspace.write("", to: "initrd")
      workspace.resize("initrd", to: 8 << 20)
      let process = try CommandProcess(
        CommandKVMTests.run("spin", "--detach", "--initrd", workspace.file("initrd"))
          + ["--name", name("interrupted"), "--report", workspace.file("report")]
      )
      usleep(20_000)

      process.signal(SIGTERM)

      let end = try process.wait()
      // It may have begun before.
      #expect([143, 0].contains(end.status))
      if end.status == 0 { _ = try ask("control", name("interrupted"), "kill") }
    }
  }
}
