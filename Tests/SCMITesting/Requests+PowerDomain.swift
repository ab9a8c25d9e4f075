package import SCMI

/// Power domain management.
extension Request {
  /// POWER_DOMAIN_ATTRIBUTES.
  package static func powerAttributes(domain: UInt32) -> Request {
    Request(
      PowerDomainProtocol.Message.attributes,
      PowerDomainProtocol.Resource {
        $0.resource = domain
      }
    )
  }

  /// POWER_STATE_SET.
  package static func powerStateSet(domain: UInt32, state: UInt32, flags: PowerDomainProtocol.SetFlags = []) -> Request
  {
    Request(
      PowerDomainProtocol.Message.stateSet,
      PowerDomainProtocol.StateSet {
        $0.flags = flags
        $0.domain = domain
        $0.state = state
      }
    )
  }

  /// POWER_STATE_GET.
  package static func powerStateGet(domain: UInt32) -> Request {
    Request(
      PowerDomainProtocol.Message.stateGet,
      PowerDomainProtocol.Resource {
        $0.resource = domain
      }
    )
  }

  /// POWER_STATE_NOTIFY.
  package static func powerStateNotify(domain: UInt32, enable: NotifyEnable) -> Request {
    Request(
      PowerDomainProtocol.Message.stateNotify,
      PowerDomainProtocol.Notify {
        $0.resource = domain
        $0.enable = enable
      }
    )
  }

  /// POWER_STATE_CHANGE_REQUESTED_NOTIFY.
  package static func powerStateChangeRequestedNotify(domain: UInt32, enable: NotifyEnable) -> Request {
    Request(
      PowerDomainProtocol.Message.stateChangeRequestedNotify,
      PowerDomainProtocol.Notify {
        $0.resource = domain
        $0.enable = enable
      }
    )
  }

  /// POWER_DOMAIN_NAME_GET.
  package static func powerNameGet(domain: UInt32) -> Request {
    Request(
      PowerDomainProtocol.Message.nameGet,
      PowerDomainProtocol.Resource {
        $0.resource = domain
      }
    )
  }
}
