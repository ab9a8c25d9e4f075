package import KVM

/// What the guest can ask the hypervisor for, as a table of this package and never of the host kernel.
///
/// KVM offers its hypercall services through firmware pseudo-registers, and by default exposes whatever it has. Apus
/// exposes host ∧ table: a register or bit that the table does not know stays hidden, however new the kernel is.
/// Documentation/virt/kvm/arm/fw-pseudo-registers.rst.
package enum FirmwareRegisters {
  /// One bit of a bitmap register.
  package struct Service: Equatable, Sendable {
    /// The bit's number.
    package let bit: Int
    /// The name that messages use.
    package let name: String
    /// Whether a host without it is refused.
    package let isRequired: Bool
    /// Whether the guest gets it where the host has it.
    package let isExposed: Bool

    init(_ bit: Int, _ name: String, required: Bool = false, exposed: Bool = true) {
      self.bit = bit
      self.name = name
      isRequired = required
      isExposed = exposed
    }
  }

  /// A bitmap register that the table knows.
  package struct Bitmap: Equatable, Sendable {
    /// Its number among KVM_REG_ARM_FW_FEAT_BMAP.
    package let index: UInt64
    /// The kernel's name.
    package let name: String
    /// The bits that the table knows.
    package let services: [Service]

    /// KVM's id.
    package var id: RegisterID { .firmware(.bitmap, index) }

    /// What the guest gets of a host that offers `host`.
    ///
    /// - Parameter names: the services that a model has, or nil where it leaves them to the host.
    package func value(host: UInt64, of names: [String]? = nil) -> UInt64 {
      var value: UInt64 = 0
      for service in services where service.isExposed && names?.contains(service.name) != false {
        value |= host & (1 << UInt64(service.bit))
      }
      return value
    }
  }

  /// The version of the table. A snapshot carries it; a change of any row raises it.
  package static let tableVersion = 1

  /// KVM_REG_ARM_PSCI_VERSION, and the versions that the table knows.
  package static let psciVersion = RegisterID.firmware(.level, 0)

  /// PSCI 1.1: SYSTEM_RESET2 is its only addition to 1.0. Later versions stay hidden.
  package static let highestPSCIVersion: UInt64 = 0x1_0001

  /// PSCI 1.0, the lowest that Apus promises.
  package static let lowestPSCIVersion: UInt64 = 0x1_0000

  /// The bitmap registers that the table knows.
  package static let bitmaps: [Bitmap] = [
    Bitmap(index: 0, name: "KVM_REG_ARM_STD_BMAP", services: [Service(0, "TRNG_V1_0")]),
    Bitmap(index: 1, name: "KVM_REG_ARM_STD_HYP_BMAP", services: [Service(0, "PV_TIME")]),
    Bitmap(
      index: 2,
      name: "KVM_REG_ARM_VENDOR_HYP_BMAP",
      services: [Service(0, "FUNC_FEAT"), Service(1, "PTP")]
    ),
    // Since Linux 6.15; it tells a guest of other implementations that it may be migrated to, which Apus does not do.
    Bitmap(
      index: 3,
      name: "KVM_REG_ARM_VENDOR_HYP_BMAP_2",
      services: [
        Service(0, "DISCOVER_IMPL_VER", exposed: false), Service(1, "DISCOVER_IMPL_CPUS", exposed: false),
      ]
    ),
  ]

  /// The level registers that the table knows besides the PSCI version: the guest gets the host's level, which tells
  /// it whether the host's firmware must be called to be safe.
  package static let levels: [(id: RegisterID, name: String)] = [
    (.firmware(.level, 1), "KVM_REG_ARM_SMCCC_ARCH_WORKAROUND_1"),
    (.firmware(.level, 2), "KVM_REG_ARM_SMCCC_ARCH_WORKAROUND_2"),
    (.firmware(.level, 3), "KVM_REG_ARM_SMCCC_ARCH_WORKAROUND_3"),
  ]

  /// What to write into the host's registers, and what to say about it.
  package struct Plan: Equatable, Sendable {
    /// The registers to write with their values, in order.
    package var writes: [Write] = []
    /// Registers that the host has and the table does not know; they are written 0.
    package var unknown: [RegisterID] = []

    /// One register to write.
    package struct Write: Equatable, Sendable {
      /// The register's identifier for KVM_SET_ONE_REG.
      package let id: RegisterID
      /// What is written to it.
      package let value: UInt64
    }
  }

  /// A firmware register of the host.
  package struct HostRegister: Equatable, Sendable {
    /// The register's identifier for KVM_GET_ONE_REG.
    package let id: RegisterID
    /// What it holds before anything is written.
    package let value: UInt64

    /// A register with what it holds.
    package init(id: RegisterID, value: UInt64) {
      self.id = id
      self.value = value
    }
  }

  /// A host that lacks what the table requires.
  package struct Refusal: Error, Equatable, Sendable, CustomStringConvertible {
    /// What is missing: a register's or a bit's name.
    package let missing: String

    package var description: String {
      "this host's KVM lacks \(missing), which every Apus guest is promised; use a newer kernel"
    }
  }

  /// Decides what the guest gets from what the host has.
  ///
  /// - Parameters:
  ///   - host: the host's firmware registers of both kinds, each once.
  ///   - model: what the guest is promised beside the table, or nil.
  ///   - table: the bitmaps to know, for tests of other tables.
  /// - Throws: a refusal that names the register or bit that is required and missing.
  package static func plan(
    host: [HostRegister],
    model: ProcessorModel? = nil,
    table: [Bitmap] = bitmaps
  ) throws(Refusal) -> Plan {
    // There are a dozen: looking through them is cheaper than any collection that could find one at once.
    func value(of id: RegisterID) -> UInt64? { host.first { $0.id == id }?.value }
    var plan = Plan()
    guard let psci = value(of: psciVersion), psci >= lowestPSCIVersion else { throw Refusal(missing: "PSCI 1.0") }
    let highest = model?.psciVersion.map { min(UInt64($0), highestPSCIVersion) } ?? highestPSCIVersion
    if psci > highest { plan.writes.append(.init(id: psciVersion, value: highest)) }
    for bitmap in table {
      let offered = value(of: bitmap.id)
      for service in bitmap.services where service.isRequired && (offered ?? 0) & 1 << UInt64(service.bit) == 0 {
        throw Refusal(missing: "\(bitmap.name) bit \(service.bit) (\(service.name))")
      }
      // Written also where nothing changes, so that what the guest sees never rests on the host's default.
      if let offered {
        plan.writes.append(.init(id: bitmap.id, value: bitmap.value(host: offered, of: model?.services)))
      }
    }
    for register in host {
      let id = register.id
      let isKnown = id == psciVersion || table.contains { $0.id == id } || levels.contains { $0.id == id }
      if !isKnown { plan.unknown.append(id) }
    }
    plan.unknown.sort()
    for id in plan.unknown { plan.writes.append(.init(id: id, value: 0)) }
    return plan
  }
}
