import ArgumentParser

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
          apus run --kernel Image --initrd initramfs.cpio --console virtio \\
            --block disk.img --network passt,forward=2222:22
          apus run --kernel Image --dry-run
          apus console $(apus run --kernel Image --initrd initramfs.cpio --detach)
          apus run --restore frozen --clone
          apus run --fleet machines.json --timeout 60 --report report.json

        On a terminal, Ctrl-A x ends the machine and Ctrl-A h shows the keys.

        Exit status:
          0        the guest powered off, or Ctrl-A x ended it
          N        the guest powered off and said N on its port virtme.ret
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
        Of a fleet's machines, it is that of the first one in the file's order whose own is not 0, or 128 + N.
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
    var kernel: String?

    @Option(
      help: ArgumentHelp(
        "Several machines in one process, as a file has them (JSON).",
        discussion: "Beside it there are --timeout for each, --report, --dry-run and --log-level.",
        valueName: "path"
      )
    )
    var fleet: String?

    @OptionGroup(title: "Going on from a snapshot") var snapshot: RestoreOptions

    @Flag(help: "The kernel is a headerless binary, to be put at RAM + 512 KiB and entered at its first byte.")
    var raw = false

    @Option(
      help: ArgumentHelp("The initramfs.", valueName: "path"),
      transform: Setting.initrd
    )
    var initrd: Setting?

    @Option(
      parsing: .unconditional,
      help: ArgumentHelp("End the machine after this time: seconds, or with ms, s, m or h.", valueName: "time"),
      transform: Setting.timeout
    )
    var timeout: Setting?

    @Flag(inversion: .prefixedNo, help: "Start anew when the guest resets the machine, or end with status 80.")
    var reboot = true

    @Option(
      help: ArgumentHelp(
        "What an access to an address where nothing is comes to: fault (the default) ends the machine, zero reads 0.",
        valueName: "fault|zero"
      ),
      transform: Setting.unmapped
    )
    var unmapped: Setting?

    @Option(
      help: ArgumentHelp("Write the guest's device tree blob to a file.", valueName: "path"),
      transform: Setting.deviceTreeDump
    )
    var dumpDtb: Setting?

    @Flag(help: "Check everything, print the plan as JSON, start nothing.")
    var dryRun = false

    @Option(
      help: ArgumentHelp("Write a report of the run as JSON to a file.", valueName: "path"),
      transform: Setting.report
    )
    var report: Setting?

    @Flag(help: "Run in the background: print the machine's name when its guest has begun. Implies --control auto.")
    var detach = false

    @Option(
      help: ArgumentHelp(
        "Let 'apus control' and others steer the machine by a socket: auto registers it by its name.",
        valueName: "auto|path"
      ),
      transform: Setting.control
    )
    var control: Setting?

    @Option(
      help: "What to say on standard error: trace, debug, info, notice (the default), warning, error or critical.",
      transform: Setting.logLevel
    )
    var logLevel: Setting?

    @Option(
      help: ArgumentHelp(
        "Let gdb connect: unix=PATH or tcp=PORT of 127.0.0.1 (0 is a free one), and ',wait' for the guest to wait.",
        valueName: "place"
      ),
      transform: Setting.gdb
    )
    var gdb: Setting?

    @Option(
      help: ArgumentHelp("KVM's device.", visibility: .hidden),
      transform: Setting.kvm
    )
    var kvm: Setting?

    func validate() throws {
      if fleet != nil { return try FleetRequest.check(ArgumentWords.all) }
      guard kernel != nil || snapshot.restore != nil else {
        throw ValidationError(
          "Missing expected argument '--kernel <path>', or '--restore <directory>', or '--fleet <path>'."
        )
      }
      guard kernel == nil || snapshot.restore == nil else {
        throw ValidationError(
          "'--kernel' and '--restore' exclude each other: what is restored has its kernel in memory already."
        )
      }
      try snapshot.check()
      guard snapshot.restore != nil else { return }
      let ofBoots: [(String, Bool)] = [
        ("--initrd", initrd != nil), ("--raw", raw), ("--append", !machine.commandLine.isEmpty),
        ("--dtb-overlay", !machine.dtbOverlay.isEmpty), ("--dump-dtb", dumpDtb != nil),
      ]
      for (option, isThere) in ofBoots where isThere {
        throw ValidationError(
          "'\(option)' and '--restore' exclude each other: what is restored has initramfs, command line and device tree in "
            + "memory already."
        )
      }
    }

    func run() throws {
      if let fleet {
        let changes = [timeout, report, logLevel, kvm].compactMap(\.self)
        return try FleetRequest(path: fleet, isDry: dryRun, changes: changes).run()
      }
      var request = RunRequest(kernel: kernel ?? "")
      request.restoring = snapshot.request
      request.isRaw = raw
      request.reboots = reboot
      request.isDry = dryRun
      request.isDetached = detach
      request.changes = machine.changes + devices.changes
      request.changes += [initrd, timeout, unmapped, dumpDtb, report, control, logLevel, gdb, kvm].compactMap(\.self)
      try request.run()
    }
  }
}
