/// A rule and what it has seen.
struct RuleState: Sendable {
  let rule: MisbehaviourRule
  /// The agent's place, `nil` for any.
  let agent: Int?
  let resource: Int?
  var matches: UInt64 = 0
  var noise: Noise
}

/// Being wrong on purpose. The first rule that matches a request applies; the same seed gives the same mistakes.
extension Platform {
  /// Adds a rule behind the others.
  ///
  /// - Returns: `false` where the rule names an agent or a resource that does not exist.
  @discardableResult
  public mutating func addRule(_ rule: MisbehaviourRule) -> Bool {
    let agent = rule.agent.flatMap { self.agent(named: $0) }
    let resource = rule.resource.flatMap { place($0) }
    guard (rule.agent == nil) == (agent == nil), (rule.resource == nil) == (resource == nil) else { return false }
    rules.append(RuleState(rule: rule, agent: agent, resource: resource, noise: Noise(seed: rule.seed)))
    isInstrumented = true
    return true
  }

  /// Removes every rule of that name.
  public mutating func removeRules(named name: String) {
    rules.removeAll { $0.rule.name == name }
    isInstrumented = isRecording || !rules.isEmpty
  }

  /// The way of a request when somebody watches or rules exist.
  mutating func handleInstrumented(
    _ request: Message,
    from agent: Int,
    ticket: UInt64,
    reply: inout Message
  ) -> Disposition {
    explanations.removeAll()
    record(.request, agent: agent, request)
    let rule = matchingRule(request, agent)
    let action = rule.map { rules[$0].rule.action }
    asynchronousMisbehaviour = action
    if case .status(let status) = action {
      reply = Message(replyTo: request)
      reply.status = status
    } else {
      answer(request, from: agent, reply: &reply)
    }
    asynchronousMisbehaviour = nil
    var disposition = Disposition.reply
    if let rule, let action {
      disposition = misbehave(action, rule, request, agent, ticket, &reply)
    }
    let name = rule.map { rules[$0].rule.name }
    switch disposition {
    case .reply:
      record(.reply, agent: agent, reply, latency: 0, rule: name)
      releaseHeld(agent)
    case .later, .empty, .never:
      record(.withheld, agent: agent, reply, disposition == .later ? "comes later" : "is never sent", rule: name)
    }
    return disposition
  }

  private mutating func matchingRule(_ request: Message, _ agent: Int) -> Int? {
    for index in rules.indices {
      let state = rules[index]
      if let wanted = state.agent, wanted != agent { continue }
      if let wanted = state.rule.protocolIdentifier, wanted != request.header.protocolIdentifier { continue }
      if let wanted = state.rule.message, wanted != request.header.message { continue }
      if let wanted = state.rule.resource, !concerns(request, agent, wanted.kind, state.resource) { continue }
      rules[index].matches += 1
      let matches = rules[index].matches
      guard matches >= state.rule.firstOccurrence else { continue }
      if let times = state.rule.times, matches - state.rule.firstOccurrence >= times { continue }
      if state.rule.probability < 1_000_000 {
        guard rules[index].noise.next() % 1_000_000 < UInt64(state.rule.probability) else { continue }
      }
      return index
    }
    return nil
  }

  /// Whether a request is about a resource.
  private func concerns(_ request: Message, _ agent: Int, _ kind: ResourceKind, _ resource: Int?) -> Bool {
    guard request.header.protocolIdentifier == kind.protocolIdentifier.rawValue, let resource,
      let word = MessageCatalogue.resourceWord(request.header)
    else { return false }
    let identifier = request[word: word]
    let view = agent * ResourceKind.count + Int(kind.rawValue)
    return identifier < views[view].slots.count && Int(views[view].slots[Int(identifier)].resource) == resource
  }

  private mutating func misbehave(
    _ action: Misbehaviour,
    _ rule: Int,
    _ request: Message,
    _ agent: Int,
    _ ticket: UInt64,
    _ reply: inout Message
  ) -> Disposition {
    let late = Outgoing(agent: agent, channel: .reply(ticket: ticket), message: reply, requested: now)
    switch action {
    case .late(let time):
      schedule(after(time), .deliver(late))
      return .later
    case .dropped: return .empty
    case .never, .delayedWithoutReply: return .never
    case .duplicated:
      schedule(now, .deliver(Outgoing(agent: agent, channel: .event, message: reply, requested: now)))
    case .outOfOrder(let time):
      agents[agent].held.append(late)
      schedule(after(time), .releaseHeld(agent: agent))
      return .later
    case .delayedBeforeReply(let time):
      guard let index = timers.firstIndex(where: { $0.order == timerOrder - 1 }),
        case .complete = timers[index].action
      else { break }
      let completion = timers.remove(at: index)
      schedule(now, completion.action)
      schedule(after(time), .deliver(late))
      return .later
    case .unexpectedNotification(let identifier, let message, let payload):
      storm(agent, identifier, message, payload, count: 1, interval: 0)
    case .notificationStorm(let identifier, let message, let payload, let count, let interval):
      storm(agent, identifier, message, payload, count: count, interval: interval)
    default: distort(action, rule, request, &reply)
    }
    return .reply
  }

  private mutating func storm(
    _ agent: Int,
    _ identifier: UInt8,
    _ message: UInt8,
    _ payload: [UInt32],
    count: Int,
    interval: UInt64
  ) {
    guard agents[agent].events else { return }
    let header = MessageHeader(identifier, message, type: .notification)
    let notification = Message(header: header, payload: Array(payload.prefix(32)))
    for index in 0..<UInt64(max(count, 0)) {
      schedule(
        after(index.multipliedReportingOverflow(by: interval).partialValue),
        .deliver(Outgoing(agent: agent, channel: .event, message: notification))
      )
    }
  }

  /// Mistakes in the reply itself.
  private mutating func distort(_ action: Misbehaviour, _ rule: Int, _ request: Message, _ reply: inout Message) {
    switch action {
    case .wrongToken(let offset):
      reply.header.token = UInt16(truncatingIfNeeded: Int(reply.header.token) &+ Int(offset))
    case .wrongProtocol(let identifier): reply.header.protocolIdentifier = identifier
    case .wrongType(let type):
      reply.header.rawValue = reply.header.rawValue & ~0x300 | UInt32(type & 3) << 8
    case .short(let bytes): reply.resize(to: min(max(bytes, 0), reply.count))
    case .long(let bytes):
      let end = min(reply.count + max(bytes, 0), Message.maximumPayload)
      var offset = reply.count
      reply.resize(to: end)
      while offset < end {
        reply[word: offset >> 2] |= 0xA5 << (8 * UInt32(offset & 3))
        offset += 1
      }
    case .garbage:
      for word in 0..<(reply.count + 3) / 4 {
        reply[word: word] = UInt32(truncatingIfNeeded: rules[rule].noise.next())
      }
      // Behind the end words are zero.
      let rest = UInt32(reply.count & 3)
      if rest != 0 { reply[word: reply.count >> 2] &= 1 << (8 * rest) - 1 }
    case .countLie(let offset) where request.header.message == 1 && reply.status == .success:
      let mask: UInt32 = request.header.protocolIdentifier == ProtocolIdentifier.base.rawValue ? 0xFF : 0xFFFF
      let count = UInt32(truncatingIfNeeded: Int(reply[word: 1] & mask) &+ offset) & mask
      reply[word: 1] = reply[word: 1] & ~mask | count
    case .remainingNeverEnds(let remaining):
      guard reply.status == .success, let shift = MessageCatalogue.remainingShift(request.header) else { break }
      let word =
        request.header.protocolIdentifier == ProtocolIdentifier.pinControl.rawValue
          && request.header.message == 5 ? 2 : 1
      let mask = UInt32.max << shift
      reply[word: word] = reply[word: word] & ~mask | UInt32(remaining) << shift
    case .rateTriplet(let returned):
      guard reply.status == .success, reply[word: 1] & 1 << 12 != 0,
        request.header.protocolIdentifier == ProtocolIdentifier.clock.rawValue, request.header.message == 4
      else { break }
      reply[word: 1] = reply[word: 1] & ~0xFFF | UInt32(returned & 0xFFF)
    case .versionLie(let version) where request.header.message == 0 && reply.status == .success:
      reply[word: 1] = version
    default: break
    }
  }

  mutating func releaseHeld(_ agent: Int) {
    let held = agents[agent].held
    guard !held.isEmpty else { return }
    agents[agent].held = []
    for message in held { emit(message) }
  }
}
