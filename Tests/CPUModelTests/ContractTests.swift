import CPUModel
import KVM
import Testing

@Suite("The contract of a snapshot's registers")
struct ContractTests {
  @Test("no register is in the table twice, and each has a reason where a difference is accepted")
  func table() {
    for (one, next) in zip(Contract.table, Contract.table.dropFirst()) { #expect(one.id < next.id) }
    for row in Contract.table {
      #expect(!row.name.isEmpty)
      switch row.kind {
      case .geometry, .ignored, .optional: #expect(!row.why.isEmpty)
      default: break
      }
    }
  }

  @Test("every register that a recorded kernel lists is in the contract", arguments: RecordedHost.kernels)
  func known(kernel: String) {
    let host = RecordedHost("max-\(kernel)")

    #expect(Contract.unknown(in: host.registers.ids) == [])
  }

  @Test("a register of a later architecture is unknown")
  func unknown() {
    let later = RegisterID.system(3, 3, 7, 7, 7)

    #expect(Contract.unknown(in: [.programCounter, later, .firmware(.bitmap, 0xFF)]) == [later])
  }

  @Test("no two fields of an ID register share a bit, and names are of the manual's form")
  func fields() {
    for register in IDRegisters.all {
      var taken: UInt64 = 0
      for field in register.fields {
        #expect(taken & field.mask == 0, "\(register.name).\(field.name)")
        taken |= field.mask
      }
      #expect(IDRegisters.register(named: register.name) == register)
      #expect(IDRegisters.register(register.id) == register)
    }
  }

  @Test("values of a field compare as the architecture says")
  func order() {
    let plain = IDField("AES", 4)
    let signed = IDField("FP", 16, .signed)
    let monitors = IDField("PMUVer", 8, .vendor)
    let other = IDField("APA", 4, .exact)

    #expect(plain.isCovered(1, by: 2))
    #expect(!plain.isCovered(2, by: 1))
    #expect(signed.isCovered(0xF, by: 0))
    #expect(!signed.isCovered(0, by: 0xF))
    #expect(!monitors.isCovered(4, by: 0xF))
    #expect(!other.isCovered(1, by: 2))
    #expect(
      [plain.minimum(1, 2), signed.minimum(0xF, 1), monitors.minimum(4, 0xF), other.minimum(1, 2)] == [1, 0xF, 0xF, 0]
    )
    #expect([plain.absent, signed.absent, monitors.absent] == [0, 0xF, 0])
  }

  @Test("bits between the fields that the table knows are told by their numbers")
  func betweenFields() {
    let register = IDRegisters.register(named: "CTR_EL0")

    let parts = register?.parts(of: 1 << 30 | 1 << 5 | 1 << 10).map(\.name).filter { $0.hasPrefix("bits") }

    #expect(parts == ["bits 7:4", "bits 11:8", "bits 30:30"])
  }

  @Test("registers that KVM lists out of their order are found, and one that is there twice is refused")
  func unordered() throws {
    let ids: [RegisterID] = [.general(3), .vectorBaseEL1, .general(0), .firmware(.level, 0)]
    func stream(_ ids: [RegisterID]) -> [UInt8] {
      ids.enumerated().flatMap { index, id in
        (0..<8).map { UInt8(truncatingIfNeeded: id.rawValue >> UInt64(8 * $0)) } + [UInt8(index)]
          + [UInt8](repeating: 0, count: 7)
      }
    }

    let registers = try #require(RegisterSet(saved: stream(ids)))
    let twice = RegisterSet(saved: stream(ids + [.vectorBaseEL1]))

    #expect(ids.map { registers.value(of: $0) } == [0, 1, 2, 3])
    #expect(!registers.contains(.general(1)))
    #expect(twice == nil)
  }

  @Test("what KVM saved is read back, and nothing else is")
  func saved() throws {
    let host = RecordedHost("max-6.12")
    var stream: [UInt8] = []
    for (index, id) in host.registers.ids.enumerated() {
      for shift in stride(from: 0, to: 64, by: 8) {
        stream.append(UInt8(truncatingIfNeeded: id.rawValue >> UInt64(shift)))
      }
      stream += host.registers.bytes[host.registers.place(at: index)]
    }

    let registers = try #require(RegisterSet(saved: stream))

    #expect(registers.ids == host.registers.ids)
    for index in registers.ids.indices { #expect(registers.value(at: index) == host.registers.value(at: index)) }
    let ends = Set(registers.ids.indices.map { registers.place(at: $0).upperBound })
    for length in stride(from: 1, to: stream.count, by: 37) where !ends.contains(length) {
      #expect(RegisterSet(saved: [UInt8](stream[..<length])) == nil)
    }
    #expect(RegisterSet(saved: stream + stream) == nil)
  }

  @Test("registers are named as the manual and the kernel name them")
  func names() {
    let names: [(UInt64, String)] = [
      (0x6030_0000_0010_0040, "PC"), (0x6030_0000_0010_003C, "X30"), (0x6020_0000_0011_0002, "CCSIDR_EL1[2]"),
      (0x6030_0000_0013_8015, "DBGBCR2_EL1"), (0x6030_0000_0013_DF41, "PMEVCNTR1_EL0"),
      (0x6030_0000_0013_DF61, "PMEVTYPER1_EL0"), (0x6030_0000_0013_C03D, "S3_0_C0_C7_5"),
      (0x6030_0000_0013_DF02, "CNTV_CVAL_EL0"), (0x6030_0000_0013_DF1A, "CNTVCT_EL0"),
      (0x6080_0000_0015_0020, "Z1"), (0x6050_0000_0015_0400, "P0"), (0x6050_0000_0015_0600, "FFR"),
    ]

    for (id, name) in names { #expect(SystemRegisters.name(RegisterID(rawValue: id)) == name) }
  }
}
