import ApusControl
import Glibc
import GuestSupport
import TestSupport
import Testing

extension CommandKVMTests {
  /// Several machines in one process.
  @Suite("Fleets")
  struct FleetTests {
    /// A fleet's file of bare-metal guests.
    ///
    /// - Parameters:
    ///   - machines: a name, a guest, and more keys of the machine's, each behind a comma.
    ///   - more: keys of the fleet's, likewise.
    private static func write(
      _ machines: [(name: String, guest: String, more: String)],
      _ more: String = "",
      to workspace: Workspace
    ) throws -> [String] {
      let texts = try machines.map { machine in
        let kernel = try GuestFile.bareMetal(machine.guest)
        return #"{"name": "\#(machine.name)", "payload": {"kernel": {"path": "\#(kernel)"}}, "#
          + #""memorySize": {"bytes": 33554432}\#(machine.more)}"#
      }
      workspace.write(#"{"machines": [\#(texts.joined(separator: ",\n"))]\#(more)}"#, to: "fleet.json")
      return ["run", "--fleet", workspace.file("fleet.json"), "--report", workspace.file("report")]
    }

    /// The whole report, and each machine's.
    private static func report(_ workspace: Workspace) throws -> ([String: JSONValue], [String: [String: JSONValue]]) {
      let report = try #require(jsonObject(workspace.text("report")))
      guard case .object(let machines) = report["machines"] else { return (report, [:]) }
      return (
        report,
        machines.compactMapValues { value in if case .object(let object) = value { object } else { nil } }
      )
    }

    private static func number(_ machine: [String: JSONValue]?, _ key: String, _ inner: String) -> Double {
      guard case .object(let object) = machine?[key], case .number(let number) = object[inner] else { return -1 }
      return number
    }

    @Test("two machines run beside each other, and each line has its machine's name")
    func twoMachines() throws {
      let workspace = try Workspace()
      let arguments = try Self.write([("one", "hello", ""), ("two", "hello", "")], to: workspace)
      let process = try CommandProcess(arguments)

      #expect(try process.wait() == .exited(0))
      #expect(process.errorText == "")
      let lines = Set(process.outputText.split(separator: "\n").map(String.init))
      #expect(lines == ["one| Hello from bare metal", "two| Hello from bare metal"])
      let (report, machines) = try Self.report(workspace)
      #expect(report["exitStatus"] == .number(0) && report["decidedBy"] == nil)
      #expect(Set(machines.keys) == ["one", "two"])
      for machine in machines.values {
        #expect(machine["outcome"] == .text("powered-off"))
        #expect(Self.number(machine, "time", "user") + Self.number(machine, "time", "system") > 0)
        #expect(Self.number(machine, "memory", "guestResident") > 0)
      }
    }

    @Test("a machine that dies takes no other with it, and a signal ends the others")
    func deathAndSignal() throws {
      let workspace = try Workspace()
      let arguments = try Self.write([("lives", "spin", ""), ("dies", "unmapped", "")], to: workspace)
      let process = try CommandProcess(arguments)
      try process.expectError("apus: dies: vCPU 0 ")
      try process.expect("lives| Waiting\n")
      usleep(300_000)

      process.signal(SIGTERM)

      #expect(try process.wait() == .exited(143))
      #expect(process.errorText.contains("apus: dies:     PC ") && process.errorText.contains("apus: lives: "))
      let (report, machines) = try Self.report(workspace)
      #expect(report["exitStatus"] == .number(143) && report["decidedBy"] == .text("lives"))
      #expect(machines["dies"]?["outcome"] == .text("guest-fault"))
      #expect(machines["lives"]?["outcome"] == .text("interrupted"))
    }

    @Test("the exit status is that of the first machine in the file's order whose own is not 0")
    func exitStatus() throws {
      let workspace = try Workspace()
      let machines = [("good", "hello", ""), ("panics", "panic", ""), ("faults", "unmapped", "")]
      let process = try CommandProcess(try Self.write(machines, to: workspace))

      #expect(try process.wait() == .exited(81))
      let (report, _) = try Self.report(workspace)
      #expect(report["decidedBy"] == .text("panics"))
    }

    @Test("the time limit is each machine's, and a nearer one of the file's holds")
    func timeout() throws {
      let workspace = try Workspace()
      let machines = [("good", "hello", ""), ("waits", "spin", #", "timeout": {"seconds": 1}"#), ("late", "spin", "")]
      let process = try CommandProcess(try Self.write(machines, to: workspace) + ["--timeout", "2"])

      #expect(try process.wait() == .exited(124))
      let (_, reports) = try Self.report(workspace)
      #expect(reports["good"]?["outcome"] == .text("powered-off"))
      let times = ["waits", "late"].map { Self.number(reports[$0], "time", "wall") }
      #expect(times[0] > 0.9e9 && times[1] > 1.9e9)
    }

    @Test("one machine is stopped by its control socket, and the others go on")
    func stoppingOne() throws {
      let workspace = try Workspace()
      let control = #", "control": {"socket": {"path": "control"}}"#
      let arguments = try Self.write([("stopped", "spin", control), ("other", "spin", "")], to: workspace)
      let process = try CommandProcess(arguments)
      try process.expect("stopped| Waiting\n")
      try process.expect("other| Waiting\n")

      let stop = try CommandProcess(["control", workspace.file("control"), "kill"])
      #expect(try stop.wait() == .exited(0))
      usleep(300_000)
      process.signal(SIGINT)

      #expect(try process.wait() == .exited(130))
      let (_, machines) = try Self.report(workspace)
      #expect(machines["stopped"]?["outcome"] == .text("stopped"))
      #expect(machines["other"]?["outcome"] == .text("interrupted"))
    }

    @Test("consoles may lead to files, which have nothing but the guest's own")
    func files() throws {
      let workspace = try Workspace()
      let console = #", "console": {"file": {"path": "log"}}"#
      let process = try CommandProcess(
        try Self.write([("one", "hello", console), ("two", "hello", "")], to: workspace)
      )

      #expect(try process.wait() == .exited(0))
      #expect(workspace.text("log") == "Hello from bare metal\n")
      #expect(process.outputText == "two| Hello from bare metal\n")
    }

    @Test("machines are agents of one platform, which the fleet's file names")
    func sharedPlatform() throws {
      let workspace = try Workspace()
      workspace.write(#"{"agents": [{"name": "one"}, {"name": "two"}]}"#, to: "platform.json")
      let device = { (agent: String) in #", "devices": [{"scmi": {"source": "shared", "agent": "\#(agent)"}}]"# }
      let machines = [("a", "hello", device("one")), ("b", "hello", device("two"))]
      let arguments = try Self.write(machines, #", "platform": "platform.json""#, to: workspace)

      let process = try CommandProcess(arguments)

      #expect(try process.wait() == .exited(0))
      #expect(workspace.text("report").ranges(of: "\"type\" : \"scmi\"").count == 2)
    }

    @Test("two Linux guests talk to one platform, each as another agent")
    func linuxAgents() throws {
      let workspace = try Workspace()
      workspace.write(
        #"{"clocks": [{"name": "pll", "rates": [1000, 2000]}], "agents": [{"name": "one"}, {"name": "two"}]}"#,
        to: "platform.json"
      )
      let (kernel, initramfs) = (try GuestFile.linux(), try GuestFile.initramfs())
      let machines = ["one", "two"].map { name in
        #"{"name": "\#(name)", "payload": {"kernel": {"path": "\#(kernel)"}}, "initramfs": "\#(initramfs)", "#
          + #""memorySize": {"bytes": 268435456}, "commandLine": "console=ttyAMA0 quiet apus_mode=demo", "#
          + #""devices": [{"scmi": {"source": "shared", "agent": "\#(name)"}}]}"#
      }
      let fleet = #"{"platform": "platform.json", "machines": [\#(machines.joined(separator: ","))]}"#
      workspace.write(fleet, to: "fleet.json")
      let report = workspace.file("report")

      let process = try CommandProcess(["run", "--fleet", workspace.file("fleet.json"), "--report", report])

      #expect(try process.wait() == .exited(0))
      let (_, reports) = try Self.report(workspace)
      for name in ["one", "two"] {
        guard case .list(let devices)? = reports[name]?["devices"], case .object(let device)? = devices.first else {
          Issue.record("\(name) has no device")
          continue
        }
        #expect(Self.number(device, "scmi", "commands") > 10, "\(name)")
      }
    }

    @Test("who closes standard output ends the machines that write there, and no other")
    func closedOutput() throws {
      let workspace = try Workspace()
      let flood = #", "commandLine": "flood""#
      let process = try CommandProcess(
        try Self.write([("writes", "spin", flood), ("waits", "spin", #", "console": "none""#)], to: workspace)
      )
      try process.expect("writes| A line")

      process.closeOutput()
      try process.expectError("apus: writes: writing the guest's console")
      process.signal(SIGTERM)

      #expect(try process.wait() == .exited(143))
      let (_, machines) = try Self.report(workspace)
      #expect(machines["writes"]?["outcome"] == .text("host-failure"))
      #expect(machines["waits"]?["outcome"] == .text("interrupted"))
    }

    @Test("what a reader does not read makes a guest wait, loses nothing, and holds up neither limit nor signal")
    func stalledOutput() throws {
      let workspace = try Workspace()
      let stalled = try StalledOutput(.pipe, workspace, "output")
      let arguments = try Self.write([("a", "spin", #", "commandLine": "flood""#), ("b", "hello", "")], to: workspace)
      let process = try CommandProcess(arguments + ["--timeout", "2"], output: .descriptor(stalled.writing))

      #expect(try process.wait() == .exited(124))
    }

    @Test("a reader that takes nothing of guests that have ended is waited for until a signal, or the time limit")
    func stalledAtTheEnd() throws {
      for (options, status) in [([], 143), (["--timeout", "10"], 124)] as [([String], Int32)] {
        let workspace = try Workspace()
        let stalled = try StalledOutput(.pipe, workspace, "output")
        let arguments = try Self.write([("a", "hello", ""), ("b", "hello", "")], to: workspace)
        let process = try CommandProcess(arguments + options, output: .descriptor(stalled.writing))
        if options.isEmpty {
          sleep(4)
          process.signal(SIGTERM)
        }

        #expect(try process.wait() == .exited(status))
        let (report, machines) = try Self.report(workspace)
        #expect(machines["a"]?["outcome"] == .text("powered-off"))
        #expect(report["output"] != nil)
      }
    }

    @Test("two machines that wait are left alone but for the watchdog's looks")
    func idle() throws {
      let workspace = try Workspace()
      let arguments = try Self.write([("a", "spin", ""), ("b", "spin", "")], to: workspace)
      let process = try CommandProcess(arguments + ["--timeout", "5"])

      #expect(try process.wait() == .exited(124))
      let (_, machines) = try Self.report(workspace)
      for (name, machine) in machines {
        let accesses = Self.number(machine, "exits", "mmioReads") + Self.number(machine, "exits", "mmioWrites")
        let interruptions = Self.number(machine, "exits", "interruptions")
        let time = Self.number(machine, "time", "user") + Self.number(machine, "time", "system")
        print("fleet: idle for 5 s: \(name): \(accesses) accesses, \(interruptions) interruptions, \(time) ns")
        // The guest's text, and the watchdog's looks after 0.25, 0.75, 1.75, 3.75 s.
        #expect(accesses < 40)
        #expect((1...8).contains(interruptions))
      }
    }

    @Test(
      "in every phase of the start a signal ends the process and leaves no file behind",
      arguments: [0, 5, 20, 60, 200]
    )
    func starting(milliseconds: UInt32) throws {
      let workspace = try Workspace()
      let link = #", "console": {"pseudoTerminal": {"link": "console"}}"#
      let process = try CommandProcess(try Self.write([("a", "spin", link), ("b", "spin", "")], to: workspace))
      usleep(milliseconds * 1000)

      process.signal(SIGTERM)

      #expect(try process.wait().status == 143)
      #expect(!workspace.files.contains("console"))
    }
  }
}
