package import SCMI

/// Performance domain management.
extension Request {
  /// PERFORMANCE_DOMAIN_ATTRIBUTES.
  package static func performanceDomainAttributes(domain: UInt32) -> Request {
    Request(
      PerformanceProtocol.Message.domainAttributes,
      PerformanceProtocol.Resource {
        $0.resource = domain
      }
    )
  }

  /// PERFORMANCE_DESCRIBE_LEVELS.
  package static func performanceDescribeLevels(domain: UInt32, index: UInt32 = 0) -> Request {
    Request(
      PerformanceProtocol.Message.describeLevels,
      PerformanceProtocol.DescribeLevels {
        $0.domain = domain
        $0.index = index
      }
    )
  }

  /// PERFORMANCE_LIMITS_SET.
  package static func performanceLimitsSet(domain: UInt32, maximum: UInt32, minimum: UInt32) -> Request {
    Request(
      PerformanceProtocol.Message.limitsSet,
      PerformanceProtocol.LimitsSet {
        $0.domain = domain
        $0.maximum = maximum
        $0.minimum = minimum
      }
    )
  }

  /// PERFORMANCE_LIMITS_GET.
  package static func performanceLimitsGet(domain: UInt32) -> Request {
    Request(
      PerformanceProtocol.Message.limitsGet,
      PerformanceProtocol.Resource {
        $0.resource = domain
      }
    )
  }

  /// PERFORMANCE_LEVEL_SET.
  package static func performanceLevelSet(domain: UInt32, level: UInt32) -> Request {
    Request(
      PerformanceProtocol.Message.levelSet,
      PerformanceProtocol.LevelSet {
        $0.domain = domain
        $0.level = level
      }
    )
  }

  /// PERFORMANCE_LEVEL_GET.
  package static func performanceLevelGet(domain: UInt32) -> Request {
    Request(
      PerformanceProtocol.Message.levelGet,
      PerformanceProtocol.Resource {
        $0.resource = domain
      }
    )
  }

  /// PERFORMANCE_NOTIFY_LIMITS.
  package static func performanceNotifyLimits(domain: UInt32, enable: NotifyEnable) -> Request {
    Request(
      PerformanceProtocol.Message.notifyLimits,
      PerformanceProtocol.Notify {
        $0.resource = domain
        $0.enable = enable
      }
    )
  }

  /// PERFORMANCE_NOTIFY_LEVEL.
  package static func performanceNotifyLevel(domain: UInt32, enable: NotifyEnable) -> Request {
    Request(
      PerformanceProtocol.Message.notifyLevel,
      PerformanceProtocol.Notify {
        $0.resource = domain
        $0.enable = enable
      }
    )
  }

  /// PERFORMANCE_DOMAIN_NAME_GET.
  package static func performanceDomainNameGet(domain: UInt32) -> Request {
    Request(
      PerformanceProtocol.Message.domainNameGet,
      PerformanceProtocol.Resource {
        $0.resource = domain
      }
    )
  }
}
