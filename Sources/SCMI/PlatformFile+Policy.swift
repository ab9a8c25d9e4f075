import PositionedJSON

extension PlatformFileReader {
  func vendorProtocol(_ value: JSONValue, _ path: String) -> VendorProtocolDefinition? {
    object(value, path) { fields in
      VendorProtocolDefinition(fields.required("identifier", UInt8.self)) { vendor in
        if let value = fields["version"], let version = version(value, fields.path("version")) {
          vendor.version = version
        }
        fields.integer("attributes", &vendor.attributes)
        vendor.commands = array(fields["commands"], fields.path("commands"), command)
      }
    }
  }

  private func command(_ value: JSONValue, _ path: String) -> VendorProtocolDefinition.Command? {
    object(value, path) { fields in
      var command = VendorProtocolDefinition.Command(fields.required("identifier", UInt8.self))
      if let value = fields["status"], let status = status(value, fields.path("status")) { command.status = status }
      fields.integers("reply", &command.reply)
      fields.integer("requestSize", &command.requestSize)
      return command
    }
  }

  private func status(_ value: JSONValue, _ path: String) -> Status? {
    if let number = value.integer(Int32.self) { return Status(rawValue: number) }
    return choice(value, path, Status.names) { Status(name: $0) }
  }

  func device(_ value: JSONValue, _ path: String) -> DeviceDefinition? {
    object(value, path) { fields in
      DeviceDefinition(fields.required("name"), array(fields["resources"], fields.path("resources"), resource))
    }
  }

  func agent(_ value: JSONValue, _ path: String) -> AgentDefinition? {
    object(value, path) { fields in
      AgentDefinition(fields.required("name")) { agent in
        fields.boolean("trusted", &agent.trusted)
        agent.protocols = fields["protocols"].map { value in
          array(value, fields.path("protocols")) { value, path in
            self.choice(value, path, ProtocolIdentifier.allCases.map(\.name)) { ProtocolIdentifier(name: $0) }
          }
        }
        agent.vendorProtocols = fields["vendorProtocols"].map { value in
          array(value, fields.path("vendorProtocols")) { self.integer($0, $1, UInt8.self) }
        }
        agent.resources = fields["resources"].map { array($0, fields.path("resources"), selection) }
        agent.devices = array(fields["devices"], fields.path("devices"), deviceSelection)
        deniedCommands(fields, &agent)
        fields.boolean("describesDenied", &agent.describesDenied)
        fields.boolean("seesOtherAgents", &agent.seesOtherAgents)
        fields.integer("messagesPerSecond", &agent.messagesPerSecond)
        fields.integer("outstandingResponses", &agent.outstandingResponses)
      }
    }
  }

  /// `"clocks/pll"`, or an object with access and bounds.
  private func selection(_ value: JSONValue, _ path: String) -> ResourceSelection? {
    if value.string != nil { return resource(value, path).map { ResourceSelection($0) } }
    return object(value, path) { fields in
      guard let name = fields["resource"] else {
        fields.missing("resource")
        return nil
      }
      var selection = resource(name, fields.path("resource")).map { ResourceSelection($0) }
      var minimum: Int64?
      var maximum: Int64?
      fields.integer("minimum", &minimum)
      fields.integer("maximum", &maximum)
      selection?.minimum = minimum
      selection?.maximum = maximum
      if let access = access(fields) { selection?.access = access }
      return selection
    }
  }

  private func access(_ fields: Fields) -> Access? {
    fields["access"].flatMap { choice($0, fields.path("access"), ["none", "read", "full"]) { Access(name: $0) } }
  }

  private func deviceSelection(_ value: JSONValue, _ path: String) -> (name: String, access: Access)? {
    if let name = value.string { return (name, .full) }
    return object(value, path) { fields in (fields.required("device"), access(fields) ?? .full) }
  }

  private func deniedCommands(_ fields: Fields, _ agent: inout AgentDefinition) {
    guard let value = fields["deniedCommands"] else { return }
    let path = fields.path("deniedCommands")
    guard let members = value.members else {
      return mismatch(value, path, "an object such as {\"clock\": [\"CLOCK_RATE_SET\"]}")
    }
    for member in members {
      let place = path + "/" + JSONPointer.escape(member.key)
      guard let identifier = ProtocolIdentifier(name: member.key) else {
        let names = ProtocolIdentifier.allCases.map(\.name).joined(separator: ", ")
        fail(member.position, place, "unknown key; expected \(names)")
        continue
      }
      agent.deniedCommands[identifier] = array(member.value, place) {
        self.messageNumber($0, $1, identifier.rawValue)
      }
    }
  }

  // MARK: - Misbehaviour

  func rule(_ value: JSONValue, _ path: String) -> MisbehaviourRule? {
    object(value, path) { fields in
      var action: Misbehaviour?
      if let value = fields["action"] {
        action = misbehaviour(value, fields.path("action"))
      } else {
        fields.missing("action")
      }
      var rule = MisbehaviourRule(fields.required("name"), action ?? .dropped)
      fields.string("agent", &rule.agent)
      rule.protocolIdentifier = fields["protocol"].flatMap { protocolNumber($0, fields.path("protocol")) }
      rule.message = fields["message"].flatMap {
        messageNumber($0, fields.path("message"), rule.protocolIdentifier)
      }
      rule.resource = fields["resource"].flatMap { resource($0, fields.path("resource")) }
      fields.integer("firstOccurrence", &rule.firstOccurrence)
      fields.integer("times", &rule.times)
      fields.integer("seed", &rule.seed)
      if let chance = fields["probability"] {
        if let number = chance.double, number >= 0, number <= 1 {
          rule.probability = UInt32(number * 1_000_000)
        } else {
          mismatch(chance, fields.path("probability"), "a number from 0 to 1")
        }
      }
      return rule
    }
  }

  private static let plainActions: [String: Misbehaviour] = [
    "dropped": .dropped, "never": .never, "duplicated": .duplicated, "garbage": .garbage,
    "delayedWithoutReply": .delayedWithoutReply, "delayedTwice": .delayedTwice, "delayedNever": .delayedNever,
  ]

  private static let actionsWithArgument = [
    "late", "outOfOrder", "wrongToken", "wrongProtocol", "wrongType", "short", "long", "delayedBeforeReply", "countLie",
    "remainingNeverEnds", "rateTriplet", "status", "versionLie", "unexpectedNotification", "notificationStorm",
  ]

  /// A name, or an object with one key that has the action's argument.
  private func misbehaviour(_ value: JSONValue, _ path: String) -> Misbehaviour? {
    if let name = value.string {
      if PlatformFileReader.actionsWithArgument.contains(name) {
        fail(value.position, path, "\(name) has an argument: expected an object, {\"\(name)\": …}")
        return nil
      }
      return choice(value, path, PlatformFileReader.plainActions.keys.sorted()) { PlatformFileReader.plainActions[$0] }
    }
    let actions = (value.members ?? []).map(\.key).filter(PlatformFileReader.actionsWithArgument.contains)
    if actions.count > 1 {
      fail(value.position, path, "expected one action, found \(actions.joined(separator: " and "))")
      return nil
    }
    let known = mistakes.count
    return object(value, path) { fields in
      func number<Integer: FixedWidthInteger>(_ key: String, _ type: Integer.Type) -> Integer? {
        fields[key].flatMap { integer($0, fields.path(key), type) }
      }
      if let time = number("late", UInt64.self) { return .late(time) }
      if let time = number("outOfOrder", UInt64.self) { return .outOfOrder(time) }
      if let offset = number("wrongToken", Int16.self) { return .wrongToken(offset) }
      if let identifier = number("wrongProtocol", UInt8.self) { return .wrongProtocol(identifier) }
      if let type = number("wrongType", UInt8.self) { return .wrongType(type) }
      if let bytes = number("short", Int.self) { return .short(bytes) }
      if let bytes = number("long", Int.self) { return .long(bytes) }
      if let time = number("delayedBeforeReply", UInt64.self) { return .delayedBeforeReply(time) }
      if let offset = number("countLie", Int.self) { return .countLie(offset) }
      if let remaining = number("remainingNeverEnds", UInt16.self) { return .remainingNeverEnds(remaining) }
      if let returned = number("rateTriplet", UInt16.self) { return .rateTriplet(returned: returned) }
      if let value = fields["status"] { return status(value, fields.path("status")).map { .status($0) } }
      if let value = fields["versionLie"] {
        return version(value, fields.path("versionLie")).map { .versionLie($0.rawValue) }
      }
      if let value = fields["unexpectedNotification"] {
        return object(value, fields.path("unexpectedNotification")) { inner in
          let notification = self.notification(inner)
          return .unexpectedNotification(
            protocolIdentifier: notification.0,
            message: notification.1,
            payload: notification.2
          )
        }
      }
      if let value = fields["notificationStorm"] {
        return object(value, fields.path("notificationStorm")) { inner in
          let notification = self.notification(inner)
          return .notificationStorm(
            protocolIdentifier: notification.0,
            message: notification.1,
            payload: notification.2,
            count: inner.required("count", Int.self),
            interval: inner.required("interval", UInt64.self)
          )
        }
      }
      if mistakes.count == known {
        let names = PlatformFileReader.actionsWithArgument.joined(separator: ", ")
        fail(value.position, path, "expected an action and its argument, one of \(names)")
      }
      return nil
    }
  }

  /// Protocol, number and words of a notification.
  private func notification(_ fields: Fields) -> (UInt8, UInt8, [UInt32]) {
    var payload: [UInt32] = []
    fields.integers("payload", &payload)
    if fields["protocol"] == nil { fields.missing("protocol") }
    let identifier = fields["protocol"].flatMap { protocolNumber($0, fields.path("protocol")) } ?? 0
    return (identifier, fields.required("message", UInt8.self), payload)
  }

  // MARK: - Script

  func scriptStep(_ value: JSONValue, _ path: String) -> ScriptStep? {
    object(value, path) { fields in
      let time = fields.required("time", UInt64.self)
      guard let action = scriptAction(fields) else { return nil }
      return ScriptStep(at: time, action)
    }
  }

  private func scriptAction(_ fields: Fields) -> ScriptAction? {
    if fields["setSensor"] != nil {
      var values: [Int64] = []
      fields.integers("values", &values)
      return .setSensor(fields.required("setSensor"), values)
    }
    if let target = fields["set"] {
      let number = fields.required("value", Int64.self)
      return resource(target, fields.path("set")).map { .set($0, number) }
    }
    if fields["systemPower"] != nil {
      var graceful = true
      fields.boolean("graceful", &graceful)
      return .systemPower(state: fields.required("systemPower", UInt32.self), graceful: graceful)
    }
    if let target = fields["setPermission"] {
      let agent = fields.required("agent")
      let access = access(fields) ?? .none
      return resource(target, fields.path("setPermission")).map { .setPermission(agent: agent, resource: $0, access) }
    }
    if fields["resetAgent"] != nil { return .resetAgent(fields.required("resetAgent")) }
    if fields["removeRule"] != nil { return .removeRule(fields.required("removeRule")) }
    if let value = fields["addRule"] { return rule(value, fields.path("addRule")).map { .addRule($0) } }
    if let value = fields["notification"] {
      let agent = fields.required("agent")
      return object(value, fields.path("notification")) { inner in
        let notification = self.notification(inner)
        return .notification(
          agent: agent,
          protocolIdentifier: notification.0,
          message: notification.1,
          payload: notification.2
        )
      }
    }
    if let value = fields["errorEvent"] {
      return object(value, fields.path("errorEvent")) { inner in
        var fatal = false
        var reports: [UInt64] = []
        inner.boolean("fatal", &fatal)
        inner.integers("reports", &reports)
        return .errorEvent(fatal: fatal, reports: reports)
      }
    }
    fail(fields.value.position, fields.path, "expected an action, such as set or setSensor")
    return nil
  }
}
