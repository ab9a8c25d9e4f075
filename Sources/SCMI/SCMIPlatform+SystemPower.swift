/// System power management, 0x12. Versions 1.0 to 2.1.
extension SCMIPlatform {
  mutating func systemPowerMessage(_ request: SCMIMessage, _ context: Context, _ reply: inout SCMIMessage)
    throws(SCMIStatus)
  {
    switch context.header.message {
    case 3: try systemPowerStateSet(request, context)
    case 4:
      try request.expect(0)
      reply.append(agents[context.agent].systemState)
    default:
      try request.expect(4)
      agents[context.agent].systemNotifications = try request.enable(word: 0) ? 1 : 0
    }
  }

  /// SYSTEM_POWER_STATE_SET: flags (bit 0 graceful), state. The machine acts on the ``PlatformEvent``.
  ///
  /// An agent's system is its own, in both forms, unless policy trusts it with all.
  private mutating func systemPowerStateSet(_ request: SCMIMessage, _ context: Context) throws(SCMIStatus) {
    try request.expect(8)
    let state = request[word: 1]
    guard request[word: 0] & ~1 == 0, state <= 4 || state >= 0x8000_0000 else { throw .invalidParameters }
    guard state < 0x8000_0000 else { throw .notSupported }
    let graceful = request[word: 0] & 1 == 1
    let reached =
      switch agents[context.agent].definition.systemPower {
      case .own: context.agent...context.agent
      case .all: 0...agents.count - 1
      }
    for agent in reached {
      agents[agent].systemState = state
      events.append(.systemPower(agent: agent, state: state, graceful: graceful))
    }
    announceSystemPower(state, graceful: graceful, cause: context.agent, to: reached)
  }

  /// Asks the agents that listen for a graceful transition (or tells them of a forceful one), in the platform's name.
  ///
  /// - Parameter state: 0 shutdown, 1 cold reset, 2 warm reset, 4 suspend.
  /// - Returns: how many agents were told.
  @discardableResult
  public mutating func requestSystemPower(state: UInt32, graceful: Bool, at now: UInt64) -> Int {
    advance(to: now)
    return announceSystemPower(state, graceful: graceful, cause: nil, to: 0...agents.count - 1)
  }

  /// SYSTEM_POWER_STATE_NOTIFIER: agent, flags, state and, from 2.0 on, a timeout in milliseconds.
  @discardableResult
  mutating func announceSystemPower(_ state: UInt32, graceful: Bool, cause: Int?, to reached: ClosedRange<Int>) -> Int {
    var count = 0
    for agent in reached where agents[agent].systemNotifications & 1 != 0 && agents[agent].events {
      let access = protocols[agent * ProtocolIdentifier.count + ProtocolIdentifier.systemPower.index]
      var message = SCMIMessage(
        header: MessageHeader(ProtocolIdentifier.systemPower.rawValue, 0, type: .notification)
      )
      message.append(wireIdentifier(of: cause, for: agent))
      message.append(UInt32(graceful ? 1 : 0))
      message.append(state)
      if access.version >= 0x20000 {
        message.append(state == 0 && graceful ? definition.gracefulTimeout : 0)
      }
      emit(Outgoing(agent: agent, channel: .event, message: message))
      count += 1
    }
    return count
  }

  /// BASE_ERROR_EVENT to every agent that asked for it: agent, error status (bit 31 fatal, 9:0 count), reports.
  ///
  /// - Parameters:
  ///   - agent: whose commands went wrong; `nil` is the platform.
  ///   - reports: one number per command, implementation-defined; those beyond the 15 that fit are left out.
  public mutating func reportError(agent cause: Int? = nil, fatal: Bool, reports: [UInt64], at now: UInt64) {
    advance(to: now)
    announceError(cause: cause, fatal: fatal, reports: reports)
  }

  mutating func announceError(cause: Int?, fatal: Bool, reports: [UInt64]) {
    for agent in agents.indices where agents[agent].baseNotifications & 1 != 0 && agents[agent].events {
      var message = SCMIMessage(header: MessageHeader(ProtocolIdentifier.base.rawValue, 0, type: .notification))
      message.append(wireIdentifier(of: cause, for: agent))
      message.append(UInt32(min(reports.count, 15)) | (fatal ? 1 << 31 : 0))
      for report in reports.prefix(15) { message.append(report) }
      emit(Outgoing(agent: agent, channel: .event, message: message))
    }
  }
}
