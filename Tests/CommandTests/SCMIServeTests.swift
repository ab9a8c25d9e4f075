import Glibc
import TestSupport
import Testing

private let platform = """
  {"agents": [{"name": "one"}, {"name": "two"}], "clocks": [{"name": "c", "rates": [1, 2]}]}
  """

@Suite struct SCMIServeTests {
  /// A folder with a platform that has two agents.
  private func folder() throws -> TemporaryFolder {
    let folder = try TemporaryFolder()
    try folder.write("platform.json", Array(platform.utf8))
    return folder
  }

  @Test func socketsAndAgentsThatDoNotFitAreRefused() throws {
    let folder = try folder()
    let file = folder.path("platform.json")
    func serve(_ words: String...) throws -> ProgramResult { try apus(["scmi", "serve"] + words + [file]) }
    let (a, b) = (folder.path("a"), folder.path("b"))

    expectRefusal(try serve(), status: 64, "Give a --socket")
    expectRefusal(try serve("--socket", a), status: 64, "agents are one, two")
    expectRefusal(try serve("--socket", a, "--agent", "three"), status: 64, "no agent 'three'; it has one, two")
    expectRefusal(try serve("--socket", a, "--socket", b, "--agent", "one"), status: 64, "for each --socket")
    let twice = try serve("--socket", a, "--agent", "one", "--socket", b, "--agent", "one")
    expectRefusal(twice, status: 64, "agent one has two sockets")
    let same = try serve("--socket", a, "--agent", "one", "--socket", a, "--agent", "two")
    expectRefusal(same, status: 64, "cannot be an agent's socket: it is an agent's socket already")
    expectRefusal(try serve("--socket", "", "--agent", "one"), status: 64, "a socket's path cannot be empty")
    expectRefusal(try serve("--merge-dtb", a), status: 64, "go together")
    #expect(try folder.names == ["platform.json"])
  }

  @Test func nothingIsWrittenOverWhatIsReadOrTwiceUnderWhateverNames() throws {
    let folder = try folder()
    let file = folder.path("platform.json")
    try folder.write("tree.dtb", [1, 2, 3])
    // SAFETY: the paths hold for the call.
    try #require(unsafe link(file, folder.path("hard")) == 0)
    func serve(_ words: String...) throws -> ProgramResult {
      try apus(["scmi", "serve", "--agent", "one"] + words + [file])
    }
    let socket = folder.path("s")

    for name in ["platform.json", "hard", "./platform.json"] {
      let transcript = try serve("--socket", socket, "--transcript", folder.path(name))
      expectRefusal(transcript, status: 64, "cannot be the transcript: it is the platform file already")
      let tree = try serve("--merge-dtb", folder.path("tree.dtb"), "--output", folder.path(name))
      expectRefusal(tree, status: 64, "cannot be the merged tree: it is the platform file already")
    }
    let input = try serve("--merge-dtb", folder.path("tree.dtb"), "--output", folder.path("tree.dtb"))
    expectRefusal(input, status: 64, "it is the tree to merge into already")
    let both = try serve(
      "--socket",
      socket,
      "--merge-dtb",
      folder.path("tree.dtb"),
      "--output",
      folder.path("x"),
      "--transcript",
      folder.path("./x")
    )
    expectRefusal(both, status: 64, "cannot be the transcript: it is the merged tree already")
    #expect(folder.read("platform.json") == Array(platform.utf8))
    #expect(folder.read("tree.dtb") == [1, 2, 3])
    #expect(try folder.names == ["hard", "platform.json", "tree.dtb"])
  }

  @Test func filesAndSocketsThatCannotBeAreRefusedWithTheirStatus() throws {
    let folder = try folder()
    let socket = folder.path("s")
    func serve(_ socket: String, _ file: String) throws -> ProgramResult {
      try apus(["scmi", "serve", "--socket", socket, "--agent", "one", folder.path(file)])
    }
    try folder.write("bad.json", Array("{\"clocks\": 1}".utf8))

    expectRefusal(try serve(socket, "none.json"), status: 66, "none.json' cannot be read")
    expectRefusal(try serve(socket, "bad.json"), status: 65, "bad.json:1:12: /clocks: expected an array")
    let long = folder.path(String(repeating: "x", count: 108))
    expectRefusal(try serve(long, "platform.json"), status: 73, "at most 107 bytes")
    expectRefusal(try serve(folder.path("bad.json"), "platform.json"), status: 73, "something else is there")
    expectRefusal(try serve(folder.path("none/s"), "platform.json"), status: 73, "name a path in a folder that exists")
    #expect(try folder.names == ["bad.json", "platform.json"])
  }

  @Test func aServerEndsAtSIGTERMAndItsSocketGoes() throws {
    let folder = try folder()
    let result = try shell(
      """
      '\(command)' scmi serve --socket '\(folder.path("s"))' --agent one '\(folder.path("platform.json"))' &
      server=$!
      until [ -S '\(folder.path("s"))' ]; do sleep 0.05; done
      apus scmi serve --socket '\(folder.path("s"))' --agent one '\(folder.path("platform.json"))'
      echo "second $?"
      kill -TERM $server
      wait $server
      echo "first $?"
      """
    )

    #expect(result.output == "second 73\nfirst 0\n", "\(result.error)")
    #expect(result.error.contains("listening on"))
    #expect(try folder.names == ["platform.json"])
  }

  @Test func theNodesOfAPlatformGoIntoATreeOnce() throws {
    let folder = try folder()
    func merge(_ tree: String, _ output: String) throws -> ProgramResult {
      let words = ["scmi", "serve", "--merge-dtb", folder.path(tree), "--output", folder.path(output)]
      return try apus(words + ["--agent", "one", folder.path("platform.json")])
    }
    let tree = try apus(["devicetree", "--format", "dtb", "--output", folder.path("tree")])
    #expect(tree.status == 0)

    let merged = try merge("tree", "merged")

    #expect(merged.status == 0, "\(merged.error)")
    let text = String(decoding: folder.read("merged") ?? [], as: Unicode.ASCII.self)
    #expect(text.utf8.count > 1000)
    #expect(text.contains("arm,scmi-virtio") && text.contains("protocol@14") && text.contains("arm,pl011"))
    expectRefusal(try merge("merged", "again"), status: 65, "has a node /firmware/scmi already")
    expectRefusal(try merge("platform.json", "again"), status: 65, "platform.json' cannot be used")
    expectRefusal(try merge("none", "again"), status: 66, "none' cannot be read")
  }

  @Test func aTranscriptIsFollowedToItsEndOrASignal() throws {
    let folder = try TemporaryFolder()
    let line =
      "{\"sequence\":0,\"time\":1500,\"agent\":1,\"agentName\":\"guest\",\"kind\":\"request\",\"raw\":\"0650000000000000\"}"
    let file = folder.path("session.jsonl")
    let result = try shell(
      """
      echo '\(line)' | apus scmi decode --follow -
      echo '\(line)' >'\(file)'
      '\(command)' scmi decode --follow '\(file)' >'\(folder.path("followed"))' &
      follower=$!
      until [ -s '\(folder.path("followed"))' ]; do sleep 0.05; done
      echo '\(line)' >>'\(file)'
      until [ "$(wc -l <'\(folder.path("followed"))')" -eq 2 ]; do sleep 0.05; done
      kill -TERM $follower
      wait $follower
      echo "status $?"
      """
    )

    let decoded = "0.000001500  guest  -> CLOCK_RATE_GET token 0 clock_id=0\n"
    #expect(result.output == decoded + "status 0\n", "\(result.error)")
    #expect(readText(folder.path("followed")) == decoded + decoded)
    expectRefusal(try apus(["scmi", "decode", "--follow", folder.path("none")]), status: 66, "cannot be read")
    let picture = try apus(["scmi", "decode", "--follow", "--picture", file])
    expectRefusal(picture, status: 64, "--follow goes with a transcript and without --picture")
  }
}
