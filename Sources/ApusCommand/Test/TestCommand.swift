import Apus
import ApusGuest
import ApusHarness
import ArgumentParser

/// Boots guests, runs tests in them, and tells what they came to.
struct TestCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "test",
    abstract: "Boot guests, run tests in them, and end with a status that tells what they came to.",
    discussion: """
      Examples:
        apus test --kernel Image --run test.sh
        apus test --kernel Image --directory tests --jobs 4 --junit out.xml
        apus test --kernel Image --directory kselftests --only size --only kcmp
        apus test --kernel Image --initrd tests.cpio --timeout 60
        apus test --kernel Image --module driver.ko --scmi p.json --fail-on warn
        apus test --kernel Image --run test.sh --matrix 'cpus=1,4;gic=2,3'
        apus test --kernel Image --directory tests --shard 2/4 --json part-2.json
        apus test --kernel Image --freeze ready
        apus test --from-snapshot ready --directory tests
        apus test merge part-*.json --junit all.xml

      What guests print is read as KTAP or TAP. A script that prints neither has passed where its exit status is 0, \
      and was skipped where it is 4.

      Exit status:
        0        all that ran has passed
        1        a test failed, or was planned and never reported
        2        no test ran
        64       bad usage; 65, 66 an input file cannot be used, or read
        71       the host failed; 73 a report cannot be written
        80       a guest reset or powered off before its tests were done
        81       a guest panicked; 82 guest fault
        83, 84   an oops, a warning of the kernel's, with --fail-on
        124      timed out
        128 + N  ended by signal N

      All options: apus test run --help
      """,
    subcommands: [TestRunCommand.self, TestMerge.self],
    defaultSubcommand: TestRunCommand.self
  )
}

/// What `apus test` does without a subcommand's name.
struct TestRunCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "run",
    abstract: "Run tests in guests; the default.",
    discussion: TestCommand.configuration.discussion
  )

  @OptionGroup var machine: MachineOptions
  @OptionGroup var devices: DeviceOptions

  @Option(help: ArgumentHelp("The kernel: an arm64 Linux Image, Image.gz or EFI zboot image.", valueName: "path"))
  var kernel: String?

  @Option(
    help: ArgumentHelp(
      "In place of a boot, each test has a guest that goes on from a snapshot, as --freeze has written it.",
      valueName: "directory"
    )
  )
  var fromSnapshot: String?

  @Option(
    help: ArgumentHelp(
      "Run nothing: write a guest that is ready for tests, with what was asked for loaded and mounted, as a snapshot.",
      valueName: "directory"
    )
  )
  var freeze: String?

  @Option(
    help: ArgumentHelp(
      "An initramfs whose own init tests and reports on the console; with --run, --directory or --module, what these "
        + "are run in.",
      valueName: "path"
    )
  )
  var initrd: String?

  @Option(
    name: .customLong("run"),
    help: ArgumentHelp("Run a script or program of the host's in the guest; may be repeated.", valueName: "path")
  )
  var programs: [String] = []

  @Option(
    help: ArgumentHelp(
      "Run each program of a folder in the guest, or what its kselftest-list.txt names.",
      valueName: "path"
    )
  )
  var directory: String?

  @Option(
    help: ArgumentHelp(
      "Of these tests run this one only, or this kselftest collection's; may be repeated.",
      valueName: "name"
    )
  )
  var only: [String] = []

  @Option(help: ArgumentHelp("Load a kernel module before, and read its tests; may be repeated.", valueName: "file.ko"))
  var module: [String] = []

  @Option(
    help: ArgumentHelp(
      "A static arm64 busybox for the initramfs that --run, --directory and --module get; the host's by default.",
      valueName: "path"
    )
  )
  var busybox: String?

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp(
      "How long each test may take, and its guest's start before: seconds, or with ms, s, m or h. 5m by default.",
      valueName: "time"
    )
  )
  var timeout: String = TestRequest.timeout

  @Option(help: "What of the kernel's log fails a test besides a panic: warn, oops, or panic (the default).")
  var failOn: String = "panic"

  @Option(help: ArgumentHelp("Try a test that failed again, so many times, each in a new guest.", valueName: "n"))
  var retries: Int = 0

  @Option(
    help: ArgumentHelp(
      "Run all with each of these machines: options with their values, such as 'cpus=1,4;gic=2,3'.",
      valueName: "options"
    )
  )
  var matrix: String?

  @Option(
    help: ArgumentHelp(
      "Run part I of N only. /N and auto take the place from the engine's environment.",
      valueName: "i/n"
    )
  )
  var shard: String?

  @Option(help: ArgumentHelp("A former report whose durations make the parts equally long.", valueName: "report.json"))
  var history: String?

  @Option(
    help: ArgumentHelp("So many guests at once; as many as processors and memory allow by default.", valueName: "n")
  )
  var jobs: Int?

  @Flag(help: "Give each test a new guest.")
  var fresh = false

  @Flag(help: "Show what guests print, on standard error.")
  var verbose = false

  @Flag(help: "Tell what would run, and start nothing.")
  var list = false

  @Option(help: ArgumentHelp("Write a report as JUnit XML.", valueName: "path"))
  var junit: String?

  @Option(help: ArgumentHelp("Write a report as TAP 14.", valueName: "path"))
  var tap: String?

  @Option(help: ArgumentHelp("Write a report as JSON.", valueName: "path"))
  var json: String?

  func validate() throws {
    if !TestRequest.retriesRange.contains(retries) { throw ValidationError("--retries takes 0 to 100.") }
    if let jobs, !TestRequest.jobsRange.contains(jobs) { throw ValidationError("--jobs takes 1 to 1024.") }
    if KernelLogLimit(rawValue: failOn) == nil { throw ValidationError("--fail-on takes panic, oops or warn.") }
    try request.check()
    if devices.console != nil {
      throw ValidationError("--console: results are read from the console; --verbose shows what guests print")
    }
  }

  var request: TestRequest {
    var request = TestRequest(kernel: kernel ?? "")
    (request.snapshot, request.freeze) = (fromSnapshot, freeze)
    request.changes = machine.changes + devices.changes
    (request.initrd, request.programs, request.directory) = (initrd, programs, directory)
    (request.modules, request.busybox, request.timeout) = (module, busybox, timeout)
    request.failOn = KernelLogLimit(rawValue: failOn) ?? .panic
    (request.retries, request.matrix, request.shard, request.history) = (retries, matrix, shard, history)
    (request.jobs, request.isFresh, request.isVerbose, request.isList) = (jobs, fresh, verbose, list)
    (request.junit, request.tap, request.json, request.only) = (junit, tap, json, only)
    return request
  }

  func run() throws { try request.run() }
}
