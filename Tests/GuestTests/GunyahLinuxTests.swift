import Apus
import ApusTesting
import GuestSupport
import TestSupport
import Testing

/// Gunyah as Linux finds it, with the module and the program of Guests/Linux: what they print they have checked, and
/// nobody polls. The numbers are those of the facts that the personality was made from.
@Suite("Linux in machines of Gunyah's", .requiresKVM, .ownThread)
struct GunyahLinuxTests {
  private static let load = "dmesg -n 1; insmod /gunyah/gunyah-client.ko; "

  private static func configuration(_ name: String, _ file: String, _ command: String) throws -> Configuration {
    var configuration = try LinuxGuest.configuration("exec apus_exec=\"\(load)\(command)\"")
    configuration.name = name
    configuration.personality = .gunyah
    configuration.initramfs = try GuestFile.gunyahClient(file)
    return configuration
  }

  /// How many life cycles: `APUS_GUNYAH_ROUNDS`, or what a run of all tests has time for.
  private static let rounds = Variable.number("APUS_GUNYAH_ROUNDS", or: 6)
  /// How many messages, and how many doorbells, in all of them: `APUS_GUNYAH_MESSAGES`.
  private static let messages = Variable.number("APUS_GUNYAH_MESSAGES", or: 2_400)

  @Test("11, 15, 17, 22: a machine makes a Linux in memory that it lends, talks to it, and takes all back, many times")
  func lifeCycles() async throws {
    let lines = try await Self.lifeCycles(rounds: Self.rounds, messages: Self.messages)

    #expect(lines.contains("vmid 3"))
    #expect(lines.contains("\(Self.rounds) life cycles"), "\(lines)")
    #expect(lines.contains("exit status 0"))
  }

  @Test("11: after several life cycles there is no descriptor, thread or parcel more than after one")
  func nothingLeft() async {
    await #expect(processExitsWith: .success) {
      try await Self.lifeCycles(rounds: 1, messages: 40)
      let before = ProcessFootprint()

      try await Self.lifeCycles(rounds: 6, messages: 240)

      let after = ProcessFootprint.settled(threads: before.threads.count)
      #expect(after.descriptors == before.descriptors)
      #expect(after.threads.count <= before.threads.count, "\(after.threads) after, \(before.threads) before")
    }
  }

  /// Life cycles of one boot, with what they exchange in all.
  ///
  /// - Returns: the console's lines.
  @discardableResult
  private static func lifeCycles(rounds: Int, messages: Int) async throws -> [Substring] {
    // Each question has an answer, and each way has a stream of as many.
    let (questions, doorbells) = (messages / rounds / 4, messages / rounds / 2)
    let program = "lifecycle \(rounds) /gunyah/Image /gunyah/initramfs.cpio \(questions) \(doorbells)"
    var configuration = try Self.configuration("primary", "primary.cpio", "gunyah-tool info; gunyah-tool \(program)")
    configuration.memorySize = 256 << 20

    // A round is three seconds on an emulated host, and a thousand messages or doorbells are another one.
    let limit = Duration.seconds(120 + 10 * rounds + messages / 100)
    let run = try await GuestRun.boot(configuration, limit: limit) { _, console in
      // A campaign's take minutes each: whoever runs it sees that it goes on, and the host ends what is silent.
      for round in 0..<rounds {
        try await console.expect("round \(round): ", within: limit)
        print("life cycle \(round + 1) of \(rounds)")
      }
    }

    #expect(run.outcome.end == .poweredOff, "\(run.outcome.message)")
    let gunyah = try #require(run.report.gunyah)
    #expect(gunyah.vmid == 3 && gunyah.parcels.isEmpty)
    // Eight looks at memory that is lent, in each round.
    #expect(gunyah.aborts == UInt64(8 * rounds))
    return run.lines
  }

  private static let root = "/" + #filePath.split(separator: "/").dropLast(3).joined(separator: "/")

  @Test("the fleet that the page begins with talks and rings, and its transcript has both machines")
  func examplesFleet() async throws {
    let folder = try TemporaryFolder()
    let example = HostFiles.bytes(Self.root + "/Documentation/Examples/Gunyah/fleet.json")
    var configuration = try FleetFile(path: folder.write("fleet.json", example)).configuration
    for index in configuration.machines.indices {
      configuration.machines[index].payload = .kernel(path: try GuestFile.linux())
      configuration.machines[index].initramfs = try GuestFile.gunyahClient("initramfs.cpio")
      configuration.machines[index].timeout = .seconds(200)
    }

    let fleet = try Fleet(configuration)
    let (a, b) = await Self.run(fleet, "a", "b")
    let report = await fleet.report

    #expect(report.exitStatus == 0, "\(a) \(b)")
    #expect(a.contains { $0.hasPrefix("talked: 100 questions") }, "\(a)")
    #expect(a.contains { $0.hasPrefix("rang: 100 doorbells") } && b.contains { $0.hasPrefix("rang: 100 doorbells") })
    let transcript = try #require(readText(folder.path("session.jsonl")))
    #expect(transcript.contains(#""machine":"a""#) && transcript.contains(#""machine":"b""#))
  }

  /// Two guests of one fleet, which have nothing but their device trees to find each other by.
  @Test("3, 7, 8, 18, 21: two Linux guests, each an agent with a disk of its own, talk by what their device trees have")
  func twoGuests() async throws {
    let folder = try TemporaryFolder()
    let names = ["one", "two"]
    let platform = """
      {"sensors": [{"name": "one", "scale": -3, "value": 11000}, {"name": "two", "scale": -3, "value": 22000}],
       "agents": [{"name": "one", "resources": ["sensors/one"]}, {"name": "two", "resources": ["sensors/two"]}]}
      """
    try folder.write("platform.json", Array(platform.utf8))
    let count = Effort.isBrief ? 200 : 2_000
    let talks = [
      "gunyah-tool buffers 7 && gunyah-tool talk 7 \(count) && gunyah-tool bell 8 9 \(count)",
      "gunyah-tool serve 7 && gunyah-tool serve 7 && gunyah-tool answer 9 8 \(count)",
    ]
    let disks = try names.map { _ in try DiskImage(mebibytes: 8) }
    // Both last as long as the machines.
    defer { withExtendedLifetime((disks, folder)) {} }
    var machines: [Configuration] = []
    for index in names.indices {
      // The disk works while they talk.
      let disk = "(disk-check write direct /dev/vda 4 \(index + 1) && disk-check verify direct /dev/vda 4 \(index + 1))"
      let sensors = "cat /sys/class/hwmon/hwmon*/temp1_label /sys/class/hwmon/hwmon*/temp1_input"
      let command = "\(sensors); \(disk) & P=$!; \(talks[index]) && wait $P"
      var machine = try Self.configuration(names[index], "initramfs.cpio", command)
      machine.cpuCount = 4
      machine.devices = [
        .init(.scmi(.shared(agent: names[index]))), .init(.block(.init(path: disks[index].path))),
      ]
      machine.timeout = .seconds(300)
      machines.append(machine)
    }
    var gunyah = GunyahConfiguration()
    gunyah.queues = [.init(label: 7, machines: names)]
    gunyah.doorbells = [
      .init(label: 8, source: "one", receiver: "two"), .init(label: 9, source: "two", receiver: "one"),
    ]

    let fleet = try Fleet(.init(machines: machines, platform: folder.path("platform.json"), gunyah: gunyah))
    let (one, two) = await Self.run(fleet, "one", "two")
    let report = await fleet.report

    #expect(report.exitStatus == 0)
    for (lines, name) in [(one, "one"), (two, "two")] {
      #expect(lines.contains("exit status 0"), "\(name): \(lines)")
      #expect(lines.contains(name) && lines.contains(name == "one" ? "11000" : "22000"), "\(name): \(lines)")
      let machine = try #require(report.machines[name])
      #expect(machine.gunyah?.vmid == (name == "one" ? 3 : 4))
      #expect((machine.devices.first?.scmi?.commands ?? 0) > 0)
      #expect(machine.devices.allSatisfy { $0.refusedAccesses == 0 })
    }
    for memory in ["linear", "vmalloc", "data", "stack"] {
      #expect(one.contains("\(memory) memory: 240 bytes"), "\(one)")
    }
    #expect(one.contains { $0.hasPrefix("talked: \(count) questions") })
    #expect(one.contains { $0.hasPrefix("rang: \(count) doorbells") })
  }

  /// - Returns: the consoles' lines of the two machines, which have ended.
  private static func run(_ fleet: Fleet, _ one: String, _ two: String) async -> ([String], [String]) {
    fleet.start()
    async let first = Self.lines(fleet[one])
    async let second = Self.lines(fleet[two])
    return (await first, await second)
  }

  private static func lines(_ machine: Machine?) async -> [String] {
    var lines: [String] = []
    guard let machine else { return lines }
    for await line in machine.console.lines { lines.append(line) }
    return lines
  }
}
