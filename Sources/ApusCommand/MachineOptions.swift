public import Apus
public import ArgumentParser

/// What the guest sees of its machine, whichever command it is for.
struct MachineOptions: ParsableArguments {
  @Option(
    parsing: .unconditional,
    help: "How many vCPUs, 1 by default.",
    transform: { try Written.value($0, Int.init, form: "give a whole number from 1, such as 4") }
  )
  var cpus = 1

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp(
      "RAM, with K, M, G or T for a unit; without one, MiB. 512M by default.",
      valueName: "size"
    ),
    transform: Written.value
  )
  var memory = ByteCount(512 << 20)

  @Option(help: "The interrupt controller's version: auto, 2 or 3.")
  var gic = Configuration.GIC.automatic

  @Option(
    help: ArgumentHelp(
      "CPU features to leave out, separated by commas: sve=off, pmu=off, pauth=off.",
      discussion: "All that the host has are on otherwise; 'host' and 'NAME=on' say so.",
      valueName: "features"
    ),
    transform: Written.value
  )
  var cpu = Configuration.CPUFeatures()

  @Option(help: "The machine's name, which the guest finds under /hypervisor/apus.")
  var name = "apus"

  @Option(help: "The machine's UUID; a random one by default.", transform: Written.value)
  var uuid: UUID?

  @Option(
    name: [.customLong("append"), .customLong("cmdline")],
    parsing: .unconditional,
    help: ArgumentHelp("The kernel's command line.", valueName: "text")
  )
  var commandLine = ""

  func apply(to configuration: inout Configuration) {
    configuration.cpuCount = cpus
    configuration.memorySize = memory.bytes
    configuration.gic = gic
    configuration.cpuFeatures = cpu
    configuration.name = name
    if let uuid { configuration.uuid = uuid }
    configuration.commandLine = commandLine
  }
}

extension Configuration.GIC: ExpressibleByArgument {}

/// Values that Apus reads from text.
enum Written {
  /// Reads a value, or says what it should look like.
  static func value<Value: WrittenValue>(_ text: String) throws -> Value {
    try value(text, Value.init, form: Value.form)
  }

  /// Reads a value of a type that is not ``WrittenValue``.
  static func value<Value>(_ text: String, _ read: (String) -> Value?, form: String) throws -> Value {
    guard let value = read(text) else { throw ValidationError(form) }
    return value
  }
}
