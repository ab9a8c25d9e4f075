package import SCMI

/// Power cap management.
extension Request {
  /// POWERCAP_DOMAIN_ATTRIBUTES.
  package static func powercapDomainAttributes(domain: UInt32) -> Request {
    Request(
      PowercapProtocol.Message.domainAttributes,
      PowercapProtocol.Resource {
        $0.resource = domain
      }
    )
  }

  /// POWERCAP_CAP_GET.
  package static func powercapCapGet(domain: UInt32) -> Request {
    Request(
      PowercapProtocol.Message.capGet,
      PowercapProtocol.Resource {
        $0.resource = domain
      }
    )
  }

  /// POWERCAP_CAP_SET.
  package static func powercapCapSet(domain: UInt32, cap: UInt32, flags: PowercapProtocol.CapFlags = []) -> Request {
    Request(
      PowercapProtocol.Message.capSet,
      PowercapProtocol.CapSet {
        $0.domain = domain
        $0.flags = flags
        $0.cap = cap
      }
    )
  }

  /// POWERCAP_PAI_GET.
  package static func powercapAveragingIntervalGet(domain: UInt32) -> Request {
    Request(
      PowercapProtocol.Message.averagingIntervalGet,
      PowercapProtocol.Resource {
        $0.resource = domain
      }
    )
  }

  /// POWERCAP_PAI_SET.
  package static func powercapAveragingIntervalSet(domain: UInt32, interval: UInt32, flags: NoFlags = []) -> Request {
    Request(
      PowercapProtocol.Message.averagingIntervalSet,
      PowercapProtocol.AveragingIntervalSet {
        $0.domain = domain
        $0.flags = flags
        $0.interval = interval
      }
    )
  }

  /// POWERCAP_DOMAIN_NAME_GET.
  package static func powercapDomainNameGet(domain: UInt32) -> Request {
    Request(
      PowercapProtocol.Message.domainNameGet,
      PowercapProtocol.Resource {
        $0.resource = domain
      }
    )
  }

  /// POWERCAP_MEASUREMENTS_GET.
  package static func powercapMeasurementsGet(domain: UInt32) -> Request {
    Request(
      PowercapProtocol.Message.measurementsGet,
      PowercapProtocol.Resource {
        $0.resource = domain
      }
    )
  }

  /// POWERCAP_CAP_NOTIFY.
  package static func powercapCapNotify(domain: UInt32, enable: NotifyEnable) -> Request {
    Request(
      PowercapProtocol.Message.capNotify,
      PowercapProtocol.Notify {
        $0.resource = domain
        $0.enable = enable
      }
    )
  }

  /// POWERCAP_MEASUREMENTS_NOTIFY.
  package static func powercapMeasurementsNotify(domain: UInt32, low: UInt32, high: UInt32, enable: NotifyEnable)
    -> Request
  {
    Request(
      PowercapProtocol.Message.measurementsNotify,
      PowercapProtocol.MeasurementsNotify {
        $0.domain = domain
        $0.enable = enable
        $0.low = low
        $0.high = high
      }
    )
  }
}
