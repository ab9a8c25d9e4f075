import Apus
import ApusTesting
import GuestSupport
import TestLimits
import TestSupport
import Testing

@Suite("Debian", .requiresKVM, .ownThread)
struct DebianTests {
  @Test(
    "its own kernel boots from its own root file system with copies of requests, to a login, apt-get and the network",
    arguments: GuestFile.DebianRelease.allCases
  )
  func login(kernel: GuestFile.DebianRelease) async throws {
    let hasNetwork = KVMHost.runsTestsWithUserNamespaces
    let source = HostSocket.listening()
    let port = HostSocket.listening().port
    var configuration = Configuration(
      kernel: try GuestFile.debianLinux(kernel),
      initramfs: try GuestFile.debianInitramfs(kernel),
      commandLine: "quiet initcall_blacklist=trace_eval_init"
    )
    configuration.memorySize = 512 << 20
    configuration.cpuCount = 2
    configuration.dma = .shadow
    var disk = Configuration.Device.Block(path: try GuestFile.debianRoot())
    disk.isReadOnly = true
    let folder = try TemporaryFolder()
    HostFiles.write(Array("of the host\n".utf8), to: folder.path("file"))
    configuration.devices = [
      .init(.block(disk)), .init(.entropy), .init(.console(.init())),
      .init(.share(.init(path: folder.path, tag: "host"))),
    ]
    if hasNetwork {
      var forward = Configuration.Device.Network.Forward(hostPort: port, guestPort: 4000)
      forward.transport = .udp
      configuration.devices.append(.init(.network(.init(.passt(forwards: [forward], hostLoopback: true)))))
    }
    var answer = "pong-ping"

    let run = try await GuestRun.boot(configuration, limit: .seconds(400)) { machine, console in
      try await console.expect("debian login: ", within: .seconds(300))
      console.send("root\n")
      try await console.expect("# ")
      console.send(
        "echo linux-$(uname -r); echo release-$(cat /etc/debian_version); apt-get --version; cat /proc/consoles\n"
      )
      try await console.expect("Supported modules")
      console.send("echo $(nproc) CPUs, $(tr '\\0' ' ' </proc/device-tree/hypervisor/compatible)\n")
      try await console.expect("2 CPUs, linux,kvm")
      console.send("mkdir /run/h; mount -t virtiofs host /run/h; cd /run/h; sha256sum file && echo back >answer\n")
      try await console.expect("  file")
      if hasNetwork {
        let limit = TestLimit(.seconds(200))
        console.send("ip link set eth0 up; ip addr add 10.0.2.15/24 dev eth0; ip route add default via 10.0.2.2\n")
        console.send("cat </dev/tcp/10.0.2.2/\(source.port)\n")
        try await source.accepted(until: limit).send(Array("over-tcp\n".utf8), until: limit)
        try await console.expect("over-tcp")
        console.send(
          "perl -MIO::Socket::INET -e '$s=IO::Socket::INET->new(Proto=>q(udp),LocalPort=>4000);"
            + "$s->recv($d,99);$s->send(qq(pong-$d))'\n"
        )
        answer = try await HostDatagrams(to: port).ask("ping", until: limit)
      }
      try await Self.pauseUnderWatch(machine, console)
      console.send("poweroff\n")
    }

    #expect(answer == "pong-ping")
    #expect(run.outcome.end == .poweredOff)
    #expect(run.console.contains(kernel == .bookworm ? "linux-6.1." : "linux-6.12."))
    #expect(run.console.contains("release-13"))
    #expect(run.lines.contains { $0.hasPrefix("apt 3.") && $0.hasSuffix("(arm64)") })
    #expect(run.lines.contains { $0.hasPrefix("hvc0 ") })
    #expect(HostFiles.text(folder.path("answer")) == "back\n")
    #expect(run.report.machine?.dma == "shadow")
    for device in run.report.devices {
      #expect(device.window == "shadow")
      #expect(device.faults == 0)
      #expect(device.refusedAccesses == 0)
    }
  }

  /// The kernel's watchdog looks for CPUs on which nothing was scheduled for twice its threshold. It sees no pause.
  private static func pauseUnderWatch(_ machine: Machine, _ console: ConsoleTranscript) async throws {
    console.send("echo 2 >/proc/sys/kernel/watchdog_thresh; echo watch-$(cat /proc/sys/kernel/soft_watchdog)\n")
    try await console.expect("watch-1")
    console.send("read a _ </proc/uptime; echo be''fore\n")
    try await console.expect("before")
    #expect(await machine.pause())
    try await Task.sleep(for: .seconds(8))
    #expect(await machine.resume())
    // What a prompt and an answer take is far less than the pause.
    console.send(
      "read b _ </proc/uptime; [ $((${b%.*} - ${a%.*})) -lt 8 ] && echo clock-st''ood; sleep 3; echo la''ter\n"
    )
    try await console.expect("clock-stood")
    try await console.expect("later")
    console.send("dmesg | grep -cE 'lockup - CPU|rcu: INFO|blocked for more' || echo quiet-kern''el\n")
    try await console.expect("quiet-kernel")
  }
}
