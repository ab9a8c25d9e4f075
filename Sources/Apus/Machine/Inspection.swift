/// What there is to tell of a machine that runs.
public struct Inspection: Sendable, Encodable {
  /// Whether the machine runs.
  public let state: State
  /// The machine, as its report will have it.
  public let machine: Report.Machine
  /// What the devices of the present boot have done so far.
  public let devices: [Report.Device]
  /// How often the machine was started, this boot included.
  public let boots: Int
  /// How often the guest's time was made to stand, over all boots: once for each pause.
  public let pauses: Int
  /// How long it has stood, in nanoseconds, the present pause included.
  public let pausedTime: UInt64
  /// How often each vCPU of the present boot has come back to user space.
  public let exits: [UInt64]

  /// What a machine does.
  public enum State: String, Sendable, Encodable {
    /// Its vCPUs run.
    case running
    /// Its vCPUs come to rest one after the other, and then its devices, which finish what was begun.
    case pausing
    /// All of it is at rest, and its guest's time stands.
    case paused
  }
}
