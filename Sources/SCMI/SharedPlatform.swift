internal import Synchronization

/// One platform for several virtual machines at once, each of them an agent with a thread of its own.
///
/// Every member may be used from any thread. Messages that the platform sends by itself wait here, by agent, until the
/// agent's device fetches them; whoever causes them for another agent wakes that one.
///
/// Time is the platform's own: `clock` gives nanoseconds that never go back. Nobody here waits for a deadline: each
/// attached device calls ``advance(as:)`` when the deadline has come that ``next(for:)`` gave, and one of them is
/// enough.
public final class SharedPlatform: Sendable {
  /// What an agent's device is told.
  public struct Attachment: Sendable {
    /// There may be messages for the agent, or a nearer deadline. On any thread; must not block or come back here.
    public var wake: @Sendable () -> Void
    /// The agent asked for something that its machine has to do. On any thread; must not block or come back here.
    public var act: @Sendable (PlatformEvent) -> Void

    public init(
      wake: @escaping @Sendable () -> Void,
      act: @escaping @Sendable (PlatformEvent) -> Void = { _ in }
    ) {
      self.wake = wake
      self.act = act
    }
  }

  fileprivate struct State: ~Copyable {
    var platform: SCMIPlatform
    var queues: [AgentQueue]
    var attachments: [Attachment?]
    var observers: [(recording: Recording, call: @Sendable (TranscriptRecord) -> Void)] = []
    var recordings: UInt64 = 0
  }

  private let state: Mutex<State>
  private let clock: @Sendable () -> UInt64
  /// What the platform's time is ahead of the clock's, in nanoseconds, modulo 2⁶⁴: of one that has gone on elsewhere.
  private let lead = Atomic<UInt64>(0)

  /// What the platform was made of.
  public let definition: PlatformDefinition

  /// Takes a platform over.
  ///
  /// - Parameters:
  ///   - platform: is this value's from now on.
  ///   - clock: nanoseconds since the platform began; never goes back.
  public init(_ platform: consuming sending SCMIPlatform, clock: @escaping @Sendable () -> UInt64) {
    let definition = platform.definition
    let count = definition.agents.count
    self.definition = definition
    self.clock = clock
    state = Mutex(
      State(
        platform: platform,
        queues: Array(repeating: AgentQueue(), count: count),
        attachments: Array(repeating: nil, count: count)
      )
    )
  }

  /// Nanoseconds of the platform's clock.
  public var now: UInt64 { clock() &+ lead.load(ordering: .relaxed) }

  // MARK: - An agent's device

  /// Takes an agent for a machine, whose driver is not there yet.
  ///
  /// - Returns: `false` where another machine has it.
  /// - Precondition: the agent exists.
  public func attach(_ agent: Int, _ attachment: Attachment) -> Bool {
    run(as: agent) { state in
      guard state.attachments[agent] == nil else { return false }
      state.attachments[agent] = attachment
      state.queues[agent] = AgentQueue()
      state.queues[agent].droppedBefore = state.platform.droppedNotifications(agent: agent)
      state.platform.resetAgent(agent, events: false, at: now)
      return true
    }
  }

  /// The agent's machine is gone: its votes and messages vanish, and its place is free.
  ///
  /// - Precondition: the agent is attached.
  public func detach(_ agent: Int) {
    let others = run { state in
      state.platform.resetAgent(agent, events: false, at: now)
      state.queues[agent].clear()
      state.attachments[agent] = nil
      // Somebody else has to look after the deadlines now.
      return state.attachments.compactMap(\.self)
    }
    for other in others { other.wake() }
  }

  /// The agent starts anew.
  ///
  /// - Parameters:
  ///   - agent: its place in the definition.
  ///   - events: whether it can receive notifications and delayed responses from now on.
  /// - Precondition: the agent exists.
  public func resetAgent(_ agent: Int, events: Bool) {
    run(as: agent) { state in
      state.platform.resetAgent(agent, events: events, at: now)
      _ = state.collect(from: agent)
      state.queues[agent].clear()
    }
  }

  /// How many messages for the agent's event channel were dropped, since it was attached, because as many as may
  /// (``SCMIPlatform/maximumQueued``) waited already.
  ///
  /// - Precondition: the agent exists.
  public func droppedNotifications(agent: Int) -> UInt64 {
    state.withLock { state in
      let queue = state.queues[agent]
      return state.platform.droppedNotifications(agent: agent) &- queue.droppedBefore &+ queue.dropped
    }
  }

  /// Answers a request: ``SCMIPlatform/handle(bytes:from:ticket:at:reply:)`` now.
  ///
  /// - Precondition: the agent exists.
  public func handle(bytes: Span<UInt8>, from agent: Int, ticket: UInt64, reply: inout SCMIMessage) -> Disposition {
    let time = now
    return run(as: agent) { state in
      state.platform.handle(bytes: bytes, from: agent, ticket: ticket, at: time, reply: &reply)
    }
  }

  /// What ``next(for:)`` found.
  public enum Next: Sendable {
    /// The next message; there may be more behind it.
    case message(Outgoing)
    /// There is no message. ``advance(as:)`` has something to do at this time, in nanoseconds of the platform's clock;
    /// `nil` is never.
    case deadline(UInt64?)
  }

  /// The next message for an agent, in order.
  ///
  /// - Precondition: the agent exists.
  public func next(for agent: Int) -> Next {
    state.withLock { state in
      state.queues[agent].take().map { .message($0) } ?? .deadline(state.platform.nextDeadline)
    }
  }

  /// Lets everything happen that is due.
  ///
  /// - Parameter agent: who sees to its own messages and is not woken.
  public func advance(as agent: Int? = nil) {
    let time = now
    run(as: agent) { $0.platform.advance(to: time) }
  }

  /// Whether a machine is that agent.
  ///
  /// - Precondition: the agent exists.
  public func isAttached(_ agent: Int) -> Bool { state.withLock { $0.attachments[agent] != nil } }

  /// When ``advance(as:)`` has something to do next, in nanoseconds of the platform's clock; `nil` is never.
  public var nextDeadline: UInt64? { state.withLock { $0.platform.nextDeadline } }

  // MARK: - The platform's owner

  /// Changes the platform, or looks at it. What follows reaches the agents at once.
  ///
  /// - Parameter body: gets the platform and the time, in nanoseconds.
  public func change<Result: Sendable>(_ body: (inout SCMIPlatform, UInt64) -> Result) -> Result {
    let time = now
    return run { body(&$0.platform, time) }
  }

  /// Somebody whom the transcript is handed to.
  public struct Recording: Equatable, Sendable {
    fileprivate let number: UInt64
  }

  /// Has each line of the transcript from now on handed to `observer`: in order, under the platform's lock. It must
  /// be quick and must not come back here.
  ///
  /// - Returns: what ends it. A platform keeps its observers otherwise as long as it lives.
  @discardableResult
  public func record(_ observer: @escaping @Sendable (TranscriptRecord) -> Void) -> Recording {
    state.withLock { state in
      let recording = Recording(number: state.recordings)
      state.recordings += 1
      state.observers.append((recording, observer))
      state.platform.isRecording = true
      return recording
    }
  }

  /// Ends what ``record(_:)`` began: the observer is not called any more, and let go.
  public func end(_ recording: Recording) {
    let ended = state.withLock { state in
      let index = state.observers.firstIndex { $0.recording == recording }
      let ended = index.map { state.observers.remove(at: $0).call }
      if state.observers.isEmpty { state.platform.isRecording = false }
      return ended
    }
    // Whatever it held goes without the lock.
    _ = consume ended
  }

  /// How many lines of ``transcript`` that nobody has read yet are kept.
  public static let maximumUnread = 65_536

  /// The transcript from now on, until its reader is cancelled or lets go. Of lines that nobody has read yet the latest
  /// ``maximumUnread`` are kept; ``TranscriptRecord/sequence`` shows the gap.
  public var transcript: AsyncStream<TranscriptRecord> {
    let (stream, continuation) = AsyncStream.makeStream(
      of: TranscriptRecord.self,
      bufferingPolicy: .bufferingNewest(Self.maximumUnread)
    )
    let recording = record { continuation.yield($0) }
    continuation.onTermination = { [weak self] _ in self?.end(recording) }
    return stream
  }

  // MARK: - A platform that goes on elsewhere

  /// All that the platform has come to, its time, and what waits for agents' devices.
  public struct SavedState: Codable, Sendable {
    /// The platform's. What waits for agents is on its way out.
    public var platform: SCMIPlatform.State
    /// In nanoseconds of the platform's clock.
    public var time: UInt64
  }

  /// All that the platform has come to. Who observes it, and who is attached, is its owner's.
  public var savedState: SavedState {
    let time = now
    return state.withLock { state in
      var saved = state.platform.state
      var waiting = OutgoingQueue()
      for queue in state.queues { for message in queue.waiting { waiting.append(message) } }
      for message in saved.outgoing.waiting { waiting.append(message) }
      saved.outgoing = waiting
      return SavedState(platform: saved, time: time)
    }
  }

  /// What of a state does not fit this platform's definition; nil: it can go on from there.
  public func problem(with saved: SavedState) -> SCMIStateError? {
    guard saved.time >= saved.platform.now else { return .invalid(field: "time") }
    do throws(SCMIStateError) {
      try state.withLock { (state) throws(SCMIStateError) in try state.platform.check(saved.platform) }
      return nil
    } catch {
      return error
    }
  }

  /// Goes on where another platform of the same definition was, at the time that was there. Agents that are attached
  /// stay so, and are what they were there.
  ///
  /// - Throws: what ``problem(with:)`` tells; nothing is changed then.
  public func restore(_ saved: SavedState) throws(SCMIStateError) {
    if let problem = problem(with: saved) { throw problem }
    let result: Result<Void, SCMIStateError> = run { state in
      do throws(SCMIStateError) {
        try state.platform.restore(saved.platform)
      } catch {
        return .failure(error)
      }
      lead.store(saved.time &- clock(), ordering: .relaxed)
      for agent in state.queues.indices {
        state.queues[agent] = AgentQueue()
        state.queues[agent].droppedBefore = state.platform.droppedNotifications(agent: agent)
      }
      return .success(())
    }
    try result.get()
  }

  // MARK: - All of these

  /// Runs `body` and brings what the platform said to where it belongs.
  @discardableResult
  private func run<Result: Sendable>(as agent: Int? = nil, _ body: (inout State) -> Result) -> Result {
    let (result, calls) = state.withLock { state in
      let result = body(&state)
      return (result, state.collect(from: agent))
    }
    for call in calls { call() }
    return result
  }
}

extension SharedPlatform.State {
  /// Sorts what the platform said by receiver.
  ///
  /// - Returns: whom to tell, without the lock.
  fileprivate mutating func collect(from agent: Int?) -> [@Sendable () -> Void] {
    var calls: [@Sendable () -> Void] = []
    // Bit n: agent n was sent something. Of more agents than bits all are woken.
    var addressed: UInt64 = 0
    while let message = platform.takeOutgoing() {
      queues[message.agent].put(message)
      addressed |= 1 << UInt64(min(message.agent, 63))
    }
    if addressed != 0 {
      for receiver in attachments.indices where receiver != agent && addressed & 1 << UInt64(min(receiver, 63)) != 0 {
        if let attachment = attachments[receiver] { calls.append(attachment.wake) }
      }
    }
    while let event = platform.takeEvent() {
      switch event {
      case .systemPower(let cause, _, _):
        if let attachment = attachments[cause] { calls.append { attachment.act(event) } }
      case .interrupt:
        for case let attachment? in attachments { calls.append { attachment.act(event) } }
      }
    }
    if !observers.isEmpty {
      for record in platform.takeTranscript() {
        for observer in observers { observer.call(record) }
      }
    }
    return calls
  }
}

/// What waits for one agent: at most ``SCMIPlatform/maximumQueued`` messages for its event channel, and the late
/// replies, whose requests' buffers are their bound.
struct AgentQueue {
  private var messages = OutgoingQueue()
  private var events = 0
  var dropped: UInt64 = 0
  /// What the platform had dropped before.
  var droppedBefore: UInt64 = 0

  /// In order.
  var waiting: ArraySlice<Outgoing> { messages.waiting }

  mutating func clear() {
    messages = OutgoingQueue()
    events = 0
  }

  mutating func put(_ message: Outgoing) {
    if message.channel == .event {
      guard events < message.queueLimit else {
        dropped &+= 1
        return
      }
      events += 1
    }
    messages.append(message)
  }

  mutating func take() -> Outgoing? {
    guard let message = messages.take() else { return nil }
    if message.channel == .event { events -= 1 }
    return message
  }
}
