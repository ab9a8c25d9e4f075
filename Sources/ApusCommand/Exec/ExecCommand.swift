import Apus
import ApusGuest
import ArgumentParser
import Glibc
import Host

/// Runs one command in a guest that shows the host's own files.
struct ExecCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "exec",
    abstract: "Run a command in a guest, on the host's own files.",
    discussion: """
      Examples:
        apus exec --kernel Image -- uname -r
        apus exec --kernel Image -- sh -c 'dmesg | tail'
        apus exec --kernel Image --cpus 4 --memory 2G --writable . -- make check
        apus exec --kernel Image --root /srv/debian-arm64 -- python3 --version
        cat list | apus exec --kernel Image -- sort | head

      The guest's root is the host's, or the folder that --root names: the command reads it, and what it writes is the \
      guest's own and goes with it, but in the folders that --writable names. It runs as root, where it was called, \
      with standard streams of its own: the console is not among them. The kernel needs CONFIG_VIRTIO_FS, \
      CONFIG_VIRTIO_CONSOLE, CONFIG_VIRTIO_MMIO, CONFIG_OVERLAY_FS, CONFIG_TMPFS, CONFIG_PROC_FS, CONFIG_SYSFS, \
      CONFIG_DEVTMPFS and CONFIG_BLK_DEV_INITRD, built in, and CONFIG_DMA_RESTRICTED_POOL or --dma shadow; the host \
      needs virtiofsd.

      Exit status: the command's, 128 + N where signal N has ended it, and
        64       bad usage
        124      the command, or the guest's start, took too long
        125      Apus, the host or the guest failed
        126      the command cannot be run
        127      there is no such command
      """
  )

  @OptionGroup var machine: MachineOptions
  @OptionGroup var devices: DeviceOptions

  @Option(help: ArgumentHelp("The kernel: an arm64 Linux Image, Image.gz or EFI zboot image.", valueName: "path"))
  var kernel: String

  @Option(help: ArgumentHelp("The folder that is the guest's root, / by default.", valueName: "path"))
  var root = ExecRequest.root

  @Option(help: ArgumentHelp("A folder in which the command may write; may be repeated.", valueName: "path"))
  var writable: [String] = []

  @Option(help: ArgumentHelp("Where the command runs; where this one does by default.", valueName: "path"))
  var chdir: String?

  @Option(help: ArgumentHelp("A variable of the command's environment; may be repeated.", valueName: "name=value"))
  var env: [String] = []

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp("End the command after this time: seconds, or with ms, s, m or h.", valueName: "time")
  )
  var timeout: String?

  @Flag(help: "Show the guest's console on standard error.")
  var verbose = false

  @Argument(parsing: .postTerminator, help: "The command and its arguments, behind '--'.")
  var command: [String] = []

  func validate() throws {
    if devices.console != nil {
      throw ValidationError("--console: the command has streams of its own; --verbose shows the guest's console.")
    }
    if command.isEmpty {
      throw ValidationError("There is no command; give it behind '--', as in: apus exec … -- uname -r")
    }
    if let bad = env.first(where: { !ExecRequest.isVariable($0) }) {
      throw ValidationError("--env: '\(bad)' is no variable; give NAME=VALUE.")
    }
  }

  func run() throws {
    var request = ExecRequest(kernel: kernel)
    request.changes = machine.changes + devices.changes
    (request.root, request.writable, request.folder) = (root, writable, chdir)
    (request.variables, request.timeout, request.isVerbose) = (env, timeout, verbose)
    request.command = command
    try request.run()
  }

  /// The status where it is not the command's.
  static let failed: Int32 = 125

  /// Does something that the host may refuse: then says what, and ends with the status that is not the command's.
  static func orFail<Result: ~Copyable, Failure: Error>(_ body: () throws(Failure) -> Result) throws -> Result {
    do {
      return try body()
    } catch {
      Message.say("error: \(error)")
      throw ExitCode(failed)
    }
  }
}
