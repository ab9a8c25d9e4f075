import CPUModel
import KVM
import TestSupport
import Testing

@Suite("What a snapshot's registers come to on another host")
struct RestorePlanTests {
  /// On 6.1 the debug architecture is 8.0 and the monitors' version 5 at most; PSCI 1.3 came with 6.18's series.
  static let matrix: [(from: String, to: String, refused: [String])] = [
    ("6.1", "6.1", []), ("6.1", "6.12", []), ("6.1", "6.18", []), ("6.1", "7.3", []),
    ("6.12", "6.1", ["ID_DFR0_EL1", "ID_AA64DFR0_EL1"]), ("6.12", "6.12", []), ("6.12", "6.18", []),
    ("6.12", "7.3", []),
    ("6.18", "6.1", ["ID_DFR0_EL1", "ID_AA64DFR0_EL1", "KVM_REG_ARM_PSCI_VERSION"]),
    ("6.18", "6.12", ["KVM_REG_ARM_PSCI_VERSION"]), ("6.18", "6.18", []), ("6.18", "7.3", []),
    ("7.3", "6.1", ["ID_DFR0_EL1", "ID_AA64DFR0_EL1", "KVM_REG_ARM_PSCI_VERSION"]),
    ("7.3", "6.12", ["KVM_REG_ARM_PSCI_VERSION"]), ("7.3", "6.18", []), ("7.3", "7.3", []),
  ]

  @Test(
    "between two kernels on one processor, what the older one cannot give is refused by register",
    arguments: matrix
  )
  func kernels(from: String, to: String, refused: [String]) {
    let saved = RecordedHost("max-\(from)")
    let host = RecordedHost("max-\(to)")

    let plan = saved.plan(on: host)

    #expect(plan.refused == refused)
  }

  @Test("values that are lowered at the start let a machine go on on every kernel", arguments: matrix)
  func lowered(from: String, to: String, refused: [String]) {
    let lowered: [RegisterID: UInt64] = [
      FirmwareRegisters.psciVersion: 0x1_0001, .debugFeatures: 0x1030_5506, .narrowDebugFeatures: 0x501_0009,
    ]
    let saved = RecordedHost("max-\(from)", with: lowered)
    let host = RecordedHost("max-\(to)")

    let plan = saved.plan(on: host)

    #expect(plan.refusals == [])
  }

  @Test("of the same kernel and processor nothing differs", arguments: RecordedHost.kernels)
  func same(kernel: String) {
    let host = RecordedHost("max-\(kernel)")

    let plan = host.plan(on: host)

    #expect(plan.refusals == [])
    #expect(plan.accepted == [])
    #expect(plan.counter == host.registers.value(of: .virtualCounter))
  }

  @Test("what differs without harm is told with its reason")
  func forgiven() {
    let up = RecordedHost("max-6.1").plan(on: RecordedHost("max-6.12"))
    let down = RecordedHost("max-6.12").plan(on: RecordedHost("max-6.1"))

    #expect(up.forgiven.contains("ID_AA64MMFR1_EL1"))
    let hypervisor = "ID_AA64MMFR1_EL1.HCX was 0 and is 1: it tells what a hypervisor at EL2 can use"
    #expect(up.accepted.contains { $0.message.hasPrefix(hypervisor) })
    for name in ["TCR2_EL1", "PIR_EL1", "PIRE0_EL1", "CNTP_CTL_EL0", "CNTPCT_EL0", "CLIDR_EL1", "CCSIDR_EL1[3]"] {
      #expect(down.forgiven.contains(name))
    }
  }

  @Test("a snapshot of another processor is refused by register and field")
  func otherProcessor() {
    let saved = RecordedHost("neoverse-n1-6.12")
    let plan = saved.plan(on: RecordedHost("max-6.12"))
    let accepting = saved.plan(on: RecordedHost("max-6.12"), accepting: .otherProcessor)

    let messages = plan.refusals.map(\.message)
    #expect(messages.contains("MIDR_EL1 must be 0x414fd0c1; this host has 0xf0510"))
    #expect(messages.contains("ID_AA64MMFR1_EL1.HPDS must be 2; this host has 1"))
    #expect(messages.contains("ID_AA64MMFR2_EL1.IDS must be 0; this kernel fixes 1"))
    #expect(messages.contains("was saved without scalable vectors (SVE); this vCPU has them"))
    #expect(!accepting.refused.contains("MIDR_EL1"))
    #expect(accepting.forgiven.contains("MIDR_EL1"))
  }

  @Test("a part of the processor that is missing is named once, not by its registers")
  func missingParts() {
    let messages = RecordedHost("max-6.12").plan(on: RecordedHost("neoverse-n1-6.12")).refusals.map(\.message)

    #expect(messages.count { $0 == "needs scalable vectors (SVE); this host's KVM gives none" } == 1)
    #expect(messages.count { $0 == "needs pointer authentication; this host's KVM gives none" } == 1)
    #expect(!messages.contains { $0.contains("APIAKEYLO_EL1") || $0.contains("Z0") })
  }

  // MARK: - One register altered

  /// What one register that the saved vCPU had otherwise comes to on 6.12, but for 6.1 where the text says so.
  static let alterations: [(id: RegisterID, value: UInt64, host: String, message: String)] = [
    (
      FirmwareRegisters.psciVersion, 0x1_0003, "6.12", "needs PSCI 1.3; this host's KVM has 1.1"
    ),
    (
      .firmware(.level, 3), 1, "6.12", "needs KVM_REG_ARM_SMCCC_ARCH_WORKAROUND_3 of at least 1; this host has 0"
    ),
    (
      .firmware(.bitmap, 3), 1, "6.12",
      "needs KVM_REG_ARM_VENDOR_HYP_BMAP_2 with 0x1; this host's KVM has no such register"
    ),
    (
      .firmware(.bitmap, 2), 7, "6.12", "needs KVM_REG_ARM_VENDOR_HYP_BMAP with 0x4; this host's KVM does not have it"
    ),
    (
      .system(3, 3, 14, 2, 1), 1, "6.1",
      "needs CNTP_CTL_EL0, which held 0x1; this host's KVM has no such register"
    ),
    (.system(3, 3, 9, 12, 0), 0x4000, "6.12", "needs 8 event counters; this host has 6"),
    (.system(3, 3, 9, 12, 0), 0x1000, "6.1", "PMCR_EL0.N must be 2; this kernel fixes 6"),
    (.system(3, 0, 0, 7, 5), 1, "6.12", "S3_0_C0_C7_5.bits 3:0 must be 1; this host has 0"),
    (.system(3, 0, 9, 14, 6), 4, "6.12", "PMMIR_EL1 must be 0x4; this host's KVM has none"),
    (
      .system(3, 3, 7, 7, 7), 0, "6.12",
      "needs S3_3_C7_C7_7; this host's KVM has no such register; restore it under a kernel that has it, as the snapshot's had"
    ),
    (.system(3, 3, 0, 0, 1), 0x9444_C005, "6.12", "CTR_EL0.IminLine must be 5; this host has 4"),
  ]

  @Test("one altered register is refused with what would be right", arguments: alterations)
  func altered(id: RegisterID, value: UInt64, host: String, message: String) {
    let saved = RecordedHost("max-\(host)", with: [id: value])

    let plan = saved.plan(on: RecordedHost("max-\(host)"))

    #expect(plan.refusals.map(\.message) == [message])
    #expect(plan.refusals.first?.id == id)
  }

  @Test("a register that the guest can use by its ID field is not given up where the host lacks it")
  func gated() {
    let inUse: [RegisterID: UInt64] = [.system(3, 0, 2, 0, 3): 0x20, .system(3, 0, 0, 7, 3): 1]
    let kept: [RegisterID: UInt64] = [.system(3, 0, 2, 0, 3): 0x20]

    let refused = RecordedHost("max-6.12", with: inUse).plan(on: RecordedHost("max-7.3"))
    let accepted = RecordedHost("max-6.12", with: kept).plan(on: RecordedHost("max-7.3"))

    #expect(
      refused.refusals.map(\.message) == [
        "ID_AA64MMFR3_EL1.TCRX must be 1; this host has 0",
        "needs TCR2_EL1, which held 0x20; this host's KVM has no such register",
      ]
    )
    #expect(accepted.refusals == [])
  }

  @Test("each register of the saved state that a host lacks is refused by its name")
  func dropped() {
    let whole = RecordedHost("max-6.12")
    for id in whole.registers.ids {
      let host = RecordedHost(whole, without: [id])
      let row = Contract.row(id)

      let plan = whole.plan(on: host)

      switch row?.kind {
      case .state: #expect(plan.refused == [SystemRegisters.name(id)])
      case .stateOfFeature: #expect(plan.refusals.count == 1)
      case .ignored, .geometry, .optional: #expect(plan.refusals == [])
      default: break
      }
    }
  }

  @Test("a bitmap of services that the snapshot does not know is cleared")
  func newBitmap() {
    let id = RegisterID.firmware(.bitmap, 0xFF)
    let saved = RecordedHost("max-6.12")

    let plan = saved.plan(on: RecordedHost("max-6.12", with: [id: 3]))

    #expect(plan.refusals == [])
    #expect(plan.written(id, of: saved.registers) == 0)
  }

  @Test("other lengths of scalable vectors are refused with both lists")
  func lengths() {
    let saved = RecordedHost("max-6.12", with: [.vectorLengths: 3])
    let host = RecordedHost("max-6.12", with: [.vectorLengths: 1])

    let plan = saved.plan(on: host)

    #expect(plan.refusals.map(\.message) == ["needs SVE lengths 16, 32; this host has 16"])
  }

  @Test("a processor's name is written where the kernel takes it")
  func writtenImplementation() {
    let id = RegisterID.system(3, 0, 0, 0, 0)
    let saved = RecordedHost("max-7.3", with: [id: 0x414F_D0C1])
    var target = RecordedHost("max-7.3").target
    target.canChangeImplementation = true

    let plan = RestorePlan(saved: saved.registers, target: target)

    #expect(plan.refusals == [])
    #expect(plan.written(id, of: saved.registers) == 0x414F_D0C1)
  }

  // MARK: - The order of writes

  @Test("the order is affinity, firmware, identification, then the rest; counters are not in it", arguments: matrix)
  func order(from: String, to: String, refused: [String]) {
    let plan = RecordedHost("max-\(from)").plan(on: RecordedHost("max-\(to)"))
    let kinds = plan.writes.map { Contract.row($0.id)?.kind }

    #expect(plan.writes.first?.id == .multiprocessorAffinity)
    #expect(!kinds.contains(.time))
    #expect((kinds.lastIndex(of: .bitmap) ?? 0) < kinds.firstIndex(of: .id) ?? .max)
    #expect((kinds.lastIndex(of: .id) ?? 0) < kinds.dropFirst().firstIndex(of: .state) ?? .max)
  }

  @Test("what the reset left in a pair of setting and clearing registers goes before the saved bits are set")
  func pairs() throws {
    let set = RegisterID.system(3, 3, 9, 12, 1)
    let clear = RegisterID.system(3, 3, 9, 12, 2)
    let saved = RecordedHost("max-6.12", with: [set: 0x8000_0001, clear: 0x8000_0001])

    let plan = saved.plan(on: RecordedHost("max-6.12"))

    let clearing = try #require(plan.writes.firstIndex { $0.id == clear })
    let setting = try #require(plan.writes.firstIndex { $0.id == set })
    #expect(clearing < setting)
    #expect(plan.written(clear, of: saved.registers) == 0xFFFF_FFFF)
    #expect(plan.written(set, of: saved.registers) == 0x8000_0001)
  }

  @Test("random values of ID registers are refused, or written as the kernel takes them")
  func randomIdentification() {
    var random = SplitMix64(seed: 14)
    let ids = IDRegisters.all.map(\.id).filter { $0 != .system(3, 3, 0, 0, 1) }
    let hosts = RecordedHost.kernels.map { RecordedHost("max-\($0)") }
    for _ in 0..<Effort.cases(600) {
      let id = ids[Int(random.next() % UInt64(ids.count))]
      let bit = UInt64(1) << (random.next() % 64)
      let host = hosts[Int(random.next() % 5)]
      let given = host.registers.value(of: id) ?? 0
      let saved = RecordedHost(host, with: [id: given ^ bit])

      let plan = saved.plan(on: host)

      for write in plan.writes {
        #expect(host.registers.contains(write.id))
        guard plan.refusals == [], write.id == id, case .value(let value) = write.content else { continue }
        #expect((value ^ given) & ~host.masks.mask(of: id) == 0)
      }
    }
  }
}

extension RegisterID {
  static let debugFeatures = system(3, 0, 0, 5, 0)
  static let narrowDebugFeatures = system(3, 0, 0, 1, 2)
}
