import ApusControl
import ApusTesting
import Glibc
import GuestSupport
import TestSupport
import Testing

extension CommandKVMTests {
  /// Machines that are steered while they run, and each method of the control socket on KVM.
  @Suite("The control socket on KVM")
  struct ControlTests {
    private static let root = #filePath.split(separator: "/", omittingEmptySubsequences: false).dropLast(3)
      .joined(separator: "/")

    /// A Linux guest at its shell, with two vCPUs and a device of each kind that can be steered, its control socket in
    /// this folder.
    private static func linux(in workspace: Workspace) throws -> CommandProcess {
      for (name, size) in [("disk.img", 4 << 20), ("read-only.img", 1 << 20), ("other.img", 2 << 20)] {
        workspace.write("", to: name)
        workspace.resize(name, to: size)
      }
      return try CommandProcess([
        "run", "--kernel", try GuestFile.linux(), "--initrd", try GuestFile.initramfs(), "--memory", "256M",
        "--cpus", "2", "--append", "quiet console=ttyAMA0 initcall_blacklist=trace_eval_init", "--console", "none",
        "--control", workspace.file("linux"), "--network", "tap=apuctl0", "--hotplug-memory", "1G",
        "--block", workspace.file("read-only.img") + ",readonly", "--block", workspace.file("disk.img"),
        "--scmi", root + "/Documentation/Examples/scmi-platform.json,agent=owner",
      ])
    }

    private static func client(_ workspace: Workspace, _ name: String = "linux") throws -> ControlClient {
      // The socket is there when the machine is, which its process says before.
      try #require(becomesTrue { (try? ControlClient(workspace.file(name))) != nil })
      return try ControlClient(workspace.file(name), timeout: .seconds(300))
    }

    @Test("each method of the catalogue, asked through the typed client, does on a Linux guest what it says")
    func everyMethod() throws {
      let workspace = try Workspace()
      let guest = try Self.linux(in: workspace)
      let talk = Conversation(try Self.client(workspace))

      try talk.ask(Control.Hello.self) { $0.version = 1 }
      try talk.ask(Control.EventsSubscribe.self)
      let console = try talk.ask(Control.ConsoleSubscribe.self) { $0.replay = true }
      try talk.expectOutput("# ")
      try talk.type("echo $((6 * 7))")
      try talk.expectOutput("42")
      let info = try talk.ask(Control.Info.self)
      #expect(info.state == .running && info.cpus == 2 && info.boots == 1)
      let statistics = try talk.ask(Control.Statistics.self)
      #expect(statistics.exits.count == 2 && statistics.devices.text.contains("\"kicks\""))
      #expect(try talk.ask(Control.Schema.self).schema.text.contains("scmi.transcript.subscribe"))

      #expect(try talk.ask(Control.Pause.self).state == .paused)
      try talk.expectEvent { $0.state == .paused }
      #expect(try talk.ask(Control.Resume.self).state == .running)
      try talk.expectEvent { $0.state == .running }

      let snapshot = try talk.ask(Control.Snapshot.self) { $0.directory = workspace.file("snapshot") }
      #expect(snapshot.size > 1 << 20 && snapshot.paused > 0)
      try talk.ask(Control.MemoryResize.self) { $0.size = 512 << 20 }
      try talk.expectEvent { $0.kind == .hotplugMemory && $0.plugged == 512 << 20 }
      #expect(try talk.ask(Control.Memory.self).regions.map(\.plugged) == [512 << 20])
      try steerDevices(talk, in: workspace)
      #expect(try talk.ask(Control.Unsubscribe.self) { $0.subscription = console.subscription }.lost == 0)
      try steerPlatform(talk)

      try talk.ask(Control.Reset.self)
      try talk.expectEvent { $0.isLast == false }
      // Until the guest that starts anew has asked to be notified.
      #expect(becomesTrue(within: .seconds(120)) { (try? talk.ask(Control.PowerButton.self)) != nil })
      try talk.expectEvent { $0.isLast == true }
      #expect(try guest.wait() == .exited(0))

      let ends = try machinesToEnd(in: workspace)
      try talk.go(on: Self.client(workspace, "powerOff"))
      try talk.ask(Control.PowerOff.self)
      try talk.go(on: Self.client(workspace, "kill"))
      try talk.ask(Control.Kill.self)
      for end in ends { #expect(try end.wait() == .exited(0)) }
      #expect(Set(ControlCatalogue.methods.map(\.name)).subtracting(talk.asked) == [])
    }

    /// Two machines, by the names of the methods that are to end them.
    private func machinesToEnd(in workspace: Workspace) throws -> [CommandProcess] {
      try ["powerOff", "kill"].map { name in
        let process = try CommandProcess(CommandKVMTests.run("spin", "--control", workspace.file(name)))
        try process.expect("Waiting\n")
        return process
      }
    }

    /// The guest has to see what becomes of its devices.
    private func steerDevices(_ talk: Conversation, in workspace: Workspace) throws {
      try talk.type("ip link set eth0 up; mkdir -p /mnt")
      for isUp in [false, true] {
        try talk.ask(Control.NetworkLink.self) {
          $0.device = "network2"
          $0.up = isUp
        }
        let line = isUp ? 1 : 0
        try talk.type(
          "until [ $(cat /sys/class/net/eth0/carrier) = \(line) ]; do :; done; echo carrier is $((\(line)))"
        )
        try talk.expectOutput("carrier is \(line)")
      }
      let resized = try talk.ask(Control.DiskResize.self) {
        $0.device = "block1"
        $0.size = 8 << 20
      }
      #expect(resized.size == 8 << 20)
      let changed = try talk.ask(Control.DiskChange.self) {
        $0.device = "block0"
        $0.path = workspace.file("other.img")
      }
      #expect(changed.size == 2 << 20)
      for (disk, sectors) in [("vda", 4096), ("vdb", 16384)] {
        try talk.type(
          "until [ $(cat /sys/block/\(disk)/size) = \(sectors) ]; do :; done; echo \(disk) is right | tr a-z A-Z"
        )
        try talk.expectOutput("\(disk.uppercased()) IS RIGHT")
      }
    }

    private func steerPlatform(_ talk: Conversation) throws {
      let transcript = try talk.ask(Control.SCMITranscriptSubscribe.self)
      let agents = try talk.ask(Control.SCMIAgents.self).agents
      #expect(Set(agents.map(\.name)) == ["owner", "guest"])
      let resources = try talk.ask(Control.SCMIResources.self) { $0.kind = "clocks" }.resources
      #expect(resources.contains { $0.name == "clocks/pll" })
      let set = try talk.ask(Control.SCMISet.self) {
        $0.resource = "clocks/pll"
        $0.value = 200_000_000
      }
      #expect(set.value == 200_000_000)
      #expect(try talk.ask(Control.SCMIRead.self) { $0.resource = "clocks/pll" }.resource.value == 200_000_000)
      for (access, status) in [("read", "DENIED"), ("full", "SUCCESS")] {
        try talk.ask(Control.SCMIPermit.self) {
          $0.agent = "guest"
          $0.resource = "clocks/pll"
          $0.access = access
        }
        let vote = try talk.ask(Control.SCMIVoteFor.self) {
          $0.agent = "guest"
          $0.resource = "clocks/pll"
          $0.on = true
        }
        #expect(vote.status == status)
      }
      #expect(try talk.next(Control.SCMITranscript.self) { $0.record.text.contains("clock") } != nil)
      #expect(transcript.subscription != 0)
      try talk.ask(Control.SCMIRuleAdd.self) {
        $0.rule = ControlJSON(text: #"{"name": "late", "action": {"late": 5000}}"#)
      }
      #expect(try talk.ask(Control.SCMIRules.self).rules.contains { $0.name == "late" })
      try talk.ask(Control.SCMIRuleRemove.self) { $0.name = "late" }
      #expect(try !talk.ask(Control.SCMIRules.self).rules.contains { $0.name == "late" })
      try talk.ask(Control.SCMIStep.self) {
        $0.step = ControlJSON(text: #"{"setSensor": "die", "values": [50000]}"#)
      }
    }

    @Test("Python's standard library and the page's class of thirty lines ask a Linux guest for every method")
    func everyMethodFromPython() throws {
      let workspace = try Workspace()
      let guest = try Self.linux(in: workspace)
      let ends = try machinesToEnd(in: workspace)
      _ = try Self.client(workspace)

      let script = try CommandProcess(
        [
          Self.root + "/Tests/CommandKVMTests/every-method.py", Self.root + "/Documentation/Examples/control.py",
          workspace.path,
        ],
        program: try GuestFile.python()
      )

      try #require(try script.wait(within: .seconds(300)) == .exited(0), "\(script.errorText) \(script.outputText)")
      #expect(script.outputText.hasSuffix("every method\n"))
      for process in [guest] + ends { #expect(try process.wait() == .exited(0)) }
    }

    @Test("the page's script of thirty lines pauses and resumes a machine, and prints what became of it")
    func pageScript() throws {
      let workspace = try Workspace()
      let machine = try CommandProcess(CommandKVMTests.run("spin", "--control", workspace.file("spin")))
      try machine.expect("Waiting\n")

      let script = try CommandProcess(
        [Self.root + "/Documentation/Examples/control.py", workspace.file("spin")],
        program: try GuestFile.python()
      )

      #expect(try script.wait() == .exited(0), "\(script.errorText)")
      #expect(script.outputText == "running\n['pausing', 'paused', 'running']\n")
      _ = try Self.client(workspace, "spin").call(Control.Kill.self)
      #expect(try machine.wait() == .exited(0))
    }

    @Test("the commands of the pages on control and pauses work as they stand there, in a shell")
    func pageCommands() throws {
      let workspace = try Workspace()
      workspace.write("", to: "b.img")
      workspace.resize("b.img", to: 1 << 20)
      let machine = try CommandProcess([
        "run", "--kernel", try GuestFile.linux(), "--initrd", try GuestFile.initramfs(), "--memory", "256M",
        "--append", "quiet console=ttyAMA0 initcall_blacklist=trace_eval_init", "--console", "none", "--control",
        "auto",
        "--network", "tap=apuctl1", "--block", workspace.file("b.img"), "--hotplug-memory", "4G",
        "--scmi", Self.root + "/Documentation/Examples/scmi-platform.json,agent=owner",
      ])
      let lines = ["Control.md", "Pause.md"].flatMap { page in
        HostFiles.text("\(Self.root)/Documentation/\(page)").split(separator: "\n").map { $0.drop { $0 == " " } }
      }
      let commands = lines.filter {
        $0.hasPrefix("apus control apus ") || $0 == "apus list" || $0 == "apus console apus"
      }
      try #require(commands.count >= 14)
      try #require(becomesTrue(within: .seconds(120)) { (try? ControlClient("apus")) != nil })

      // What stays until the machine ends, and what ends it, come last.
      var staying: [CommandProcess] = []
      for command in commands where !command.hasSuffix(" powerOff") {
        let process = try Self.shell(String(command))
        if command.hasPrefix("apus console") || command.contains(".subscribe") {
          staying.append(process)
        } else {
          #expect(try process.wait() == .exited(0), "\(command): \(process.errorText)")
        }
      }
      #expect(try Self.shell("apus control apus powerOff").wait() == .exited(0))
      for process in staying { #expect(try process.wait() == .exited(0), "\(process.errorText)") }
      #expect(try machine.wait() == .exited(0))
    }

    private static func shell(_ line: String) throws -> CommandProcess {
      try CommandProcess(["-c", "apus() { \(GuestFile.command()) \"$@\"; }; \(line)"], program: "/bin/sh")
    }

    @Test("SIGTERM ends a machine that is paused as any other")
    func signalWhilePaused() throws {
      let workspace = try Workspace()
      let machine = try CommandProcess(CommandKVMTests.run("spin", "--control", workspace.file("spin")))
      try machine.expect("Waiting\n")
      #expect(try Self.client(workspace, "spin").call(Control.Pause.self).state == .paused)

      machine.signal(SIGTERM)

      #expect(try machine.wait() == .exited(128 + SIGTERM))
    }

    @Test("two clients that resize one region at once are both answered, and the guest gets the last one's size")
    func twoResizers() throws {
      let workspace = try Workspace()
      let guest = try Self.linux(in: workspace)
      let clients = [try Self.client(workspace), try Self.client(workspace)]
      let talks = clients.map { Conversation($0) }
      try talks[0].ask(Control.EventsSubscribe.self) { $0.kinds = [.hotplugMemory] }

      for round in 0..<20 {
        for (index, talk) in talks.enumerated() {
          let size = UInt64(1 + (round + index) % 7) << 27
          #expect(try talk.ask(Control.MemoryResize.self) { $0.size = size }.requested == size)
        }
      }
      try talks[1].ask(Control.MemoryResize.self) { $0.size = 384 << 20 }

      try talks[0].expectEvent { $0.requested == 384 << 20 && $0.plugged == 384 << 20 }
      try talks[0].ask(Control.Kill.self)
      #expect(try guest.wait() == .exited(0))
    }
  }
}

/// A client that notes which methods it has asked for.
private final class Conversation {
  private(set) var asked: Set<String> = []
  private var client: ControlClient
  private var output = ""

  init(_ client: ControlClient) {
    self.client = client
  }

  /// Asks another machine from now on.
  func go(on client: ControlClient) {
    self.client = client
  }

  @discardableResult
  func ask<Method: ControlMethod>(
    _ method: Method.Type,
    _ fill: (inout Method.Parameters) -> Void = { _ in }
  ) throws -> Method.Answer {
    var parameters = Method.Parameters()
    fill(&parameters)
    let answer = try client.call(method, parameters)
    asked.insert(Method.name)
    return answer
  }

  /// Types a line at the guest's shell.
  func type(_ line: String) throws {
    try ask(Control.ConsoleSend.self) { $0.data = line + "\r" }
  }

  /// The next notice of a kind that is the one; nil where none came within two minutes.
  func next<Notice: ControlNotice>(
    _ kind: Notice.Type,
    _ isIt: (Notice.Content) -> Bool
  ) throws -> Notice.Content? {
    while let notice = try client.nextNotice(within: .seconds(120)) {
      if let content = try notice.content(as: kind), isIt(content) { return content }
    }
    return nil
  }

  func expectEvent(_ isIt: (Control.Event.Content) -> Bool, at place: SourceLocation = #_sourceLocation) throws {
    #expect(try next(Control.Event.self, isIt) != nil, "the event did not come", sourceLocation: place)
  }

  func expectOutput(_ text: String, at place: SourceLocation = #_sourceLocation) throws {
    output = ""
    let found = try next(Control.ConsoleOutput.self) { content in
      output += content.data
      return output.contains(text)
    }
    #expect(found != nil, "'\(text)' did not come, but \(output)", sourceLocation: place)
  }
}
