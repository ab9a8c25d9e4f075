import ApusTesting
import Glibc
import GuestSupport
import Host
import TestSupport
import Testing

extension CommandKVMTests {
  @Suite("Devices that another process serves by messages")
  struct MessageDeviceTests {
    /// The arguments that run one command line in a Linux guest.
    private static func linux(_ command: String, _ arguments: String...) throws -> [String] {
      [
        "run", "--memory", "128M", "--kernel", try GuestFile.linux(), "--initrd", try GuestFile.initramfs(),
        "--append",
        "console=ttyAMA0 quiet initcall_blacklist=trace_eval_init apus_mode=exec apus_exec=\"dmesg -n 1; \(command)\"",
      ] + arguments
    }

    private static func serve(_ device: String, at socket: String) throws -> CommandProcess {
      let process = try CommandProcess(["device", "serve", "--socket", socket, device])
      try process.expectError("is served on", within: .seconds(60))
      return process
    }

    /// What a process has open: of what has no name, its kind.
    private static func descriptors(of process: CommandProcess) -> [String] {
      HostFiles.names(in: "/proc/\(process.processID)/fd").map { name in
        var buffer = [CChar](repeating: 0, count: 4096)
        // SAFETY: the path and the buffer hold for the call and the size goes along.
        let count = unsafe readlink("/proc/\(process.processID)/fd/\(name)", &buffer, buffer.count)
        return String(decoding: buffer.prefix(max(0, count)).map { UInt8(bitPattern: $0) }, as: UTF8.self)
      }
    }

    @Test("19 a disk of a process that has no descriptor but its socket and its image holds what is written to it")
    func block() throws {
      let workspace = try Workspace()
      workspace.write("", to: "image")
      workspace.resize("image", to: 32 << 20)
      let socket = workspace.file("socket")
      let server = try Self.serve("block," + workspace.file("image"), at: socket)
      let command = """
        disk-check write direct /dev/vda 8 1 && disk-check verify direct /dev/vda 8 1 && \
        disk-check write plain /dev/vda 8 2 && sync && echo 3 >/proc/sys/vm/drop_caches && \
        disk-check verify plain /dev/vda 8 2 && echo all verified; echo ready; read x; exit 5
        """
      let machine = try CommandProcess(
        Self.linux(
          command,
          "--message-device",
          "block,socket=\(socket)",
          "--report",
          workspace.file("report"),
          "--entropy"
        ),
        input: .pipe
      )
      try machine.expect("ready", within: .seconds(240))

      let descriptors = Self.descriptors(of: server)
      let maps = HostFiles.text("/proc/\(server.processID)/maps")
      try machine.send("\n")

      #expect(machine.outputText.contains("all verified"))
      #expect(try machine.wait(within: .seconds(60)) == .exited(0))
      let report = workspace.text("report")
      #expect(report.contains("\"reach\" : \"messages\""))
      #expect(report.contains("\"reach\" : \"window\""))
      #expect(report.contains("\"losses\" : 0"))
      // Nothing of the machine's: no memory, no notification, nothing of KVM.
      let own = descriptors.filter { name in
        !name.hasPrefix("pipe:") && name != "/dev/null" && !name.hasPrefix("anon_inode:[")
      }
      let sockets = own.filter { $0.hasPrefix("socket:") }
      let others = own.filter { !$0.hasPrefix("socket:") }
      #expect(sockets.count == 2, "the one that listens, and the connection: \(descriptors)")
      // By its own name it takes the socket away at its end.
      #expect(others.filter { $0 != socket } == [workspace.file("image")])
      #expect(!descriptors.contains { $0.contains("memfd") || $0.contains("kvm") })
      #expect(!maps.contains("memfd") && !maps.contains("kvm"))
      server.signal(SIGTERM)
      #expect(try server.wait(within: .seconds(30)) == .exited(0))
      #expect(!workspace.files.contains("socket"))
    }

    @Test("19 a disk whose process is killed again and again under load holds what is written to it")
    func killed() throws {
      let kills = Variable.number("APUS_KILLS", or: 10)
      let workspace = try Workspace()
      workspace.write("", to: "image")
      workspace.resize("image", to: 16 << 20)
      let (socket, device) = (workspace.file("socket"), "block," + workspace.file("image"))
      var server = try Self.serve(device, at: socket)
      let command = """
        echo ready; n=0; while [ ! -e /stop ]; do n=$((n + 1)); disk-check write direct /dev/vda 8 $n >/dev/null && \
        disk-check verify direct /dev/vda 8 $n >/dev/null || { echo failed $n; break; }; \
        if read -t 0 x; then break; fi; done; echo rounds $n; exit 5
        """
      let machine = try CommandProcess(
        Self.linux(command, "--message-device", "block,socket=\(socket)", "--report", workspace.file("report")),
        input: .pipe
      )
      try machine.expect("ready", within: .seconds(240))

      for _ in 0..<kills {
        try server.expectError("a machine has connected", within: .seconds(60))
        usleep(200_000)
        server.signal(SIGKILL)
        _ = try server.wait(within: .seconds(30))
        server = try Self.serve(device, at: socket)
      }
      try server.expectError("a machine has connected", within: .seconds(60))
      try machine.send("\n")

      #expect(try machine.wait(within: .seconds(240)) == .exited(0))
      #expect(machine.outputText.contains("rounds "))
      #expect(!machine.outputText.contains("failed"))
      let report = workspace.text("report")
      #expect(report.contains("\"returns\" : \(kills)"), "\(report.suffix(2000))")
    }

    @Test("random numbers and an SCMI platform of other processes are used by a guest")
    func others() throws {
      let workspace = try Workspace()
      let platform = """
        { "agents": [ { "name": "guest" } ], "clocks": [ { "name": "uart", "rates": [24000000, 48000000], "enabled": true } ] }
        """
      workspace.write(platform, to: "platform.json")
      let (random, scmi) = (workspace.file("random"), workspace.file("scmi"))
      let first = try Self.serve("entropy", at: random)
      let second = try Self.serve("scmi," + workspace.file("platform.json"), at: scmi)
      let command = """
        dmesg | grep -c SCMI.Protocol; dd if=/dev/hwrng bs=64 count=1 2>/dev/null | wc -c; \
        mount -t debugfs none /sys/kernel/debug 2>/dev/null; cat /sys/kernel/debug/clk/uart/clk_rate; exit 5
        """
      let machine = try CommandProcess(
        Self.linux(
          command,
          "--message-device",
          "entropy,socket=\(random)",
          "--message-device",
          "scmi,socket=\(scmi),platform=\(workspace.file("platform.json"))"
        )
      )

      #expect(try machine.wait(within: .seconds(240)) == .exited(0))
      let lines = machine.outputText.split(separator: "\n").map(String.init)
      #expect(lines.contains("64"), "\(machine.outputText.suffix(2000)) \(machine.errorText)")
      #expect(lines.contains("24000000"))
      for server in [first, second] {
        server.signal(SIGTERM)
        #expect(try server.wait(within: .seconds(30)) == .exited(0))
      }
    }
  }
}
