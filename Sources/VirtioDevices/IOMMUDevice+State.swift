internal import GuestMemory
public import Virtio

/// An IOMMU device's. It is put in before those of the devices behind it, whose queues are found through it.
public struct IOMMUDeviceState: VersionedState, Equatable {
  public static var kind: String { "virtio-iommu" }
  public static var version: UInt32 { 1 }

  /// A run of addresses and where it leads.
  public struct Mapping: Codable, Equatable, Sendable {
    /// The first address.
    public var start: UInt64
    /// The last one.
    public var last: UInt64
    /// Where the first one leads: an address of the guest's.
    public var target: UInt64
    /// VIRTIO_IOMMU_MAP_F_READ (1) and _WRITE (2).
    public var flags: UInt32

    public init(start: UInt64, last: UInt64, target: UInt64, flags: UInt32) {
      self.start = start
      self.last = last
      self.target = target
      self.flags = flags
    }
  }

  /// An address space.
  public struct Domain: Codable, Equatable, Sendable {
    /// The driver's.
    public var number: UInt32
    /// The numbers of those that are attached to it, at least one.
    public var endpoints: [UInt32]
    /// In the order of their addresses.
    public var mappings: [Mapping]

    public init(number: UInt32, endpoints: [UInt32], mappings: [Mapping]) {
      self.number = number
      self.endpoints = endpoints
      self.mappings = mappings
    }
  }

  /// Those that have an endpoint.
  public var domains: [Domain]
  /// Of which the driver has yet to be told.
  public var faults: [IOMMUFault]

  public init(domains: [Domain], faults: [IOMMUFault]) {
    self.domains = domains
    self.faults = faults
  }
}

extension IOMMUDevice {
  public func savedState() -> any VersionedState {
    IOMMUDeviceState(
      domains: iommu.domains.map { domain in
        IOMMUDeviceState.Domain(
          number: domain.number,
          endpoints: domain.endpoints.map(\.number),
          mappings: domain.mappings.all.map {
            .init(start: $0.start, last: $0.last, target: $0.target, flags: UInt32($0.permissions.rawValue))
          }
        )
      },
      faults: state.value.faults
    )
  }

  public func decodeState(from decoder: any Decoder) throws -> any VersionedState {
    try Versioned<IOMMUDeviceState>(from: decoder).state
  }

  public func restore(_ state: any VersionedState) throws(DeviceStateError) {
    try restore(IOMMUDeviceState(kindOf: state))
  }

  private func restore(_ saved: IOMMUDeviceState) throws(DeviceStateError) {
    do throws(DeviceStateError) {
      try restoreDomains(saved.domains)
      guard saved.faults.count <= Self.faultLimit else { throw invalid("faults") }
    } catch {
      _ = iommu.detachAll()
      throw error
    }
    iommu.counters = IOMMUCounters()
    state.value.faults = saved.faults
    state.value.isSuspended = true
  }

  private func invalid(_ field: String) -> DeviceStateError { .invalid(device: name, field: field) }

  private func restoreDomains(_ domains: [IOMMUDeviceState.Domain]) throws(DeviceStateError) {
    for domain in domains {
      guard !domain.endpoints.isEmpty, !iommu.domains.contains(where: { $0.number == domain.number }) else {
        throw invalid("domains")
      }
      for endpoint in domain.endpoints {
        guard iommu.endpoint(endpoint)?.domain == nil,
          iommu.attach(domain: domain.number, endpoint: endpoint).0 == .ok
        else { throw invalid("endpoints") }
      }
      for run in domain.mappings {
        guard iommu.map(domain: domain.number, run.start, run.last, to: run.target, flags: run.flags) == .ok else {
          throw invalid("mappings")
        }
      }
    }
  }
}
