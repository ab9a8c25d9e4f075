public import SCMI
internal import Synchronization
public import VirtioDevices

/// A clock that stands still until it is moved.
public final class ManualClock: Sendable {
  private let stored = Atomic<UInt64>(0)

  public init() {}

  /// In nanoseconds.
  public var now: UInt64 {
    get { stored.load(ordering: .relaxed) }
    set { stored.store(newValue, ordering: .relaxed) }
  }
}

/// A timer that only remembers when it should fire.
public final class ManualTimer: SCMITimer, @unchecked Sendable {
  // SAFETY: @unchecked: used on one thread.

  public private(set) var deadline: UInt64?

  public init() {}

  public func arm(_ deadline: UInt64?) { self.deadline = deadline }
}

/// An agent's device on a platform, without a machine.
public struct SCMIEnds: Sendable {
  public let device: SCMIDevice<ManualTimer>
  public let timer = ManualTimer()

  /// - Precondition: the agent is free.
  public init(_ platform: SharedPlatform, agent: Int = 0, thread: ImmediateThread? = nil) {
    let device = SCMIDevice(name: "scmi", platform: platform, agent: agent, timer: timer)
    self.device = device
    let attachment = SharedPlatform.Attachment(wake: { thread?.post { _ = device.platformChanged() } })
    precondition(platform.attach(agent, attachment), "the agent is free")
  }
}
