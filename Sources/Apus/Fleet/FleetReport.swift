extension Fleet {
  /// What a fleet's run leaves behind for programs to read. Documentation/Report.md describes each key of a machine's.
  public struct Report: Sendable, Encodable {
    /// The version of Apus.
    public let apus: String
    /// The status for a process that ran the fleet, by ``rule``.
    public let exitStatus: Int32
    /// How ``exitStatus`` follows from the machines'.
    public let rule: String
    /// The name of the machine whose status it is; nil where all are 0.
    public let decidedBy: String?
    /// Why not all that the machines have written came out, where their own status does not say so: in words.
    public let output: String?
    /// The machines' reports by their names. Times are of a machine's own threads, of vCPUs and its device thread.
    public let machines: [String: Apus.Report]

    /// The rule as the report has it.
    static let rule =
      "128 + N where signal N ended the fleet; else that of the first machine, in the fleet's order, whose own is not 0; "
      + "else that of output that did not come out"

    /// - Parameters:
    ///   - machines: names and reports in the fleet's order.
    ///   - output: how it came that not all of the machines' output was written.
    init(_ machines: [(name: String, report: Apus.Report)], output outcome: Outcome? = nil) {
      let deciding = machines.first { $0.report.isInterrupted } ?? machines.first { $0.report.exitStatus != 0 }
      apus = ApusVersion.current
      rule = Self.rule
      decidedBy = deciding?.name
      exitStatus = deciding?.report.exitStatus ?? outcome?.exitStatus ?? 0
      output = outcome?.message
      self.machines = Dictionary(uniqueKeysWithValues: machines.map { ($0.name, $0.report) })
    }
  }

  /// What a fleet's configuration comes to, before anything is started: what a dry run prints.
  public struct Plan: Sendable, Encodable {
    /// The machines' plans by their names.
    public let machines: [String: Apus.Plan]
  }
}

extension Report {
  /// Whether a signal ended the machine.
  fileprivate var isInterrupted: Bool { outcome == Outcome.End.interrupted(signal: 0).name }
}
