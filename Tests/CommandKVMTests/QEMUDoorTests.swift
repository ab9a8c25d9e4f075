import Glibc
import GuestSupport
import TestSupport
import Testing

extension CommandKVMTests {
  /// The command under the name of a QEMU.
  @Suite("The QEMU-shaped door")
  struct QEMUDoorTests {
    private let workspace: Workspace

    init() throws {
      workspace = try Workspace()
      // SAFETY: the paths hold for the call.
      try #require(unsafe symlink(try GuestFile.command(), workspace.file("qemu-system-apus")) == 0)
    }

    private func door(
      _ guest: String,
      _ words: String...,
      input: CommandProcess.Stream = .null
    ) throws -> CommandProcess {
      let all = ["-M", "virt", "-cpu", "max", "-m", "32M", "-nographic", "-kernel", try GuestFile.bareMetal(guest)]
      return try CommandProcess(all + words, program: workspace.file("qemu-system-apus"), input: input)
    }

    @Test(
      "each end of a guest has the status that QEMU's callers look for, and a panic is no success",
      arguments: [("hello", 0), ("reset", 0), ("panic", 81), ("unmapped", 82)] as [(String, Int32)]
    )
    func ends(guest: String, status: Int32) throws {
      let process = try door(guest, "-no-reboot")

      #expect(try process.wait() == .exited(status))
      #expect(process.errorText.isEmpty == (status == 0))
      #expect(status == 0 || process.errorText.hasPrefix("qemu-system-apus: "))
    }

    @Test("SIGTERM ends the machine with 0, and the process's file goes")
    func terminated() throws {
      let process = try door("spin", "-pidfile", workspace.file("pid"))
      try #require(becomesTrue { workspace.text("pid") == "\(process.processID)\n" })

      process.signal(SIGTERM)

      #expect(try process.wait() == .exited(0))
      #expect(!workspace.files.contains("pid"))
    }

    @Test("a stopped machine's guest begins with QMP's cont, and its end is an event before the process's")
    func stoppedStart() throws {
      let process = try door(
        "hello",
        "-S",
        "-qmp",
        "stdio",
        "-serial",
        "file:" + workspace.file("console"),
        input: .pipe
      )

      try process.expect("{\"QMP\": {\"version\": {\"qemu\": ")
      try process.send("{\"execute\": \"query-status\"}\n{\"execute\": \"qmp_capabilities\"}\n")
      try process.expect("{\"error\": {\"class\": \"CommandNotFound\"")
      try process.expect("{\"return\": {}}")
      try process.send("{\"execute\": \"query-status\", \"id\": \"a\"}")
      try process.expect("{\"return\": {\"status\": \"prelaunch\", \"running\": false}, \"id\": \"a\"}")
      #expect(workspace.text("console") == "")
      try process.send("{\"execute\": \"cont\", \"arguments\": {}}\n")

      #expect(try process.wait() == .exited(0))
      #expect(workspace.text("console") == "Hello from bare metal\n")
      let text = process.outputText
      #expect(text.contains("\"event\": \"RESUME\"}"))
      #expect(text.contains("\"event\": \"SHUTDOWN\", \"data\": {\"guest\": true, \"reason\": \"guest-shutdown\"}}"))
      #expect(!text.contains("\"event\": \"STOP\""))
    }

    @Test("QMP stops, starts, resets and ends a machine, and says what it does not know")
    func steered() throws {
      let process = try door("spin", "-qmp", "stdio", "-serial", "none", "-name", "one", input: .pipe)
      try process.send("{\"execute\": \"qmp_capabilities\"}{\"execute\": \"query-name\"}")
      try process.expect("{\"return\": {\"name\": \"one\"}}")

      try process.send("{\"execute\": \"stop\"}")
      try process.expect("\"event\": \"STOP\"}")
      try process.send("{\"execute\": \"system_reset\", \"id\": 1}")
      try process.expect("\"the machine is stopped; 'cont' first\"}, \"id\": 1}")
      try process.send("{\"execute\": \"cont\"}")
      try process.expect("\"event\": \"RESUME\"}")
      try process.send("{\"execute\": \"system_reset\"}")
      try process.expect("\"event\": \"RESET\", \"data\": {\"guest\": false, \"reason\": \"host-qmp-system-reset\"}}")
      try process.send("{\"execute\": \"device_add\"}nonsense\n")
      try process.expect("{\"class\": \"CommandNotFound\", \"desc\": \"The command device_add has not been found\"}")
      try process.expect("{\"class\": \"GenericError\", \"desc\": \"JSON parse error")
      try process.send("{\"execute\": \"human-monitor-command\", \"arguments\": {\"command-line\": \"hostfwd_add x\"}}")
      try process.expect("give hostfwd=")
      try process.send("{\"execute\": \"quit\"}")

      #expect(try process.wait() == .exited(0))
      #expect(process.outputText.contains("\"reason\": \"host-qmp-quit\"}}"))
    }

    @Test("what is wrong with a machine is said by QEMU's names, with status 1")
    func mistakes() throws {
      let process = try door("hello", "-drive", "file=\(workspace.file("none")),format=raw")

      #expect(try process.wait() == .exited(1))
      #expect(process.errorText.hasPrefix("qemu-system-apus: -drive file=\(workspace.file("none")): "))
    }
  }
}
