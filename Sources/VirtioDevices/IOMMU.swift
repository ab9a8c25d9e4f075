public import GuestMemory

/// What an IOMMU did.
public struct IOMMUCounters: Equatable, Sendable {
  /// ATTACH requests that were done.
  public var attaches: UInt64 = 0
  /// DETACH requests that were done.
  public var detaches: UInt64 = 0
  /// MAP requests that were done.
  public var maps: UInt64 = 0
  /// UNMAP requests that were done.
  public var unmaps: UInt64 = 0
  /// Requests of which the driver was told that they were wrong, or too many.
  public var refusals: UInt64 = 0
  /// Requests that had to wait for a device that used what was taken away.
  public var waits: UInt64 = 0
  /// The most mappings at the same time.
  public var mostMappings: Int = 0
  /// Accesses of devices that led nowhere.
  public var faults: UInt64 = 0
  /// Those of which the driver was not told, since it did not take what it was told before.
  public var lostFaults: UInt64 = 0

  /// Nothing.
  public init() {}
}

/// Address spaces of a guest's making, to which devices are attached (virtio 1.3, 5.13.1): what an ``IOMMUDevice``'s
/// requests change, and what stands before the memory of each endpoint.
///
/// An endpoint that is attached to no domain reaches nothing, from the first instruction of the guest on. A mapping
/// leads into the guest's RAM and nowhere else. For the device thread, but for ``makeSpace(for:of:)``.
public final class IOMMU: @unchecked Sendable {
  // SAFETY: @unchecked: on the device thread only, once the machine runs.

  /// How many mappings all domains have at most. Linux has one for each run of pages that a driver has handed to a
  /// device: 128 requests of 124 pages at the worst in a queue of a disk.
  public static let mappingLimit = 1 << 16
  /// The last number of a domain. There are no more domains than endpoints: one without ends.
  public static let lastDomain: UInt32 = 0xFFFF
  /// The smallest page, in bytes.
  public static let page: UInt64 = 4096

  /// The guest's RAM: where mappings may lead, and also the addresses that may be mapped. A driver that wants a
  /// device's addresses to be the guest's maps all of them at once.
  public let memory: GuestRange
  let mappingLimit: Int
  private(set) var endpoints: [IOMMUEndpoint] = []
  private(set) var domains: [IOMMUDomain] = []
  private(set) var mappingCount = 0
  /// What it did so far.
  public internal(set) var counters = IOMMUCounters()
  /// Hears of accesses that led nowhere.
  var onFault: (IOMMUFault) -> Void = { _ in }

  /// - Parameters:
  ///   - memory: the guest's RAM: not empty, whole pages.
  ///   - mappingLimit: how many mappings all domains have at most.
  public init(memory: GuestRange, mappingLimit: Int = IOMMU.mappingLimit) {
    precondition(
      memory.size > 0 && memory.start.rawValue % Self.page == 0 && memory.size % Self.page == 0,
      "whole pages"
    )
    self.memory = memory
    self.mappingLimit = mappingLimit
  }

  /// Makes the memory of a device that is behind the IOMMU. Before the guest runs.
  ///
  /// - Parameters:
  ///   - number: the device's, by which the guest knows it here; none is there twice.
  ///   - ram: a window that is open.
  public func makeSpace(for number: UInt32, of ram: borrowing DMAWindow) -> DMASpace {
    precondition(!endpoints.contains { $0.number == number }, "an endpoint's number is its own")
    let endpoint = IOMMUEndpoint(number, of: self)
    let space = DMASpace(extent: .open, translation: endpoint)
    space.add(ram)
    endpoint.space = space
    endpoints.append(endpoint)
    return space
  }

  /// How many mappings there are.
  public var mappings: Int { mappingCount }

  func endpoint(_ number: UInt32) -> IOMMUEndpoint? { endpoints.first { $0.number == number } }

  private func domain(_ number: UInt32) -> IOMMUDomain? { domains.first { $0.number == number } }

  // MARK: Requests (5.13.6.3 to 5.13.6.6)

  /// What a request took from devices: it is answered when they touch nothing of it any longer.
  enum Release {
    case nothing
    /// All that an endpoint reached.
    case endpoint(IOMMUEndpoint)
    /// A run of a domain's addresses.
    case run(ClosedRange<UInt64>, IOMMUDomain)
  }

  func attach(domain number: UInt32, endpoint: UInt32) -> (IOMMUStatus, Release) {
    guard let endpoint = self.endpoint(endpoint) else { return (.noEntry, .nothing) }
    guard number <= Self.lastDomain else { return (.range, .nothing) }
    if endpoint.domain?.number == number { return (.ok, .nothing) }
    let before = endpoint.domain
    if before != nil { take(endpoint) }
    let domain = domain(number) ?? IOMMUDomain(number)
    if domain.endpoints.isEmpty { domains.append(domain) }
    domain.endpoints.append(endpoint)
    endpoint.domain = domain
    return (.ok, before == nil ? .nothing : .endpoint(endpoint))
  }

  func detach(domain number: UInt32, endpoint: UInt32) -> (IOMMUStatus, Release) {
    guard let endpoint = self.endpoint(endpoint) else { return (.noEntry, .nothing) }
    guard let domain = endpoint.domain, domain.number == number else { return (.invalid, .nothing) }
    take(endpoint)
    return (.ok, .endpoint(endpoint))
  }

  /// Takes an endpoint out of its domain, which ends with the last one.
  private func take(_ endpoint: IOMMUEndpoint) {
    guard let domain = endpoint.domain else { return }
    endpoint.domain = nil
    domain.endpoints.removeAll { $0 === endpoint }
    guard domain.endpoints.isEmpty else { return }
    mappingCount -= domain.mappings.count
    domains.removeAll { $0 === domain }
  }

  func map(domain number: UInt32, _ start: UInt64, _ last: UInt64, to target: UInt64, flags: UInt32) -> IOMMUStatus {
    guard let domain = domain(number) else { return .noEntry }
    guard flags & ~3 == 0, start <= last else { return .invalid }
    guard (start | target | (last &+ 1)) % Self.page == 0 else { return .range }
    // Both lie inside, so nothing below overflows.
    guard memory.contains(GuestAddress(start)), memory.contains(GuestAddress(last)),
      memory.contains(GuestAddress(target), count: last - start + 1)
    else { return .range }
    guard !domain.mappings.overlap(start...last) else { return .invalid }
    guard mappingCount < mappingLimit else { return .noMemory }
    domain.mappings.insert(
      IOMMUMapping(
        start: start,
        last: last,
        target: target,
        permissions: DMAPermissions(rawValue: UInt8(truncatingIfNeeded: flags))
      )
    )
    mappingCount += 1
    counters.mostMappings = max(counters.mostMappings, mappingCount)
    return .ok
  }

  func unmap(domain number: UInt32, _ start: UInt64, _ last: UInt64) -> (IOMMUStatus, Release) {
    guard let domain = domain(number) else { return (.noEntry, .nothing) }
    guard start <= last else { return (.invalid, .nothing) }
    guard !domain.mappings.areSplit(by: start...last) else { return (.range, .nothing) }
    let before = domain.mappings.count
    domain.mappings.remove(in: start...last)
    guard domain.mappings.count < before else { return (.ok, .nothing) }
    mappingCount -= before - domain.mappings.count
    return (.ok, .run(start...last, domain))
  }

  /// Takes all endpoints out of their domains.
  ///
  /// - Returns: those that were in one.
  func detachAll() -> [IOMMUEndpoint] {
    let attached = endpoints.filter { $0.domain != nil }
    for endpoint in attached { take(endpoint) }
    return attached
  }

  func tell(_ fault: IOMMUFault) {
    counters.faults &+= 1
    onFault(fault)
  }
}

/// An address space, as long as an endpoint is attached to it.
final class IOMMUDomain {
  let number: UInt32
  var mappings = IOMMUMappings()
  var endpoints: [IOMMUEndpoint] = []

  init(_ number: UInt32) {
    self.number = number
  }
}

/// What stands before a device's memory.
final class IOMMUEndpoint: DMATranslation, @unchecked Sendable {
  // SAFETY: @unchecked: on the device thread only, once the machine runs.

  let number: UInt32
  var domain: IOMMUDomain?
  /// Kept by its device, which lives as long as the machine.
  unowned var space: DMASpace?
  private unowned let iommu: IOMMU

  init(_ number: UInt32, of iommu: IOMMU) {
    self.number = number
    self.iommu = iommu
  }

  func translate(_ address: UInt64, for access: DMAPermissions) -> DMATranslationRun? {
    guard let mapping = domain?.mappings.mapping(at: address), mapping.permissions.isSuperset(of: access) else {
      return nil
    }
    return DMATranslationRun(address: mapping.target + (address - mapping.start), count: mapping.last - address + 1)
  }

  func refused(_ address: UInt64, for access: DMAPermissions) {
    iommu.tell(IOMMUFault(domain == nil ? .domain : .mapping, access, endpoint: number, at: address))
  }
}
