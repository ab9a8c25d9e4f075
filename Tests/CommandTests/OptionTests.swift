import TestSupport
import Testing

/// Values that an option does not take, with what is said about them.
private let wrongValues: [(option: String, value: String, words: [String])] = [
  ("--memory", "12XB", ["'12XB' is invalid for '--memory", "such as 512M or 2G"]),
  ("--memory", "-1", ["'-1' is invalid for '--memory", "such as 512M or 2G"]),
  ("--memory", "99999999999999999999", ["is invalid for '--memory", "such as 512M or 2G"]),
  ("--memory", "0", ["--memory takes at least 1M"]),
  ("--memory", "1G,huge", ["is invalid for '--memory", "hugepages"]),
  ("--memory", "1536K", ["--memory takes a multiple of 1 MiB, not 1572864 bytes"]),
  ("--memory", "1000T", ["--memory takes at most 4T"]),
  ("--cpus", "x", ["'x' is invalid for '--cpus", "give a whole number from 1"]),
  ("--cpus", "1.5", ["'1.5' is invalid for '--cpus", "give a whole number from 1"]),
  ("--cpus", "0", ["--cpus takes 1 or more, not 0"]),
  ("--cpus", "-1", ["--cpus takes 1 or more, not -1"]),
  ("--cpus", "513", ["--cpus takes at most 512", "not 513"]),
  ("--cpus", "+2", ["'+2' is invalid for '--cpus", "give a whole number from 1"]),
  ("--block", "disk,queues=+2", ["queues=+2: give a number from 1 to 16"]),
  ("--port", "agent=fd=+9", ["'agent=fd=+9' is invalid for '--port"]),
  ("--network", "passt,forward=+22:22", ["forward=+22:22", "with ports from 1"]),
  ("--network", "fd=1", ["--network fd=1: give a descriptor from 3"]),
  ("--timeout", "0", ["--timeout takes more than 0 seconds"]),
  ("--timeout", "abc", ["'abc' is invalid for '--timeout", "such as 10, 1.5s or 2m"]),
  ("--timeout", "-5", ["'-5' is invalid for '--timeout", "such as 10, 1.5s or 2m"]),
  ("--gic", "4", ["'4' is invalid for '--gic", "'auto', '2' or '3'"]),
  ("--unmapped", "ones", ["'ones' is invalid for '--unmapped", "give fault, which ends the machine, or zero"]),
  ("--cpu", "sme=off", ["'sme=off' is invalid for '--cpu", "sve=off, pmu=off and pauth=off"]),
  ("--console", "tty", ["'tty' is invalid for '--console", "stdio, file=PATH, pty, pty=LINK or none"]),
  ("--console", "virtio,tty", ["'virtio,tty' is invalid for '--console", "or virtio and one of these"]),
  ("--port", "agent", ["'agent' is invalid for '--port", "NAME=unix=PATH"]),
  ("--port", "virtme.ret=fd=9", ["--port virtme.ret=fd=9", "use another name"]),
  ("--port", "agent=fd=1000", ["--port agent=fd=1000", "descriptor 1000 is not open"]),
  ("--uuid", "5", ["'5' is invalid for '--uuid", "123e4567-e89b-42d3-a456-426614174000"]),
  ("--log-level", "loud", ["'loud' is invalid for '--log-level", "warning"]),
  ("--name", "", ["--name takes 1 to 64 printable ASCII characters"]),
  ("--name", "naïve", ["--name takes 1 to 64 printable ASCII characters"]),
  ("--network", "slirp", ["is invalid for '--network", "passt, tap=NAME or fd=NUMBER"]),
  ("--network", "passt,forward=0:22", ["--network forward=0:22: ports are from 1 to 65535"]),
  ("--network", "fd=9999", ["--network fd=9999: descriptor 9999: Bad file descriptor", "inherits open"]),
  ("--network", "passt,forward=1:2/tcpp", ["is invalid for '--network", "[ADDRESS/]HOST:GUEST[/udp]", "to 65535"]),
  (
    "--network", "passt,forward=7:1,forward=7:2",
    ["--network forward=7:2: the host's port leads to another one already"]
  ),
  ("--network", "passt,mtu=1500,mtu=9000", ["is invalid for '--network", "mtu is there twice"]),
  ("--network", "tap=t,forward=1:2", ["is invalid for '--network", "'forward' is no setting here", "window=NAME"]),
  ("--block", "disk,ro", ["'disk,ro' is invalid for '--block", "'ro' is no setting here", "readonly"]),
  ("--block", "disk,queues=0", ["--block queues=0: a disk has 1 to 16 queues"]),
  ("--block", "disk,window=A", ["--block window=A: a window's name has 1 to 32"]),
  ("--share", "/,tag=a,window=default", ["is invalid for '--share", "window=default is for devices of this process"]),
  ("--vhost-user", "rng,socket=s,window=default", ["is invalid for '--vhost-user", "window=default is for devices"]),
  ("--network", "passt,vhost-user,window=default", ["is invalid for '--network", "window=default is for devices"]),
  (
    "--vhost-user", "rng,socket=" + String(repeating: "x", count: 108),
    ["a socket's path has 1 to 107 bytes, not 108; name another one"]
  ),
  ("--vhost-user", "fs,socket=s", ["--vhost-user tag=", "a guest mounts a file system by its tag; name one"]),
  ("--dma", "3M", ["--dma takes 'open' or a multiple of 2 MiB up to 340M"]),
  ("--dma", "342M", ["--dma takes 'open' or a multiple of 2 MiB up to 340M"]),
  ("--dma", "opne", ["'opne' is invalid for '--dma", "open for all of RAM"]),
  ("--append", String(repeating: "x", count: 2048), ["--append takes less than 2048 bytes"]),
]

/// Options that take a value.
private let options = [
  "--memory", "--cpus", "--timeout", "--gic", "--cpu", "--console", "--uuid", "--log-level", "--name", "--append",
  "--unmapped", "--dtb-overlay", "--initrd", "--dump-dtb", "--report", "--network", "--port",
]

@Suite struct OptionTests {
  @Test(arguments: wrongValues.indices)
  func aWrongValueIsBadUsageThatNamesTheOptionAndWhatWouldBeRight(index: Int) throws {
    let (option, value, words) = wrongValues[index]
    let kernel = try TemporaryFile(linuxImage())

    let result = try apus(["run", "--dry-run", "--kernel", kernel.path, option, value])

    expectRefusal(result, status: 64)
    for word in words { #expect(result.error.contains(word), "'\(word)' in: \(result.error)") }
    #expect(try kernel.folder.names == ["input"])
  }

  @Test(arguments: options)
  func aMissingValueIsBadUsageThatNamesTheOption(option: String) throws {
    expectRefusal(try apus(["run", "--kernel", "Image", option]), status: 64, "Missing value for '\(option)")
  }

  @Test(arguments: ["run", "devicetree", "doctor"])
  func anUnknownOptionIsBadUsageThatPointsToTheHelp(command: String) throws {
    let kernel = command == "run" ? ["--kernel", "Image"] : []

    let result = try apus([command] + kernel + ["--frobnicate"])

    expectRefusal(result, status: 64, "Unknown option '--frobnicate'", "apus \(command) --help")
  }

  @Test func aRunWithoutAKernelIsBadUsageThatNamesTheOption() throws {
    expectRefusal(try apus(["run"]), status: 64, "Missing expected argument '--kernel <path>'")
  }

  @Test(arguments: [["boot"], ["boot", "--help"], ["help", "boot"], ["boot", "--kernel", "Image"]])
  func anUnknownCommandIsBadUsageThatNamesTheCommands(words: [String]) throws {
    let names = "run, list, control, console, devicetree, doctor, cpu-model, scmi, gunyah"
    expectRefusal(try apus(words), status: 64, "no command 'boot'; give one of \(names)", "--help")
  }

  @Test(arguments: [
    (["rnu", "--kernel", "Image"], "run"), (["help", "rum"], "run"), (["divicetree"], "devicetree"),
    (["scmi", "chekc", "platform.json"], "scmi check"), (["help", "scmi", "replai"], "scmi replay"),
  ])
  func aMisspeltCommandIsBadUsageThatNamesTheCommandThatIsMeant(words: [String], meant: String) throws {
    expectRefusal(try apus(words), status: 64, "There is no command '", "did you mean '\(meant)'?")
  }

  @Test(arguments: [
    ([], "apus <"), (["help"], "apus <"), (["help", "run"], "apus run <"), (["help", "help"], "apus help ["),
    (["scmi"], "apus scmi <"), (["help", "scmi", "check"], "apus scmi check ["), (["run", "--help"], "apus run <"),
  ])
  func theHelpIsThatOfTheCommandThatIsNamed(words: [String], usage: String) throws {
    let result = try apus(words)

    #expect(result.status == 0, "\(result.error)")
    #expect(result.output.contains("USAGE: \(usage)"))
  }

  @Test func allMistakesAreToldAtOnceInTheOrderOfTheOptions() throws {
    let result = try apus(["run", "--kernel", "/nonexistent/Image", "--cpus", "0", "--memory", "0", "--timeout", "0"])

    #expect(result.status == 64)
    #expect(
      result.error == """
        apus: error: --cpus takes 1 or more, not 0
        apus: error: --memory takes at least 1M, not 0
        apus: error: --timeout takes more than 0 seconds
        apus: error: --kernel: '/nonexistent/Image' does not exist; check the path

        """
    )
  }

  @Test func aGICv2ForTooManyVCPUsSaysWhatToUse() throws {
    let kernel = try TemporaryFile(linuxImage())

    let result = try apus(["run", "--dry-run", "--kernel", kernel.path, "--gic", "2", "--cpus", "9"])

    expectRefusal(result, status: 64, "--gic 2 serves at most 8 vCPUs, not 9; use --gic 3")
  }

  @Test(arguments: ["--report", "--dump-dtb"], [true, false])
  func aFileThatCannotBeWrittenIsNamedBeforeAnythingStarts(option: String, isDry: Bool) throws {
    let kernel = try TemporaryFile(linuxImage())

    let result = try apus(
      ["run", "--kernel", kernel.path, option, "/nonexistent/file"] + (isDry ? ["--dry-run"] : [])
    )

    expectRefusal(result, status: 73, "cannot write '/nonexistent/file'", "name a file in a folder that exists")
  }

  @Test func aConsoleFileThatCannotBeWrittenIsNamed() throws {
    let kernel = try TemporaryFile(linuxImage())

    let result = try apus(["run", "--kernel", kernel.path, "--console", "file=/nonexistent/log"])

    expectRefusal(
      result,
      status: 73,
      "--console: cannot write '/nonexistent/log'",
      "name a file in a folder that exists"
    )
  }

  @Test(.enabled(if: nobodyCanRun, "the build folder is closed to other users"))
  func aFolderThatTheUserMayNotWriteToIsToldSo() throws {
    let kernel = try TemporaryFile(linuxImage())
    let report = kernel.folder.path("report.json")

    let result = try apus(["run", "--dry-run", "--kernel", kernel.path, "--report", report], user: nobody)

    expectRefusal(result, status: 73, "--report: cannot write '\(report)': Permission denied")
  }

  /// A terminator at the end changes nothing, but its like is left to the argument parser.
  @Test(arguments: [
    ["--memory", "128M"], ["--cpus", "3"], ["--gic", "2"], ["--cpu", "sve=off"], ["--name", "one"], ["--raw"],
    ["--uuid", "123e4567-e89b-42d3-a456-426614174000"], ["--append", "quiet a=\"b c\""], ["--cmdline", "x"],
    ["--console", "none"], ["--timeout", "10"], ["--reboot"], ["--no-reboot"], ["--log-level", "error"],
    ["--dma", "32M"], ["--dma", "open"], ["--entropy"],
    ["--console", "virtio"], ["--port", "a=unix=/tmp/apus-no-such-socket", "--console", "virtio,none", "--entropy"],
    ["--append", "a", "--raw", "--cmdline", "b c"],
  ])
  func plainArgumentsMeanTheSameWithAndWithoutTheArgumentParser(options: [String]) throws {
    let kernel = try TemporaryFile(linuxImage())
    let identity = options.contains("--uuid") ? [] : ["--uuid", "00000000-0000-4000-8000-000000000000"]
    let arguments = ["run", "--dry-run", "--kernel", kernel.path] + identity + options

    let plain = try apus(arguments)
    let parsed = try apus(arguments + ["--"])

    #expect(plain.status == 0, "\(plain.error)")
    #expect(plain.output == parsed.output)
    #expect(plain.error == parsed.error)
  }

  @Test func aDryRunLeavesNothingBehind() throws {
    let kernel = try TemporaryFile(linuxImage())
    let folder = kernel.folder

    let result = try apus([
      "run", "--dry-run", "--kernel", kernel.path, "--report", folder.path("report"), "--dump-dtb", folder.path("dtb"),
      "--console", "file=\(folder.path("log"))",
    ])

    #expect(result.status == 0, "\(result.error)")
    #expect(try folder.names == ["input"])
  }

  @Test(arguments: ["--append", "--cmdline"])
  func theCommandLineHasTwoSpellingsAndMayLookLikeAnOption(option: String) throws {
    let kernel = try TemporaryFile(linuxImage())

    let result = try apus(["run", "--dry-run", "--kernel", kernel.path, option, "--quiet -- a \"b\""])

    #expect(jsonObject(result.output)?["commandLine"] == .text("--quiet -- a \"b\""))
  }

  @Test(arguments: ["--reboot", "--no-reboot"])
  func bothWaysOfAResetAreTaken(flag: String) throws {
    let kernel = try TemporaryFile(linuxImage())

    #expect(try apus(["run", "--dry-run", "--kernel", kernel.path, flag]).status == 0)
  }
}
