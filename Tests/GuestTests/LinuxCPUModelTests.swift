import Apus
import ApusTesting
import CPUModel
import KVM
import TestSupport
import Testing

@Suite("Linux on models of processors", .requiresKVM)
struct LinuxCPUModelTests {
  /// The words of `/proc/cpuinfo` for instructions beyond Armv8.0, by the field that they stand for: Linux's
  /// Documentation/arch/arm64/elf_hwcaps.rst.
  private static let words: [(word: String, register: String, field: String, value: UInt64)] = [
    ("aes", "ID_AA64ISAR0_EL1", "AES", 1), ("pmull", "ID_AA64ISAR0_EL1", "AES", 2),
    ("sha1", "ID_AA64ISAR0_EL1", "SHA1", 1), ("sha2", "ID_AA64ISAR0_EL1", "SHA2", 1),
    ("sha512", "ID_AA64ISAR0_EL1", "SHA2", 2), ("crc32", "ID_AA64ISAR0_EL1", "CRC32", 1),
    ("atomics", "ID_AA64ISAR0_EL1", "Atomic", 2), ("asimdrdm", "ID_AA64ISAR0_EL1", "RDM", 1),
    ("sha3", "ID_AA64ISAR0_EL1", "SHA3", 1), ("sm3", "ID_AA64ISAR0_EL1", "SM3", 1),
    ("sm4", "ID_AA64ISAR0_EL1", "SM4", 1), ("asimddp", "ID_AA64ISAR0_EL1", "DP", 1),
    ("asimdfhm", "ID_AA64ISAR0_EL1", "FHM", 1), ("flagm", "ID_AA64ISAR0_EL1", "TS", 1),
    ("flagm2", "ID_AA64ISAR0_EL1", "TS", 2), ("rng", "ID_AA64ISAR0_EL1", "RNDR", 1),
    ("dcpop", "ID_AA64ISAR1_EL1", "DPB", 1), ("dcpodp", "ID_AA64ISAR1_EL1", "DPB", 2),
    ("jscvt", "ID_AA64ISAR1_EL1", "JSCVT", 1), ("fcma", "ID_AA64ISAR1_EL1", "FCMA", 1),
    ("lrcpc", "ID_AA64ISAR1_EL1", "LRCPC", 1), ("ilrcpc", "ID_AA64ISAR1_EL1", "LRCPC", 2),
    ("frint", "ID_AA64ISAR1_EL1", "FRINTTS", 1), ("sb", "ID_AA64ISAR1_EL1", "SB", 1),
    ("bf16", "ID_AA64ISAR1_EL1", "BF16", 1), ("dgh", "ID_AA64ISAR1_EL1", "DGH", 1),
    ("i8mm", "ID_AA64ISAR1_EL1", "I8MM", 1), ("fphp", "ID_AA64PFR0_EL1", "FP", 1),
    ("asimdhp", "ID_AA64PFR0_EL1", "AdvSIMD", 1), ("dit", "ID_AA64PFR0_EL1", "DIT", 1),
    ("ssbs", "ID_AA64PFR1_EL1", "SSBS", 2), ("bti", "ID_AA64PFR1_EL1", "BT", 1),
    ("uscat", "ID_AA64MMFR2_EL1", "AT", 1),
  ]

  /// An executable that writes what it reads of eight ID registers at EL0, eight bytes each, and ends.
  private static let reader: [UInt8] = {
    var code: [UInt32] = []
    for (crm, op2) in registers {
      // mrs x1, S3_0_C0_C<crm>_<op2>; str x1, [sp, #-16]!
      code += [0xD538_0001 | crm << 8 | op2 << 5, 0xF81F_0FE1]
      // write(1, sp, 8)
      code += [0xD280_0020, 0x9100_03E1, 0xD280_0102, 0xD280_0808, 0xD400_0001]
    }
    // exit(0)
    code += [0xD280_0000, 0xD280_0BA8, 0xD400_0001]
    let size = UInt64(120 + 4 * code.count)
    var file: [UInt8] = [0x7F, 0x45, 0x4C, 0x46, 2, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0]
    func put(_ value: UInt64, _ width: Int) {
      for byte in 0..<width { file.append(UInt8(truncatingIfNeeded: value >> UInt64(8 * byte))) }
    }
    for (value, width) in [
      (2, 2), (183, 2), (1, 4), (0x40_0078, 8), (64, 8), (0, 8), (0, 4), (64, 2), (56, 2), (1, 2), (0, 2), (0, 2),
      (0, 2), (1, 4), (5, 4), (0, 8), (0x40_0000, 8), (0x40_0000, 8), (size, 8), (size, 8), (0x1000, 8),
    ] as [(UInt64, Int)] { put(value, width) }
    for instruction in code { put(UInt64(instruction), 4) }
    return file
  }()

  private static let registers: [(crm: UInt32, op2: UInt32)] = [
    (4, 0), (4, 1), (6, 0), (6, 1), (6, 2), (7, 0), (7, 1), (7, 2),
  ]

  @Test("/proc/cpuinfo and EL0's reads agree with the model", arguments: ProcessorModel.shippedNames)
  func linux(name: String) async throws {
    let model = try #require(ProcessorModel.shipped(named: name))
    let host = try HostSurvey.processor(with: model)
    let plan = ModelPlan(model, on: host)
    guard plan.refusals.isEmpty else { return }
    var configuration = try LinuxGuest.configuration("shell")
    configuration.cpuModel = .named(name)
    configuration.cpuCount = 2

    let guest = try Guest.start(configuration)
    try await guest.console.expect("# ")
    try await guest.push(Self.reader, to: "/reader", mode: 0o755)
    let features = try await guest.run("grep Features /proc/cpuinfo").output
    _ = try await guest.run("/reader >/values")
    let values = try await guest.pull("/values")
    let warnings = try await guest.kernelLog()
    let outcome = try await guest.powerOff()

    #expect(outcome.end == .poweredOff)
    let lines = features.split(separator: "\n" as Character)
    #expect(lines.count == 2)
    for line in lines {
      let shown = line.split(separator: " " as Character).map(String.init)
      for (word, register, field, value) in Self.words {
        #expect(shown.contains(word) == (plan.field(field, of: register, host) >= value), "\(name): \(word)")
      }
    }
    // At EL0 Linux shows the fields that are for programs, and of the others that nothing is there.
    let read = stride(from: 0, to: values.count, by: 8).map { start in
      values[start..<min(start + 8, values.count)].reversed().reduce(0 as UInt64) { $0 << 8 | UInt64($1) }
    }
    #expect(read.count == Self.registers.count)
    if read.count == Self.registers.count {
      #expect(read[2] == plan.value(.system(3, 0, 0, 6, 0), host) & 0xF0FF_FFFF_F0FF_FFF0)
      #expect(read[0] & 0xFF_0000 == plan.value(.system(3, 0, 0, 4, 0), host) & 0xFF_0000)
    }
    #expect(!warnings.contains("SANITY CHECK"))
    #expect(!warnings.contains("WARNING:"))
  }
}

extension ModelPlan {
  /// What a guest reads.
  fileprivate func value(_ id: RegisterID, _ host: HostProcessor) -> UInt64 {
    writes.last { $0.id == id }?.value ?? host.registers.value(of: id) ?? 0
  }

  fileprivate func field(_ field: String, of register: String, _ host: HostProcessor) -> UInt64 {
    guard let known = IDRegisters.register(named: register), let part = known.field(field) else { return 0 }
    let value = part.value(in: value(known.id, host))
    return part.order == .signed && value == 15 ? 0 : value
  }
}
