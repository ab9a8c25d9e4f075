/// The structures of its payloads.
extension BaseProtocol {
  /// The reply to BASE_DISCOVER_VENDOR.
  package struct Vendor: MessageFields {
    /// At most 15 bytes; longer ones are cut.
    package var vendor = ""

    package init() {}

    package mutating func visit(_ fields: inout some FieldVisitor) {
      fields.text("vendor", &vendor, size: MessageFieldSize.shortName)
    }
  }

  /// The reply to BASE_DISCOVER_SUB_VENDOR.
  package struct SubVendor: MessageFields {
    /// At most 15 bytes; longer ones are cut.
    package var subVendor = ""

    package init() {}

    package mutating func visit(_ fields: inout some FieldVisitor) {
      fields.text("sub_vendor", &subVendor, size: MessageFieldSize.shortName)
    }
  }

  /// The reply to BASE_DISCOVER_IMPLEMENTATION_VERSION.
  package struct ImplementationVersion: MessageFields {
    /// The vendor's own number.
    package var version: UInt32 = 0

    package init() {}

    package mutating func visit(_ fields: inout some FieldVisitor) {
      fields.word("version", &version, .hexadecimal)
    }
  }

  /// BASE_DISCOVER_LIST_PROTOCOLS.
  package struct DiscoverListProtocols: MessageFields {
    /// How many protocols of the list the agent has already.
    package var skip: UInt32 = 0

    package init() {}

    package mutating func visit(_ fields: inout some FieldVisitor) {
      fields.word("skip", &skip)
    }
  }

  /// The reply to BASE_DISCOVER_LIST_PROTOCOLS.
  package struct ProtocolList: MessageFields {
    /// How many protocols ``protocols`` has; the list may have more.
    package var count: UInt32 = 0
    /// Four identifiers to a word, the first in its lowest byte.
    package var protocols: [UInt32] = []

    package init() {}

    package mutating func visit(_ fields: inout some FieldVisitor) {
      fields.word("count", &count)
      fields.rest("protocols", &protocols, .hexadecimal)
    }
  }

  /// BASE_DISCOVER_AGENT.
  package struct DiscoverAgent: MessageFields {
    /// The agent to name; 0xFFFF_FFFF is the one that asks, from 2.0 on.
    package var agent: UInt32 = 0

    package init() {}

    package mutating func visit(_ fields: inout some FieldVisitor) {
      fields.word("agent_id", &agent)
    }
  }

  /// The reply to BASE_DISCOVER_AGENT.
  package struct AgentName: MessageFields {
    /// Whose name it is; missing before 2.0.
    package var agent: UInt32?
    /// At most 15 bytes; longer ones are cut.
    package var name = ""

    package init() {}

    package mutating func visit(_ fields: inout some FieldVisitor) {
      fields.optional("agent_id", &agent)
      fields.text("name", &name, size: MessageFieldSize.shortName)
    }
  }

  /// BASE_NOTIFY_ERRORS.
  package struct NotifyErrors: MessageFields {
    /// Whether error events are wanted.
    package var enable: NotifyEnable = []

    package init() {}

    package mutating func visit(_ fields: inout some FieldVisitor) {
      fields.flags("notify_enable", &enable, .decimal)
    }
  }

  /// BASE_SET_DEVICE_PERMISSIONS.
  package struct SetDevicePermissions: MessageFields {
    /// Whose permissions change.
    package var agent: UInt32 = 0
    /// The device's place in ``PlatformDefinition/devices``.
    package var device: UInt32 = 0
    /// Whether the device is given or taken.
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
    /// Whose permissions change.
    package var agent: UInt32 = 0
    /// The device's place in ``PlatformDefinition/devices``.
    package var device: UInt32 = 0
    /// The one protocol whose commands about the device are meant.
    package var protocolIdentifier: UInt32 = 0
    /// Whether they are given or taken.
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
    /// Whose requests are taken back.
    package var agent: UInt32 = 0
    /// What is taken back besides.
    package var flags: ResetFlags = []

    package init() {}

    package mutating func visit(_ fields: inout some FieldVisitor) {
      fields.word("agent_id", &agent)
      fields.flags("flags", &flags)
    }
  }

  /// BASE_ERROR_EVENT.
  package struct ErrorEvent: MessageFields {
    /// The agent whose commands went wrong.
    package var agent: UInt32 = 0
    /// How bad it is, and how many reports follow.
    package var status = ErrorStatus(rawValue: 0)
    /// The vendor's own, two words each.
    package var reports: [UInt64] = []

    package init() {}

    package mutating func visit(_ fields: inout some FieldVisitor) {
      fields.word("agent_id", &agent)
      fields.flags("error_status", &status)
      fields.rest("reports", &reports, .wide)
    }
  }
}
