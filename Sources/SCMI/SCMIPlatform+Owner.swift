/// What the machine's owner sees of a running platform, and does to it in an agent's stead.
extension SCMIPlatform {
  /// What an agent has asked for of a resource.
  public struct Vote: Equatable, Sendable {
    /// The agent's place in the definition.
    public var agent: Int
    /// What the agent may do with the resource.
    public var access: Access
    /// The value that it asked for: Hz, level, microvolts, power state or power cap; `nil` where it asked for none.
    public var value: Int64?
    /// Whether it asked for on or for off; `nil` where it asked for neither.
    public var isOn: Bool?
    /// The performance levels that it allows; `nil` where it limits none.
    public var limits: ClosedRange<UInt32>?
  }

  /// What each agent that has a resource has asked for; `nil` where there is no such resource.
  public func votes(for resource: ResourceName) -> [Vote]? {
    guard let place = place(resource) else { return nil }
    return holders[Int(resource.kind.rawValue)][place].map { holder in
      let grant = grant(of: holder, resource.kind)
      return Vote(
        agent: holder.agent,
        access: grant.access,
        value: grant.votes.contains(.value) ? grant.value : nil,
        isOn: grant.votes.contains(.state) ? grant.votes.contains(.isOn) : nil,
        limits: grant.votes.contains(.limits) && grant.lower <= grant.upper ? grant.lower...grant.upper : nil
      )
    }
  }

  /// The rules that hold, in their order, with how many messages each has matched.
  public var activeRules: [(rule: MisbehaviourRule, matches: UInt64)] { rules.map { ($0.rule, $0.matches) } }

  /// Does what a step of the script does when its time has come. What the action names has to be there.
  ///
  /// - Parameters:
  ///   - action: what is done.
  ///   - now: nanoseconds; a time before the latest one counts as the latest one.
  public mutating func perform(_ action: ScriptAction, at now: UInt64) {
    advance(to: now)
    perform(action)
  }

  /// Asks for something of a resource in an agent's name, as its driver would, and with all that follows: policies,
  /// permissions, misbehaviour, notifications, the transcript.
  ///
  /// - Parameters:
  ///   - agent: in whose name.
  ///   - resource: of what.
  ///   - value: Hz of a clock, level of a performance domain (its index, with level indexing), microvolts of a
  ///     regulator, state of a power domain, cap; or `nil`.
  ///   - isOn: whether a clock or a regulator is to be on; `nil` leaves it.
  ///   - now: nanoseconds; a time before the latest one counts as the latest one.
  /// - Returns: what the platform answered; `nil` where a rule withholds the answer. NOT_SUPPORTED where nobody asks
  ///   for such a thing of the kind, NOT_FOUND where the agent has no such resource.
  /// - Precondition: the agent exists.
  public mutating func vote(
    _ agent: Int,
    for resource: ResourceName,
    value: Int64?,
    isOn: Bool?,
    at now: UInt64
  ) -> SCMIStatus? {
    advance(to: now)
    guard let identifier = view(of: agent).identifier(resource.kind, resource.name) else { return .notFound }
    var requests: [SCMIMessage] = []
    if let value {
      guard let request = Self.request(resource.kind, identifier, value) else { return .invalidParameters }
      requests.append(request)
    }
    if let isOn {
      guard let request = self.request(resource.kind, identifier, isOn: isOn, agent) else { return .notSupported }
      requests.append(request)
    }
    var status: SCMIStatus? = .success
    for request in requests {
      var reply = SCMIMessage(replyTo: request)
      let disposition = handle(request, from: agent, at: now, reply: &reply)
      guard disposition == .reply else { return nil }
      status = reply.status
      guard status == .success else { break }
    }
    return status
  }

  private static func request(_ kind: ResourceKind, _ identifier: UInt32, _ value: Int64) -> SCMIMessage? {
    switch kind {
    case .clock:
      guard let rate = UInt64(exactly: value) else { return nil }
      let fields = ClockProtocol.RateSet {
        $0.clock = identifier
        $0.rate = rate
      }
      return SCMIMessage(header: MessageHeader(ClockProtocol.Message.rateSet), fields)
    case .powerDomain:
      guard let state = UInt32(exactly: value) else { return nil }
      let fields = PowerDomainProtocol.StateSet {
        $0.domain = identifier
        $0.state = state
      }
      return SCMIMessage(header: MessageHeader(PowerDomainProtocol.Message.stateSet), fields)
    case .performanceDomain:
      guard let level = UInt32(exactly: value) else { return nil }
      let fields = PerformanceProtocol.LevelSet {
        $0.domain = identifier
        $0.level = level
      }
      return SCMIMessage(header: MessageHeader(PerformanceProtocol.Message.levelSet), fields)
    case .voltageDomain:
      guard let level = Int32(exactly: value) else { return nil }
      let fields = VoltageProtocol.LevelSet {
        $0.domain = identifier
        $0.level = level
      }
      return SCMIMessage(header: MessageHeader(VoltageProtocol.Message.levelSet), fields)
    case .powercapDomain:
      guard let cap = UInt32(exactly: value) else { return nil }
      let fields = PowercapProtocol.CapSet {
        $0.domain = identifier
        $0.cap = cap
      }
      return SCMIMessage(header: MessageHeader(PowercapProtocol.Message.capSet), fields)
    case .sensor, .resetDomain, .pin, .group, .function: return nil
    }
  }

  private func request(_ kind: ResourceKind, _ identifier: UInt32, isOn: Bool, _ agent: Int) -> SCMIMessage? {
    switch kind {
    case .clock:
      let fields = ClockProtocol.ConfigSet {
        $0.clock = identifier
        $0.attributes = ClockProtocol.ConfigAttributes(isOn ? .enable : .disable)
        if version(.clock, agent) >= .major(3) { $0.extendedValue = 0 }
      }
      return SCMIMessage(header: MessageHeader(ClockProtocol.Message.configSet), fields)
    case .voltageDomain:
      let fields = VoltageProtocol.ConfigSet {
        $0.domain = identifier
        $0.mode = isOn ? .on : .off
      }
      return SCMIMessage(header: MessageHeader(VoltageProtocol.Message.configSet), fields)
    default: return nil
    }
  }
}
