import TestSupport
import Testing

/// A machine asks for another one, starts it, rings it, and is told; the other one takes the ring.
private let session = #"""
  {"sequence":0,"time":1500,"machine":"a","vmid":3,"kind":"request","direction":"to-manager","id":"0x56000001",\#
  "token":1,"raw":"00000000"}
  {"sequence":1,"time":2750,"machine":"a","vmid":3,"kind":"reply","direction":"from-manager","id":"0x56000001",\#
  "token":1,"raw":"0000000080000000"}
  {"sequence":2,"time":4000,"machine":"a","vmid":3,"vcpu":0,"kind":"call","number":"0xc6008012",\#
  "arguments":["0xabc","0x1"],"result":"0x0","outputs":["0x0"],"peer":128}
  {"sequence":3,"time":5000,"machine":"a/128","vmid":128,"vcpu":1,"kind":"call","number":"0xc6008013",\#
  "arguments":["0xf00","0x1"],"result":"0x0","outputs":["0x1"],"peer":3}
  {"sequence":4,"time":6000,"machine":"a/128","vmid":128,"vcpu":1,"kind":"call","number":"0xc6008014",\#
  "arguments":["0xf00"],"result":"0x35","outputs":[],"peer":3}

  """#

@Suite struct GunyahCommandTests {
  private static func file() throws -> TemporaryFile { try TemporaryFile(Array(session.utf8)) }

  @Test func decodePrintsATranscriptReadably() throws {
    let file = try Self.file()

    let result = try apus(["gunyah", "decode", file.path])

    #expect(result.status == 0)
    #expect(
      result.output == """
        1.500 us  a            -> VM_ALLOCATE 1 vmid=0
        2.750 us  a            <- VM_ALLOCATE 1 OK vmid=128
        4.000 us  a      cpu0  bell_send cap=0xabc new_flags=1: OK old_flags=0, peer vm 128
        5.000 us  a/128  cpu1  bell_receive cap=0xf00 clear_flags=1: OK old_flags=1, peer vm 3
        6.000 us  a/128  cpu1  bell_reset cap=0xf00: CSPACE_INSUFFICIENT_RIGHTS, peer vm 3

        """
    )
  }

  @Test func aPictureHasColumnsAndArrows() throws {
    let file = try Self.file()

    let result = try apus(["gunyah", "picture", file.path])

    #expect(result.status == 0)
    #expect(
      result.output == """
        time/us  a           a/128       manager
          1.500  |---------------------->|        VM_ALLOCATE vmid=0
          2.750  |<----------------------|        VM_ALLOCATE vmid=128
          4.000  |==========>|           |        bell_send 0x1
          5.000  |..........>|           |        bell_receive 0x1
          6.000  |           x           |        bell_reset CSPACE_INSUFFICIENT_RIGHTS

        """
    )
  }

  @Test func linesAreChosenByMachineAndKind() throws {
    let file = try Self.file()

    let other = try apus(["gunyah", "decode", "--machine", "a/128", "--only", "calls", file.path])
    let both = try apus([
      "gunyah", "decode", "--machine", "a/128", "--machine", "a", "--only", "calls", "--only", "rpc", file.path,
    ])
    let messages = try apus(["gunyah", "picture", "--only", "rpc", "--width", "80", file.path])

    #expect(other.output.split(separator: "\n").count == 2)
    #expect(both.output.split(separator: "\n").count == 5)
    #expect(messages.output.split(separator: "\n").count == 3)
    #expect(messages.output.hasPrefix("time/us  a           manager\n"))
  }

  @Test func jsonIsATranscriptAgainFromStandardInputToo() throws {
    let file = try Self.file()

    let once = try apus(["gunyah", "decode", "--json", file.path])
    let twice = try shell("apus gunyah decode --json '\(file.path)' | apus gunyah decode --json -")

    #expect(once.status == 0 && twice.status == 0)
    #expect(once.output == twice.output)
    #expect(once.output.split(separator: "\n").count == 5)
    #expect(once.output.contains(#""name":"VM_ALLOCATE","token":1,"fields":{"error":0,"vmid":128}"#))
  }

  @Test(arguments: ["decode", "picture"])
  func mistakesHaveTheirStatuses(command: String) throws {
    let good = try Self.file()

    expectRefusal(try apus(["gunyah", command, "/no/such/file"]), status: 66, "/no/such/file")
    expectRefusal(
      try apus(["gunyah", command, "--machine", "b", good.path]),
      status: 65,
      "there is no machine 'b'; there are a, a/128"
    )
    expectRefusal(try apus(["gunyah", command, "--only", "all", good.path]), status: 64, "give rpc or calls")
    expectRefusal(try apus(["gunyah", command]), status: 64, "Missing expected argument")
  }

  @Test(arguments: ["decode", "picture"])
  func whatIsBeforeAMistakeIsShown(command: String) throws {
    let file = try TemporaryFile(Array(session.dropLast(20).utf8))

    let result = try apus(["gunyah", command, file.path])

    #expect(result.status == 65)
    #expect(result.output.contains("bell_receive") && !result.output.contains("bell_reset"))
    #expect(result.error.contains("\(file.path): line 5: it is cut, as where its writer was ended"))
  }

  @Test(arguments: ["decode", "picture"])
  func aFileWithoutLinesIsWarnedOf(command: String) throws {
    let file = try TemporaryFile([])

    let result = try apus(["gunyah", command, file.path])

    #expect(result.status == 0)
    #expect(result.error == "apus: warning: \(file.path): there is no line in it\n")
  }

  @Test(
    arguments: [
      ([0x7F, 0x45, 0x4C, 0x46, 0, 10, 0xFF], "line 1: expected an object"),
      (Array("time/us  a           a/128\n".utf8), "line 1: expected an object"),
      (
        Array(#"{"sequence":0,"time":0,"agent":1,"agentName":"a","kind":"request","raw":"0650000000000000"}"#.utf8),
        "line 1: it is an SCMI transcript's; give the file to 'apus scmi decode'"
      ),
    ] as [([UInt8], String)]
  )
  func whatIsNoTranscriptIsSaidToBeNone(content: [UInt8], message: String) throws {
    let file = try TemporaryFile(content)

    for command in ["decode", "picture"] {
      expectRefusal(try apus(["gunyah", command, file.path]), status: 65, "\(file.path): \(message)")
    }
  }

  @Test func aPictureHasAWidth() throws {
    let file = try Self.file()

    let result = try apus(["gunyah", "picture", "--width", "39", file.path])

    expectRefusal(result, status: 64, "--width takes 40 to 1000, not 39")
  }

  @Test(arguments: [["gunyah", "--help"], ["gunyah", "decode", "--help"], ["gunyah", "picture", "--help"]])
  func helpHasExamples(words: [String]) throws {
    let result = try apus(words)

    #expect(result.status == 0)
    #expect(result.output.contains("Examples:\n  apus "), "\(result.output)")
  }

  @Test func aTranscriptNeedsThePersonalityAndAFileThatCanBeWritten() throws {
    let folder = try TemporaryFolder()
    let run = ["run", "--dry-run", "--kernel", try folder.write("Image", linuxImage())]
    let gunyah = run + ["--personality", "gunyah"]

    expectRefusal(
      try apus(run + ["--gunyah-transcript", folder.path("t")]),
      status: 64,
      "--gunyah-transcript needs Gunyah; give --personality gunyah"
    )
    expectRefusal(
      try apus(gunyah + ["--gunyah-transcript", "/nowhere/t"]),
      status: 73,
      "--gunyah-transcript: cannot write '/nowhere/t'"
    )
    #expect(try apus(gunyah + ["--gunyah-transcript", folder.path("t")]).status == 0)
    #expect(folder.read("t") == nil)
  }
}
