import Apus
import ApusTesting
import SCMI
import Testing

/// Each of Linux's SCMI drivers reads its platform and changes it.
@Suite("Linux's SCMI drivers", .requiresKVM)
struct SCMIDriverTests {
  @Test("of all ten protocols work, and what they say is what the platform heard")
  func drivers() async throws {
    let platform = try SCMIGuest.platform(SCMIGuest.definition)
    let session = RecordedSession(platform)

    let run = try await GuestRun.boot(try SCMIGuest.configuration(platform), limit: .seconds(300)) { _, console in
      let shell = try await GuestShell(console)
      let start = session.records.count
      try await shell.run("cd /sys/kernel/tracing; echo 1 > events/scmi/scmi_msg_dump/enable; cd /")
      try await clocks(shell, platform)
      try await performance(shell, platform)
      try await sensors(shell, platform)
      try await regulators(shell, platform)
      try await powercaps(shell, platform)
      try await pins(shell, platform)
      try await shell.run("echo 0 > /sys/kernel/tracing/events/scmi/scmi_msg_dump/enable")
      let messages = session.messages(from: start)
      try await compare(try await shell.run("grep scmi_msg_dump: /sys/kernel/tracing/trace | grep -v t=NOTI"), messages)
      try await updates(shell, platform)
      try await checkCounters(shell)
      try await shutDown(shell, platform)
    }

    #expect(run.outcome.end == .poweredOff)
    #expect(!run.console.contains("WARNING:"))
    let device = try #require(run.report.devices.first)
    #expect(device.refusedAccesses == 0)
    #expect(device.faults == 0)
    let commands = session.messages().count { $0.kind == .request }
    #expect(device.scmi?.commands == UInt64(commands))
    #expect(device.scmi?.droppedNotifications == 0)
  }

  private func value(_ platform: SharedPlatform, _ kind: ResourceKind, _ name: String) -> Int64? {
    platform.change { platform, _ in platform.value(ResourceName(kind, name)) }
  }

  private func isOn(_ platform: SharedPlatform, _ kind: ResourceKind, _ name: String) -> Bool? {
    platform.change { platform, _ in platform.isEnabled(ResourceName(kind, name)) }
  }

  /// The real-time clock's driver is the consumer of a clock, a power domain and a reset: it lets them go and takes
  /// them again.
  private func clocks(_ shell: GuestShell, _ platform: SharedPlatform) async throws {
    let debug = "cd /sys/kernel/debug; cat clk/rtc/clk_rate clk/rtc/clk_parent clk/rtc/clk_enable_count"
    let domain = "cat pm_genpd/rtc/current_state; cd /"
    #expect(try await shell.run("\(debug); \(domain)") == ["1000000", "crystal", "1", "on"])
    #expect(value(platform, .clock, "rtc") == 1_000_000)
    #expect(isOn(platform, .clock, "rtc") == true)
    #expect(value(platform, .powerDomain, "rtc") == 0)
    let resets = platform.change { platform, _ in platform.resetCount("rtc") }
    #expect(value(platform, .resetDomain, "rtc") == 0)
    #expect(resets == 0)

    try await shell.run("echo 9010000.rtc > /sys/bus/amba/drivers/rtc-pl031/unbind")
    let gone = try await shell.run("\(debug); \(domain)")
    #expect(gone == ["1000000", "crystal", "0", "off-0"])
    #expect(isOn(platform, .clock, "rtc") == false)
    #expect(value(platform, .powerDomain, "rtc") == 0x4000_0000)

    // The platform changes the rate by itself; the consumer sets its own when it comes again.
    _ = platform.change { $0.setValue(ResourceName(.clock, "rtc"), 32_768, at: $1) }
    #expect(try await shell.run("cat /sys/kernel/debug/clk/rtc/clk_rate") == ["32768"])
    try await shell.run("echo 9010000.rtc > /sys/bus/amba/drivers/rtc-pl031/bind")
    #expect(try await shell.run("\(debug); \(domain)") == ["1000000", "crystal", "1", "on"])
    #expect(value(platform, .clock, "rtc") == 1_000_000)
    #expect(isOn(platform, .clock, "rtc") == true)
    #expect(value(platform, .powerDomain, "rtc") == 0)
  }

  private func performance(_ shell: GuestShell, _ platform: SharedPlatform) async throws {
    let policy = "cd /sys/devices/system/cpu/cpufreq/policy0"
    let known = try await shell.run("\(policy); cat scaling_driver scaling_available_frequencies; cd /")
    #expect(known == ["scmi", "500000 1000000 1500000 "])
    #expect(value(platform, .performanceDomain, "cpu") == 1_500)
    for level in [500, 1_000] as [Int64] {
      let text = "\(level)000"
      let read = try await shell.run(
        "\(policy); echo userspace > scaling_governor; echo \(text) > scaling_setspeed; cat cpuinfo_cur_freq; cd /"
      )
      #expect(read == [text])
      #expect(value(platform, .performanceDomain, "cpu") == level)
    }
  }

  private func sensors(_ shell: GuestShell, _ platform: SharedPlatform) async throws {
    let read = "cat /sys/class/hwmon/hwmon0/temp1_label /sys/class/hwmon/hwmon0/temp1_input"
    let zone = "cat /sys/class/thermal/thermal_zone0/type /sys/class/thermal/thermal_zone0/temp"
    #expect(try await shell.run("\(read); \(zone)") == ["die", "45000", "die-thermal", "45000"])
    _ = platform.change { $0.setSensor("die", values: [61_500], at: $1) }
    #expect(try await shell.run("\(read); \(zone)") == ["die", "61500", "die-thermal", "61500"])
  }

  private func regulators(_ shell: GuestShell, _ platform: SharedPlatform) async throws {
    let core = "/sys/devices/platform/core"
    try await shell.run("echo 850000 > \(core)/max_microvolts; echo 750000 > \(core)/min_microvolts")
    let found = "cd /sys/class/regulator/; for i in *; do [ $(cat $i/name) != vdd ] || cat $i/microvolts $i/state; done"
    #expect(try await shell.run("\(found); cd /") == ["750000", "enabled"])
    #expect(value(platform, .voltageDomain, "vdd") == 750_000)
    #expect(isOn(platform, .voltageDomain, "vdd") == true)
    for state in ["enabled", "disabled"] {
      try await shell.run("echo \(state) > /sys/devices/platform/slot/state")
      #expect(isOn(platform, .voltageDomain, "card") == (state == "enabled"))
    }
  }

  private func powercaps(_ shell: GuestShell, _ platform: SharedPlatform) async throws {
    let files = "constraint_0_power_limit_uw constraint_0_time_window_us power_uw name"
    let folder = "cd /sys/class/powercap/arm-scmi:0"
    #expect(try await shell.run("\(folder); cat \(files); cd /") == ["15000000", "1000", "7500000", "board"])
    let changed = try await shell.run(
      "\(folder); echo 5000000 > constraint_0_power_limit_uw; echo 2000 > constraint_0_time_window_us; cat \(files); cd /"
    )
    #expect(changed == ["5000000", "2000", "7500000", "board"])
    #expect(value(platform, .powercapDomain, "board") == 5_000_000)
    try await shell.run("echo 0 > /sys/class/powercap/arm-scmi:0/enabled")
    #expect(value(platform, .powercapDomain, "board") == 0)
  }

  private func pins(_ shell: GuestShell, _ platform: SharedPlatform) async throws {
    let folder = "cd /sys/kernel/debug/pinctrl/*-scmi-pinctrl"
    let functions = try await shell.run("\(folder); cat pinmux-functions; cd /")
    #expect(functions == ["function 0: serial, groups = [ uart ]", "function 1: bus, groups = [ uart spi ]"])
    let groups = try await shell.run("\(folder); grep group pingroups; cd /")
    #expect(groups == ["registered pin groups:", "group: uart", "group: spi"])
    try await shell.run("\(folder); echo spi bus > pinmux-select; cd /")
    #expect(value(platform, .group, "spi") == 1)
    #expect(value(platform, .group, "uart") == nil)
  }

  /// `scmi:scmi_msg_dump` events against the transcript, one to one: commands, replies with their payload, and delayed
  /// responses. Updates of a sensor come all the time, also between the two ends of the comparison, so they are left
  /// out. Linux traces a command after it was sent, when its buffer may hold the reply already: its payload says nothing.
  private func compare(_ lines: [String], _ messages: [TranscriptRecord]) async throws {
    var traced: [String] = []
    for line in lines {
      let words = line.split(separator: " ")
      func field(_ name: String) -> Substring {
        words.first { $0.hasPrefix(name + "=") }?.dropFirst(name.count + 1) ?? ""
      }
      let payload = field("t") == "CMND" ? "" : field("pyld")
      traced.append("\(field("seq")) \(field("pt")) \(field("msg_id")) \(field("t")) \(payload)".lowercased())
    }
    let recorded = messages.filter { $0.kind != .notification }.map { record in
      let header = record.message.header
      let kind =
        switch record.kind {
        case .request: "cmnd"
        case .delayedResponse: "dlyd"
        default: "resp"
        }
      let payload = kind == "cmnd" ? "" : hexadecimal(Array(record.message.bytes.dropFirst(8)))
      return "\(digits(UInt64(header.token), 4)) \(digits(UInt64(header.protocolIdentifier), 2)) "
        + "\(digits(UInt64(header.message), 2)) \(kind) \(payload)"
    }
    let (first, second) = (traced.sorted(), recorded.sorted())
    #expect(first == second)
    #expect(first.count > 80)
  }

  private func digits(_ number: UInt64, _ count: Int) -> String {
    let text = String(number, radix: 16)
    return String(repeating: "0", count: max(0, count - text.count)) + text
  }

  private func hexadecimal(_ bytes: [UInt8]) -> String { bytes.map { digits(UInt64($0), 2) }.joined() }

  /// Continuous updates of a sensor arrive as IIO samples.
  private func updates(_ shell: GuestShell, _ platform: SharedPlatform) async throws {
    let device = "cd /sys/bus/iio/devices/iio:device0"
    let axes = try await shell.run("\(device); cat in_accel_x_raw in_accel_y_raw in_accel_z_raw; cd /")
    #expect(axes == ["1", "-2", "981"])
    let samples = try await shell.run(
      "\(device); for i in scan_elements/*_en; do echo 1 > $i; done; echo 8 > buffer/length; "
        + "echo 1 > buffer/enable; dd if=/dev/iio:device0 bs=32 count=3 2>/dev/null | od -An -v -t d8 -w32; "
        + "echo 0 > buffer/enable; cd /"
    )
    #expect(samples.count == 3)
    for sample in samples {
      #expect(sample.split(separator: " ").prefix(3) == ["1", "-2", "981"])
    }
  }

  private func checkCounters(_ shell: GuestShell) async throws {
    let counters = try await shell.counters()
    for (name, count) in counters where name.hasPrefix("err_") || name.contains("fail") || name.contains("timeout") {
      #expect(count == 0, "\(name)")
    }
    #expect(counters["sent_ok", default: 0] > 100)
    #expect(counters["sent_ok"] == counters["response_ok"])
    #expect(counters["notification_ok", default: 0] >= 3)
  }

  /// A graceful shutdown that the platform asks for ends the guest.
  private func shutDown(_ shell: GuestShell, _ platform: SharedPlatform) async throws {
    try await shell.run("echo '/bin/busybox poweroff -f' > /proc/sys/kernel/poweroff_cmd")
    let told = platform.change { $0.requestSystemPower(state: 0, graceful: true, at: $1) }
    #expect(told == 1)
  }
}
