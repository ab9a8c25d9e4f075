internal import KVM

/// Eight fields of four bits from bit 0 on; one without a name is none.
private func nibbles(_ names: [String], vendor: String? = nil) -> [IDField] {
  var fields: [IDField] = []
  for (index, name) in names.enumerated() where name != "" {
    fields.append(IDField(name, UInt64(4 * index), name == vendor ? .vendor : .unsigned))
  }
  return fields
}

extension IDRegisters {
  /// The registers of AArch32 state, section D24.2 again.
  static let narrow: [IDRegister] = [
    IDRegister(
      "ID_PFR0_EL1",
      1,
      0,
      nibbles(["State0", "State1", "State2", "State3", "CSV2", "AMU", "DIT", "RAS"])
    ),
    IDRegister(
      "ID_PFR1_EL1",
      1,
      1,
      nibbles(["ProgMod", "Security", "MProgMod", "Virtualization", "GenTimer", "Sec_frac", "Virt_frac", "GIC"])
    ),
    IDRegister(
      "ID_DFR0_EL1",
      1,
      2,
      nibbles(
        ["CopDbg", "CopSDbg", "MMapDbg", "CopTrc", "MMapTrc", "MProfDbg", "PerfMon", "TraceFilt"],
        vendor: "PerfMon"
      )
    ),
    IDRegister("ID_AFR0_EL1", 1, 3, []),
    IDRegister(
      "ID_MMFR0_EL1",
      1,
      4,
      nibbles(["VMSA", "PMSA", "OuterShr", "ShareLvl", "TCM", "AuxReg", "FCSE", "InnerShr"])
    ),
    IDRegister(
      "ID_MMFR1_EL1",
      1,
      5,
      nibbles(["L1HvdVA", "L1UniVA", "L1HvdSW", "L1UniSW", "L1Hvd", "L1Uni", "L1TstCln", "BPred"])
    ),
    IDRegister(
      "ID_MMFR2_EL1",
      1,
      6,
      nibbles(["L1HvdFG", "L1HvdBG", "L1HvdRng", "HvdTLB", "UniTLB", "MemBarr", "WFIStall", "HWAccFlg"])
    ),
    IDRegister(
      "ID_MMFR3_EL1",
      1,
      7,
      nibbles(["CMaintVA", "CMaintSW", "BPMaint", "MaintBcst", "PAN", "CohWalk", "CMemSz", "Supersec"])
    ),
    IDRegister(
      "ID_ISAR0_EL1",
      2,
      0,
      nibbles(["Swap", "BitCount", "BitField", "CmpBranch", "Coproc", "Debug", "Divide"])
    ),
    IDRegister(
      "ID_ISAR1_EL1",
      2,
      1,
      nibbles(["Endian", "Except", "Except_AR", "Extend", "IfThen", "Immediate", "Interwork", "Jazelle"])
    ),
    IDRegister(
      "ID_ISAR2_EL1",
      2,
      2,
      nibbles(["LoadStore", "MemHint", "MultiAccessInt", "Mult", "MultS", "MultU", "PSR_AR", "Reversal"])
    ),
    IDRegister(
      "ID_ISAR3_EL1",
      2,
      3,
      nibbles(["Saturate", "SIMD", "SVC", "SynchPrim", "TabBranch", "T32Copy", "TrueNOP", "T32EE"])
    ),
    IDRegister(
      "ID_ISAR4_EL1",
      2,
      4,
      nibbles(["Unpriv", "WithShifts", "Writeback", "SMC", "Barrier", "SynchPrim_frac", "PSR_M", "SWP_frac"])
    ),
    IDRegister("ID_ISAR5_EL1", 2, 5, nibbles(["SEVL", "AES", "SHA1", "SHA2", "CRC32", "", "RDM", "VCMA"])),
    IDRegister(
      "ID_MMFR4_EL1",
      2,
      6,
      nibbles(["SpecSEI", "AC2", "XNX", "CnP", "HPDS", "LSM", "CCIDX", "EVT"])
    ),
    IDRegister(
      "ID_ISAR6_EL1",
      2,
      7,
      nibbles(["JSCVT", "DP", "FHM", "SB", "SPECRES", "BF16", "I8MM", "CLRBHB"])
    ),
    IDRegister(
      "MVFR0_EL1",
      3,
      0,
      nibbles(["SIMDReg", "FPSP", "FPDP", "FPTrap", "FPDivide", "FPSqrt", "FPShVec", "FPRound"])
    ),
    IDRegister(
      "MVFR1_EL1",
      3,
      1,
      nibbles(["FPFtZ", "FPDNaN", "SIMDLS", "SIMDInt", "SIMDSP", "SIMDHP", "FPHP", "SIMDFMAC"])
    ),
    IDRegister("MVFR2_EL1", 3, 2, nibbles(["SIMDMisc", "FPMisc"])),
    IDRegister("ID_PFR2_EL1", 3, 4, nibbles(["CSV3", "SSBS", "RAS_frac"])),
    IDRegister("ID_DFR1_EL1", 3, 5, nibbles(["MTPMU", "HPMN0"])),
    IDRegister("ID_MMFR5_EL1", 3, 6, nibbles(["ETS", "nTLBPA"])),
  ]

  /// What is read like an ID register and stands elsewhere.
  static let others: [IDRegister] = [
    IDRegister(
      "CTR_EL0",
      .system(3, 3, 0, 0, 1),
      [
        IDField("IminLine", 0), IDField("L1Ip", 14, width: 2), IDField("DminLine", 16), IDField("ERG", 20),
        IDField("CWG", 24), IDField("IDC", 28, width: 1), IDField("DIC", 29, width: 1), IDField("RES1", 31, width: 1),
        IDField("TminLine", 32, width: 6),
      ]
    ),
    IDRegister("MIDR_EL1", .system(3, 0, 0, 0, 0), []),
    IDRegister("REVIDR_EL1", .system(3, 0, 0, 0, 6), []),
    IDRegister("AIDR_EL1", .system(3, 1, 0, 0, 7), []),
  ]
}
