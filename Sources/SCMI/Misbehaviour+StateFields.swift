// The fields of what goes wrong on purpose, by the names of their coded form.

extension RuleState: StateFields {
  mutating func visit(_ fields: inout StateVisitor) throws {
    try fields("rule", &rule)
    try fields("agent", &agent)
    try fields("resource", &resource)
    try fields("matches", &matches)
    try fields("noise", &noise.state)
  }
}

extension MisbehaviourRule: StateFields {
  init() { self.init("", .never) }

  mutating func visit(_ fields: inout StateVisitor) throws {
    try fields("name", &name)
    try fields("agent", &agent)
    try fields("protocolIdentifier", &protocolIdentifier)
    try fields("message", &message)
    try fields("resource", &resource)
    try fields("target", &target)
    try fields("firstOccurrence", &firstOccurrence)
    try fields("times", &times)
    try fields("probability", &probability)
    try fields("seed", &seed)
    try fields("action", &action)
  }

  public init(from decoder: any Decoder) throws { try self.init(reading: decoder) }
  public func encode(to encoder: any Encoder) throws { try write(to: encoder) }
}

extension Alteration: StateFields {
  init() { self.init(.replace, 0, at: 0) }

  mutating func visit(_ fields: inout StateVisitor) throws {
    try fields("offset", &offset)
    try fields("width", &width)
    try fields("operation", &operation)
    try fields("value", &value)
  }

  public init(from decoder: any Decoder) throws { try self.init(reading: decoder) }
  public func encode(to encoder: any Encoder) throws { try write(to: encoder) }
}

extension ResourceName: StateFields {
  init() { self.init(.clock, "") }

  mutating func visit(_ fields: inout StateVisitor) throws {
    try fields("kind", &kind)
    try fields("name", &name)
  }

  public init(from decoder: any Decoder) throws { try self.init(reading: decoder) }
  public func encode(to encoder: any Encoder) throws { try write(to: encoder) }
}

extension Misbehaviour: StateFields {
  init() { self = .never }

  mutating func visit(_ fields: inout StateVisitor) throws {
    var coded = CodedMisbehaviour(self)
    try fields("kind", &coded.kind)
    try fields("number", &coded.number)
    try fields("protocolIdentifier", &coded.protocolIdentifier)
    try fields("message", &coded.message)
    try fields("payload", &coded.payload)
    try fields("count", &coded.count)
    try fields("interval", &coded.interval)
    try fields("alterations", &coded.alterations)
    guard let decoded = coded.decoded else {
      throw fields.invalid("kind", "there is no misbehaviour of this kind, or not all of it")
    }
    self = decoded
  }

  public init(from decoder: any Decoder) throws { try self.init(reading: decoder) }
  public func encode(to encoder: any Encoder) throws { try write(to: encoder) }
}

/// A misbehaviour's kind, and of the others what the kind has.
private struct CodedMisbehaviour {
  var kind: String
  /// The bits of one without a sign.
  var number: Int64?
  var protocolIdentifier: UInt8?
  var message: UInt8?
  var payload: [UInt32]?
  var count: Int?
  var interval: UInt64?
  var alterations: [Alteration]?

  private init(_ kind: String, _ number: Int64? = nil) {
    self.kind = kind
    self.number = number
  }

  init(_ misbehaviour: Misbehaviour) {
    switch misbehaviour {
    case .late(let time): self.init("late", Int64(bitPattern: time))
    case .dropped: self.init("dropped")
    case .never: self.init("never")
    case .duplicated: self.init("duplicated")
    case .outOfOrder(let time): self.init("outOfOrder", Int64(bitPattern: time))
    case .wrongToken(let offset): self.init("wrongToken", Int64(offset))
    case .wrongProtocol(let identifier): self.init("wrongProtocol", Int64(identifier))
    case .wrongType(let type): self.init("wrongType", Int64(type))
    case .short(let bytes): self.init("short", Int64(bytes))
    case .long(let bytes): self.init("long", Int64(bytes))
    case .garbage: self.init("garbage")
    case .status(let status): self.init("status", Int64(status.rawValue))
    case .delayedBeforeReply(let time): self.init("delayedBeforeReply", Int64(bitPattern: time))
    case .delayedWithoutReply: self.init("delayedWithoutReply")
    case .delayedTwice: self.init("delayedTwice")
    case .delayedNever: self.init("delayedNever")
    case .unexpectedNotification(let identifier, let message, let payload):
      self.init("unexpectedNotification")
      (protocolIdentifier, self.message, self.payload) = (identifier, message, payload)
    case .notificationStorm(let identifier, let message, let payload, let count, let interval):
      self.init("notificationStorm")
      (protocolIdentifier, self.message, self.payload) = (identifier, message, payload)
      (self.count, self.interval) = (count, interval)
    case .countLie(let offset): self.init("countLie", Int64(offset))
    case .remainingNeverEnds(let remaining): self.init("remainingNeverEnds", Int64(remaining))
    case .rateTriplet(let returned): self.init("rateTriplet", Int64(returned))
    case .versionLie(let version): self.init("versionLie", Int64(version))
    case .alter(let alterations):
      self.init("alter")
      self.alterations = alterations
    }
  }

  /// The misbehaviour; `nil` where there is none such.
  var decoded: Misbehaviour? {
    if let number { return decoded(number) }
    switch kind {
    case "dropped": return .dropped
    case "never": return .never
    case "duplicated": return .duplicated
    case "garbage": return .garbage
    case "delayedWithoutReply": return .delayedWithoutReply
    case "delayedTwice": return .delayedTwice
    case "delayedNever": return .delayedNever
    case "alter": return alterations.map { .alter($0) }
    default: break
    }
    guard let protocolIdentifier, let message, let payload else { return nil }
    switch (kind, count, interval) {
    case ("unexpectedNotification", _, _):
      return .unexpectedNotification(protocolIdentifier: protocolIdentifier, message: message, payload: payload)
    case ("notificationStorm", let count?, let interval?):
      return .notificationStorm(
        protocolIdentifier: protocolIdentifier,
        message: message,
        payload: payload,
        count: count,
        interval: interval
      )
    default: return nil
    }
  }

  private func decoded(_ number: Int64) -> Misbehaviour? {
    switch kind {
    case "late": .late(UInt64(bitPattern: number))
    case "outOfOrder": .outOfOrder(UInt64(bitPattern: number))
    case "wrongToken": Int16(exactly: number).map { .wrongToken($0) }
    case "wrongProtocol": UInt8(exactly: number).map { .wrongProtocol($0) }
    case "wrongType": UInt8(exactly: number).map { .wrongType($0) }
    case "short": .short(Int(number))
    case "long": .long(Int(number))
    case "status": Int32(exactly: number).map { .status(SCMIStatus(rawValue: $0)) }
    case "delayedBeforeReply": .delayedBeforeReply(UInt64(bitPattern: number))
    case "countLie": .countLie(Int(number))
    case "remainingNeverEnds": UInt16(exactly: number).map { .remainingNeverEnds($0) }
    case "rateTriplet": UInt16(exactly: number).map { .rateTriplet(returned: $0) }
    case "versionLie": UInt32(exactly: number).map { .versionLie($0) }
    default: nil
    }
  }
}
