package import SCMI

/// Reset domain management.
extension Request {
  /// RESET_DOMAIN_ATTRIBUTES.
  package static func resetDomainAttributes(domain: UInt32) -> Request {
    Request(
      ResetProtocol.Message.domainAttributes,
      ResetProtocol.Resource {
        $0.resource = domain
      }
    )
  }

  /// RESET.
  package static func reset(domain: UInt32, state: UInt32, flags: ResetProtocol.ResetFlags = []) -> Request {
    Request(
      ResetProtocol.Message.reset,
      ResetProtocol.Reset {
        $0.domain = domain
        $0.flags = flags
        $0.state = state
      }
    )
  }

  /// RESET_NOTIFY.
  package static func resetNotify(domain: UInt32, enable: NotifyEnable) -> Request {
    Request(
      ResetProtocol.Message.notify,
      ResetProtocol.Notify {
        $0.resource = domain
        $0.enable = enable
      }
    )
  }

  /// RESET_DOMAIN_NAME_GET.
  package static func resetDomainNameGet(domain: UInt32) -> Request {
    Request(
      ResetProtocol.Message.domainNameGet,
      ResetProtocol.Resource {
        $0.resource = domain
      }
    )
  }
}
