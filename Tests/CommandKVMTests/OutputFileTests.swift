import Glibc
import Host
import TestSupport
import Testing

extension CommandKVMTests {
  @Suite("Reports and plans")
  struct OutputFileTests {
    @Test("a report has the outcome, the machine, times, exits and memory")
    func report() throws {
      let workspace = try Workspace()
      let process = try CommandProcess(
        CommandKVMTests.run("hello", "--report", workspace.file("report"), "--name", "reported", "--cpus", "2")
      )

      #expect(try process.wait() == .exited(0))
      let report = workspace.text("report")
      for line in [
        "\"outcome\" : \"powered-off\"", "\"exitStatus\" : 0", "\"name\" : \"reported\"", "\"cpus\" : 2",
        "\"boots\" : 1", "\"systemEvents\" : 1", "\"guest\" : 33554432",
      ] {
        #expect(report.contains(line), "\(line)")
      }
      for key in ["wall", "wallToFirstInstruction", "mmioWrites", "vmmResident", "vmmPrivate"] {
        #expect(report.contains("\"\(key)\" : "), "\(key)")
        #expect(!report.contains("\"\(key)\" : 0"), "\(key)")
      }
      #expect(workspace.files == ["report"])
    }

    @Test("what one machine writes is refused to a second one, and stays as it is")
    func second() throws {
      let workspace = try Workspace()
      let (console, report, port) = (workspace.file("console"), workspace.file("report"), workspace.file("port"))
      let first = try CommandProcess(
        CommandKVMTests.run("spin", "--console", "file=\(console)", "--report", report, "--port", "a=file=\(port)")
      )
      try #require(becomesTrue(for: first.processID) { workspace.text("console").contains("Waiting") })

      for options in [
        ["--console", "file=\(console)"], ["--report", console], ["--port", "b=file=\(port)"], ["--report", report],
        ["--console", "file=\(report)"], ["--dump-dtb", console],
      ] {
        let second = try CommandProcess(CommandKVMTests.run("hello") + options)
        #expect(try second.wait() == .exited(73), "\(options)")
        #expect(second.errorText.contains("another Apus writes it"), "\(options): \(second.errorText)")
      }

      #expect(workspace.text("console").contains("Waiting"))
      first.signal(SIGTERM)
      #expect(try first.wait() == .exited(143))
      #expect(workspace.text("report").contains("\"exitStatus\" : 143"))
    }

    @Test("a name that somebody else has taken over by the end of the run stays")
    func replaced() throws {
      let workspace = try Workspace()
      let process = try CommandProcess(
        CommandKVMTests.run(
          "spin",
          "--console",
          "pty=\(workspace.file("link"))",
          "--port",
          "a=unix=\(workspace.file("socket"))",
          "--log-level",
          "trace"
        )
      )
      try process.expectError("the console is on")
      // A socket is there before the process has looked at what it has made: the guest comes behind both.
      let tasks = "/proc/\(process.processID)/task"
      try #require(
        becomesTrue(for: process.processID) {
          HostFiles.names(in: tasks).contains { HostFiles.text("\(tasks)/\($0)/comm").hasPrefix("vcpu") }
        }
      )
      #expect(workspace.files.count == 2)

      for name in ["link", "socket"] {
        workspace.remove(name)
        workspace.write(name, to: name)
      }
      process.signal(SIGTERM)

      #expect(try process.wait() == .exited(143))
      #expect(workspace.text("link") == "link")
      #expect(workspace.text("socket") == "socket")
    }

    @Test("a report of a guest fault has the registers")
    func faultReport() throws {
      let workspace = try Workspace()
      let process = try CommandProcess(CommandKVMTests.run("unmapped", "--report", workspace.file("report")))

      #expect(try process.wait() == .exited(82))
      let report = workspace.text("report")
      #expect(report.contains("\"outcome\" : \"guest-fault\""))
      #expect(report.contains("\"name\" : \"PC\""))
    }

    @Test("a machine that the host refused leaves a report that says so")
    func refusedReport() throws {
      let workspace = try Workspace()
      let process = try CommandProcess(
        CommandKVMTests.run("hello", "--kvm", "/dev/null", "--report", workspace.file("report"))
      )

      #expect(try process.wait() == .exited(71))
      #expect(workspace.text("report").contains("\"outcome\" : \"host-failure\""))
      #expect(workspace.text("report").contains("\"boots\" : 0"))
    }

    @Test("the dumped device tree is a whole blob")
    func deviceTree() throws {
      let workspace = try Workspace()
      let process = try CommandProcess(CommandKVMTests.run("hello", "--dump-dtb", workspace.file("dtb")))

      #expect(try process.wait() == .exited(0))
      let tree = workspace.contents("dtb")
      #expect(tree.starts(with: [0xD0, 0x0D, 0xFE, 0xED]))
      #expect(tree.count == tree.dropFirst(4).prefix(4).reduce(0) { $0 << 8 | Int($1) })
    }

    @Test("a dry run prints the plan, needs no KVM and starts nothing")
    func dryRun() throws {
      let process = try CommandProcess(CommandKVMTests.run("hello", "--dry-run", "--kvm", "/dev/no-kvm"))

      #expect(try process.wait() == .exited(0))
      #expect(process.outputText.contains("\"payloadKind\" : \"ELF executable\""))
      #expect(!process.outputText.contains("Hello"))
    }
  }
}
