package import SCMI

/// Voltage domain management.
extension Request {
  /// VOLTAGE_DOMAIN_ATTRIBUTES.
  package static func voltageDomainAttributes(domain: UInt32) -> Request {
    Request(
      VoltageProtocol.Message.domainAttributes,
      VoltageProtocol.Resource {
        $0.resource = domain
      }
    )
  }

  /// VOLTAGE_DESCRIBE_LEVELS.
  package static func voltageDescribeLevels(domain: UInt32, index: UInt32 = 0) -> Request {
    Request(
      VoltageProtocol.Message.describeLevels,
      VoltageProtocol.DescribeLevels {
        $0.domain = domain
        $0.index = index
      }
    )
  }

  /// VOLTAGE_CONFIG_SET.
  package static func voltageConfigSet(domain: UInt32, mode: VoltageProtocol.Mode) -> Request {
    Request(
      VoltageProtocol.Message.configSet,
      VoltageProtocol.ConfigSet {
        $0.domain = domain
        $0.mode = mode
      }
    )
  }

  /// VOLTAGE_CONFIG_GET.
  package static func voltageConfigGet(domain: UInt32) -> Request {
    Request(
      VoltageProtocol.Message.configGet,
      VoltageProtocol.Resource {
        $0.resource = domain
      }
    )
  }

  /// VOLTAGE_LEVEL_SET.
  package static func voltageLevelSet(domain: UInt32, level: Int32, flags: VoltageProtocol.SetFlags = []) -> Request {
    Request(
      VoltageProtocol.Message.levelSet,
      VoltageProtocol.LevelSet {
        $0.domain = domain
        $0.flags = flags
        $0.level = level
      }
    )
  }

  /// VOLTAGE_LEVEL_GET.
  package static func voltageLevelGet(domain: UInt32) -> Request {
    Request(
      VoltageProtocol.Message.levelGet,
      VoltageProtocol.Resource {
        $0.resource = domain
      }
    )
  }

  /// VOLTAGE_DOMAIN_NAME_GET.
  package static func voltageDomainNameGet(domain: UInt32) -> Request {
    Request(
      VoltageProtocol.Message.domainNameGet,
      VoltageProtocol.Resource {
        $0.resource = domain
      }
    )
  }
}
