internal import Machine

// What a guest makes pend, and in which order it comes.
extension InterruptController {
  /// Where registers of this offset stand that have a bit or a byte for each interrupt.
  private func registers(of number: UInt32, _ offset: UInt) -> UInt {
    guard number < 32, case .three(let redistributors) = version else { return distributor + offset }
    return ownRedistributor(from: redistributors) + 0x1_0000 + offset
  }

  private func word(of number: UInt32, _ offset: UInt) -> DeviceRegister {
    DeviceRegister(registers(of: number, offset) + 4 * UInt(number / 32))
  }

  /// Gives an interrupt its priority, of which KVM keeps the upper five bits: 0 is the highest.
  public func setPriority(of number: UInt32, _ priority: UInt8) {
    DeviceRegister(registers(of: number, 0x400) + UInt(number)).write8(priority)  // IPRIORITYR
  }

  /// Has a shared interrupt pend by an edge, and not as long as its line is up.
  public func setEdge(_ number: UInt32) {
    let register = DeviceRegister(distributor + 0xC00 + 4 * UInt(number / 16))  // GICD_ICFGR
    register.write32(register.read32() | 2 << (number % 16 * 2))
  }

  /// Makes an interrupt pend that is no software generated one.
  public func setPending(_ number: UInt32) { word(of: number, 0x200).write32(1 << (number % 32)) }  // ISPENDR

  public func isActive(_ number: UInt32) -> Bool { word(of: number, 0x300).read32() >> (number % 32) & 1 != 0 }

  /// Sends a software generated interrupt, 0...15, to a vCPU of the first eight.
  public func send(_ number: UInt32, to index: UInt32) {
    switch version {
    case .two: DeviceRegister(distributor + 0xF00).write32(1 << (16 + index) | number)  // GICD_SGIR
    case .three:
      // SAFETY: a register of the CPU interface; it touches no memory.
      unsafe machine_set_icc_sgi1r_el1(UInt64(number) << 24 | 1 << UInt64(index))
    }
  }

  /// The priority of what is active and runs; 0xFF if nothing is.
  public var runningPriority: UInt32 {
    switch version {
    case .two(let interface): DeviceRegister(interface + 0x14).read32()  // GICC_RPR
    case .three: UInt32(truncatingIfNeeded: machine_get_icc_rpr_el1() & 0xFF)
    }
  }

  /// As ``acknowledge()``, with the vCPU that has sent it above the number on a GICv2: ``end(interrupt:)`` takes both.
  public func acknowledgeWithSource() -> UInt32 {
    switch version {
    case .two(let interface): DeviceRegister(interface + 0xC).read32() & 0x1FFF  // GICC_IAR
    case .three: acknowledge()
    }
  }
}
