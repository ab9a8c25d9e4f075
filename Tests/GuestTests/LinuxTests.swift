import Apus
import ApusTesting
import DeviceTree
import TestSupport
import Testing

@Suite("Linux guests", .requiresKVM, .ownThread)
struct LinuxTests {
  @Test(
    "one boot gets its command line byte by byte, an overlay's node, drivers, time, features and 20 KB out, and is reported"
  )
  func oneBoot() async throws {
    let folder = try TemporaryFolder()
    var configuration = try LinuxGuest.executing(
      [
        "cat /proc/cmdline", "head -n 1 /proc/device-tree/serial@9000000/probe/text",
        "grep -m 1 Features /proc/cpuinfo", "echo time $(date +%s)", "echo time $(cat /sys/class/rtc/rtc0/since_epoch)",
        "dmesg | grep -E 'PSCIv|ttyAMA0 at|rtc0|rtc-pl031|cp15 timer|WARN[I]NG:'", "seq 100000 102500",
      ].joined(separator: "; ")
    )
    configuration.deviceTreeOverlays = [try folder.write("probe.dtbo", Self.overlay(text: "from an overlay\n"))]
    configuration.cpuFeatures.sve = false
    configuration.cpuFeatures.pointerAuthentication = false
    configuration.cpuFeatures.pmu = false

    let run = try await GuestRun.boot(configuration)

    #expect(run.outcome.end == .poweredOff)
    #expect(run.lines.contains("exit status 0"))
    #expect(run.lines.contains(Substring(configuration.commandLine)))
    #expect(run.console.contains("from an overlay\n"))
    try checkDrivers(run)
    try checkFeatures(run)
    checkTime(run)
    // 20 KB of output arrive without loss.
    let numbers = run.lines.filter { $0.utf8.count == 6 }.compactMap { Int($0) }
    #expect(firstDifference(numbers, 100_000...102_500) == nil)
    try checkReport(run.report)
  }

  /// Drivers bind to the serial port, the clock, PSCI and the timer, and the kernel warns of nothing.
  private func checkDrivers(_ run: GuestRun) throws {
    #expect(run.console.contains("PSCIv1.1 detected in firmware."))
    #expect(run.console.contains("9000000.serial: ttyAMA0 at MMIO 0x9000000"))
    #expect(run.console.contains("registered as rtc0") || run.console.contains("rtc-pl031 9010000"))
    #expect(run.console.contains("arch_timer: cp15 timer(s) running"))
    #expect(!run.console.contains("WARNING:"))
  }

  /// CPU features that are turned off are not in the guest's.
  private func checkFeatures(_ run: GuestRun) throws {
    let features = try #require(run.lines.first { $0.hasPrefix("Features") }).split(separator: " ")
    #expect(features.contains("fp"))
    #expect(!features.contains("sve"))
    #expect(!features.contains("paca"))
    #expect(run.report.machine?.cpuFeatures == [])
  }

  /// The guest's clock starts with the host's time.
  private func checkTime(_ run: GuestRun) {
    let times = run.lines.filter { $0.hasPrefix("time ") }.compactMap { Int64($0.dropFirst(5)) }
    #expect(times.count == 2)
    for time in times { #expect(abs(time - HostTime.seconds) < 120) }
  }

  /// The report tells what the run took.
  private func checkReport(_ report: Report) throws {
    let firstInstruction = try #require(report.time.wallToFirstInstruction)
    #expect(report.outcome == "powered-off")
    #expect(report.exitStatus == 0)
    #expect(report.machine?.cpus == 1)
    #expect(report.memory.guest == 128 << 20)
    #expect(8 << 20..<(128 << 20) ~= report.memory.guestResident)
    #expect(firstInstruction < report.time.wall)
    #expect(report.exits.total > 0)
    #expect(report.exits.systemEvents == 1)
    #expect(report.peripherals.map(\.name) == ["pl011", "pl031", "pvpanic"])
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

  @Test("a reset by the guest is an outcome, or another boot")
  func reset() async throws {
    var resetting = try LinuxGuest.configuration("reset")
    resetting.onReset = .stop
    let stopped = try await GuestRun.boot(resetting)
    var configuration = try LinuxGuest.executing("echo booted; reboot -f")
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

  @Test(
    "a shell gets what was typed before it was there, and 6 KB at once, answers, and ends the machine with its own end"
  )
  func shell() async throws {
    let line = String(repeating: "0123456789abcdef", count: 8)
    let run = try await GuestRun.boot(LinuxGuest.configuration("shell")) { _, console in
      // Before the guest has opened its console.
      console.send("echo typed-$((1 + 1))\n")
      try await console.expect("typed-2")
      try await console.expect("# ")
      console.send("echo $((6 * 7)) $(nproc)\n")
      try await console.expect("\n42 1\n")
      try await console.expect("# ")
      // What comes before the terminal stops its echo would stand in front of the answer.
      console.send("stty -echo; echo quiet\n")
      try await console.expect("\nquiet\n")
      // More than a terminal holds.
      console.send("wc -c\n")
      for _ in 0..<48 { console.send(line + "\n") }
      console.send("\u{4}")
      try await console.expect("\(48 * 129)\n")
      console.send("exit\n")
    }

    #expect(run.outcome.end == .poweredOff)
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
}
