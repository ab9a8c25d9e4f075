import Apus
import ApusTesting
import SCMI
import Testing

/// What a 6.12 guest does when the server misbehaves: Documentation/Misbehaviour.md has the table.
@Suite("A guest whose SCMI platform misbehaves", .requiresKVM, .ownThread)
struct SCMIMisbehaviourTests {
  /// What the guest does while the platform misbehaves. `dd` reads once, where `cat` would try again.
  enum Probe: String {
    /// Reads a sensor, which takes one command.
    case read = "dd bs=64 if=$(cat /tmp/hwmon-path)/temp1_input 2>&1 | grep -v records"
    /// Reads a sensor asynchronously.
    case readLater = "dd bs=64 if=$(cat /tmp/hwmon-path)/temp2_input 2>&1 | grep -v records"
    /// Has the reset driver enumerate its protocol anew.
    case resets = "rebind reset"
    /// Has the IIO driver and the hwmon driver enumerate theirs.
    case sensors =
      "unbind sensor-iiodev; rebind hwmon; bind sensor-iiodev; ls -d /sys/class/hwmon/hwmon* >/tmp/hwmon-path"
    /// Has the clock driver enumerate its protocol, and shows a clock's rate.
    case clocks = "rebind clocks; cat /sys/kernel/debug/clk/pll/clk_rate"
  }

  /// A kind of misbehaviour and what becomes of it.
  struct Case {
    var name: String
    var action: Misbehaviour
    var probe = Probe.read
    var message: (protocolIdentifier: UInt8, number: UInt8) = (0x15, 6)
    var times: UInt64 = 1
    /// What the probe prints, or a part of it.
    var prints = "45000"
    /// What it prints afterwards, where that is something else.
    var recovers: String?
    /// Parts of the kernel's log lines, in order.
    var logs: [String] = []
    /// A part of the kernel's warning (`WARN`), whose other lines are then not compared.
    var warning: String?
    /// Counters of `/sys/kernel/debug/scmi/0/transport/counters` that change, but for those of success.
    var counts: [String] = []
    /// Which of the log lines and counters appear depends on when the kernel gets to its messages.
    var varies = false
  }

  static let replies: [Case] = [
    Case(name: "late", action: .late(20_000_000)),
    Case(
      name: "too late",
      action: .late(300_000_000),
      prints: "timed out",
      logs: ["timed out in resp", "type 0 is not expected!"],
      counts: ["err_msg_unexpected", "xfers_response_timeout"]
    ),
    Case(
      name: "dropped",
      action: .dropped,
      prints: "timed out",
      logs: ["type 0 is not expected!", "timed out in resp"],
      counts: ["err_msg_unexpected", "xfers_response_timeout"]
    ),
    Case(
      name: "never",
      action: .never,
      prints: "timed out",
      logs: ["timed out in resp"],
      counts: ["xfers_response_timeout"]
    ),
    Case(
      name: "duplicated",
      action: .duplicated,
      logs: ["Invalid message type:0", "type 0 is not expected!"],
      counts: ["err_msg_invalid", "err_msg_unexpected"],
      varies: true
    ),
    Case(name: "outOfOrder", action: .outOfOrder(20_000_000)),
    Case(
      name: "wrongToken",
      action: .wrongToken(1),
      prints: "timed out",
      logs: ["type 0 is not expected!", "timed out in resp"],
      counts: ["err_msg_unexpected", "xfers_response_timeout"]
    ),
    Case(name: "wrongProtocol", action: .wrongProtocol(0x14)),
    Case(
      name: "wrongType 1",
      action: .wrongType(1),
      prints: "timed out",
      logs: ["received unknown msg_type:1", "timed out in resp"],
      warning: "arm_scmi/driver.c",
      counts: ["xfers_response_timeout"]
    ),
    Case(
      name: "wrongType 2",
      action: .wrongType(2),
      prints: "timed out",
      logs: ["Buggy F/W ?", "Invalid message type:2", "Invalid clear on A2P channel !", "timed out in resp"],
      counts: ["err_msg_invalid", "xfers_response_timeout"]
    ),
    Case(
      name: "wrongType 3",
      action: .wrongType(3),
      prints: "timed out",
      logs: ["Invalid clear on A2P channel !", "timed out in resp"],
      counts: ["xfers_response_timeout"]
    ),
    Case(name: "short 0", action: .short(0), prints: "0"),
    Case(name: "long", action: .long(40)),
    Case(name: "garbage", action: .garbage, prints: "Input/output error", counts: ["err_protocol"]),
    Case(name: "status", action: .status(.busy), prints: "Device or resource busy", counts: ["err_protocol"]),
  ]

  static let events: [Case] = [
    Case(
      name: "unexpectedNotification",
      action: .unexpectedNotification(protocolIdentifier: 0x15, message: 7, payload: [1, 2])
    ),
    Case(
      name: "notificationStorm",
      action: .notificationStorm(
        protocolIdentifier: 0x15,
        message: 0,
        payload: [0, 0, 0],
        count: 500,
        interval: 1_000
      ),
      logs: ["SCMI Notifications - queue full, dropping"],
      varies: true
    ),
    Case(
      name: "delayedBeforeReply",
      action: .delayedBeforeReply(5_000_000),
      probe: .readLater,
      prints: "30000",
      logs: ["Received valid OoO Delayed Response", "type 0 is not expected!", "Invalid message type:0"],
      counts: ["err_msg_invalid", "err_msg_unexpected"],
      varies: true
    ),
    Case(
      name: "delayedWithoutReply",
      action: .delayedWithoutReply,
      probe: .readLater,
      prints: "30000",
      logs: ["Received valid OoO Delayed Response"]
    ),
    Case(
      name: "delayedTwice",
      action: .delayedTwice,
      probe: .readLater,
      prints: "30000",
      logs: ["Invalid message type:2"],
      counts: ["err_msg_invalid"]
    ),
    Case(
      name: "delayedNever",
      action: .delayedNever,
      probe: .readLater,
      prints: "timed out",
      logs: ["timed out in delayed resp"]
    ),
  ]

  static let enumerations: [Case] = [
    Case(
      name: "countLie 3",
      action: .countLie(3),
      probe: .resets,
      message: (0x16, 1),
      prints: "bound",
      counts: ["err_protocol"]
    ),
    Case(
      name: "countLie -2",
      action: .countLie(-2),
      probe: .resets,
      message: (0x16, 1),
      prints: "bound",
      logs: ["Protocol:16 - Events Registration Failed - err:-22"]
    ),
    Case(
      name: "countLie 60000",
      action: .countLie(60_000),
      probe: .clocks,
      message: (0x14, 1),
      // Busybox's `cat` writes to `bind` again where that fails, and then the count is right.
      prints: "bound",
      recovers: "100000000",
      logs: ["scmi_clock_protocol_init"],
      warning: "mm/page_alloc.c"
    ),
    Case(
      name: "versionLie 9.0",
      action: .versionLie(0x9_0000),
      probe: .resets,
      message: (0x16, 0),
      prints: "bound",
      logs: ["Protocol 0x16 successfully negotiated version 0x30001"]
    ),
    Case(name: "versionLie 1.0", action: .versionLie(0x1_0000), probe: .resets, message: (0x16, 0), prints: "bound"),
    Case(
      name: "remainingNeverEnds",
      action: .remainingNeverEnds(3),
      probe: .sensors,
      message: (0x15, 8),
      times: 50,
      prints: "bound",
      counts: ["err_protocol"]
    ),
    Case(
      name: "rateTriplet",
      action: .rateTriplet(returned: 2),
      probe: .clocks,
      message: (0x14, 4),
      times: 9,
      prints: "100000000",
      logs: ["Out-of-spec CLOCK_DESCRIBE_RATES reply for pll"]
    ),
  ]

  private static var definition: PlatformDefinition {
    var definition = SCMIGuest.definition
    definition.sensors.insert(
      SensorDefinition("slow") { sensor in
        sensor.scale = -3
        sensor.binding = .constant([30_000])
        sensor.asynchronous = true
        sensor.asynchronousLatency = 1_000_000
      },
      at: 1
    )
    definition.sensors[2].updates = false
    definition.tree = TreeDefinition()
    definition.tree.replyTimeout = 100
    return definition
  }

  @Test("goes on after each kind, and says what the table says")
  func cases() async throws {
    let platform = try SharedPlatform(startingNow: Self.definition)

    let run = try await GuestRun.boot(try SCMIGuest.configuration(), platform: platform, limit: .seconds(240)) {
      machine,
      console in
      let shell = try await GuestShell(console)
      try await shell.run("ls -d /sys/class/hwmon/hwmon* >/tmp/hwmon-path; D=/sys/bus/scmi_protocol/drivers")
      try await shell.run(
        "for i in reset hwmon sensor-iiodev clocks; do (cd $D/scmi-$i; ls -d scmi_dev*) >/tmp/$i; done"
      )
      try await shell.run("unbind() { cat /tmp/$1 >$D/scmi-$1/unbind; }; bind() { cat /tmp/$1 >$D/scmi-$1/bind; }")
      try await shell.run("rebind() { unbind $1; bind $1; [ -d $D/scmi-$1/$(cat /tmp/$1) ] && echo bound; }")
      for wrong in Self.replies + Self.events + Self.enumerations { try await check(wrong, shell, platform) }
      machine.stop()
    }

    #expect(run.outcome.end == .stopped)
  }

  private func check(
    _ wrong: Case,
    _ shell: GuestShell,
    _ platform: SharedPlatform,
    attempt: Int = 1
  ) async throws {
    let before = try await shell.counters()
    // Most warnings come once.
    try await shell.run("dmesg -c >/dev/null; echo 1 >/sys/kernel/debug/clear_warn_once")
    let rule = MisbehaviourRule("wrong", wrong.action) { rule in
      rule.protocolIdentifier = wrong.message.protocolIdentifier
      rule.message = wrong.message.number
      rule.times = wrong.times
    }
    platform.change { platform, _ in _ = platform.addRule(rule) }

    let printed = try await shell.run(wrong.probe.rawValue)

    // What comes late comes before the log is read.
    try await shell.run("sleep 0.3")
    platform.change { platform, _ in platform.removeRules(named: "wrong") }
    let lines = try await shell.run("dmesg -c | grep -E 'scmi|SCMI|WARNING|received unknown' | grep -v RAW")
    let (warnings, log) = (lines.filter { $0.contains("WARNING") }, lines.filter { !$0.contains("WARNING") })
    let after = try await shell.counters()
    let counts = after.filter { before[$0.key] != $0.value && !$0.key.hasSuffix("_ok") }.keys.sorted()
    let recovered = try await shell.run(wrong.probe.rawValue)
    // The guest waits a tenth of a second. A busy host that answers later says nothing about the kind.
    let timeout = "xfers_response_timeout"
    let isLate = counts.contains(timeout) && !wrong.counts.contains(timeout)
    let isLateAfterwards = wrong.recovers == nil && recovered.contains { $0.contains("timed out") }
    if attempt < 10, isLate || isLateAfterwards {
      return try await check(wrong, shell, platform, attempt: attempt + 1)
    }
    let isPrinted = printed.contains { $0.contains(wrong.prints) }
    #expect(isPrinted, "\(wrong.name): \(printed)")
    let isWarned = warnings.isEmpty ? wrong.warning == nil : warnings.allSatisfy { $0.contains(wrong.warning ?? "?") }
    #expect(isWarned, "\(wrong.name): \(warnings)")
    if wrong.warning != nil {
      for part in wrong.logs { #expect(log.contains { $0.contains(part) }, "\(wrong.name): \(part) in \(log)") }
      #expect(counts == wrong.counts, "\(wrong.name)")
    } else if wrong.varies {
      for line in log { #expect(wrong.logs.contains { line.contains($0) }, "\(wrong.name): \(line)") }
      #expect(Set(counts).isSubset(of: wrong.counts), "\(wrong.name): \(counts)")
    } else {
      #expect(log.count == wrong.logs.count, "\(wrong.name): \(log)")
      for (line, part) in zip(log, wrong.logs) { #expect(line.contains(part), "\(wrong.name)") }
      #expect(counts == wrong.counts, "\(wrong.name)")
    }
    let usual = wrong.probe == .readLater ? "30000" : wrong.probe == .read ? "45000" : wrong.prints
    let good = wrong.recovers ?? usual
    #expect(recovered.contains(good), "\(wrong.name), afterwards: \(recovered)")
  }
}
