import Apus
import ArgumentParser

/// What the guest sees of its machine, whichever command it is for.
struct MachineOptions: ParsableArguments {
  @Option(
    parsing: .unconditional,
    help: "How many vCPUs, 1 by default.",
    transform: Setting.value({ Int($0) }, form: "give a whole number from 1, such as 4") {
      $0.configuration.cpuCount = $1
    }
  )
  var cpus: Setting?

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp(
      "RAM, with K, M, G or T for a unit; without one, MiB. 512M by default.",
      valueName: "size"
    ),
    transform: Setting.value { (settings, size: ByteCount) in settings.configuration.memorySize = size.bytes }
  )
  var memory: Setting?

  @Option(
    help: "The interrupt controller's version: auto (the default), 2 or 3.",
    transform: Setting.value({ Configuration.GIC(rawValue: $0) }, form: "give 'auto', '2' or '3'") {
      $0.configuration.gic = $1
    }
  )
  var gic: Setting?

  @Option(
    help: ArgumentHelp(
      "CPU features to leave out, separated by commas: sve=off, pmu=off, pauth=off.",
      discussion: "All that the host has are on otherwise; 'host' and 'NAME=on' say so.",
      valueName: "features"
    ),
    transform: Setting.value { $0.configuration.cpuFeatures = $1 }
  )
  var cpu: Setting?

  @Option(
    help: "The machine's name, which the guest finds under /hypervisor/apus; apus by default.",
    transform: Setting.text { $0.configuration.name = $1 }
  )
  var name: Setting?

  @Option(
    help: "The machine's UUID; a random one by default.",
    transform: Setting.value { $0.configuration.uuid = $1 }
  )
  var uuid: Setting?

  @Option(
    name: [.customLong("append"), .customLong("cmdline")],
    parsing: .unconditional,
    help: ArgumentHelp("The kernel's command line.", valueName: "text"),
    transform: Setting.text { $0.configuration.commandLine = $1 }
  )
  var commandLine: Setting?

  func apply(to settings: inout Settings) {
    for setting in [cpus, memory, gic, cpu, name, uuid, commandLine] { setting?.apply(to: &settings) }
  }
}
