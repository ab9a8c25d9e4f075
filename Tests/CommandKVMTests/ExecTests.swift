import ApusTesting
import Glibc
import GuestSupport
import TestSupport
import Testing

extension CommandKVMTests {
  /// One command in a guest, on the host's own files.
  @Suite("apus exec", .requiresUserNamespaces)
  struct ExecTests {
    private let workspace: Workspace

    init() throws { workspace = try Workspace() }

    private func exec(
      _ options: [String] = [],
      _ command: String...,
      input: CommandProcess.Stream = .null
    ) throws -> CommandProcess {
      let machine = ["exec", "--kernel", try GuestFile.linux(), "--memory", "128M"]
      return try CommandProcess(machine + options + ["--"] + command, input: input)
    }

    @Test("streams and status are the command's, and what it writes is gone with the guest")
    func streams() throws {
      workspace.write("of the host\n", to: "file")
      let script = "cat file; cat; echo err >&2; echo changed >file; echo new >new; cat file; exit 7"

      let process = try exec(["--chdir", workspace.path], "/bin/sh", "-c", script, input: .pipe)
      try process.send("from standard input\n")
      process.closeInput()

      #expect(try process.wait() == .exited(7))
      #expect(process.outputText == "of the host\nfrom standard input\nchanged\n")
      #expect(process.errorText == "err\n")
      #expect(workspace.files == ["file"])
      #expect(workspace.text("file") == "of the host\n")
    }

    @Test("what it writes into a folder that it may write in is the host's")
    func writable() throws {
      let process = try exec(
        ["--chdir", workspace.path, "--writable", workspace.path],
        "/bin/sh",
        "-c",
        "echo written >file; mkdir sub; echo in >sub/file"
      )

      #expect(try process.wait() == .exited(0))
      #expect(workspace.text("file") == "written\n")
      #expect(workspace.text("sub/file") == "in\n")
    }

    @Test("a folder is the guest's root, and the command's environment is what it was given")
    func root() throws {
      let names = HostFiles.names(in: "/bin").filter { $0 == "busybox" }
      try #require(names == ["busybox"], "the host's busybox is static")
      HostFiles.write(HostFiles.bytes("/bin/busybox"), to: workspace.file("busybox"))
      // SAFETY: the path holds for the call.
      unsafe chmod(workspace.file("busybox"), 0o755)

      let process = try exec(
        ["--root", workspace.path, "--env", "WORD=some thing"],
        "/busybox",
        "sh",
        "-c",
        "echo $PWD $WORD; /busybox ls /"
      )

      #expect(try process.wait() == .exited(0))
      #expect(process.outputText == "/ some thing\nbusybox\ndev\nproc\nrun\nsys\n")
    }

    @Test("a signal reaches the command, and its status tells")
    func signals() throws {
      let handled = try exec(
        [],
        "/bin/sh",
        "-c",
        "trap 'echo caught; exit 9' TERM; echo up; while :; do sleep 0.1; done"
      )
      try handled.expect("up")
      handled.signal(SIGTERM)

      let killed = try exec([], "/bin/sh", "-c", "echo up; sleep 1000")
      try killed.expect("up")
      killed.signal(SIGINT)

      #expect(try handled.wait() == .exited(9))
      #expect(handled.outputText == "up\ncaught\n")
      #expect(try killed.wait() == .exited(128 + SIGINT))
    }

    @Test("a command that is not there, cannot be run, or runs too long says so with a status of its own")
    func refused() throws {
      let missing = try exec([], "no-such-program")
      #expect(try missing.wait() == .exited(127))
      #expect(missing.errorText == "apus: error: 'no-such-program': No such file or directory\n")

      let noProgram = try exec([], "/etc/passwd")
      #expect(try noProgram.wait() == .exited(126))

      let nowhere = try exec(["--chdir", "/no/such/folder"], "true")
      #expect(try nowhere.wait() == .exited(125))
      #expect(nowhere.errorText.contains("folder"))

      let late = try exec(["--timeout", "40"], "sleep", "1000")
      #expect(try late.wait() == .exited(124))
    }

    @Test("a guest that panics under the command ends it, with the kernel's last words")
    func panic() throws {
      let process = try exec([], "/bin/sh", "-c", "echo c >/proc/sysrq-trigger; sleep 100")

      #expect(try process.wait() == .exited(125))
      #expect(process.errorText.contains("sysrq triggered crash"))
    }

    @Test("mistakes are told before a guest runs")
    func mistakes() throws {
      let noRoot = try exec(["--root", workspace.file("missing")], "true")
      let outside = try exec(["--root", workspace.path, "--writable", "/etc"], "true")
      let noKernel = try CommandProcess(["exec", "--kernel", workspace.file("missing"), "--", "true"])
      let noCommand = try CommandProcess(["exec", "--kernel", try GuestFile.linux()])

      #expect(try noRoot.wait() == .exited(64))
      #expect(try outside.wait() == .exited(64))
      #expect(outside.errorText.contains("is not in the guest's root"))
      #expect(try noKernel.wait() == .exited(125))
      #expect(noKernel.errorText.contains("--kernel"))
      #expect(try noCommand.wait() == .exited(64))
      #expect(noCommand.errorText.contains("behind '--'"))
    }
  }
}
