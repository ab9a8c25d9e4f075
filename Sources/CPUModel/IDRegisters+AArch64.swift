internal import KVM

// The fields are those of the Arm Architecture Reference Manual, section D24.2.

private let aboveEL1 = "it tells of exception levels above EL1, where no guest runs"
private let hypervisor = "it tells what a hypervisor at EL2 can use, and no guest runs there"

extension IDRegisters {
  /// The registers of AArch64 state.
  static let wide: [IDRegister] = processor + memory + instructions + debug

  private static let processor: [IDRegister] = [
    IDRegister(
      "ID_AA64PFR0_EL1",
      4,
      0,
      [
        IDField("EL0", 0), IDField("EL1", 4), IDField("EL2", 8, harmless: aboveEL1),
        IDField("EL3", 12, harmless: aboveEL1), IDField("FP", 16, .signed), IDField("AdvSIMD", 20, .signed),
        IDField("GIC", 24), IDField("RAS", 28), IDField("SVE", 32), IDField("SEL2", 36, harmless: aboveEL1),
        IDField("MPAM", 40), IDField("AMU", 44), IDField("DIT", 48), IDField("RME", 52, harmless: aboveEL1),
        IDField("CSV2", 56), IDField("CSV3", 60),
      ]
    ),
    IDRegister(
      "ID_AA64PFR1_EL1",
      4,
      1,
      [
        IDField("BT", 0), IDField("SSBS", 4), IDField("MTE", 8), IDField("RAS_frac", 12), IDField("MPAM_frac", 16),
        IDField("SME", 24), IDField("RNDR_trap", 28), IDField("CSV2_frac", 32), IDField("NMI", 36),
        IDField("MTE_frac", 40, .exact), IDField("GCS", 44), IDField("THE", 48), IDField("MTEX", 52),
        IDField("DF2", 56), IDField("PFAR", 60),
      ]
    ),
    IDRegister(
      "ID_AA64PFR2_EL1",
      4,
      2,
      [
        IDField("MTEPERM", 0), IDField("MTESTOREONLY", 4), IDField("MTEFAR", 8), IDField("GCIE", 12),
        IDField("UINJ", 16), IDField("FPMR", 32),
      ]
    ),
    IDRegister(
      "ID_AA64ZFR0_EL1",
      4,
      4,
      [
        IDField("SVEver", 0), IDField("AES", 4), IDField("EltPerm", 12), IDField("BitPerm", 16), IDField("BF16", 20),
        IDField("B16B16", 24), IDField("SHA3", 32), IDField("SM4", 40), IDField("I8MM", 44), IDField("F16MM", 48),
        IDField("F32MM", 52), IDField("F64MM", 56),
      ]
    ),
    IDRegister(
      "ID_AA64FPFR0_EL1",
      4,
      7,
      [
        IDField("F8E5M2", 0, width: 1), IDField("F8E4M3", 1, width: 1), IDField("F8MM4", 26, width: 1),
        IDField("F8MM8", 27, width: 1), IDField("F8DP2", 28, width: 1), IDField("F8DP4", 29, width: 1),
        IDField("F8FMA", 30, width: 1), IDField("F8CVT", 31, width: 1),
      ]
    ),
  ]

  private static let debug: [IDRegister] = [
    IDRegister(
      "ID_AA64DFR0_EL1",
      5,
      0,
      [
        IDField("DebugVer", 0), IDField("TraceVer", 4), IDField("PMUVer", 8, .vendor), IDField("BRPs", 12),
        IDField("PMSS", 16), IDField("WRPs", 20), IDField("SEBEP", 24), IDField("CTX_CMPs", 28), IDField("PMSVer", 32),
        IDField("DoubleLock", 36, .signed), IDField("TraceFilt", 40), IDField("TraceBuffer", 44),
        IDField("MTPMU", 48, .exact), IDField("BRBE", 52), IDField("ExtTrcBuff", 56), IDField("HPMN0", 60),
      ]
    ),
    IDRegister(
      "ID_AA64DFR1_EL1",
      5,
      1,
      [
        IDField("SYSPMUID", 0, width: 8), IDField("BRPs", 8, width: 8), IDField("WRPs", 16, width: 8),
        IDField("CTX_CMPs", 24, width: 8), IDField("SPMU", 32), IDField("PMICNTR", 36), IDField("ABLE", 40),
        IDField("ITE", 44), IDField("EBEP", 48), IDField("DPFZS", 52), IDField("ABL_CMPs", 56, width: 8),
      ]
    ),
  ]

  private static let instructions: [IDRegister] = [
    IDRegister(
      "ID_AA64ISAR0_EL1",
      6,
      0,
      [
        IDField("AES", 4), IDField("SHA1", 8), IDField("SHA2", 12), IDField("CRC32", 16), IDField("Atomic", 20),
        IDField("TME", 24), IDField("RDM", 28), IDField("SHA3", 32), IDField("SM3", 36), IDField("SM4", 40),
        IDField("DP", 44), IDField("FHM", 48), IDField("TS", 52), IDField("TLB", 56), IDField("RNDR", 60),
      ]
    ),
    IDRegister(
      "ID_AA64ISAR1_EL1",
      6,
      1,
      [
        IDField("DPB", 0), IDField("APA", 4, .exact), IDField("API", 8, .exact), IDField("JSCVT", 12),
        IDField("FCMA", 16), IDField("LRCPC", 20), IDField("GPA", 24, .exact), IDField("GPI", 28, .exact),
        IDField("FRINTTS", 32), IDField("SB", 36), IDField("SPECRES", 40), IDField("BF16", 44), IDField("DGH", 48),
        IDField("I8MM", 52), IDField("XS", 56), IDField("LS64", 60),
      ]
    ),
    IDRegister(
      "ID_AA64ISAR2_EL1",
      6,
      2,
      [
        IDField("WFxT", 0), IDField("RPRES", 4), IDField("GPA3", 8, .exact), IDField("APA3", 12, .exact),
        IDField("MOPS", 16), IDField("BC", 20), IDField("PAC_frac", 24, .exact), IDField("CLRBHB", 28),
        IDField("SYSREG_128", 32), IDField("SYSINSTR_128", 36), IDField("PRFMSLC", 40), IDField("PCDPHINT", 44),
        IDField("RPRFM", 48), IDField("CSSC", 52), IDField("LUT", 56), IDField("ATS1A", 60),
      ]
    ),
    IDRegister(
      "ID_AA64ISAR3_EL1",
      6,
      3,
      [
        IDField("CPA", 0), IDField("FAMINMAX", 4), IDField("TLBIW", 8), IDField("PACM", 12), IDField("LSFE", 16),
        IDField("OCCMO", 20), IDField("LSUI", 24), IDField("FPRCVT", 28),
      ]
    ),
  ]

  private static let memory: [IDRegister] = [
    IDRegister(
      "ID_AA64MMFR0_EL1",
      7,
      0,
      [
        IDField("PARange", 0), IDField("ASIDBits", 4), IDField("BigEnd", 8), IDField("SNSMem", 12),
        IDField("BigEndEL0", 16), IDField("TGran16", 20), IDField("TGran64", 24, .signed),
        IDField("TGran4", 28, .signed), IDField("TGran16_2", 32, .exact, harmless: hypervisor),
        IDField("TGran64_2", 36, .exact, harmless: hypervisor), IDField("TGran4_2", 40, .exact, harmless: hypervisor),
        IDField("ExS", 44), IDField("FGT", 56, harmless: hypervisor), IDField("ECV", 60, harmless: hypervisor),
      ]
    ),
    IDRegister(
      "ID_AA64MMFR1_EL1",
      7,
      1,
      [
        IDField("HAFDBS", 0), IDField("VMIDBits", 4, harmless: hypervisor), IDField("VH", 8, harmless: hypervisor),
        IDField("HPDS", 12), IDField("LO", 16), IDField("PAN", 20), IDField("SpecSEI", 24),
        IDField("XNX", 28, harmless: hypervisor), IDField("TWED", 32, harmless: hypervisor), IDField("ETS", 36),
        IDField("HCX", 40, harmless: hypervisor), IDField("AFP", 44), IDField("nTLBPA", 48), IDField("TIDCP1", 52),
        IDField("CMOW", 56), IDField("ECBHB", 60),
      ]
    ),
    IDRegister(
      "ID_AA64MMFR2_EL1",
      7,
      2,
      [
        IDField("CnP", 0), IDField("UAO", 4), IDField("LSM", 8), IDField("IESB", 12), IDField("VARange", 16),
        IDField("CCIDX", 20, .exact), IDField("NV", 24, harmless: hypervisor), IDField("ST", 28), IDField("AT", 32),
        IDField("IDS", 36), IDField("FWB", 40, harmless: hypervisor), IDField("TTL", 48), IDField("BBM", 52),
        IDField("EVT", 56, harmless: hypervisor), IDField("E0PD", 60),
      ]
    ),
    IDRegister(
      "ID_AA64MMFR3_EL1",
      7,
      3,
      [
        IDField("TCRX", 0), IDField("SCTLRX", 4), IDField("S1PIE", 8), IDField("S2PIE", 12, harmless: hypervisor),
        IDField("S1POE", 16), IDField("S2POE", 20, harmless: hypervisor), IDField("AIE", 24), IDField("MEC", 28),
        IDField("D128", 32), IDField("D128_2", 36, harmless: hypervisor), IDField("SNERR", 40), IDField("ANERR", 44),
        IDField("SDERR", 52), IDField("ADERR", 56), IDField("Spec_FPACC", 60),
      ]
    ),
    IDRegister(
      "ID_AA64MMFR4_EL1",
      7,
      4,
      [
        IDField("EIESB", 4), IDField("ASID2", 8), IDField("HACDBS", 12), IDField("FGWTE3", 16, harmless: hypervisor),
        IDField("NV_frac", 20, harmless: hypervisor), IDField("E2H0", 24, .exact, harmless: hypervisor),
        IDField("E3DSE", 36, harmless: hypervisor),
      ]
    ),
  ]
}
