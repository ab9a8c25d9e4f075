import SCMI
import SCMIFile
import TestSupport
import Testing

@testable import HostBackends

@Suite struct HostSensorsTests {
  /// A sysfs with a chip, a zone and a CPU.
  private func withHost(_ body: (HostSensors, TemporaryFolder) throws -> Void) throws {
    let folder = try TemporaryFolder()
    let files = [
      "class/hwmon/hwmon3/name": "nvme\n", "class/hwmon/hwmon3/temp1_input": "41850\n",
      "class/hwmon/hwmon3/in0_input": "3300\n", "class/thermal/thermal_zone0/type": "cpu-thermal\n",
      "class/thermal/thermal_zone0/temp": "-1500\n",
      "devices/system/cpu/cpu0/cpufreq/scaling_cur_freq": "1800000\n",
    ]
    let folders = [
      "class", "class/hwmon", "class/hwmon/hwmon3", "class/thermal", "class/thermal/thermal_zone0", "devices",
      "devices/system", "devices/system/cpu", "devices/system/cpu/cpu0", "devices/system/cpu/cpu0/cpufreq",
    ]
    for name in folders { _ = try folder.makeFolder(name) }
    for (path, text) in files { try folder.write(path, Array(text.utf8)) }
    try body(HostSensors(root: folder.path), folder)
  }

  @Test func everythingThatTheHostHasIsFound() throws {
    try withHost { host, _ in
      #expect(
        host.all == [
          .init(name: "hwmon:nvme/temp1_input", value: 41_850), .init(name: "hwmon:nvme/in0_input", value: 3_300),
          .init(name: "thermal:cpu-thermal", value: -1_500), .init(name: "cpufreq:0", value: 1_800_000),
        ]
      )
    }
  }

  @Test(arguments: [
    "hwmon:other/temp1_input", "hwmon:nvme", "hwmon:nvme/../../../../etc/hostname", "thermal:x", "cpufreq:-1",
    "cpufreq:7", "host", "",
  ])
  func whatTheHostLacksHasNoValue(name: String) throws {
    try withHost { host, _ in
      #expect(host.value(of: name) == nil)
    }
  }

  @Test func boundSensorReadsTheHostAnewEachTime() throws {
    try withHost { host, folder in
      let definition = PlatformDefinition { platform in
        platform.sensors = [SensorDefinition("die") { $0.binding = .host("thermal:cpu-thermal") }]
        platform.agents = [AgentDefinition("guest")]
      }
      let platform = try SCMIPlatform(host.bind(definition))
      let before = platform.value(ResourceName(.sensor, "die"))

      try folder.write("class/thermal/thermal_zone0/temp", Array("50000\n".utf8))

      #expect(before == -1_500)
      #expect(platform.value(ResourceName(.sensor, "die")) == 50_000)
    }
  }

  @Test func hostsSensorsAreAddedWhereThePlatformAsksForThem() throws {
    try withHost { host, _ in
      let definition = PlatformDefinition { platform in
        platform.hostSensors = true
        platform.agents = [AgentDefinition("guest")]
      }

      let bound = host.bind(definition)

      #expect(bound.sensors.map(\.name) == host.all.map(\.name))
      #expect(bound.sensors.map(\.type) == [2, 5, 2, 0x14])
      #expect(bound.sensors.map(\.scale) == [-3, -3, -3, 3])
    }
  }
}
