internal import SCMI

/// Rules and steps of the script that do nothing.
extension Advisor {
  mutating func behaviour() {
    var earlier: [Conditions: String] = [:]
    for (index, rule) in definition.rules.enumerated() {
      let path = "/rules/\(index)"
      self.rule(rule, path)
      let conditions = Conditions(rule)
      if let name = conditions.wider.compactMap({ earlier[$0] }).first {
        warn(true, path, "never applies: \"\(name)\" before it matches all that it matches")
      } else if rule.isAlways {
        earlier[conditions] = rule.name
      }
    }
    var names = Set(definition.rules.map(\.name))
    // In the order of time, which is not the file's.
    let steps = definition.script.enumerated().sorted { ($0.element.time, $0.offset) < ($1.element.time, $1.offset) }
    for (index, step) in steps {
      let path = "/script/\(index)"
      switch step.action {
      case .addRule(let rule):
        names.insert(rule.name)
        self.rule(rule, path + "/addRule")
      case .removeRule(let name):
        warn(!names.contains(name), path + "/removeRule", "no rule is named \"\(name)\" at that time")
      case .systemPower:
        warn(
          !views.contains { $0.has(.systemPower) },
          path + "/systemPower",
          "no agent has the system power protocol, by which it would hear of this"
        )
      case .interrupt(let name, _, _):
        let consumer = definition.tree.consumers.first { $0.name == name }
        let resources = consumer?.resources ?? []
        warn(
          !resources.isEmpty && !resources.contains(where: isSeen),
          path + "/interrupt",
          "no agent sees a resource of \"\(name)\", which is in no guest's tree"
        )
      default: break
      }
    }
  }

  private mutating func rule(_ rule: MisbehaviourRule, _ path: String) {
    warn(rule.probability == 0, path + "/probability", "a rule with no chance never applies")
    if let resource = rule.resource {
      let agents = rule.agent.map { name in definition.agents.indices.filter { definition.agents[$0].name == name } }
      let seers = (agents ?? Array(definition.agents.indices)).filter {
        views[$0].resource(resource.kind, resource.name) != nil
      }
      warn(
        seers.isEmpty,
        path + "/resource",
        "\(rule.agent.map { "the agent \"\($0)\" does not see" } ?? "no agent sees") \(resource), "
          + "so that no message is about it"
      )
    }
    messages(rule, path)
    if let reason = rule.reasonForNothing { warn(true, path + "/action", reason) }
    countLimits(rule, path)
  }

  private mutating func messages(_ rule: MisbehaviourRule, _ path: String) {
    guard let number = rule.protocolIdentifier, let identifier = ProtocolIdentifier(rawValue: number) else { return }
    warn(
      !views.contains { $0.has(identifier) },
      path + "/protocol",
      "no agent has the \(identifier.name) protocol; only its refusals can be changed"
    )
    guard let message = rule.message, let version = version(identifier) else { return }
    switch rule.target {
    case .reply:
      let existing = MessageSet.messages(identifier, version: version.rawValue, events: true)
      warn(
        message >= MessageSet.limit || existing & MessageSet.bit(message) == 0,
        path + "/message",
        "the \(identifier.name) protocol \(version) has no message \(message); only its refusal can be changed"
      )
    case .notification:
      let names = MessageCatalogue.names(number, isNotification: true)
      let header = MessageHeader(number, message, type: .notification)
      warn(
        MessageCatalogue.notificationRow(header) == nil,
        path + "/message",
        "the \(identifier.name) protocol has "
          + (names.isEmpty ? "no notifications" : "only the notifications \(names.joined(separator: ", "))")
      )
    case .delayedResponse:
      warn(
        MessageCatalogue.row(MessageHeader(number, message))?.delayed == nil,
        path + "/message",
        "\(MessageCatalogue.name(MessageHeader(number, message))) has no delayed response"
      )
    }
  }

  /// What does not fit into the field that it is written to.
  private mutating func countLimits(_ rule: MisbehaviourRule, _ path: String) {
    guard case .remainingNeverEnds(let remaining) = rule.action, let number = rule.protocolIdentifier,
      let message = rule.message, let shift = MessageCatalogue.remaining(MessageHeader(number, message))?.shift
    else { return }
    let limit = UInt32.max >> shift
    warn(
      UInt32(remaining) > limit,
      path + "/action/remainingNeverEnds",
      "\(MessageCatalogue.name(MessageHeader(number, message))) counts to \(limit)"
    )
  }
}

/// What a rule matches.
private struct Conditions: Hashable {
  var target: MisbehaviourRule.Target
  var agent: String?
  var protocolIdentifier: UInt8?
  var message: UInt8?
  var resource: ResourceName?

  init(_ rule: MisbehaviourRule) {
    target = rule.target
    agent = rule.agent
    protocolIdentifier = rule.protocolIdentifier ?? rule.resource?.kind.protocolIdentifier.rawValue
    message = rule.message
    resource = rule.resource
  }

  /// All conditions that take everything that these take, themselves included.
  var wider: [Conditions] {
    (0..<16).map { left in
      var wider = self
      if left & 1 != 0 { wider.agent = nil }
      if left & 2 != 0 { wider.protocolIdentifier = nil }
      if left & 4 != 0 { wider.message = nil }
      if left & 8 != 0 { wider.resource = nil }
      return wider
    }
  }
}

extension MisbehaviourRule {
  /// Whether it applies whenever it matches.
  fileprivate var isAlways: Bool { probability >= 1_000_000 && times == nil && firstOccurrence == 1 }

  /// Why the action leaves every message that the rule matches as it is; `nil` where it does not.
  fileprivate var reasonForNothing: String? {
    func only(_ isThere: Bool, _ text: String) -> String? { isThere ? nil : "does something to \(text) only" }
    let header = protocolIdentifier.flatMap { number in message.map { MessageHeader(number, $0) } }
    switch action {
    case .countLie:
      return only(message == nil || message == CommonMessage.attributes.rawValue, "PROTOCOL_ATTRIBUTES (message 1)")
    case .versionLie:
      return only(message == nil || message == CommonMessage.version.rawValue, "PROTOCOL_VERSION (message 0)")
    case .rateTriplet:
      return only(
        (protocolIdentifier == nil || protocolIdentifier == ProtocolIdentifier.clock.rawValue)
          && (message == nil || message == ClockProtocol.Message.describeRates.rawValue),
        "CLOCK_DESCRIBE_RATES"
      )
    case .remainingNeverEnds:
      return only(header.map { MessageCatalogue.remaining($0) != nil } ?? true, "replies that have several parts")
    case .delayedBeforeReply, .delayedWithoutReply, .delayedTwice, .delayedNever:
      return only(
        header.map { MessageCatalogue.row($0)?.delayed != nil } ?? true,
        "asynchronous commands"
      )
    case .wrongToken(0): return "the token stays what it is"
    case .wrongType(0) where target == .reply: return "the reply's type stays what it is"
    case .wrongProtocol(let identifier) where identifier == protocolIdentifier:
      return "the reply's protocol stays what it is"
    case .notificationStorm(_, _, _, 0, _): return "no notification is sent"
    default: return nil
    }
  }
}
