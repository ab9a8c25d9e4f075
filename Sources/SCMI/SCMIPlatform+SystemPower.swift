/// System power management, 0x12. Versions 1.0 to 2.1.
extension SCMIPlatform {
  mutating func systemPowerMessage(
    _ message: SystemPowerProtocol.Message,
    _ request: SCMIMessage,
    _ context: Context,
    _ reply: inout SCMIMessage
  ) throws(SCMIStatus) {
    switch message {
    case .stateSet: try systemPowerStateSet(request.fields(), context)
    case .stateGet:
      _ = try request.fields(NoFields.self)
      reply.append(SystemPowerProtocol.State { $0.state = systemPowerState.states[context.agent] })
    case .stateNotify:
      let request: SystemPowerProtocol.StateNotify = try request.fields()
      try request.enable.expectDefined()
      systemPowerState.notifies[context.agent] = request.enable.contains(.enabled)
    }
  }

  /// The machine acts on the ``PlatformEvent``.
  ///
  /// An agent's system is its own, in both forms, unless policy trusts it with all.
  private mutating func systemPowerStateSet(
    _ request: SystemPowerProtocol.StateSet,
    _ context: Context
  ) throws(SCMIStatus) {
    let state = request.state
    try request.flags.expectDefined()
    guard state.isArchitectural || state.isVendors else { throw .invalidParameters }
    guard state.isArchitectural else { throw .notSupported }
    let graceful = request.flags.contains(.graceful)
    let reached =
      switch definition.agents[context.agent].systemPower {
      case .own: context.agent...context.agent
      case .all: 0...agents.count - 1
      }
    for agent in reached {
      systemPowerState.states[agent] = state
      events.append(.systemPower(agent: agent, state: state, graceful: graceful))
    }
    announceSystemPower(state, graceful: graceful, cause: context.agent, to: reached)
  }

  /// Asks the agents that listen for a graceful transition (or tells them of a forceful one), in the platform's name.
  ///
  /// - Parameters:
  ///   - state: shutdown, cold or warm reset, or suspend.
  ///   - graceful: whether they are asked.
  ///   - agent: whom alone; `nil` is everybody.
  ///   - now: nanoseconds; a time before the latest one counts as the latest one.
  /// - Returns: how many agents were told.
  /// - Precondition: the agent exists.
  @discardableResult
  public mutating func requestSystemPower(
    _ state: SystemState,
    graceful: Bool,
    to agent: Int? = nil,
    at now: UInt64
  ) -> Int {
    advance(to: now)
    let reached = agent.map { $0...$0 } ?? 0...agents.count - 1
    return announceSystemPower(state, graceful: graceful, cause: nil, to: reached)
  }

  /// SYSTEM_POWER_STATE_NOTIFIER, from 2.0 on with a timeout in milliseconds.
  @discardableResult
  mutating func announceSystemPower(
    _ state: SystemState,
    graceful: Bool,
    cause: Int?,
    to reached: ClosedRange<Int>
  ) -> Int {
    var count = 0
    for agent in reached where systemPowerState.notifies[agent] && agents[agent].events {
      let fields = SystemPowerProtocol.StateNotifier {
        $0.agent = wireIdentifier(of: cause, for: agent)
        $0.flags = graceful ? .graceful : []
        $0.state = state
        if version(.systemPower, agent) >= .major(2) {
          $0.timeout = state == .shutdown && graceful ? definition.gracefulTimeout : 0
        }
      }
      emit(SystemPowerProtocol.Notification.stateNotifier, fields, to: agent)
      count += 1
    }
    return count
  }

  // MARK: - Errors

  /// BASE_ERROR_EVENT to every agent that asked for it.
  ///
  /// - Parameters:
  ///   - cause: whose commands went wrong; `nil` is the platform.
  ///   - fatal: whether the platform cannot go on as before.
  ///   - reports: one number per command, implementation-defined; those beyond the 15 that fit are left out.
  ///   - now: nanoseconds; a time before the latest one counts as the latest one.
  public mutating func reportError(agent cause: Int? = nil, fatal: Bool, reports: [UInt64], at now: UInt64) {
    advance(to: now)
    announceError(cause: cause, fatal: fatal, reports: reports)
  }

  mutating func announceError(cause: Int?, fatal: Bool, reports: [UInt64]) {
    let part = Array(reports.prefix(BaseProtocol.ErrorStatus.maximumReports))
    for agent in agents.indices where baseState.notifies[agent] && agents[agent].events {
      let fields = BaseProtocol.ErrorEvent {
        $0.agent = wireIdentifier(of: cause, for: agent)
        $0.status = BaseProtocol.ErrorStatus(isFatal: fatal, reports: part.count)
        $0.reports = part
      }
      emit(BaseProtocol.Notification.errorEvent, fields, to: agent)
    }
  }
}
