// The fields of what is under way, by the names of their coded form. An enumeration's are its kind and what that has.

extension Operation: StateFields {
  mutating func visit(_ fields: inout StateVisitor) throws {
    try fields("agent", &agent)
    try fields("identifier", &identifier)
    try fields("request", &request)
    try fields("requested", &requested)
    try fields("isSilent", &isSilent)
    try fields("isTwice", &isTwice)
  }
}

extension Timer: StateFields {
  mutating func visit(_ fields: inout StateVisitor) throws {
    try fields("due", &due)
    try fields("order", &order)
    try fields("action", &action)
  }
}

extension Timer.Action: StateFields {
  init() { self = .releaseHeld(agent: 0) }

  mutating func visit(_ fields: inout StateVisitor) throws {
    var (kind, number) = ("", 0)
    var message: Outgoing?
    var operation: Operation?
    switch self {
    case .deliver(let outgoing): (kind, message) = ("deliver", outgoing)
    case .deliverEvent(let outgoing): (kind, message) = ("deliverEvent", outgoing)
    case .complete(let started): (kind, operation) = ("complete", started)
    case .script(let step): (kind, number) = ("script", step)
    case .releaseHeld(let agent): (kind, number) = ("releaseHeld", agent)
    }
    try fields("kind", &kind)
    try fields("number", &number)
    try fields("message", &message)
    try fields("operation", &operation)
    switch (kind, message, operation) {
    case ("deliver", let message?, _): self = .deliver(message)
    case ("deliverEvent", let message?, _): self = .deliverEvent(message)
    case ("complete", _, let operation?): self = .complete(operation)
    case ("script", _, _): self = .script(number)
    case ("releaseHeld", _, _): self = .releaseHeld(agent: number)
    default: throw fields.invalid("kind", "there is no such kind of what is due, or not all of it")
    }
  }
}

extension Recurrence: StateFields {
  mutating func visit(_ fields: inout StateVisitor) throws {
    try fields("due", &due)
    try fields("order", &order)
    try fields("action", &action)
  }
}

extension Recurrence.Action: StateFields {
  init() { self = .storm(0) }

  mutating func visit(_ fields: inout StateVisitor) throws {
    var (kind, number): (String, UInt64)
    switch self {
    case .sampleSensor(let sensor): (kind, number) = ("sampleSensor", UInt64(sensor))
    case .samplePowercap(let domain): (kind, number) = ("samplePowercap", UInt64(domain))
    case .storm(let storm): (kind, number) = ("storm", storm)
    }
    try fields("kind", &kind)
    try fields("number", &number)
    switch (kind, Int(exactly: number)) {
    case ("sampleSensor", let sensor?): self = .sampleSensor(sensor)
    case ("samplePowercap", let domain?): self = .samplePowercap(domain)
    case ("storm", _): self = .storm(number)
    default: throw fields.invalid("kind", "there is no such kind of what recurs, or not with this number")
    }
  }
}

extension Storm: StateFields {
  mutating func visit(_ fields: inout StateVisitor) throws {
    try fields("message", &message)
    try fields("remaining", &remaining)
    try fields("interval", &interval)
  }
}

extension Outgoing: StateFields {
  init() { self.init(agent: 0, channel: .event, message: SCMIMessage()) }

  mutating func visit(_ fields: inout StateVisitor) throws {
    // With a ticket it is a reply.
    var ticket: UInt64? = if case .reply(let ticket) = channel { ticket } else { nil }
    try fields("agent", &agent)
    try fields("ticket", &ticket)
    try fields("message", &message)
    try fields("requested", &requested)
    try fields("rule", &rule)
    channel = ticket.map { .reply(ticket: $0) } ?? .event
  }

  public init(from decoder: any Decoder) throws { try self.init(reading: decoder) }
  public func encode(to encoder: any Encoder) throws { try write(to: encoder) }
}

extension SCMIMessage: StateFields {
  init() { self.init(header: MessageHeader(rawValue: 0)) }

  /// The header's word and the payload's bytes.
  mutating func visit(_ fields: inout StateVisitor) throws {
    var header = header.rawValue
    var payload = Array(bytes.dropFirst(4))
    try fields("header", &header)
    try fields("payload", &payload)
    guard payload.count <= SCMIMessage.maximumPayload else {
      throw fields.invalid("payload", "expected at most \(SCMIMessage.maximumPayload) bytes, found \(payload.count)")
    }
    self = SCMIMessage(header: MessageHeader(rawValue: header))
    resize(to: payload.count)
    for (offset, byte) in payload.enumerated() { words[offset >> 2] |= UInt32(byte) << (8 * UInt32(offset & 3)) }
  }

  public init(from decoder: any Decoder) throws { try self.init(reading: decoder) }
  public func encode(to encoder: any Encoder) throws { try write(to: encoder) }
}

extension PlatformEvent: StateFields {
  init() { self = .interrupt(consumer: 0, line: 0, asserted: nil) }

  mutating func visit(_ fields: inout StateVisitor) throws {
    var (kind, place, number): (String, Int, Int)
    var flag: Bool?
    switch self {
    case .systemPower(let agent, let state, let graceful):
      (kind, place, number, flag) = ("systemPower", agent, Int(state.rawValue), graceful)
    case .interrupt(let consumer, let line, let asserted):
      (kind, place, number, flag) = ("interrupt", consumer, line, asserted)
    }
    try fields("kind", &kind)
    try fields("place", &place)
    try fields("number", &number)
    try fields("flag", &flag)
    switch (kind, UInt32(exactly: number), flag) {
    case ("systemPower", let state?, let graceful?):
      self = .systemPower(agent: place, state: SystemState(rawValue: state), graceful: graceful)
    case ("interrupt", _, _): self = .interrupt(consumer: place, line: number, asserted: flag)
    default: throw fields.invalid("kind", "there is no such kind of event, or not all of it")
    }
  }

  public init(from decoder: any Decoder) throws { try self.init(reading: decoder) }
  public func encode(to encoder: any Encoder) throws { try write(to: encoder) }
}
