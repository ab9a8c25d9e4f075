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

  var baseState = BaseState()
  var powerDomainState = PowerDomainState()
  var systemPowerState = SystemPowerState()
  var performanceState = PerformanceState()
  var clockState = ClockState()
  var sensorState = SensorState()
  var resetState = ResetState()
  var voltageState = VoltageState()
  var powercapState = PowercapState()
  var pinControlState = PinControlState()
  /// Places of each clock's possible parents.
  var clockParents: [[Int]] = []
  /// Places of the power caps' parents, −1 for none.
  var powercapParents: [Int] = []
  var groupPins: [[Int]] = []
  var functionGroups: [[Int]] = []
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
    agents = definition.agents.map { _ in AgentState() }
    setUpResources()
    setUpAgents()
    for rule in definition.rules { addRule(rule) }
    for (index, step) in definition.script.enumerated() { schedule(step.time, .script(index)) }
  }

  /// Answers one request.
  ///
  /// - Parameters:
  ///   - request: as it came, whatever it is.
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
    if definition.agents[agent].messagesPerSecond != 0 { try spendQuota(agent) }
    guard let identifier = ProtocolIdentifier(rawValue: header.protocolIdentifier) else {
      return try vendorMessage(request, from: agent, &reply)
    }
    let access = protocols[agent * ProtocolIdentifier.count + identifier.index]
    guard access.isPresent else { throw .notSupported }
    let number = header.message
    guard number < MessageSet.limit, access.implemented & MessageSet.bit(number) != 0 else {
      // One that the specification has, but not this version or this agent, is not supported.
      let isSpecified =
        number < MessageSet.limit && MessageSet.specified[identifier.index] & MessageSet.bit(number) != 0
      throw isSpecified ? .notSupported : .notFound
    }
    guard access.denied & MessageSet.bit(number) == 0 else { throw .denied }
    let context = Context(agent: agent, identifier: identifier, version: ProtocolVersion(rawValue: access.version))
    switch identifier {
    case .clock:
      if let message = ClockProtocol.Message(rawValue: number) {
        return try clockMessage(message, request, context, &reply)
      }
    case .performance:
      if let message = PerformanceProtocol.Message(rawValue: number) {
        return try performanceMessage(message, request, context, &reply)
      }
    case .powerDomain:
      if let message = PowerDomainProtocol.Message(rawValue: number) {
        return try powerDomainMessage(message, request, context, &reply)
      }
    case .sensor:
      if let message = SensorProtocol.Message(rawValue: number) {
        return try sensorMessage(message, request, context, &reply)
      }
    case .voltage:
      if let message = VoltageProtocol.Message(rawValue: number) {
        return try voltageMessage(message, request, context, &reply)
      }
    case .reset:
      if let message = ResetProtocol.Message(rawValue: number) {
        return try resetMessage(message, request, context, &reply)
      }
    case .powercap:
      if let message = PowercapProtocol.Message(rawValue: number) {
        return try powercapMessage(message, request, context, &reply)
      }
    case .pinControl:
      if let message = PinControlProtocol.Message(rawValue: number) {
        return try pinControlMessage(message, request, context, &reply)
      }
    case .systemPower:
      if let message = SystemPowerProtocol.Message(rawValue: number) {
        return try systemPowerMessage(message, request, context, &reply)
      }
    case .base:
      if let message = BaseProtocol.Message(rawValue: number) {
        return try baseMessage(message, request, context, &reply)
      }
    }
    guard let message = CommonMessage(rawValue: number) else { throw .notFound }
    try commonMessage(message, identifier, request, context, access, &reply)
  }

  /// One message costs 10⁹ / limit nanoseconds of a credit that is at most a second's.
  private mutating func spendQuota(_ agent: Int) throws(SCMIStatus) {
    let second: UInt64 = 1_000_000_000
    let elapsed = now - agents[agent].creditTime
    agents[agent].creditTime = now
    agents[agent].credit = min(agents[agent].credit + min(elapsed, second), second)
    let cost = second / UInt64(definition.agents[agent].messagesPerSecond)
    guard agents[agent].credit >= cost else {
      let limit = definition.agents[agent].messagesPerSecond
      explain("quota: more than \(limit) messages in a second")
      throw .busy
    }
    agents[agent].credit -= cost
  }

  // MARK: - What every handler uses

  /// The grant of the agent's `identifier`, if the agent may do that much with it.
  ///
  /// - Throws: NOT_FOUND for what does not exist for the agent, DENIED for what was taken away.
  @inline(__always)
  func grant(_ kind: ResourceKind, _ identifier: UInt32, _ agent: Int, _ access: Access) throws(SCMIStatus) -> Grant {
    let view = agent * ResourceKind.count + Int(kind.rawValue)
    guard identifier < views[view].grants.count else { throw .notFound }
    let grant = views[view].grants[Int(identifier)]
    guard grant.access >= access else { throw .denied }
    return grant
  }

  /// Whether the agent may send a command: what is refused is not promised either.
  func may(_ command: some SCMICommand, _ context: Context) -> Bool {
    let access = protocols[context.agent * ProtocolIdentifier.count + command.identifier.index]
    return access.allowed & MessageSet.bit(command.rawValue) != 0
  }

  /// Whether the agent may change a resource by a command.
  func may(_ command: some SCMICommand, _ grant: Grant, _ context: Context) -> Bool {
    grant.access == .full && may(command, context)
  }

  /// The version of a protocol that an agent speaks.
  func version(_ identifier: ProtocolIdentifier, _ agent: Int) -> ProtocolVersion {
    ProtocolVersion(rawValue: protocols[agent * ProtocolIdentifier.count + identifier.index].version)
  }

  /// Changes a grant in place.
  @inline(__always)
  mutating func update(_ kind: ResourceKind, _ identifier: UInt32, _ agent: Int, _ change: (inout Grant) -> Void) {
    change(&views[agent * ResourceKind.count + Int(kind.rawValue)].grants[Int(identifier)])
  }

  func count(_ kind: ResourceKind, _ agent: Int) -> Int {
    views[agent * ResourceKind.count + Int(kind.rawValue)].grants.count
  }

  /// The agent's identifier for a resource, or `nil` where the agent may not see it.
  func identifier(_ kind: ResourceKind, _ resource: Int, for agent: Int) -> UInt32? {
    for holder in holders[Int(kind.rawValue)][resource] where holder.agent == agent {
      let grant = views[agent * ResourceKind.count + Int(kind.rawValue)].grants[Int(holder.identifier)]
      return grant.access == .none ? nil : holder.identifier
    }
    return nil
  }

  /// What `viewer` calls the agent that caused something; `nil` is the platform itself.
  func wireIdentifier(of cause: Int?, for viewer: Int) -> UInt32 {
    guard let cause else { return 0 }
    if definition.agents[viewer].seesOtherAgents { return UInt32(cause) + 1 }
    return cause == viewer ? 1 : 0
  }

  /// Notes a reason for the transcript.
  @inline(__always)
  mutating func explain(_ text: @autoclosure () -> String) {
    if isRecording { explanations.append(text()) }
  }
}
