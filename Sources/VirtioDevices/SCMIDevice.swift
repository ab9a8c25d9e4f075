internal import GuestMemory
public import SCMI
public import Virtio

/// What calls ``SCMIDevice/timerFired()`` when a time has come. On the device thread.
public protocol SCMITimer: AnyObject, SendableMetatype {
  /// - Parameter deadline: nanoseconds of the platform's clock; `nil`: no call is needed. Replaces what was armed
  ///   before.
  func arm(_ deadline: UInt64?)
}

/// Feature bits of the SCMI device (virtio 1.3, 5.17.3).
enum SCMIFeature {
  /// VIRTIO_SCMI_F_P2A_CHANNELS: there are notifications and delayed responses.
  static let platformToAgentChannels = VirtioFeatures(bit: 0)
}

/// What an SCMI device did so far.
public struct SCMICounters: Equatable, Sendable {
  /// Commands that were taken from the command queue.
  public var commands: UInt64 = 0
  /// Messages that were put into buffers of the event queue.
  public var events: UInt64 = 0
  /// Messages for the event queue that were dropped: notifications that found no buffer in it, and what came while
  /// ``SCMIPlatform/maximumQueued`` messages waited for one.
  public var droppedNotifications: UInt64 = 0
}

/// The SCMI device (virtio 1.3, 5.17): a command queue and an event queue to an agent's place on a platform.
///
/// A reply never goes beyond the buffer that the driver gave for it: what does not fit is cut off. A reply that is late
/// keeps its buffer and others overtake it. A notification that finds no buffer in the event queue is dropped and
/// counted; a delayed response waits for one, as do at most ``SCMIPlatform/maximumQueued``. What came during a
/// suspension waits, too, whatever it is.
@safe
public final class SCMIDevice<Timer: SCMITimer>: VirtioDevice, @unchecked Sendable {
  // SAFETY: @unchecked: on the device thread only, as the contract says; the rest is immutable.

  public let name: String
  public var identifier: VirtioDeviceIdentifier { .scmi }
  public var reach: DeviceReach { .window }
  public var features: VirtioFeatures { [.splitVirtqueue, SCMIFeature.platformToAgentChannels] }
  public let queueSizes: [UInt16]
  public let configuration = ConfigurationSpace([])

  /// Messages of one turn, after which other devices get theirs.
  public static var turnLimit: Int { 64 }

  let platform: SharedPlatform
  let agent: Int
  private let timer: Timer
  let state: DeviceThreadState<SCMIState>

  /// - Parameters:
  ///   - agent: the driver's place in the platform's definition. Attaching it is the owner's.
  ///   - timer: for what the platform does later.
  ///   - queueSizes: of the queue of commands and that of events, in descriptors.
  public init(
    name: String,
    platform: SharedPlatform,
    agent: Int,
    timer: Timer,
    queueSizes: (command: UInt16, event: UInt16) = (QueueSize.scmiCommand, QueueSize.scmiEvent)
  ) {
    precondition(platform.definition.agents.indices.contains(agent), "the agent exists")
    self.name = name
    self.queueSizes = [queueSizes.command, queueSizes.event]
    self.platform = platform
    self.agent = agent
    self.timer = timer
    state = DeviceThreadState(SCMIState(command: queueSizes.command, event: queueSizes.event))
  }

  /// On the device thread.
  public var counters: SCMICounters {
    var counters = state.value.counters
    counters.droppedNotifications &+= platform.droppedNotifications(agent: agent)
    return counters
  }

  // MARK: Contract

  public func attach(_ connection: DeviceConnection) { state.value.queues.attach(connection) }

  public func start(
    _ features: VirtioFeatures,
    queues configurations: [QueueConfiguration?],
    _ finished: @escaping @Sendable () -> Void
  ) {
    state.value.queues.start(features, configurations)
    platform.resetAgent(agent, events: features.contains(SCMIFeature.platformToAgentChannels))
    finished()
  }

  public func startRestored(
    _ features: VirtioFeatures,
    queues configurations: [QueueConfiguration?],
    _ finished: @escaping @Sendable () -> Void
  ) {
    // The agent is where it was: the platform's state is the platform's.
    state.value.queues.start(features, configurations)
    if state.value.isElsewhere {
      platform.resetAgent(agent, events: features.contains(SCMIFeature.platformToAgentChannels))
    }
    armTimer()
    finished()
  }

  public func startQueue(
    _ index: Int,
    _ configuration: QueueConfiguration,
    _ finished: @escaping @Sendable () -> Void
  ) {
    state.value.queues.start(index, configuration)
    finished()
  }

  public func stopQueue(_ index: Int, _ finished: @escaping @Sendable () -> Void) {
    state.value.queues.stop(index)
    if index == SCMIQueue.command { state.value.kept = [:] }
    finished()
  }

  public func reset(_ finished: @escaping @Sendable () -> Void) {
    state.value.queues.reset()
    state.value.kept = [:]
    state.value.waiting = []
    state.value.isCatchingUp = false
    platform.resetAgent(agent, events: false)
    finished()
  }

  /// Nothing is in flight: of a command whose reply is late the device has a number only.
  public func suspend(_ finished: @escaping @Sendable () -> Void) {
    state.value.isSuspended = true
    finished()
  }

  public func resume() {
    state.value.isSuspended = false
    state.value.isCatchingUp = true
    guard state.value.isElsewhere else { return }
    state.value.isElsewhere = false
    failLateCommands()
  }

  /// The state that follows was taken with another platform, which knew what was late: the agent begins anew, commands
  /// whose replies were late fail, and delayed responses do not come. Before ``restore(_:)``.
  public func beginElsewhere() { state.value.isElsewhere = true }

  public var queuePositions: [QueuePosition?] { state.value.queues.positions }

  public func savedState() -> any VersionedState {
    SCMIDeviceState(
      lastTicket: state.value.ticket,
      lateCommands: state.value.kept.sorted { $0.key < $1.key }.map { .init(ticket: $0.key, head: $0.value) },
      waitingMessages: state.value.waiting.map(\.bytes)
    )
  }

  public func decodeState(from decoder: any Decoder) throws -> any VersionedState {
    try Versioned<SCMIDeviceState>(from: decoder).state
  }

  public func restore(_ state: any VersionedState) throws(DeviceStateError) {
    try restore(SCMIDeviceState(kindOf: state))
  }

  private func restore(_ saved: SCMIDeviceState) throws(DeviceStateError) {
    var kept: [UInt64: UInt16] = [:]
    for command in saved.lateCommands {
      guard command.ticket <= saved.lastTicket, command.head < queueSizes[SCMIQueue.command],
        kept.updateValue(command.head, forKey: command.ticket) == nil
      else { throw .invalid(device: name, field: "lateCommands") }
    }
    guard kept.count <= Int(queueSizes[SCMIQueue.command]) else { throw .invalid(device: name, field: "lateCommands") }
    let waiting = saved.waitingMessages.compactMap { try? SCMIMessage(bytes: $0) }
    guard waiting.count == saved.waitingMessages.count, waiting.count <= SCMIPlatform.maximumQueued else {
      throw .invalid(device: name, field: "waitingMessages")
    }
    state.value.ticket = saved.lastTicket
    state.value.kept = kept
    state.value.waiting = state.value.isElsewhere ? [] : waiting
    state.value.isSuspended = true
  }

  public func kick(_ index: Int) -> Bool {
    guard isWorking else { return false }
    let hasMoreCommands = index == SCMIQueue.command && takeCommands()
    let hasMoreMessages = deliver()
    return hasMoreCommands || hasMoreMessages
  }

  // MARK: From the platform

  /// There may be messages for the agent.
  ///
  /// - Returns: whether to call again when other devices had their turn.
  public func platformChanged() -> Bool { isWorking && deliver() }

  /// The time has come that the timer was armed for.
  ///
  /// - Returns: whether to call ``platformChanged()`` when other devices had their turn.
  public func timerFired() -> Bool {
    platform.advance(as: agent)
    if isWorking { return deliver() }
    // Other agents depend on this timer too.
    armTimer()
    return false
  }

  /// Arms the timer for the first time.
  public func armTimer() {
    // The messages stay where they are for a driver that is not there yet: its start drops them.
    timer.arm(platform.nextDeadline)
  }

  var isWorking: Bool {
    !state.value.isSuspended && state.value.queues.connection.map { !$0.hasFailed } ?? false
  }

  func arm(_ deadline: UInt64?) { timer.arm(deadline) }

  func publish(_ queue: SplitVirtqueue) {
    state.value.queues.connection?.publish(queue)
  }
}
