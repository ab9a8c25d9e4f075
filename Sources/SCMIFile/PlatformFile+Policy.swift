internal import PositionedJSON
internal import SCMI

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

  func status(_ value: JSONValue, _ path: String) -> SCMIStatus? {
    if let number = value.integer(Int32.self) { return SCMIStatus(rawValue: number) }
    return choice(value, path, SCMIStatus.names) { SCMIStatus(name: $0) }
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
        if let value = fields["systemPower"] {
          let reach = choice(value, fields.path("systemPower"), SystemPowerReach.allCases.map(\.rawValue)) {
            SystemPowerReach(rawValue: $0)
          }
          agent.systemPower = reach ?? .own
        }
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

  func access(_ fields: Fields) -> Access? {
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
}
