package import SCMI

/// Clock management.
extension Request {
  /// CLOCK_ATTRIBUTES.
  package static func clockAttributes(clock: UInt32) -> Request {
    Request(
      ClockProtocol.Message.attributes,
      ClockProtocol.Resource {
        $0.resource = clock
      }
    )
  }

  /// CLOCK_DESCRIBE_RATES.
  package static func clockDescribeRates(clock: UInt32, index: UInt32 = 0) -> Request {
    Request(
      ClockProtocol.Message.describeRates,
      ClockProtocol.DescribeRates {
        $0.clock = clock
        $0.index = index
      }
    )
  }

  /// CLOCK_RATE_SET.
  package static func clockRateSet(clock: UInt32, rate: UInt64, flags: ClockProtocol.RateFlags = []) -> Request {
    Request(
      ClockProtocol.Message.rateSet,
      ClockProtocol.RateSet {
        $0.flags = flags
        $0.clock = clock
        $0.rate = rate
      }
    )
  }

  /// CLOCK_RATE_GET.
  package static func clockRateGet(clock: UInt32) -> Request {
    Request(
      ClockProtocol.Message.rateGet,
      ClockProtocol.Resource {
        $0.resource = clock
      }
    )
  }

  /// CLOCK_CONFIG_SET.
  package static func clockConfigSet(
    clock: UInt32,
    attributes: ClockProtocol.ConfigAttributes,
    extendedValue: UInt32? = nil
  ) -> Request {
    Request(
      ClockProtocol.Message.configSet,
      ClockProtocol.ConfigSet {
        $0.clock = clock
        $0.attributes = attributes
        $0.extendedValue = extendedValue
      }
    )
  }

  /// CLOCK_NAME_GET.
  package static func clockNameGet(clock: UInt32) -> Request {
    Request(
      ClockProtocol.Message.nameGet,
      ClockProtocol.Resource {
        $0.resource = clock
      }
    )
  }

  /// CLOCK_RATE_NOTIFY.
  package static func clockRateNotify(clock: UInt32, enable: NotifyEnable) -> Request {
    Request(
      ClockProtocol.Message.rateNotify,
      ClockProtocol.Notify {
        $0.resource = clock
        $0.enable = enable
      }
    )
  }

  /// CLOCK_RATE_CHANGE_REQUESTED_NOTIFY.
  package static func clockRateChangeRequestedNotify(clock: UInt32, enable: NotifyEnable) -> Request {
    Request(
      ClockProtocol.Message.rateChangeRequestedNotify,
      ClockProtocol.Notify {
        $0.resource = clock
        $0.enable = enable
      }
    )
  }

  /// CLOCK_CONFIG_GET.
  package static func clockConfigGet(clock: UInt32, extendedType: UInt32) -> Request {
    Request(
      ClockProtocol.Message.configGet,
      ClockProtocol.ConfigGet {
        $0.clock = clock
        $0.extendedType = extendedType
      }
    )
  }

  /// CLOCK_POSSIBLE_PARENTS_GET.
  package static func clockPossibleParentsGet(clock: UInt32, skip: UInt32 = 0) -> Request {
    Request(
      ClockProtocol.Message.possibleParentsGet,
      ClockProtocol.PossibleParentsGet {
        $0.clock = clock
        $0.skip = skip
      }
    )
  }

  /// CLOCK_PARENT_SET.
  package static func clockParentSet(clock: UInt32, parent: UInt32) -> Request {
    Request(
      ClockProtocol.Message.parentSet,
      ClockProtocol.ParentSet {
        $0.clock = clock
        $0.parent = parent
      }
    )
  }

  /// CLOCK_PARENT_GET.
  package static func clockParentGet(clock: UInt32) -> Request {
    Request(
      ClockProtocol.Message.parentGet,
      ClockProtocol.Resource {
        $0.resource = clock
      }
    )
  }

  /// CLOCK_GET_PERMISSIONS.
  package static func clockGetPermissions(clock: UInt32) -> Request {
    Request(
      ClockProtocol.Message.getPermissions,
      ClockProtocol.Resource {
        $0.resource = clock
      }
    )
  }
}
