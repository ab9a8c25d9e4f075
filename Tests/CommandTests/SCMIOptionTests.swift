import TestSupport
import Testing

private let platform = """
  {"agents": [{"name": "guest"}, {"name": "owner"}],
   "clocks": [{"name": "c", "rates": [1, 2]}]}
  """

/// Runs `apus run --dry-run` with these options; `PLATFORM` is a platform file.
private func rehearse(_ platform: String, _ options: [String]) throws -> ProgramResult {
  let kernel = try TemporaryFile(linuxImage())
  let file = try TemporaryFile(Array(platform.utf8))
  let replaced = options.map { option in
    option.hasPrefix("PLATFORM") ? file.path + option.dropFirst("PLATFORM".count) : option
  }
  return try apus(["run", "--dry-run", "--kernel", kernel.path] + replaced)
}

@Suite struct SCMIOptionTests {
  @Test func aPlatformFileIsTaken() throws {
    let result = try rehearse(platform, ["--scmi", "PLATFORM,agent=guest"])

    #expect(result.status == 0, "\(result.error)")
  }

  @Test func mistakesInAPlatformFileAreToldWithLinePathAndExpectation() throws {
    let result = try rehearse(
      "{\"agents\": [{\"name\": \"a\"}],\n \"clocks\": [{\"name\": \"c\"}]}",
      ["--scmi", "PLATFORM"]
    )

    expectRefusal(result, status: 65, ":2:13: /clocks/0: the key \"rates\" is missing")
  }

  @Test func aMissingPlatformFileIsToldWithItsPath() throws {
    let result = try rehearse(platform, ["--scmi", "/nowhere/platform.json"])

    expectRefusal(result, status: 66, "--scmi: '/nowhere/platform.json' cannot be read")
  }

  @Test func anAgentIsNeededWhereThereAreSeveral() throws {
    expectRefusal(try rehearse(platform, ["--scmi", "PLATFORM"]), status: 64, "agent=NAME", "guest, owner")
  }

  @Test func anUnknownAgentIsToldWithThoseThatThereAre() throws {
    let result = try rehearse(platform, ["--scmi", "PLATFORM,agent=nobody"])

    expectRefusal(result, status: 64, "agent=nobody", "guest, owner")
  }

  @Test func anUnknownSettingIsToldWithTheKnownOnes() throws {
    let result = try rehearse(platform, ["--scmi", "PLATFORM,agents=guest"])

    expectRefusal(result, status: 64, "'agents' is no setting here", "agent=NAME")
  }

  @Test func aTranscriptNeedsAPlatform() throws {
    let result = try rehearse(platform, ["--scmi-transcript", "/tmp/transcript"])

    expectRefusal(result, status: 64, "--scmi-transcript needs a platform")
  }

  @Test func aTranscriptThatCannotBeWrittenIsToldBeforeTheStart() throws {
    let result = try rehearse(platform, ["--scmi", "PLATFORM,agent=guest", "--scmi-transcript", "/nowhere/t"])

    expectRefusal(result, status: 73, "--scmi-transcript: cannot write '/nowhere/t'")
  }
}
