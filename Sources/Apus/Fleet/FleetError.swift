public import Host

/// Everything that is wrong with a fleet, at once.
public struct FleetError: Error, Equatable, Sendable, CustomStringConvertible {
  /// One mistake.
  public struct Problem: Equatable, Sendable, CustomStringConvertible {
    /// The exit status that it alone would have.
    public let kind: FailureKind
    /// What in the fleet's configuration has to change.
    public let place: Place
    /// The machine's name, where it is one machine's.
    public let machine: String?
    /// What is wrong and what would be right: one line, for any terminal.
    public let message: String

    /// The mistake with its machine's name.
    public var description: String { (machine.map { "machine '\($0)': ".plain } ?? "") + message }
  }

  /// Where something stands in a fleet's configuration.
  public enum Place: Hashable, Sendable, CustomStringConvertible {
    /// The list of machines.
    case machines
    /// The platform that machines share.
    case platform
    /// What machines share that find Gunyah: the key, and which of a list.
    case gunyah(String, Int?)
    /// One of the machines, counted from 0, and what of it.
    case machine(Int, Configuration.Path)

    /// As in a coded configuration: `machines[1].devices[0].block.path`.
    public var description: String {
      switch self {
      case .machines: "machines"
      case .platform: "platform"
      case .gunyah(let key, let index): "gunyah.\(key)" + (index.map { "[\($0)]" } ?? "")
      case .machine(let index, let path): "machines[\(index)].\(path)"
      }
    }
  }

  /// At least one: those that are no machine's first, then in the order of the machines.
  public let problems: [Problem]

  /// Puts what is no machine's first, and the rest in the order of the machines.
  init(sorting problems: [Problem]) {
    let ranked = problems.enumerated().sorted { one, other in
      (one.element.place.rank, one.offset) < (other.element.place.rank, other.offset)
    }
    self.problems = ranked.map(\.element)
  }

  /// The status for a process that ends because of it: that of the first mistake.
  public var exitStatus: Int32 { problems.first?.kind.rawValue ?? FailureKind.usage.rawValue }

  /// Each problem on a line.
  public var description: String { problems.map(\.description).joined(separator: "\n") }
}

extension FleetError.Place {
  fileprivate var rank: Int {
    switch self {
    case .machines, .platform, .gunyah: -1
    case .machine(let index, _): index
    }
  }
}

extension FleetError.Problem {
  init(_ kind: FailureKind, _ place: FleetError.Place, _ message: String) {
    self.init(kind: kind, place: place, machine: nil, message: message.plain)
  }

  /// One of a machine's configuration.
  init(_ problem: ConfigurationError.Problem, _ index: Int, _ configuration: Configuration) {
    self.init(
      kind: problem.kind,
      place: .machine(index, problem.path),
      machine: configuration.name,
      message: problem.description
    )
  }
}
