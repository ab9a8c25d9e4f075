import Host

/// A register of an arm64 vCPU, by KVM's 64-bit id.
///
/// Documentation/virt/kvm/api.rst, section 4.68 (KVM_SET_ONE_REG).
public struct RegisterID: RawRepresentable, Hashable, Comparable, Sendable {
  /// The id as the kernel takes it.
  public let rawValue: UInt64

  /// Names a register by the kernel's id.
  public init(rawValue: UInt64) {
    self.rawValue = rawValue
  }

  public static func < (left: RegisterID, right: RegisterID) -> Bool {
    left.rawValue < right.rawValue
  }

  /// How many bytes the register has: the id's bits 55 to 52 hold the logarithm.
  public var size: Int { 1 << Int(rawValue >> 52 & 0xF) }

  private static let arm64Word: UInt64 = 0x6030_0000_0000_0000

  /// A core register: `offset` is its place in `struct kvm_regs`, in bytes.
  private static func core(offset: UInt64) -> RegisterID {
    RegisterID(rawValue: arm64Word | 0x10 << 16 | offset / 4)
  }

  /// What KVM's reset leaves in system registers for which the architecture names no value, among them ESR_EL1 and
  /// FAR_EL1 (`reset_unknown` in arch/arm64/kvm/sys_regs.h).
  public static let resetPattern: UInt64 = 0x1DE7_EC7E_DBAD_C0DE

  /// X0 to X30.
  public static func general(_ number: Int) -> RegisterID {
    precondition(0...30 ~= number, "there are X0 to X30")
    return core(offset: UInt64(number) * 8)
  }

  /// SPSR_EL1.
  public static let savedStateEL1 = core(offset: 288)
  /// FPSR.
  public static let floatingPointStatus = RegisterID(rawValue: 0x6020_0000_0010_0000 | 848 / 4)
  /// FPCR.
  public static let floatingPointControl = RegisterID(rawValue: 0x6020_0000_0010_0000 | 852 / 4)

  /// V0 to V31, of 16 bytes. A vCPU with the scalable vector extension has ``scalableVector(_:)`` in their place.
  public static func vector(_ number: Int) -> RegisterID {
    precondition(0...31 ~= number, "there are V0 to V31")
    return RegisterID(rawValue: 0x6040_0000_0010_0000 | (336 + UInt64(number) * 16) / 4)
  }

  /// Z0 to Z31 as far as 256 bytes (KVM_REG_ARM64_SVE_ZREG); the lowest 16 are those of V0 to V31.
  public static func scalableVector(_ number: Int) -> RegisterID {
    precondition(0...31 ~= number, "there are Z0 to Z31")
    return RegisterID(rawValue: 0x6080_0000_0015_0000 | UInt64(number) << 5)
  }

  /// CNTV_CVAL_EL0, whose id KVM has exchanged with that of CNTVCT_EL0 (KVM_REG_ARM_TIMER_CVAL).
  public static let virtualCompare = system(3, 3, 14, 0, 2)

  /// SP_EL0.
  public static let stackPointer = core(offset: 248)
  /// PC.
  public static let programCounter = core(offset: 256)
  /// PSTATE in SPSR's form.
  public static let processorState = core(offset: 264)
  /// SP_EL1.
  public static let stackPointerEL1 = core(offset: 272)
  /// ELR_EL1.
  public static let exceptionLinkEL1 = core(offset: 280)

  /// A system register by the numbers of its encoding in MRS.
  public static func system(_ op0: UInt64, _ op1: UInt64, _ crn: UInt64, _ crm: UInt64, _ op2: UInt64) -> RegisterID {
    RegisterID(rawValue: arm64Word | 0x13 << 16 | op0 << 14 | op1 << 11 | crn << 7 | crm << 3 | op2)
  }

  /// MPIDR_EL1.
  public static let multiprocessorAffinity = system(3, 0, 0, 0, 5)
  /// SCTLR_EL1.
  public static let systemControlEL1 = system(3, 0, 1, 0, 0)
  /// TTBR0_EL1.
  public static let translationTable0EL1 = system(3, 0, 2, 0, 0)
  /// TTBR1_EL1.
  public static let translationTable1EL1 = system(3, 0, 2, 0, 1)
  /// TCR_EL1.
  public static let translationControlEL1 = system(3, 0, 2, 0, 2)
  /// ESR_EL1.
  public static let exceptionSyndromeEL1 = system(3, 0, 5, 2, 0)
  /// FAR_EL1.
  public static let faultAddressEL1 = system(3, 0, 6, 0, 0)
  /// VBAR_EL1.
  public static let vectorBaseEL1 = system(3, 0, 12, 0, 0)

  /// CNTVCT_EL0, KVM_REG_ARM_TIMER_CNT. Its id has the encoding of CNTV_CVAL_EL0, and the other way round: a mistake of
  /// KVM's that its users rely on (arch/arm64/include/uapi/asm/kvm.h).
  public static let virtualCounter = system(3, 3, 14, 3, 2)

  /// KVM_REG_ARM64_SVE_VLS: the set of a vCPU's vector lengths, in 64 bytes. To be set before
  /// ``VirtualCPU/finalizeSVE()`` alone.
  public static let vectorLengths = RegisterID(rawValue: 0x6060_0000_0015_FFFF)

  /// CNTPCT_EL0, KVM_REG_ARM_PTIMER_CNT, since Linux 6.4.
  public static let physicalCounter = system(3, 3, 14, 0, 1)

  /// The kinds of firmware register, by the id's bits 27 to 16.
  public enum FirmwareKind: UInt64, Sendable {
    /// PSCI version and workaround levels.
    case level = 0x14
    /// Bitmaps of hypercall services.
    case bitmap = 0x16
  }

  /// A firmware pseudo-register, KVM_REG_ARM_FW or KVM_REG_ARM_FW_FEAT_BMAP.
  public static func firmware(_ kind: FirmwareKind, _ index: UInt64) -> RegisterID {
    RegisterID(rawValue: arm64Word | kind.rawValue << 16 | index)
  }

  /// Which kind of firmware register this is, and its number, or `nil` for another register.
  public var firmware: (kind: FirmwareKind, index: UInt64)? {
    guard rawValue >> 28 == 0x6_0300_0000 else { return nil }
    return FirmwareKind(rawValue: rawValue >> 16 & 0xFFF).map { ($0, rawValue & 0xFFFF) }
  }
}

extension RegisterID: CustomStringConvertible {
  public var description: String { hexadecimalNumber(rawValue) }
}
