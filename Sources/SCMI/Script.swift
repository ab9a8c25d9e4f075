/// What happens at a stated time.
public enum ScriptAction: Sendable {
  /// The sensor reads these values (one per axis) from now on.
  case setSensor(String, [Int64])
  /// The platform changes a resource by itself: Hz, level, microvolts, power state or power cap.
  case set(ResourceName, Int64)
  case systemPower(state: UInt32, graceful: Bool)
  case setPermission(agent: String, resource: ResourceName, Access)
  case resetAgent(String)
  case notification(agent: String, protocolIdentifier: UInt8, message: UInt8, payload: [UInt32])
  case errorEvent(fatal: Bool, reports: [UInt64])
  case addRule(MisbehaviourRule)
  case removeRule(String)
  /// A line of a ``ConsumerDefinition``, by its place there: an edge, or with a value that line's level from now on.
  case interrupt(String, line: Int, asserted: Bool?)
}

public struct ScriptStep: Sendable {
  /// Nanoseconds of the platform's clock.
  public var time: UInt64
  public var action: ScriptAction

  public init(at time: UInt64, _ action: ScriptAction) {
    self.time = time
    self.action = action
  }
}
