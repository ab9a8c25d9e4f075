/// A rule and what it has seen.
struct RuleState: Sendable {
  var rule = MisbehaviourRule()
  /// The agent's place, `nil` for any.
  var agent: Int?
  var resource: Int?
  var matches: UInt64 = 0
  var noise = Noise(seed: 0)
}

/// Being wrong on purpose. The first rule that matches a request applies; the same seed gives the same mistakes.
extension SCMIPlatform {
  /// Adds a rule behind the others.
  ///
  /// - Returns: `false` where the rule names an agent or a resource that does not exist.
  @discardableResult
  public mutating func addRule(_ rule: MisbehaviourRule) -> Bool {
    let agent = rule.agent.flatMap { self.agent(named: $0) }
    let resource = rule.resource.flatMap { place($0) }
    guard (rule.agent == nil) == (agent == nil), (rule.resource == nil) == (resource == nil) else { return false }
    if !ruleNames.contains(rule.name) { ruleNames.append(rule.name) }
    rules.append(RuleState(rule: rule, agent: agent, resource: resource, noise: Noise(seed: rule.seed)))
    rulesChanged()
    return true
  }

  /// Removes every rule of that name.
  public mutating func removeRules(named name: String) {
    rules.removeAll { $0.rule.name == name }
    rulesChanged()
  }

  mutating func rulesChanged() {
    isInstrumented = isRecording || !rules.isEmpty
    hasEventRules = rules.contains { $0.rule.target != .reply }
  }

  /// The way of a request when somebody watches or rules exist.
  mutating func handleInstrumented(
    _ request: SCMIMessage,
    from agent: Int,
    ticket: UInt64,
    reply: inout SCMIMessage
  ) -> Disposition {
    explanations.removeAll()
    record(.request, agent: agent, request)
    let rule = matchingRule(.reply, request, agent)
    let action = rule.map { rules[$0].rule.action }
    asynchronousMisbehaviour = action
    if case .status(let status) = action {
      reply = SCMIMessage(replyTo: request)
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

  /// - Parameter message: the request, or what is sent without one.
  private mutating func matchingRule(_ target: MisbehaviourRule.Target, _ message: SCMIMessage, _ agent: Int) -> Int? {
    for index in rules.indices {
      let state = rules[index]
      guard state.rule.target == target else { continue }
      if let wanted = state.agent, wanted != agent { continue }
      if let wanted = state.rule.protocolIdentifier, wanted != message.header.protocolIdentifier { continue }
      if let wanted = state.rule.message, wanted != message.header.message { continue }
      if let wanted = state.rule.resource, !concerns(message, agent, wanted.kind, state.resource) { continue }
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

  /// Whether a message is about a resource.
  private func concerns(_ message: SCMIMessage, _ agent: Int, _ kind: ResourceKind, _ resource: Int?) -> Bool {
    guard message.header.protocolIdentifier == kind.protocolIdentifier.rawValue, let resource else { return false }
    // Behind the agent in a notification, behind the status in a delayed response.
    let place = message.header.type == .command ? MessageCatalogue.resourceWord(message.header) : 1
    guard let place else { return false }
    let identifier = message[word: place]
    let view = agent * ResourceKind.count + Int(kind.rawValue)
    return identifier < views[view].grants.count && Int(views[view].grants[Int(identifier)].resource) == resource
  }

  private mutating func misbehave(
    _ action: Misbehaviour,
    _ rule: Int,
    _ request: SCMIMessage,
    _ agent: Int,
    _ ticket: UInt64,
    _ reply: inout SCMIMessage
  ) -> Disposition {
    let late = Outgoing(agent: agent, channel: .reply(ticket: ticket), message: reply, requested: now)
    switch action {
    case .late(let time):
      schedule(after(time), .deliver(late))
      return .later
    case .dropped: return .empty
    case .never, .delayedWithoutReply: return .never
    case .duplicated:
      scheduleEvent(now, Outgoing(agent: agent, channel: .event, message: reply, requested: now))
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
    let notification = SCMIMessage(header: header, payload: Array(payload.prefix(32)))
    let message = Outgoing(agent: agent, channel: .event, message: notification)
    guard count > 0 else { return }
    guard storms.values.count(where: { $0.message.agent == agent }) < SCMIPlatform.maximumStorms else {
      agents[agent].dropped &+= UInt64(count)
      return
    }
    stormNumber += 1
    storms[stormNumber] = Storm(message: message, remaining: UInt64(count), interval: interval)
    recur(now, .storm(stormNumber))
  }

  /// Mistakes in the reply itself.
  private mutating func distort(_ action: Misbehaviour, _ rule: Int, _ request: SCMIMessage, _ reply: inout SCMIMessage)
  {
    switch action {
    case .wrongToken(let offset):
      reply.header.token = UInt16(truncatingIfNeeded: Int(reply.header.token) &+ Int(offset))
    case .wrongProtocol(let identifier): reply.header.protocolIdentifier = identifier
    case .wrongType(let type):
      reply.header.rawValue =
        reply.header.rawValue & ~MessageHeader.typeMask | UInt32(type) << MessageHeader.typeShift
        & MessageHeader.typeMask
    case .short(let bytes): reply.resize(to: min(max(bytes, 0), reply.count))
    case .long(let bytes):
      let end = min(reply.count + max(bytes, 0), SCMIMessage.maximumPayload)
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
    case .countLie(let offset)
    where request.header.message == CommonMessage.attributes.rawValue && reply.status == .success:
      // Base counts protocols in 8 bits, all others resources in 16.
      let mask: UInt32 = request.header.protocolIdentifier == ProtocolIdentifier.base.rawValue ? 0xFF : 0xFFFF
      let count = UInt32(truncatingIfNeeded: Int(reply[word: 1] & mask) &+ offset) & mask
      reply[word: 1] = reply[word: 1] & ~mask | count
    case .remainingNeverEnds(let remaining):
      guard reply.status == .success, let (word, shift) = MessageCatalogue.remaining(request.header) else { break }
      let mask = UInt32.max << shift
      reply[word: word] = reply[word: word] & ~mask | UInt32(remaining) << shift
    case .rateTriplet(let returned):
      let describeRates = MessageHeader(ClockProtocol.Message.describeRates, token: request.header.token)
      guard reply.status == .success, request.header == describeRates else { break }
      var count = PartCount(word: reply[word: 1], remainingFrom: 16)
      guard count.isRange else { break }
      count.returned = UInt32(returned)
      reply[word: 1] = count.word(remainingFrom: 16)
    case .versionLie(let version)
    where request.header.message == CommonMessage.version.rawValue && reply.status == .success:
      reply[word: 1] = version
    case .alter(let alterations):
      for alteration in alterations { reply.alter(alteration) }
    default: break
    }
  }

  /// What a rule makes of a notification or a delayed response.
  ///
  /// - Returns: the message to send now; `nil` where it is lost or comes later.
  mutating func distorted(_ outgoing: Outgoing) -> Outgoing? {
    let target: MisbehaviourRule.Target
    switch outgoing.message.header.type {
    case .notification: target = .notification
    case .delayedResponse: target = .delayedResponse
    default: return outgoing
    }
    guard let rule = matchingRule(target, outgoing.message, outgoing.agent) else { return outgoing }
    var distorted = outgoing
    let name = rules[rule].rule.name
    distorted.rule = ruleNames.firstIndex(of: name)
    switch rules[rule].rule.action {
    case .dropped, .never:
      record(.withheld, agent: outgoing.agent, outgoing.message, "is never sent", rule: name)
      return nil
    case .late(let time):
      scheduleEvent(after(time), distorted)
      return nil
    case .duplicated: scheduleEvent(now, distorted)
    case let action: distort(action, rule, outgoing.message, &distorted.message)
    }
    return distorted
  }

  mutating func releaseHeld(_ agent: Int) {
    let held = agents[agent].held
    guard !held.isEmpty else { return }
    agents[agent].held = []
    for message in held { emit(message) }
  }
}

extension SCMIMessage {
  /// - Precondition: the alteration's bytes lie within ``SCMIMessage/maximumSize``.
  mutating func alter(_ alteration: Alteration) {
    let (offset, width) = (alteration.offset, alteration.width)
    precondition(offset >= 0 && offset + width <= SCMIMessage.maximumSize, "an alteration lies within a message")
    if offset + width > size { resize(to: offset + width - 4) }
    var value: UInt64 = 0
    for index in 0..<width { value |= UInt64(byte(at: offset + index)) << (8 * UInt64(index)) }
    let operand = UInt64(bitPattern: alteration.value)
    switch alteration.operation {
    case .replace: value = operand
    case .add: value &+= operand
    case .xor: value ^= operand
    }
    for index in 0..<width {
      set(UInt8(truncatingIfNeeded: value >> (8 * UInt64(index))), at: offset + index)
    }
  }

  /// A byte by its offset from the message's start.
  private func byte(at offset: Int) -> UInt8 {
    let word = offset < 4 ? header.rawValue : self[word: offset / 4 - 1]
    return UInt8(truncatingIfNeeded: word >> (8 * UInt32(offset & 3)))
  }

  private mutating func set(_ byte: UInt8, at offset: Int) {
    let shift = 8 * UInt32(offset & 3)
    if offset < 4 {
      header.rawValue = header.rawValue & ~(0xFF << shift) | UInt32(byte) << shift
    } else {
      self[word: offset / 4 - 1] = self[word: offset / 4 - 1] & ~(0xFF << shift) | UInt32(byte) << shift
    }
  }
}
