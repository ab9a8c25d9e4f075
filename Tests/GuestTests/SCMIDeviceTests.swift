import Apus
import ApusTesting
import SCMI
import SCMIFile
import Testing

/// Devices of a platform's tree that drivers of any kind bind to.
@Suite("Devices that a platform file describes", .requiresKVM, .ownThread)
struct SCMIDeviceTests {
  private static func resource(_ kind: ResourceKind, _ name: String) -> ResourceName { ResourceName(kind, name) }

  /// A PL031 of scratch memory, whose driver is Linux's; a panic notifier; and a device that has no driver.
  private static var definition: PlatformDefinition {
    PlatformDefinition { platform in
      platform.clocks = [
        ClockDefinition("bus") { $0.rates = .list([1_000_000, 24_000_000]) },
        ClockDefinition("slow") { $0.rates = .list([1_000_000]) },
      ]
      platform.powerDomains = [PowerDomainDefinition("timer"), PowerDomainDefinition("npu")]
      platform.resets = [ResetDefinition("npu")]
      platform.regulators = [VoltageDomainDefinition("vdd") { $0.levels = .list([900_000, 1_000_000]) }]
      platform.agents = [AgentDefinition("guest")]
      platform.tree.consumers = [
        ConsumerDefinition("timer", .device) { timer in
          timer.compatible = ["arm,pl031", "arm,primecell"]
          timer.resources = [resource(.clock, "bus"), resource(.powerDomain, "timer")]
          timer.rates = ["bus": 24_000_000]
          timer.node.names = [resource(.clock, "bus"): "apb_pclk"]
          timer.node.properties = [("arm,primecell-periphid", .cells([0x0004_1031]))]
          // The time (RTCDR) and the masked interrupt status (RTCMIS).
          timer.registers = [.init(size: 0x1000, words: [86_400, 0, 0, 0, 0, 0, 1])]
          timer.interrupts = [.init()]
        },
        ConsumerDefinition("panic", .device) { panic in
          panic.compatible = ["qemu,pvpanic-mmio"]
          panic.registers = [.init(size: 4, words: [2])]
        },
        ConsumerDefinition("npu", .device) { npu in
          npu.compatible = ["vendor,npu"]
          npu.resources = [
            resource(.clock, "bus"), resource(.powerDomain, "npu"), resource(.resetDomain, "npu"),
            resource(.voltageDomain, "vdd"),
          ]
          npu.node.properties = [("vendor,firmware", .strings(["npu.bin"])), ("vendor,lanes", .cells([4]))]
          npu.node.children = [ChildDefinition("core@0") { $0.node.properties = [("reg", .cells([0]))] }]
          npu.registers = [.init("control", size: 0x2000), .init("table", size: 0x1000)]
          npu.interrupts = [.init("done"), .init("fault", trigger: .level)]
        },
        ConsumerDefinition("alarm", .device) { alarm in
          alarm.compatible = ["arm,pl031", "arm,primecell"]
          alarm.resources = [resource(.clock, "slow")]
          alarm.node.names = [resource(.clock, "slow"): "apb_pclk"]
          alarm.node.properties = [("arm,primecell-periphid", .cells([0x0004_1031]))]
          alarm.registers = [.init(size: 0x1000, words: [0, 0, 0, 0, 0, 0, 1])]
          alarm.interrupts = [.init(trigger: .level)]
        },
      ]
    }
  }

  @Test("are found by their drivers, keep what is written to them, and interrupt")
  func devices() async throws {
    let platform = try SharedPlatform(startingNow: Self.definition)

    let run = try await GuestRun.boot(try SCMIGuest.configuration(), platform: platform, limit: .seconds(120)) {
      machine,
      console in
      let shell = try await GuestShell(console)
      try await timer(shell, platform)
      try await alarm(shell, platform)

      let capability = try await shell.run("cat /sys/bus/platform/drivers/pvpanic-mmio/*.panic/capability")
      #expect(capability == ["2"])

      try await shell.run("cd /sys/bus/platform/devices/d002000.npu/of_node")
      #expect(
        try await shell.run("tr '\\0' '\\n' <compatible; tr '\\0' '\\n' <vendor,firmware") == ["vendor,npu", "npu.bin"]
      )
      #expect(
        try await shell.run("tr '\\0' ' ' <reg-names; tr '\\0' ' ' <interrupt-names; echo; ls -1d core@0 vdd-supply")
          == [
            "control table done fault ", "core@0", "vdd-supply",
          ]
      )
      machine.stop()
    }

    #expect(run.outcome.end == .stopped)
    #expect(!run.console.contains("WARNING:"))
  }

  @Test("are promised no more than the agent may set or do, and no driver of Linux has anything refused")
  func boundsAndDenials() async throws {
    let root = "/" + #filePath.split(separator: "/").dropLast(3).joined(separator: "/")
    let scmi = Configuration.Device.SCMI(path: root + "/Tests/Cases/bounds-and-denials.json")
    var configuration = try LinuxGuest.configuration("")
    configuration.commandLine = "quiet initcall_blacklist=trace_eval_init apus_mode=shell"
    configuration.devices = [.init(.scmi(scmi)), .init(.console(.init()))]

    let run = try await GuestRun.boot(configuration, limit: .seconds(120)) { machine, console in
      let shell = try await GuestShell(console)
      let regulator = "cd /sys/class/regulator; cd $(dirname $(grep -l ^vr$ */name)); cat m*_microvolts"
      #expect(try await shell.run(regulator) == ["950000", "800000"])
      let frequencies = "cat /sys/devices/system/cpu/cpufreq/policy0/scaling_available_frequencies"
      #expect(try await shell.run(frequencies) == ["200000 300000 400000 "])
      let caps = "cd /sys/class/powercap/arm-scmi:0; cat constraint_0_max_power_uw constraint_0_min_power_uw"
      #expect(try await shell.run(caps) == ["4000000", "2000000"])
      let limit = "constraint_0_power_limit_uw"
      #expect(try await shell.run("echo 3000000 >\(limit); cat \(limit)") == ["3000000"])
      // ERANGE, EACCES and ENODATA in numbers and in words.
      let complaints = try await shell.run("dmesg | grep -E -- '-34|-13|-61|No data|denied|out of range'; true")
      #expect(complaints == [])
      machine.stop()
    }

    #expect(run.outcome.end == .stopped)
  }

  /// The driver of the machine's own real-time clock has another one.
  private func timer(_ shell: GuestShell, _ platform: SharedPlatform) async throws {
    func state() -> [Int64?] {
      platform.change { platform, _ in
        [
          platform.isEnabled(ResourceName(.clock, "bus")) == true ? 1 : 0,
          platform.value(ResourceName(.clock, "bus")), platform.value(ResourceName(.powerDomain, "timer")),
        ]
      }
    }
    try await shell.run("R=$(ls -d /sys/bus/amba/devices/d000000.timer/rtc/rtc*); D=/sys/bus/amba/drivers/rtc-pl031")
    #expect(try await shell.run("cat $R/since_epoch") == ["86400"])
    #expect(state() == [1, 24_000_000, 0])

    try await shell.run("echo 90000 >$R/wakealarm; echo d000000.timer >$D/unbind")
    #expect(state() == [0, 24_000_000, 0x4000_0000])
    try await shell.run("echo d000000.timer >$D/bind; R=$(ls -d /sys/bus/amba/devices/d000000.timer/rtc/rtc*)")
    // The driver reads the alarm from its device when it begins.
    #expect(try await shell.run("cat $R/wakealarm") == ["90000"])

    let count = Self.count("Edge")
    let before = try await shell.run(count)
    for _ in 0..<3 {
      let isThere = platform.change { platform, now in platform.interrupt("timer", line: 0, at: now) }
      #expect(isThere)
      try await shell.run("sleep 0.05")
    }
    let after = try await shell.run(count)
    #expect(Int(after.first ?? "") == (Int(before.first ?? "") ?? -1) + 3)
  }

  /// Memory does not take its interrupt back when a driver answers it: the guest is interrupted until the platform
  /// does.
  private func alarm(_ shell: GuestShell, _ platform: SharedPlatform) async throws {
    func set(_ asserted: Bool) -> Bool {
      platform.change { platform, now in platform.interrupt("alarm", line: 0, asserted: asserted, at: now) }
    }
    let before = try await shell.run(Self.count("Level"))

    #expect(set(true))
    try await Task.sleep(for: .milliseconds(100))
    #expect(set(false))

    let after = try await shell.run("sleep 0.05; " + Self.count("Level"))
    #expect(try #require(Int(after.first ?? "")) >= #require(Int(before.first ?? "")) + 2)
    #expect(try await shell.run("sleep 0.1; " + Self.count("Level")) == after)
  }

  /// How often the timers' lines of a trigger have interrupted the guest.
  private static func count(_ trigger: String) -> String {
    "grep '\(trigger).*rtc-pl031' /proc/interrupts | awk '{ n += $2 } END { print n + 0 }'"
  }
}
