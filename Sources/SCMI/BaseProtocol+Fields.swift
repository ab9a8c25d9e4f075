/// The structures of its payloads.
extension BaseProtocol {
  /// The reply to BASE_DISCOVER_VENDOR.
  package struct Vendor: MessageFields {
    package var vendor = ""

    package init() {}

    package mutating func visit(_ fields: inout some FieldVisitor) {
      fields.text("vendor", &vendor, size: MessageFieldSize.shortName)
    }
  }

  /// The reply to BASE_DISCOVER_SUB_VENDOR.
  package struct SubVendor: MessageFields {
    package var subVendor = ""

    package init() {}

    package mutating func visit(_ fields: inout some FieldVisitor) {
      fields.text("sub_vendor", &subVendor, size: MessageFieldSize.shortName)
    }
  }

  /// The reply to BASE_DISCOVER_IMPLEMENTATION_VERSION.
  package struct ImplementationVersion: MessageFields {
    package var version: UInt32 = 0

    package init() {}

    package mutating func visit(_ fields: inout some FieldVisitor) {
      fields.word("version", &version, .hexadecimal)
    }
  }

  /// BASE_DISCOVER_LIST_PROTOCOLS.
  package struct DiscoverListProtocols: MessageFields {
    package var skip: UInt32 = 0

    package init() {}

    package mutating func visit(_ fields: inout some FieldVisitor) {
      fields.word("skip", &skip)
    }
  }

  /// The reply to BASE_DISCOVER_LIST_PROTOCOLS.
  package struct ProtocolList: MessageFields {
    package var count: UInt32 = 0
    package var protocols: [UInt32] = []

    package init() {}

    package mutating func visit(_ fields: inout some FieldVisitor) {
      fields.word("count", &count)
      fields.rest("protocols", &protocols, .hexadecimal)
    }
  }

  /// BASE_DISCOVER_AGENT.
  package struct DiscoverAgent: MessageFields {
    package var agent: UInt32 = 0

    package init() {}

    package mutating func visit(_ fields: inout some FieldVisitor) {
      fields.word("agent_id", &agent)
    }
  }

  /// The reply to BASE_DISCOVER_AGENT.
  package struct AgentName: MessageFields {
    package var agent: UInt32?
    package var name = ""

    package init() {}

    package mutating func visit(_ fields: inout some FieldVisitor) {
      fields.optional("agent_id", &agent)
      fields.text("name", &name, size: MessageFieldSize.shortName)
    }
  }

  /// BASE_NOTIFY_ERRORS.
  package struct NotifyErrors: MessageFields {
    package var enable: NotifyEnable = []

    package init() {}

    package mutating func visit(_ fields: inout some FieldVisitor) {
      fields.flags("notify_enable", &enable, .decimal)
    }
  }

  /// BASE_SET_DEVICE_PERMISSIONS.
  package struct SetDevicePermissions: MessageFields {
    package var agent: UInt32 = 0
    package var device: UInt32 = 0
    package var flags: PermissionFlags = []

    package init() {}

    package mutating func visit(_ fields: inout some FieldVisitor) {
      fields.word("agent_id", &agent)
      fields.word("device_id", &device)
      fields.flags("flags", &flags)
    }
  }

  /// BASE_SET_PROTOCOL_PERMISSIONS.
  package struct SetProtocolPermissions: MessageFields {
    package var agent: UInt32 = 0
    package var device: UInt32 = 0
    package var protocolIdentifier: UInt32 = 0
    package var flags: PermissionFlags = []

    package init() {}

    package mutating func visit(_ fields: inout some FieldVisitor) {
      fields.word("agent_id", &agent)
      fields.word("device_id", &device)
      fields.word("protocol_id", &protocolIdentifier, .hexadecimal)
      fields.flags("flags", &flags)
    }
  }

  /// BASE_RESET_AGENT_CONFIGURATION.
  package struct ResetAgentConfiguration: MessageFields {
    package var agent: UInt32 = 0
    package var flags: ResetFlags = []

    package init() {}

    package mutating func visit(_ fields: inout some FieldVisitor) {
      fields.word("agent_id", &agent)
      fields.flags("flags", &flags)
    }
  }

  /// BASE_ERROR_EVENT.
  package struct ErrorEvent: MessageFields {
    package var agent: UInt32 = 0
    package var status = ErrorStatus(rawValue: 0)
    package var reports: [UInt64] = []

    package init() {}

    package mutating func visit(_ fields: inout some FieldVisitor) {
      fields.word("agent_id", &agent)
      fields.flags("error_status", &status)
      fields.rest("reports", &reports, .wide)
    }
  }
}
