public import Apus
public import ArgumentParser

/// What the guest sees of its machine, whichever command it is for.
struct MachineOptions: ParsableArguments {
  @Option(help: "How many vCPUs.")
  var cpus = 1

  @Option(help: ArgumentHelp("RAM, with K, M, G or T for a unit; without one, MiB.", valueName: "size"))
  var memory = ByteCount(512 << 20)

  @Option(help: "The interrupt controller's version: auto, 2 or 3.")
  var gic = Configuration.GIC.automatic

  @Option(
    help: ArgumentHelp(
      "CPU features to leave out, separated by commas: sve=off, pmu=off, pauth=off.",
      discussion: "All that the host has are on otherwise; 'host' and 'NAME=on' say so.",
      valueName: "features"
    )
  )
  var cpu = CPUSelection()

  @Option(help: "The machine's name, which the guest finds under /hypervisor/apus.")
  var name = "apus"

  @Option(help: "The machine's UUID; a random one by default.")
  var uuid: UUID?

  @Option(
    name: [.customLong("append"), .customLong("cmdline")],
    help: ArgumentHelp("The kernel's command line.", valueName: "text")
  )
  var commandLine = ""

  func apply(to configuration: inout Configuration) {
    configuration.cpuCount = cpus
    configuration.memorySize = memory.bytes
    configuration.gic = gic
    configuration.cpuFeatures = cpu.features
    configuration.name = name
    if let uuid { configuration.uuid = uuid }
    configuration.commandLine = commandLine
  }
}

extension Configuration.GIC: ExpressibleByArgument {}

extension UUID: ExpressibleByArgument {
  public init?(argument: String) {
    self.init(argument)
  }
}

/// A size as people write it.
struct ByteCount: ExpressibleByArgument {
  let bytes: UInt64

  init(_ bytes: UInt64) {
    self.bytes = bytes
  }

  init?(argument: String) {
    let units: [Character: UInt64] = ["K": 1 << 10, "M": 1 << 20, "G": 1 << 30, "T": 1 << 40]
    var digits = Substring(argument.uppercased())
    for suffix in ["IB", "B"] where digits.hasSuffix(suffix) && digits.dropLast(suffix.count).last?.isLetter == true {
      digits = digits.dropLast(suffix.count)
      break
    }
    var unit: UInt64 = 1 << 20
    if let last = digits.last, let known = units[last] {
      unit = known
      digits = digits.dropLast()
    }
    guard !digits.isEmpty, digits.allSatisfy(\.isASCII), let number = UInt64(digits) else { return nil }
    let (bytes, overflow) = number.multipliedReportingOverflow(by: unit)
    guard !overflow else { return nil }
    self.bytes = bytes
  }

  var defaultValueDescription: String { "\(bytes >> 20)M" }
}

/// Which features of the host's CPUs the guest gets.
struct CPUSelection: ExpressibleByArgument {
  var features = Configuration.CPUFeatures()

  init() {}

  init?(argument: String) {
    for word in argument.split(separator: ",", omittingEmptySubsequences: false) where word != "host" {
      let parts = word.split(separator: "=", omittingEmptySubsequences: false)
      guard parts.count == 2, let isOn = ["on": true, "off": false][parts[1]] else { return nil }
      switch parts[0] {
      case "sve": features.sve = isOn
      case "pmu": features.pmu = isOn
      case "pauth": features.pointerAuthentication = isOn
      default: return nil
      }
    }
  }

  var defaultValueDescription: String { "host" }
}

/// A time as people write it.
struct TimeLimit: ExpressibleByArgument {
  let duration: Duration

  init?(argument: String) {
    let units: [(String, Double)] = [("ms", 0.001), ("s", 1), ("m", 60), ("h", 3600)]
    let unit = units.first { argument.hasSuffix($0.0) }
    let digits = argument.dropLast(unit?.0.count ?? 0)
    guard let number = Double(digits), number.isFinite, number >= 0, number <= 1e9 else { return nil }
    duration = .nanoseconds(Int64(number * (unit?.1 ?? 1) * 1e9))
  }
}

/// Where the serial port leads, as people write it.
struct ConsoleChoice: ExpressibleByArgument {
  let console: Configuration.Console

  init(_ console: Configuration.Console) {
    self.console = console
  }

  init?(argument: String) {
    let parts = argument.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
    switch (parts[0], parts.count == 2 ? parts[1] : nil) {
    case ("stdio", nil): console = .standardStreams
    case ("none", nil): console = .none
    case ("pty", nil): console = .pseudoTerminal()
    case ("pty", let link?) where !link.isEmpty: console = .pseudoTerminal(link: link)
    case ("file", let path?) where !path.isEmpty: console = .file(path: path)
    default: return nil
    }
  }

  var defaultValueDescription: String { "stdio" }
}
