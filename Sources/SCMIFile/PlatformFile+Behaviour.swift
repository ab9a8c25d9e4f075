internal import PositionedJSON
internal import SCMI

extension PlatformFileReader {
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
      fields.choice("target", &rule.target)
      rule.message = fields["message"].flatMap {
        messageNumber(
          $0,
          fields.path("message"),
          rule.protocolIdentifier,
          isNotification: rule.target == .notification
        )
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
    "alter",
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
    let known = mistakeCount
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
      if let value = fields["alter"] { return .alter(array(value, fields.path("alter"), alteration)) }
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
      if mistakeCount == known {
        let names = PlatformFileReader.actionsWithArgument.joined(separator: ", ")
        fail(value.position, path, "expected an action and its argument, one of \(names)")
      }
      return nil
    }
  }

  private func alteration(_ value: JSONValue, _ path: String) -> Alteration? {
    object(value, path) { fields in
      var alteration = Alteration(.replace, 0, at: fields.required("offset", Int.self))
      fields.integer("width", &alteration.width)
      var found: [Alteration.Operation] = []
      for operation in Alteration.Operation.allCases {
        guard let value = fields[operation.rawValue] else { continue }
        found.append(operation)
        alteration.operation = operation
        if let number = integer(value, fields.path(operation.rawValue), Int64.self) { alteration.value = number }
      }
      if found.count != 1, value.members != nil {
        fail(value.position, path, "expected one of replace, add and xor, found \(found.count)")
      }
      return alteration
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

  /// What a step does, without its time.
  func action(_ value: JSONValue) -> ScriptAction? {
    object(value, "") { fields in scriptAction(fields) }
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
      return .systemPower(SystemState(rawValue: fields.required("systemPower", UInt32.self)), graceful: graceful)
    }
    if let target = fields["setPermission"] {
      let agent = fields.required("agent")
      let access = access(fields) ?? .none
      return resource(target, fields.path("setPermission")).map { .setPermission(agent: agent, resource: $0, access) }
    }
    if fields["resetAgent"] != nil { return .resetAgent(fields.required("resetAgent")) }
    if fields["removeRule"] != nil { return .removeRule(fields.required("removeRule")) }
    if fields["interrupt"] != nil {
      var asserted: Bool?
      if let value = fields["asserted"] {
        asserted = value.boolean
        if asserted == nil { mismatch(value, fields.path("asserted"), "true or false") }
      }
      var line = 0
      fields.integer("line", &line)
      return .interrupt(fields.required("interrupt"), line: line, asserted: asserted)
    }
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
