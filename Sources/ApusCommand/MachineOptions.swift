import ArgumentParser

/// What the guest sees of its machine, whichever command it is for.
struct MachineOptions: ParsableArguments {
  @Option(
    parsing: .unconditional,
    help: "How many vCPUs, 1 by default.",
    transform: Setting.cpus
  )
  var cpus: Setting?

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp(
      "RAM, with K, M, G or T for a unit; without one, MiB. 512M by default.",
      valueName: "size"
    ),
    transform: Setting.memory
  )
  var memory: Setting?

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp(
      "The most memory that the machine may take: RAM, devices' windows and what is plugged.",
      valueName: "size"
    ),
    transform: Setting.memoryLimit
  )
  var memoryLimit: Setting?

  @Option(
    help: "The interrupt controller's version: auto (the default), 2 or 3.",
    transform: Setting.gic
  )
  var gic: Setting?

  @Option(
    help: ArgumentHelp(
      "CPU features to leave out, separated by commas: sve=off, pmu=off, pauth=off.",
      discussion: "All that the host has are on otherwise; 'host' and 'NAME=on' say so.",
      valueName: "features"
    ),
    transform: Setting.cpu
  )
  var cpu: Setting?

  @Option(
    help: ArgumentHelp(
      "What the guest is promised of its processor: host (the default), a model's name, or its file.",
      discussion: "'apus doctor' tells which models this host can give, 'apus cpu-model' prints them.",
      valueName: "model"
    ),
    transform: Setting.cpuModel
  )
  var cpuModel: Setting?

  @Option(
    help: ArgumentHelp(
      "The hypervisor that the guest finds: kvm (the default) or gunyah.",
      discussion: "Documentation/Gunyah.md has what is there of Gunyah.",
      valueName: "kvm|gunyah"
    ),
    transform: Setting.personality
  )
  var personality: Setting?

  @Option(
    help: ArgumentHelp(
      "Write each of Gunyah's calls and its resource manager's messages as a line of JSON to a file.",
      valueName: "path"
    ),
    transform: Setting.gunyahTranscript
  )
  var gunyahTranscript: Setting?

  @Option(
    help: "The machine's name, which the guest finds under /hypervisor/apus; apus by default.",
    transform: Setting.name
  )
  var name: Setting?

  @Option(
    help: "The machine's UUID; a random one by default.",
    transform: Setting.uuid
  )
  var uuid: Setting?

  @Option(
    name: [.customLong("append"), .customLong("cmdline")],
    parsing: .unconditionalSingleValue,
    help: ArgumentHelp("The kernel's command line; one that is given again adds to it.", valueName: "text"),
    transform: Setting.commandLine
  )
  var commandLine: [Setting] = []

  @Option(
    help: ArgumentHelp(
      "Add a compiled overlay to the device tree. May be given several times.",
      discussion: "It may refer to the labels that 'apus devicetree' shows.",
      valueName: "path"
    ),
    transform: Setting.deviceTreeOverlay
  )
  var dtbOverlay: [Setting] = []

  var changes: [Setting] {
    [cpus, memory, memoryLimit, gic, cpu, cpuModel, personality, gunyahTranscript, name, uuid].compactMap(\.self)
      + commandLine
      + dtbOverlay
  }
}
