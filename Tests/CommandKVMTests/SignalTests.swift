import Glibc
import GuestSupport
import Testing

extension CommandKVMTests {
  @Suite("Signals")
  struct SignalTests {
    @Test("a signal that asks for the end ends a running machine", arguments: [SIGINT, SIGTERM, SIGHUP])
    func running(signal: Int32) throws {
      let workspace = try Workspace()
      let process = try CommandProcess(CommandKVMTests.run("spin", "--report", workspace.file("report")))
      try process.expect("Waiting\n")

      process.signal(signal)

      #expect(try process.wait() == .exited(128 + signal))
      #expect(workspace.text("report").contains("\"outcome\" : \"interrupted\""))
      #expect(workspace.text("report").contains("\"exitStatus\" : \(128 + signal)"))
    }

    @Test("a signal that was ignored at the start stays ignored", arguments: [SIGHUP, SIGINT, SIGTERM])
    func ignored(signal: Int32) throws {
      let apus = try "\(GuestFile.command()) \(CommandKVMTests.run("spin").joined(separator: " "))"
      let process = try CommandProcess(["-c", "trap '' \(signal); exec \(apus)"], program: "/bin/sh")
      try process.expect("Waiting\n")

      process.signal(signal)
      usleep(100_000)
      let other = signal == SIGTERM ? SIGINT : SIGTERM
      process.signal(other)

      #expect(try process.wait() == .exited(128 + other))
    }

    @Test("a busy guest of several vCPUs is ended as well")
    func busy() throws {
      let process = try CommandProcess(CommandKVMTests.run("spin", "--append", "busy", "--cpus", "4"))
      try process.expect("Spinning\n")

      process.signal(SIGTERM)

      #expect(try process.wait() == .exited(143))
    }

    @Test(
      "in every phase of the start a signal ends the process and leaves no file behind",
      arguments: [SIGINT, SIGTERM, SIGHUP]
    )
    func starting(signal: Int32) throws {
      for milliseconds in [0, 2, 5, 10, 15, 20, 30, 40, 60, 80, 120, 200] as [UInt32] {
        let workspace = try Workspace()
        let console = "pty=\(workspace.file("console"))"
        let process = try CommandProcess(
          CommandKVMTests.run("spin", "--report", workspace.file("report"), "--console", console)
        )
        usleep(milliseconds * 1000)

        process.signal(signal)

        let end = try process.wait()
        #expect(end.status == 128 + signal, "after \(milliseconds) ms")
        #expect(!workspace.files.contains("console"), "after \(milliseconds) ms")
        if workspace.files.contains("report") {
          #expect(workspace.text("report").contains("\"exitStatus\" : \(128 + signal)"), "after \(milliseconds) ms")
        }
      }
    }

    @Test("while Linux boots a signal ends the machine")
    func booting() throws {
      let process = try CommandProcess([
        "run", "--kernel", try GuestFile.linux(), "--initrd", try GuestFile.initramfs(), "--cpus", "2",
        "--append", "console=ttyAMA0 apus_mode=idle",
      ])
      try process.expect("Booting Linux")

      process.signal(SIGINT)

      #expect(try process.wait() == .exited(130))
    }
  }
}
