import Apus
import ArgumentParser
import Host

extension ApusCommand {
  struct DeviceTree: ParsableCommand {
    static let configuration = CommandConfiguration(
      commandName: "devicetree",
      abstract: "Print the device tree that a guest would get. Needs no KVM.",
      discussion: """
        Examples:
          apus devicetree --cpus 4 --memory 2G
          apus devicetree --gic 2 --format dtb --output machine.dtb

        The tree is the one of a host that has all features that are not turned off, without an initramfs.
        """
    )

    /// How the tree is written.
    enum Format: String, CaseIterable, ExpressibleByArgument {
      case dts, dtb
    }

    @OptionGroup var machine: MachineOptions
    @OptionGroup var devices: DeviceOptions

    @Option(help: "dts for people, dtb for programs.")
    var format = Format.dts

    @Option(help: ArgumentHelp("Where to write it; standard output by default.", valueName: "path"))
    var output: String?

    func run() throws {
      var settings = Settings(configuration: Configuration(kernel: ""))
      for change in machine.changes + devices.changes { change.apply(to: &settings) }
      let configuration = settings.complete
      try Message.refuse(output, of: "--output", ifUsedBy: configuration)
      let bytes = try Message.reporting(configuration) { () throws(ConfigurationError) in
        switch format {
        case .dtb: try configuration.deviceTree()
        case .dts: Array(try configuration.deviceTreeSource().utf8)
        }
      }
      try Message.reporting { () throws(OutputFileError) in
        if let output {
          try OutputFile(path: output).write(bytes)
        } else {
          try StandardStreams.writeOutput(bytes)
        }
      }
    }
  }
}
