internal import Machine

/// The GIC of the device tree, GICv2 or GICv3, as far as one vCPU needs it: private and shared interrupts of group 1
/// with one priority, in the form that KVM and QEMU give a guest (one security state).
public struct InterruptController: Sendable {
  enum Version: Sendable {
    /// The base of the CPU interface.
    case two(UInt)
    /// The base of the first redistributor.
    case three(UInt)
  }

  let distributor: UInt
  let version: Version

  /// The version of the architecture: 2 or 3.
  public var architecture: UInt64 {
    if case .two = version { 2 } else { 3 }
  }

  /// The controller of the device tree, or `nil` if there is none. Nothing is set up yet.
  public init?() {
    let tree = DeviceTree.current
    if let node = tree.firstNode(compatibleWith: "arm,gic-v3") {
      guard let distributor = node.address(0), let redistributors = node.address(1) else { return nil }
      self.distributor = UInt(distributor)
      version = .three(UInt(redistributors))
    } else if let node = tree.firstNode(compatibleWith: "arm,cortex-a15-gic") {
      guard let distributor = node.address(0), let interface = node.address(1) else { return nil }
      self.distributor = UInt(distributor)
      version = .two(UInt(interface))
    } else {
      return nil
    }
  }

  /// The redistributor of the vCPU that calls. Each has two frames of 64 KiB; GICR_TYPER (ARM IHI 0069, GICR registers)
  /// tells whose it is and which is the last.
  func ownRedistributor(from first: UInt) -> UInt {
    let affinity = Processor.affinity
    let wanted = UInt32(affinity & 0xFF_FFFF) | UInt32(affinity >> 32 & 0xFF) << 24
    var frame = first
    while DeviceRegister(frame + 0xC).read32() != wanted, DeviceRegister(frame + 0x8).read32() & 1 << 4 == 0 {
      frame += 0x2_0000
    }
    return frame
  }

  /// Lets the controller deliver to the vCPU that calls.
  public func start() {
    switch version {
    case .two(let interface):
      DeviceRegister(distributor).write32(1)  // GICD_CTLR
      DeviceRegister(interface + 0x4).write32(0xFF)  // GICC_PMR: all priorities
      DeviceRegister(interface).write32(1)  // GICC_CTLR
    case .three(let redistributors):
      let redistributor = ownRedistributor(from: redistributors)
      DeviceRegister(distributor).write32(1 << 4 | 1 << 1)  // GICD_CTLR: ARE, EnableGrp1
      let waker = DeviceRegister(redistributor + 0x14)
      waker.write32(waker.read32() & ~(1 << 1))  // GICR_WAKER.ProcessorSleep
      while waker.read32() & 1 << 2 != 0 {}  // ChildrenAsleep
      DeviceRegister(redistributor + 0x1_0080).write32(.max)  // GICR_IGROUPR0: all in group 1
      // SAFETY: registers of the CPU interface; they touch no memory.
      unsafe machine_set_icc_sre_el1(machine_get_icc_sre_el1() | 1)
      unsafe machine_set_icc_pmr_el1(0xFF)
      unsafe machine_set_icc_igrpen1_el1(1)
    }
  }

  /// Lets interrupt `number` through: 16...31 are the vCPU's own, those from 32 on go to the vCPU that calls.
  public func enable(interrupt number: UInt32) {
    let word = 4 * UInt(number / 32)
    let bit = UInt32(1) << (number % 32)
    switch version {
    case .two:
      // GICD_ITARGETSR: a byte for each; the vCPU finds its own mask in those of the private interrupts.
      if number >= 32 {
        DeviceRegister(distributor + 0x800 + UInt(number)).write8(DeviceRegister(distributor + 0x800).read8())
      }
      DeviceRegister(distributor + 0x100 + word).write32(bit)  // GICD_ISENABLER
    case .three(let redistributors):
      if number < 32 {
        DeviceRegister(ownRedistributor(from: redistributors) + 0x1_0100).write32(bit)  // GICR_ISENABLER0
      } else {
        let group = DeviceRegister(distributor + 0x80 + word)
        group.write32(group.read32() | bit)  // GICD_IGROUPR
        let affinity = Processor.affinity
        let route = distributor + 0x6000 + 8 * UInt(number)  // GICD_IROUTER
        DeviceRegister(route).write32(UInt32(truncatingIfNeeded: affinity))
        DeviceRegister(route + 4).write32(UInt32(truncatingIfNeeded: affinity >> 32))
        DeviceRegister(distributor + 0x100 + word).write32(bit)
      }
    }
  }

  /// Takes the interrupt with the highest priority: its number, or 1020 and above if there is none.
  public func acknowledge() -> UInt32 {
    switch version {
    case .two(let interface): DeviceRegister(interface + 0xC).read32() & 0x3FF  // GICC_IAR
    case .three: UInt32(truncatingIfNeeded: machine_get_icc_iar1_el1() & 0xFF_FFFF)
    }
  }

  /// Says that interrupt `number` was handled.
  public func end(interrupt number: UInt32) {
    switch version {
    case .two(let interface): DeviceRegister(interface + 0x10).write32(number)  // GICC_EOIR
    case .three:
      // SAFETY: a register of the CPU interface; it touches no memory.
      unsafe machine_set_icc_eoir1_el1(UInt64(number))
    }
  }
}
