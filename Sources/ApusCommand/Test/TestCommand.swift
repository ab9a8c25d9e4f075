import Apus
import ApusGuest
import ApusHarness
import ArgumentParser
import Host

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
  var kernel: String

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
      "How long each test may take, with its guest's start: seconds, or with ms, s, m or h. 5m by default.",
      valueName: "time"
    )
  )
  var timeout: String = "5m"

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

  @Option(help: ArgumentHelp("So many guests at once; as many as there are processors by default.", valueName: "n"))
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
    if retries < 0 || retries > 100 { throw ValidationError("--retries takes 0 to 100.") }
    if let jobs, !(1...1024).contains(jobs) { throw ValidationError("--jobs takes 1 to 1024.") }
    if KernelLogLimit(rawValue: failOn) == nil { throw ValidationError("--fail-on takes panic, oops or warn.") }
    _ = try limit
    _ = try TestMatrix.machines(matrix)
    _ = try place
    if history != nil, shard == nil {
      throw ValidationError("--history: parts are made with --shard alone; give it, too")
    }
    if busybox != nil, initrd != nil {
      throw ValidationError("--busybox: with --initrd, programs find what that has; leave one of them out")
    }
    if devices.console != nil {
      throw ValidationError("--console: results are read from the console; --verbose shows what guests print")
    }
  }

  /// How long each test may take.
  var limit: Duration {
    get throws {
      guard let limit = TimeLimit(timeout)?.duration, limit > .zero else {
        throw ValidationError("--timeout: give a time, such as 60, 90s or 5m, above 0")
      }
      return limit
    }
  }

  /// Which part of the suite is wanted, if not all of it.
  var place: Shard? {
    get throws {
      do throws(ShardError) {
        guard let shard else { return nil }
        return try ShardEnvironment.shard(ShardRequest(shard), in: ProcessEnvironment.all)
      } catch {
        throw ValidationError("--shard: \(error)")
      }
    }
  }

  func run() throws {
    guard !list else { return try Message.show(TestSuite(self).items.map(\.name)) }
    try requireKVM()
    let suite = try TestSuite(self)
    try requireMemory(suite)
    let outputs = try TestOutputs(junit: junit, tap: tap, json: json)
    let signals = try Message.reporting { () throws(HostError) in try SignalDescriptor.stop() }
    let progress = TestProgress(count: suite.items.count, isVerbose: verbose)
    let engine = TestEngine(suite, jobs: jobs, isVerbose: verbose, observer: progress) { $1.message($0) }
    engine.stop(on: signals)
    let report = engine.run()
    progress.finish()
    outputs.write(report)
    try SummaryText.show(report)
    if let signal = engine.signal { throw ExitCode(128 + signal) }
    let status = report.verdict.exitStatus
    if outputs.status != 0, status == 0 { throw ExitCode(outputs.status) }
    if status != 0 { throw ExitCode(status) }
  }

  /// A kernel notes something of each page (64 bytes of 4 KiB) before it does anything else. A host without memory for
  /// that ends this process, and perhaps others.
  private func requireMemory(_ suite: TestSuite) throws {
    let available = HostMemory().available
    let sizes = suite.machines.map(\.configuration.memorySize)
    guard let size = sizes.first(where: { $0 / Self.noted > available }) else { return }
    let taken = (size / Self.noted) >> 20
    Message.say(
      "error: --memory: of \(size >> 20) MiB the guest's kernel takes \(taken) MiB at its start, and this host has "
        + "\(available >> 20) MiB; give it less"
    )
    throw ExitStatus.of(.hostFailure)
  }

  /// Of how many bytes a kernel notes one.
  private static let noted: UInt64 = 64

  /// Nothing is read and made for guests that cannot run.
  private func requireKVM() throws {
    #if arch(arm64)
      guard let obstacle = HostSurvey.obstacle() else { return }
      Message.say("error: \(obstacle)")
    #else
      Message.say(
        "error: guests run by arm64 KVM, and this machine is not arm64; put the emulated host of Apus's checkout in "
          + "front: Guests/EmulatedHost/apus test …"
      )
    #endif
    throw ExitStatus.of(.hostFailure)
  }
}
