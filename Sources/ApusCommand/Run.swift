import Apus
import ArgumentParser
import Logging

extension ApusCommand {
  struct Run: ParsableCommand {
    static let configuration = CommandConfiguration(
      commandName: "run",
      abstract: "Boot a guest and run it to its end.",
      discussion: """
        Examples:
          apus run --kernel Image --initrd initramfs.cpio --append 'console=ttyAMA0'
          apus run --kernel Image.gz --cpus 4 --memory 2G --console file=guest.log
          apus run --kernel Image --timeout 60 --no-reboot --report report.json
          apus run --kernel program.bin --raw --memory 16M
          apus run --kernel Image --dry-run

        On a terminal, Ctrl-A x ends the machine and Ctrl-A h shows the keys.

        Exit status:
          0        the guest powered off, or Ctrl-A x ended it
          64       bad usage
          65       an input file cannot be used
          66       an input file cannot be found or read
          71       the host failed
          73       an output file cannot be written
          80       the guest reset the machine, with --no-reboot
          81       the guest panicked
          82       guest fault
          124      timed out
          128 + N  ended by signal N
        """
    )

    @OptionGroup var machine: MachineOptions
    @OptionGroup var devices: DeviceOptions

    @Option(
      help: ArgumentHelp(
        "The kernel: an arm64 Linux Image, Image.gz or EFI zboot image, or an ELF64 executable.",
        valueName: "path"
      )
    )
    var kernel: String

    @Flag(help: "The kernel is a headerless binary, to be put at RAM + 512 KiB and entered at its first byte.")
    var raw = false

    @Option(
      help: ArgumentHelp("The initramfs.", valueName: "path"),
      transform: Setting.text { $0.configuration.initramfs = $1 }
    )
    var initrd: Setting?

    @Option(
      help: "Where the console leads: stdio (the default), file=PATH, pty, pty=LINK or none.",
      transform: Setting.value { $0.configuration.console = $1 }
    )
    var console: Setting?

    @Option(
      parsing: .unconditional,
      help: ArgumentHelp("End the machine after this time: seconds, or with ms, s, m or h.", valueName: "time"),
      transform: Setting.value { (settings, limit: TimeLimit) in settings.configuration.timeout = limit.duration }
    )
    var timeout: Setting?

    @Flag(inversion: .prefixedNo, help: "Start anew when the guest resets the machine, or end with status 80.")
    var reboot = true

    @Option(
      help: ArgumentHelp("Write the guest's device tree blob to a file.", valueName: "path"),
      transform: Setting.text { $0.configuration.deviceTreeDump = $1 }
    )
    var dumpDtb: Setting?

    @Flag(help: "Check everything, print the plan as JSON, start nothing.")
    var dryRun = false

    @Option(
      help: ArgumentHelp("Write a report of the run as JSON to a file.", valueName: "path"),
      transform: Setting.text { $0.report = $1 }
    )
    var report: Setting?

    @Option(
      help: "What to say on standard error: trace, debug, info, notice (the default), warning, error or critical.",
      transform: Setting.value(
        { Logger.Level(rawValue: $0) },
        form: "give trace, debug, info, notice, warning, error or critical"
      ) { $0.logLevel = $1 }
    )
    var logLevel: Setting?

    @Option(
      help: ArgumentHelp("KVM's device.", visibility: .hidden),
      transform: Setting.text { $0.configuration.kvmPath = $1 }
    )
    var kvm: Setting?

    func run() throws {
      let settings = settings
      let machine = try Message.reporting { () throws(ConfigurationError) in
        try Machine(settings.configuration, logger: Message.logger(settings.logLevel))
      }
      let reportFile = try Message.reporting { () throws(OutputFileError) in
        try settings.report.map { path throws(OutputFileError) in try ReportFile(path: path) }
      }
      guard !dryRun else {
        try Message.reporting { () throws(ConfigurationError) in try machine.rehearse() }
        return try Message.show(try JSON.text(machine.plan))
      }
      let result = machine.run(stoppingOnSignals: true)
      if result.exitStatus != 0 { Message.say(result.message) }
      for line in result.guestFault?.lines ?? [] { Message.say(line) }
      if let reportFile {
        let text = try JSON.text(result)
        try Message.reporting { () throws(OutputFileError) in try reportFile.write(text) }
      }
      throw ExitCode(result.exitStatus)
    }

    private var settings: Settings {
      var settings = Settings(
        configuration: Configuration(payload: raw ? .raw(path: kernel) : .kernel(path: kernel))
      )
      settings.configuration.console = .standardStreams
      settings.configuration.onReset = reboot ? .reboot : .stop
      machine.apply(to: &settings)
      devices.apply(to: &settings)
      for setting in [initrd, console, timeout, dumpDtb, report, logLevel, kvm] { setting?.apply(to: &settings) }
      return settings
    }
  }
}

/// The report's file, as a value that an optional can hold.
private final class ReportFile {
  private var file: OutputFile?

  init(path: String) throws(OutputFileError) {
    file = try OutputFile(path: path)
  }

  func write(_ text: String) throws(OutputFileError) {
    try file.take()?.write(Array(text.utf8) + [0x0A])
  }
}
