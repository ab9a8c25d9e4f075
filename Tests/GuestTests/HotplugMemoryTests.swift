import Apus
import ApusTesting
import GuestSupport
import TestLimits
import TestSupport
import Testing

@Suite("Memory that Linux plugs and unplugs", .requiresKVM, .ownThread)
struct HotplugMemoryTests {
  /// How often the guest grows and shrinks: `APUS_HOTPLUG_ROUNDS`, or what a run of all tests has time for.
  private static var rounds: Int { Variable.number("APUS_HOTPLUG_ROUNDS", or: 1) }

  private static let mebibyte: UInt64 = 1 << 20
  private static let region: UInt64 = 3 << 30
  /// A file that is there while the guest is large, in MiB.
  private static let file: UInt64 = 256

  /// A guest with a shell and 256 MiB, whose memory is movable where it can be plugged.
  private static func configuration(_ memory: Configuration.Device.Memory) throws -> Configuration {
    var configuration = try LinuxGuest.configuration("shell")
    configuration.commandLine += " memhp_default_state=online_movable"
    configuration.memorySize = 256 << 20
    configuration.devices = [.init(.memory(memory))]
    return configuration
  }

  @Test("grows to 3 GiB and back in steps under a checksum workload, and host and guest agree at each")
  func growsAndShrinks() async throws {
    let configuration = try Self.configuration(.init(size: Self.region))

    let run = try await GuestRun.boot(configuration, limit: .seconds(120 + 180 * Self.rounds)) { machine, console in
      let guest = try await Shell(console)
      let start = try await guest.memory()
      try await guest.run("mount -t tmpfs -o size=2500M work /mnt")
      let work = "disk-check write plain /mnt/work 16 7 && disk-check verify plain /mnt/work 16 7"
      try await guest.run(
        "(while [ ! -e /mnt/end ]; do { \(work); } >/dev/null || echo BROKEN; sleep 0.2; done; touch /mnt/over) & true"
      )
      for round in 0..<Self.rounds {
        for step: UInt64 in [512, 1536, 3072, 2048, 768, 0] {
          let status = try await Self.settle(machine, guest, from: start, at: step * Self.mebibyte)
          print("round \(round): \(step) MiB: \(status), shared \(ProcessFootprint.sharedMemory / Self.mebibyte) MiB")
          // The host has back all that was unplugged, and this process maps none of it.
          #expect(status.resident <= status.plugged)
          #expect(ProcessFootprint.sharedMemory <= status.plugged + 16 * Self.mebibyte)
          if step == 3072 {
            try await guest.run("disk-check write plain /mnt/large \(Self.file) \(round)")
            let full = try #require(await machine.hotplugMemory()?.first)
            #expect(full.resident >= Self.file * 9 / 10 * Self.mebibyte)
          }
          if step >= 2048 { try await guest.run("disk-check verify plain /mnt/large \(Self.file) \(round)") }
          if step == 2048 { try await guest.run("rm /mnt/large") }
        }
      }
      try await guest.run("touch /mnt/end; until [ -e /mnt/over ]; do sleep 0.1; done")
      console.send("exit\n")
    }

    let memory = try #require(run.report.devices.first?.memory)
    print(memory)
    #expect(!run.lines.contains("BROKEN"))
    #expect(run.outcome.end == .poweredOff)
    #expect(memory.plugged == 0)
    #expect(memory.resident == 0)
    #expect(memory.slots == 0)
    #expect(memory.requests.errors == 0)
  }

  /// Asks for a size and waits until the guest has it, and says that it has.
  private static func settle(
    _ machine: Machine,
    _ guest: Shell,
    from start: UInt64,
    at size: UInt64
  ) async throws -> HotplugMemoryStatus {
    try await machine.setHotplugMemory(Configuration.Device.Memory.defaultName, requested: size)
    let limit = TestLimit(.seconds(60))
    while true {
      // A guest has plugged memory before it has made it its own.
      let total = try await guest.memory()
      let status = try #require(await machine.hotplugMemory()?.first)
      if (status.plugged == size && total == start + size) || limit.hasPassed {
        #expect(status.plugged == size)
        #expect(total == start + size)
        return status
      }
      try await Task.sleep(for: .milliseconds(20))
    }
  }
}

/// A guest's shell, one command at a time.
private struct Shell {
  private let console: ConsoleTranscript

  init(_ console: ConsoleTranscript) async throws {
    self.console = console
    try await console.expect("# ")
    console.send("stty -echo; PS1=; echo quiet; dmesg -n 1\n")
    try await console.expect("\nquiet\n")
  }

  /// Runs a command, which has to succeed.
  func run(_ command: String) async throws {
    console.send("\(command) && echo done-$? || echo failed-$?\n")
    let line = try await console.expectLine("the end of '\(command)'") {
      $0.hasPrefix("done-") || $0.hasPrefix("failed-")
    }
    #expect(line == "done-0", "\(command)")
  }

  /// MemTotal in bytes.
  func memory() async throws -> UInt64 {
    console.send("grep MemTotal /proc/meminfo\n")
    let line = try await console.expectLine("MemTotal") { $0.hasPrefix("MemTotal:") }
    return line.split(separator: " ").dropFirst().first.flatMap { UInt64($0) }.map { $0 << 10 } ?? 0
  }
}
