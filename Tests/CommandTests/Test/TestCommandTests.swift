import Glibc
import TestSupport
import Testing

/// `apus test` as far as it goes without a guest.
@Suite struct TestCommandTests {
  private let folder: TemporaryFolder
  private let script: String

  init() throws {
    folder = try TemporaryFolder()
    script = try folder.write("a.sh", Array("#!/bin/sh\n".utf8), permissions: 0o755)
  }

  /// Lists what would run.
  private func list(_ arguments: String...) throws -> ProgramResult {
    try apus(["test", "--kernel", "Image", "--list"] + arguments)
  }

  #if !arch(arm64)
    @Test func withoutArm64KVMTheEmulatedHostIsNamedBeforeAnythingIsRead() throws {
      let report = folder.path("out.xml")
      let result = try apus(["test", "--kernel", "/no/such/kernel", "--run", "/no/such/script", "--junit", report])

      expectRefusal(result, status: 71, "arm64 KVM", "Guests/EmulatedHost/apus test")
      #expect(result.error.split(separator: "\n").count == 1)
      #expect(try folder.names == ["a.sh"])
    }
  #endif

  @Test(
    arguments: [
      (["--shard", "5/3"], "--shard: there is no shard 5 of 3; give 1 to 3"), (["--shard", "x"], "give I/N"),
      (["--shard", "auto"], "--shard: no engine"), (["--timeout", "0"], "--timeout: give a time, such as 60"),
      (["--timeout", "-1"], "--timeout: give a time"), (["--timeout", "soon"], "--timeout: give a time"),
      (["--jobs", "0"], "--jobs takes 1 to 1024"), (["--retries", "101"], "--retries takes 0 to 100"),
      (["--fail-on", "x"], "--fail-on takes panic, oops or warn"), (["--matrix", "x=1"], "--matrix: 'x' is none"),
      (["--history", "x"], "--history: parts are made with --shard"), (["--console", "none"], "--verbose shows"),
      (["--initrd", "x", "--busybox", "y"], "--busybox: with --initrd"),
    ] as [([String], String)]
  )
  func aMistakeIsBadUsageAndIsToldWithWhatWouldBeRight(arguments: [String], words: String) throws {
    expectRefusal(try apus(["test", "--kernel", "Image", "--run", script] + arguments), status: 64, words)
  }

  @Test func aListHasEachTestOnALineWhateverItsName() throws {
    let odd = try folder.write("two\nlines\u{1B}[2J", Array("#!/bin/sh\n".utf8), permissions: 0o755)

    let result = try list("--run", script, "--run", odd, "--run", script)

    #expect(result.status == 0, "\(result.error)")
    #expect(result.output == "a.sh\ntwo\\nlines\\x1b[2J\na.sh#2\n")
  }

  @Test func aScriptAndAFolderThatAreNotThereEndWithTheStatusOfThat() throws {
    expectRefusal(try list("--run", "/no/such/script"), status: 66, "/no/such/script")
    expectRefusal(try list("--directory", "/no/such/folder"), status: 66, "/no/such/folder")
  }

  @Test func aFolderWithoutProgramsIsNothingToRun() throws {
    let empty = try folder.makeFolder("empty")

    expectRefusal(try list("--directory", empty), status: 2, "no program lies in", "chmod +x")
  }

  @Test func aFolderWithANameThatIsNoTextIsRefused() throws {
    let odd = try folder.makeFolder("odd")
    _ = try shell("touch \"$(printf '\(odd)/\\377')\"")

    expectRefusal(try list("--directory", odd), status: 65, "no UTF-8")
  }

  @Test func aFolderThatNoGuestCouldHoldIsRefusedBeforeItIsRead() throws {
    let huge = try folder.makeFolder("huge")
    let file = try folder.write("huge/a", [])
    // SAFETY: the path holds for the call.
    try #require(unsafe truncate(file, 10 << 40) == 0)

    expectRefusal(try list("--directory", huge), status: 65, "512 MiB", "share the folder")
  }

  @Test func aFormerReportThatIsNoneIsRefused() throws {
    let history = try folder.write("former.json", Array("{}".utf8))

    expectRefusal(try list("--run", script, "--shard", "1/2", "--history", history), status: 65, "former.json")
  }

  @Test(arguments: [(1, "a.sh\n"), (2, "")])
  func thePlaceIsTakenFromTheEngine(task: Int, output: String) throws {
    let engine = "SLURM_ARRAY_TASK_ID=\(task) SLURM_ARRAY_TASK_MIN=1 SLURM_ARRAY_TASK_STEP=1 SLURM_ARRAY_TASK_COUNT=2"

    let result = try shell("export \(engine); apus test --kernel Image --list --shard auto --run '\(script)'")

    #expect(result.status == 0, "\(result.error)")
    #expect(result.output == output)
  }
}
