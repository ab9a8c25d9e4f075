/// The structures of its payloads.
extension SystemPowerProtocol {
  /// SYSTEM_POWER_STATE_SET.
  package struct StateSet: MessageFields {
    package var flags: SetFlags = []
    package var state = SystemState(rawValue: 0)

    package init() {}

    package mutating func visit(_ fields: inout some FieldVisitor) {
      fields.flags("flags", &flags)
      fields.flags("system_state", &state, .decimal)
    }
  }

  /// The reply to SYSTEM_POWER_STATE_GET.
  package struct State: MessageFields {
    package var state = SystemState(rawValue: 0)

    package init() {}

    package mutating func visit(_ fields: inout some FieldVisitor) {
      fields.flags("system_state", &state, .decimal)
    }
  }

  /// SYSTEM_POWER_STATE_NOTIFY.
  package struct StateNotify: MessageFields {
    package var enable: NotifyEnable = []

    package init() {}

    package mutating func visit(_ fields: inout some FieldVisitor) {
      fields.flags("notify_enable", &enable, .decimal)
    }
  }

  /// SYSTEM_POWER_STATE_NOTIFIER.
  package struct StateNotifier: MessageFields {
    package var agent: UInt32 = 0
    package var flags: SetFlags = []
    package var state = SystemState(rawValue: 0)
    package var timeout: UInt32?

    package init() {}

    package mutating func visit(_ fields: inout some FieldVisitor) {
      fields.word("agent_id", &agent)
      fields.flags("flags", &flags)
      fields.flags("system_state", &state, .decimal)
      fields.optional("timeout", &timeout)
    }
  }
}
