import TestSupport
import Testing

@Suite struct FleetCommandTests {
  private static func folder(_ fleet: String) throws -> TemporaryFolder {
    let folder = try TemporaryFolder()
    try folder.write("Image", linuxImage())
    try folder.write("fleet.json", Array(fleet.utf8))
    return folder
  }

  private static let two = #"""
    {"machines": [
      {"name": "a", "payload": {"kernel": {"path": "Image"}}},
      {"name": "b", "payload": {"kernel": {"path": "Image"}}, "cpuCount": 4, "console": {"file": {"path": "log"}}}
    ]}
    """#

  @Test func aDryRunPrintsThePlansOfAllMachines() throws {
    let folder = try Self.folder(Self.two)

    let result = try apus(["run", "--fleet", folder.path("fleet.json"), "--dry-run", "--timeout", "5"])

    let plan = try #require(jsonObject(result.output))
    guard case .object(let machines) = plan["machines"], case .object(let second) = machines["b"] else {
      return #expect(Bool(false), "\(result.output)")
    }
    #expect(result.status == 0)
    #expect(result.error.isEmpty)
    #expect(Set(machines.keys) == ["a", "b"])
    #expect(second["cpus"] == .number(4))
  }

  @Test(arguments: [
    ["--kernel", "Image"], ["--cpus", "2"], ["--no-reboot"], ["--entropy"], ["--console", "none"], ["--detach"],
    ["--restore", "frozen"], ["--control", "auto"], ["--memory=1G"],
  ])
  func whatTheFileSaysIsNoOption(option: [String]) throws {
    let folder = try Self.folder(Self.two)

    let result = try apus(["run", "--fleet", folder.path("fleet.json")] + option)

    let name = option[0].prefix { $0 != "=" }
    expectRefusal(result, status: 64, "'\(name)' and '--fleet' exclude each other")
  }

  @Test func aFileThatIsNotThereHasItsStatus() throws {
    expectRefusal(try apus(["run", "--fleet", "/no/such/fleet.json"]), status: 66, "/no/such/fleet.json")
  }

  @Test func aFileThatIsNoFleetHasItsStatus() throws {
    let folder = try Self.folder("{\"machines\":\n 7}")

    let result = try apus(["run", "--fleet", folder.path("fleet.json")])

    expectRefusal(result, status: 65, "fleet.json:1:2: machines: expected an array, found 7")
  }

  @Test func mistakesOfSeveralMachinesAreToldWithTheirPlaces() throws {
    let folder = try Self.folder(
      #"""
      {"machines": [
        {"name": "a", "payload": {"kernel": {"path": "none"}}},
        {"name": "a", "payload": {"kernel": {"path": "Image"}},
         "memorySize": {"bytes": 5}}
      ]}
      """#
    )

    let result = try apus(["run", "--fleet", folder.path("fleet.json"), "--dry-run"])

    expectRefusal(result, status: 66, "fleet.json:2:17: machine 'a': payload: ", "fleet.json:3:4: machine 'a': name: ")
    #expect(result.error.contains("fleet.json:4:4: machine 'a': memorySize: takes a multiple of 1 MiB"))
  }

  @Test func theReportIsNoMachinesFile() throws {
    let folder = try Self.folder(Self.two)

    let result = try apus(["run", "--fleet", folder.path("fleet.json"), "--report", folder.path("log"), "--dry-run"])

    expectRefusal(result, status: 64, "--report: ")
  }
}
