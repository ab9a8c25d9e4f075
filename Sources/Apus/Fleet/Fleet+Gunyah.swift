import GuestABI
import Gunyah
import Host

extension Fleet.Configuration {
  /// Makes the hypervisor of the machines that find Gunyah.
  ///
  /// - Parameter problems: gets every mistake in what they share.
  /// - Returns: nil where no machine finds it, or there is a mistake.
  func hypervisor(_ problems: inout [FleetError.Problem]) -> GunyahHost? {
    let names = machines.filter { $0.personality == .gunyah }.map(\.name)
    let found = gunyahProblems(names)
    problems += found
    guard found.isEmpty, Set(names).count == names.count, !names.isEmpty else { return nil }
    return GunyahHost(gunyah, machines: names)
  }

  private func gunyahProblems(_ names: [String]) -> [FleetError.Problem] {
    var problems: [FleetError.Problem] = []
    func add(_ key: GunyahConfiguration.Key, _ index: Int?, _ message: String) {
      problems.append(.init(.usage, .gunyah(key.rawValue, index), message))
    }
    func check(_ name: String, _ key: GunyahConfiguration.Key, _ index: Int?) {
      guard !names.contains(name) else { return }
      let isThere = machines.contains { $0.name == name }
      let advice = isThere ? "give it the personality 'gunyah'" : "name one of the fleet's"
      add(key, index, "there is no machine '\(name)' that finds Gunyah; \(advice)")
    }
    if names.count > GunyahHost.machineLimit {
      add(
        .primary,
        nil,
        "\(names.count) machines find Gunyah, which has room for \(GunyahHost.machineLimit); give fewer"
      )
    }
    if let primary = gunyah.primary { check(primary, .primary, nil) }
    for (index, pair) in gunyah.queues.enumerated() {
      guard pair.machines.count == 2, pair.machines[0] != pair.machines[1] else {
        add(.queues, index, "'machines' takes the names of two machines")
        continue
      }
      for name in pair.machines { check(name, .queues, index) }
      if !MessageQueue.depths.contains(pair.depth) { add(.queues, index, "'depth' takes 1 to 255, not \(pair.depth)") }
      if !MessageQueue.sizes.contains(pair.messageSize) {
        add(.queues, index, "'messageSize' takes 1 to 1023, not \(pair.messageSize)")
      }
      let isTaken = gunyah.queues[..<index].contains { earlier in
        earlier.label == pair.label && !Set(earlier.machines).isDisjoint(with: pair.machines)
      }
      if isTaken { add(.queues, index, "label \(pair.label) is another pair's of one of these machines; give another") }
    }
    for (index, bell) in gunyah.doorbells.enumerated() {
      if bell.source == bell.receiver { add(.doorbells, index, "'source' and 'receiver' are one machine; name two") }
      for name in Set([bell.source, bell.receiver]).sorted() { check(name, .doorbells, index) }
      let isTaken = gunyah.doorbells[..<index].contains { earlier in
        earlier.label == bell.label
          && !Set([earlier.source, earlier.receiver]).isDisjoint(with: [bell.source, bell.receiver])
      }
      if isTaken {
        add(.doorbells, index, "label \(bell.label) is another doorbell's of one of these machines; give another")
      }
    }
    for name in names {
      let count = interrupts(of: name)
      guard count > Self.interruptLimit else { continue }
      let limit = Self.interruptLimit
      add(.queues, nil, "machine '\(name)' has queues and doorbells with \(count) interrupts; give at most \(limit)")
    }
    return problems + transcriptProblems(names)
  }

  /// What is wrong with where the transcript goes.
  private func transcriptProblems(_ names: [String]) -> [FleetError.Problem] {
    var problems: [FleetError.Problem] = []
    for (index, machine) in machines.enumerated() where machine.gunyahTranscript != nil {
      let reason: ConfigurationError.Reason = "a fleet has one for all its machines; give the path as gunyah.transcript"
      problems.append(.init(.init(.usage, .property(.gunyahTranscript), reason), index, machine))
    }
    guard let path = gunyah.transcript else { return problems }
    func add(_ kind: FailureKind, _ message: String) {
      problems.append(.init(kind, .gunyah(GunyahConfiguration.Key.transcript.rawValue, nil), message))
    }
    if names.isEmpty { add(.usage, "no machine finds Gunyah; give one the personality 'gunyah'") }
    for machine in machines where machine.use(ofFile: path) != nil {
      add(.usage, "'\(path)' is a file of machine '\(machine.name)', too; name another one")
    }
    if let platform, let identity = FileIdentity(path), FileIdentity(platform) == identity {
      add(.usage, "'\(path)' is the platform's file; name another one")
    }
    do throws(OutputFileError) {
      try OutputFile.check(path: path)
    } catch {
      add(error.kind, "\(error)")
    }
    return problems
  }

  /// Half of the interrupts that a machine has for objects: the others are for machines that it makes.
  private static let interruptLimit = Int(MemoryMap.SharedInterrupt.hypervisorCount) / 2

  private func interrupts(of name: String) -> Int {
    2 * gunyah.queues.count { $0.machines.contains(name) } + gunyah.doorbells.count { $0.receiver == name }
  }
}
