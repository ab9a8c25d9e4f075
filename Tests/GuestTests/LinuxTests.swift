import Apus
import ApusTesting
import DeviceTree
import TestBasics
import TestSupport
import Testing

@Suite("Linux guests", .requiresKVM, .ownThread)
struct LinuxTests {
  @Test("Debian's own kernel boots with the project's initramfs")
  func debian() async throws {
    var configuration = try LinuxGuest.configuration("demo", kernel: GuestFile.debianLinux())
    configuration.memorySize = 512 << 20
    configuration.cpuCount = 2

    let run = try await GuestRun.boot(configuration)

    #expect(run.outcome.end == .poweredOff)
    #expect(run.console.contains("-cloud-arm64 on aarch64: 2 CPUs, "))
    #expect(run.console.contains("compatible = \"linux,kvm\""))
  }

  @Test("the guest gets the command line that was given, byte by byte, and an overlay's node in its device tree")
  func commandLineAndOverlay() async throws {
    let folder = try TemporaryFolder()
    let probe = "/proc/device-tree/serial@9000000/probe/text"
    var configuration = try LinuxGuest.executing("cat /proc/cmdline; head -n 1 \(probe)")
    configuration.deviceTreeOverlays = [try folder.write("probe.dtbo", Self.overlay(text: "from an overlay\n"))]

    let run = try await GuestRun.boot(configuration)

    #expect(run.outcome.end == .poweredOff)
    #expect(run.lines.contains(Substring(configuration.commandLine)))
    #expect(run.console.contains("from an overlay\n"))
    #expect(run.lines.contains("exit status 0"))
  }

  /// What dtc makes of `&uart { probe { text = "…"; }; };`.
  private static func overlay(text: String) throws -> [UInt8] {
    var tree = DeviceTreeWriter()
    tree.node("") { root in
      root.node("fragment@0") { fragment in
        fragment.property("target", cells: [.max])
        fragment.node("__overlay__") { overlay in overlay.node("probe") { $0.property("text", text) } }
      }
      root.node("__fixups__") { $0.property("uart", "/fragment@0:target:0") }
    }
    return try tree.finish()
  }

  @Test("drivers bind to the serial port, the clock, pvpanic, PSCI and the random seed")
  func drivers() async throws {
    let run = try await GuestRun.boot(LinuxGuest.configuration("demo", quiet: false))

    #expect(run.outcome.end == .poweredOff)
    #expect(run.console.contains("PSCIv1.1 detected in firmware."))
    #expect(run.console.contains("9000000.serial: ttyAMA0 at MMIO 0x9000000"))
    #expect(run.console.contains("registered as rtc0") || run.console.contains("rtc-pl031 9010000"))
    #expect(run.console.contains("arch_timer: cp15 timer(s) running"))
    #expect(!run.console.contains("WARNING:"))
  }

  @Test("the guest's clock starts with the host's time")
  func clock() async throws {
    let run = try await GuestRun.boot(LinuxGuest.executing("date +%s; cat /sys/class/rtc/rtc0/since_epoch"))

    let times = run.lines.compactMap { Int64($0) }
    #expect(run.outcome.end == .poweredOff)
    #expect(times.count == 2)
    for time in times { #expect(abs(time - HostTime.seconds) < 120) }
  }

  @Test("a kernel panic reaches Apus through pvpanic")
  func panic() async throws {
    let run = try await GuestRun.boot(LinuxGuest.configuration("panic"))

    #expect(run.outcome.end == .panicked)
    #expect(run.console.contains("Kernel panic - not syncing: sysrq triggered crash"))
  }

  @Test("a reset by the guest is an outcome, or another boot")
  func reset() async throws {
    var configuration = try LinuxGuest.executing("echo booted; reboot -f")
    configuration.onReset = .stop
    let stopped = try await GuestRun.boot(configuration)
    configuration.onReset = .reboot

    let rebooted = try await GuestRun.boot(configuration) { machine, console in
      for _ in 0..<2 { try await console.expect("booted\n") }
      machine.stop()
    }

    #expect(stopped.outcome.end == .reset)
    #expect(stopped.report.boots == 1)
    #expect(rebooted.outcome.end == .stopped)
    // The guest goes on meanwhile.
    #expect(rebooted.report.boots >= 2)
  }

  @Test("a guest that sleeps for ever is ended by the time limit")
  func timeout() async throws {
    var configuration = try LinuxGuest.configuration("idle")
    configuration.timeout = .seconds(3)

    let run = try await GuestRun.boot(configuration)

    #expect(run.outcome.end == .timedOut)
  }

  @Test("a shell in the guest answers on the console and ends the machine with its own end")
  func shell() async throws {
    let run = try await GuestRun.boot(LinuxGuest.configuration("shell")) { _, console in
      try await console.expect("# ")
      console.send("echo $((6 * 7)) $(nproc)\n")
      try await console.expect("\n42 1\n")
      console.send("exit\n")
    }

    #expect(run.outcome.end == .poweredOff)
  }

  @Test("what is typed before the guest has opened its console waits for the shell")
  func typedAhead() async throws {
    let run = try await GuestRun.boot(LinuxGuest.configuration("shell")) { _, console in
      console.send("echo typed-$((1 + 1))\nexit\n")
      try await console.expect("typed-2")
    }

    #expect(run.outcome.end == .poweredOff)
  }

  @Test("6 KB typed at once, more than a terminal holds, reach a program in the guest without loss")
  func muchInput() async throws {
    let line = String(repeating: "0123456789abcdef", count: 8)
    let run = try await GuestRun.boot(LinuxGuest.configuration("shell")) { _, console in
      try await console.expect("# ")
      console.send("stty -echo; wc -c\n")
      for _ in 0..<48 { console.send(line + "\n") }
      console.send("\u{4}")
      try await console.expect("\n\(48 * 129)\n")
      console.send("exit\n")
    }

    #expect(run.outcome.end == .poweredOff)
  }

  @Test("20 KB of output arrive without loss")
  func muchOutput() async throws {
    let run = try await GuestRun.boot(LinuxGuest.executing("seq 100000 102500"))

    #expect(run.outcome.end == .poweredOff)
    let numbers = run.lines.filter { $0.utf8.count == 6 }.compactMap { Int($0) }
    #expect(firstDifference(numbers, 100_000...102_500) == nil)
  }

  @Test("an initramfs of 200 MB boots")
  func largeInitramfs() async throws {
    try await PaddedInitramfs.with(megabytes: 200) { path in
      var configuration = try LinuxGuest.executing("ls -l /padding | tr -s ' ' | cut -d ' ' -f 5")
      configuration.initramfs = path
      configuration.memorySize = 1 << 30

      let run = try await GuestRun.boot(configuration)

      #expect(run.outcome.end == .poweredOff)
      #expect(run.lines.contains("200000000"))
    }
  }

  @Test("CPU features that are turned off are not in the guest's")
  func cpuFeatures() async throws {
    var configuration = try LinuxGuest.executing("grep -m 1 Features /proc/cpuinfo")
    configuration.cpuFeatures.sve = false
    configuration.cpuFeatures.pointerAuthentication = false
    configuration.cpuFeatures.pmu = false

    let run = try await GuestRun.boot(configuration)

    let features = try #require(run.lines.first { $0.hasPrefix("Features") }).split(separator: " ")
    #expect(features.contains("fp"))
    #expect(!features.contains("sve"))
    #expect(!features.contains("paca"))
    #expect(run.report.machine?.cpuFeatures == [])
  }

  @Test("the report tells what the run took")
  func report() async throws {
    let run = try await GuestRun.boot(LinuxGuest.configuration("poweroff"))

    let report = run.report
    let firstInstruction = try #require(report.time.wallToFirstInstruction)
    #expect(report.outcome == "powered-off")
    #expect(report.exitStatus == 0)
    #expect(report.machine?.cpus == 1)
    #expect(report.memory.guest == 128 << 20)
    #expect(8 << 20..<(128 << 20) ~= report.memory.guestResident)
    #expect(firstInstruction < report.time.wall)
    #expect(report.exits.total > 0)
    #expect(report.exits.systemEvents == 1)
  }
}
