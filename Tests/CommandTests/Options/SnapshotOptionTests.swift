import TestSupport
import Testing

/// Words of commands that have to do with snapshots and models, that no machine is needed for to refuse.
@Suite struct SnapshotOptionTests {
  private let folder: TemporaryFolder

  init() throws {
    folder = try TemporaryFolder()
  }

  @Test(
    arguments: [
      (["run"], "Missing expected argument '--kernel <path>', or '--restore <directory>'"),
      (["run", "--kernel", "Image", "--restore", "d"], "'--kernel' and '--restore' exclude each other"),
      (["run", "--restore", "d", "--initrd", "i"], "'--initrd' and '--restore' exclude each other"),
      (["run", "--restore", "d", "--append", "x"], "'--append' and '--restore' exclude each other"),
      (["run", "--restore", "d", "--raw"], "'--raw' and '--restore' exclude each other"),
      (["run", "--restore", "d", "--dtb-overlay", "o"], "'--dtb-overlay' and '--restore' exclude each other"),
      (["run", "--restore", "d", "--dump-dtb", "t"], "'--dump-dtb' and '--restore' exclude each other"),
      (["run", "--restore"], "Missing value for '--restore"),
      (["run", "--kernel", "Image", "--clone"], "--clone, --verify and --clock say how a snapshot is restored"),
      (["run", "--kernel", "Image", "--verify"], "give '--restore <directory>'"),
      (["run", "--kernel", "Image", "--clock", "host"], "give '--restore <directory>'"),
      (["run", "--restore", "d", "--clock", "later"], "--clock takes continue or host, not 'later'"),
      (["run", "--restore", "d", "--clock"], "Missing value for '--clock"),
      (["run", "--kernel", "Image", "--cpu-model", "z80"], "give host, armv8.0-baseline"),
      (["run", "--kernel", "Image", "--cpu-model"], "Missing value for '--cpu-model"),
      (["cpu-model", "z80"], "there is no model 'z80'; give armv8.0-baseline"),
      (["cpu-model", "host"], "there is no model 'host'"),
      (["cpu-model", "--intersect", "armv8.0-baseline"], "--intersect takes two models or more"),
      (["cpu-model", "--from-host", "--intersect"], "Give one of --from-host and --intersect"),
      (["cpu-model", "--from-host", "armv8.0-baseline"], "--from-host takes no model"),
      (["cpu-model", "armv8.0-baseline", "neoverse-n1"], "Give one model, or --intersect"),
      (["cpu-model", "armv8.0-baseline", "--name", "x"], "--name goes with --from-host or --intersect"),
      (["cpu-model", "--from-host", "--name", "host"], "--name takes 1 to 64 letters"),
      (["cpu-model", "--from-host", "--name", "a b"], "--name takes 1 to 64 letters"),
      (["test", "--run", "a.sh"], "Missing expected argument '--kernel <path>', or '--from-snapshot <directory>'"),
      (["test", "--from-snapshot", "d"], "--from-snapshot: nothing to run; give --run, --directory or --module"),
      (
        ["test", "--from-snapshot", "d", "--run", "a.sh", "--kernel", "Image"],
        "--kernel: with --from-snapshot the guest is what it was; leave it out"
      ),
      (["test", "--from-snapshot", "d", "--run", "a.sh", "--initrd", "i"], "--initrd: with --from-snapshot"),
      (["test", "--from-snapshot", "d", "--run", "a.sh", "--busybox", "b"], "--busybox: with --from-snapshot"),
      (["test", "--from-snapshot", "d", "--run", "a.sh", "--matrix", "cpus=1,2"], "--matrix: with --from-snapshot"),
      (["test", "--from-snapshot", "d", "--run", "a.sh", "--freeze", "e"], "--freeze: with --from-snapshot"),
      (
        ["test", "--from-snapshot", "d", "--run", "a.sh", "--cpus", "2"],
        "--from-snapshot: the machine and its devices are the snapshot's; leave out the options that say what they are"
      ),
      (["test", "--from-snapshot", "d", "--run", "a.sh", "--entropy"], "the machine and its devices are"),
      (["test", "--freeze", "d"], "Missing expected argument '--kernel <path>'"),
      (
        ["test", "--kernel", "Image", "--freeze", "d", "--run", "a.sh"],
        "--run: with --freeze one guest is written and nothing is run; leave it out"
      ),
      (["test", "--kernel", "Image", "--freeze", "d", "--matrix", "cpus=1,2"], "--matrix: with --freeze"),
      (["test", "--kernel", "Image", "--freeze", "d", "--junit", "e.xml"], "--junit: with --freeze"),
      (["control", "apus", "snapshot", "d", "--replce"], "replce"),
      (["control", "apus", "snapshot", "d", "--replace", "maybe"], "replace"),
      (["control", "apus", "snapshot", "d", "--log=2"], "log"), (["control", "apus", "snapshot", "d", "e"], "'e'"),
    ] as [([String], String)]
  )
  func aMistakeIsBadUsageThatSaysWhatIsWrong(words: [String], message: String) throws {
    expectRefusal(try apus(words), status: 64, message)
    #expect(try folder.names.isEmpty)
  }

  @Test func aSnapshotThatIsNotThereIsNotFoundBeforeAnythingElse() throws {
    let path = folder.path("none")
    _ = try folder.makeFolder("empty")

    expectRefusal(try apus(["run", "--restore", path]), status: 66, "'\(path)'", "check the path")
    expectRefusal(try apus(["run", "--restore", folder.path("empty")]), status: 66, "is no snapshot", "check the path")
  }

  @Test func whatIsNoManifestIsBadInputAndNamesTheFile() throws {
    _ = try folder.makeFolder("odd")
    try folder.write("odd/manifest.json", Array("{}".utf8))

    expectRefusal(try apus(["run", "--restore", folder.path("odd")]), status: 65, "manifest.json", "damaged")
    expectRefusal(try apus(["run", "--restore", folder.path("odd"), "--verify"]), status: 65, "manifest.json")
  }

  @Test func aModelsFileThatIsNotThereOrNoneIsToldByItsPath() throws {
    let path = try folder.write("odd.json", Array("[]".utf8))
    let none = folder.path("none.json")

    expectRefusal(try apus(["cpu-model", path]), status: 65, path)
    expectRefusal(try apus(["cpu-model", none]), status: 66, none)
    expectRefusal(try apus(["cpu-model", "--intersect", "armv8.0-baseline", none]), status: 66, none)
  }
}
