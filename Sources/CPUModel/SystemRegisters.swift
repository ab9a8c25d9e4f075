package import KVM

/// The names of registers, for messages.
package enum SystemRegisters {
  /// A register's name in the architecture's manual or KVM's; where there is none, its encoding or number.
  package static func name(_ id: RegisterID) -> String {
    if let row = Contract.table.first(where: { $0.id == id }) { return row.name }
    switch id.rawValue >> 16 & 0xFFF {
    case 0x10: return coreName(id)
    case 0x11: return "CCSIDR_EL1[\(id.rawValue & 0xFF)]"
    case 0x13:
      if id.rawValue & 0xC000 == 0x8000, let name = debugName(id) { return name }
      if let name = monitorName(id) { return name }
      if let register = IDRegisters.all.first(where: { $0.id == id }) { return register.name }
      return encodingName(id)
    case 0x14 where id == FirmwareRegisters.psciVersion: return "KVM_REG_ARM_PSCI_VERSION"
    case 0x14: return FirmwareRegisters.levels.first { $0.id == id }?.name ?? "\(id)"
    case 0x15: return vectorName(id)
    case 0x16: return FirmwareRegisters.bitmaps.first { $0.id == id }?.name ?? "\(id)"
    default: return "\(id)"
    }
  }

  /// A system register's encoding as an assembler takes it, such as `S3_0_C0_C7_5`.
  package static func encodingName(_ id: RegisterID) -> String {
    let bits = id.rawValue
    return "S\(bits >> 14 & 3)_\(bits >> 11 & 7)_C\(bits >> 7 & 15)_C\(bits >> 3 & 15)_\(bits & 7)"
  }

  /// `struct kvm_regs`, in words of 32 bits.
  private static func coreName(_ id: RegisterID) -> String {
    let word = id.rawValue & 0xFFFF
    switch word {
    case 0...60: return "X\(word / 2)"
    case 62: return "SP_EL0"
    case 64: return "PC"
    case 66: return "PSTATE"
    case 68: return "SP_EL1"
    case 70: return "ELR_EL1"
    case 72: return "SPSR_EL1"
    case 74: return "SPSR_abt"
    case 76: return "SPSR_und"
    case 78: return "SPSR_irq"
    case 80: return "SPSR_fiq"
    case 84...208: return "V\((word - 84) / 4)"
    case 212: return "FPSR"
    case 213: return "FPCR"
    default: return "\(id)"
    }
  }

  private static func debugName(_ id: RegisterID) -> String? {
    let bits = id.rawValue
    guard bits & 0x3F80 == 0 else { return nil }
    let number = bits >> 3 & 15
    switch bits & 7 {
    case 4: return "DBGBVR\(number)_EL1"
    case 5: return "DBGBCR\(number)_EL1"
    case 6: return "DBGWVR\(number)_EL1"
    case 7: return "DBGWCR\(number)_EL1"
    default: return nil
    }
  }

  private static func monitorName(_ id: RegisterID) -> String? {
    // PMEVCNTR<n>_EL0 and PMEVTYPER<n>_EL0: op1 3, CRn 14, CRm 8 to 15.
    guard id.rawValue & 0xFFC0 == 0xDF40 else { return nil }
    return (id.rawValue & 0x20 == 0 ? "PMEVCNTR" : "PMEVTYPER") + "\(id.rawValue & 0x1F)_EL0"
  }

  private static func vectorName(_ id: RegisterID) -> String {
    if id == .vectorLengths { return "KVM_REG_ARM64_SVE_VLS" }
    let number = id.rawValue >> 5 & 0x1F
    switch id.rawValue & 0xFC00 {
    case 0x0000: return "Z\(number)"
    case 0x0400: return number == 16 ? "FFR" : "P\(number)"
    default: return "\(id)"
    }
  }
}
