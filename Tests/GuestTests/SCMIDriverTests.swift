import Apus
import ApusTesting
import SCMI
import SCMIFile
import Testing

/// Each of Linux's SCMI drivers reads its platform and changes it.
@Suite("Linux's SCMI drivers", .requiresKVM, .ownThread)
struct SCMIDriverTests {
  @Test("of all ten protocols work, and what they say is what the platform heard")
  func drivers() async throws {
    let platform = try SharedPlatform(startingNow: SCMIGuest.definition)
    let session = RecordedSession(platform)
    // The guest finds its real-time clock in reset.
    _ = platform.change { $0.setValue(ResourceName(.resetDomain, "rtc"), 1, at: $1) }

    let run = try await GuestRun.boot(try SCMIGuest.configuration(), platform: platform, limit: .seconds(120)) {
      _,
      console in
      let shell = try await GuestShell(console)
      let start = session.records.count
      try await shell.run("echo 1 > /sys/kernel/tracing/events/scmi/enable")
      try await clocks(shell, platform)
      try await bus(shell, platform)
      try await performance(shell, platform)
      try await sensors(shell, platform)
      try await regulators(shell, platform)
      try await powercaps(shell, platform)
      try await pins(shell, platform)
      try await shell.run("echo 0 > /sys/kernel/tracing/events/scmi/enable")
      let messages = session.messages(from: start)
      compare(try await traced(shell), messages)
      try await updates(shell, session)
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

  @Test("have nothing to complain of with the documentation's example")
  func example() async throws {
    let root = "/" + #filePath.split(separator: "/").dropLast(3).joined(separator: "/")
    var scmi = Configuration.Device.SCMI(path: root + "/Documentation/Examples/scmi-platform.json")
    scmi.agent = "owner"
    let command = "dmesg -r | grep '^<[0-4]>'; cat /sys/class/hwmon/hwmon0/temp1_label /sys/bus/iio/devices/*/name; "
    let errors = "cat /sys/kernel/debug/scmi/0/transport/counters/err_* | sort -u"
    var configuration = try LinuxGuest.configuration("")
    configuration.commandLine =
      "quiet initcall_blacklist=trace_eval_init apus_mode=exec apus_exec=\"\(command)\(errors)\""
    configuration.devices = [.init(.scmi(scmi)), .init(.console(.init()))]

    let run = try await GuestRun.boot(configuration, limit: .seconds(120))

    #expect(run.outcome.end == .poweredOff)
    #expect(run.lines.prefix(4) == ["die", "accelerometer", "0", "exit status 0"])
  }

  /// The real-time clock's driver is the consumer of a clock, a power domain and a reset: it lets them go and takes
  /// them again.
  private func clocks(_ shell: GuestShell, _ platform: SharedPlatform) async throws {
    let debug = "cd /sys/kernel/debug; cat clk/rtc/clk_rate clk/rtc/clk_parent clk/rtc/clk_enable_count"
    let domain = "cat pm_genpd/rtc/current_state; cd /"
    #expect(try await shell.run("\(debug); \(domain)") == ["1000000", "crystal", "1", "on"])
    #expect(platform.value(.clock, "rtc") == 1_000_000)
    #expect(platform.isEnabled(.clock, "rtc") == true)
    #expect(platform.value(.powerDomain, "rtc") == 0)
    #expect(platform.value(.resetDomain, "rtc") == 0)

    try await shell.run("echo 9010000.rtc > /sys/bus/amba/drivers/rtc-pl031/unbind")
    let gone = try await shell.run("\(debug); \(domain)")
    #expect(gone == ["1000000", "crystal", "0", "off-0"])
    #expect(platform.isEnabled(.clock, "rtc") == false)
    #expect(platform.value(.powerDomain, "rtc") == 0x4000_0000)

    // The platform changes the rate by itself; the consumer sets its own when it comes again.
    _ = platform.change { $0.setValue(ResourceName(.clock, "rtc"), 32_768, at: $1) }
    #expect(try await shell.run("cat /sys/kernel/debug/clk/rtc/clk_rate") == ["32768"])
    try await shell.run("echo 9010000.rtc > /sys/bus/amba/drivers/rtc-pl031/bind")
    #expect(try await shell.run("\(debug); \(domain)") == ["1000000", "crystal", "1", "on"])
    #expect(platform.value(.clock, "rtc") == 1_000_000)
    #expect(platform.isEnabled(.clock, "rtc") == true)
    #expect(platform.value(.powerDomain, "rtc") == 0)
  }

  /// A bus is the consumer of a clock, of which it chooses rate and parent, of a power domain and of pins. Power
  /// management switches it on and off.
  private func bus(_ shell: GuestShell, _ platform: SharedPlatform) async throws {
    let device = "bus@c001000"
    try await shell.run(
      "P=/sys/bus/platform/devices/\(device)/power; G=/sys/kernel/debug/pm_genpd; C=/sys/kernel/debug/clk"
    )
    let seen =
      "cat $G/gpu/current_state $C/gpu/clk_rate $C/gpu/clk_parent $C/gpu/clk_enable_count $C/pll/clk_enable_count"
    func power(_ word: String, until state: String) async throws -> [String] {
      try await shell.run(
        "echo \(word) > $P/control; for i in 1 2 3 4 5 6 7 8; do grep -q \(state) $P/runtime_status || sleep 0.2; done; \(seen)"
      )
    }
    func state() -> [Bool?] {
      [platform.isEnabled(.clock, "gpu"), platform.isEnabled(.clock, "pll"), platform.value(.powerDomain, "gpu") == 0]
    }
    #expect(try await shell.run(seen) == ["off-0", "400000000", "pll", "0", "0"])
    #expect(state() == [false, false, false])
    #expect(platform.value(.clock, "gpu") == 400_000_000)
    let parents = platform.change { platform, _ in
      [platform.clockParent("gpu"), platform.clockParent("rtc"), platform.clockParent("pll")]
    }
    #expect(parents == ["pll", "crystal", nil])

    #expect(try await power("on", until: "active") == ["on", "400000000", "pll", "1", "1"])
    #expect(state() == [true, true, true])
    let summary = try await shell.run("grep -A 2 ^gpu $G/pm_genpd_summary; grep -E ' (pll|gpu) ' $C/clk_summary")
    let uses = summary.map { $0.split(separator: " ").prefix(4).joined(separator: " ") }
    #expect(uses == ["gpu on 0", "\(device) active 0 SW", "pll 1 1 0", "gpu 1 1 0"])

    #expect(try await power("auto", until: "suspended") == ["off-0", "400000000", "pll", "0", "0"])
    #expect(state() == [false, false, false])
    #expect(
      try await shell.run("grep -c '\(device) .*function serial group uart' /sys/kernel/debug/pinctrl/*/pinmux-pins")
        == ["2"]
    )
    #expect(platform.value(.group, "uart") == 0)
  }

  private func performance(_ shell: GuestShell, _ platform: SharedPlatform) async throws {
    let policy = "cd /sys/devices/system/cpu/cpufreq/policy0"
    let known = try await shell.run("\(policy); cat scaling_driver scaling_available_frequencies; cd /")
    #expect(known == ["scmi", "500000 1000000 1500000 "])
    #expect(platform.value(.performanceDomain, "cpu") == 1_500)
    for level in [500, 1_000] as [Int64] {
      let text = "\(level)000"
      let read = try await shell.run(
        "\(policy); echo userspace > scaling_governor; echo \(text) > scaling_setspeed; cat cpuinfo_cur_freq; cd /"
      )
      #expect(read == [text])
      #expect(platform.value(.performanceDomain, "cpu") == level)
    }
  }

  private func sensors(_ shell: GuestShell, _ platform: SharedPlatform) async throws {
    let read = "cat /sys/class/hwmon/hwmon0/temp1_label /sys/class/hwmon/hwmon0/temp1_input"
    let zone = "cd /sys/class/thermal/thermal_zone0; cat type temp trip_point_0_type trip_point_0_temp; cd /"
    let limit = ["passive", "85000"]
    #expect(try await shell.run("\(read); \(zone)") == ["die", "45000", "die-thermal", "45000"] + limit)
    _ = platform.change { $0.setSensor("die", values: [61_500], at: $1) }
    #expect(try await shell.run("\(read); \(zone)") == ["die", "61500", "die-thermal", "61500"] + limit)
  }

  private func regulators(_ shell: GuestShell, _ platform: SharedPlatform) async throws {
    let core = "/sys/devices/platform/core"
    try await shell.run("echo 850000 > \(core)/max_microvolts; echo 750000 > \(core)/min_microvolts")
    let found = "cd /sys/class/regulator/; for i in *; do [ $(cat $i/name) != vdd ] || cat $i/microvolts $i/state; done"
    #expect(try await shell.run("\(found); cd /") == ["750000", "enabled"])
    #expect(platform.value(.voltageDomain, "vdd") == 750_000)
    #expect(platform.isEnabled(.voltageDomain, "vdd") == true)
    for state in ["enabled", "disabled"] {
      try await shell.run("echo \(state) > /sys/devices/platform/slot/state")
      #expect(platform.isEnabled(.voltageDomain, "card") == (state == "enabled"))
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
    #expect(platform.value(.powercapDomain, "board") == 5_000_000)
    try await shell.run("echo 0 > /sys/class/powercap/arm-scmi:0/enabled")
    #expect(platform.value(.powercapDomain, "board") == 0)
  }

  private func pins(_ shell: GuestShell, _ platform: SharedPlatform) async throws {
    let folder = "cd /sys/kernel/debug/pinctrl/*-scmi-pinctrl"
    let functions = try await shell.run("\(folder); cat pinmux-functions; cd /")
    #expect(functions == ["function 0: serial, groups = [ uart ]", "function 1: bus, groups = [ uart spi ]"])
    let groups = try await shell.run("\(folder); grep group pingroups; cd /")
    #expect(groups == ["registered pin groups:", "group: uart", "group: spi"])
    try await shell.run("\(folder); echo spi bus > pinmux-select; cd /")
    #expect(platform.value(.group, "spi") == 1)
    #expect(platform.value(.group, "uart") == 0)
  }

  /// What the kernel's SCMI events say, in few words. Linux traces a command after it was sent, when its buffer may
  /// hold the reply already: its payload says nothing. Waiting is no message.
  private func traced(_ shell: GuestShell) async throws -> [String] {
    let lines = try await shell.run("grep scmi_ /sys/kernel/tracing/trace | sed 's/^.* scmi_//'")
    return lines.compactMap { line in
      let words = line.split(separator: " ")
      func field(_ name: String) -> Substring {
        words.first { $0.hasPrefix(name + "=") }?.dropFirst(name.count + 1) ?? ""
      }
      let message = "\(field("seq")) \(field("pt")) \(field("msg_id"))"
      let text =
        switch words.first {
        case "xfer_begin:": "begin \(message)"
        case "xfer_end:": "end \(message) \(field("s"))"
        case "rx_done:": "done \(message) \(field("msg_type"))"
        case "msg_dump:": "\(field("t")) \(message) \(field("t") == "CMND" ? "" : field("pyld"))"
        default: ""
        }
      return text.isEmpty ? nil : text.lowercased()
    }
  }

  /// The kernel's events against the transcript, one to one: a command begins, is sent and ends with success, its reply
  /// and delayed response come with the same payload. Updates of a sensor come all the time, also between the two ends
  /// of the comparison, so notifications are compared elsewhere.
  private func compare(_ lines: [String], _ messages: [TranscriptRecord]) {
    let expected = messages.flatMap { record in
      let header = record.message.header
      let place = "\(digits(header.token, 4)) \(digits(header.protocolIdentifier, 2)) \(digits(header.message, 2))"
      let payload = record.message.bytes.dropFirst(8).map { digits($0, 2) }.joined()
      return switch record.kind {
      case .request: ["begin \(place)", "cmnd \(place) ", "end \(place) 0"]
      case .reply: ["resp \(place) \(payload)", "done \(place) 0"]
      case .delayedResponse: ["dlyd \(place) \(payload)", "done \(place) 2"]
      default: [String]()
      }
    }
    let answered = lines.filter { line in
      !line.hasPrefix("noti") && !(line.hasPrefix("done") && line.hasSuffix(" 3"))
    }
    let (first, second) = (answered.sorted(), expected.sorted())
    #expect(first == second)
    #expect(first.count > 300)
  }

  private func digits(_ number: some BinaryInteger, _ count: Int) -> String {
    let text = String(number, radix: 16)
    return String(repeating: "0", count: max(0, count - text.count)) + text
  }

  /// Continuous updates of a sensor arrive as IIO samples, and each notification is in the kernel's trace.
  private func updates(_ shell: GuestShell, _ session: RecordedSession) async throws {
    let device = "cd /sys/bus/iio/devices/iio:device0"
    let axes = try await shell.run("\(device); cat in_accel_x_raw in_accel_y_raw in_accel_z_raw; cd /")
    #expect(axes == ["1", "-2", "981"])
    // The buffer's end switches the sensor off: there are no updates before and behind the trace.
    let off = "echo 0 > buffer/enable; sleep 0.3"
    try await shell.run("\(device); for i in scan_elements/*_en; do echo 1 > $i; done; echo 8 > buffer/length")
    try await shell.run("echo 1 > buffer/enable; \(off)")
    let start = session.records.count
    try await shell.run("cd /sys/kernel/tracing; echo > trace; echo 1 > events/scmi/scmi_msg_dump/enable; \(device)")
    let samples = try await shell.run(
      "echo 1 > buffer/enable; dd if=/dev/iio:device0 bs=32 count=3 2>/dev/null | od -An -v -t d8 -w32; \(off); cd /"
    )
    #expect(samples.count == 3)
    for sample in samples {
      #expect(sample.split(separator: " ").prefix(3) == ["1", "-2", "981"])
    }
    try await shell.run("echo 0 > /sys/kernel/tracing/events/scmi/enable")
    let traced = try await traced(shell).filter { $0.hasPrefix("noti ") }
    let sent = session.messages(from: start).filter { $0.kind == .notification }.map { record in
      let payload = record.message.bytes.dropFirst(4).map { digits($0, 2) }.joined()
      return "noti 0000 15 01 \(payload)"
    }
    #expect(traced == sent)
    #expect(sent.count >= 3)
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
    let told = platform.change { $0.requestSystemPower(.shutdown, graceful: true, at: $1) }
    #expect(told == 1)
  }
}
