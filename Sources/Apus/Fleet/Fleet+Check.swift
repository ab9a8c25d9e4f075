import Host
import HostBackends
import SCMI

// What is wrong with machines that are right one by one.

extension Fleet.Configuration {
  /// What two machines cannot both have, and lists without machines.
  var sharingProblems: [FleetError.Problem] {
    guard !machines.isEmpty else { return [.init(.usage, .machines, "there are no machines; give at least one")] }
    var problems: [FleetError.Problem] = []
    for (index, machine) in machines.enumerated() {
      for (earlierIndex, earlier) in machines[..<index].enumerated() {
        problems += Self.conflicts(machine, earlier, earlierIndex)
          .map { FleetError.Problem($0, index, machine) }
      }
    }
    return problems
  }

  /// What of a machine an earlier one has, too.
  private static func conflicts(
    _ machine: Configuration,
    _ earlier: Configuration,
    _ index: Int
  ) -> [ConfigurationError.Problem] {
    var problems: [ConfigurationError.Problem] = []
    func add(_ place: Configuration.Path, _ reason: ConfigurationError.Reason) {
      problems.append(.init(.usage, place, reason))
    }
    if machine.name == earlier.name {
      add(.property(.name), "machines[\(index)] has this name, too; give each one of its own")
    }
    if let uuid = machine.uuid, uuid == earlier.uuid {
      add(.property(.uuid), "machine '\(earlier.name)' has this UUID, too; give each one of its own")
    }
    if machine.console == .standardStreams, earlier.console == .standardStreams {
      add(.property(.console), "machine '\(earlier.name)' has the standard streams; lead this console elsewhere")
    }
    for claim in machine.claims where earlier.claims.contains(where: { $0.isOfProcess && $0.excludes(claim) }) {
      add(claim.place, "machine '\(earlier.name)' has the same, too; give each one of its own")
    }
    for file in machine.files {
      guard let identity = FileIdentity(file.path) else { continue }
      let isTaken = earlier.files.contains { other in
        (file.use != .needed || other.use != .needed) && FileIdentity(other.path) == identity
      }
      if isTaken { add(file.place, "'\(file.path)' is a file of machine '\(earlier.name)', too; name another one") }
    }
    return problems
  }

  /// Makes the platform that machines share.
  ///
  /// - Parameter problems: gets every mistake in its file.
  /// - Returns: nil where there is none.
  func openPlatform(_ problems: inout [FleetError.Problem]) -> SharedPlatform? {
    guard let platform else { return nil }
    do throws(ConfigurationError) {
      return try ServedPlatform.open(platform)
    } catch {
      problems += error.problems.map { .init($0.kind, .platform, "\($0.reason)") }
      return nil
    }
  }
}

extension Fleet {
  /// The agents that two machines are.
  static func agentProblems(_ machines: [Machine], _ platform: SharedPlatform?) -> [FleetError.Problem] {
    guard let platform else { return [] }
    var problems: [FleetError.Problem] = []
    let places = machines.map { $0.platformPlace.flatMap { $0.platform === platform ? $0.agent : nil } }
    for (index, agent) in places.enumerated() {
      guard let agent, let other = places[..<index].firstIndex(of: agent) else { continue }
      let name = platform.definition.agents[agent].name
      let configuration = machines[index].configuration
      let reason: ConfigurationError.Reason =
        "machine '\(machines[other].configuration.name)' is the platform's agent '\(name)'; name another agent"
      let place = configuration.agentPath ?? .property(.devices)
      problems.append(.init(.init(.usage, place, reason), index, configuration))
    }
    return problems
  }
}

extension DeviceClaim {
  /// Whether the whole process has one of it, and not each machine.
  fileprivate var isOfProcess: Bool {
    switch subject {
    case .descriptor, .file: true
    case .listener: false
    }
  }
}
