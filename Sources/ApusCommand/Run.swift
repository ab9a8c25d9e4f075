import Apus
public import ArgumentParser
public import Logging

extension ApusCommand {
  struct Run: ParsableCommand {
    static let configuration = CommandConfiguration(
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

    @Option(help: ArgumentHelp("The initramfs.", valueName: "path"))
    var initrd: String?

    @Option(
      help: "Where the console leads: stdio (the default), file=PATH, pty, pty=LINK or none.",
      transform: Written.value
    )
    var console = Configuration.Console.standardStreams

    @Option(
      parsing: .unconditional,
      help: ArgumentHelp("End the machine after this time: seconds, or with ms, s, m or h.", valueName: "time"),
      transform: Written.value
    )
    var timeout: TimeLimit?

    @Flag(inversion: .prefixedNo, help: "Start anew when the guest resets the machine, or end with status 80.")
    var reboot = true

    @Option(help: ArgumentHelp("Write the guest's device tree blob to a file.", valueName: "path"))
    var dumpDtb: String?

    @Flag(help: "Check everything, print the plan as JSON, start nothing.")
    var dryRun = false

    @Option(help: ArgumentHelp("Write a report of the run as JSON to a file.", valueName: "path"))
    var report: String?

    @Option(help: "What to say on standard error: trace, debug, info, notice, warning, error or critical.")
    var logLevel = Logger.Level.notice

    @Option(help: ArgumentHelp("KVM's device.", visibility: .hidden))
    var kvm = "/dev/kvm"

    func run() throws {
      let machine = try Message.reporting { () throws(ConfigurationError) in
        try Machine(machineConfiguration, logger: Message.logger(logLevel))
      }
      let reportFile = try Message.reporting { () throws(OutputFileError) in
        try report.map { path throws(OutputFileError) in try ReportFile(path: path) }
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

    private var machineConfiguration: Configuration {
      var configuration = Configuration(payload: raw ? .raw(path: kernel) : .kernel(path: kernel))
      machine.apply(to: &configuration)
      devices.apply(to: &configuration)
      configuration.initramfs = initrd
      configuration.console = console
      configuration.timeout = timeout?.duration
      configuration.onReset = reboot ? .reboot : .stop
      configuration.deviceTreeDump = dumpDtb
      configuration.kvmPath = kvm
      return configuration
    }
  }
}

extension Logger.Level: @retroactive ExpressibleByArgument {}

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
