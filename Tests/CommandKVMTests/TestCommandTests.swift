import ApusHarness
import Glibc
import GuestSupport
import Testing

extension CommandKVMTests {
  @Suite("apus test")
  struct TestCommandTests {
    private let workspace: Workspace

    init() throws {
      workspace = try Workspace()
    }

    private func run(
      _ scripts: KeyValuePairs<String, String>,
      _ arguments: String...,
      environment: [String] = []
    ) throws -> TestCommandRun {
      try TestCommandRun(workspace, scripts, arguments, environment: environment)
    }

    @Test("tests that pass share a guest, whatever their names, and a skipped one is no failure")
    func passing() throws {
      let run = try run(
        [
          "tap.sh": "echo TAP version 14; echo 1..2; echo ok 1 - a; echo ok 2 - b", "a b'\"$(x)": "exit 0",
          "-dash": "exit 4", "two\nlines": "sleep 1000 & exit 0",
        ],
        "--run",
        workspace.file("tap.sh")
      )

      #expect(run.status == 0, "\(run.output)\(run.error)")
      #expect(run.report?.runs.map(\.name) == ["tap.sh", "a b'\"$(x)", "-dash", "two\nlines", "tap.sh#2"])
      #expect(run.output.contains("ok   tap.sh: 2 passed, "))
      #expect(run.output.contains("skip -dash: 1 skipped, "))
      #expect(run.output.contains("\npassed: 6 passed, 1 skipped in 5 runs, "))
      #expect(run.error.contains("apus: [1/5] passed: tap.sh, "))
      #expect(run.isPlain && run.hasWellFormedJUnit)
    }

    @Test("what programs print cannot break reports, act upon a terminal, or pass for anything else than they said")
    func output() throws {
      let run = try run([
        "commands": #"""
        printf 'TAP version 14\n1..3\nok 1 - \033[31mred\033]0;title\007\n'
        printf 'not ok 2 - \033[2J\233clear\nnot ok 3 - \377\355\240\200 \342\200\256<a>&\n'
        printf '\033]52;c;aGk=\007\r\n' >/dev/console
        """#,
        "binary": "head -c 200000 /dev/urandom; head -c 2000 /dev/urandom >/dev/console; exit 1",
        "endless":
          #"head -c 3000000 /dev/zero | tr '\000' x; head -c 3000 /dev/zero | tr '\000' y >/dev/console; exit 1"#,
        "half": "echo TAP version 14; echo 1..4; echo ok 1 - a; printf 'ok 2'",
        "plans": "echo TAP version 14; echo 1..1; echo ok 1 - a; echo 1..3",
        "billion": "echo TAP version 14; echo 1..1000000000; echo ok 1 - a",
        "others": """
        for line in 'KTAP version 1' 1..2 'ok 1 a' 'ok 2 b'; do echo "<0>$line" >/dev/kmsg; done
        echo TAP version 14; echo 1..1; echo not ok 1 - mine
        """,
      ])

      #expect(run.status == 1, "\(run.output)\(run.error)")
      #expect(run.isPlain && run.hasWellFormedJUnit)
      for name in ["commands", "binary", "endless", "half", "plans", "billion", "others"] {
        #expect(run.verdict(name) == .failed, "\(name)")
      }
      #expect(run.run("commands")?.totals[.failed] == 2)
      #expect(run.run("commands")?.results.first?.subtests.first?.name == "red")
      #expect(run.run("half")?.totals[.missing] == 2)
      #expect(run.run("billion")?.totals[.missing] == 999_999_999)
      #expect(run.output.contains("a plan of 3 tests behind one of 1"))
      #expect(run.run("others")?.totals[.failed] == 1)
    }

    @Test("neither a machine that ends nor an agent that is killed passes, and what was told before is kept")
    func ends() throws {
      let begin = "echo TAP version 14; echo 1..2; echo ok 1 - a; sleep 0.3"
      let run = try run(
        [
          "reset": "\(begin); reboot -f", "off": "\(begin); poweroff -f",
          "panic": "\(begin); echo c >/proc/sysrq-trigger; echo not ok 2 - b", "hang": "\(begin); sleep 1000",
          "agent": "\(begin); kill -9 $PPID; sleep 1000",
          "agents": "\(begin); kill -9 $(grep -l apus/agent /proc/[2-9]*/cmdline | cut -d/ -f3); sleep 1000",
        ],
        "--timeout",
        "45"
      )

      #expect(run.status == 81, "\(run.output)\(run.error)")
      #expect(run.isPlain && run.hasWellFormedJUnit)
      for name in ["reset", "off", "panic", "hang", "agent", "agents"] {
        #expect(run.run(name)?.totals[.passed] == 1, "\(name)")
      }
      #expect(run.verdict("reset") == .machineEnded(status: 80))
      #expect(run.verdict("off") == .machineEnded(status: 80))
      #expect(run.output.contains("the guest ended before its tests were done"))
      #expect(run.verdict("panic") == .panicked)
      #expect(run.output.contains("     panic: Kernel panic - not syncing: sysrq triggered crash"))
      #expect(run.verdict("hang") == .machineEnded(status: 124))
      #expect(run.text("hang") == "the test did not end within 45 s")
      #expect(run.text("agent").contains("agent was killed"))
      #expect(run.text("agents").contains("agent was killed"))
    }

    @Test("what the protocol of the agent looks like is output, and a full port is no end")
    func port() throws {
      let frame = #"printf '\004\000\000\000\001\000\000\000\105\000\000\000\000\000\000\000'"#
      let run = try run([
        "frames": """
        \(frame); \(frame) >&2; for port in /dev/vport* /.apus/port; do \(frame) >$port; done 2>/dev/null
        exec >&- 2>&- <&-; exit 3
        """,
        "flood": "head -c 8000000 /dev/zero; head -c 8000000 /dev/zero >&2; exit 6",
      ])

      #expect(run.status == 1, "\(run.output)\(run.error)")
      #expect(run.isPlain && run.hasWellFormedJUnit)
      #expect(run.text("frames") == "exit status 3")
      #expect(run.text("flood") == "exit status 6")
    }

    @Test("a program that the kernel does not run is told by why, and is no hang")
    func programs() throws {
      let run = try run([
        "dos": "#!/bin/sh\r\nexit 0\r\n", "python": "#!/usr/bin/python3\nprint(1)\n", "empty": "",
        "killed": "kill -9 $$",
      ])

      #expect(run.status == 1, "\(run.output)\(run.error)")
      #expect(run.text("dos").contains("carriage return"))
      #expect(run.text("python").contains("'/usr/bin/python3', which the guest does not have"))
      #expect(run.text("empty").contains("it is empty"))
      #expect(run.text("killed") == "killed by signal 9")
    }

    @Test(
      "what the kernel complains of fails a run where that was asked for",
      arguments: [
        ("<0>Internal error: Oops: 0000000096000004 [#1] SMP", "oops", 83),
        ("<0>WARNING: CPU: 0 PID: 1 at kernel/x.c:1 y+0x0/0x10", "warn", 84),
        ("<0>WARNING: CPU: 0 PID: 1 at kernel/x.c:1 y+0x0/0x10", "oops", 0),
      ] as [(String, String, Int32)]
    )
    func complaints(line: String, limit: String, status: Int32) throws {
      let run = try run(["a": "echo '\(line)' >/dev/kmsg"], "--fail-on", limit)

      #expect(run.status == status, "\(run.output)\(run.error)")
      #expect(run.output.contains(line.dropFirst(3)) == (status != 0))
    }

    @Test("a test that fails once passes at the second attempt, in a guest of its own")
    func retries() throws {
      let run = try run(
        ["a": "mkdir /mnt/t/seen && exit 1; [ ! -e /tmp/here ]; "],
        "--share",
        "\(workspace.path),tag=t",
        "--retries",
        "2"
      )

      #expect(run.status == 0, "\(run.output)\(run.error)")
      #expect(run.run("a")?.attempts == 2)
      #expect(run.output.contains(", at attempt 2"))
    }

    @Test("what cannot start ends at once with the status of why, and the other tests do not wait for it")
    func starts() throws {
      workspace.write(String(repeating: "neither a kernel nor an archive\n", count: 100), to: "text")
      let text = workspace.file("text")

      let initrd = try run(["a": "exit 0", "b": "exit 0"], "--initrd", text)
      let share = try run(["a": "exit 0", "b": "exit 0"], "--share", "/no/such/folder,tag=t")
      let memory = try run(["a": "exit 0"], "--memory", "512G")
      let busybox = try run(["a": "exit 0"], "--busybox", text)
      let matrix = try run(["a": "exit 0"], "--matrix", "kernel=\(text),/no/such/kernel")

      #expect(initrd.status == 65, "\(initrd.output)\(initrd.error)")
      #expect(initrd.output.contains("is no initramfs"))
      #expect(initrd.output.contains("1 of 2 tests did not run, since their guests cannot start"))
      #expect(share.status == 66, "\(share.output)\(share.error)")
      #expect(share.output.contains("/no/such/folder"))
      #expect(memory.status == 71, "\(memory.output)\(memory.error)")
      #expect(memory.error.contains("--memory: of 524288 MiB"))
      #expect(busybox.status == 65)
      #expect(busybox.error.contains("no static arm64 program"))
      #expect([65, 66].contains(matrix.status))
      #expect(matrix.output.contains("is no kernel") && matrix.output.contains("'/no/such/kernel' does not exist"))
      let arePlain = [initrd, share, memory, busybox, matrix].allSatisfy { $0.isPlain }
      #expect(arePlain)
    }

    @Test("a report that cannot be made ends the run before a guest starts, one that cannot be written after")
    func reports() throws {
      let folder = try run(["a": "exit 0"], "--tap", "/no/such/folder/out.tap")
      let full = try run(["a": "exit 0"], "--tap", "/dev/full")

      #expect(folder.status == 73)
      #expect(folder.error.contains("--tap: ") && folder.error.contains("/no/such/folder/out.tap"))
      #expect(folder.output == "" && !workspace.files.contains("no"))
      #expect(full.status == 73)
      #expect(full.error.contains("cannot write '/dev/full': No space left on device"))
      #expect(full.report?.verdict == .passed)
    }

    @Test("a kernel without what the agent needs is told what that is, and one without modules that it has none")
    func kernels() throws {
      let debian = try GuestFile.debianLinux()
      let module = workspace.file("text")
      workspace.write("no module", to: "text")

      let agent = try run(["a": "exit 0", "b": "exit 0"], "--matrix", "kernel=\(debian)", "--timeout", "3")
      let modules = try run(["a": "exit 0", "b": "exit 0"], "--module", module)

      #expect(agent.status == 124, "\(agent.output)\(agent.error)")
      #expect(agent.output.contains("no agent came in the guest within 3 s: the kernel needs CONFIG_"))
      #expect(modules.status == 1, "\(modules.output)\(modules.error)")
      #expect(modules.output.contains("error: loading text: "))
      #expect(modules.output.contains("1 of 2 tests did not run"))
    }

    @Test(
      "a guest that tests by itself has to come to an end with tests",
      arguments: [("reset", 80), ("panic", 81), ("poweroff", 2), ("idle", 124)] as [(String, Int32)]
    )
    func initramfs(mode: String, status: Int32) throws {
      let limit = mode == "idle" ? "15" : "120"
      let run = try run(
        [:],
        "--initrd",
        GuestFile.initramfs(),
        "--append",
        "apus_mode=\(mode)",
        "--timeout",
        limit
      )

      #expect(run.status == status, "\(run.output)\(run.error)")
      #expect(run.isPlain && run.hasWellFormedJUnit)
      #expect(run.output.contains("FAIL initramfs.cpio: "))
      if mode != "poweroff" { #expect(run.output.contains("       | ")) }
    }

    @Test("two parts' reports make one, and each machine of a matrix is itself")
    func parts() throws {
      let scripts: KeyValuePairs = ["a": "echo \"$(nproc)\"; [ $(nproc) = 2 ]"]
      let place = { (number: Int) in
        ["BUILDKITE_PARALLEL_JOB=\(number)", "BUILDKITE_PARALLEL_JOB_COUNT=2"]
      }
      let other = try Workspace()

      let first = try run(scripts, "--matrix", "cpus=1,2", "--shard", "auto", environment: place(0))
      let second = try TestCommandRun(
        other,
        scripts,
        ["--matrix", "cpus=1,2", "--shard", "/2"],
        environment: place(1)
      )
      let merge = try CommandProcess(["test", "merge", workspace.file("out.json"), other.file("out.json")])
      let half = try CommandProcess(["test", "merge", other.file("out.json")])

      #expect([first.status, second.status].sorted() == [0, 1], "\(first.output)\(second.output)")
      #expect(try merge.wait() == .exited(1))
      #expect(merge.outputText.contains("ok   cpus=2/a: 1 passed"))
      #expect(merge.outputText.contains("FAIL cpus=1/a: 1 failed"))
      #expect(merge.outputText.contains("failed: exit status 1"))
      #expect(try half.wait() == .exited(1))
      #expect(half.outputText.contains("FAIL "))
    }

    @Test("a signal ends guests, and the reports have what there was", arguments: [SIGINT, SIGTERM])
    func signals(signal: Int32) throws {
      let arguments = try TestCommandRun.arguments(
        workspace,
        ["a": "exit 0", "b": "echo TAP version 14; echo ok 1 - a; echo not ok 2 - b; sleep 1000", "c": "exit 0"]
      )
      let process = try CommandProcess(arguments)
      try process.expectError("not ok: b: b")

      process.signal(signal)
      let run = try TestCommandRun(process, workspace)

      #expect(run.status == 128 + signal)
      #expect(run.hasWellFormedJUnit)
      #expect(run.verdict("a") == .passed)
      #expect(run.run("b")?.totals[.passed] == 1)
      #expect(run.run("c") == nil)
      #expect(run.output.contains("ended by signal \(signal); 1 of 3 tests did not run"))
    }

    @Test("a terminal has a line that tells how far the run is, and that a signal takes away")
    func progress() throws {
      let terminal = try TestTerminal()
      let arguments = try TestCommandRun.arguments(workspace, ["a": "exit 0", "b": "sleep 1000"])
      let process = try CommandProcess(arguments, error: .terminal(terminal.path))
      try terminal.expect("\r\u{1B}[K[1/2] 0 results: b")

      process.signal(SIGINT)

      #expect(try process.wait() == .exited(130))
      try terminal.expect("b\r\u{1B}[K")
    }
  }
}
