/// The in-kernel interrupt controller, a GICv2 or a GICv3.
///
/// Documentation/virt/kvm/devices/arm-vgic.rst and arm-vgic-v3.rst. Calls that the kernel refuses throw a ``KVMError``
/// with its number.
public struct InterruptController: ~Copyable, Sendable {
  let device: Device

  private enum Group {
    static let address: UInt32 = 0
    static let numberOfInterrupts: UInt32 = 3
    static let control: UInt32 = 4
  }

  private enum Address {
    static let v2Distributor: UInt64 = 0
    static let v2CPUInterface: UInt64 = 1
    static let v3Distributor: UInt64 = 2
    static let v3RedistributorRegion: UInt64 = 5
  }

  /// A run of GICv3 redistributors.
  public struct RedistributorRegion: Sendable {
    /// Guest-physical, a multiple of 64 KiB.
    public let base: UInt64
    /// How many redistributors of 128 KiB it holds, 1 to 4095.
    public let count: Int

    /// Names a region.
    public init(base: UInt64, count: Int) {
      self.base = base
      self.count = count
    }
  }

  /// Creates a GICv2 with its registers at guest-physical addresses that are multiples of 4 KiB.
  public init(
    v2Distributor: UInt64,
    cpuInterface: UInt64,
    machine: borrowing VirtualMachine
  ) throws(KVMError) {
    let device = try machine.createDevice(.vgicV2)
    try device.setAttribute(group: Group.address, attribute: Address.v2Distributor, value: v2Distributor)
    try device.setAttribute(group: Group.address, attribute: Address.v2CPUInterface, value: cpuInterface)
    self.device = device
  }

  /// Creates a GICv3 with its distributor at a guest-physical address that is a multiple of 64 KiB.
  public init(
    v3Distributor: UInt64,
    redistributors: [RedistributorRegion],
    machine: borrowing VirtualMachine
  ) throws(KVMError) {
    let device = try machine.createDevice(.vgicV3)
    try device.setAttribute(group: Group.address, attribute: Address.v3Distributor, value: v3Distributor)
    for (index, region) in redistributors.enumerated() {
      // Bits 63 to 52 hold the count, 51 to 16 the base, 11 to 0 the region's number.
      try device.setAttribute(
        group: Group.address,
        attribute: Address.v3RedistributorRegion,
        value: UInt64(region.count) << 52 | region.base | UInt64(index)
      )
    }
    self.device = device
  }

  /// Fixes the number of interrupts and makes the controller ready. All vCPUs must have been created.
  ///
  /// - Parameter numberOfInterrupts: private ones included; 64 to 1024 in steps of 32.
  public func initialize(numberOfInterrupts: UInt32) throws(KVMError) {
    try device.setAttribute(group: Group.numberOfInterrupts, attribute: 0, value: numberOfInterrupts)
    try device.setAttribute(group: Group.control, attribute: 0)
  }
}
