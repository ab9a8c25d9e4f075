package import SCMI

/// System power management.
extension Request {
  /// SYSTEM_POWER_STATE_SET.
  package static func systemPowerStateSet(state: SystemState, flags: SystemPowerProtocol.SetFlags = []) -> Request {
    Request(
      SystemPowerProtocol.Message.stateSet,
      SystemPowerProtocol.StateSet {
        $0.flags = flags
        $0.state = state
      }
    )
  }

  /// SYSTEM_POWER_STATE_GET.
  package static func systemPowerStateGet() -> Request {
    Request(SystemPowerProtocol.Message.stateGet, NoFields())
  }

  /// SYSTEM_POWER_STATE_NOTIFY.
  package static func systemPowerStateNotify(enable: NotifyEnable) -> Request {
    Request(
      SystemPowerProtocol.Message.stateNotify,
      SystemPowerProtocol.StateNotify {
        $0.enable = enable
      }
    )
  }
}
