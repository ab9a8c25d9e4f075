import GunyahSupport
import KVM

extension GuestTables.Granule {
  /// Those that a guest's processor has on this host, by ID_AA64MMFR0_EL1 (Arm ARM, D24.2.84); all where there is no
  /// KVM, so that the tests that want one fail.
  static let ofThisHost: [Self] = {
    let identification = RegisterID.system(3, 0, 0, 7, 0)
    guard
      let machine = try? System().createVirtualMachine(ipaSize: 40),
      let vcpu = try? machine.createVirtualCPU(index: 0),
      (try? vcpu.initialize(features: .psci02, machine: machine)) != nil,
      let features = try? vcpu.register(identification)
    else { return allCases }
    return allCases.filter { granule in
      let isThere =
        switch granule {
        case .small: features >> 28 & 0xF != 0xF
        case .middle: features >> 20 & 0xF != 0
        case .large: features >> 24 & 0xF != 0xF
        }
      if !isThere { print("this host's processor has no granules of \(1 << (granule.rawValue - 10)) KiB") }
      return isThere
    }
  }()
}
