import Apus
import ApusTesting
import SCMI
import SCMIFile
import Synchronization
import Testing

/// A platform with something of each of the ten protocols, as Linux's drivers want it.
enum SCMIGuest {
  static func resource(_ kind: ResourceKind, _ name: String) -> ResourceName { ResourceName(kind, name) }

  static var definition: PlatformDefinition {
    PlatformDefinition { platform in
      platform.clocks = [
        ClockDefinition("crystal") { $0.rates = .list([24_000_000]) },
        ClockDefinition("rtc") { clock in
          clock.rates = .list([32_768, 1_000_000, 24_000_000])
          clock.parents = ["crystal", "pll"]
        },
        ClockDefinition("pll") { $0.rates = .range(minimum: 100_000_000, maximum: 1_000_000_000, step: 25_000_000) },
        ClockDefinition("gpu") { clock in
          clock.rates = .list([200_000_000, 400_000_000, 800_000_000])
          clock.parents = ["crystal", "pll"]
        },
      ]
      platform.powerDomains = ["gpu", "rtc"].map { PowerDomainDefinition($0) }
      platform.performanceDomains = [
        PerformanceDomainDefinition("cpu") { domain in
          domain.operatingPoints = [500, 1_000, 1_500].map { level in
            OperatingPoint(level: level, power: level / 5, latency: 50, frequency: level * 1_000)
          }
          (domain.sustainedFrequency, domain.sustainedLevel) = (1_500_000, 1_500)
        }
      ]
      platform.sensors = sensors
      platform.resets = ["rtc", "usb"].map { ResetDefinition($0) }
      platform.regulators = [
        VoltageDomainDefinition("vdd") { regulator in
          regulator.levels = .range(minimum: 700_000, maximum: 1_100_000, step: 50_000)
          regulator.level = 900_000
        },
        VoltageDomainDefinition("card") { $0.levels = .list([1_800_000, 3_300_000]) },
      ]
      platform.powercaps = [
        PowercapDefinition("board") { cap in
          (cap.minimumCap, cap.maximumCap, cap.capStep) = (1_000_000, 15_000_000, 100_000)
          (cap.minimumAveragingInterval, cap.maximumAveragingInterval) = (1_000, 1_000_000)
          cap.averagingIntervalStep = 1_000
          cap.power = .constant([7_500_000])
        }
      ]
      platform.pins = ["pin0", "pin1", "pin2"].map { PinDefinition($0) }
      platform.groups = [
        GroupDefinition("uart") { $0.pins = ["pin0", "pin1"] }, GroupDefinition("spi") { $0.pins = ["pin1", "pin2"] },
      ]
      platform.functions = [
        FunctionDefinition("serial") { $0.groups = ["uart"] },
        FunctionDefinition("bus") { $0.groups = ["uart", "spi"] },
      ]
      platform.agents = [AgentDefinition("guest")]
      platform.tree = tree
    }
  }

  private static var sensors: [SensorDefinition] {
    [
      SensorDefinition("die") { sensor in
        sensor.scale = -3
        sensor.binding = .constant([45_000])
      },
      SensorDefinition("accel") { sensor in
        sensor.type = 0x59
        sensor.updates = true
        sensor.timestamps = true
        sensor.intervals = [UpdateInterval(100, exponent: -3), UpdateInterval(1, exponent: 0)]
        sensor.binding = .constant([1, -2, 981])
        sensor.axes = ["X", "Y", "Z"].map { axis in
          AxisDefinition("accel_\(axis)") { definition in
            definition.type = 0x59
            definition.range = ValueRange(minimum: -2_000, maximum: 2_000)
          }
        }
      },
    ]
  }

  private static var tree: TreeDefinition {
    var tree = TreeDefinition()
    tree.cpus = ["cpu"]
    tree.thermalZones = [
      ThermalZoneDefinition("die", sensor: "die") { zone in
        zone.pollingInterval = 0
        zone.trips = [.init(.passive, temperature: 85_000)]
      }
    ]
    tree.consumers = [
      ConsumerDefinition(
        "rtc",
        .clock,
        [
          resource(.clock, "rtc"), resource(.powerDomain, "rtc"), resource(.resetDomain, "rtc"),
        ]
      ) { $0.rates = ["rtc": 1_000_000] },
      ConsumerDefinition(
        "graphics",
        .bus,
        [
          resource(.clock, "gpu"), resource(.powerDomain, "gpu"), resource(.function, "serial"),
          resource(.group, "uart"),
        ]
      ) { consumer in
        consumer.rates = ["gpu": 400_000_000]
        consumer.parents = ["gpu": "pll"]
      },
      ConsumerDefinition("slot", .outlet, [resource(.voltageDomain, "card")]),
      ConsumerDefinition("core", .regulatorTest, [resource(.voltageDomain, "vdd")]),
    ]
    return tree
  }

  /// A machine that is an agent, with a shell on its virtio console: the serial port takes an exit for each character.
  static func configuration(agent: String? = nil) throws -> Configuration {
    var configuration = try LinuxGuest.configuration("")
    configuration.commandLine = "quiet initcall_blacklist=trace_eval_init apus_mode=shell"
    configuration.devices = [.init(.scmi(.shared(agent: agent))), .init(.console(.init()))]
    return configuration
  }
}

/// What a platform said and heard, also before a machine and behind it, which `Guest.scmiTranscript` does not have.
final class RecordedSession: Sendable {
  private let stored = Mutex<[TranscriptRecord]>([])

  init(_ platform: SharedPlatform) {
    platform.record { record in self.stored.withLock { $0.append(record) } }
  }

  var records: [TranscriptRecord] { stored.withLock { $0 } }

  /// The messages, from the first or a later one on.
  func messages(from start: Int = 0) -> [TranscriptRecord] {
    records.dropFirst(start).filter { ![.reset, .control, .malformed, .withheld].contains($0.kind) }
  }
}

/// A guest's shell that answers one command line after the other.
struct GuestShell {
  let console: ConsoleTranscript

  init(_ console: ConsoleTranscript) async throws {
    self.console = console
    try await console.expect("# ", within: .seconds(60))
    // Without output processing a program's write is one buffer for the device.
    console.send("stty -echo -opost; PS1=; dmesg -n 1\n")
    console.send("echo rea''dy\n")
    try await console.expect("ready\n")
  }

  /// The shell of a guest that goes on from where one was, and says nothing by itself.
  init(goingOn console: ConsoleTranscript) {
    self.console = console
  }

  /// Runs a command line.
  ///
  /// - Returns: the lines that it printed.
  @discardableResult
  func run(_ command: String) async throws -> [String] {
    console.send("\(command)\necho \"<end>\"\n")
    var lines: [String] = []
    while true {
      // A host that is busy with other tests takes its time.
      let line = try await console.expectLine("the end of '\(command)'", within: .seconds(120)) { _ in true }
      if line.hasSuffix("<end>") {
        if line != "<end>" { lines.append(String(line.dropLast("<end>".count))) }
        return lines
      }
      lines.append(line)
    }
  }

  /// The kernel's counters of SCMI messages by name.
  func counters() async throws -> [String: Int] {
    let folder = "/sys/kernel/debug/scmi/0/transport/counters"
    let lines = try await run("cd \(folder); for i in [!r]* response_ok; do read n <$i; echo $i $n; done; cd /")
    var counters: [String: Int] = [:]
    for line in lines {
      let words = line.split(separator: " ")
      if words.count == 2, let number = Int(words[1]) { counters[String(words[0])] = number }
    }
    return counters
  }
}
