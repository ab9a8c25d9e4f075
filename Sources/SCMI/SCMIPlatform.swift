/// An SCMI platform: bytes in, bytes out.
///
/// It knows no transport, no operating system and no clock. Its owner hands in each request with the time
/// (nanoseconds, monotonic), delivers what ``takeOutgoing()`` gives, and calls ``advance(to:)`` when ``nextDeadline``
/// has come. Given the same definition, requests and times it says the same bytes.
///
/// One thread at a time may use it; where several do, their owner guards it with a mutex.
///
/// An agent is named by its place in ``PlatformDefinition/agents``; on the wire it is one more (0 is the platform).
public struct SCMIPlatform: ~Copyable {
  /// Never changed. It is a variable because Swift 6.2 takes a mutating call in the initializer for a change of it.
  public private(set) var definition: PlatformDefinition

  var agents: [AgentState]
  /// `agent × ProtocolIdentifier.count + protocol`.
  var protocols: [ProtocolAccess] = []
  /// `agent × ResourceKind.count + kind`.
  var views: [View] = []
  /// By kind, then by resource.
  var holders: [[[Holder]]] = []
  /// Names to places, by kind.
  var identifiers: [[String: Int]] = []

  var clocks: [ClockState] = []
  /// Extended configuration that is not its definition's any more, by clock.
  var clockConfigurations: [Int: [UInt8: UInt32]] = [:]
  /// Places of each clock's possible parents.
  var clockParents: [[Int]] = []
  var powerStates: [UInt32] = []
  var performance: [PerformanceState] = []
  var sensors: [SensorState] = []
  var resets: [ResetState] = []
  var voltages: [VoltageState] = []
  var powercaps: [PowercapState] = []
  var powercapParents: [Int] = []
  var pins: [PinState] = []
  var groups: [PinState] = []
  var groupPins: [[Int]] = []
  var functionGroups: [[Int]] = []
  /// By agent: trip points of sensors, by the agent's identifier. One that is missing has none set.
  var tripPoints: [[UInt32: [TripPoint]]] = []
  /// By agent: measurement thresholds of power caps, by the agent's identifier.
  var powercapThresholds: [[UInt32: (low: UInt32, high: UInt32)]] = []
  var vendors: [any VendorProtocol] = []
  /// Asynchronous operations under way, `agent × ProtocolIdentifier.count + protocol`.
  var asynchronousCounts: [Int] = []

  /// The latest time that was handed in.
  public internal(set) var now: UInt64 = 0
  /// Descending by due time and order.
  var timers: [Timer] = []
  var timerOrder: UInt64 = 0
  var recurrences = RecurrenceQueue()
  /// By the number that their recurrences have.
  var storms: [UInt64: Storm] = [:]
  var stormNumber: UInt64 = 0
  /// Samples that were skipped since time ran ahead of their computation.
  public internal(set) var missedSamples: UInt64 = 0
  /// The due time of the first timer or recurrence, or the maximum.
  var deadline = UInt64.max
  var outgoing = OutgoingQueue()
  var events: [PlatformEvent] = []

  var rules: [RuleState] = []
  /// What the matching rule changes about the asynchronous operation that the running request starts.
  var asynchronousMisbehaviour: Misbehaviour?
  /// Whether ``takeTranscript()`` has something to give. Off by default: the hot path then records nothing.
  public var isRecording = false {
    didSet { isInstrumented = isRecording || !rules.isEmpty }
  }
  var isInstrumented = false
  /// Whether a rule is about what is sent without a request.
  var hasEventRules = false
  /// Of all rules that there ever were, each name once: messages are on their way when a rule goes.
  var ruleNames: [String] = []
  var transcript: [TranscriptRecord] = []
  var transcriptSequence: UInt64 = 0
  /// Explanations of the decision that is being made.
  var explanations: [String] = []

  /// A definition that was checked: ``init(_:vendors:)`` of `SCMIFile` does so, and is the one way in.
  package init(valid definition: PlatformDefinition, vendors: [any VendorProtocol]) {
    self.definition = definition
    self.vendors = vendors + definition.vendorProtocols.map { VendorTable(definition: $0) }
    agents = definition.agents.map { AgentState(definition: $0) }
    setUpResources()
    setUpAgents()
    for rule in definition.rules { addRule(rule) }
    for (index, step) in definition.script.enumerated() { schedule(step.time, .script(index)) }
  }

  /// Answers one request.
  ///
  /// - Parameters:
  ///   - agent: who asks.
  ///   - ticket: comes back with a reply that is late.
  ///   - now: nanoseconds; a time before the latest one counts as the latest one.
  ///   - reply: holds the reply where the result is ``Disposition/reply``.
  /// - Precondition: the agent exists.
  public mutating func handle(
    _ request: SCMIMessage,
    from agent: Int,
    ticket: UInt64 = 0,
    at now: UInt64,
    reply: inout SCMIMessage
  ) -> Disposition {
    // What is due happens at its own time, not at the request's.
    if deadline <= now { advance(to: now) } else if now > self.now { self.now = now }
    if isInstrumented { return handleInstrumented(request, from: agent, ticket: ticket, reply: &reply) }
    answer(request, from: agent, reply: &reply)
    return .reply
  }

  /// The same for bytes as they came: what is no message at all is judged here.
  ///
  /// Bytes too short for a header cannot be answered (``Disposition/empty``); too many are answered with
  /// PROTOCOL_ERROR.
  public mutating func handle(
    bytes: Span<UInt8>,
    from agent: Int,
    ticket: UInt64 = 0,
    at now: UInt64,
    reply: inout SCMIMessage
  ) -> Disposition {
    do throws(SCMIMessage.DecodingError) {
      return handle(try SCMIMessage(bytes: bytes), from: agent, ticket: ticket, at: now, reply: &reply)
    } catch {
      return refuse(error, byteCount: bytes.count, from: agent, at: now, reply: &reply)
    }
  }

  private mutating func refuse(
    _ error: SCMIMessage.DecodingError,
    byteCount: Int,
    from agent: Int,
    at now: UInt64,
    reply: inout SCMIMessage
  ) -> Disposition {
    advance(to: now)
    switch error {
    case .truncated:
      record(
        .malformed,
        agent: agent,
        SCMIMessage(header: MessageHeader(rawValue: 0)),
        "\(byteCount) bytes are no header"
      )
      return .empty
    case .oversized(let header):
      let request = SCMIMessage(header: header)
      reply = SCMIMessage(replyTo: request)
      reply.status = .protocolError
      record(.malformed, agent: agent, request, "\(byteCount) bytes are more than \(SCMIMessage.maximumSize)")
      record(.reply, agent: agent, reply)
      return .reply
    }
  }

  /// The reply that a platform without misbehaviour gives.
  mutating func answer(_ request: SCMIMessage, from agent: Int, reply: inout SCMIMessage) {
    reply = SCMIMessage(replyTo: request)
    do {
      try dispatch(request, from: agent, &reply)
      reply.status = .success
    } catch {
      reply.resize(to: 4)
      reply.status = error
    }
  }

  private mutating func dispatch(_ request: SCMIMessage, from agent: Int, _ reply: inout SCMIMessage) throws(SCMIStatus)
  {
    let header = request.header
    guard header.isWellFormedCommand else { throw .protocolError }
    if agents[agent].definition.messagesPerSecond != 0 { try spendQuota(agent) }
    let index = Int(header.protocolIdentifier) - 0x10
    guard index >= 0, index < ProtocolIdentifier.count else {
      return try vendorMessage(request, from: agent, &reply)
    }
    let access = protocols[agent * ProtocolIdentifier.count + index]
    guard access.isPresent else { throw .notSupported }
    let message = UInt32(header.message)
    guard message < 32, access.implemented & (1 << message) != 0 else {
      // One that the specification has, but not this version or this agent, is not supported.
      throw message < 32 && MessageSet.specified[index] & 1 << message != 0 ? .notSupported : .notFound
    }
    guard access.denied & (1 << message) == 0 else { throw .denied }
    let context = Context(agent: agent, version: access.version, header: header)
    switch (message, index) {
    case (0...2, _), (UInt32(CommonMessage.negotiateVersion.rawValue), _):
      try commonMessage(request, context, access, &reply)
    case (_, 4): try clockMessage(request, context, &reply)
    case (_, 3): try performanceMessage(request, context, &reply)
    case (_, 1): try powerDomainMessage(request, context, &reply)
    case (_, 5): try sensorMessage(request, context, &reply)
    case (_, 7): try voltageMessage(request, context, &reply)
    case (_, 6): try resetMessage(request, context, &reply)
    case (_, 8): try powercapMessage(request, context, &reply)
    case (_, 9): try pinControlMessage(request, context, &reply)
    case (_, 2): try systemPowerMessage(request, context, &reply)
    default: try baseMessage(request, context, &reply)
    }
  }

  /// One message costs 10⁹ / limit nanoseconds of a credit that is at most a second's.
  private mutating func spendQuota(_ agent: Int) throws(SCMIStatus) {
    let second: UInt64 = 1_000_000_000
    let elapsed = now - agents[agent].creditTime
    agents[agent].creditTime = now
    agents[agent].credit = min(agents[agent].credit + min(elapsed, second), second)
    let cost = second / UInt64(agents[agent].definition.messagesPerSecond)
    guard agents[agent].credit >= cost else {
      let limit = agents[agent].definition.messagesPerSecond
      explain("quota: more than \(limit) messages in a second")
      throw .busy
    }
    agents[agent].credit -= cost
  }

  // MARK: - What every handler uses

  /// The slot of the agent's `identifier`, if the agent may do that much with it.
  ///
  /// - Throws: NOT_FOUND for what does not exist for the agent, DENIED for what was taken away.
  @inline(__always)
  func slot(_ kind: ResourceKind, _ identifier: UInt32, _ agent: Int, _ access: Access) throws(SCMIStatus) -> Slot {
    let view = agent * ResourceKind.count + Int(kind.rawValue)
    guard identifier < views[view].slots.count else { throw .notFound }
    let slot = views[view].slots[Int(identifier)]
    guard slot.access >= access else { throw .denied }
    return slot
  }

  /// Whether the agent may send a command of the running request's protocol: what is refused is not promised either.
  func may(_ message: UInt32, _ context: Context) -> Bool {
    let index = Int(context.header.protocolIdentifier) - 0x10
    let access = protocols[context.agent * ProtocolIdentifier.count + index]
    return access.implemented & ~access.denied & 1 << message != 0
  }

  /// Whether the agent may change a resource by a command.
  func may(_ message: UInt32, _ slot: Slot, _ context: Context) -> Bool {
    slot.access == .full && may(message, context)
  }

  /// Changes a slot in place.
  @inline(__always)
  mutating func update(_ kind: ResourceKind, _ identifier: UInt32, _ agent: Int, _ change: (inout Slot) -> Void) {
    change(&views[agent * ResourceKind.count + Int(kind.rawValue)].slots[Int(identifier)])
  }

  func count(_ kind: ResourceKind, _ agent: Int) -> Int {
    views[agent * ResourceKind.count + Int(kind.rawValue)].slots.count
  }

  /// The agent's identifier for a resource, or `nil` where the agent may not see it.
  func identifier(_ kind: ResourceKind, _ resource: Int, for agent: Int) -> UInt32? {
    for holder in holders[Int(kind.rawValue)][resource] where holder.agent == agent {
      let slot = views[agent * ResourceKind.count + Int(kind.rawValue)].slots[Int(holder.identifier)]
      return slot.access == .none ? nil : holder.identifier
    }
    return nil
  }

  /// What `viewer` calls the agent that caused something; `nil` is the platform itself.
  func wireIdentifier(of cause: Int?, for viewer: Int) -> UInt32 {
    guard let cause else { return 0 }
    if agents[viewer].definition.seesOtherAgents { return UInt32(cause) + 1 }
    return cause == viewer ? 1 : 0
  }

  /// Notes a reason for the transcript.
  @inline(__always)
  mutating func explain(_ text: @autoclosure () -> String) {
    if isRecording { explanations.append(text()) }
  }
}

extension SCMIMessage {
  /// - Throws: PROTOCOL_ERROR for any other payload length: that is how SCP-firmware judges it too.
  @inline(__always)
  func expect(_ bytes: Int) throws(SCMIStatus) {
    guard count == bytes else { throw .protocolError }
  }

  /// A word of which only bit 0 may be set: notification enables.
  @inline(__always)
  func enable(word index: Int) throws(SCMIStatus) -> Bool {
    guard self[word: index] <= 1 else { throw .invalidParameters }
    return self[word: index] == 1
  }
}
