internal import KVM

private let sameAsSet = "the register that sets the same bits has them"
private let unused = "the guest cannot use it, or it holds what it holds after a reset"

extension Contract {
  /// The system registers but ID registers, breakpoints and event counters, in the order of their ids.
  package static let table: [Row] = (debug + processor + performance + timers).sorted { $0.id < $1.id }

  private static func gate(_ crm: UInt64, _ op2: UInt64, _ shift: UInt64) -> (register: RegisterID, shift: UInt64) {
    (.system(3, 0, 0, crm, op2), shift)
  }

  private static let debug: [Row] = [
    Row(.system(2, 0, 0, 2, 0), "MDCCINT_EL1", .state),
    Row(.system(2, 0, 0, 2, 2), "MDSCR_EL1", .state),
    Row(
      .system(2, 0, 1, 1, 4),
      "OSLSR_EL1",
      .ignored,
      mask: 0,
      why: "it can only be read; it says that there is a lock"
    ),
    Row(.system(2, 4, 0, 7, 0), "DBGVCR32_EL2", .state),
  ]

  private static let processor: [Row] = [
    Row(.system(3, 0, 0, 0, 0), "MIDR_EL1", .id),
    Row(.system(3, 0, 0, 0, 5), "MPIDR_EL1", .state),
    Row(.system(3, 0, 0, 0, 6), "REVIDR_EL1", .id),
    Row(.system(3, 0, 1, 0, 0), "SCTLR_EL1", .state),
    Row(.system(3, 0, 1, 0, 1), "ACTLR_EL1", .state),
    Row(.system(3, 0, 1, 0, 2), "CPACR_EL1", .state),
    Row(.system(3, 0, 1, 0, 3), "SCTLR2_EL1", .optional, gate: gate(7, 3, 4), why: unused),
    Row(.system(3, 0, 1, 0, 5), "RGSR_EL1", .stateOfFeature, feature: .tags),
    Row(.system(3, 0, 1, 0, 6), "GCR_EL1", .stateOfFeature, feature: .tags),
    Row(.system(3, 0, 1, 2, 0), "ZCR_EL1", .stateOfFeature, feature: .vectors),
    Row(.system(3, 0, 2, 0, 0), "TTBR0_EL1", .state),
    Row(.system(3, 0, 2, 0, 1), "TTBR1_EL1", .state),
    Row(.system(3, 0, 2, 0, 2), "TCR_EL1", .state),
    Row(.system(3, 0, 2, 0, 3), "TCR2_EL1", .optional, gate: gate(7, 3, 0), why: unused),
    Row(.system(3, 0, 2, 1, 0), "APIAKEYLO_EL1", .stateOfFeature, feature: .authentication),
    Row(.system(3, 0, 2, 1, 1), "APIAKEYHI_EL1", .stateOfFeature, feature: .authentication),
    Row(.system(3, 0, 2, 1, 2), "APIBKEYLO_EL1", .stateOfFeature, feature: .authentication),
    Row(.system(3, 0, 2, 1, 3), "APIBKEYHI_EL1", .stateOfFeature, feature: .authentication),
    Row(.system(3, 0, 2, 2, 0), "APDAKEYLO_EL1", .stateOfFeature, feature: .authentication),
    Row(.system(3, 0, 2, 2, 1), "APDAKEYHI_EL1", .stateOfFeature, feature: .authentication),
    Row(.system(3, 0, 2, 2, 2), "APDBKEYLO_EL1", .stateOfFeature, feature: .authentication),
    Row(.system(3, 0, 2, 2, 3), "APDBKEYHI_EL1", .stateOfFeature, feature: .authentication),
    Row(.system(3, 0, 2, 3, 0), "APGAKEYLO_EL1", .stateOfFeature, feature: .authentication),
    Row(.system(3, 0, 2, 3, 1), "APGAKEYHI_EL1", .stateOfFeature, feature: .authentication),
    Row(.system(3, 0, 5, 1, 0), "AFSR0_EL1", .state),
    Row(.system(3, 0, 5, 1, 1), "AFSR1_EL1", .state),
    Row(.system(3, 0, 5, 2, 0), "ESR_EL1", .state),
    Row(.system(3, 0, 5, 6, 0), "TFSR_EL1", .stateOfFeature, feature: .tags),
    Row(.system(3, 0, 5, 6, 1), "TFSRE0_EL1", .stateOfFeature, feature: .tags),
    Row(.system(3, 0, 6, 0, 0), "FAR_EL1", .state),
    Row(.system(3, 0, 7, 4, 0), "PAR_EL1", .state),
    Row(.system(3, 0, 10, 2, 0), "MAIR_EL1", .state),
    Row(.system(3, 0, 10, 2, 2), "PIRE0_EL1", .optional, gate: gate(7, 3, 8), why: unused),
    Row(.system(3, 0, 10, 2, 3), "PIR_EL1", .optional, gate: gate(7, 3, 8), why: unused),
    Row(.system(3, 0, 10, 2, 4), "POR_EL1", .optional, gate: gate(7, 3, 16), why: unused),
    Row(.system(3, 0, 10, 3, 0), "AMAIR_EL1", .state),
    Row(.system(3, 0, 12, 0, 0), "VBAR_EL1", .state),
    Row(.system(3, 0, 12, 1, 1), "DISR_EL1", .state),
    Row(.system(3, 0, 13, 0, 1), "CONTEXTIDR_EL1", .state),
    Row(.system(3, 0, 13, 0, 4), "TPIDR_EL1", .state),
    Row(.system(3, 1, 0, 0, 1), "CLIDR_EL1", .geometry, why: caches),
    Row(.system(3, 1, 0, 0, 7), "AIDR_EL1", .id),
    Row(.system(3, 2, 0, 0, 0), "CSSELR_EL1", .state),
    Row(.system(3, 3, 0, 0, 1), "CTR_EL0", .id),
    Row(.system(3, 3, 4, 4, 2), "FPMR", .optional, gate: gate(4, 2, 32), why: unused),
    Row(.system(3, 3, 10, 2, 4), "POR_EL0", .optional, gate: gate(7, 3, 16), why: unused),
    Row(.system(3, 3, 13, 0, 2), "TPIDR_EL0", .state),
    Row(.system(3, 3, 13, 0, 3), "TPIDRRO_EL0", .state),
    Row(.system(3, 4, 3, 0, 0), "DACR32_EL2", .state),
    Row(.system(3, 4, 5, 0, 1), "IFSR32_EL2", .state),
    Row(.system(3, 4, 5, 3, 0), "FPEXC32_EL2", .state),
  ]

  private static let performance: [Row] = [
    Row(.system(3, 0, 9, 14, 1), "PMINTENSET_EL1", .stateOfFeature, feature: .monitors),
    Row(.clearingInterrupts, "PMINTENCLR_EL1", .ignored, mask: 0, feature: .monitors, why: sameAsSet),
    Row(.system(3, 0, 9, 14, 6), "PMMIR_EL1", .id),
    // The counter's number and the control bits; implementer and identification code above are the host's.
    Row(.monitorControl, "PMCR_EL0", .stateOfFeature, mask: 0xFFFF, feature: .monitors),
    Row(.system(3, 3, 9, 12, 1), "PMCNTENSET_EL0", .stateOfFeature, feature: .monitors),
    Row(.clearingCounters, "PMCNTENCLR_EL0", .ignored, mask: 0, feature: .monitors, why: sameAsSet),
    Row(.clearingOverflows, "PMOVSCLR_EL0", .ignored, mask: 0, feature: .monitors, why: sameAsSet),
    Row(.system(3, 3, 9, 12, 4), "PMSWINC_EL0", .ignored, mask: 0, feature: .monitors, why: "it can only be written"),
    Row(.system(3, 3, 9, 12, 5), "PMSELR_EL0", .stateOfFeature, feature: .monitors),
    Row(
      .system(3, 3, 9, 12, 6),
      "PMCEID0_EL0",
      .ignored,
      mask: 0,
      feature: .monitors,
      why: "the events are the host's"
    ),
    Row(
      .system(3, 3, 9, 12, 7),
      "PMCEID1_EL0",
      .ignored,
      mask: 0,
      feature: .monitors,
      why: "the events are the host's"
    ),
    Row(.system(3, 3, 9, 13, 0), "PMCCNTR_EL0", .stateOfFeature, mask: 0, feature: .monitors),
    Row(.system(3, 3, 9, 14, 0), "PMUSERENR_EL0", .stateOfFeature, feature: .monitors),
    Row(.system(3, 3, 9, 14, 3), "PMOVSSET_EL0", .stateOfFeature, feature: .monitors),
    Row(.system(3, 3, 14, 15, 7), "PMCCFILTR_EL0", .stateOfFeature, feature: .monitors),
  ]

  private static let timers: [Row] = [
    Row(.system(3, 0, 14, 1, 0), "CNTKCTL_EL1", .state),
    Row(.physicalCounter, "CNTPCT_EL0", .time, mask: 0),
    // Bit 2, ISTATUS, follows from the counter.
    Row(.physicalTimerControl, "CNTP_CTL_EL0", .optional, mask: ~4, why: "the guest's physical timer is off"),
    Row(.physicalTimerCompare, "CNTP_CVAL_EL0", .optional, why: "the guest's physical timer is off"),
    // KVM has exchanged the ids of these two.
    Row(.virtualCompare, "CNTV_CVAL_EL0", .state),
    Row(.virtualCounter, "CNTVCT_EL0", .time, mask: 0),
    Row(.system(3, 3, 14, 3, 1), "CNTV_CTL_EL0", .state, mask: ~4),
  ]
}

extension RegisterID {
  static let monitorControl = system(3, 3, 9, 12, 0)
  static let clearingCounters = system(3, 3, 9, 12, 2)
  static let clearingOverflows = system(3, 3, 9, 12, 3)
  static let clearingInterrupts = system(3, 0, 9, 14, 2)
  static let physicalTimerControl = system(3, 3, 14, 2, 1)
  static let physicalTimerCompare = system(3, 3, 14, 2, 2)
}
