import Apus
import ApusTesting
import Testing

@Suite("Debian", .requiresKVM)
struct DebianTests {
  @Test("its own kernel boots from its own root file system with open DMA, to a login and to apt-get")
  func login() async throws {
    var configuration = Configuration(
      kernel: try GuestFile.debianLinux(),
      initramfs: try GuestFile.debianInitramfs(),
      commandLine: "console=ttyAMA0 quiet initcall_blacklist=trace_eval_init"
    )
    configuration.memorySize = 512 << 20
    configuration.cpuCount = 2
    configuration.dma = .open
    var disk = Configuration.Device.Block(path: try GuestFile.debianRoot())
    disk.isReadOnly = true
    configuration.devices = [.init(.block(disk)), .init(.entropy)]

    let run = try await GuestRun.boot(configuration, limit: .seconds(400)) { _, console in
      try await console.expect("debian login: ", within: .seconds(300))
      console.send("root\n")
      try await console.expect("# ")
      console.send("echo release-$(cat /etc/debian_version); apt-get --version; poweroff\n")
      try await console.expect("Supported modules")
    }

    #expect(run.outcome.end == .poweredOff)
    #expect(run.console.contains("release-13"))
    #expect(run.lines.contains { $0.hasPrefix("apt 3.") && $0.hasSuffix("(arm64)") })
    #expect(run.report.machine?.dma == "open")
    for device in run.report.devices {
      #expect(device.window == "open")
      #expect(device.faults == 0)
      #expect(device.refusedAccesses == 0)
    }
  }
}
