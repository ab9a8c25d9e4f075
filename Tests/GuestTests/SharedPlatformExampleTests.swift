import Apus
import ApusTesting
import GuestSupport
import Host
import SCMI
import SCMIFile
import Testing

/// What Documentation/SCMI.md shows of several machines on one platform, compiled and run.
@Suite("The example of a shared platform", .requiresKVM, .ownThread)
struct SharedPlatformExampleTests {
  @Test("boots two guests, each of which sees its own part")
  func example() async throws {
    let (kernel, initramfs) = (try GuestFile.linux(), try GuestFile.initramfs())
    let file = """
      {"sensors": [{"name": "mine"}, {"name": "yours"}],
       "agents": [{"name": "one", "resources": ["sensors/mine"]}, {"name": "two", "resources": ["sensors/yours"]}]}
      """
    var machines: [Machine] = []

    // The example begins here, but for what the guests are to do.
    let definition = try PlatformDefinition(json: file)
    let start = ContinuousClock.now
    let platform = SharedPlatform(try SCMIPlatform(definition)) {
      UInt64((ContinuousClock.now - start) / .nanoseconds(1))
    }
    for agent in ["one", "two"] {
      var configuration = Configuration(kernel: kernel, initramfs: initramfs)
      configuration.commandLine = "quiet apus_mode=exec apus_exec=\"cat /sys/class/hwmon/hwmon0/temp1_label\""
      configuration.devices = [.init(.scmi(.shared(agent: agent)))]
      machines.append(try Machine(configuration, platform: platform))
    }
    for machine in machines { try machine.start() }
    // It ends here.

    var seen: [[String]] = []
    for machine in machines {
      var lines: [String] = []
      for await line in machine.console.lines { lines.append(line) }
      #expect(await machine.outcome.end == .poweredOff)
      seen.append(lines)
    }
    #expect(seen[0].contains { $0.contains("mine") } && !seen[0].contains { $0.contains("yours") })
    #expect(seen[1].contains { $0.contains("yours") } && !seen[1].contains { $0.contains("mine") })
  }
}
