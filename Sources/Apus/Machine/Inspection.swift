/// What there is to tell of a machine that runs.
public struct Inspection: Sendable, Encodable {
  /// Whether the vCPUs run.
  public let state: State
  /// The machine, as its report will have it.
  public let machine: Report.Machine
  /// What the devices of the present boot have done so far.
  public let devices: [Report.Device]
  /// How often the machine was started, this boot included.
  public let boots: Int
  /// How often each vCPU of the present boot has come back to user space.
  public let exits: [UInt64]

  /// What a machine does.
  public enum State: String, Sendable, Encodable {
    /// Its vCPUs run.
    case running
    /// Its vCPUs wait, or are about to; devices finish what was begun.
    case paused
  }
}
