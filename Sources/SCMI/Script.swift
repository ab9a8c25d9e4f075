/// What happens at a stated time.
public enum ScriptAction: Sendable {
  /// The sensor reads these values (one per axis) from now on.
  case setSensor(String, [Int64])
  /// The platform changes a resource by itself: Hz, level, microvolts, power state or power cap.
  case set(ResourceName, Int64)
  /// The platform announces that every system goes to a state of ``SystemState``.
  case systemPower(SystemState, graceful: Bool)
  /// An agent gets a resource, or loses it.
  case setPermission(agent: String, resource: ResourceName, Access)
  /// What an agent has asked for is taken back, its permissions aside; by its name.
  case resetAgent(String)
  /// An agent gets a notification that nothing in the platform caused, as it stands here.
  case notification(agent: String, protocolIdentifier: UInt8, message: UInt8, payload: [UInt32])
  /// Agents that want error events get one; each report is the vendor's own.
  case errorEvent(fatal: Bool, reports: [UInt64])
  /// A rule holds from now on.
  case addRule(MisbehaviourRule)
  /// A rule is gone, by its name.
  case removeRule(String)
  /// A line of a ``ConsumerDefinition``, by its place there: an edge, or with a value that line's level from now on.
  case interrupt(String, line: Int, asserted: Bool?)
}

/// A thing that the platform does by itself at a time, whatever the agents do.
public struct ScriptStep: Sendable {
  /// Nanoseconds of the platform's clock.
  public var time: UInt64
  /// What happens then.
  public var action: ScriptAction

  public init(at time: UInt64, _ action: ScriptAction) {
    self.time = time
    self.action = action
  }
}
