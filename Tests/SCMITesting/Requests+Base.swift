package import SCMI

/// Base.
extension Request {
  /// BASE_DISCOVER_VENDOR.
  package static func baseDiscoverVendor() -> Request {
    Request(BaseProtocol.Message.discoverVendor, NoFields())
  }

  /// BASE_DISCOVER_SUB_VENDOR.
  package static func baseDiscoverSubVendor() -> Request {
    Request(BaseProtocol.Message.discoverSubVendor, NoFields())
  }

  /// BASE_DISCOVER_IMPLEMENTATION_VERSION.
  package static func baseDiscoverImplementationVersion() -> Request {
    Request(BaseProtocol.Message.discoverImplementationVersion, NoFields())
  }

  /// BASE_DISCOVER_LIST_PROTOCOLS.
  package static func baseDiscoverListProtocols(skip: UInt32 = 0) -> Request {
    Request(
      BaseProtocol.Message.discoverListProtocols,
      BaseProtocol.DiscoverListProtocols {
        $0.skip = skip
      }
    )
  }

  /// BASE_DISCOVER_AGENT.
  package static func baseDiscoverAgent(agent: UInt32) -> Request {
    Request(
      BaseProtocol.Message.discoverAgent,
      BaseProtocol.DiscoverAgent {
        $0.agent = agent
      }
    )
  }

  /// BASE_NOTIFY_ERRORS.
  package static func baseNotifyErrors(enable: NotifyEnable) -> Request {
    Request(
      BaseProtocol.Message.notifyErrors,
      BaseProtocol.NotifyErrors {
        $0.enable = enable
      }
    )
  }

  /// BASE_SET_DEVICE_PERMISSIONS.
  package static func baseSetDevicePermissions(agent: UInt32, device: UInt32, flags: BaseProtocol.PermissionFlags = [])
    -> Request
  {
    Request(
      BaseProtocol.Message.setDevicePermissions,
      BaseProtocol.SetDevicePermissions {
        $0.agent = agent
        $0.device = device
        $0.flags = flags
      }
    )
  }

  /// BASE_SET_PROTOCOL_PERMISSIONS.
  package static func baseSetProtocolPermissions(
    agent: UInt32,
    device: UInt32,
    protocolIdentifier: UInt32,
    flags: BaseProtocol.PermissionFlags = []
  ) -> Request {
    Request(
      BaseProtocol.Message.setProtocolPermissions,
      BaseProtocol.SetProtocolPermissions {
        $0.agent = agent
        $0.device = device
        $0.protocolIdentifier = protocolIdentifier
        $0.flags = flags
      }
    )
  }

  /// BASE_RESET_AGENT_CONFIGURATION.
  package static func baseResetAgentConfiguration(agent: UInt32, flags: BaseProtocol.ResetFlags = []) -> Request {
    Request(
      BaseProtocol.Message.resetAgentConfiguration,
      BaseProtocol.ResetAgentConfiguration {
        $0.agent = agent
        $0.flags = flags
      }
    )
  }
}
