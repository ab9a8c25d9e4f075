import Apus
import ApusTesting
import TestSupport
import Testing

@Suite("Linux guests with a virtio console", .requiresKVM, .ownThread)
struct VirtioConsoleTests {
  /// How many lines a guest floods its console with: 1.3 MB, or 290 KB where effort is to be brief.
  private static let flood = Effort.isBrief ? 50_000 : 200_000

  /// A guest that runs one command line of its shell, with its console on hvc0.
  private func executing(_ command: String, ports: [Configuration.Port] = []) throws -> Configuration {
    var configuration = try LinuxGuest.executing(command)
    let quietly = LinuxGuest.quiet + command
    configuration.commandLine = "quiet initcall_blacklist=trace_eval_init apus_mode=exec apus_exec=\"\(quietly)\""
    configuration.devices = [.init(.console(.init(ports: ports)))]
    return configuration
  }

  @Test("hvc0 is the console, what was typed ahead waits for the shell, a flood is complete, and the status arrives")
  func console() async throws {
    // The window for all that is DMA is only as large as the console needs.
    var configuration = try executing("")
    configuration.commandLine = "earlycon quiet initcall_blacklist=trace_eval_init apus_mode=exec apus_exec=sh"
    configuration.dma = .confined(windowSize: 4 << 20)
    let run = try await GuestRun.boot(configuration, limit: .seconds(300)) { _, console in
      // Without output processing a program's write is one buffer for the device, as large as the terminal's.
      console.send("stty -echo; read w; echo typed-$w; cat /proc/consoles; stty -opost; ")
      console.send("seq 1 \(Self.flood) | cat; exit 42\n")
      console.send("ahead\n")
      try await console.expect("typed-ahead")
    }

    // Compared here: what tells two long arrays apart takes more memory than a test's host has.
    let isComplete = run.lines.compactMap { Int($0) } == Array(1...Self.flood)
    #expect(run.outcome.end == .poweredOff)
    #expect(run.outcome.guestStatus == 42)
    #expect(run.report.exitStatus == 42)
    #expect(run.report.outcome == "powered-off")
    #expect(run.lines.contains { $0.hasPrefix("hvc0 ") })
    #expect(run.console.contains("Booting Linux on physical CPU"), "earlycon is the serial port's")
    #expect(isComplete)
    let device = try #require(run.report.devices.first)
    #expect(run.report.devices.count == 1)
    #expect(device.name == "console0")
    #expect(device.refusedAccesses == 0)
    #expect(device.faults == 0)
  }

  @Test("ports carry bytes both ways, come and go with their peers, and one that nobody reads stalls nothing else")
  func ports() async throws {
    let folder = try TemporaryFolder()
    let socket = folder.path("agent")
    let idle = folder.path("idle")
    let (ours, theirs) = try PortPeer.pair()
    let command = """
      for n in /sys/class/virtio-ports/*/name; do p=${n%/name}; ln -s /dev/${p##*/} /dev/$(cat $n); done; \
      (dd if=/dev/zero bs=4096 count=2000 >/dev/idle 2>/dev/null; echo idle-done) & \
      seq 1 20000 >/dev/log; \
      exec 3<>/dev/agent; echo ready; until read a <&3; do sleep 0.1; done; echo got-$a; echo pong-$a >&3; \
      cat <&3; echo peer-gone; exec 3>&-; \
      exec 3<>/dev/agent; echo ready-again; until read a <&3; do sleep 0.1; done; echo got-$a; echo pong-$a >&3; \
      exec 4<>/dev/direct; read a <&4; seq 1 5000 >&4; echo direct-$a; \
      exit 3
      """
    let configuration = try executing(
      command,
      ports: [
        .init("log", .file(path: folder.path("log"))),
        .init("agent", .socket(path: socket)),
        .init("idle", .socket(path: idle)),
        .init("direct", .descriptor(theirs.descriptor)),
      ]
    )

    let direct = ours
    let run = try await GuestRun.boot(configuration) { _, console in
      // Connected from the start, and never read.
      let sleeper = try PortPeer(connectingTo: idle)
      let first = try PortPeer(connectingTo: socket)
      try await console.expect("ready")
      first.write("one\n")
      try await console.expect("got-one")
      #expect(try first.read(untilSuffix: "\n") == "pong-one\n")
      first.close()
      try await console.expect("peer-gone")
      let second = try PortPeer(connectingTo: socket)
      try await console.expect("ready-again")
      second.write("two\n")
      try await console.expect("got-two")
      #expect(try second.read(untilSuffix: "\n") == "pong-two\n")
      direct.write("three\n")
      let isComplete = try direct.read(untilSuffix: "\n5000\n") == (1...5000).map { "\($0)\n" }.joined()
      #expect(isComplete)
      try await console.expect("direct-three")
      try await console.expect("exit status")
      sleeper.close()
    }

    #expect(run.outcome.end == .poweredOff)
    #expect(!run.console.contains("idle-done"))
    #expect(run.outcome.guestStatus == 3)
    let isLogged = HostFiles.text(folder.path("log")) == (1...20_000).map { "\($0)\n" }.joined()
    #expect(isLogged)
    #expect(try !folder.names.contains("agent"), "the socket goes with the machine")
  }

  @Test("what was written to ports just before the end arrives, and a status that is none counts as none")
  func lastWords() async throws {
    let folder = try TemporaryFolder()
    var configuration = try executing(
      """
      for n in /sys/class/virtio-ports/*/name; do p=${n%/name}; ln -s /dev/${p##*/} /dev/$(cat $n); done; \
      echo 300 >/dev/virtme.ret; exec 3<>/dev/agent; until read a <&3; do sleep 0.1; done; seq 1 100000 >/tmp/s; \
      dd if=/tmp/s bs=32768 of=/dev/log; dd if=/tmp/s bs=32768 >&3; poweroff -f
      """,
      ports: [.init("log", .file(path: folder.path("log"))), .init("agent", .socket(path: folder.path("agent")))]
    )
    configuration.cpuCount = 2
    let expected = (1...100_000).map { "\($0)\n" }.joined()

    let run = try await GuestRun.boot(configuration) { _, _ in
      let peer = try PortPeer(connectingTo: folder.path("agent"))
      peer.write("go\n")
      // A reader that takes its time, but reads.
      let isComplete = try peer.read(untilSuffix: "\n100000\n", pausing: true) == expected
      #expect(isComplete)
    }

    #expect(run.outcome.end == .poweredOff)
    #expect(run.outcome.guestStatus == nil)
    #expect(run.report.exitStatus == 0)
    let isLogged = HostFiles.text(folder.path("log")) == expected
    #expect(isLogged)
  }
}
