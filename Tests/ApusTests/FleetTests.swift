import Foundation
import SCMI
import TestSupport
import Testing

@testable import Apus

/// Fleets and their files, as far as no machine has to run.
@Suite struct FleetTests {
  private static let platform = #"{"agents": [{"name": "one"}, {"name": "two"}]}"#

  /// A folder with a kernel, a disk and a platform of two agents.
  private static func folder() throws -> TemporaryFolder {
    let folder = try TemporaryFolder()
    try folder.write("Image", linuxImage())
    try folder.write("disk", [UInt8](repeating: 0, count: 512))
    try folder.write("platform", Array(platform.utf8))
    return folder
  }

  private static func machine(_ name: String, in folder: TemporaryFolder) -> Configuration {
    var configuration = Configuration(kernel: folder.path("Image"))
    configuration.name = name
    return configuration
  }

  /// The mistakes of a fleet, or none.
  private static func mistakes(_ configuration: Fleet.Configuration) -> [String] {
    do throws(FleetError) {
      _ = try Fleet(configuration)
      return []
    } catch {
      return error.problems.map { "\($0.place): \($0)" }
    }
  }

  @Test func aFleetHasItsMachinesInOrderAndByName() throws {
    let folder = try Self.folder()

    let fleet = try Fleet(.init(machines: [Self.machine("b", in: folder), Self.machine("a", in: folder)]))

    #expect(fleet.machines.map(\.configuration.name) == ["b", "a"])
    #expect(fleet["a"] === fleet.machines[1])
    #expect(fleet["c"] == nil && !fleet.start("c") && !fleet.stop("c"))
    #expect(Set(fleet.plan.machines.keys) == ["a", "b"])
  }

  @Test func machinesThatShareAPlatformAreItsAgents() throws {
    let folder = try Self.folder()
    var (one, two) = (Self.machine("a", in: folder), Self.machine("b", in: folder))
    one.devices = [.init(.scmi(.shared(agent: "one")))]
    two.devices = [.init(.scmi(.shared(agent: "two")))]

    let fleet = try Fleet(.init(machines: [one, two], platform: folder.path("platform")))

    #expect(fleet.platform?.definition.agents.map(\.name) == ["one", "two"])
    #expect(fleet.plan.machines["b"]?.devices.first?.scmi?.agent == "two")
  }

  @Test func twoMachinesAreNotOneAgent() throws {
    let folder = try Self.folder()
    var (one, two) = (Self.machine("a", in: folder), Self.machine("b", in: folder))
    one.devices = [.init(.scmi(.shared(agent: "one")))]
    two.devices = [.init(.scmi(.shared(agent: "one")))]

    let mistakes = Self.mistakes(.init(machines: [one, two], platform: folder.path("platform")))

    #expect(mistakes.count == 1)
    #expect(mistakes.first?.hasPrefix("machines[1].devices[0].scmi.agent: machine 'b'") == true)
    #expect(mistakes.first?.contains("machine 'a' is the platform's agent 'one'") == true)
  }

  @Test func everyMistakeIsToldAtOnceInTheOrderOfTheMachines() throws {
    let folder = try Self.folder()
    var (one, two) = (Self.machine("a", in: folder), Self.machine("a", in: folder))
    one.cpuCount = 0
    one.devices = [.init(.block(.init(path: folder.path("disk"))))]
    one.console = .file(path: folder.path("log"))
    two.devices = one.devices + [.init(.scmi(.shared()))]
    two.console = one.console
    two.memorySize = 1

    let mistakes = Self.mistakes(.init(machines: [one, two], platform: folder.path("none")))

    let places = mistakes.map { String($0.prefix { $0 != ":" }) }
    #expect(
      places == [
        "platform", "machines[0].cpuCount", "machines[1].name", "machines[1].devices[0].block.path",
        "machines[1].console", "machines[1].memorySize",
      ]
    )
  }

  @Test func aFleetHasAMachine() {
    #expect(Self.mistakes(.init(machines: [])) == ["machines: there are no machines; give at least one"])
  }

  @Test func twoMachinesMayReadOneDisk() throws {
    let folder = try Self.folder()
    var disk = Configuration.Device.Block(path: folder.path("disk"))
    disk.isReadOnly = true
    var (one, two) = (Self.machine("a", in: folder), Self.machine("b", in: folder))
    one.devices = [.init(.block(disk))]
    two.devices = one.devices

    #expect(Self.mistakes(.init(machines: [one, two])).isEmpty)
  }

  @Test func aPlanHasWhatGunyahsMachinesShareWithTheirInterrupts() throws {
    let folder = try Self.folder()
    var machines = ["a", "b", "c"].map { Self.machine($0, in: folder) }
    for index in 0..<2 { machines[index].personality = .gunyah }
    var configuration = Fleet.Configuration(machines: machines)
    var pair = GunyahConfiguration.QueuePair(label: 7, machines: ["a", "b"])
    (pair.depth, pair.messageSize) = (3, 16)
    configuration.gunyah.queues = [pair, .init(label: 8, machines: ["b", "a"])]
    configuration.gunyah.doorbells = [
      .init(label: 1, source: "a", receiver: "b"), .init(label: 2, source: "b", receiver: "a"),
    ]

    let plan = try Fleet(configuration).plan

    let second = try #require(plan.machines["b"]?.gunyah)
    #expect(second.vmid == 4 && second.interrupts == [176, 177])
    #expect(second.queues.map(\.label) == [7, 8] && second.queues.map(\.peer) == ["a", "a"])
    #expect(second.queues.map(\.interrupts) == [[178, 179], [180, 181]])
    #expect(second.queues.map(\.depth) == [3, 8] && second.queues.map(\.messageSize) == [16, 240])
    #expect(second.doorbells.map(\.role) == ["receiver", "source"])
    #expect(second.doorbells.map(\.interrupt) == [182, nil])
    #expect(plan.machines["a"]?.gunyah?.doorbells.map(\.interrupt) == [nil, 182])
    #expect(plan.machines["c"]?.gunyah == nil && plan.machines["c"]?.personality == "kvm")
  }

  @Test func ofVeryManyMistakesTheFirstOnesAreTold() throws {
    let folder = try Self.folder()
    let many = #"{"payload": {"raw": {"path": "p"}}, "cpuCount": 0}"#
    func file(_ machine: String) throws -> String {
      let machines = Array(repeating: machine, count: 60).joined(separator: ", ")
      return try folder.write("fleet.json", Array("{\"machines\": [\(machines)]}".utf8))
    }

    let form = #expect(throws: FleetFileError.self) { try FleetFile(path: try file("{}")) }
    let fleet = try FleetFile(path: try file(many))
    let values = #expect(throws: FleetError.self) { try Fleet(fleet.configuration) }

    #expect(form?.messages.count == 51)
    #expect(form?.messages.last == folder.path("fleet.json") + ": 10 more mistakes are not told")
    let messages = fleet.messages(try #require(values))
    #expect(messages.count == 51 && messages[50].hasSuffix("more mistakes are not told"))
  }

  @Test func aTranscriptOfGunyahsIsTheFleetsAndAFileOfItsOwn() throws {
    let folder = try Self.folder()
    var (one, two) = (Self.machine("a", in: folder), Self.machine("b", in: folder))
    var configuration = Fleet.Configuration(machines: [one, two])
    configuration.gunyah.transcript = folder.path("calls")
    #expect(
      Self.mistakes(configuration) == ["gunyah.transcript: no machine finds Gunyah; give one the personality 'gunyah'"]
    )
    (one.personality, two.personality) = (.gunyah, .gunyah)
    configuration.machines = [one, two]
    #expect(Self.mistakes(configuration).isEmpty)
    #expect(folder.read("calls") == nil)

    one.gunyahTranscript = folder.path("own")
    two.console = .file(path: folder.path("calls"))
    configuration.machines = [one, two]
    let mistakes = Self.mistakes(configuration)

    #expect(mistakes.contains { $0.contains("gunyahTranscript: a fleet has one for all its machines") }, "\(mistakes)")
    #expect(mistakes.contains { $0.contains("is a file of machine 'b', too; name another one") }, "\(mistakes)")
    configuration = Fleet.Configuration(machines: [two])
    configuration.gunyah.transcript = "/nonexistent/calls"
    #expect(Self.mistakes(configuration).first?.contains("cannot write '/nonexistent/calls'") == true)
  }

  @Test func aConfigurationIsTheSameWhenItHasBeenCoded() throws {
    let folder = try Self.folder()
    var machine = Self.machine("a", in: folder)
    machine.devices = [.init(.block(.init(path: "disk"))), .init(.scmi(.shared(agent: "one")))]
    machine.dma = .confined(windowSize: 4 << 20)
    machine.timeout = .milliseconds(1_500)
    machine.uuid = .random()
    machine.cpuFeatures.pmu = false
    let configuration = Fleet.Configuration(machines: [machine, Self.machine("b", in: folder)], platform: "platform")
    let bytes = try JSONEncoder().encode(configuration)

    try folder.write("fleet.json", Array(bytes))
    let read = try FleetFile(path: folder.path("fleet.json")).configuration

    var expected = configuration
    expected.platform = folder.path("platform")
    expected.machines[0].devices[0] = .init(.block(.init(path: folder.path("disk"))))
    #expect(read == expected)
    #expect(try JSONDecoder().decode(Fleet.Configuration.self, from: bytes) == configuration)
  }

  @Test func relativePathsGoFromTheFilesFolder() throws {
    let folder = try Self.folder()
    let text = #"""
      {"machines": [{
        "payload": {"kernel": {"path": "Image"}}, "initramfs": "/boot/initrd", "console": {"file": {"path": "log"}},
        "control": {"socket": {"path": "run/a"}}, "deviceTreeOverlays": ["x.dtbo"], "deviceTreeDump": "dtb",
        "cpuModel": {"file": {"path": "cpu"}}, "devices": [{"block": {"path": "disk"}}]
      }], "platform": "platform", "gunyah": {"transcript": "calls"}}
      """#

    try folder.write("fleet.json", Array(text.utf8))
    let read = try FleetFile(path: folder.path("fleet.json")).configuration

    let machine = try #require(read.machines.first)
    #expect(machine.payload == .kernel(path: folder.path("Image")))
    #expect(machine.initramfs == "/boot/initrd")
    #expect(machine.console == .file(path: folder.path("log")))
    #expect(machine.control == .socket(path: folder.path("run/a")))
    #expect(machine.deviceTreeOverlays == [folder.path("x.dtbo")])
    #expect(machine.deviceTreeDump == folder.path("dtb"))
    #expect(machine.cpuModel == .file(path: folder.path("cpu")))
    #expect(machine.devices == [.init(.block(.init(path: folder.path("disk"))))])
    #expect(read.platform == folder.path("platform"))
    #expect(read.gunyah.transcript == folder.path("calls"))
  }

  @Test(arguments: [
    (#"{"machines": [}"#, "1:15: "), (#"{}"#, "1:1: machines: is missing"), (#"[]"#, "1:1: expected an object"),
    (#"{"machines": {}}"#, "1:2: machines: expected an array, found an object"),
    (#"{"machines": [1]}"#, "1:15: machines[0]: expected an object, found 1"),
    (#"{"machines": [{}]}"#, "1:15: machines[0].payload: is missing"),
    (#"{"machines": [], "xen": {}}"#, "1:18: xen: there is no such key; give machines, platform, gunyah"),
    ("{\"machines\": [],\n \"platform\": 7}", "2:2: platform: expected a string, found 7"),
    (
      #"{"machines": [{"payload": {"raw": {"path": "p"}}, "cpuCount": -1.5}]}"#,
      "1:51: machines[0].cpuCount: expected a whole number"
    ),
    (
      #"{"machines": [{"payload": {"raw": {"path": "p"}}, "gic": "v9"}]}"#,
      "1:51: machines[0].gic: takes 'automatic', 'v2' or 'v3', not 'v9'"
    ),
    (
      #"{"machines": [{"payload": {"raw": {"path": "p"}}, "devices": [{"block": {"path": "d", "queues": 2}}]}]}"#,
      "1:87: machines[0].devices[0].block.queues: there is no such key; give path"
    ),
    (
      #"{"machines": [{"payload": {"raw": {"path": "p"}}, "measuresMemory": 1}]}"#,
      "1:51: machines[0].measuresMemory: expected true or false, found 1"
    ),
  ])
  func aMistakeInAFileHasItsPlace(text: String, message: String) throws {
    let folder = try TemporaryFolder()
    try folder.write("fleet.json", Array(text.utf8))

    let error = #expect(throws: FleetFileError.self) { try FleetFile(path: folder.path("fleet.json")) }

    #expect(error?.kind == .badInput)
    #expect(error?.messages.count == 1)
    #expect(
      error?.description.hasPrefix(folder.path("fleet.json") + ":" + message) == true,
      "\(error?.description ?? "")"
    )
  }

  @Test(arguments: [1, 2, 3, 4] as [UInt64])
  func whateverBytesAreReadEachMistakeHasAPlaceInTheFile(seed: UInt64) throws {
    var dice = SplitMix64(seed: seed)
    var machine = Configuration(payload: .raw(path: "program"))
    machine.devices = [.init(.block(.init(path: "disk"))), .init(.scmi(.shared(agent: "one"))), .init(.entropy)]
    machine.console = .pseudoTerminal(link: "pty")
    machine.control = .socket(path: "control")
    machine.timeout = .seconds(1)
    let seed = Array(try JSONEncoder().encode(Fleet.Configuration(machines: [machine, machine], platform: "p")))
    let words = ["null", "-1", "[]", "{}", "\"\"", "1e9", "true", ",", "\"x\": 1,"].map { Array($0.utf8) }
    var refused = 0
    for _ in 0..<1_500 {
      var bytes = seed
      for _ in 0...Int.random(in: 0..<3, using: &dice) {
        let start = Int.random(in: 0..<bytes.count, using: &dice)
        let end = min(bytes.count, start + Int.random(in: 0..<6, using: &dice))
        bytes.replaceSubrange(start..<end, with: words.randomElement(using: &dice) ?? [])
      }

      do throws(FleetFileError) {
        _ = try FleetFile(bytes, at: "f")
      } catch {
        refused += 1
        #expect(!error.messages.isEmpty && error.kind == .badInput)
        for message in error.messages {
          let place = message.split(separator: ":", maxSplits: 3)
          #expect(place.count > 3 && place[0] == "f" && Int(place[1]) != nil && Int(place[2]) != nil, "\(message)")
        }
      }
    }
    #expect(refused > 500)
  }

  @Test func everyMachineThatCannotBeReadIsTold() throws {
    let folder = try TemporaryFolder()
    let text = #"{"machines": [{"payload": 1}, {"payload": {"raw": {"path": "p"}}}, {"cpus": 2}], "x": 1}"#
    try folder.write("fleet.json", Array(text.utf8))

    let error = #expect(throws: FleetFileError.self) { try FleetFile(path: folder.path("fleet.json")) }

    #expect(error?.messages.count == 3)
  }

  @Test func mistakesOfMachinesStandWhereTheFileHasThem() throws {
    let folder = try Self.folder()
    let text = "{\"machines\": [{\"payload\": {\"kernel\": {\"path\": \"Image\"}},\n  \"cpuCount\": 0}]}"
    try folder.write("fleet.json", Array(text.utf8))
    let file = try FleetFile(path: folder.path("fleet.json"))

    let error = #expect(throws: FleetError.self) { try Fleet(file.configuration) }

    let messages = error?.problems.map(file.message)
    let expected = "fleet.json:2:3: machine 'apus': cpuCount: takes 1 or more, not 0"
    #expect(messages == [folder.path(expected)])
  }
}
