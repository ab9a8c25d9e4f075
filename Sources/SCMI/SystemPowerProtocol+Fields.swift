/// The structures of its payloads.
extension SystemPowerProtocol {
  /// SYSTEM_POWER_STATE_SET.
  package struct StateSet: MessageFields {
    /// Whether the system is asked or told.
    package var flags: SetFlags = []
    /// The state that the system is to go to.
    package var state = SystemState(rawValue: 0)

    package init() {}

    package mutating func visit(_ fields: inout some FieldVisitor) {
      fields.flags("flags", &flags)
      fields.flags("system_state", &state, .decimal)
    }
  }

  /// The reply to SYSTEM_POWER_STATE_GET.
  package struct State: MessageFields {
    /// The state that was requested last.
    package var state = SystemState(rawValue: 0)

    package init() {}

    package mutating func visit(_ fields: inout some FieldVisitor) {
      fields.flags("system_state", &state, .decimal)
    }
  }

  /// SYSTEM_POWER_STATE_NOTIFY.
  package struct StateNotify: MessageFields {
    /// Whether requests are told.
    package var enable: NotifyEnable = []

    package init() {}

    package mutating func visit(_ fields: inout some FieldVisitor) {
      fields.flags("notify_enable", &enable, .decimal)
    }
  }

  /// SYSTEM_POWER_STATE_NOTIFIER.
  package struct StateNotifier: MessageFields {
    /// Who requested it; 0 is the platform.
    package var agent: UInt32 = 0
    /// Whether the system is asked or told.
    package var flags: SetFlags = []
    /// The state that the system is to go to.
    package var state = SystemState(rawValue: 0)
    /// How long the system has, in milliseconds; 0 is no limit. Missing before 2.0.
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
