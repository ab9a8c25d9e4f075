/// Taking a platform's state out and putting it back, for a snapshot.
extension SCMIPlatform {
  /// All that a platform of one definition has come to: what agents asked for, what holds, what is due and what waits.
  ///
  /// What stays outside is its owner's: the definition, closures that sensors ask, and who reads the transcript. Any
  /// encoder takes it. It is a plain value; one that comes from elsewhere is checked by ``SCMIPlatform/restore(_:)``.
  public struct State: Sendable {
    /// The form of this structure. What has another number is refused.
    public static let currentVersion: UInt32 = 1

    /// The form that the value has.
    public internal(set) var version = State.currentVersion

    var now: UInt64 = 0
    var agents: [AgentState] = []
    var protocols: [ProtocolAccess] = []
    var views: [View] = []
    var holders: [[[Holder]]] = []
    var base = BaseState()
    var powerDomain = PowerDomainState()
    var systemPower = SystemPowerState()
    var performance = PerformanceState()
    var clock = ClockState()
    var sensor = SensorState()
    var reset = ResetState()
    var voltage = VoltageState()
    var powercap = PowercapState()
    var pinControl = PinControlState()
    /// By vendor protocol, in the platform's order.
    var vendors: [[UInt8]] = []
    var timers: [Timer] = []
    var timerOrder: UInt64 = 0
    var recurrences: [Recurrence] = []
    var storms: [UInt64: Storm] = [:]
    var stormNumber: UInt64 = 0
    var missedSamples: UInt64 = 0
    var outgoing = OutgoingQueue()
    var events: [PlatformEvent] = []
    var rules: [RuleState] = []
    var ruleNames: [String] = []
    var transcriptSequence: UInt64 = 0
  }

  /// What the platform has come to. Lines of the transcript that nobody has taken yet are not in it.
  public var state: State {
    State(
      now: now,
      agents: agents,
      protocols: protocols,
      views: views,
      holders: holders,
      base: baseState,
      powerDomain: powerDomainState,
      systemPower: systemPowerState,
      performance: performanceState,
      clock: clockState,
      sensor: sensorState,
      reset: resetState,
      voltage: voltageState,
      powercap: powercapState,
      pinControl: pinControlState,
      vendors: vendors.map(\.state),
      timers: timers,
      timerOrder: timerOrder,
      recurrences: recurrences.elements,
      storms: storms,
      stormNumber: stormNumber,
      missedSamples: missedSamples,
      outgoing: outgoing,
      events: events,
      rules: rules,
      ruleNames: ruleNames,
      transcriptSequence: transcriptSequence
    )
  }

  /// Goes on where another platform of the same definition was: its time is this one's from now on.
  ///
  /// - Throws: what does not fit this platform's definition; nothing is changed then.
  public mutating func restore(_ state: State) throws(SCMIStateError) {
    try check(state)
    for (index, vendor) in state.vendors.enumerated() {
      guard vendors[index].restore(vendor) else { throw .invalid(field: "vendors") }
    }
    now = state.now
    agents = state.agents
    protocols = state.protocols
    views = state.views
    holders = state.holders
    baseState = state.base
    powerDomainState = state.powerDomain
    systemPowerState = state.systemPower
    performanceState = state.performance
    clockState = state.clock
    sensorState = state.sensor
    resetState = state.reset
    voltageState = state.voltage
    powercapState = state.powercap
    pinControlState = state.pinControl
    timers = state.timers
    timerOrder = state.timerOrder
    recurrences = RecurrenceQueue()
    for recurrence in state.recurrences { recurrences.insert(recurrence) }
    storms = state.storms
    stormNumber = state.stormNumber
    missedSamples = state.missedSamples
    outgoing = state.outgoing
    events = state.events
    rules = state.rules
    ruleNames = state.ruleNames
    transcriptSequence = state.transcriptSequence
    countPending()
    rulesChanged()
    updateDeadline()
  }

  /// Whether ``restore(_:)`` takes a state, as far as it can be told without it: all but vendors' own.
  ///
  /// - Throws: what does not fit.
  public func check(_ state: State) throws(SCMIStateError) {
    guard state.version == State.currentVersion else { throw .unknownVersion(state.version) }
    try StateCheck(definition, state, vendorCount: vendors.count).check()
  }

  /// Counts that follow from what waits.
  private mutating func countPending() {
    asynchronousCounts = [Int](repeating: 0, count: agents.count * ProtocolIdentifier.count)
    for agent in agents.indices {
      agents[agent].outstandingResponses = 0
      agents[agent].scheduled = 0
      agents[agent].queued = outgoing.count(for: agent)
    }
    for timer in timers {
      switch timer.action {
      case .complete(let operation):
        agents[operation.agent].outstandingResponses += 1
        asynchronousCounts[operation.agent * ProtocolIdentifier.count + operation.identifier.index] += 1
      case .deliverEvent(let outgoing): agents[outgoing.agent].scheduled += 1
      case .deliver, .script, .releaseHeld: break
      }
    }
  }
}

/// Why a state cannot be put into a platform.
public enum SCMIStateError: Error, Equatable, Sendable {
  /// It has a form that this library does not know.
  case unknownVersion(UInt32)
  /// A field does not fit the platform's definition, or no platform would have come to it.
  case invalid(field: String)
}

extension SCMIStateError: CustomStringConvertible {
  /// What is wrong and what to do.
  public var description: String {
    switch self {
    case .unknownVersion(let version):
      "the SCMI platform's state has the version \(version), and this one knows \(SCMIPlatform.State.currentVersion)"
    case .invalid(let field):
      "the SCMI platform's state does not fit its definition (\(field)): give the platform file that it was made with"
    }
  }
}

/// Whether a state is one that a platform of a definition can come to, as far as the platform depends on it.
private struct StateCheck {
  private let definition: PlatformDefinition
  private let state: SCMIPlatform.State
  private let vendorCount: Int
  /// By kind: how many resources there are.
  private let counts: [Int]
  /// Beyond what a counter reaches that goes up by one.
  private static let counterLimit: UInt64 = 1 << 62

  init(_ definition: PlatformDefinition, _ state: SCMIPlatform.State, vendorCount: Int) {
    self.definition = definition
    self.state = state
    self.vendorCount = vendorCount
    counts = ResourceKind.allCases.map { definition.names($0).count }
  }

  func check() throws(SCMIStateError) {
    try expect(vendorCount == state.vendors.count, "vendors")
    try agents()
    try views()
    try resources()
    try pending()
    try rules()
  }

  private func expect(_ condition: Bool, _ field: String) throws(SCMIStateError) {
    guard condition else { throw .invalid(field: field) }
  }

  private func count(_ kind: ResourceKind) -> Int { counts[Int(kind.rawValue)] }

  private func isAgent(_ agent: Int) -> Bool { definition.agents.indices.contains(agent) }

  private func agents() throws(SCMIStateError) {
    let count = definition.agents.count
    let second: UInt64 = 1_000_000_000
    try expect(state.agents.count == count, "agents")
    try expect(state.protocols.count == count * ProtocolIdentifier.count, "protocols")
    try expect(state.base.notifies.count == count, "base")
    try expect(state.systemPower.notifies.count == count && state.systemPower.states.count == count, "systemPower")
    for agent in state.agents {
      try expect(agent.credit <= second && agent.creditTime <= state.now, "agents")
      try expect(agent.held.allSatisfy(isPossible), "agents")
    }
  }

  private func views() throws(SCMIStateError) {
    try expect(state.views.count == definition.agents.count * ResourceKind.count, "views")
    for (index, view) in state.views.enumerated() {
      guard let kind = ResourceKind(rawValue: UInt8(index % ResourceKind.count)) else { continue }
      try expect(view.grants.count <= count(kind), "views")
      try expect(view.grants.allSatisfy { isPossible($0, kind) }, "views")
    }
    try expect(state.holders.count == ResourceKind.count, "holders")
    var held = 0
    for kind in ResourceKind.allCases {
      let holders = state.holders[Int(kind.rawValue)]
      try expect(holders.count == count(kind), "holders")
      for (resource, list) in holders.enumerated() {
        held += list.count
        try expect(list.allSatisfy { holds($0, kind, resource) }, "holders")
        try expect(Set(list.map(\.agent)).count == list.count, "holders")
      }
    }
    try expect(held == state.views.reduce(0) { $0 + $1.grants.count }, "holders")
  }

  private func isPossible(_ grant: Grant, _ kind: ResourceKind) -> Bool {
    guard grant.resource < count(kind) else { return false }
    return switch kind {
    case .clock: grant.value >= 0
    case .powerDomain, .performanceDomain, .powercapDomain: UInt32(exactly: grant.value) != nil
    case .voltageDomain: Int32(exactly: grant.value) != nil
    case .sensor, .resetDomain, .pin, .group, .function: true
    }
  }

  private func holds(_ holder: Holder, _ kind: ResourceKind, _ resource: Int) -> Bool {
    guard isAgent(holder.agent) else { return false }
    let grants = state.views[holder.agent * ResourceKind.count + Int(kind.rawValue)].grants
    return holder.identifier < grants.count && grants[Int(holder.identifier)].resource == UInt32(resource)
  }

  private func resources() throws(SCMIStateError) {
    let agents = definition.agents.count
    try expect(state.powerDomain.domains.count == count(.powerDomain), "powerDomain")
    try expect(state.performance.domains.count == count(.performanceDomain), "performance")
    let clocks = state.clock.clocks
    try expect(clocks.count == count(.clock), "clock")
    try expect(clocks.allSatisfy { $0.rate <= UInt64(Int64.max) && (-1..<clocks.count).contains($0.parent) }, "clock")
    try expect(state.sensor.sensors.count == count(.sensor) && state.sensor.tripPoints.count == agents, "sensor")
    for agent in 0..<agents {
      let grants = state.views[agent * ResourceKind.count + Int(ResourceKind.sensor.rawValue)].grants
      for (identifier, trips) in state.sensor.tripPoints[agent] {
        try expect(identifier < grants.count, "sensor")
        let sensor = definition.sensors[Int(grants[Int(identifier)].resource)]
        try expect(trips.count == Int(sensor.tripPoints), "sensor")
      }
    }
    let domains = state.reset.domains
    try expect(domains.count == count(.resetDomain), "reset")
    try expect(domains.allSatisfy { $0.count < Self.counterLimit }, "reset")
    try expect(state.voltage.domains.count == count(.voltageDomain), "voltage")
    try expect(
      state.powercap.domains.count == count(.powercapDomain) && state.powercap.thresholds.count == agents,
      "powercap"
    )
    try expect(state.pinControl.pins.count == count(.pin), "pinControl")
    try expect(state.pinControl.groups.count == count(.group), "pinControl")
    let elements = state.pinControl.pins + state.pinControl.groups
    let functions = -1..<count(.function)
    try expect(
      elements.allSatisfy { (-1..<agents).contains($0.owner) && functions.contains($0.function) },
      "pinControl"
    )
  }

  private func pending() throws(SCMIStateError) {
    try expect(
      state.timerOrder < Self.counterLimit && state.stormNumber < Self.counterLimit
        && state.transcriptSequence < Self.counterLimit,
      "timerOrder"
    )
    let isSorted = zip(state.timers, state.timers.dropFirst()).allSatisfy { ($0.due, $0.order) >= ($1.due, $1.order) }
    try expect(isSorted && state.timers.allSatisfy { isPossible($0.action) }, "timers")
    for recurrence in state.recurrences {
      let isPossible =
        switch recurrence.action {
        case .sampleSensor(let sensor): (0..<count(.sensor)).contains(sensor)
        case .samplePowercap(let domain): (0..<count(.powercapDomain)).contains(domain)
        case .storm(let number): state.storms[number] != nil
        }
      try expect(isPossible, "recurrences")
    }
    try expect(state.storms.values.allSatisfy { isPossible($0.message) }, "storms")
    try expect(state.outgoing.waiting.allSatisfy(isPossible), "outgoing")
    for event in state.events {
      switch event {
      case .systemPower(let agent, _, _): try expect(isAgent(agent), "events")
      case .interrupt(let consumer, let line, _):
        let consumers = definition.tree.consumers
        try expect(
          consumers.indices.contains(consumer) && consumers[consumer].interrupts.indices.contains(line),
          "events"
        )
      }
    }
  }

  private func isPossible(_ action: Timer.Action) -> Bool {
    switch action {
    case .deliver(let outgoing), .deliverEvent(let outgoing): isPossible(outgoing)
    case .complete(let operation):
      isAgent(operation.agent) && operation.requested <= state.now
        && operation.request.header.protocolIdentifier == operation.identifier.rawValue
        && operation.identifier.row(operation.request.header.message)?.delayed != nil
    case .script(let index): definition.script.indices.contains(index)
    case .releaseHeld(let agent): isAgent(agent)
    }
  }

  private func isPossible(_ outgoing: Outgoing) -> Bool {
    isAgent(outgoing.agent) && outgoing.requested ?? 0 <= state.now
      && outgoing.rule.map { state.ruleNames.indices.contains($0) } ?? true
  }

  private func rules() throws(SCMIStateError) {
    for state in state.rules {
      let rule = state.rule
      let agent = rule.agent.flatMap { name in definition.agents.firstIndex { $0.name == name } }
      let resource = rule.resource.flatMap { definition.names($0.kind).firstIndex(of: $0.name) }
      try expect(agent == state.agent && resource == state.resource, "rules")
      try expect(state.matches < Self.counterLimit && self.state.ruleNames.contains(rule.name), "rules")
      guard case .alter(let alterations) = rule.action else { continue }
      try expect(alterations.allSatisfy(\.isWithinMessage), "rules")
    }
  }
}

extension Alteration {
  /// Whether its bytes lie within ``SCMIMessage/maximumSize``.
  fileprivate var isWithinMessage: Bool {
    [1, 2, 4].contains(width) && (0...SCMIMessage.maximumSize - width).contains(offset)
  }
}
